-- Prints its process id, connects to the unix path that is given, and ends.
local lsocket = require "lsocket"
local process = require "spec.process"

print(process.pid())
assert(lsocket.connect(arg[1]))
