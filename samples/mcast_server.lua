-- The sending end of multicast or broadcast: whoever listens (mcast_client.lua) gets every message.
-- Usage: lua mcast_server.lua [6] [group] [port] [message...]        without messages: the time, once a second
local lsocket = require "lsocket"

local function loopback()
  for _, interface in ipairs(assert(lsocket.getinterfaces())) do
    if interface.flags.loopback then return "%" .. interface.name end
  end
  return "" -- the system chooses
end

-- A group, "group%interface" or an IPv4 broadcast address. An ff01:: group never leaves the machine, whatever the
-- interface; IPv4 has no such groups, so the default names the loopback interface.
local six = arg[1] == "6" and table.remove(arg, 1)
local given = (arg[1] or ""):find("%D") and table.remove(arg, 1) -- a number is the port
local group = given or (six and "ff01::16:1" or "239.255.16.1" .. loopback())
local port = table.remove(arg, 1) or 16001

-- The hops that a message may go (ttl) are 1 by default: no further than the next machines. Broadcasts ignore it.
local sock = assert(lsocket.connect("mcast", group, port))
local here, there = sock:info("socket"), sock:info("peer")
print(("sending to %s port %d from %s port %d"):format(there.addr, there.port, here.addr, here.port))

local function send(message)
  local count, problem
  repeat
    count, problem = sock:send(message)
    assert(count ~= nil, problem)
  until count or not lsocket.select(nil, { sock }, 1) -- false: no room now
  print(count and "sent: " .. message or "not sent, there is no room: " .. message)
end

io.stdout:setvbuf("line")
for _, message in ipairs(arg) do send(message) end
while #arg == 0 do
  send(os.date("it is %H:%M:%S"))
  lsocket.select(1)
end
