-- Chooses the interface of multicast twice and asks for it, while the system fails, and prints what comes of it.
local lsocket = require "lsocket"

local sock = assert(lsocket.connect("udp", "127.0.0.1", 9))
print(sock:setopt("mcastif", "lo"))
print(sock:setopt("mcastif", "lo"))
print(sock:getopt "mcastif")
