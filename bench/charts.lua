-- What bench/plot.lua draws: for each workload one picture with a panel for each interpreter. A row:
--   workload, title
--   kind      "bars": a group of bars for each case, a bar for each library; "lines": a line for each library over the
--             number that a case begins with, along a logarithmic axis
--   value     function(summary) -> number or nil: what is drawn (see summarize in bench/samples.lua)
--   x, y      what the axes show, with units; x for lines only
--   level     draws a line there
--   logarithmic  is the vertical axis so, too?
--   without   a set of libraries that are not drawn
local function ratio(summary) return summary.ratio and summary.ratio.median end
local function time_ratio(summary) return summary.ratio and 1 / summary.ratio.median end
local function cpu_ratio(summary) return summary.cpu_ratio and summary.cpu_ratio.median end
local function bytes(summary) return tonumber(summary.extra.bytes) end

local c = { C = true }

return {
   { workload = "pingpong", title = "TCP, 64 bytes sent and received", kind = "bars", value = ratio,
     y = "messages a second, C = 1", level = 1, without = c },
   { workload = "bulk", title = "TCP, 64 KiB a call", kind = "bars", value = ratio, y = "bytes a second, C = 1",
     level = 1, without = c },
   { workload = "buffer", title = "TCP, lines of 80 bytes", kind = "bars", value = ratio, y = "lines a second, C = 1",
     level = 1, without = c },
   { workload = "udp", title = "UDP, a datagram a call", kind = "bars", value = ratio, y = "datagrams a second, C = 1",
     level = 1, without = c },
   { workload = "batch", title = "UDP, 32 datagrams a call", kind = "bars", value = ratio,
     y = "datagrams a second, C = 1", level = 1, without = c },
   { workload = "echo", title = "Echo server, processor time", kind = "lines", value = cpu_ratio, x = "connections",
     y = "time a request, C = 1", level = 1, without = c },
   { workload = "pipeline", title = "Answers in three writes, processor time", kind = "lines", value = cpu_ratio,
     x = "requests in flight", y = "time a request, C = 1", logarithmic = true, level = 1, without = c },
   { workload = "idle", title = "One active socket among many idle ones", kind = "lines", value = time_ratio,
     x = "sockets waited for", y = "time a message, C = 1", logarithmic = true, level = 1,
     without = { C = true, ["lsocket, 10 sockets"] = true } },
   { workload = "select", title = "One call that asks about 900 sockets", kind = "bars", value = ratio,
     y = "calls a second, C = 1", level = 1, without = c },
   { workload = "churn", title = "TCP connections, accepted or made, and closed", kind = "bars", value = ratio,
     y = "connections a second, C = 1", level = 1, without = c },
   { workload = "memory", title = "Memory of the process", kind = "bars", value = bytes, y = "bytes a connection" },
}
