-- 64 bytes through a TCP connection, sent and received by the same process.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local luasocket = lib.peer("pingpong", "LuaSocket", "socket")
local luaposix = lib.peer("pingpong", "luaposix", "posix.sys.socket")
local cqueues = lib.peer("pingpong", "cqueues", "cqueues")
local luv = lib.peer("pingpong", "luv", "luv")

local SIZE, COUNT = 64, 1024
local noise = lib.noise(SIZE * COUNT)
local messages = {}
for i = 1, COUNT do messages[i] = noise:sub(SIZE * (i - 1) + 1, SIZE * i) end

-- Another number of bytes waits before each loop (see cref.prime), so that no string that arrives was there before.
local shift = 0
local function prime(from, to)
   shift = shift % (SIZE - 1) + 1
   cref.prime(from:getfd(), to:getfd(), shift)
end

-- Adds a library to a list: loop(n) exchanges n messages. It is written out for each, as a function in between would
-- cost as much as some of what is measured. ready() empties the library's own buffer.
local function add(libraries, name, from, to, loop, ready)
   table.insert(libraries, { name = name, run = function(n, watch)
      if ready then ready() end
      prime(from, to)
      watch:start()
      loop(n)
      watch:stop(n)
   end })
end

local function measure(case, libraries)
   lib.alternate{ workload = "pingpong", cases = { case }, libraries = libraries }
end

-- A LuaSocket object for each end of a connection of ours.
local function luasocket_ends(from, to)
   local ends = {}
   for i, fd in ipairs{ from:getfd(), to:getfd() } do
      local listener = assert(luasocket.bind("127.0.0.1", 0))
      local address, port = listener:getsockname()
      ends[i] = assert(luasocket.connect(address, port))
      listener:close()
      cref.close(ends[i]:getfd())
      ends[i]:setfd(fd)
      ends[i]:settimeout(0)
   end
   return ends[1], ends[2]
end

local function cqueues_ends(from, to)
   local cqsocket = require "cqueues.socket"
   local function adopt(sock)
      local adopted = assert(cqsocket.fdopen(cref.dup(sock:getfd())))
      adopted:setmode("bn", "bn")
      return adopted
   end
   return adopt(from), adopt(to)
end

-- ---- receiving first: the message is there ----

local function without_waiting()
   local libraries = {}
   local from, to = lib.connection()
   local from_fd, to_fd = from:getfd(), to:getfd()
   add(libraries, "C", from, to, function(n) cref.pingpong(from_fd, to_fd, n, noise, SIZE) end)
   add(libraries, "lsocket", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         to:recv(SIZE)
      end
   end)
   if luasocket then
      local a, b = luasocket_ends(from, to)
      add(libraries, "LuaSocket", from, to, function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1])
            b:receive(SIZE)
         end
      end, function() b:receive "*a" end)
   end
   if luaposix then
      add(libraries, "luaposix", from, to, function(n)
         for i = 1, n do
            luaposix.send(from_fd, messages[i % COUNT + 1])
            luaposix.recv(to_fd, SIZE)
         end
      end)
   end
   if cqueues then
      local a, b = cqueues_ends(from, to)
      add(libraries, "cqueues", from, to, function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1], 1, SIZE)
            b:recv(SIZE)
         end
      end, function() b:recv(-65536) end)
   end
   measure("send then recv", libraries)
end

-- ---- asking about this one socket first ----

local function selecting()
   local libraries = {}
   local from, to = lib.connection()
   local from_fd, to_fd = from:getfd(), to:getfd()
   add(libraries, "C", from, to, function(n) cref.pingpong_poll(from_fd, to_fd, n, noise, SIZE) end)
   local reads = { to }
   add(libraries, "lsocket", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         lsocket.select(reads, 5)
         to:recv(SIZE)
      end
   end)
   if luasocket then
      local a, b = luasocket_ends(from, to)
      local theirs = { b }
      add(libraries, "LuaSocket", from, to, function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1])
            luasocket.select(theirs, nil, 5)
            b:receive(SIZE)
         end
      end, function() b:receive "*a" end)
   end
   if luaposix then
      local rpoll = require "posix.poll".rpoll
      add(libraries, "luaposix", from, to, function(n)
         for i = 1, n do
            luaposix.send(from_fd, messages[i % COUNT + 1])
            rpoll(to_fd, 5000)
            luaposix.recv(to_fd, SIZE)
         end
      end)
   end
   measure("select then recv", libraries)
end

-- ---- with a poller or an event loop; each has a connection of its own, as a set that knows a socket slows it down ----

local function add_c(libraries)
   local from, to = lib.connection()
   local from_fd, to_fd = from:getfd(), to:getfd()
   local epoll = cref.epoll(to_fd)
   add(libraries, "C", from, to, function(n) cref.pingpong_epoll(from_fd, to_fd, n, noise, SIZE, epoll) end)
end

local function add_poller(libraries)
   local from, to = lib.connection()
   local poller = assert(lsocket.poller())
   assert(poller:add(to, "r"))
   local readable, writable = {}, {}
   add(libraries, "lsocket", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         poller:wait(5, readable, writable)
         readable[1]:recv(SIZE)
      end
   end)
end

-- Runs in a coroutine of its own, which yields to the controller at each poll.
local function add_cqueues(libraries)
   local from, to = lib.connection()
   local a, b = cqueues_ends(from, to)
   local input = { pollfd = b:pollfd(), events = "r" }
   local controller = cqueues.new()
   add(libraries, "cqueues", from, to, function(n)
      controller:wrap(function()
         for i = 1, n do
            a:send(messages[i % COUNT + 1], 1, SIZE)
            cqueues.poll(input)
            b:recv(SIZE)
         end
      end)
      assert(controller:loop())
   end, function() b:recv(-65536) end)
end

local function add_luv(libraries)
   local from, to = lib.connection()
   local a, b = luv.new_tcp(), luv.new_tcp()
   assert(a:open(cref.dup(from:getfd())))
   assert(b:open(cref.dup(to:getfd())))
   local arrived = 0
   b:read_start(function(_, data) arrived = arrived + #data end)
   add(libraries, "luv", from, to, function(n)
      for i = 1, n do
         a:try_write(messages[i % COUNT + 1])
         while arrived < i * SIZE do luv.run "once" end
      end
      arrived = 0
   end)
end

local function polling()
   local libraries = {}
   add_c(libraries)
   add_poller(libraries)
   if cqueues then add_cqueues(libraries) end
   if luv then add_luv(libraries) end
   measure("poller then recv", libraries)
end

if lib.interpreter == "lua5.4" then
   lib.remark("pingpong: luv reads in callbacks alone, so it stands with the pollers; cqueues waits by yielding to its " ..
      "controller. LuaSocket and luaposix have no poller")
end
without_waiting()
selecting()
polling()
