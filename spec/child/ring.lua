-- Whether there is a ring, in a process of its own, for whoever forbids it; and that everything else works then.
local lsocket = require "lsocket"
local process = require "spec.process"

local before = process.opened()
local ring, message, name = lsocket.ring()
print(ring and "a ring" or "none", message, name)
if not ring then print(process.opened() - before .. " more") end

local a, b = lsocket.pair()
local poller = lsocket.poller()
poller:add(a, "r")
b:send "x"
print(#poller:wait(5), a:recv())
