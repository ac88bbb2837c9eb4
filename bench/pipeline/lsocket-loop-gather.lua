-- Answers in three writes with the loop as in lsocket-loop.lua, but what is to be written is gathered in an array, and
-- goes out when the next message is not there yet. Prints its port.
local loop = require "lsocket.loop"

local function serve(client)
   local answers, count = {}, 0
   while true do
      if client:buffered() < 64 and count > 0 then
         if not client:write(answers) then break end
         answers, count = {}, 0
      end
      local data = client:readexactly(64)
      if not data then break end
      answers[count + 1], answers[count + 2], answers[count + 3] = data:sub(1, 16), data:sub(17, 48), data:sub(49)
      count = count + 3
   end
end

loop.run(function()
   local server = assert(loop.serve("127.0.0.1", 0, serve))
   print(server:info("socket").port)
   io.stdout:flush()
end)
