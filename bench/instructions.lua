-- N rounds of send and recv of 64 bytes over one connected TCP pair, for bench/instructions to count.
-- "methods": a:send(s), b:recv(64); "functions": the methods kept in locals.
local lsocket = require "lsocket"

local rounds, style = tonumber(arg[1]), arg[2]
local listener = assert(lsocket.bind("127.0.0.1", 0))
local a = assert(lsocket.connect("127.0.0.1", listener:info("socket").port))
lsocket.select({ listener }, 5)
local b = assert(listener:accept())
lsocket.select(nil, { a }, 5)

local payload = ("x"):rep(64)
if style == "methods" then
   for _ = 1, rounds do
      a:send(payload)
      b:recv(64)
   end
else
   local send, recv = a.send, b.recv
   for _ = 1, rounds do
      send(a, payload)
      recv(b, 64)
   end
end
