-- An echo server for many TCP clients at once: what a client sends comes back, and a slow client holds up nobody.
-- Usage: lua samples/tcp_server.lua [6] [port [seconds]]    6: IPv6; port 0: one that is free; without a port: 16001
-- seconds: a client with which nothing moves for so long is let go (60)
local lsocket = require "lsocket"

local MOST = 500 -- clients at a time; more of them wait in the backlog

local function fail(message)
  io.stderr:write("tcp_server: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port, patience = arg[1] or 16001, tonumber(arg[2] or 60)
local ok, server, problem = pcall(lsocket.bind, address, port, 128) -- which raises where the port is none
if not ok or not patience then fail("usage: tcp_server.lua [6] [port [seconds]]") end
if not server then fail(("%s port %s: %s"):format(address, port, problem)) end
print(("listening on %s port %d"):format(address, server:info("socket").port))

local clients = {} -- socket -> { name = text, moved = when, unsent = what it sent and did not get back yet }

local function welcome()
  local sock, from, number = server:accept() -- false: the client has gone again
  if sock then
    clients[sock] = { name = from .. " port " .. number, moved = lsocket.now(), unsent = "" }
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
  if count then client.moved = lsocket.now() end
end

while true do
  local reads, writes, now = {}, {}, lsocket.now()
  for sock, client in pairs(clients) do
    local list = client.unsent == "" and reads or writes
    if now - client.moved > patience then drop(sock, "silent for too long") else list[#list + 1] = sock end
  end
  if #reads + #writes < MOST then reads[#reads + 1] = server end
  local readable, writable = lsocket.select(reads, writes, 1) -- at most a second: then look who is silent
  if readable == nil then fail(writable) end
  for _, sock in ipairs(writable or {}) do serve(sock, clients[sock]) end
  for _, sock in ipairs(readable or {}) do
    if sock == server then welcome() else serve(sock, clients[sock]) end
  end
end
