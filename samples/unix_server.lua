-- An echo server on a unix domain socket, for many clients. It removes its file when Ctrl-C or SIGTERM ends it; what a
-- server leaves behind that was killed, the next one removes (unlink = true).
-- Usage: lua samples/unix_server.lua [path [seconds]]    "@name" is a name without a file (Linux); /tmp/lsocket.sock
-- seconds: a client with which nothing moves for so long is let go (60)
local lsocket = require "lsocket"

local MOST = 500 -- clients at a time; more of them wait in the backlog

local function fail(message)
  io.stderr:write("unix_server: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local path, patience = arg[1] or "/tmp/lsocket.sock", tonumber(arg[2] or 60)
local is_file = not path:find("^@")
if is_file and not path:find("/") then path = "./" .. path end -- the slash makes it a path

local usage = "usage: unix_server.lua [path [seconds]]"
if not patience then fail(usage) end -- before there is a file
local ok, server, problem = pcall(lsocket.bind, { address = path, backlog = 128, unlink = true })
if not ok then fail(usage) end
if not server then fail(path .. ": " .. problem) end
local signals = assert(lsocket.signals("INT", "TERM"))
print("listening on " .. server:info("socket").addr)

local clients, accepted = {}, 0 -- socket -> { name =, moved = when, unsent = what it did not get back yet }

local function welcome()
  local sock, message = server:accept() -- a unix client has no address to show
  if sock then
    accepted = accepted + 1
    clients[sock] = { name = "client " .. accepted, moved = lsocket.now(), unsent = "" }
    print(clients[sock].name .. ": connected")
  elseif sock == nil then
    print("cannot accept: " .. message)
    lsocket.select(0.1) -- out of descriptors, perhaps, and the client still waits: do not spin
  end
end

local function drop(sock, reason)
  print(clients[sock].name .. ": " .. reason)
  clients[sock] = nil
  sock:close()
end

-- Reads from a client to which nothing is unsent, and sends what there is room for: see tcp_server.lua.
local function serve(sock, client)
  if client.unsent == "" then
    local data, message = sock:recv()
    if data == nil then return drop(sock, message or "closed") end
    client.unsent = data or ""
  end
  local count, message = sock:send(client.unsent)
  if count == nil then return drop(sock, message) end
  client.unsent = client.unsent:sub((count or 0) + 1)
  if count then client.moved = lsocket.now() end
end

local function step()
  local reads, writes, now = { signals }, {}, lsocket.now()
  for sock, client in pairs(clients) do
    local list = client.unsent == "" and reads or writes
    if now - client.moved > patience then drop(sock, "silent for too long") else list[#list + 1] = sock end
  end
  if #reads + #writes <= MOST then reads[#reads + 1] = server end
  local readable, writable, name = lsocket.select(reads, writes, 1)
  if readable == nil then return assert(name == "EINTR", writable) end -- another signal
  for _, sock in ipairs(writable or {}) do serve(sock, clients[sock]) end
  for _, sock in ipairs(readable or {}) do
    if sock == server then welcome() elseif sock ~= signals then serve(sock, clients[sock]) end
  end
end

repeat
  step()
  local signal = signals:next()
until signal
if is_file then os.remove(path) end
