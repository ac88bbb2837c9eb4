-- Opens so many connections at once in one process, both ends of each, and uses them all.
-- The limit of descriptors is set by whoever starts it; prints how many sockets and the highest descriptor.
local lsocket = require "lsocket"

local count = tonumber(arg[1])
local patience = 30
local listeners, clients, servers, number_of = {}, {}, {}, {}
local highest = 0

for i = 1, 4 do listeners[i] = assert(lsocket.bind("127.0.0." .. i, 0, 100)) end

for i = 1, count do
  local which = i % 4 + 1
  local name = listeners[which]:info "socket"
  clients[i] = assert(lsocket.connect(name.addr, name.port))
  assert(lsocket.select({ listeners[which] }, patience))
  local server, address, port = assert(listeners[which]:accept())
  assert(address == "127.0.0.1" or address == name.addr)
  assert(port == clients[i]:info("socket").port)
  servers[i] = server
  number_of[server] = i
  highest = math.max(highest, server:getfd(), clients[i]:getfd())
end

-- Nothing to read anywhere, everything can be written.
assert(lsocket.select(servers, 0) == false)
local _, writable = assert(lsocket.select(nil, clients, 0))
assert(#writable == count)

-- One of them all: the last, with the highest descriptors.
assert(clients[count]:send "alone" == 5)
local ready = assert(lsocket.select(servers, patience))
assert(#ready == 1 and ready[1] == servers[count])
assert(servers[count]:recv() == "alone")

-- Every one of them.
for i = 1, count do assert(clients[i]:send("to " .. i)) end
local received = 0
while received < count do
  for _, server in ipairs(assert(lsocket.select(servers, patience))) do
    local i = number_of[server]
    assert(server:recv() == "to " .. i)
    assert(server:send("from " .. i))
    received = received + 1
  end
end
for i = 1, count do
  assert(lsocket.select({ clients[i] }, patience))
  assert(clients[i]:recv() == "from " .. i)
end

-- Read and write tables together, twice as many elements as there are sockets.
local all = {}
for i = 1, count do all[i], all[count + i] = clients[i], servers[i] end
local readable
readable, writable = lsocket.select(all, all, patience)
assert(#readable == 0 and #writable == 2 * count)

for i = 1, count do
  assert(clients[i]:close())
  assert(servers[i]:close())
end
print(("%d sockets, highest descriptor %d"):format(2 * count, highest))
