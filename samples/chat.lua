-- A chat: what one says, all hear. The first line is one's name.
-- Usage: lua samples/chat.lua [port]       port 0: one that is free; then several times: nc 127.0.0.1 16005
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local IDLE = 3600    -- seconds that one may say nothing
local MOST = 262144  -- bytes that may wait for one who does not read them; then he has to go
local members = {}   -- name -> { client, queue: what waits for him, size: its bytes, writing, gone }

-- Writes what waits for a member, and what is said meanwhile. One who reads slowly holds up this
-- task, and no other.
local function deliver(member)
  while member.queue[1] do
    local text = table.concat(member.queue)
    member.queue = {}
    if not member.client:write(text) then break end
    member.size = member.size - #text
  end
  member.writing = false
end

local function tell(member, text)
  if member.gone then return end
  member.size = member.size + #text
  if member.size > MOST then
    member.gone = "was too slow"
    member.client:close() -- which ends all waits for him
    return
  end
  table.insert(member.queue, text)
  if not member.writing then
    member.writing = true
    loop.spawn(deliver, member)
  end
end

local function tell_all(...)
  local text = table.concat({ ... }) .. "\n"
  for _, member in pairs(members) do tell(member, text) end
end

-- The first line; a stranger may send anything.
local function read_name(client)
  local name = client:read()
  if not name or #name > 20 or not name:find("^[%w._-]+$") then
    return nil, "letters and digits, please"
  end
  if members[name] then return nil, "somebody has that name" end
  return name
end

local function talk(client)
  client:write("your name? ")
  local name, problem = loop.deadline(30, read_name, client)
  if not name then return client:write(problem, "\n") end
  local member = { client = client, queue = {}, size = 0 }
  members[name] = member
  tell_all("+ ", name)
  local line = loop.deadline(IDLE, client.read, client)
  while line do
    tell_all(name, ": ", (line:gsub("%c", " ")))
    line = loop.deadline(IDLE, client.read, client) -- nil, too, when the line has more than the bytes that max allows
  end
  member.gone = member.gone or "has left"
  members[name] = nil
  tell_all("- ", name, " ", member.gone)
end

loop.run(function()
  local options = { limit = 1000, max = 1000, sndbuf = 65536 } -- sndbuf: the kernel's, for each
  local port, usage = arg[1] or 16005, "usage: chat.lua [port]"
  local ok, server, message = loop.pcall(loop.serve, "127.0.0.1", port, talk, options) -- raises where it is no port
  if not ok or not server then
    io.stderr:write("chat: ", ok and ("port %s: %s"):format(port, message) or usage, "\n")
    os.exit(1)
  end
  print(("listening on 127.0.0.1 port %d"):format(server:info("socket").port))
end)
