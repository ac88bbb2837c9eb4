-- The sending end of multicast or broadcast: whoever listens (mcast_client.lua) gets every message.
-- Usage: lua samples/mcast_server.lua [6] [group] [port] [message...]        6: IPv6; port 16010
-- without messages: the time, once a second
-- group: "group%interface", or an IPv4 broadcast address. A group without an interface stays on this machine.
local lsocket = require "lsocket"

local function fail(message)
  io.stderr:write("mcast_server: ", message, "\n")
  os.exit(1)
end

local function loopback()
  for _, interface in ipairs(lsocket.getinterfaces() or {}) do
    if interface.flags.loopback then return "%" .. interface.name end
  end
  return "" -- the system chooses
end

local six = arg[1] == "6" and table.remove(arg, 1)
local given = (arg[1] or ""):find("[:%.].*[:%.]") and table.remove(arg, 1)
local group = given or (six and "ff01::16:1" or "239.255.16.1")
local port = table.remove(arg, 1) or 16010

-- The last argument is the hops that a message may go: 0, not off this machine; 1, to the next machines. Broadcasts
-- ignore it. IPv4 messages also need an interface to stay here; IPv6 messages cannot leave by the loopback one.
local hops = group:find("%", 1, true) and 1 or 0
local first = tonumber(group:match("^(%d+)%.")) or 0
local place = hops == 0 and first >= 224 and first < 240 and group .. loopback() or group
local ok, sock, problem = pcall(lsocket.connect, "mcast", place, port, hops) -- which raises where the port is none
if not ok then fail("usage: mcast_server.lua [6] [group] [port] [message...]") end
if not sock then fail(("%s port %s: %s"):format(place, port, problem)) end
local here, there = sock:info("socket"), sock:info("peer")
print(("sending to %s port %d from %s port %d"):format(there.addr, there.port, here.addr, here.port))

local function send(message)
  local count, trouble = sock:send(message)
  if count == false and lsocket.select(nil, { sock }, 1) then count, trouble = sock:send(message) end
  if count == nil then fail(trouble) end
  print(count and "sent: " .. message or "not sent, there is no room: " .. message)
end

io.stdout:setvbuf("line")
for _, message in ipairs(arg) do send(message) end
while #arg == 0 do
  send(os.date("it is %H:%M:%S"))
  lsocket.select(1)
end
