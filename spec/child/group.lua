-- Joins a group and sends to it, in whatever network it finds; says whether that was received.
local lsocket = require "lsocket"

local group = arg[1]
local receiver, _, name = lsocket.bind("mcast", group, 0)
if not receiver then
  print("failed: " .. name)
  os.exit(0)
end
local sender = assert(lsocket.connect("mcast", group, receiver:info("socket").port))
assert(sender:send "x" == 1)
assert(lsocket.select({ receiver }, 10))
assert(receiver:recv() == "x")
print("received on " .. receiver:info "socket".addr)
