-- Wrapped sockets for specs, and the tasks that use them.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local inloop = require "spec.inloop"

local wraps = {}

wraps.run = inloop.run

function wraps.wrap(sock)
  return assert(loop.wrap(sock))
end

-- Two wrapped sockets that are connected to each other, and the sockets.
function wraps.pair(kind)
  local a, b = assert(lsocket.pair(kind or "seqpacket"))
  return wraps.wrap(a), wraps.wrap(b), a, b
end

-- Starts a task, and lets it run up to where it waits.
function wraps.start(fn, ...)
  local task = loop.spawn(fn, ...)
  loop.sleep(0)
  return task
end

-- Sends records until there is no room: how many.
function wraps.fill(sock, record)
  local count = 0
  while sock:send(record or "x") do count = count + 1 end
  return count
end

return wraps
