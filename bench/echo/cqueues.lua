-- An echo server with cqueues: a coroutine for each connection. Prints its port. It asks for whole messages of 64
-- bytes: for "what is there" cqueues makes a second system call. It waits for a descriptor, which is cheaper than for a
-- socket.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local server = assert(socket.listen { host = "127.0.0.1", port = 0, backlog = 4096 })
assert(server:listen())
print((select(3, server:localname())))
io.stdout:flush()

local poll, EAGAIN = cqueues.poll, require("cqueues.errno").EAGAIN
local loop = cqueues.new()

local function echo(sock)
   sock:setmode("bn", "bn")
   sock:onerror(function(_, _, why) return why end) -- instead of raising
   local input = { pollfd = sock:pollfd(), events = "r" }
   while true do
      local data, why = sock:recv(64)
      if data then
         sock:send(data, 1, #data)
      elseif why == EAGAIN then
         poll(input)
      else
         break
      end
   end
   sock:close()
end

loop:wrap(function()
   for client in server:clients() do loop:wrap(echo, client) end
end)
assert(loop:loop())
