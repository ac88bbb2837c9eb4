-- An echo server with lsocket's select. Prints its port.
local lsocket = require "lsocket"

local server = assert(lsocket.bind("127.0.0.1", 0, 4096))
print(server:info("socket").port)
io.stdout:flush()

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
   local readable = lsocket.select(socks)
   for i = 1, #readable do
      local sock = readable[i]
      if sock == server then
         socks[#socks + 1] = server:accept() or nil
      else
         local data = sock:recv(4096)
         if data then
            sock:send(data)
         elseif data == nil then
            forget(sock)
         end
      end
   end
end
