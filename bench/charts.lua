-- What bench/plot.lua draws: for each workload one picture with a panel for each interpreter.
--   workload, title
--   kind      "bars": a group of bars for each case, a bar for each library; "lines": a line for each library over the
--             number that a case begins with, both axes logarithmic
--   value     function(summary) -> number: what is drawn (see summarize in bench/report.lua)
--   x, y      what the axes show, with units; x for lines only
--   without   a library that is not drawn, as it is 1 everywhere
local function ratio(summary) return summary.ratio end
local function microseconds(summary) return summary.speed and 1e6 / summary.speed end

return {
   { workload = "pingpong", title = "TCP, 64 bytes sent and received", kind = "bars", value = ratio,
     y = "messages a second (C = 1)", without = "C" },
   { workload = "bulk", title = "TCP, 64 KiB a call", kind = "bars", value = ratio, y = "bytes a second (C = 1)",
     without = "C" },
   { workload = "idle", title = "One active socket among many idle ones", kind = "lines", value = microseconds,
     x = "sockets that are waited for", y = "time for a message (microseconds)" },
   { workload = "churn", title = "TCP connections, opened and closed", kind = "bars", value = ratio,
     y = "connections a second (C = 1)", without = "C" },
}
