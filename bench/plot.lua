-- Draws charts with gnuplot, from the data of bench/report.lua, as bench/charts.lua says.
local plot = {}

-- What stands for a library: its colour and its mark, the same in every chart and no other one's. Ours are blue; C and
-- what comes near it are black and grey.
local looks = {}
for i, look in ipairs{
   { "lsocket", "#0057B8", 7 }, { "lsocket loop", "#00A3E0", 5 }, { "lsocket select", "#7B9FD4", 9 },
   { "lsocket lines", "#00A3E0", 5 }, { "lsocket offload", "#5B2D90", 13 }, { "lsocket recvmany", "#00A3E0", 5 },
   { "lsocket recv, send", "#7B9FD4", 9 }, { "lsocket loop read", "#7B9FD4", 9 },
   { "lsocket, 10 sockets", "#7B9FD4", 6 }, { "lsocket loop, ring", "#5B2D90", 13 },
   { "lsocket loop gather", "#7B9FD4", 9 }, { "lsocket loop gather, ring", "#B39DDB", 12 },
   { "lsocket loop read, ring", "#B39DDB", 12 },
   { "C", "#000000", 1 }, { "bare binding", "#9A9A9A", 2 }, { "C sendmmsg, recvmmsg", "#5A5A5A", 3 },
   { "C offload", "#BDBDBD", 8 }, { "C io_uring", "#5A5A5A", 3 }, { "C gather", "#5A5A5A", 3 },
   { "LuaSocket", "#D55E00", 4 }, { "luaposix", "#00916E", 6 }, { "cqueues", "#C2569B", 8 }, { "luv", "#E6A100", 10 },
   { "luv coroutines", "#8A6100", 11 }, { "luv mmsgs", "#8A6100", 11 }, { "copas 1.1.7", "#E8837A", 12 },
   { "copas 4", "#A3161C", 14 }, { "lua-http", "#8B3A8B", 15 },
} do
   looks[i] = { name = look[1], colour = look[2], mark = look[3] }
end

