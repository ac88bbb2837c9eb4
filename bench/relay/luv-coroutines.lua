-- A relay for bench/c/relay_load.c with luv in straight-line code: a coroutine for each connection, which reads again
-- when what it has read is written. Prints its port.
local uv = require "luv"

local function resumed()
   local task = coroutine.running()
   return function(...) assert(coroutine.resume(task, ...)) end
end

-- What comes next, or nil.
local function read(sock)
   sock:read_start(resumed())
   local problem, data = coroutine.yield()
   sock:read_stop()
   return not problem and data or nil
end

-- Sends at once what it can, and waits until the rest is sent: true | false
local function write(sock, data)
   local sent = sock:try_write(data) or 0
   if sent == #data then return true end
   sock:write(data:sub(sent + 1), resumed())
   return not coroutine.yield()
end

local function serve(client)
   client:nodelay(true)
   local data, sink = read(client) or "", client
   while not data:find "\n" do data = data .. (read(client) or "\n") end
   local line = data:match "^[^\n]*"
   if line ~= "echo" then
      sink = uv.new_tcp()
      sink:connect("127.0.0.1", tonumber(line), resumed())
      local problem = coroutine.yield()
      assert(not problem, problem)
   end
   data = data:sub(#line + 2)
   while data and write(sink, data) do data = read(client) end
   if sink ~= client then sink:close() end
   client:close()
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(4096, function()
   local client = uv.new_tcp()
   server:accept(client)
   coroutine.wrap(serve)(client)
end))
print(server:getsockname().port)
io.stdout:flush()
uv.run()
