-- Answers in three writes with lsocket's loop: a task for each connection. Prints its port.
local loop = require "lsocket.loop"

local function serve(client)
   while true do
      local data = client:readexactly(64)
      if not data then break end
      client:write(data:sub(1, 16))
      client:write(data:sub(17, 48))
      client:write(data:sub(49))
   end
end

loop.run(function()
   local server = assert(loop.serve("127.0.0.1", 0, serve))
   print(server:info("socket").port)
   io.stdout:flush()
end)
