-- User-space instructions, which do not depend on the machine or on what else it does. "instructions.lua CASE N" does N
-- rounds of a case, for bench/instructions to count; otherwise all of them are counted and told as samples.
-- Needs cref only for some cases.
local lsocket = require "lsocket"

local SIZE, BATCH = 64, 32
local payload = ("x"):rep(SIZE)

-- ---- the sockets ----

local function tcp_pair()
   local listener = assert(lsocket.bind("127.0.0.1", 0))
   local a = assert(lsocket.connect("127.0.0.1", listener:info "socket".port))
   lsocket.select({ listener }, 5)
   local b = assert(listener:accept())
   lsocket.select(nil, { a }, 5)
   return a, b
end

local function udp_pair()
   local b = assert(lsocket.bind("udp", "127.0.0.1", 0))
   local port = b:info "socket".port
   return assert(lsocket.connect("udp", "127.0.0.1", port)), b, port
end

local function luasocket_pair()
   local socket = require "socket"
   local listener = assert(socket.bind("127.0.0.1", 0))
   local address, port = listener:getsockname()
   local a = assert(socket.connect(address, port))
   local b = assert(listener:accept())
   a:settimeout(0)
   b:settimeout(0)
   return a, b, socket
end

-- ---- the rounds: each case sets up, and answers the loop that does n of them ----

local cases = {}

-- One end sends with a method, the other receives with another one; both methods are kept in locals.
local function exchanging(a, b, sending, receiving)
   local send, receive = a[sending], b[receiving]
   return function(n)
      for _ = 1, n do
         send(a, payload)
         receive(b, SIZE)
      end
   end
end

function cases.methods()
   local a, b = tcp_pair()
   return function(n)
      for _ = 1, n do
         a:send(payload)
         b:recv(SIZE)
      end
   end
end

function cases.functions()
   local a, b = tcp_pair()
   return exchanging(a, b, "send", "recv")
end

function cases.wait()
   local a, b = tcp_pair()
   local poller, readable, writable = assert(lsocket.poller()), {}, {}
   assert(poller:add(b, "r"))
   local send, recv, wait = a.send, b.recv, poller.wait
   return function(n)
      for _ = 1, n do
         send(a, payload)
         wait(poller, 5, readable, writable)
         recv(b, SIZE)
      end
   end
end

function cases.select()
   local a, b = tcp_pair()
   a:send(payload)
   local socks, select = { b }, lsocket.select
   return function(n)
      for _ = 1, n do select(socks, 5) end
   end
end

function cases.accept()
   local knock = require "cref".knock
   local listener = assert(lsocket.bind("127.0.0.1", 0))
   local port, accept, close = listener:info "socket".port, listener.accept, listener.close
   return function(n)
      for _ = 1, n do
         knock(port)
         close(accept(listener))
      end
   end
end

function cases.datagrams()
   local a, b = udp_pair()
   return exchanging(a, b, "send", "recv")
end

function cases.recvfrom()
   local a, b = udp_pair()
   return exchanging(a, b, "send", "recvfrom")
end

function cases.sendto()
   local _, b, port = udp_pair()
   local a = assert(lsocket.bind("udp", "127.0.0.1", 0))
   local sendto, recv = a.sendto, b.recv
   return function(n)
      for _ = 1, n do
         sendto(a, payload, "127.0.0.1", port)
         recv(b, SIZE)
      end
   end
end

-- A round is one datagram; the batch that was received is sent again.
function cases.batch()
   local a, b = udp_pair()
   local batch = assert(lsocket.batch(BATCH, SIZE))
   for _ = 1, BATCH do batch:add(payload) end
   local sendmany, recvmany = a.sendmany, b.recvmany
   return function(n)
      for _ = 1, n, BATCH do
         sendmany(a, batch)
         recvmany(b, batch)
      end
   end
end

-- ---- C, and other libraries ----

cases["C functions"] = function()
   local pingpong = require "cref".pingpong
   local a, b = tcp_pair()
   return function(n) pingpong(a:getfd(), b:getfd(), n, payload, SIZE) end
end

