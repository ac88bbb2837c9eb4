-- What the specs of the edges of streams share.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local helper = require "spec.helper"

local edges = {}

-- Runs a function, for no longer than helper.patience, with two streams that are connected to each other.
function edges.run(fn, options)
  return loop.run(loop.deadline, helper.patience, function()
    local a, b = assert(lsocket.pair())
    return fn(stream.new(a, options), stream.new(b, options))
  end)
end

function edges.later(seconds, fn, ...)
  return loop.spawn(function(...)
    loop.sleep(seconds)
    return fn(...)
  end, ...)
end

-- Calls, and tells how long that took beside the results.
function edges.timed(fn, ...)
  local began = loop.now()
  local results = helper.pack(fn(...))
  results.seconds = loop.now() - began
  return results
end

return edges
