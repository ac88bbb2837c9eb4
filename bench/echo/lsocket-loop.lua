-- An echo server with lsocket's loop: a task for each connection. Prints its port.
local loop = require "lsocket.loop"

local function echo(client)
   repeat
      local data = client:readsome()
   until not data or not client:write(data)
end

loop.run(function()
   local server = assert(loop.serve("127.0.0.1", 0, echo))
   print(server:info("socket").port)
   io.stdout:flush()
end)
