-- The receiving end of multicast or broadcast: prints what is sent to the group. Any number may run at once.
-- Usage: lua mcast_client.lua [6] [group] [port]        see mcast_server.lua; port 0: one that is free
local lsocket = require "lsocket"

local function loopback()
  for _, interface in ipairs(assert(lsocket.getinterfaces())) do
    if interface.flags.loopback then return "%" .. interface.name end
  end
  return "" -- the system chooses
end

io.stdout:setvbuf("line")
local six = arg[1] == "6" and table.remove(arg, 1)
local given = (arg[1] or ""):find("%D") and table.remove(arg, 1) -- a number is the port
local group = given or (six and "ff01::16:1" or "239.255.16.1" .. loopback())
local sock = assert(lsocket.bind("mcast", group, arg[1] or 16001))
local here = sock:info("socket")
print(("listening on %s port %d"):format(here.addr, here.port))

-- What came from the network may hold anything; a terminal should not see its control characters.
local function printable(data)
  return (data:gsub("%c", "."))
end

while true do
  assert(lsocket.select({ sock }))
  repeat -- all that wait, not one for each select
    local data, from, port = sock:recvfrom() -- false: none is left
    if data then print(("%s port %d: %s"):format(from, port, printable(data))) end
    if data == nil then print("cannot receive: " .. from) end
  until not data
end
