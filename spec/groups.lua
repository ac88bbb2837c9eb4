-- Multicast groups for specs, and what the kernel says of their members.
local process = require "spec.process"

local groups = {}

-- Does the kernel list a group, in its own hexadecimal spelling, as joined on an interface?
function groups.joined(interface, group)
  if #group == 32 then
    for line in process.read "/proc/net/igmp6":gmatch "[^\n]+" do
      local name, address = line:match "^%d+%s+(%S+)%s+(%x+)"
      if name == interface and address == group then return true end
    end
    return false
  end
  local current
  for line in process.read "/proc/net/igmp":gmatch "[^\n]+" do
    current = line:match "^%d+%s+(%S+)" or current
    if current == interface and line:match "^%s+(%x+)" == group then return true end
  end
  return false
end

-- A group of its own for each test, and how the kernel spells it: a socket that waits for its collection is a member.
local count = 0

function groups.ipv4()
  count = count + 1
  return "239.1.2." .. count, ("%02X0201EF"):format(count)
end

function groups.ipv6(scope)
  count = count + 1
  return ("ff0%d::77%02x"):format(scope, count), ("ff0%d%s77%02x"):format(scope, ("0"):rep(24), count)
end

return groups
