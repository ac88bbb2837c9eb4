-- Draws charts with gnuplot, from the data of bench/report.lua, as bench/charts.lua says.
local plot = {}

-- Okabe and Ito's palette, which can be told apart with any kind of sight; a library has the same one everywhere.
local colours = { C = "#000000", lsocket = "#0072B2", ["lsocket select"] = "#56B4E9", LuaSocket = "#D55E00",
   luaposix = "#009E73", cqueues = "#CC79A7", luv = "#E69F00" }
local spare = { "#56B4E9", "#F0E442", "#999999", "#882255", "#44AA99" }

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
   local lines = { ("$%s << END"):format(name) }
   for _, case in ipairs(workload) do
      local cells = { chart.kind == "bars" and ('"%s"'):format(wrap(case.name)) or case.name:match "^%d+" }
      for _, library in ipairs(libraries) do
         table.insert(cells, tostring(value_of(case, interpreter, library, chart) or "?"))
      end
      table.insert(lines, table.concat(cells, " "))
   end
   table.insert(lines, "END")
   return table.concat(lines, "\n")
end

local styles = {
   bars = { settings = [[
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set bmargin 5
set grid ytics linecolor "#dddddd"]],
      series = function(name, i, library, colour)
         return ("$%s using %d:xtic(1) title %s linecolor rgb %q"):format(name, i + 1, quote(library), colour)
      end },
   lines = { settings = [[
set logscale x
set style data linespoints
set pointsize 0.7
set format x "%.0s%c"
set grid linecolor "#dddddd"]],
      series = function(name, i, library, colour)
         local width = library == "lsocket" and 4 or 2
         return ("$%s using 1:%d title %s linecolor rgb %q linewidth %d pointtype 7"):format(name, i + 1,
            quote(library), colour, width)
      end },
}

-- One panel: a chart for one interpreter.
local function panel(workload, interpreter, chart, fallbacks)
   local name = "data" .. interpreter:gsub("%W", "_")
   local libraries = libraries_of(workload, interpreter, chart)
   local series = {}
   for i, library in ipairs(libraries) do
      fallbacks[library] = colours[library] or fallbacks[library] or table.remove(fallbacks, 1) or "#666666"
      table.insert(series, styles[chart.kind].series(name, i, library, fallbacks[library]))
   end
   return table.concat({ block(name, workload, interpreter, libraries, chart), "set title " .. quote(interpreter),
      "plot " .. table.concat(series, ", \\\n     ") }, "\n")
end

-- The vertical axis: from 0 on, with the level that is drawn well inside, or logarithmic.
local function vertical(chart)
   if chart.logarithmic then return "set logscale y" end
   return chart.level and ("set yrange [0:%g<*]"):format(1.1 * chart.level) or "set yrange [0:*]"
end

local function script(workload, chart, interpreters, path)
   local fallbacks = { table.unpack(spare) }
   local lines = {
      ("set terminal svg size %d,%d font 'sans-serif,14' background rgb 'white'"):format(
         chart.kind == "bars" and math.max(1000, 400 + 125 * #workload) or 1000, 60 + 350 * #interpreters),
      "set output " .. quote(path),
      "set datafile missing '?'",
      "set key outside right top Left reverse samplen 2 width 2",
      "set border 3",
      "set tics nomirror",
      "set lmargin 10",
      "set rmargin 28",
      styles[chart.kind].settings,
      vertical(chart),
      chart.kind == "bars" and ("set xrange [-0.6:%.1f]"):format(#workload - 0.4) or "",
      "set ylabel " .. quote(chart.y),
      chart.x and "set xlabel " .. quote(chart.x) or "",
      chart.level and ("set arrow from graph 0, first %g to graph 1, first %g nohead"):format(chart.level, chart.level)
         or "",
      ("set multiplot layout %d,1 title %s"):format(#interpreters, quote(chart.title)),
   }
   for _, interpreter in ipairs(interpreters) do
      table.insert(lines, panel(workload, interpreter, chart, fallbacks))
   end
   table.insert(lines, "unset multiplot\n")
   return table.concat(lines, "\n")
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
