-- In a network namespace of its own with few local ports: connects until there are none left, and says what connect,
-- bind and the loop's connect answer then, and after one has been given back.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"

local listener = assert(lsocket.bind("127.0.0.1", 50000, 100)) -- outside of the range
local socks = {}

local function connect()
  local sock, message, name = lsocket.connect("127.0.0.1", 50000)
  if sock then socks[#socks + 1] = sock end
  return sock, message, name
end

local function give_back()
  local sock = table.remove(socks)
  assert(sock:setopt("linger", 0)) -- nor is it kept in TIME_WAIT
  sock:close()
end

local function report(what, ...)
  print(what, select("#", ...), (...) == nil, (select(3, ...)))
end

local ok, message, name
repeat ok, message, name = connect() until not ok
print(#socks .. " connections")
report("connect", ok, message, name)
report("bind", lsocket.bind("127.0.0.1", 0))
report("loop.connect", loop.run(loop.connect, "127.0.0.1", 50000))
give_back()
assert(connect())
report("connect", connect())
give_back()
assert(loop.run(loop.connect, "127.0.0.1", 50000)):close()
for _ = 1, #socks do assert(listener:accept()) end
