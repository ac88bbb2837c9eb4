-- An echo server with copas, on LuaSocket: a coroutine for each connection. Prints its port. It asks for whole messages
-- of 64 bytes, as the one of LuaSocket does.
local copas = require "copas"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 4096))
print((select(2, server:getsockname())))
io.stdout:flush()

copas.addserver(server, function(sock)
   sock:settimeout(0)
   while true do
      local data = copas.receive(sock, 64)
      if not data or not copas.send(sock, data) then break end
   end
   sock:close()
end)
copas.loop()
