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

-- A group of its own for each test, and how the kernel spells it: one that nobody is in, as the sockets of an earlier
-- spec may still wait for their collection.
local count = 0

local function free(file, spelling)
  local listed
  repeat
    count = count + 1
    listed = spelling:format(count)
  until not (process.read(file) or ""):find(listed, 1, true)
  return listed
end

function groups.ipv4()
  local listed = free("/proc/net/igmp", "%02X0201EF")
  return "239.1.2." .. count, listed
end

function groups.ipv6(scope)
  local listed = free("/proc/net/igmp6", "ff0" .. scope .. ("0"):rep(24) .. "77%02x")
  return ("ff0%d::77%02x"):format(scope, count), listed
end

return groups
