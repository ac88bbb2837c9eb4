-- What programs for LuaSocket do, with LuaSocket itself and with lsocket.luasocket: the same code with both. The calls
-- wait, as a program's do; the other end is in this process.
local lib = require "bench.lib"
local lsocket = require "lsocket"

local theirs = lib.peer("luasocket", "LuaSocket", "socket")
local ours = require "lsocket.luasocket"

local modules = { { name = "lsocket.luasocket", socket = ours } }
if theirs then table.insert(modules, { name = "LuaSocket", socket = theirs }) end

local COUNT, CLIENTS = 1024, 50

local function messages_of(size)
   local noise, messages = lib.noise(size + COUNT), {}
   for i = 1, COUNT do messages[i] = noise:sub(i, i + size - 1) end
   return messages
end

-- Both ends of a connection.
local function connection(socket)
   local listener, from = assert(socket.tcp()), assert(socket.tcp())
   assert(listener:bind("127.0.0.1", 0) and listener:listen(1))
   assert(from:connect(listener:getsockname()))
   local to = assert(listener:accept())
   listener:close()
   return from, to
end

-- The same of datagrams; the second has the address of the first.
local function datagrams(socket)
   local from, to = assert(socket.udp()), assert(socket.udp())
   assert(from:setsockname("127.0.0.1", 0))
   assert(to:setsockname("127.0.0.1", 0))
   return from, to
end

-- run(n, watch) for each module; count: that n in each round.
local function compare(case, make, count)
   local libraries = {}
   for _, module in ipairs(modules) do
      table.insert(libraries, { name = module.name, run = make(module.socket) })
   end
   lib.alternate{ workload = "luasocket", cases = { case }, libraries = libraries, count = count }
end

-- loop(n) for each module, timed as a whole.
local function measure(case, make, count)
   compare(case, function(socket)
      local loop = make(socket)
      return function(n, watch)
         watch:start()
         loop(n)
         watch:stop(n)
      end
   end, count)
end

local function exchange(size)
   local messages = messages_of(size)
   return function(socket)
      local from, to = connection(socket)
      return function(n)
         for i = 1, n do
            from:send(messages[i % COUNT + 1])
            to:receive(size)
         end
      end
   end
end

measure("64 bytes", exchange(64))
measure("32 KiB", exchange(32768), 20) -- as LuaSocket waits in each, for an acknowledgement

measure("lines of 80 bytes", function(socket)
   local from, to = connection(socket)
   local text = (lib.noise(79):gsub("[\r\n]", "x") .. "\n"):rep(100)
   return function(n)
      for i = 1, n do
         if i % 100 == 1 then from:send(text) end
         to:receive()
      end
      for _ = 1, -n % 100 do to:receive() end
   end
end)

measure("datagrams of 64 bytes", function(socket)
   local from, to = datagrams(socket)
   assert(from:setpeername(to:getsockname()))
   local messages = messages_of(64)
   return function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         to:receive()
      end
   end
end)

measure("datagrams of 64 bytes, with addresses", function(socket)
   local from, to = datagrams(socket)
   local host, port = to:getsockname()
   local messages = messages_of(64)
   return function(n)
      for i = 1, n do
         from:sendto(messages[i % COUNT + 1], host, port)
         to:receivefrom()
      end
   end
end)

measure("select, 100 sockets", function(socket)
   local from, to = connection(socket)
   local list = { to }
   for i = 2, 100 do list[i] = datagrams(socket) end
   from:send "x"
   return function(n)
      for _ = 1, n do socket.select(list, nil, 1) end
   end
end)

-- ---- connecting ----

-- Clients in groups; in between the other ends are reset, so that no port is in use for a minute.
local function connect_and_close(socket, server, n, watch)
   local port, clients = server:info "socket".port, {}
   while n > 0 do
      local count = math.min(n, CLIENTS)
      watch:start()
      for i = 1, count do
         clients[i] = socket.tcp()
         assert(clients[i]:connect("127.0.0.1", port))
      end
      watch:stop(count)
      for _ = 1, count do
         local other = server:accept()
         other:setopt("linger", 0)
         other:close()
      end
      watch:start()
      for i = 1, count do clients[i]:close() end
      watch:stop(0)
      n = n - count
   end
end

local listener = assert(lsocket.bind("127.0.0.1", 0, CLIENTS))
compare("connect and close", function(socket)
   return function(n, watch) connect_and_close(socket, listener, n, watch) end
end)
