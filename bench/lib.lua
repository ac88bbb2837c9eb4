-- What the workloads share: measuring loops in alternation, and printing samples for bench/report.lua. A sample is a
-- line: workload, case, interpreter, library, round, operations, wall seconds, processor seconds, extra; extra is
-- "name=number ..." or empty, where "unit" names the operation, and "group" the process, if each library has one with a
-- C of its own. A line that begins with "#" is a remark for the report.
local cref = require "cref"
local lsocket = require "lsocket"

local lib = {}

lib.quick = arg[1] == "quick"
lib.interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d+%.%d+"

-- What is measured first, and what is sent, is left to chance, but can be had once more: SEED, which the report tells.
math.randomseed(tonumber(os.getenv "SEED") or os.time())

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

-- ---- libraries with a process each ----

-- Each of the libraries below is { name =, variables = }: those that its process gets, as a shell writes them.

local function output(command)
   local lines, pipe = {}, io.popen(command)
   for line in pipe:lines() do table.insert(lines, line) end
   pipe:close()
   return lines
end

-- The loop on each of its engines.
function lib.loops(workload, name)
   local engines = output("bench/engines " .. arg[-1])
   local loops = { { name = name or "lsocket loop", variables = "LSOCKET_ENGINE=poller" } }
   if engines[2] then
      table.insert(loops, { name = loops[1].name .. ", ring", variables = "LSOCKET_ENGINE=ring" })
   else
      lib.remark("%s: the loop has no ring with %s, so its rows are left out", workload, lib.interpreter)
   end
   return loops
end

-- The versions of copas that there are, from that major version on.
function lib.copases(least)
   local found = {}
   for _, line in ipairs(output("bench/copas " .. arg[-1])) do
      local version, path = line:match "^copas%-(%S+) (.*)"
      if tonumber(version:match "^%d+") >= (least or 1) then
         table.insert(found, { name = "copas " .. version,
            variables = ("LUA_PATH='%s;%s'"):format(path, os.getenv "LUA_PATH" or ";") })
      end
   end
   return found
end

-- Another library, if it is there.
function lib.others(workload, names)
   local found = {}
   for _, name in ipairs(names) do
      if lib.peer(workload, name, name:match "^%a+") then table.insert(found, { name = name, variables = "" }) end
   end
   return found
end

-- Runs this file once more for each library of some lists, with its name as second argument, and ends. Before the
-- command stands prefix.
function lib.run_each(prefix, ...)
   local failed = false
   for _, list in ipairs { ... } do
      for _, one in ipairs(list) do
         local status = os.execute(("%s %s %s %s %s '%s'"):format(one.variables, prefix, arg[-1], arg[0],
            lib.quick and "quick" or "full", one.name))
         failed = failed or (status ~= true and status ~= 0)
      end
   end
   os.exit(failed and 1 or 0)
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

-- An array with the same values in any order.
function lib.shuffled(array)
   local values = {}
   for i, value in ipairs(array) do table.insert(values, math.random(i), value) end
   return values
end

-- A string of random bytes.
function lib.noise(size)
   local bytes = {}
   for i = 1, size do bytes[i] = string.char(math.random(0, 255)) end
   return table.concat(bytes)
end

-- Bytes of memory that this process has for itself, without garbage.
function lib.resident()
   collectgarbage()
   collectgarbage()
   for line in io.lines "/proc/self/status" do
      local kilobytes = line:match "^RssAnon:%s*(%d+)"
      if kilobytes then return kilobytes * 1024 end
   end
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
function lib.alternate(of)
   local libraries, rounds = of.libraries, lib.rounds(of.rounds or 60)
   local counts, numbers = {}, {}
   for i, library in ipairs(libraries) do
      numbers[i] = i
      counts[i] = of.count or calibrate(library, of.cases, lib.quick and 0.003 or 0.01)
   end
   for round = 1, rounds do
      local measured = {}
      for _, k in ipairs(lib.shuffled(numbers)) do measured[k] = run(libraries[k], counts[k], of.cases) end
      for k, watches in ipairs(measured) do
         for i, watch in ipairs(watches) do
            lib.emit(of.workload, of.cases[i], libraries[k].name, (of.after or 0) + round, watch.operations, watch.wall,
               watch.cpu, of.extra)
         end
      end
   end
end

return lib
