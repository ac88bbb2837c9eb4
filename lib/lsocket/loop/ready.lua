-- Waiting for anything to be ready: a stream, a socket, whatever has a descriptor.
local check = require "lsocket.loop.check"
local streams = require "lsocket.loop.streams"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local ready = {}

-- loop.wait(object, events [, timeout]) -> "r" | "w" | false | nil, message, name
function ready.wait(object, events, timeout)
  check.events(events, 2, "wait")
  if timeout ~= nil then check.number(timeout, 3, "wait") end
  waits.this()
  local stream = streams.is(object)
  local watch = stream or watches.find(object, "wait")
  if not watch or stream and (stream.closing or stream:getfd() < 0) then return nil, "Bad file descriptor", "EBADF" end
  if stream and events ~= "w" and not stream.r and streams.is_filled(stream) then
    local ok, message, name = waits.pause()
    if ok then return "r" end
    return nil, message, name
  end
  return watches.wait_for(watch, events, timeout)
end

return ready
