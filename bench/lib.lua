-- What the workloads share: measuring loops in alternation, and printing samples for bench/report.lua.
-- A sample is a line: workload, case, interpreter, library, round, operations, wall seconds, processor seconds, extra;
-- extra is "name=number ..." or empty. A line that begins with "#" is a remark for the report.
local cref = require "cref"
local lsocket = require "lsocket"

local lib = {}

lib.quick = arg[1] == "quick"
lib.interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d+%.%d+"

-- How often to measure: ROUNDS where it is set.
function lib.rounds(default)
   return tonumber(os.getenv "ROUNDS") or lib.quick and 5 or default
end

function lib.remark(...)
   print("# " .. string.format(...))
   io.flush()
end

function lib.emit(workload, case, library, round, operations, wall, cpu, extra)
   print(table.concat({ workload, case, lib.interpreter, library, round, ("%.0f"):format(operations),
      ("%.9f"):format(wall), ("%.9f"):format(cpu), extra or "" }, "\t"))
   io.flush()
end

-- A module or nil, and then a remark that it is missing. For LuaJIT the one of Lua 5.1.
function lib.peer(workload, name, module)
   local found, value = pcall(require, module)
   if found then return value end
   lib.remark("%s: %s has no %s to compare with", workload, lib.interpreter, name)
end

-- A TCP connection within this process: the sockets of both ends.
function lib.connection()
   local listener = assert(lsocket.bind("127.0.0.1", 0))
   local from = assert(lsocket.connect("127.0.0.1", listener:info "socket".port))
   assert(lsocket.select({ listener }, 5))
   local to = assert(listener:accept())
   assert(lsocket.select(nil, { from }, 5))
   listener:close()
   return from, to
end

-- A string of random bytes.
function lib.noise(size)
   local bytes = {}
   for i = 1, size do bytes[i] = string.char(math.random(0, 255)) end
   return table.concat(bytes)
end

-- ---- stopwatches ----

local Watch = {}
Watch.__index = Watch

function lib.watch()
   return setmetatable({ operations = 0, wall = 0, cpu = 0 }, Watch)
end

function Watch:start()
   self.cpu_start = cref.cpu()
   self.wall_start = cref.clock()
end

-- May be started and stopped several times; what is in between adds up.
function Watch:stop(operations)
   self.wall = self.wall + (cref.clock() - self.wall_start)
   self.cpu = self.cpu + (cref.cpu() - self.cpu_start)
   self.operations = self.operations + operations
end

-- ---- alternation ----

local function run(library, n, cases)
   local watches = {}
   for i = 1, #cases do watches[i] = lib.watch() end
   library.run(n, (table.unpack or unpack)(watches)) -- luacheck: ignore
   return watches
end

-- How many operations a library does in that much processor time: the clock would count other processes, too, and what
-- runs longer is interrupted more often. The first run does not count: it may have much to set up.
local function calibrate(library, cases, seconds)
   local n = 1
   run(library, n, cases)
   while n < 1e7 do
      local spent = 0
      for _, watch in ipairs(run(library, n, cases)) do spent = spent + watch.cpu end
      if spent >= seconds / 2 then return math.max(1, math.floor(n * seconds / spent)) end
      n = n * (spent < seconds / 20 and 8 or 2)
   end
   return n
end

-- The numbers from 1 to n in any order.
local function shuffled(n)
   local numbers = {}
   for i = 1, n do table.insert(numbers, math.random(i), i) end
   return numbers
end

-- Measures libraries one after the other, many times, each some 10 ms, so that neighbours saw the same machine; in
-- another order in each round, as one that always follows the same other finds what that left in the caches. Of
--   workload   its name
--   cases      an array of names
--   libraries  an array of { name =, run = }: run(n, watch...) gets a watch for each case, and does n operations in
--              all between its start() and stop(operations)
--   count      how many operations a library does in a round, if not what 10 ms are enough for
--   rounds     how many, where ROUNDS is not set
--   after      the number of the round before the first: 0 by default
--   extra      for all samples
-- Rounds in which the hypervisor stole time are marked with stolen=ticks, which makes the report drop them.
function lib.alternate(of)
   local libraries, rounds = of.libraries, lib.rounds(of.rounds or 60)
   local counts = {}
   for i, library in ipairs(libraries) do
      counts[i] = of.count or calibrate(library, of.cases, lib.quick and 0.003 or 0.01)
   end
   for round = 1, rounds do
      local measured = {}
      local stolen = cref.stolen()
      for _, k in ipairs(shuffled(#libraries)) do measured[k] = run(libraries[k], counts[k], of.cases) end
      stolen = cref.stolen() - stolen
      local extra = (of.extra or "") .. (stolen > 0 and " stolen=" .. stolen or "")
      for k, watches in ipairs(measured) do
         for i, watch in ipairs(watches) do
            lib.emit(of.workload, of.cases[i], libraries[k].name, (of.after or 0) + round, watch.operations, watch.wall,
               watch.cpu, extra)
         end
      end
   end
end

return lib
