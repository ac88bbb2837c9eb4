-- A relay for UDP: what clients send to its port goes to a server, and the answers to the client that spoke last.
-- Datagrams move in batches. Only the last of a batch becomes a Lua string, on the way to its sender's address.
-- Usage: lua udp_relay.lua server-address server-port [port]       port 0: one that is free; without it: 16002
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
if not arg[2] then
  io.stderr:write("usage: udp_relay.lua server-address server-port [port]\n")
  os.exit(1)
end
local address = arg[1]:find(":", 1, true) and "::1" or "127.0.0.1"
local clients = assert(lsocket.bind("udp", address, arg[3] or 16002))
local server = assert(lsocket.connect("udp", arg[1], arg[2]))
print(("listening on %s port %d"):format(address, clients:info("socket").port))

-- Let the kernel put datagrams together, where it can; elsewhere this fails, and nothing else changes.
for _, sock in ipairs { clients, server } do
  sock:setopt("gro", true)
  sock:setopt("segment", 1400)
end

local batch = lsocket.batch(32)
local last = {} -- the client that spoke last

-- Moves all that waits. "to" as sendmany takes it: nothing for a connected socket's peer.
local function move(from, sock, to, port)
  local count, message = from:recvmany(batch)
  if count == nil then print("cannot receive: " .. message) end
  if from == clients and count then
    local _, client, client_port = batch:get(#batch)
    last.address, last.port = client, client_port
  end
  while #batch > 0 do
    local sent, problem = sock:sendmany(batch, to, port)
    if sent == false then lsocket.select(nil, { sock }) end -- no room: wait for it
    if sent == nil then print("lost one datagram: " .. problem) end
  end
end

while true do
  for _, sock in ipairs(assert(lsocket.select({ clients, server }))) do
    if sock == clients then move(clients, server) else move(server, clients, last.address, last.port) end
  end
end
