-- An echo server on a unix domain socket, for many clients; its file is removed when the server ends.
-- Usage: lua unix_server.lua [path]        "@name" is a name without a file (Linux); default: /tmp/lsocket.sock
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local path = arg[1] or "/tmp/lsocket.sock"
local is_file = not path:find("^@")
if is_file and not path:find("/") then path = "./" .. path end -- the slash makes it a path

local server = assert(lsocket.bind { address = path, unlink = true }) -- a server that was killed leaves its file behind
print("listening on " .. server:info("socket").addr)

local clients, accepted = {}, 0 -- socket -> { name = text, unsent = what it sent and did not get back yet }

local function welcome()
  local sock, message = server:accept() -- a unix client has no address to show
  if sock then
    accepted = accepted + 1
    clients[sock] = { name = "client " .. accepted, unsent = "" }
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
end

local function run()
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
end

local _, reason = pcall(run) -- Ctrl-C arrives as an error
if is_file then os.remove(path) end
print(reason)
