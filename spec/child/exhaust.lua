-- Opens sockets until there are no descriptors left, and says what bind, connect and accept answer then.
-- The limit is set by whoever starts it.
local lsocket = require "lsocket"

local listener = assert(lsocket.bind("127.0.0.1", 0))
local port = listener:info("socket").port
local socks = { assert(lsocket.connect("127.0.0.1", port)) }

local function report(what, sock, message, name)
  assert(not sock)
  print(what .. ": " .. tostring(name) .. " " .. tostring(message))
end

for _ = 1, 1000 do
  local sock = lsocket.bind("udp", "127.0.0.1", 0)
  if not sock then break end
  socks[#socks + 1] = sock
end
report("bind", lsocket.bind("127.0.0.1", 0))
report("connect", lsocket.connect("127.0.0.1", port))
assert(lsocket.select({ listener }, 10))
report("accept", listener:accept())
socks[#socks]:close()
assert(listener:accept())
print "accepted after close"
