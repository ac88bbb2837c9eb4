-- forkserver.lua BACKEND ROUNDS: a server with a poller that serves on while so many children close, collect and end.
-- By itself, as a fork takes the longer the more memory a process has. Prints how many clients were served.
local lsocket = require "lsocket"
local forking = require "spec.forking"
local helper = require "spec.helper"

local BACKEND, ROUNDS = arg[1], tonumber(arg[2])

local listener, port = helper.bind("127.0.0.1", 0)
local near, far = assert(lsocket.pair())
local server = assert(lsocket.poller(BACKEND))
local clients = {}
local served = 0
forking.need()
assert(server:add(listener, "r"))

local function none_is_ready()
  assert(server:wait(0) == false, "something is ready")
end

local function await(sock)
  local readable = assert(server:wait(helper.patience))
  assert(#readable == 1 and readable[1] == sock, "another one is readable")
end

-- What a child does with what it has inherited.
local ends = {
  function() for _, sock in ipairs { listener, near, far } do sock:close() end end,
  function()
    server, listener, clients = nil, nil, nil
    collectgarbage()
    collectgarbage()
  end,
  function() end,
  function() server:close() end,
  function()
    for client, sock in pairs(clients) do
      client:close()
      sock:close()
    end
    assert(server:remove(listener))
  end,
  function()
    none_is_ready()
    for _, sock in pairs(clients) do sock:close() end
    assert(#server == 1)
  end,
}

local function serve()
  local client = assert(lsocket.connect("127.0.0.1", port))
  await(listener)
  local sock = assert(listener:accept())
  assert(server:add(sock, "r"))
  clients[client] = sock
  return client, sock
end

local function answer(client, sock)
  assert(client:send "x")
  await(sock)
  assert(sock:recv() == "x")
  none_is_ready()
  served = served + 1
end

local stays, its = serve()
for round = 1, ROUNDS do
  local client, sock = serve()
  forking.run(ends[round % #ends + 1])
  answer(client, sock)
  clients[client] = nil
  sock:close()
  client:close()
  assert(#server == 2, "the poller knows others")
end
answer(stays, its)
print(served)
