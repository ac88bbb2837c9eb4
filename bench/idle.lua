-- A message of 64 bytes through one TCP connection, while more and more idle sockets are waited for along with it.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"
local tcp = require "bench.tcp"

-- Each library runs in a process of its own, together with a C of the same process and minutes: the collector has to
-- look at all that a library keeps for its sockets, again and again, and the others would pay for it.
local groups = { "lsocket", "lsocket loop", "lsocket loop, ring", "LuaSocket", "luaposix", "cqueues", "luv" }
local this = arg[2]
if not this then
   local lists = { { { name = "lsocket", variables = "" } }, lib.loops "idle", {} }
   for i = 4, #groups do table.insert(lists[3], { name = groups[i], variables = "" }) end
   lib.run_each("", lists[1], lists[2], lists[3])
end

local messages, SIZE, COUNT = tcp.messages, tcp.SIZE, tcp.COUNT

-- What is measured: { most = sockets that it can wait for, loop = what lib.alternate takes, add(idle socket) }
local contenders = {}

-- Adds one: prepare(list, ...) puts its loop into a list and answers a set, into which add(set, socket) puts a socket.
local function contend(most, add, prepare, ...)
   local into = {}
   local set = prepare(into, ...)
   table.insert(contenders, { most = most, loop = into[1], add = function(sock) add(set, sock) end })
   return contenders[#contenders]
end

local function add_to_poller(poller, sock) assert(poller:add(sock, "r")) end

-- ---- sets that remember, and asking about all each time ----

contend(math.huge, function(epoll, sock) cref.epoll_add(epoll, sock:getfd()) end, tcp.add_epoll)

local start = {}

function start.lsocket()
   contend(math.huge, function(epoll, sock) cref.epoll_add(epoll, sock:getfd()) end, tcp.add_bare_epoll)
   contend(math.huge, add_to_poller, tcp.add_poller)
   contend(10000, table.insert, function(into)
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
end

-- A task waits for each socket. The connection is waited for before each message is received, as it is here already.
start["lsocket loop"] = function(loop)
   local wait, spawn = loop.wait, loop.spawn
   contend(math.huge, function(_, sock) spawn(wait, sock, "r") end, function(into)
      local from, to = lib.connection()
      tcp.add(into, this, from, to, function(n)
         for i = 1, n do
            from:send(messages[i % COUNT + 1])
            wait(to, "r")
            to:recv(SIZE)
         end
      end)
   end)
end
start["lsocket loop, ring"] = start["lsocket loop"]

function start.cqueues(cqueues)
   contend(math.huge, function(controller, sock)
      local input = { pollfd = sock:getfd(), events = "r" }
      controller:wrap(function() cqueues.poll(input) end)
   end, tcp.add_cqueues, cqueues)
end

function start.luv(luv)
   contend(math.huge, function(_, sock) assert(luv.new_poll(sock:getfd())):start("r", function() end) end,
      tcp.add_luv, luv)
end

-- Shares our descriptor, as there are none to spare below 1024; so it must not be collected, which would close it.
local borrowers = {}
local function as_luasocket(luasocket, sock)
   local its = luasocket.udp4()
   cref.close(its:getfd())
   its:setfd(sock:getfd())
   table.insert(borrowers, its)
   return its
end

function start.LuaSocket(luasocket) -- no descriptor from 1024 on
   contend(1000, function(reads, sock) table.insert(reads, as_luasocket(luasocket, sock)) end, function(into)
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

function start.luaposix(luaposix)
   local poll = require "posix.poll".poll
   contend(10000, function(fds, sock) fds[sock:getfd()] = { events = { IN = true } } end, function(into)
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

local modules = { lsocket = "lsocket", ["lsocket loop"] = "lsocket.loop", ["lsocket loop, ring"] = "lsocket.loop",
   LuaSocket = "socket", luaposix = "posix.sys.socket", cqueues = "cqueues", luv = "luv" }
local module = lib.peer("idle", this, modules[this])
if not module then os.exit(0) end
start[this](module)

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
local small
if this == "lsocket" then
   small = contend(10, add_to_poller, tcp.add_poller, "lsocket, 10 sockets")
   table.remove(contenders)
end

-- The rounds of a process have numbers of their own, as only those of the same process are compared.
local after = 0
for i, group in ipairs(groups) do if group == this then after = 1000 * i end end

local function measure(count, is_last)
   local loops = {}
   while #idle + 1 < count do
      local sock = open_idle()
      for _, one in ipairs(contenders) do if #idle < one.most then one.add(sock) end end
      if small and #idle < small.most then small.add(sock) end
   end
   for _, one in ipairs(contenders) do if count <= one.most then table.insert(loops, one.loop) end end
   if small and is_last then table.insert(loops, small.loop) end
   if #loops < 2 then return end
   lib.alternate{ workload = "idle", cases = { count .. " sockets" }, libraries = loops, rounds = 40,
      after = after, extra = "group=" .. this:gsub("%W", "") }
end

local most = math.min(100000, limit() - 100)
local counts = { 10, 100, 1000, 10000 }
if lib.quick then counts, most = { 10, 1000 }, 1000 end
if most > counts[#counts] then table.insert(counts, most) end
if this == "lsocket" and lib.interpreter == "lua5.4" then
   if most < 100000 then
      lib.remark("idle: a process may have %d descriptors here, so 100,000 sockets were not to be had", limit())
   end
   lib.remark "idle: LuaSocket's select takes no descriptor from 1024 on"
   lib.remark "idle: lsocket's select and luaposix's poll were asked about up to 10,000 sockets"
end
local function measure_all()
   for i, count in ipairs(counts) do
      if count <= most then measure(count, i == #counts) end
   end
   os.exit(0) -- without closing what LuaSocket shares twice, and an end for each task
end
if this:match "loop" then module.run(measure_all) else measure_all() end
