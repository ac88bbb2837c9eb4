-- Lines of 80 bytes over TCP within one process: the buffers of a connection are filled, then read line by line.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"
local tcp = require "bench.tcp"

local luasocket = lib.peer("buffer", "LuaSocket", "socket")
local cqueues = lib.peer("buffer", "cqueues", "cqueues")

local LINE, LINES, PIECES = 80, 800, 8
local SIZE = LINE * LINES
local from, to = lib.connection()
cref.roomy(from:getfd(), 4 * SIZE * PIECES)
cref.roomy(to:getfd(), 4 * SIZE * PIECES)

-- Pieces of a stream, whose lines are all different.
local pieces, noise = {}, lib.noise(SIZE):gsub("[\r\n]", " ")
for i = 1, PIECES do
   local turned = noise:sub(i) .. noise:sub(1, i - 1)
   local lines = {}
   for k = 1, LINES do lines[k] = turned:sub(LINE * (k - 1) + 1, LINE * k - 1) end
   pieces[i] = table.concat(lines, "\n") .. "\n"
end

-- loop reads so many lines. Each time it is another piece that comes first.
local libraries, first = {}, 0
local function add(name, loop)
   table.insert(libraries, { name = name, run = function(n, watch)
      for _ = 1, n do
         first = first % PIECES + 1
         for i = 1, PIECES do assert(from:send(pieces[(first + i) % PIECES + 1]) == SIZE) end
         watch:start()
         loop(LINES * PIECES)
         watch:stop(LINES * PIECES)
      end
   end })
end

add("C", function(count) cref.lines(to:getfd(), count) end)

add("bare binding", function(count)
   repeat
      cref.pour(to:getfd())
      for _ in cref.line do count = count - 1 end
   until count == 0
end)

local buffer = lsocket.buffer()
add("lsocket", function(count)
   repeat
      buffer:recv(to)
      while buffer:line() do count = count - 1 end
   until count == 0
end)

add("lsocket lines", function(count)
   repeat
      buffer:recv(to)
      for _ in buffer:lines() do count = count - 1 end
   until count == 0
end)

-- On a busy machine some of the data may arrive a little later.
if luasocket then
   local _, b = tcp.luasocket_ends(luasocket, from, to)
   b:settimeout(5)
   add("LuaSocket", function(count)
      for _ = 1, count do assert(b:receive "*l") end
   end)
end

if cqueues then
   local _, b = tcp.cqueues_ends(from, to)
   add("cqueues", function(count)
      repeat
         if b:recv "*l" then count = count - 1 else lsocket.select({ to }, 5) end
      until count == 0
   end)
end

lib.alternate{ workload = "buffer", cases = { "lines of 80 bytes" }, libraries = libraries, count = 2 }
