-- report.lua SAMPLES FOLDER: writes FOLDER/<date>.md and FOLDER/charts/*.svg from samples, the lines that bench/lib.lua
-- describes.
local charts = require "bench.charts"
local goals = require "bench.goals"
local plot = require "bench.plot"
local samples = require "bench.samples"

local samples_path, folder = arg[1], arg[2]

local data, remarks = samples.read(samples_path)

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

-- A quotient, of which two digits count: 0.0041, 0.88, 1.05, 19.
local function digits(x)
   if x > 0 and x < 0.095 then return ("%.2g"):format(x) end
   return (math.abs(x) < 9.95 and "%.2f" or "%.0f"):format(x)
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

-- ---- the table of a case ----

-- What is told of a spread: the median, the quartiles, and the median of each run.
local function median_of(spread) return digits(spread.median) end
local function quartiles_of(spread) return digits(spread.low) .. " - " .. digits(spread.high) end
local function runs_of(spread)
   local runs = {}
   for i, median in ipairs(spread.runs) do runs[i] = digits(median) end
   return table.concat(runs, ", ")
end

-- An array of { title, cell(summary) }; an operation's own time is told where all libraries took turns.
local function columns_of(libraries)
   local first, columns = libraries[1].summary, {}
   local unit = first.extra.unit or "op"
   local function add(title, cell) table.insert(columns, { title = title, cell = cell }) end
   local function add_spread(title, name)
      local function add_part(of, part) add(of, function(s) return s[name] and part(s[name]) or "" end) end
      add_part(title, median_of)
      add_part("quartiles", quartiles_of)
      if first[name].runs[2] then add_part("runs", runs_of) end
   end
   local together = not first.extra.group
   if first.speed and together then add(unit .. "/s", function(s) return s.speed and scaled(s.speed) or "" end) end
   if first.ratio then add_spread("speed, C = 1", "ratio") end
   if first.cpu and together then
      add("CPU ns/" .. unit, function(s) return s.cpu and digits(s.cpu * 1e9) or "" end)
   end
   if first.cpu_ratio then add_spread("CPU, C = 1", "cpu_ratio") end
   local extras = {}
   for _, one in ipairs(libraries) do
      for name in pairs(one.summary.extra) do if name ~= "unit" and name ~= "group" then extras[name] = true end end
   end
   for _, name in ipairs(names_of(extras)) do
      add(name, function(s) return s.extra[name] and digits(s.extra[name]) or "" end)
   end
   return columns
end

local function write_case(case, libraries)
   local columns = columns_of(libraries)
   local header, rule = { "library" }, { "---" }
   for _, column in ipairs(columns) do
      table.insert(header, column.title)
      table.insert(rule, "---:")
   end
   write("\n%s, %s%s:\n", case.name, libraries.name, libraries.disturbed == 0 and "" or
      (" (%d of %d rounds left out)"):format(libraries.disturbed, libraries.rounds))
   row(header)
   row(rule)
   for _, one in ipairs(libraries) do
      local cells = { one.name }
      for _, column in ipairs(columns) do table.insert(cells, column.cell(one.summary)) end
      row(cells)
   end
end

local function write_workload(workload)
   write("\n## %s", workload.name)
   for _, remark in ipairs(remarks) do
      if remark:match "^(%w+):" == workload.name then write("\nRemark: %s.", remark:match "^%w+:%s*(.-)%.?$") end
   end
   if plot.draw(data, workload.name, charts, folder) then
      write("\n![%s](charts/%s.svg)", workload.name, workload.name)
   end
   for _, case in ipairs(workload) do
      for _, libraries in ipairs(case) do write_case(case, libraries) end
   end
end

-- ---- what was asked ----

local function libraries_at(workload, case, interpreter)
   local place = data
   for _, key in ipairs{ workload, case, interpreter } do
      place = place and place:get(key)
   end
   return place
end

-- The case of a goal; "largest" is the last one that the library was measured in.
local function case_of(goal)
   if goal[2] ~= "largest" or not data:get(goal[1]) then return goal[2] end
   local last
   for _, case in ipairs(data:get(goal[1])) do
      local libraries = libraries_at(goal[1], case.name, goal[3])
      if libraries and libraries:get(goal[4]) then last = case.name end
   end
   return last or goal[2]
end

-- How much less it takes another library to do the same.
local function factor(of, by, measure)
   local quotient = samples.quotient(of, by, measure)
   return quotient and quotient.median
end

-- Time is what speed is the inverse of.
local function time(sample)
   local speed = samples.speed(sample)
   return speed and 1 / speed
end

-- Other people's libraries: neither ours nor C, nor what stands for what a library must do.
local function is_peer(name, among)
   for _, one in ipairs(among or {}) do if name:find(one, 1, true) == 1 then return true end end
   return not among and not name:match "^lsocket" and not name:match "^C%f[%s\0]" and name ~= "bare binding"
end

-- The factor to the best of them, and its name.
local function beside_best(goal, libraries, measure)
   local most, best
   for _, one in ipairs(libraries) do
      local this = is_peer(one.name, goal.among) and factor(libraries:get(goal[4]), one, measure)
      if this and this > (most or 0) then most, best = this, one.name end
   end
   return most, best
end

-- What a goal is about, measured; and what it was compared with.
local function measured(goal, libraries)
   local mine = libraries and libraries:get(goal[4])
   if not mine then return nil end
   local kind, best = goal[5]:match "^(%w+) of( ?b?e?s?t?)$"
   if not kind then return mine.summary.extra[goal[5]] end
   local measure = kind == "cpu" and samples.cpu or time
   if best ~= "" then return beside_best(goal, libraries, measure) end
   local other = libraries:get(goal.of)
   return other and factor(mine, other, measure), goal.of
end

local function write_goal(goal)
   local case, bound = case_of(goal), goal[6]
   local value, other = measured(goal, libraries_at(goal[1], case, goal[3]))
   local met, what = value and tonumber(digits(value)) <= bound, goal[5]
   local shown = value and (what:match " of" and digits(value) or ("%.0f"):format(value)) or "not measured"
   if what:match " of" then what = what .. (goal.of and " " .. goal.of or other and ", " .. other or "") end
   row{ goal[1], case, goal[3], goal[4], what, ("%g"):format(bound), shown,
      not value and "" or met and "yes" or "**no**" }
   return not value and "unmeasured" or met and "met" or "missed"
end

local function write_goals()
   local count = { met = 0, missed = 0, unmeasured = 0 }
   write "\n## Asked and measured\n"
   row{ "workload", "case", "interpreter", "library", "what", "asked, at most", "measured", "met" }
   row{ "---", "---", "---", "---", "---", "---:", "---:", "---" }
   for _, goal in ipairs(goals) do
      if data:get(goal[1]) then
         local result = write_goal(goal)
         count[result] = count[result] + 1
      end
   end
   write("\n%d met, %d missed, %d not measured.", count.met, count.missed, count.unmeasured)
end

-- ---- the whole ----

-- A remark about the machine is among what it is.
local function write_machine()
   write("- date: %s", os.date "!%Y-%m-%d %H:%M UTC")
   write("- processor: %s, %s of them", output_of "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1",
      output_of "nproc")
   write("- kernel: %s; descriptors for a process: %s", output_of "uname -sr", output_of "ulimit -n")
   write("- compiler: %s, -O2", output_of "${CC:-cc} --version | head -n 1")
   write("- interpreters: %s; %s", output_of "lua5.4 -v", output_of "luajit -v")
   write("- libraries: %s",
      output_of("dpkg-query -W -f '${Package} ${Version}, ' " ..
         "lua-socket lua-posix lua-cqueues lua-luv libuv1 lua-copas lua-http wrk lua-sec libssl3"):gsub(",$", ""))
   for _, remark in ipairs(remarks) do
      if remark:match "^machine:" then write("- %s", remark:match "^machine:%s*(.*)") end
   end
end

write("# Measured on %s\n", os.date "!%Y-%m-%d")
write "Made by `make bench`. Speeds are medians; a ratio is the median of the quotients within a round, so that both"
write "saw the same machine, and beside it are the quartiles of these quotients. A round is left out in which C's own"
write "speed was more than 1.5 times its median, or less than the median divided by that."
write "[doc/performance.md](../../doc/performance.md) says how to read it.\n"
write_machine()
write_goals()
for _, workload in ipairs(data) do write_workload(workload) end

local path = folder .. "/" .. os.date "!%Y-%m-%d" .. ".md"
local file = assert(io.open(path, "w"))
file:write(table.concat(out, "\n"), "\n")
file:close()
print("written: " .. path)
