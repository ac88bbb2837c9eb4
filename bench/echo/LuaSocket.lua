-- An echo server with LuaSocket's select. Prints its port. It asks for whole messages of 64 bytes: for "what is there"
-- LuaSocket makes a second system call.
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 4096))
print((select(2, server:getsockname())))
io.stdout:flush()

server:settimeout(0)
local socks = { server }

local function forget(sock)
   sock:close()
   for i = 1, #socks do
      if socks[i] == sock then
         socks[i] = socks[#socks]
         socks[#socks] = nil
         break
      end
   end
end

while true do
   local readable = socket.select(socks)
   for i = 1, #readable do
      local sock = readable[i]
      if sock == server then
         local client = server:accept()
         if client then
            client:settimeout(0)
            socks[#socks + 1] = client
         end
      else
         local data, problem = sock:receive(64)
         if data then
            sock:send(data)
         elseif problem ~= "timeout" then
            forget(sock)
         end
      end
   end
end
