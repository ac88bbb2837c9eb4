-- The receiving end of multicast or broadcast: prints what is sent to the group. Any number may run at once.
-- Usage: lua samples/mcast_client.lua [6] [group] [port]        see mcast_server.lua; port 16010; 0: one that is free
local lsocket = require "lsocket"

local function fail(message)
  io.stderr:write("mcast_client: ", message, "\n")
  os.exit(1)
end

local function loopback()
  for _, interface in ipairs(lsocket.getinterfaces() or {}) do
    if interface.flags.loopback then return "%" .. interface.name end
  end
  return "" -- the system chooses
end

io.stdout:setvbuf("line")
local six = arg[1] == "6" and table.remove(arg, 1)
local given = (arg[1] or ""):find("[:%.].*[:%.]") and table.remove(arg, 1)
local group, port = given or (six and "ff01::16:1" or "239.255.16.1"), arg[1] or 16010
local first = not group:find("%", 1, true) and tonumber(group:match("^(%d+)%.")) or 0
if first >= 224 and first < 240 then group = group .. loopback() end -- as mcast_server.lua sends it
local ok, sock, problem = pcall(lsocket.bind, "mcast", group, port) -- which raises where the port is none
if not ok then fail("usage: mcast_client.lua [6] [group] [port]") end
if not sock then fail(("%s port %s: %s"):format(group, port, problem)) end
local here = sock:info("socket")
print(("listening on %s port %d"):format(here.addr, here.port))

-- What came from the network may hold anything; a terminal should not see its control characters.
local function printable(data)
  return (data:gsub("%c", "."))
end

while true do
  local ready, message = lsocket.select({ sock })
  if not ready then fail(message) end
  repeat -- all that wait, not one for each select
    local data, from, number = sock:recvfrom() -- false: none is left
    if data then print(("%s port %d: %s"):format(from, number, printable(data))) end
    if data == nil then print("cannot receive: " .. from) end
  until not data
end
