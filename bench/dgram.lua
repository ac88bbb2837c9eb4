-- Pairs of UDP sockets for the workloads that measure datagrams.
local lib = require "bench.lib"
local cref = require "cref"
local lsocket = require "lsocket"

local dgram = {}

dgram.COUNT = 1024 -- different messages
local AHEAD = 128 -- datagrams that wait before a loop begins, and that it exchanges

local Link = {}
Link.__index = Link

-- Two sockets, the first of which sends to the second, connected to it unless told otherwise; messages of that size to
-- send; and the libraries to measure.
function dgram.link(size, unconnected)
   local to = assert(lsocket.bind("udp", "127.0.0.1", 0))
   local port = to:info "socket".port
   local from = assert(lsocket.connect("udp", "127.0.0.1", port))
   local link = { size = size, from = from, to = to, port = port, filler = from, libraries = {} }
   if unconnected then link.from = assert(lsocket.bind("udp", "127.0.0.1", 0)) end
   for _, sock in ipairs{ link.from, from, to } do cref.udp_room(sock:getfd()) end
   link.noise = lib.noise(size * dgram.COUNT)
   link.messages = {}
   for i = 1, dgram.COUNT do link.messages[i] = link.noise:sub(size * (i - 1) + 1, size * i) end
   return setmetatable(link, Link)
end

-- Datagrams with bytes that no string has held before; they come to the link's end.
local seed = 0
function Link:fill(count)
   seed = seed + 1
   cref.udp_fill(self.filler:getfd(), count, self.size, seed)
end

function Link:expect(count)
   local bytes = cref.udp_drain(self.to:getfd())
   assert(bytes == count * self.size, "datagrams were lost")
end

-- Adds a library: loop(n) exchanges n datagrams. Some wait before, so that what is received is what C has sent then, and
-- no string that Lua has got; those that the loop sends are left at its end.
function Link:add(name, loop)
   table.insert(self.libraries, { name = name, run = function(n, watch)
      for _ = 1, n, AHEAD do
         self:fill(AHEAD)
         watch:start()
         loop(AHEAD)
         watch:stop(AHEAD)
         self:expect(AHEAD)
      end
   end })
end

function Link:measure(workload, what)
   lib.alternate{ workload = workload, cases = { ("%s, %d bytes"):format(what, self.size) }, libraries = self.libraries }
end

return dgram