cases["C wait"] = function()
   local cref = require "cref"
   local a, b = tcp_pair()
   local epoll = cref.epoll()
   cref.epoll_add(epoll, b:getfd())
   return function(n) cref.pingpong_epoll(a:getfd(), b:getfd(), n, payload, SIZE, epoll) end
end

cases["C accept"] = function()
   local welcome = require "cref".welcome
   local listener = assert(lsocket.bind("127.0.0.1", 0))
   return function(n) welcome(listener:getfd(), listener:info "socket".port, n) end
end

cases["C datagrams"] = function()
   local exchange = require "cref".udp_exchange
   local a, b = udp_pair()
   return function(n) exchange(a:getfd(), b:getfd(), n, payload, SIZE, 1) end
end

cases["C recvfrom"] = function()
   local exchange = require "cref".udp_exchange_from
   local a, b = udp_pair()
   return function(n) exchange(a:getfd(), b:getfd(), n, payload, SIZE, 1) end
end

cases["C sendto"] = function()
   local exchange = require "cref".udp_exchange_to
   local _, b, port = udp_pair()
   local a = assert(lsocket.bind("udp", "127.0.0.1", 0))
   return function(n) exchange(a:getfd(), b:getfd(), n, payload, SIZE, 1, port) end
end

cases["C batch"] = function()
   local many = require "cref".udp_many
   local a, b = udp_pair()
   return function(n) many(a:getfd(), b:getfd(), n, payload:rep(BATCH), SIZE, BATCH) end
end

cases["empty method"] = function()
   local object = require "cref".object()
   return function(n)
      for _ = 1, n do object:nothing() end
   end
end

cases["empty function"] = function()
   local object = require "cref".object()
   local nothing = object.nothing
   return function(n)
      for _ = 1, n do nothing(object) end
   end
end

-- ---- the loop: each round runs in a task ----

local function looping(fn)
   return function()
      local loop, stream = require "lsocket.loop", require "lsocket.stream"
      return function(n) loop.run(fn, n, loop, stream) end
   end
end

-- A line that is in the stream's buffer already, but for one read of the socket in some thousands.
local function reading_lines(read_all)
   return looping(function(n, loop, stream)
      local a, b = assert(lsocket.pair())
      local sink, source, data = stream.new(a), stream.new(b), (payload:sub(2) .. "\n"):rep(1000)
      loop.spawn(function()
         for _ = 1, n, 1000 do sink:write(data) end
         sink:close()
      end)
      read_all(source)
   end)
end

cases["loop line"] = reading_lines(function(source)
   while source:read() do end
end)

cases["loop lines"] = reading_lines(function(source)
   local iterate, state = source:lines()
   while iterate(state) do end
end)

-- Two tasks that each answer what the other one has sent: two requests.
cases["loop echo"] = looping(function(n, loop, stream)
   local a, b = tcp_pair()
   local near, far = stream.new(a), stream.new(b)
   local server = loop.spawn(function()
      local data = far:readsome()
      while data do
         far:write(data)
         data = far:readsome()
      end
   end)
   for _ = 1, n do
      near:write(payload)
      near:readsome()
   end
   near:close()
   server:join()
end)

-- A wrapped socket that finds each datagram there.
cases["loop datagrams"] = looping(function(n, loop)
   local a, b = udp_pair()
   exchanging(loop.wrap(a), loop.wrap(b), "send", "recvfrom")(n)
end)

-- The same with a wait for each: another task sends a datagram when it has an answer to the one before.
cases["loop wait"] = looping(function(n, loop)
   local a, b = assert(lsocket.pair "udp")
   local near, far = loop.wrap(a), loop.wrap(b)
   local server = loop.spawn(function()
      for _ = 1, n do far:send(far:recv()) end
   end)
   for _ = 1, n do
      near:send(payload)
      near:recv()
   end
   server:join()
end)

cases["loop sleep"] = looping(function(n, loop)
   for _ = 1, n do loop.sleep(0) end
end)

cases["loop deadline"] = looping(function(n, loop)
   for _ = 1, n do loop.deadline(10, loop.sleep, 0) end
end)

cases["loop task"] = looping(function(n, loop)
   for _ = 1, n do loop.spawn(function() end):join() end
end)

