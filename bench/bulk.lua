-- TCP within one process, 64 KiB a call: the buffers of a connection are filled, then drained, again and again.
local lib = require "bench.lib"
local cref = require "cref"
local tcp = require "bench.tcp"

local luasocket = lib.peer("bulk", "LuaSocket", "socket")
local luaposix = lib.peer("bulk", "luaposix", "posix.sys.socket")
local cqueues = lib.peer("bulk", "cqueues", "cqueues")
local luv = lib.peer("bulk", "luv", "luv")

local PIECE, COUNT = 65536, 32
local TOTAL = PIECE * COUNT
local message = lib.noise(PIECE)

local function roomy_connection()
   local from, to = lib.connection()
   cref.roomy(from:getfd(), 4 * TOTAL)
   cref.roomy(to:getfd(), 4 * TOTAL)
   return from, to
end

-- Some bytes more wait than were sent, another number each time, so that no string that arrives was there before.
local shift = 0
local function steps(name, from, to, fill, drain)
   return { name = name, run = function(n, sending, receiving)
      for _ = 1, n do
         shift = shift % 4000 + 1
         cref.prime(from:getfd(), to:getfd(), shift)
         sending:start()
         fill()
         sending:stop(TOTAL)
         receiving:start()
         drain()
         receiving:stop(TOTAL)
      end
   end }
end

local from, to = roomy_connection()
local from_fd, to_fd = from:getfd(), to:getfd()

local function c()
   return steps("C", from, to, function() cref.fill(from_fd, message, COUNT) end,
      function() cref.drain(to_fd, TOTAL) end)
end

local function bare()
   return steps("bare binding", from, to, function()
      for _ = 1, COUNT do assert(cref.send(from_fd, message) == PIECE) end
   end, function()
      local left = TOTAL
      while left > 0 do left = left - #cref.recv(to_fd, PIECE) end
   end)
end

local function ours()
   return steps("lsocket", from, to, function()
      for _ = 1, COUNT do assert(from:send(message) == PIECE) end
   end, function()
      local left = TOTAL
      while left > 0 do
         local data = to:recv(PIECE)
         if data then left = left - #data end
      end
   end)
end

local function luasockets()
   local a, b = tcp.luasocket_ends(luasocket, from, to)
   return steps("LuaSocket", from, to, function()
      for _ = 1, COUNT do assert(a:send(message) == PIECE) end
   end, function()
      local left = TOTAL
      while left > 0 do
         local data, _, part = b:receive(PIECE)
         left = left - #(data or part)
      end
   end)
end

local function luaposixes()
   return steps("luaposix", from, to, function()
      for _ = 1, COUNT do assert(luaposix.send(from_fd, message) == PIECE) end
   end, function()
      local left = TOTAL
      while left > 0 do
         local data = luaposix.recv(to_fd, PIECE)
         if data then left = left - #data end
      end
   end)
end

local function cqueueses()
   local a, b = tcp.cqueues_ends(from, to)
   return steps("cqueues", from, to, function()
      for _ = 1, COUNT do assert(a:send(message, 1, PIECE) == PIECE) end
   end, function()
      local left = TOTAL
      while left > 0 do
         local data = b:recv(-PIECE)
         if data then left = left - #data end
      end
   end)
end

local function luvs()
   local its_from, its_to = roomy_connection()
   local a, b = luv.new_tcp(), luv.new_tcp()
   assert(a:open(cref.dup(its_from:getfd())))
   assert(b:open(cref.dup(its_to:getfd())))
   local left = 0
   b:read_start(function(_, data) left = left - #data end)
   return steps("luv", its_from, its_to, function()
      for _ = 1, COUNT do assert(a:try_write(message) == PIECE) end
   end, function()
      left = TOTAL
      while left > 0 do luv.run "nowait" end
   end)
end

local libraries = { c(), bare(), ours() }
if luasocket then table.insert(libraries, luasockets()) end
if luaposix then table.insert(libraries, luaposixes()) end
if cqueues then table.insert(libraries, cqueueses()) end
if luv then table.insert(libraries, luvs()) end
-- The same count for all: the first time in a round finds other caches than the next ones.
lib.alternate{ workload = "bulk", cases = { "send 64 KiB", "recv 64 KiB" }, libraries = libraries, count = 4,
   extra = "unit=B" }
