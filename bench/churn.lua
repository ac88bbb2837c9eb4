-- TCP connections within one process, opened, accepted and closed. Connecting and accepting are measured apart, where
-- they can be, and both as one: each includes closing one's end. The accepting end closes first. The loop runs in a
-- process of its own for each engine, beside C there.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local luasocket = lib.peer("churn", "LuaSocket", "socket")
local luaposix = lib.peer("churn", "luaposix", "posix.sys.socket")
local cqueues = lib.peer("churn", "cqueues", "cqueues")
local luv = lib.peer("churn", "luv", "luv")

local BATCH = 64
local listener = assert(lsocket.bind("127.0.0.1", 0, 2 * BATCH))
local port = listener:info "socket".port

-- A library's three steps, for BATCH connections each: connect() -> connections, accept(), close(connections).
local function steps(name, connect, accept, close)
   return { name = name, run = function(n, accepting, connecting)
      for _ = 1, n do
         connecting:start()
         local connections = connect()
         connecting:stop(0)
         accepting:start()
         accept()
         accepting:stop(BATCH)
         connecting:start()
         close(connections)
         connecting:stop(BATCH)
      end
   end }
end

local unpack = table.unpack or unpack -- luacheck: ignore

local function c()
   local fd = listener:getfd()
   return steps("C", function() return { cref.connect(port, BATCH) } end, function() cref.accept(fd, BATCH) end,
      function(connections) cref.close_all(unpack(connections)) end)
end

-- The methods have the same names in both libraries.
local function accept_from(server)
   return function()
      for _ = 1, BATCH do
         local sock
         repeat sock = server:accept() until sock
         sock:close()
      end
   end
end

local function close_all(connections)
   for i = 1, BATCH do connections[i]:close() end
end

local function ours()
   return steps("lsocket", function()
      local connections = {}
      for i = 1, BATCH do connections[i] = lsocket.connect("127.0.0.1", port) end
      return connections
   end, accept_from(listener), close_all)
end

local function luasockets()
   local server = assert(luasocket.bind("127.0.0.1", 0, 2 * BATCH))
   local _, its_port = server:getsockname()
   server:settimeout(0)
   return steps("LuaSocket", function()
      local connections = {}
      for i = 1, BATCH do
         local sock = luasocket.tcp4()
         sock:settimeout(0)
         sock:connect("127.0.0.1", its_port)
         connections[i] = sock
      end
      return connections
   end, accept_from(server), close_all)
end

local function luaposixes()
   local close = require "posix.unistd".close
   local family, kind, fd = luaposix.AF_INET, luaposix.SOCK_STREAM, listener:getfd()
   return steps("luaposix", function()
      local connections = {}
      for i = 1, BATCH do
         local sock = luaposix.socket(family, kind, 0)
         luaposix.connect(sock, { family = family, addr = "127.0.0.1", port = port })
         connections[i] = sock
      end
      return connections
   end, function()
      for _ = 1, BATCH do
         local sock
         repeat sock = luaposix.accept(fd) until sock
         close(sock)
      end
   end, function(connections)
      for i = 1, BATCH do close(connections[i]) end
   end)
end

-- ---- both as one, also with those that connect and accept within their event loops ----

-- all() makes, accepts and closes BATCH connections.
local function at_once(name, all)
   return { name = name, run = function(n, watch)
      watch:start()
      for _ = 1, n do all() end
      watch:stop(n * BATCH)
   end }
end

local function nothing() end

-- A library whose steps are known, without stopping between them.
local function joined(library)
   local ignored = { start = nothing, stop = nothing }
   return at_once(library.name, function() library.run(1, ignored, ignored) end)
end

local function cqueueses()
   local cqsocket = require "cqueues.socket"
   local server = assert(cqsocket.listen { host = "127.0.0.1", port = 0, backlog = 2 * BATCH })
   assert(server:listen())
   local _, _, its_port = server:localname()
   local loop, left = cqueues.new(), 0
   local there = { host = "127.0.0.1", port = its_port }
   local function connect()
      local sock = cqsocket.connect(there)
      assert(sock:connect())
      sock:close()
      left = left - 1
   end
   local function accept()
      for _ = 1, BATCH do server:accept():close() end
      left = left - 1
   end
   return at_once("cqueues", function()
      left = BATCH + 1
      for _ = 1, BATCH do loop:wrap(connect) end
      loop:wrap(accept)
      repeat assert(loop:step()) until left == 0
   end)
end

local function luvs()
   local server, left = luv.new_tcp(), 0
   local function closed() left = left - 1 end
   assert(server:bind("127.0.0.1", 0))
   assert(server:listen(2 * BATCH, function()
      local client = luv.new_tcp()
      server:accept(client)
      client:close(closed)
   end))
   local its_port = server:getsockname().port
   local function connect()
      local client = luv.new_tcp()
      client:connect("127.0.0.1", its_port, function(problem)
         assert(not problem, problem)
         client:close(closed)
      end)
   end
   return at_once("luv", function()
      left = 2 * BATCH
      for _ = 1, BATCH do connect() end
      while left > 0 do luv.run "once" end
   end)
end

local function loops()
   local loop = require "lsocket.loop"
   local server = assert(loop.listen("127.0.0.1", 0, { backlog = 2 * BATCH }))
   local its_port = server:info "socket".port
   local function connect() assert(loop.connect("127.0.0.1", its_port)):close() end
   return at_once(arg[2], function()
      local tasks = {}
      for i = 1, BATCH do tasks[i] = loop.spawn(connect) end
      for _ = 1, BATCH do assert(server:accept()):close() end
      for i = 1, BATCH do tasks[i]:join() end
   end)
end

if arg[2] then
   require "lsocket.loop".run(function()
      lib.alternate{ workload = "churn", cases = { "both, in tasks" }, libraries = { joined(c()), loops() },
         after = arg[2]:match "ring" and 1000 or 0, extra = "group=" .. arg[2]:gsub("%W", "") }
      os.exit(0)
   end)
end

local libraries = { c(), ours() }
if luasocket then table.insert(libraries, luasockets()) end
if luaposix then table.insert(libraries, luaposixes()) end
lib.alternate{ workload = "churn", cases = { "accept", "connect" }, libraries = libraries }

for i, library in ipairs(libraries) do libraries[i] = joined(library) end
if cqueues then table.insert(libraries, cqueueses()) end
if luv then table.insert(libraries, luvs()) end
lib.alternate{ workload = "churn", cases = { "both" }, libraries = libraries }
if lib.interpreter == "lua5.4" then
   lib.remark "churn: cqueues and luv connect and accept within their event loops, so only both as one can be measured"
end
lib.run_each("", lib.loops "churn")
