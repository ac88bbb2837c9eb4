-- An echo server for UDP: every datagram goes back to whom it came from.
-- Usage: lua samples/udp_server.lua [6] [port]        6: IPv6; port 0: one that is free; without a port: 16009
local lsocket = require "lsocket"

local MOST = 1000 -- answers that one sender gets in a second

local function fail(message)
  io.stderr:write("udp_server: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port = arg[1] or 16009
local ok, server, problem = pcall(lsocket.bind, "udp", address, port) -- which raises where the port is none
if not ok then fail("usage: udp_server.lua [6] [port]") end
if not server then fail(("%s port %s: %s"):format(address, port, problem)) end
print(("listening on %s port %d"):format(address, server:info("socket").port))

-- What came from the network may hold anything; a terminal should not see its control characters.
local function printable(data)
  return (data:sub(1, 60):gsub("%c", "."))
end

-- Two servers that answer everything would send a datagram back and forth for ever, and anybody can start that with
-- the address of one as his own. So a sender who asks too often gets no answers until the next second.
local second, asked = 0, {} -- asked: sender -> how often, in this second
local function may_ask(sender)
  local now = math.floor(lsocket.now())
  if now ~= second then second, asked = now, {} end
  asked[sender] = (asked[sender] or 0) + 1
  return asked[sender] <= MOST
end

local function answer(data, from, number)
  local sender = ("%s port %d"):format(from, number)
  if not may_ask(sender) then return end
  local count, message = server:sendto(data, from, number)
  if count then message = "sent back" end
  if count == false then message = "not sent back, there is no room" end -- UDP promises nothing: drop it
  print(('%s: %d bytes, "%s": %s'):format(sender, #data, printable(data), message))
end

while true do
  local ready, message = lsocket.select({ server })
  if not ready then fail(message) end
  repeat -- all that wait, not one for each select
    local data, from, number = server:recvfrom() -- false: none is left; "" is a datagram like any other
    if data then answer(data, from, number) end
    if data == nil then print("cannot receive: " .. from) end
  until not data
end
