-- 64 bytes through a TCP connection, sent and received by the same process.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"
local tcp = require "bench.tcp"

local luasocket = lib.peer("pingpong", "LuaSocket", "socket")
local luaposix = lib.peer("pingpong", "luaposix", "posix.sys.socket")
local cqueues = lib.peer("pingpong", "cqueues", "cqueues")
local luv = lib.peer("pingpong", "luv", "luv")

local add, messages, noise, SIZE, COUNT = tcp.add, tcp.messages, tcp.noise, tcp.SIZE, tcp.COUNT

local function measure(case, libraries)
   lib.alternate{ workload = "pingpong", cases = { case }, libraries = libraries }
end

-- ---- receiving first: the message is there ----

local function without_waiting()
   local libraries = {}
   local from, to = lib.connection()
   local from_fd, to_fd = from:getfd(), to:getfd()
   add(libraries, "C", from, to, function(n) cref.pingpong(from_fd, to_fd, n, noise, SIZE) end)
   add(libraries, "bare binding", from, to, function(n)
      for i = 1, n do
         cref.send(from_fd, messages[i % COUNT + 1])
         cref.recv(to_fd, SIZE)
      end
   end)
   add(libraries, "lsocket", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         to:recv(SIZE)
      end
   end)
   if luasocket then
      local a, b = tcp.luasocket_ends(luasocket, from, to)
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
      local a, b = tcp.cqueues_ends(from, to)
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
      local a, b = tcp.luasocket_ends(luasocket, from, to)
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

-- ---- with a poller or an event loop ----

local function polling()
   local libraries = {}
   tcp.add_epoll(libraries)
   tcp.add_bare_epoll(libraries)
   tcp.add_poller(libraries)
   if cqueues then tcp.add_cqueues(libraries, cqueues) end
   if luv then tcp.add_luv(libraries, luv) end
   measure("poller then recv", libraries)
end

if lib.interpreter == "lua5.4" then
   lib.remark "pingpong: luv reads in callbacks alone, cqueues waits by yielding to its controller: they are pollers"
   lib.remark "pingpong: LuaSocket and luaposix have no poller"
end
without_waiting()
selecting()
polling()
