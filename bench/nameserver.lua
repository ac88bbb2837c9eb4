-- A name server that knows one name: by a poller, and by a wrapped socket in a task of the loop; in a process for each
-- engine of the loop. What it is asked comes from another process.
local cref = require "cref"
local lib = require "bench.lib"
if not arg[2] then lib.run_each("", lib.loops "nameserver") end

local loop = require "lsocket.loop"
local lsocket = require "lsocket"

local QUERIES = lib.quick and 5000 or 20000 -- a round

local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
local port = sock:info "socket".port
local known = { ["\3box\7example\0\0\1\0\1"] = "\192\12\0\1\0\1\0\0\0\60\0\4\10\1\2\3" }

-- ---- the servers ----

local function answer(query)
   local question = query:sub(13)
   local record, head = known[question], "\133\0\0\1\0\1\0\0\0\0"
   if not record then record, head = "", "\133\3\0\1\0\0\0\0\0\0" end
   return query:sub(1, 2) .. head .. question .. record
end

local function by_poller(n)
   local poller, readable, writable = assert(lsocket.poller()), {}, {}
   assert(poller:add(sock, "r"))
   while n > 0 do
      assert(poller:wait(10, readable, writable))
      local query, from, number = sock:recvfrom()
      while query do
         sock:sendto(answer(query), from, number)
         n = n - 1
         query, from, number = sock:recvfrom()
      end
   end
   poller:close()
end

-- A socket has one owner, so the loop has a copy.
local wrapped = assert(loop.wrap(assert(sock:dup())))

local function by_wrap(n)
   loop.run(function()
      for _ = 1, n do
         local query, from, number = wrapped:recvfrom()
         wrapped:sendto(answer(query), from, number)
      end
   end)
end

-- ---- measuring ----

local other = io.popen("nproc"):read "*n" > 1 and "taskset -c 1 " or ""

-- A library for lib.alternate, with so many queries in flight.
local function library(name, serve, window)
   return { name = name, run = function(n, watch)
      local client = assert(io.popen(("%sbuild/bench/udp_load %d %d %d"):format(other, port, n, window)))
      watch:start()
      serve(n)
      watch:stop(n)
      assert(client:close(), "the client got no answer")
   end }
end

cref.udp_room(sock:getfd())
for _, window in ipairs{ 1, 32 } do
   lib.alternate{
      workload = "nameserver", cases = { window .. " in flight" }, count = QUERIES, rounds = 20,
      libraries = { library("lsocket", by_poller, window), library(arg[2], by_wrap, window) },
      after = arg[2]:match "ring" and 1000 or 0,
   }
end
