-- Binds what it is told to, and prints what comes of it.
local lsocket = require "lsocket"

local sock, message, name = lsocket.bind(arg[1], arg[2])
print(sock and "bound" or ("nil " .. message .. " " .. name))
