-- A relay for UDP: what clients send to its port goes to a server, and the answers to the client that spoke last.
-- Datagrams move in batches. Only the last of a batch becomes a Lua string, on the way to its sender's address.
-- Usage: lua samples/udp_relay.lua server-address server-port [port [most]]       port 16008; 0: one that is free
-- most: datagrams that are passed on in a second, 10000; more are dropped. So what goes round in a circle, such as
-- between relays that have each other for a server, comes to an end.
local lsocket = require "lsocket"

local function fail(message)
  io.stderr:write("udp_relay: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address = (arg[1] or ""):find(":", 1, true) and "::1" or "127.0.0.1"
local port, most = arg[3] or 16008, tonumber(arg[4] or 10000)
local ok, clients, problem = pcall(lsocket.bind, "udp", address, port) -- which raises where the port is none
local fine, server, trouble = pcall(lsocket.connect, "udp", arg[1], arg[2])
local usage = "usage: udp_relay.lua server-address server-port [port [most]]"
if not ok or not fine or not arg[2] or not most then fail(usage) end
if not clients then fail(("%s port %s: %s"):format(address, port, problem)) end
if not server then fail(("%s port %s: %s"):format(arg[1], arg[2], trouble)) end

local function name_of(place) return place.addr .. " port " .. place.port end

local here, there = name_of(clients:info("socket")), name_of(server:info("peer"))
if here == there then fail(here .. ": a relay cannot be its own server") end
print("listening on " .. here)

-- Let the kernel put datagrams together, where it can; elsewhere this fails, and nothing else changes.
for _, sock in ipairs { clients, server } do
  sock:setopt("gro", true)
  sock:setopt("segment", 1400)
end

local batch = lsocket.batch(32)
local last = {} -- the client that spoke last
local second, moved = 0, 0 -- moved: datagrams in this second

local function is_too_much(count)
  local now = math.floor(lsocket.now())
  if now ~= second then second, moved = now, 0 end
  moved = moved + count
  return moved > most
end

-- Who has sent the batch; nil: the server, which is no client of its own.
local function speaker()
  local _, addr, number = batch:get(#batch)
  local place = { addr = addr, port = number }
  return name_of(place) ~= there and place or nil
end

-- Sends the batch. "to" as sendmany takes it: nothing for a connected socket's peer.
local function send(sock, to, number)
  while #batch > 0 do
    local sent, message = sock:sendmany(batch, to, number)
    if sent == nil then print("lost one datagram: " .. message) end
    if sent == false and not lsocket.select(nil, { sock }, 1) then batch:clear() end -- no room, and none comes
  end
end

while true do
  for _, sock in ipairs(lsocket.select({ clients, server }) or {}) do
    local count, message = sock:recvmany(batch)
    if count == nil then print("cannot receive: " .. message) end
    if not count or is_too_much(count) then batch:clear()
    elseif sock == server then
      if last.addr then send(clients, last.addr, last.port) else batch:clear() end
    else
      local client = speaker()
      last = client or last
      if client then send(server) else batch:clear() end
    end
  end
end
