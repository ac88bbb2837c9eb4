-- A message of 64 bytes through one TCP connection, while more and more idle sockets are waited for along with it.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"
local tcp = require "bench.tcp"

local luasocket = lib.peer("idle", "LuaSocket", "socket")
local luaposix = lib.peer("idle", "luaposix", "posix.sys.socket")
local cqueues = lib.peer("idle", "cqueues", "cqueues")
local luv = lib.peer("idle", "luv", "luv")

local messages, SIZE, COUNT = tcp.messages, tcp.SIZE, tcp.COUNT

-- Each library: { most = sockets that it can wait for, loop = what lib.alternate takes, add(idle socket) }
local libraries = {}
local function library(most, add, adder, ...)
   local into = {}
   local set = adder(into, ...)
   table.insert(libraries, { most = most, loop = into[1], add = function(sock) add(set, sock) end })
end

-- ---- sets that remember ----

local function add_nothing() end
local function add_to_poller(poller, sock) assert(poller:add(sock, "r")) end

library(math.huge, function(epoll, sock) cref.epoll_add(epoll, sock:getfd()) end, tcp.add_epoll)
library(math.huge, add_to_poller, tcp.add_poller)
if cqueues then
   library(math.huge, function(controller, sock)
      local input = { pollfd = sock:getfd(), events = "r" }
      controller:wrap(function() cqueues.poll(input) end)
   end, tcp.add_cqueues, cqueues)
end
if luv then
   library(math.huge, function(_, sock) luv.new_poll(sock:getfd()):start("r", function() end) end, tcp.add_luv, luv)
end

-- ---- asking about all, each time ----

library(10000, function(reads, sock) table.insert(reads, sock) end, function(into)
   local from, to = lib.connection()
   local reads = { to }
   tcp.add(into, "lsocket select", from, to, function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         lsocket.select(reads, 5)[1]:recv(SIZE)
      end
   end)
   return reads
end)

local function as_luasocket(sock)
   local its = luasocket.udp4()
   cref.close(its:getfd())
   its:setfd(sock:getfd())
   return its
end

if luasocket then -- no descriptor from 1024 on
   library(900, function(reads, sock) table.insert(reads, as_luasocket(sock)) end, function(into)
      local from, to = lib.connection()
      local a, b = tcp.luasocket_ends(luasocket, from, to)
      local reads = { b }
      tcp.add(into, "LuaSocket", from, to, function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1])
            luasocket.select(reads, nil, 5)[1]:receive(SIZE)
         end
      end, function() b:receive "*a" end)
      return reads
   end)
end

if luaposix then
   local poll = require "posix.poll".poll
   library(10000, function(fds, sock) fds[sock:getfd()] = { events = { IN = true } } end, function(into)
      local from, to = lib.connection()
      local from_fd, to_fd = from:getfd(), to:getfd()
      local fds = { [to_fd] = { events = { IN = true } } }
      tcp.add(into, "luaposix", from, to, function(n)
         for i = 1, n do
            luaposix.send(from_fd, messages[i % COUNT + 1])
            poll(fds, 5000)
            if fds[to_fd].revents.IN then luaposix.recv(to_fd, SIZE) end
         end
      end)
      return fds
   end)
end

-- ---- more and more ----

-- A socket that nothing comes to. An address has ports for some 28,000.
local idle = {}
local function open_idle()
   local sock = assert(lsocket.bind("udp", "127.0.0." .. 1 + math.floor(#idle / 20000), 0))
   table.insert(idle, sock)
   return sock
end

local function limit()
   local pipe = io.popen "ulimit -n"
   local number = tonumber(pipe:read "*l") or math.huge
   pipe:close()
   return number
end

-- What the poller costs with 10 sockets, measured once more in the last case, next to what it costs with all.
library(10, add_to_poller, tcp.add_poller, "lsocket, 10 sockets")
local small = table.remove(libraries)

local function measure(count, is_last)
   local loops = {}
   while #idle + 1 < count do
      local sock = open_idle()
      for _, one in ipairs(libraries) do if #idle < one.most then one.add(sock) end end
      if #idle < 10 then small.add(sock) end
   end
   for _, one in ipairs(libraries) do if count <= one.most then table.insert(loops, one.loop) end end
   if is_last then table.insert(loops, small.loop) end
   lib.alternate{ workload = "idle", cases = { count .. " sockets" }, libraries = loops, rounds = 40 }
end

-- Only select itself: the socket stays readable.
local function measure_select(count)
   local from, to = lib.connection()
   from:send "x"
   assert(lsocket.select({ to }, 5))
   local reads, fds, theirs = { to }, { to:getfd() }, luasocket and { as_luasocket(to) }
   for i = 1, count - 1 do
      reads[i + 1] = idle[i]
      fds[i + 1] = idle[i]:getfd()
      if theirs then theirs[i + 1] = as_luasocket(idle[i]) end
   end
   local loops = {}
   local function add(name, loop)
      table.insert(loops, { name = name, run = function(n, watch)
         watch:start()
         loop(n)
         watch:stop(n)
      end })
   end
   add("C", function(n) assert(cref.select(fds, n, count) == n) end)
   add("lsocket", function(n) for _ = 1, n do lsocket.select(reads, 5) end end)
   if theirs then add("LuaSocket", function(n) for _ = 1, n do luasocket.select(theirs, nil, 5) end end) end
   lib.alternate{ workload = "select", cases = { count .. " sockets" }, libraries = loops }
end

local most = math.min(100000, limit() - 100)
local counts = { 10, 100, 900, 1000, 10000 }
if lib.quick then counts, most = { 10, 900 }, 1000 end
if most > counts[#counts] then table.insert(counts, most) end
if most < 100000 and lib.interpreter == "lua5.4" then
   lib.remark("idle: this machine lets a process have %d descriptors, so 100,000 sockets were not to be had", limit())
   if luasocket then lib.remark "idle: LuaSocket's select takes no descriptor from 1024 on" end
end
for i, count in ipairs(counts) do
   if count <= most then
      measure(count, i == #counts)
      if count == 900 then measure_select(count) end
   end
end
os.exit(0) -- LuaSocket's objects share our descriptors: nothing is to be closed twice
