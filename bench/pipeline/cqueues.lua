-- Answers in three writes with cqueues: a coroutine for each connection. Prints its port. What is written stays in the
-- buffer of the socket, and goes out when the next message is not there yet.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local server = assert(socket.listen { host = "127.0.0.1", port = 0, backlog = 4096 })
assert(server:listen())
print((select(3, server:localname())))
io.stdout:flush()

local loop = cqueues.new()

local function serve(sock)
   sock:setmode("bf", "bfA") -- without flushing at each read
   sock:onerror(function(_, _, why) return why end) -- instead of raising
   while true do
      if sock:pending() < 64 then sock:flush() end
      local data = sock:read(64)
      if not data then break end
      sock:write(data:sub(1, 16))
      sock:write(data:sub(17, 48))
      sock:write(data:sub(49))
   end
   sock:close()
end

loop:wrap(function()
   while true do loop:wrap(serve, (server:accept { nodelay = true })) end
end)
assert(loop:loop())
