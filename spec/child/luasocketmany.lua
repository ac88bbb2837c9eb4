-- socket.select of so many sockets, of which one is readable, in plain code and in a task: how many it reports.
-- luasocketmany.lua COUNT
local loop = require "lsocket.loop"
local socket = require "lsocket.luasocket"

local sockets = {}
for i = 1, tonumber(arg[1]) do
  sockets[i] = assert(socket.udp4())
  assert(sockets[i]:setsockname("127.0.0.1", 0))
end
local _, port = sockets[#sockets]:getsockname()
assert(sockets[1]:sendto("x", "127.0.0.1", port))

local function count()
  local readable = socket.select(sockets, nil, 10)
  assert(readable[1] == sockets[#sockets] and readable[sockets[#sockets]] == 1)
  return #readable
end

print("alone " .. count())
sockets[#sockets]:receive()
loop.run(function()
  loop.spawn(function() sockets[1]:sendto("x", "127.0.0.1", port) end)
  print("task " .. count())
end)
