-- Which TCP ports of a host are open? Connects to many at a time. Ask before you do it to somebody
-- else's host.
-- Usage: lua samples/portscan.lua host ports [limit [seconds]]
--        lua samples/portscan.lua localhost 22,80,8000-8999 200 2
-- limit: connections at a time; seconds: how long to wait for each
local loop = require "lsocket.loop"

local host, limit, patience = arg[1], tonumber(arg[3] or 100), tonumber(arg[4] or 2)

local function give_up(message)
  io.stderr:write("portscan: ", message, "\n")
  os.exit(1)
end

-- "22,8000-8002" -> { 22, 8000, 8001, 8002 } | nil: that is no list of ports
local function read_ports(text)
  local ports = {}
  for part in text:gmatch("[^,]+") do
    local first, last = part:match("^(%d+)%-?(%d*)$")
    first = tonumber(first)
    last = tonumber(last) or first
    if not first or first < 1 or last > 65535 then return nil end
    for port = first, last do table.insert(ports, port) end
  end
  return ports
end

-- The system may choose the very port that is asked for as ours, and connect it to itself.
local function is_own(stream, port)
  local own, peer = stream:info("socket"), stream:info("peer")
  return own.port == port and own.addr == peer.addr
end

local function probe(address, port)
  local stream, _, name = loop.deadline(patience, loop.connect, address, port)
  if not stream then return name end
  local own = is_own(stream, port)
  stream:close()
  return own and "ECONNREFUSED" or "open"
end

-- What each port has answered, in the order of the ports: "open", or the name of the failure.
local function scan(address, ports)
  local results, last = {}, 0
  local function work()
    while last < #ports do
      last = last + 1
      local mine = last
      results[mine] = probe(address, ports[mine])
    end
  end
  local tasks = {}
  for i = 1, math.min(limit, #ports) do tasks[i] = loop.spawn(work) end
  for _, task in ipairs(tasks) do task:join() end
  return results
end

local ports = arg[2] and read_ports(arg[2])
if not ports or not limit or limit < 1 or not patience then
  give_up("usage: portscan.lua host ports [limit [seconds]]")
end

loop.run(function()
  local list, message = loop.resolve(host)
  if not list then give_up(host .. ": " .. message) end
  local address, counts = list[1].addr, {}
  for i, result in ipairs(scan(address, ports)) do
    counts[result] = (counts[result] or 0) + 1
    if result == "open" then print(("%s port %d is open"):format(address, ports[i])) end
  end
  local open, refused, silent = counts.open or 0, counts.ECONNREFUSED or 0, counts.ETIMEDOUT or 0
  print(("%d open, %d refused, %d silent"):format(open, refused, silent))
  for name, count in pairs(counts) do
    if name ~= "open" and name ~= "ECONNREFUSED" and name ~= "ETIMEDOUT" then
      print(count .. " failed: " .. name)
    end
  end
end)
