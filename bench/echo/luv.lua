-- An echo server with luv, libuv for Lua. Prints its port. try_write sends at once; write would make a request object.
local uv = require "luv"

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 0))
local try_write = uv.try_write

assert(server:listen(4096, function()
   local client = uv.new_tcp()
   server:accept(client)
   client:read_start(function(_, data)
      if data then
         try_write(client, data)
      else
         client:close()
      end
   end)
end))
print(server:getsockname().port)
io.stdout:flush()
uv.run()
