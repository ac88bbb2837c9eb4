-- A relay for bench/c/relay_load.c with lsocket's loop: a task for each connection. Prints its port.
local loop = require "lsocket.loop"

local function pass_on(from, to)
   repeat
      local data = from:readsome()
   until not data or not to:write(data)
end

local function serve(client)
   local line = client:read()
   if line == "echo" then return pass_on(client, client) end
   local sink = assert(loop.connect("127.0.0.1", tonumber(line)))
   pass_on(client, sink)
   sink:close()
end

loop.run(function()
   local server = assert(loop.serve("127.0.0.1", 0, serve))
   print(server:info("socket").port)
   io.stdout:flush()
end)
