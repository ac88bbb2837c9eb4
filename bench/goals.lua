-- The thresholds that lsocket has set itself; the report says which are met. All are of a kind that any machine can
-- meet: what is compared has made the same system calls in the same round. A row: workload, case ("largest": the last
-- one), interpreter, library, metric, bound: at most. The metrics are medians of the quotients within a round, of
--   "time of"       the time of an operation, where that of the library named by of = is 1
--   "cpu of"        the same in processor time
--   "time of best", "cpu of best"  the same, where 1 is that of the other library that comes out best beside this one;
--                   with among = of those alone whose names begin so
--   anything else   the median of that name in the samples' extras ("bytes", "instructions")
local threads = { "luv coroutines", "cqueues", "copas" } -- a coroutine for each connection

local goals = {
   { "idle", "largest", "lua5.4", "lsocket", "time of", 1.15, of = "lsocket, 10 sockets" },
   { "select", "900 sockets", "lua5.4", "lsocket", "time of", 1.2, of = "C" },
   { "instructions", "send, recv", "lua5.4", "lsocket", "instructions", 1100 },
   { "instructions", "send, recv", "luajit", "lsocket", "instructions", 700 },
   { "instructions", "wait beyond send, recv", "lua5.4", "lsocket", "instructions", 500 },
}

-- For both interpreters.
local function ask(row)
   for _, interpreter in ipairs{ "lua5.4", "luajit" } do
      local goal = { row[1], row[2], interpreter, row[3], row[4], row[5], of = row.of, among = row.among }
      table.insert(goals, goal)
   end
end

ask{ "pingpong", "send then recv", "lsocket", "time of", 1.03, of = "bare binding" }
ask{ "pingpong", "send then recv", "lsocket", "time of best", 1 }
ask{ "pingpong", "select then recv", "lsocket", "time of best", 1 }
ask{ "pingpong", "poller then recv", "lsocket", "time of", 1.1, of = "bare binding" }
ask{ "pingpong", "poller then recv", "lsocket", "time of best", 1 }

ask{ "bulk", "send 64 KiB", "lsocket", "time of", 1.03, of = "bare binding" }
ask{ "bulk", "send 64 KiB", "lsocket", "time of best", 1 }
ask{ "bulk", "recv 64 KiB", "lsocket", "time of", 1.03, of = "bare binding" }
ask{ "bulk", "recv 64 KiB", "lsocket", "time of best", 1 }

ask{ "buffer", "lines of 80 bytes", "lsocket lines", "time of", 1.25, of = "bare binding" }
ask{ "buffer", "lines of 80 bytes", "lsocket", "time of best", 1 }

for _, case in ipairs{ "accept", "connect", "both" } do ask{ "churn", case, "lsocket", "time of best", 1 } end

ask{ "udp", "send, recv, 64 bytes", "lsocket", "time of", 1.03, of = "bare binding" }
ask{ "udp", "send, recv, 64 bytes", "lsocket", "time of best", 1 }
ask{ "udp", "send, recv, 64 bytes", "lsocket recvmany", "time of best", 1 }
ask{ "udp", "send, recvfrom, 64 bytes", "lsocket", "time of best", 1 }
ask{ "udp", "sendto, recv, 64 bytes", "lsocket", "time of best", 1 }

local many = "C sendmmsg, recvmmsg"
ask{ "batch", "sent and received, 64 bytes", "lsocket", "time of", 1.05, of = many }
ask{ "batch", "sent and received, 64 bytes", "lsocket offload", "time of", 1.1, of = "C offload" }
ask{ "batch", "sent and received as strings, 64 bytes", "lsocket", "time of best", 1 }
ask{ "batch", "received, 64 bytes", "lsocket", "time of", 1.05, of = "C" }
ask{ "batch", "relayed, 64 bytes", "lsocket", "bytes", 0 }

for _, connections in ipairs{ 100, 1000, 10000 } do
   local case = connections .. " connections"
   ask{ "echo", case, "lsocket", "cpu of", 1.08, of = "C" }
   ask{ "echo", case, "lsocket", "cpu of best", 1 }
   ask{ "echo", case, "lsocket loop", "cpu of", 1.25, of = "lsocket" }
   ask{ "echo", case, "lsocket loop", "cpu of best", 1, among = threads }
end

for _, window in ipairs{ 1, 32 } do
   ask{ "nameserver", window .. " in flight", "lsocket loop", "time of", 1.25, of = "lsocket" }
   ask{ "nameserver", window .. " in flight", "lsocket loop", "cpu of", 1.25, of = "lsocket" }
end

ask{ "http", "100 connections", "lsocket loop", "cpu of best", 1 }
table.insert(goals, { "http", "5000 connections", "luajit", "lsocket loop", "cpu of best", 1 })

for _, case in ipairs{ "64 bytes", "32 KiB", "lines of 80 bytes", "datagrams of 64 bytes",
   "datagrams of 64 bytes, with addresses", "select, 100 sockets", "connect and close" } do
   ask{ "luasocket", case, "lsocket.luasocket", "cpu of", 1, of = "LuaSocket" }
end

ask{ "memory", "open", "lsocket", "bytes", 90 }
ask{ "memory", "registered", "lsocket", "bytes", 130 }

for _, part in ipairs{ "full", "resumed" } do
   ask{ "tls", part .. " handshake, server", "lsocket", "cpu of", 1.05, of = "C" }
end
ask{ "tls", "64 bytes there and back", "lsocket", "cpu of", 1.1, of = "C" }
ask{ "tls", "send 64 KiB", "lsocket", "cpu of", 1.05, of = "C" }
ask{ "tls", "send 64 KiB", "lsocket", "cpu of", 0.42, of = "LuaSec" }
ask{ "tls", "idle", "lsocket", "bytes", 16384 }

return goals
