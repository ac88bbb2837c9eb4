-- Pairs of UDP sockets for the workloads that measure datagrams.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local dgram = {}

dgram.COUNT = 64 -- different messages; few, as a small heap is collected often, and its garbage stays in the caches

local Link = {}
Link.__index = Link

-- Two sockets, the first of which sends to the second. Of
--   size         bytes of a datagram
--   ahead        how many wait before, so that those received are others than those sent; 128 or more by default
--   burst        so many of those in one call, where the socket cuts them (UDP_SEGMENT); 1 by default
--   unconnected  the first socket is not connected to the second
function dgram.link(of)
   local link = setmetatable({ size = of.size, burst = of.burst or 1, libraries = {} }, Link)
   link.step = of.size > 64 and 128 or 512 -- exchanged while the clock runs; sockets of any Linux have room for them
   link.ahead = of.ahead or link.step
   link.to = assert(lsocket.bind("udp", "127.0.0.1", 0))
   link.port = link.to:info "socket".port
   link.filler = assert(lsocket.connect("udp", "127.0.0.1", link.port))
   link.from = of.unconnected and assert(lsocket.bind("udp", "127.0.0.1", 0)) or link.filler
   for _, sock in ipairs{ link.from, link.filler, link.to } do cref.udp_room(sock:getfd()) end
   link.noise = lib.noise(of.size * dgram.COUNT)
   link.messages = {}
   for i = 1, dgram.COUNT do link.messages[i] = link.noise:sub(of.size * (i - 1) + 1, of.size * i) end
   return link
end

-- Datagrams with bytes that no string has held before.
local seed = 0
function Link:fill(count)
   seed = seed + 1
   cref.udp_fill(self.filler:getfd(), count, self.size, seed, self.burst)
end

function Link:expect(count)
   local bytes = cref.udp_drain(self.to:getfd())
   assert(bytes == count * self.size, "datagrams were lost")
end

-- A library for lib.alternate. loop(n) takes n datagrams from where the source sends to; before, that many are sent
-- there, and after it as many as left must have come to the sink.
function dgram.library(name, loop, source, ahead, sink, left)
   return { name = name, run = function(n, watch)
      for _ = 1, n, source.step do
         source:fill(ahead)
         watch:start()
         loop(source.step)
         watch:stop(source.step)
         sink:expect(left)
      end
   end }
end

-- The same for a loop that sends n and receives n. It receives what C has sent, so no string that Lua has got.
function Link:library(name, loop)
   return dgram.library(name, loop, self, self.ahead, self, self.ahead)
end

function Link:add(name, loop)
   table.insert(self.libraries, self:library(name, loop))
end

function Link:measure(workload, what)
   dgram.measure(workload, what, self.size, self.libraries)
end

function dgram.measure(workload, what, size, libraries)
   collectgarbage()
   lib.alternate{ workload = workload, cases = { ("%s, %d bytes"):format(what, size) }, libraries = libraries }
end

return dgram
