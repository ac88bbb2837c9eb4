-- An echo server that systemd starts for its first client: it serves the sockets that it is passed, or else binds one
-- itself, and ends when nobody has been there for a while. The unit files for it are in doc/descriptors.md.
-- Usage: lua samples/activated.lua [address [port [seconds]]]    127.0.0.1 8001 60; so long a client may be silent, too
local lsocket = require "lsocket"

local MOST = 500 -- clients at a time; one more is turned away

local function fail(message)
  io.stderr:write("activated: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address, port, patience = arg[1] or "127.0.0.1", arg[2] or 8001, tonumber(arg[3] or 60)
if not patience then fail("usage: activated.lua [address [port [seconds]]]") end

local poller = lsocket.poller() or fail("no poller")
local clients, count, moved = {}, 0, lsocket.now() -- clients: socket -> when it last moved; moved: anybody

local function leave(client)
  if not clients[client] then return end -- what has failed is both readable and writable
  count = count - 1
  clients[client] = nil
  client:close() -- and so it leaves the poller
end

-- Each object is registered with a function, to be called when there is something to do.
local function serve(client)
  local unsent = ""
  count = count + 1
  clients[client] = moved
  local added = poller:add(client, "r", function()
    if unsent == "" then
      local data = client:recv()
      if data == nil then return leave(client) end
      unsent = data or ""
    end
    local sent = client:send(unsent)
    if sent == nil then return leave(client) end
    if sent then clients[client] = moved end
    unsent = unsent:sub((sent or 0) + 1)
    poller:modify(client, unsent == "" and "r" or "w")
  end)
  if not added then leave(client) end
end

local function listen(listener, name)
  local here = listener:info("socket")
  print(name .. ": " .. here.addr .. " " .. (here.port or ""))
  local added, problem = poller:add(listener, "r", function()
    local client, message = listener:accept()
    if client and count < MOST then serve(client) end -- else it is collected, and so closed
    if client == nil then
      print("cannot accept: " .. message)
      lsocket.select(0.1) -- out of descriptors, perhaps, and the client still waits: do not spin
    end
  end)
  if not added then fail(problem) end
end

local passed, names = lsocket.listenfds()
if not passed then fail("what was passed: " .. names) end
for i, listener in ipairs(passed) do listen(listener, names[i]) end
if #passed == 0 then
  local ok, listener, problem = pcall(lsocket.bind, address, port, 128) -- which raises where the port is none
  if not ok then fail("usage: activated.lua [address [port [seconds]]]") end
  listen(listener or fail(("%s port %s: %s"):format(address, port, problem)), "listening")
end

while count > 0 or lsocket.now() - moved < patience do -- the next client makes systemd start it again
  local readable, writable, name = poller:wait(math.min(patience, 1))
  if readable == nil and name ~= "EINTR" then fail(writable) end
  if readable then moved = lsocket.now() end
  for _, work in ipairs(readable or {}) do work() end
  for _, work in ipairs(readable and writable or {}) do work() end
  for client, when in pairs(clients) do
    if lsocket.now() - when > patience then leave(client) end
  end
end
print("nobody there")
