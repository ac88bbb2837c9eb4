-- Waits in a coroutine until Ctrl-C has come, and prints how the wait ended, or what error that was.
local lsocket = require "lsocket"

local near, far = lsocket.pair()
io.stdout:setvbuf "no"
print(pcall(coroutine.wrap(function()
  print "waits"
  return select(3, near:wait("r", 20))
end)))
far:close() -- which must not be collected before
