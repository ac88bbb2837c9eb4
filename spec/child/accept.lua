-- Accepts one connection after two attempts, and exchanges a byte and a datagram; for use with system calls that are
-- made to fail. Says what each attempt gave.
local lsocket = require "lsocket"

local listener = assert(lsocket.bind("127.0.0.1", 0))
local port = listener:info("socket").port
local first = assert(lsocket.connect("127.0.0.1", port))
local second = assert(lsocket.connect("127.0.0.1", port))

for _ = 1, 2 do
  assert(lsocket.select({ listener }, 10))
  local server, message = listener:accept()
  print(server and "socket" or server == false and "false" or message)
  if server then
    assert(server:send "x" == 1)
    assert(lsocket.select({ first, second }, 10))
    assert(first:recv() or second:recv())
  end
end

local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
assert(sock:sendto("y", "127.0.0.1", sock:info("socket").port) == 1)
assert(lsocket.select({ sock }, 10))
assert(sock:recvfrom() == "y")
