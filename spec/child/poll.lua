-- Calls select in several forms while the system call is made to fail, and prints what comes of it.
local lsocket = require "lsocket"

local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))

local function report(ready, message, name)
  print(tostring(ready) .. ", " .. tostring(message) .. ", " .. tostring(name))
end

report(lsocket.select { sock })
report(lsocket.select({ sock }, { sock }, 1))
report(lsocket.select(0.1))
report(lsocket.select({ sock }, -1))
