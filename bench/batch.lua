-- Datagrams through loopback, many a call: sent and received by the same process. C sends and receives one a call where
-- it does both, and stands beside itself with as many a call; it receives alone and relays with as many a call. luv
-- sends what it queues and receives with mmsgs, many a call, too.
local lib = require "bench.lib"
local cref = require "cref"
local dgram = require "bench.dgram"
local lsocket = require "lsocket"

local luv = lib.peer("batch", "luv", "luv")

local BATCH, COUNT = 32, dgram.COUNT

-- A link whose sockets cut what is sent and put together what comes (UDP_SEGMENT, UDP_GRO); nil where they cannot.
local function offloading(of)
   of.burst = BATCH
   local link = dgram.link(of)
   if link.from:setopt("segment", of.size) and link.to:setopt("gro", true) then return link end
   lib.remark "batch: no offload on this system"
end

local function full_batch(link)
   local batch = lsocket.batch(BATCH, link.size)
   for i = 1, BATCH do assert(batch:add(link.messages[i])) end
   return batch
end

-- ---- sending and receiving, without a string: the batch that was received is sent again ----

local function pass_around(link, name)
   local from, to, batch = link.from, link.to, full_batch(link)
   return link:library(name, function(n)
      local moved = 0
      while moved < n do
         from:sendmany(batch)
         moved = moved + to:recvmany(batch)
      end
   end)
end

-- C with the same calls as a batch of ours, and as one whose sockets cut and put together.
local function add_many(link)
   local from, to, noise, size = link.from:getfd(), link.to:getfd(), link.noise, link.size
   link:add("C sendmmsg, recvmmsg", function(n) cref.udp_many(from, to, n, noise, size, BATCH) end)
end
local function add_segments(link, fast)
   local from, to, noise, size = fast.from:getfd(), fast.to:getfd(), fast.noise, fast.size
   table.insert(link.libraries, fast:library("C offload", function(n)
      cref.udp_segments(from, to, n, noise, size, BATCH)
   end))
end

local function moving(size)
   local link = dgram.link{ size = size, ahead = 0 }
   local from, to, noise = link.from:getfd(), link.to:getfd(), link.noise
   link:add("C", function(n) cref.udp_exchange(from, to, n, noise, size, BATCH) end)
   add_many(link)
   table.insert(link.libraries, pass_around(link, "lsocket"))
   local fast = offloading{ size = size, ahead = 0 }
   if fast then
      add_segments(link, fast)
      table.insert(link.libraries, pass_around(fast, "lsocket offload"))
   end
   link:measure("batch", "sent and received")
end

-- ---- the same with strings: all are put in, and all are taken out ----

local function with_strings(link, name)
   local from, to, messages = link.from, link.to, link.messages
   local out, into = lsocket.batch(BATCH, link.size), lsocket.batch(BATCH, link.size)
   return link:library(name, function(n)
      local received, at = 0, 0
      while received < n do
         out:clear()
         for i = 1, BATCH do out:add(messages[at + i]) end
         at = (at + BATCH) % COUNT
         from:sendmany(out)
         local count = to:recvmany(into)
         for i = 1, count do into:get(i) end
         received = received + count
      end
   end)
end

-- The first of a batch goes at once, the others when the loop turns, up to 20 a call. It receives 16 a call: libuv has
-- room for no more than 20, and then some of a second batch would come along.
local function luv_queue(link)
   local from, to, messages, received = luv.new_udp(), luv.new_udp{ mmsgs = 16 }, link.messages, 0
   assert(from:open(cref.dup(link.from:getfd())))
   assert(to:open(cref.dup(link.to:getfd())))
   return link:library("luv", function(n)
      local sent, at = 0, 0
      received = 0
      assert(to:recv_start(function(_, data) if data then received = received + 1 end end))
      while sent < n do
         for i = 1, BATCH do from:send(messages[at + i], nil, nil) end
         at = (at + BATCH) % COUNT
         sent = sent + BATCH
         while received < sent do luv.run "nowait" end
      end
      to:recv_stop()
      while from:get_send_queue_count() > 0 do luv.run "nowait" end
   end)
end

local function strings(size)
   local link = dgram.link{ size = size }
   local from, to = link.from:getfd(), link.to:getfd()
   link:add("C", function(n) cref.udp_exchange(from, to, n, link.noise, size, BATCH) end)
   add_many(link)
   table.insert(link.libraries, with_strings(link, "lsocket"))
   if luv then table.insert(link.libraries, luv_queue(link)) end
   local fast = offloading{ size = size }
   if fast then
      add_segments(link, fast)
      table.insert(link.libraries, with_strings(fast, "lsocket offload"))
   end
   link:measure("batch", "sent and received as strings")
end

-- ---- receiving alone; sending is not timed ----

local function receiving(size)
   local link = dgram.link{ size = size }
   local to, batch = link.to, lsocket.batch(BATCH, size)
   local to_fd = to:getfd()
   local function add(name, loop)
      table.insert(link.libraries, dgram.library(name, loop, link, link.step, link, 0))
   end
   add("C", function(n) cref.udp_receive(to_fd, n, size, BATCH) end)
   add("lsocket", function(n)
      local received = 0
      while received < n do received = received + to:recvmany(batch) end
   end)
   link:measure("batch", "received")
end

-- ---- a relay: from one socket to another, whose peer is not timed ----

-- loop(n) moves n datagrams from the end of the first link to the beginning of the second.
local function relay(source, sink, name, loop)
   return dgram.library(name, loop, source, source.step, sink, source.step)
end

local function relay_batches(source, sink)
   local from, to, batch = source.to, sink.from, lsocket.batch(BATCH, source.size)
   return function(n)
      local moved = 0
      while moved < n do
         moved = moved + from:recvmany(batch)
         to:sendmany(batch)
      end
   end
end

-- Bytes that Lua allocates for it all, with the collector stopped.
local function weigh(source, sink, size)
   local loop = relay_batches(source, sink)
   source:fill(source.step)
   collectgarbage "stop"
   local before = collectgarbage "count"
   loop(source.step)
   local bytes = (collectgarbage "count" - before) * 1024
   collectgarbage "restart"
   sink:expect(source.step)
   lib.emit("batch", ("relayed, %d bytes"):format(size), "lsocket", 0, source.step, 0, 0, ("bytes=%.0f"):format(bytes))
end

local function relaying(size)
   local source, sink = dgram.link{ size = size }, dgram.link{ size = size }
   local from, to = source.to, sink.from
   local from_fd, to_fd = from:getfd(), to:getfd()
   local libraries = {
      relay(source, sink, "C", function(n) cref.udp_relay(from_fd, to_fd, n, size, BATCH) end),
      relay(source, sink, "lsocket", relay_batches(source, sink)),
      relay(source, sink, "lsocket recv, send", function(n)
         for _ = 1, n do to:send(from:recv()) end
      end),
   }
   local fast_source, fast_sink = offloading{ size = size }, offloading{ size = size }
   if fast_source and fast_sink then
      table.insert(libraries, relay(fast_source, fast_sink, "lsocket offload", relay_batches(fast_source, fast_sink)))
   end
   dgram.measure("batch", "relayed", size, libraries)
   weigh(source, sink, size)
end

for _, size in ipairs{ 64, 1200 } do
   moving(size)
   strings(size)
   receiving(size)
   relaying(size)
end
