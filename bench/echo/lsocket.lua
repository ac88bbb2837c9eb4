-- An echo server with lsocket's poller. Prints its port.
local lsocket = require "lsocket"

local server = assert(lsocket.bind("127.0.0.1", 0, 4096))
print(server:info("socket").port)
io.stdout:flush()

local poller = assert(lsocket.poller())
assert(poller:add(server, "r"))
local readable, writable = {}, {}

while true do
   poller:wait(nil, readable, writable)
   for i = 1, #readable do
      local sock = readable[i]
      if sock == server then
         local client = server:accept()
         if client then poller:add(client, "r") end
      else
         local data = sock:recv(4096)
         if data then
            sock:send(data)
         elseif data == nil then
            sock:close()
         end
      end
   end
end
