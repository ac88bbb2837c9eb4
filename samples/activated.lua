-- An echo server that systemd starts for its first client: it serves the sockets that it is passed, or else binds one
-- itself, and ends when nobody has been there for a while. The unit files for it are in doc/descriptors.md.
-- Usage: lua activated.lua [address [port [seconds]]]        default: 127.0.0.1 8001 60
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local address, port, patience = arg[1] or "127.0.0.1", arg[2] or 8001, tonumber(arg[3] or 60)

local poller = assert(lsocket.poller())
local clients = 0

-- Each object is registered with a function, to be called when there is something to do.
local function serve(client)
  local unsent = ""
  local function leave()
    clients = clients - 1
    client:close() -- and so it leaves the poller
  end
  clients = clients + 1
  assert(poller:add(client, "r", function()
    if unsent == "" then
      local data = client:recv()
      if data == nil then return leave() end
      unsent = data or ""
    end
    local count = client:send(unsent)
    if count == nil then return leave() end
    unsent = unsent:sub((count or 0) + 1)
    assert(poller:modify(client, unsent == "" and "r" or "w"))
  end))
end

local function listen(listener, name)
  local here = assert(listener:info("socket"))
  print(name .. ": " .. here.addr .. " " .. (here.port or ""))
  assert(poller:add(listener, "r", function()
    local client, message = listener:accept()
    if client then serve(client)
    elseif client == nil then print("cannot accept: " .. message) end
  end))
end

local passed, names = assert(lsocket.listenfds())
for i, listener in ipairs(passed) do listen(listener, names[i]) end
if #passed == 0 then listen(assert(lsocket.bind(address, port)), "listening") end

while true do
  local readable, writable, name = poller:wait(patience)
  if readable then
    for _, work in ipairs(readable) do work() end
    for _, work in ipairs(writable) do work() end
  elseif readable == nil then
    if name ~= "EINTR" then error(writable) end
  elseif clients == 0 then
    break -- the next client makes systemd start it again
  end
end
print("nobody there")
