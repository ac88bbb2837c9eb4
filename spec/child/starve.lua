-- A server of the loop with few descriptors (the limit is set by whoever starts it): prints its port, answers each
-- line of its clients, "steps" with how often the loop has been woken, and ends at "end", or else after a minute.
local loop = require "lsocket.loop"

local server, steps

local function answer(client)
  local line = client:read()
  while line do
    if line == "end" then server:close(0) end
    client:write(line == "steps" and steps or line, "\n")
    line = client:read()
  end
end

loop.spawn(function()
  server = assert(loop.serve("127.0.0.1", 0, answer))
  io.write(server:info("socket").port, "\n")
  io.flush()
end)
steps = 0
local limit = loop.now() + 60
while loop.now() < limit and loop.step(10) do steps = steps + 1 end
