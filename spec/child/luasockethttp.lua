-- 100 requests of socket.http as tasks, with a server that answers none before it has all, and a ticker beside them.
-- Prints how many were answered, and the most processor time in milliseconds from one tick to the next.
local loop = require "lsocket.loop"
require("lsocket.luasocket").install { pcall = true }
local socket = require "socket"
local http = require "socket.http"

local COUNT = 100
local ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
local arrived, answered = 0, 0
local all = loop.event()

local function answer(client)
  repeat until client:receive() == ""
  arrived = arrived + 1
  if arrived == COUNT then all:set() end
  all:wait()
  client:send(ANSWER)
  client:close()
end

local function serve(server)
  for _ = 1, COUNT do
    local client = assert(server:accept())
    loop.spawn(answer, client)
  end
end

local function ask(port)
  local body, code = http.request("http://127.0.0.1:" .. port .. "/")
  assert(body == "ok" and code == 200, code)
  answered = answered + 1
end

local longest = 0

local function tick()
  local before = os.clock()
  while answered < COUNT do
    loop.sleep(0.001)
    local now = os.clock()
    longest = math.max(longest, now - before)
    before = now
  end
end

loop.run(function()
  local server = assert(socket.bind("127.0.0.1", 0, COUNT))
  local _, port = server:getsockname()
  loop.spawn(tick)
  loop.spawn(serve, server)
  for _ = 1, COUNT do loop.spawn(ask, port) end
end)
print(answered, ("%.3f"):format(longest * 1000))
