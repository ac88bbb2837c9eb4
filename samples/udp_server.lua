-- An echo server for UDP: every datagram goes back to whom it came from.
-- Usage: lua udp_server.lua [6] [port]        6: IPv6; port 0: one that is free; without a port: 16001
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local server = assert(lsocket.bind("udp", address, arg[1] or 16001))
print(("listening on %s port %d"):format(address, server:info("socket").port))

-- What came from the network may hold anything; a terminal should not see its control characters.
local function printable(data)
  return (data:sub(1, 60):gsub("%c", "."))
end

local function answer(data, from, port)
  local count, message = server:sendto(data, from, port)
  if count then message = "sent back" end
  if count == false then message = "not sent back, there is no room" end -- UDP promises nothing: drop it
  print(('%s port %d: %d bytes, "%s": %s'):format(from, port, #data, printable(data), message))
end

while true do
  assert(lsocket.select({ server }))
  repeat -- all that wait, not one for each select
    local data, from, port = server:recvfrom() -- false: none is left; "" is a datagram like any other
    if data then answer(data, from, port) end
    if data == nil then print("cannot receive: " .. from) end
  until not data
end
