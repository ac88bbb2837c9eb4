-- A relay for bench/c/relay_load.c with cqueues: a coroutine for each connection. Prints its port.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local server = assert(socket.listen { host = "127.0.0.1", port = 0, backlog = 4096 })
assert(server:listen())
print((select(3, server:localname())))
io.stdout:flush()

local loop = cqueues.new()

local function prepare(sock)
   sock:setmode("bn", "bn")
   sock:onerror(function(_, _, why) return why end) -- instead of raising
end

local function pass_on(from, to)
   repeat
      local data = from:read(-65536)
   until not data or not to:write(data)
end

local function serve(client)
   prepare(client)
   local line = client:read "*l"
   local sink = client
   if line ~= "echo" then
      sink = socket.connect { host = "127.0.0.1", port = tonumber(line) }
      prepare(sink)
   end
   pass_on(client, sink)
   sink:close()
   client:close()
end

loop:wrap(function()
   while true do loop:wrap(serve, (server:accept { nodelay = true })) end
end)
assert(loop:loop())
