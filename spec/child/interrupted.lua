-- Waits for single sockets while calls are interrupted, and prints what each wait answers.
local lsocket = require "lsocket"

local near, far = assert(lsocket.pair())
far:send "x"
print(near:wait "r")
print(near:wait("rw", 10))
near:recv()
local started = lsocket.now()
print(near:wait("r", 0.05))
print(lsocket.now() - started >= 0.05)
