-- The thresholds that lsocket has set itself; the report says which are met. A row: workload, case ("largest": the last
-- one), interpreter, library, metric, bound. The metrics are medians:
--   "ratio"        speed, where C's in the same round is 1: at least
--   "time ratio"   time of an operation, where C's in the same round is 1: at most
--   "cpu ratio"    processor time of an operation, where C's in the same round is 1: at most
--   "cpu of best"  the same, where that of the best library but C and this one is 1: at most
--   "cpu of"       processor time of an operation, where that of the library named by of = is 1: at most
--   "cost of"      time of an operation, where that of the library named by of = in the same round is 1: at most
--   anything else  a name from the samples' extras ("bytes", "instructions"): at most
return {
   { "pingpong", "send then recv", "lua5.4", "lsocket", "ratio", 0.96 },
   { "pingpong", "send then recv", "luajit", "lsocket", "ratio", 0.98 },
   { "pingpong", "send then recv", "lua5.4", "lsocket", "cost of", 1.03, of = "bare binding" },
   { "pingpong", "send then recv", "luajit", "lsocket", "cost of", 1.03, of = "bare binding" },

   { "idle", "10 sockets", "lua5.4", "lsocket", "ratio", 0.94 },
   { "idle", "100 sockets", "lua5.4", "lsocket", "ratio", 0.94 },
   { "idle", "1000 sockets", "lua5.4", "lsocket", "ratio", 0.94 },
   { "idle", "10000 sockets", "lua5.4", "lsocket", "ratio", 0.94 },
   { "idle", "largest", "lua5.4", "lsocket", "cost of", 1.15, of = "lsocket, 10 sockets" },
   { "select", "900 sockets", "lua5.4", "lsocket", "time ratio", 1.2 },

   { "bulk", "send 64 KiB", "lua5.4", "lsocket", "ratio", 0.97 },
   { "bulk", "send 64 KiB", "luajit", "lsocket", "ratio", 0.97 },
   { "bulk", "recv 64 KiB", "lua5.4", "lsocket", "ratio", 0.90 },
   { "bulk", "recv 64 KiB", "luajit", "lsocket", "ratio", 0.95 },
   { "bulk", "recv 64 KiB", "lua5.4", "lsocket", "cost of", 1.03, of = "bare binding" },
   { "bulk", "recv 64 KiB", "luajit", "lsocket", "cost of", 1.03, of = "bare binding" },

   { "buffer", "lines of 80 bytes", "lua5.4", "lsocket", "ratio", 0.8 },
   { "buffer", "lines of 80 bytes", "luajit", "lsocket", "ratio", 0.8 },
   { "buffer", "lines of 80 bytes", "lua5.4", "lsocket lines", "cost of", 1.25, of = "bare binding" },
   { "buffer", "lines of 80 bytes", "luajit", "lsocket lines", "cost of", 1.25, of = "bare binding" },

   { "churn", "accept", "lua5.4", "lsocket", "ratio", 0.95 },
   { "churn", "connect", "lua5.4", "lsocket", "ratio", 0.98 },

   { "udp", "send, recv, 64 bytes", "lua5.4", "lsocket", "ratio", 0.93 },
   { "udp", "send, recv, 64 bytes", "luajit", "lsocket", "ratio", 0.96 },
   { "udp", "send, recv, 64 bytes", "lua5.4", "lsocket", "cost of", 1.03, of = "bare binding" },
   { "udp", "send, recv, 64 bytes", "luajit", "lsocket", "cost of", 1.03, of = "bare binding" },
   { "udp", "send, recvfrom, 64 bytes", "lua5.4", "lsocket", "ratio", 0.90 },
   { "udp", "send, recvfrom, 64 bytes", "luajit", "lsocket", "ratio", 0.94 },

   { "batch", "sent and received, 64 bytes", "lua5.4", "lsocket", "ratio", 1.2 },
   { "batch", "sent and received, 64 bytes", "luajit", "lsocket", "ratio", 1.2 },
   { "batch", "sent and received, 64 bytes", "lua5.4", "lsocket offload", "ratio", 10 },
   { "batch", "sent and received, 64 bytes", "luajit", "lsocket offload", "ratio", 10 },
   { "batch", "received, 64 bytes", "lua5.4", "lsocket", "ratio", 0.95 },
   { "batch", "received, 64 bytes", "luajit", "lsocket", "ratio", 0.95 },
   { "batch", "relayed, 64 bytes", "lua5.4", "lsocket", "bytes", 0 },
   { "batch", "relayed, 64 bytes", "luajit", "lsocket", "bytes", 0 },

   { "echo", "10 connections", "lua5.4", "lsocket", "cpu ratio", 1.08 },
   { "echo", "100 connections", "lua5.4", "lsocket", "cpu ratio", 1.08 },
   { "echo", "1000 connections", "lua5.4", "lsocket", "cpu ratio", 1.08 },
   { "echo", "10000 connections", "lua5.4", "lsocket", "cpu ratio", 1.08 },
   { "echo", "1 connections", "lua5.4", "lsocket", "cpu of best", 1 },
   { "echo", "10 connections", "lua5.4", "lsocket", "cpu of best", 1 },
   { "echo", "100 connections", "lua5.4", "lsocket", "cpu of best", 1 },
   { "echo", "1000 connections", "lua5.4", "lsocket", "cpu of best", 1 },
   { "echo", "10000 connections", "lua5.4", "lsocket", "cpu of best", 1 },

   { "echo", "100 connections", "lua5.4", "lsocket loop", "cpu of", 1.6, of = "lsocket" },
   { "echo", "1000 connections", "lua5.4", "lsocket loop", "cpu of", 1.6, of = "lsocket" },
   { "echo", "100 connections", "lua5.4", "lsocket loop", "cpu of best", 1 },
   { "echo", "1000 connections", "lua5.4", "lsocket loop", "cpu of best", 1 },

   { "http", "100 connections", "luajit", "lsocket loop", "cost of", 1, of = "copas" },
   { "http", "100 connections", "luajit", "lsocket loop", "cost of", 1, of = "lua-http" },

   { "memory", "open", "lua5.4", "lsocket", "bytes", 90 },
   { "memory", "open", "luajit", "lsocket", "bytes", 90 },
   { "memory", "registered", "lua5.4", "lsocket", "bytes", 130 },
   { "memory", "registered", "luajit", "lsocket", "bytes", 130 },

   { "instructions", "send, recv", "lua5.4", "lsocket", "instructions", 1100 },
   { "instructions", "send, recv", "luajit", "lsocket", "instructions", 700 },
   { "instructions", "wait beyond send, recv", "lua5.4", "lsocket", "instructions", 500 },
}