-- A value from one task to another, which waits for each.
cases["loop queue"] = looping(function(n, loop)
   local queue = loop.queue(1)
   loop.spawn(function()
      for i = 1, n do queue:put(i) end
      queue:close()
   end)
   while queue:get() do end
end)

cases["loop semaphore"] = looping(function(n, loop)
   local semaphore = loop.semaphore(1)
   for _ = 1, n do
      semaphore:acquire()
      semaphore:release()
   end
end)

cases["loop group"] = looping(function(n, loop)
   for _ = 1, n do
      loop.group(function(group) group:spawn(function() end) end)
   end
end)

cases["LuaSocket functions"] = function()
   local a, b = luasocket_pair()
   return exchanging(a, b, "send", "receive")
end

cases["LuaSocket select"] = function()
   local a, b, socket = luasocket_pair()
   a:send(payload)
   local socks, select = { b }, socket.select
   return function(n)
      for _ = 1, n do select(socks, nil, 5) end
   end
end

cases["luaposix functions"] = function()
   local ps = require "posix.sys.socket"
   local a, b = tcp_pair()
   local from, to, send, recv = a:getfd(), b:getfd(), ps.send, ps.recv
   return function(n)
      for _ = 1, n do
         send(from, payload)
         recv(to, SIZE)
      end
   end, a, b
end

cases["luaposix select"] = function()
   local poll = require "posix.poll".poll
   local a, b = tcp_pair()
   a:send(payload)
   local fds = { [b:getfd()] = { events = { IN = true } } }
   return function(n)
      for _ = 1, n do poll(fds, 5000) end
   end, a, b
end

local rounds = tonumber(arg[2])
if rounds then
   local loop, a, b = assert(cases[arg[1]], "no such case")() -- a and b are kept open
   loop(rounds)
   return a, b
end

-- ---- telling them all ----

local lib = require "bench.lib"

-- How they are called in the report: the case there, the library, the case here, and what is taken off.
local told = {
   { "send, recv", "C", "C functions" },
   { "send, recv", "lsocket", "functions" },
   { "send, recv", "LuaSocket", "LuaSocket functions", needs = "socket" },
   { "send, recv", "luaposix", "luaposix functions", needs = "posix" },
   { "s:send, s:recv", "lsocket", "methods" },
   { "empty method", "Lua", "empty method" },
   { "empty function", "Lua", "empty function" },
   { "wait beyond send, recv", "C", "C wait", "C functions" },
   { "wait beyond send, recv", "lsocket", "wait", "functions" },
   { "select, the one there is", "lsocket", "select" },
   { "select, the one there is", "LuaSocket", "LuaSocket select", needs = "socket" },
   { "select, the one there is", "luaposix", "luaposix select", needs = "posix" },
   { "accept, close, and a client in C", "C", "C accept" },
   { "accept, close, and a client in C", "lsocket", "accept" },
   { "udp send, recv", "C", "C datagrams" },
   { "udp send, recv", "lsocket", "datagrams" },
   { "udp send, recvfrom", "C", "C recvfrom" },
   { "udp send, recvfrom", "lsocket", "recvfrom" },
   { "udp sendto, recv", "C", "C sendto" },
   { "udp sendto, recv", "lsocket", "sendto" },
   { "sendmany, recvmany, a datagram", "C", "C batch" },
   { "sendmany, recvmany, a datagram", "lsocket", "batch" },
}

local N = lib.quick and 4096 or 16384 -- a multiple of BATCH

local function count(case)
   local command = ("bench/instructions %s '%s' %d"):format(arg[-1], case, N)
   local pipe = assert(io.popen(command))
   local instructions = pipe:read "*n"
   pipe:close()
   return assert(instructions, "failed: " .. command)
end

local seen = {}
for _, row in ipairs(told) do
   local case, library, name, base = row[1], row[2], row[3], row[4]
   if not row.needs or pcall(require, row.needs) then
      seen[name] = count(name)
      local instructions = seen[name] - (base and seen[base] or 0)
      lib.emit("instructions", case, library, 1, N, 0, 0, "instructions=" .. instructions)
   end
end
