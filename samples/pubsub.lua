-- A broker for the programs of one user, on a unix domain socket: what one publishes about a topic, all hear that have
-- subscribed to it. Clients send lines: "sub TOPIC", "unsub TOPIC", "pub TOPIC TEXT"; subscribers get "TOPIC TEXT".
-- Usage: lua samples/pubsub.lua path        then several times: nc -U path
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local WAITING = 1000 -- messages that may wait for a client that does not read them; then it has to go
local TOPICS = 100   -- that a client may subscribe to

local subscribers = {} -- topic -> set of clients: { stream, queue, topics: a set, count: how many }

local function unsubscribe(client, topic)
  if not client.topics[topic] then return end
  client.topics[topic], client.count = nil, client.count - 1
  subscribers[topic][client] = nil
  if not next(subscribers[topic]) then subscribers[topic] = nil end
end

local function send(client, ...) -- the others do not wait for one that is too slow
  if client.queue:count() == WAITING then return client.stream:close() end
  client.queue:put(table.concat({ ... }, " ") .. "\n")
end

local function subscribe(client, topic)
  if client.topics[topic] then return end
  if client.count == TOPICS then return send(client, "error: too many topics") end
  client.topics[topic], client.count = true, client.count + 1
  subscribers[topic] = subscribers[topic] or {}
  subscribers[topic][client] = true
end

local function publish(_, topic, text)
  for client in pairs(subscribers[topic] or {}) do send(client, topic, text) end
end

local commands = { sub = subscribe, unsub = unsubscribe, pub = publish }
local function refuse(client) send(client, "error: what?") end

local function deliver(client)
  local text = client.queue:get()
  while text and client.stream:write(text) do text = client.queue:get() end
end

local function converse(client)
  local line = client.stream:read()
  while line do
    local word, topic, text = line:match("^(%l+) (%S+) ?(.*)$")
    local command = commands[word] or refuse
    command(client, topic, text)
    line = client.stream:read()
  end
end

local function talk(stream)
  local client = { stream = stream, queue = loop.queue(WAITING), topics = {}, count = 0 }
  local writer = loop.spawn(deliver, client)
  converse(client)
  for topic in pairs(client.topics) do unsubscribe(client, topic) end
  client.queue:close()
  writer:join()
end

local function fail(message)
  io.stderr:write("pubsub: ", message, "\n")
  os.exit(1)
end

local path = arg[1] or fail("usage: pubsub.lua path")
if not path:find("[/@]") then path = "./" .. path end -- the slash makes it a path

loop.run(function()
  local options = { limit = 1000, max = 8192, unlink = true, mode = not path:find("^@") and "600" or nil }
  local server, message = loop.serve(path, talk, options) -- unlink: removes what one that was killed has left
  if not server then fail(message) end
  local signals = assert(loop.signals("TERM", "INT"))
  print("listening on " .. path)
  print((signals:wait()))
  if not path:find("^@") then os.remove(path) end
  os.exit(0)
end)
