-- Answers in three writes with luv in straight-line code: a coroutine for each connection. Prints its port.
local uv = require "luv"

-- A function that returns the next bytes of that number, or nil at the end.
local function reader(client)
   local task, kept, ended = nil, "", false
   client:read_start(function(_, data)
      if data then kept = kept .. data else ended = true end
      if task then
         local waiting = task
         task = nil
         assert(coroutine.resume(waiting))
      end
   end)
   local at = 1
   return function(count)
      while #kept - at + 1 < count do
         if ended then return nil end
         kept, at = kept:sub(at), 1
         task = coroutine.running()
         coroutine.yield()
      end
      at = at + count
      return kept:sub(at - count, at - 1)
   end
end

-- Sends at once what it can, and waits until the rest is sent.
local function write(client, data)
   local sent = client:try_write(data) or 0
   if sent == #data then return end
   local task = coroutine.running()
   client:write(data:sub(sent + 1), function() assert(coroutine.resume(task)) end)
   coroutine.yield()
end

local function serve(client)
   client:nodelay(true)
   local read = reader(client)
   while true do
      local data = read(64)
      if not data then break end
      write(client, data:sub(1, 16))
      write(client, data:sub(17, 48))
      write(client, data:sub(49))
   end
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
