-- An echo server for many TCP clients at once: what a client sends comes back, and a slow client holds up nobody.
-- Usage: lua tcp_server.lua [6] [port]        6: IPv6; port 0: one that is free; without a port: 16001
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local server = assert(lsocket.bind(address, arg[1] or 16001))
print(("listening on %s port %d"):format(address, server:info("socket").port))

local clients = {} -- socket -> { name = text, unsent = what it sent and did not get back yet }

local function welcome()
  local sock, from, port = server:accept() -- false: the client has gone again
  if sock then
    clients[sock] = { name = from .. " port " .. port, unsent = "" }
    print(clients[sock].name .. ": connected")
  elseif sock == nil then
    print("cannot accept: " .. from)
    lsocket.select(0.1) -- out of descriptors, perhaps, and the client still waits: do not spin
  end
end

local function drop(sock, reason)
  print(clients[sock].name .. ": " .. reason)
  clients[sock] = nil
  sock:close()
end

-- Reads from a client to which nothing is unsent, and sends what there is room for. So a client that does not read
-- is not read from either, and what a client sends before it closes its side still comes back.
local function serve(sock, client)
  if client.unsent == "" then
    local data, message = sock:recv() -- false: nothing there after all; nil alone: the end
    if data == nil then return drop(sock, message or "closed") end
    client.unsent = data or ""
  end
  local count, message = sock:send(client.unsent) -- false: no room now; the count may be less than all
  if count == nil then return drop(sock, message) end
  client.unsent = client.unsent:sub((count or 0) + 1)
end

while true do
  local reads, writes = { server }, {}
  for sock, client in pairs(clients) do
    local list = client.unsent == "" and reads or writes
    list[#list + 1] = sock
  end
  local readable, writable = assert(lsocket.select(reads, writes))
  for _, sock in ipairs(writable) do serve(sock, clients[sock]) end
  for _, sock in ipairs(readable) do
    if sock == server then welcome() else serve(sock, clients[sock]) end
  end
end
