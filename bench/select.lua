-- One call that asks about 900 sockets, one of which is ready and stays so.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local luasocket = lib.peer("select", "LuaSocket", "socket")
local luaposix = lib.peer("select", "luaposix", "posix.poll")

local COUNT = 900
local libraries = {}
local function add(name, loop)
   table.insert(libraries, { name = name, run = function(n, watch)
      watch:start()
      loop(n)
      watch:stop(n)
   end })
end

local from, to = lib.connection()
assert(from:send "x")
assert(lsocket.select({ to }, 5))
local reads, fds = { to }, { to:getfd() }
for i = 2, COUNT do
   reads[i] = assert(lsocket.bind("udp", "127.0.0.1", 0))
   fds[i] = reads[i]:getfd()
end

add("C", function(n) assert(cref.select(fds, n, COUNT) == n) end)
add("lsocket", function(n) for _ = 1, n do lsocket.select(reads, 5) end end)
if luasocket then -- takes anything with a getfd method
   add("LuaSocket", function(n) for _ = 1, n do luasocket.select(reads, nil, 5) end end)
end
if luaposix then
   local asked = {}
   for _, fd in ipairs(fds) do asked[fd] = { events = { IN = true } } end
   add("luaposix", function(n) for _ = 1, n do luaposix.poll(asked, 5000) end end)
end
lib.alternate{ workload = "select", cases = { COUNT .. " sockets" }, libraries = libraries }
