-- An echo server with luv in straight-line code: a coroutine for each connection, which luv's callbacks let go on.
-- Prints its port.
local uv = require "luv"

-- A function that waits for what comes next: a string, or nil at the end. What comes while nobody waits is kept.
local function reader(client)
   local task, kept, first, last = nil, {}, 1, 0
   client:read_start(function(_, data)
      if task then
         local waiting = task
         task = nil
         assert(coroutine.resume(waiting, data))
      else
         last = last + 1
         kept[last] = data
      end
   end)
   return function()
      if first > last then
         task = coroutine.running()
         return coroutine.yield()
      end
      local data = kept[first]
      kept[first] = nil
      first = first + 1
      return data
   end
end

-- Sends at once what it can, and waits until the rest is sent: true | false
local function write(client, data)
   local sent = client:try_write(data) or 0
   if sent == #data then return true end
   local task = coroutine.running()
   client:write(data:sub(sent + 1), function(problem) assert(coroutine.resume(task, not problem)) end)
   return coroutine.yield()
end

local function echo(client)
   local read = reader(client)
   repeat
      local data = read()
   until not data or not write(client, data)
   client:close()
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
assert(server:listen(4096, function()
   local client = uv.new_tcp()
   server:accept(client)
   coroutine.wrap(echo)(client)
end))
print(server:getsockname().port)
io.stdout:flush()
uv.run()
