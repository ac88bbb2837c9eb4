-- What a library takes before it does anything: the time of a process that loads it and ends (us, microseconds), the
-- memory that it fills in Lua, and the size of the files that are loaded, stripped: its own and, such as libuv, those
-- of libraries that it brings with it. The modules are those that an echo server needs.
local lib = require "bench.lib"
local cref = require "cref"

local PROCESSES = 10 -- a round

-- Prints bytes of memory, and of files.
local weigh = [[
local strip = "strip -o %s %s 2> /dev/null || cp %s %s"
local function mapped()
   local files = {}
   for line in io.lines "/proc/self/maps" do
      local file = line:match "%S+%.so[%d.]*$"
      if file then files[file] = true end
   end
   return files
end
local function size(path)
   local file = assert(io.open(path, "rb"))
   local bytes = file:seek "end"
   file:close()
   return bytes
end
local function size_stripped(path)
   local copy = os.tmpname()
   os.execute(strip:format(copy, path, path, copy))
   local bytes = size(copy)
   os.remove(copy)
   return bytes
end
local before, had, names = mapped(), {}, { ... }
for name in pairs(package.loaded) do had[name] = true end
collectgarbage() collectgarbage()
local memory = collectgarbage "count"
for i = 1, #names do require(names[i]) end
collectgarbage() collectgarbage()
memory = (collectgarbage "count" - memory) * 1024
local total = 0
for file in pairs(mapped()) do if not before[file] then total = total + size_stripped(file) end end
for name in pairs(package.loaded) do
   local path = not had[name] and package.searchpath(name, package.path)
   if path then total = total + size(path) end
end
print(("%.0f %.0f"):format(memory, total))
]]

local rows = {
   { name = "plain Lua", variables = "", modules = {} },
   { name = "lsocket", variables = "", modules = { "lsocket" } },
   { name = "lsocket loop", variables = "", modules = { "lsocket.loop" } },
}
local function add(found, ...)
   for _, row in ipairs(found) do
      row.modules = { ... }
      table.insert(rows, row)
   end
end
add(lib.others("require", { "luv" }), "luv")
add(lib.others("require", { "cqueues" }), "cqueues", "cqueues.socket")
if lib.peer("require", "LuaSocket", "socket") then
   add({ { name = "LuaSocket", variables = "" } }, "socket")
   add(lib.copases(), "copas", "socket")
end

local script = os.tmpname()
local file = assert(io.open(script, "w"))
file:write(weigh)
file:close()
for _, row in ipairs(rows) do
   local pipe = io.popen(("%s %s %s %s"):format(row.variables, arg[-1], script, table.concat(row.modules, " ")))
   row.extra = ("memory=%s files=%s"):format(pipe:read("*n", "*n"))
   pipe:close()
end
os.remove(script)

for round = 1, lib.rounds(20) do
   for _, row in ipairs(lib.shuffled(rows)) do
      local load = {}
      for i, name in ipairs(row.modules) do load[i] = ('require "%s"'):format(name) end
      local command = ("%s %s -e '%s'"):format(row.variables, arg[-1], table.concat(load, " "))
      local start = cref.clock()
      for _ = 1, PROCESSES do os.execute(command) end
      lib.emit("require", "in a new process", row.name, round, PROCESSES, 0, 0,
         ("%s us=%.0f"):format(row.extra, (cref.clock() - start) / PROCESSES * 1e6))
   end
end
