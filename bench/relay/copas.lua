-- A relay for bench/c/relay_load.c with copas, on LuaSocket: a coroutine for each connection. Prints its port.
local copas = require "copas"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 4096))
print((select(2, server:getsockname())))
io.stdout:flush()

local receive_some = copas.receivepartial or copas.receivePartial

local function pass_on(from, to)
   repeat
      local data, problem, part = receive_some(from, 65536)
      data = data or part
      local ended = problem == "closed" or not data
   until ended or not copas.send(to, data)
end

copas.addserver(server, function(client)
   client:settimeout(0)
   client:setoption("tcp-nodelay", true)
   local line = copas.receive(client, "*l")
   local sink = client
   if line ~= "echo" then
      sink = socket.tcp()
      sink:settimeout(0)
      assert(copas.connect(sink, "127.0.0.1", tonumber(line)))
   end
   pass_on(client, sink)
   sink:close()
   client:close()
end)
copas.loop()
