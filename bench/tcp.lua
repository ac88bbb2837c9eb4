-- Connections for the workloads that measure TCP: the ends of one as each library sees them, and the loops that
-- exchange messages of 64 bytes through a poller or an event loop.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local tcp = {}

local SIZE, COUNT = 64, 1024
tcp.SIZE, tcp.COUNT = SIZE, COUNT
local noise = lib.noise(SIZE * COUNT)
local messages = {}
tcp.noise, tcp.messages = noise, messages
for i = 1, COUNT do messages[i] = noise:sub(SIZE * (i - 1) + 1, SIZE * i) end

-- Another number of bytes waits before each loop (see cref.prime), so that no string that arrives was there before.
local shift = 0
local function prime(from, to)
   shift = shift % (SIZE - 1) + 1
   cref.prime(from:getfd(), to:getfd(), shift)
end

-- Adds a library to a list: loop(n) exchanges n messages. It is written out for each, as a function in between would
-- cost as much as some of what is measured. ready() empties the library's own buffer.
function tcp.add(libraries, name, from, to, loop, ready)
   table.insert(libraries, { name = name, run = function(n, watch)
      if ready then ready() end
      prime(from, to)
      watch:start()
      loop(n)
      watch:stop(n)
   end })
end

-- A LuaSocket object for each end of a connection of ours.
function tcp.luasocket_ends(luasocket, from, to)
   local ends = {}
   for i, fd in ipairs{ from:getfd(), to:getfd() } do
      local listener = assert(luasocket.bind("127.0.0.1", 0))
      local address, port = listener:getsockname()
      ends[i] = assert(luasocket.connect(address, port))
      listener:close()
      cref.close(ends[i]:getfd())
      ends[i]:setfd(cref.dup(fd))
      ends[i]:settimeout(0)
   end
   return ends[1], ends[2]
end

function tcp.cqueues_ends(from, to)
   local cqsocket = require "cqueues.socket"
   local function adopt(sock)
      local adopted = assert(cqsocket.fdopen(cref.dup(sock:getfd())))
      adopted:setmode("bn", "bn")
      return adopted
   end
   return adopt(from), adopt(to)
end

-- ---- with a poller or an event loop ----
-- Each has a connection of its own, as every set that knows a socket slows it down; and answers what more can be
-- registered with.

function tcp.add_epoll(libraries)
   local from, to = lib.connection()
   local from_fd, to_fd = from:getfd(), to:getfd()
   local epoll = cref.epoll()
   cref.epoll_add(epoll, to_fd)
   tcp.add(libraries, "C", from, to, function(n) cref.pingpong_epoll(from_fd, to_fd, n, noise, SIZE, epoll) end)
   return epoll
end

-- The least that a library for Lua can do with one.
function tcp.add_bare_epoll(libraries)
   local from, to = lib.connection()
   local from_fd, epoll = from:getfd(), cref.epoll()
   cref.epoll_add(epoll, to:getfd())
   tcp.add(libraries, "bare binding", from, to, function(n)
      for i = 1, n do
         cref.send(from_fd, messages[i % COUNT + 1])
         cref.recv(cref.wait(epoll), SIZE)
      end
   end)
   return epoll
end

function tcp.add_poller(libraries, name)
   local from, to = lib.connection()
   local poller = assert(lsocket.poller())
   assert(poller:add(to, "r"))
   local readable, writable = {}, {}
   tcp.add(libraries, name or "lsocket", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         poller:wait(5, readable, writable)
         readable[1]:recv(SIZE)
      end
   end)
   return poller
end

-- Runs in a coroutine of its own, which yields to the controller at each poll.
function tcp.add_cqueues(libraries, cqueues)
   local from, to = lib.connection()
   local a, b = tcp.cqueues_ends(from, to)
   local input = { pollfd = b:pollfd(), events = "r" }
   local controller = cqueues.new()
   tcp.add(libraries, "cqueues", from, to, function(n)
      local done = false
      controller:wrap(function()
         for i = 1, n do
            a:send(messages[i % COUNT + 1], 1, SIZE)
            cqueues.poll(input)
            b:recv(SIZE)
         end
         done = true
      end)
      repeat assert(controller:step()) until done
   end, function() b:recv(-65536) end)
   return controller
end

function tcp.add_luv(libraries, luv)
   local from, to = lib.connection()
   local a, b = luv.new_tcp(), luv.new_tcp()
   assert(a:open(cref.dup(from:getfd())))
   assert(b:open(cref.dup(to:getfd())))
   local arrived = 0
   b:read_start(function(_, data) arrived = arrived + #data end)
   tcp.add(libraries, "luv", from, to, function(n)
      for i = 1, n do
         a:try_write(messages[i % COUNT + 1])
         while arrived < i * SIZE do luv.run "once" end
      end
      arrived = 0
   end)
end

return tcp