-- The look of the longest name that a library's begins with: a version may follow.
local function look_of(library)
   local best = { name = "", colour = "#666666", mark = 0 }
   for _, look in ipairs(looks) do
      if library:sub(1, #look.name) == look.name and #look.name > #best.name then best = look end
   end
   return best
end

local function quote(text)
   return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

-- A name in lines of a few words each, for the axis.
local function wrap(text)
   local lines = { "" }
   for word in text:gmatch "%S+" do
      local line = lines[#lines]
      if line ~= "" and #line + #word >= 13 then
         table.insert(lines, word)
      else
         lines[#lines] = line == "" and word or line .. " " .. word
      end
   end
   return table.concat(lines, "\\n")
end

-- The names of libraries that a chart shows for an interpreter, in the order in which they appear.
local function libraries_of(workload, interpreter, chart)
   local names = {}
   for _, case in ipairs(workload) do
      for _, samples in ipairs(case:get(interpreter) or {}) do
         local name = samples.name
         if not (chart.without and chart.without[name]) and chart.value(samples.summary) and not names[name] then
            names[name] = true
            table.insert(names, name)
         end
      end
   end
   return names
end

local function value_of(case, interpreter, library, chart)
   local samples = case:get(interpreter) and case:get(interpreter):get(library)
   return samples and chart.value(samples.summary)
end

-- A block of gnuplot data: a line for each case, a column for each library, "?" where there is nothing.
local function block(name, workload, interpreter, libraries, chart)
   local rows = { ("$%s << END"):format(name) }
   for _, case in ipairs(workload) do
      local cells = { chart.kind == "bars" and ('"%s"'):format(wrap(case.name)) or case.name:match "^%d+" }
      for _, library in ipairs(libraries) do
         table.insert(cells, tostring(value_of(case, interpreter, library, chart) or "?"))
      end
      table.insert(rows, table.concat(cells, " "))
   end
   table.insert(rows, "END")
   return table.concat(rows, "\n")
end

-- ---- bars: a legend that has its own place ----

local bars = { settings = [[
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set bmargin 5
set key outside right top Left reverse samplen 2 width 2
set grid ytics linecolor "#dddddd"]] }

function bars.series(name, i, library)
   return ("$%s using %d:xtic(1) title %s linecolor rgb %q"):format(name, i + 1, quote(library),
      look_of(library).colour)
end

function bars.beside() return {} end

-- ---- lines: each has its name beside its end ----

local lines = { settings = [[
set logscale x
set style data linespoints
set pointsize 0.8
set format x "%.0s%c"
set key off
set grid linecolor "#dddddd"]] }

function lines.series(name, i, library)
   local look, width = look_of(library), library == "lsocket" and 4 or 2
   return ("$%s using 1:%d notitle linecolor rgb %q linewidth %d pointtype %d"):format(name, i + 1, look.colour, width,
      look.mark)
end

-- The last point of each library: { name =, x =, y = }, y as a part of the axis' height.
local function ends_of(workload, interpreter, libraries, chart, range)
   local ends = {}
   local function height(y)
      if chart.logarithmic then return math.log(y / range[1]) / math.log(range[2] / range[1]) end
      return (y - range[1]) / (range[2] - range[1])
   end
   for _, library in ipairs(libraries) do
      local last = { name = library }
      for _, case in ipairs(workload) do
         local y = value_of(case, interpreter, library, chart)
         if y then last.x, last.y, last.height = tonumber(case.name:match "^%d+"), y, height(y) end
      end
      table.insert(ends, last)
   end
   table.sort(ends, function(a, b) return a.height > b.height end)
   return ends
end

-- Names one below the other, none nearer to another than that part of the height.
local GAP = 0.07

local function places_of(ends)
   local places, above = {}, 1 + GAP
   for i, one in ipairs(ends) do
      above = math.max(math.min(one.height, above - GAP), GAP * (#ends - i))
      places[i] = above
   end
   return places
end

function lines.beside(workload, interpreter, libraries, chart, range)
   local settings = {}
   local ends = ends_of(workload, interpreter, libraries, chart, range)
   for i, place in ipairs(places_of(ends)) do
      local one, look = ends[i], look_of(ends[i].name)
      table.insert(settings, ("set arrow from first %g, first %g to graph 1.02, graph %.3f nohead linecolor rgb %q "
         .. "linewidth 0.7 dashtype 3"):format(one.x, one.y, place, look.colour))
      table.insert(settings, ("set label %s at graph 1.03, graph %.3f left textcolor rgb %q "
         .. "point pointtype %d linecolor rgb %q offset 1, 0"):format(quote(one.name), place, look.colour, look.mark,
         look.colour))
   end
   return settings
end

local styles = { bars = bars, lines = lines }

-- ---- the whole ----

-- From where to where the vertical axis goes: from 0 on, or logarithmic, with the level that is drawn well inside.
local function range_of(workload, interpreters, chart)
   local low, high = math.huge, chart.level or 0
   for _, interpreter in ipairs(interpreters) do
      for _, library in ipairs(libraries_of(workload, interpreter, chart)) do
         for _, case in ipairs(workload) do
            local y = value_of(case, interpreter, library, chart)
            if y then low, high = math.min(low, y), math.max(high, y) end
         end
      end
   end
   return chart.logarithmic and { low / 1.2, high * 1.3 } or { 0, high * 1.1 }
end

-- One panel: a chart for one interpreter.
local function panel(workload, interpreter, chart, range)
   local name = "data" .. interpreter:gsub("%W", "_")
   local libraries = libraries_of(workload, interpreter, chart)
   local series = {}
   for i, library in ipairs(libraries) do
      table.insert(series, styles[chart.kind].series(name, i, library))
   end
   local settings = { "unset label", "unset arrow", "set title " .. quote(interpreter) }
   if chart.level then
      table.insert(settings, ("set arrow from graph 0, first %g to graph 1, first %g nohead"):format(chart.level,
         chart.level))
   end
   for _, setting in ipairs(styles[chart.kind].beside(workload, interpreter, libraries, chart, range)) do
      table.insert(settings, setting)
   end
   return table.concat({ block(name, workload, interpreter, libraries, chart), table.concat(settings, "\n"),
      "plot " .. table.concat(series, ", \\\n     ") }, "\n")
end

local function script(workload, chart, interpreters, path)
   local range = range_of(workload, interpreters, chart)
   local commands = {
      ("set terminal svg size %d,%d font 'sans-serif,14' background rgb 'white'"):format(
         chart.kind == "bars" and math.max(1000, 400 + 125 * #workload) or 1000, 60 + 350 * #interpreters),
      "set output " .. quote(path),
      "set datafile missing '?'",
      "set border 3",
      "set tics nomirror",
      "set lmargin 10",
      "set rmargin 28",
      styles[chart.kind].settings,
      chart.logarithmic and "set logscale y" or "",
      ("set yrange [%g:%g]"):format(range[1], range[2]),
      chart.kind == "bars" and ("set xrange [-0.6:%.1f]"):format(#workload - 0.4) or "",
      "set ylabel " .. quote(chart.y),
      chart.x and "set xlabel " .. quote(chart.x) or "",
      ("set multiplot layout %d,1 title %s"):format(#interpreters, quote(chart.title)),
   }
   for _, interpreter in ipairs(interpreters) do
      table.insert(commands, panel(workload, interpreter, chart, range))
   end
   table.insert(commands, "unset multiplot\n")
   return table.concat(commands, "\n")
end

local function interpreters_of(workload)
   local names = {}
   for _, case in ipairs(workload) do
      for _, interpreter in ipairs(case) do
         if not names[interpreter.name] then
            names[interpreter.name] = true
            table.insert(names, interpreter.name)
         end
      end
   end
   return names
end

-- Draws a workload's chart into folder/charts; answers whether it has one.
function plot.draw(data, name, charts, folder)
   for _, chart in ipairs(charts) do
      if chart.workload == name then
         local workload = data:get(name)
         local path = ("%s/charts/%s.svg"):format(folder, name)
         local gnuplot = assert(io.popen("gnuplot -", "w"))
         gnuplot:write(script(workload, chart, interpreters_of(workload), path))
         assert(gnuplot:close(), "gnuplot failed")
         return true
      end
   end
   return false
end

return plot
