-- Ends while sockets have layers, some of which are older than the library of those.
local lsocket = require "lsocket"
local made = { assert(lsocket.pair()) }
local other = { assert(lsocket.pair()) }
made[1], made[2] = lsocket.pair()
other[1], other[2] = lsocket.pair()
local toy = require "spec.layer.toy"
toy.need(error)
assert(toy.start(made[1], "ready"))
assert(toy.start(other[1], "ready"))
made[1]:send "x"
LEFT = { made, other } -- luacheck: globals LEFT
print "ready"
