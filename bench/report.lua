-- report.lua SAMPLES FOLDER: writes FOLDER/<date>.md and FOLDER/charts/*.svg from samples, the lines that bench/lib.lua
-- describes.
local goals = require "bench.goals"
local charts = require "bench.charts"
local plot = require "bench.plot"

local samples_path, folder = arg[1], arg[2]

-- ---- reading ----

-- An array that is a set and a dictionary, too: list:at(key) gives what stands under a key, made at first asking.
local List = {}
List.__index = List

local function list(make)
   return setmetatable({ keys = {}, make = make or list }, List)
end

function List:at(key)
   if not self.keys[key] then
      self.keys[key] = self.make()
      self.keys[key].name = key
      table.insert(self, self.keys[key])
   end
   return self.keys[key]
end

function List:get(key)
   return self.keys[key]
end

local function parse(line)
   local fields = {}
   for field in (line .. "\t"):gmatch "([^\t]*)\t" do table.insert(fields, field) end
   assert(#fields >= 8, "no sample: " .. line)
   local workload, case, interpreter, library, round, operations, wall, cpu, extra = table.unpack(fields)
   local sample = { round = tonumber(round), operations = tonumber(operations), wall = tonumber(wall),
      cpu = tonumber(cpu), extra = {} }
   for name, value in (extra or ""):gmatch "(%w+)=(%S+)" do sample.extra[name] = tonumber(value) or value end
   return sample, workload, case, interpreter, library
end

-- workload -> case -> interpreter -> library -> samples; and how many were dropped, as time was stolen in their round.
local function read(path)
   local data, remarks, dropped = list(), {}, {}
   for line in io.lines(path) do
      if line:sub(1, 1) == "#" then
         table.insert(remarks, (line:gsub("^#%s*", "")))
      else
         local sample, workload, case, interpreter, library = parse(line)
         local samples = data:at(workload):at(case):at(interpreter):at(library)
         dropped[workload] = dropped[workload] or { samples = 0, of = 0 }
         dropped[workload].of = dropped[workload].of + 1
         if (sample.extra.stolen or 0) == 0 then table.insert(samples, sample)
         else dropped[workload].samples = dropped[workload].samples + 1 end
      end
   end
   return data, remarks, dropped
end

-- ---- computing ----

local function median(values)
   local sorted = { table.unpack(values) }
   table.sort(sorted)
   local middle = (#sorted + 1) // 2
   if #sorted == 0 then return nil end
   return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

local function map(samples, value)
   local values = {}
   for _, sample in ipairs(samples) do
      local v = value(sample)
      if v then table.insert(values, v) end
   end
   return values
end

local function speed(sample) return sample.wall > 0 and sample.operations / sample.wall or nil end
local function cpu(sample) return sample.cpu > 0 and sample.cpu / sample.operations or nil end

-- The median of the quotients of two libraries' values in the same rounds.
local function quotient(samples, reference, value)
   local by_round = {}
   for _, sample in ipairs(reference or {}) do by_round[sample.round] = value(sample) end
   return median(map(samples, function(sample)
      local mine, theirs = value(sample), by_round[sample.round]
      return mine and theirs and mine / theirs
   end))
end

-- What is known of a library in a case: medians.
local function summarize(samples, reference)
   local speeds = map(samples, speed)
   local s = { speed = median(speeds), cpu = median(map(samples, cpu)), extra = {} }
   if s.speed then s.min, s.max = math.min(table.unpack(speeds)), math.max(table.unpack(speeds)) end
   s.ratio, s.cpu_ratio = quotient(samples, reference, speed), quotient(samples, reference, cpu)
   for _, sample in ipairs(samples) do
      for name in pairs(sample.extra) do
         s.extra[name] = s.extra[name] or
            median(map(samples, function(other) return tonumber(other.extra[name]) end)) or sample.extra[name]
      end
   end
   s.extra.stolen = nil
   return s
end

local data, remarks, dropped = read(samples_path)
for _, workload in ipairs(data) do
   for _, case in ipairs(workload) do
      for _, interpreter in ipairs(case) do
         for _, samples in ipairs(interpreter) do samples.summary = summarize(samples, interpreter:get "C") end
      end
   end
end

local function summary_of(workload, case, interpreter, library)
   local place = data
   for _, key in ipairs{ workload, case, interpreter, library } do
      place = place:get(key)
      if not place then return nil end
   end
   return place.summary
end

-- ---- writing ----

local out = {}
local function write(...) table.insert(out, string.format(...)) end

local function output_of(command)
   local pipe = io.popen(command .. " 2>&1")
   local text = pipe:read "a"
   pipe:close()
   return (text:gsub("%s+$", ""))
end

-- Three digits and a decimal prefix: 152000 is "152 k".
local function scaled(x)
   local prefixes, i = { "", " k", " M", " G" }, 1
   while x >= 999.5 and i < #prefixes do x, i = x / 1000, i + 1 end
   return (x >= 99.95 and "%.0f%s" or x >= 9.995 and "%.1f%s" or "%.2f%s"):format(x, prefixes[i])
end

local function fixed(x, digits)
   return x and ("%." .. digits .. "f"):format(x) or ""
end

local function names_of(t)
   local names = {}
   for name in pairs(t) do table.insert(names, name) end
   table.sort(names)
   return names
end

local function row(cells)
   write("| %s |", table.concat(cells, " | "))
end

-- The table of one case on one interpreter; columns that nobody fills are left out.
local function write_case(case, interpreter)
   local first = interpreter[1].summary
   local unit = first.extra.unit or "op"
   local extras = {}
   for _, samples in ipairs(interpreter) do
      for name in pairs(samples.summary.extra) do if name ~= "unit" then extras[name] = true end end
   end
   local header, rule = { "library" }, { "---" }
   local function column(title)
      table.insert(header, title)
      table.insert(rule, "---:")
   end
   if first.speed then for _, title in ipairs{ unit .. "/s", "min - max", "speed, C = 1" } do column(title) end end
   if first.cpu then for _, title in ipairs{ "CPU ns/" .. unit, "CPU, C = 1" } do column(title) end end
   for _, name in ipairs(names_of(extras)) do column(name) end
   write("\n%s, %s:\n", case.name, interpreter.name)
   row(header)
   row(rule)
   for _, samples in ipairs(interpreter) do
      local s, cells = samples.summary, { samples.name }
      if first.speed then
         table.insert(cells, s.speed and scaled(s.speed) or "")
         table.insert(cells, s.speed and scaled(s.min) .. " - " .. scaled(s.max) or "")
         table.insert(cells, fixed(s.ratio, 3))
      end
      if first.cpu then
         table.insert(cells, fixed(s.cpu and s.cpu * 1e9, unit == "B" and 3 or 0))
         table.insert(cells, fixed(s.cpu_ratio, 3))
      end
      for _, name in ipairs(names_of(extras)) do table.insert(cells, tostring(s.extra[name] or "")) end
      row(cells)
   end
end

local function write_workload(workload)
   local lost = dropped[workload.name]
   write("\n## %s\n", workload.name)
   write("%d samples; %d more were dropped, as the hypervisor took time in their round.", lost.of - lost.samples,
      lost.samples)
   for _, remark in ipairs(remarks) do
      if remark:match "^(%w+):" == workload.name then write("\nRemark: %s.", remark:match "^%w+:%s*(.-)%.?$") end
   end
   if plot.draw(data, workload.name, charts, folder) then
      write("\n![%s](charts/%s.svg)", workload.name, workload.name)
   end
   for _, case in ipairs(workload) do
      for _, interpreter in ipairs(case) do write_case(case, interpreter) end
   end
end

-- ---- what was asked ----

-- The case of a goal; "largest" is the last one that the library was measured in.
local function case_of(goal)
   if goal[2] ~= "largest" or not data:get(goal[1]) then return goal[2] end
   local last
   for _, case in ipairs(data:get(goal[1])) do
      if summary_of(goal[1], case.name, goal[3], goal[4]) then last = case.name end
   end
   return last
end

-- The least processor time of an operation among the other libraries but C. "lsocket select" is no other than lsocket.
local function best_peer(goal)
   local least
   for _, samples in ipairs(data:get(goal[1]):get(goal[2]):get(goal[3])) do
      local spent = samples.summary.cpu
      local other = samples.name:sub(1, #"lsocket") ~= "lsocket" and not samples.name:match "^C%f[%s\0]"
      if other and spent and spent < (least or math.huge) then
         least = spent
      end
   end
   return least
end

local measures = {
   ["ratio"] = function(s) return s.ratio end,
   ["time ratio"] = function(s) return s.ratio and 1 / s.ratio end,
   ["cpu ratio"] = function(s) return s.cpu_ratio end,
   ["cpu of best"] = function(s, goal)
      local peer = best_peer(goal)
      return s.cpu and peer and s.cpu / peer
   end,
   ["cpu of"] = function(s, goal)
      local other = summary_of(goal[1], goal[2], goal[3], goal.of)
      return s.cpu and other and other.cpu and s.cpu / other.cpu
   end,
   ["cost of"] = function(_, goal)
      local libraries = data:get(goal[1]):get(case_of(goal)):get(goal[3])
      local faster = quotient(libraries:get(goal[4]), libraries:get(goal.of), speed)
      return faster and 1 / faster
   end,
}

local function write_goal(goal)
   local metric, bound = goal[5], goal[6]
   local case = case_of(goal)
   local s = case and summary_of(goal[1], case, goal[3], goal[4])
   local measured = s and (measures[metric] or function() return tonumber(s.extra[metric]) end)(s, goal)
   local at_least = metric == "ratio"
   local met = measured and (at_least and measured >= bound or not at_least and measured <= bound)
   row{ goal[1], case or goal[2], goal[3], goal[4], goal.of and metric .. " " .. goal.of or metric,
      (at_least and ">= " or "<= ") .. bound,
      measured and fixed(measured, measures[metric] and 3 or 0) or "not measured",
      met and "yes" or measured and "**no**" or "" }
end

-- ---- the whole ----

local function write_machine()
   write("- date: %s", os.date "!%Y-%m-%d %H:%M UTC")
   write("- processor: %s, %s of them", output_of "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1",
      output_of "nproc")
   write("- kernel: %s; descriptors for a process: %s", output_of "uname -sr", output_of "ulimit -n")
   write("- compiler: %s, -O2", output_of "${CC:-cc} --version | head -n 1")
   write("- interpreters: %s; %s", output_of "lua5.4 -v", output_of "luajit -v")
   write("- libraries: lsocket %s; %s", output_of "git describe --always --dirty",
      output_of "dpkg-query -W -f '${Package} ${Version}, ' lua-socket lua-posix lua-cqueues lua-luv libuv1 lua-copas lua-http wrk")
end

write("# Measured on %s\n", os.date "!%Y-%m-%d")
write "Made by `make bench`. Speeds are medians; a ratio is the median of the quotients within a round, so that both"
write "saw the same machine. [doc/performance.md](../../doc/performance.md) says how to read it.\n"
write_machine()
write "\n## Asked and measured\n"
row{ "workload", "case", "interpreter", "library", "what", "asked", "measured", "met" }
row{ "---", "---", "---", "---", "---", "---:", "---:", "---" }
for _, goal in ipairs(goals) do write_goal(goal) end
for _, workload in ipairs(data) do write_workload(workload) end

local path = folder .. "/" .. os.date "!%Y-%m-%d" .. ".md"
local file = assert(io.open(path, "w"))
file:write(table.concat(out, "\n"), "\n")
file:close()
print("written: " .. path)
