-- Answers in three writes with copas, on LuaSocket: a coroutine for each connection. Prints its port.
local copas = require "copas"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 4096))
print((select(2, server:getsockname())))
io.stdout:flush()

copas.addserver(server, function(sock)
   sock:settimeout(0)
   sock:setoption("tcp-nodelay", true)
   while true do
      local data = copas.receive(sock, 64)
      if not data then break end
      copas.send(sock, data:sub(1, 16))
      copas.send(sock, data:sub(17, 48))
      copas.send(sock, data:sub(49))
   end
   sock:close()
end)
copas.loop()
