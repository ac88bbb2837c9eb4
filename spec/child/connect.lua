-- Connects to the port that is given, and ends.
local lsocket = require "lsocket"

local sock = assert(lsocket.connect("127.0.0.1", arg[1]))
assert(lsocket.select(nil, { sock }, 10))
assert(sock:status())
