-- Says what the loop waits with, and sends a word through it.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"

loop.run(function()
  local one, two = lsocket.pair()
  local a, b = stream.new(one), stream.new(two)
  loop.spawn(a.write, a, "pong")
  print(loop.engine() .. ": " .. assert(b:readexactly(4)))
end)
