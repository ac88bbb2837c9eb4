-- TCP connections within one process, opened, accepted and closed. Connecting and accepting are measured apart: both
-- include closing one's end. The accepting end closes first.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local luasocket = lib.peer("churn", "LuaSocket", "socket")
local luaposix = lib.peer("churn", "luaposix", "posix.sys.socket")

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

local libraries = { c(), ours() }
if luasocket then table.insert(libraries, luasockets()) end
if luaposix then table.insert(libraries, luaposixes()) end
if lib.interpreter == "lua5.4" then
   lib.remark("churn: cqueues and luv connect and accept within their event loops, where the two cannot be told apart")
end
lib.alternate{ workload = "churn", cases = { "accept", "connect" }, libraries = libraries }
