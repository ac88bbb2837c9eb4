-- Sending and receiving datagrams: the same for UDP and unix domain sockets.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local errors = require "lsocket.luasocket.errors"
local quick = require "lsocket.luasocket.quick"
local waiting = require "lsocket.luasocket.waiting"

local datagrams = {}

local SIZE = 8192 -- bytes that are received, unless others are wanted

local wait = waiting.wait
local left = waiting.CALLS -- calls that need not wait until the others have their turn

local metatable = getmetatable(classes.closed)
local send, methods = metatable.__send, metatable.__index -- __send: see "LuaSocket's interface" in doc/design.md
local recv, recvfrom, send_to = methods.recv, methods.recvfrom, methods.sendto

-- The system refuses a datagram in place of the peer.
local function refused(message, name)
  local text = errors.transfer(message, name)
  return text == "closed" and "refused" or text
end

-- A pause that is due: nil | text: what has ended it
local function rest()
  local text
  left, text = quick.share()
  return text
end

-- Goes on after a call of a socket's method that has given no result: result, ... | nil, text
local function go_on(self, events, method, a, b, c, result, message, name)
  local due, ok
  while result == false do
    ok, due = wait(self, events, due)
    if not ok then return nil, due end
    result, message, name = method(self.object, a, b, c)
  end
  if result then return result, message, name end
  if name == "EBADF" and events == "r" then return "" end -- as LuaSocket does
  return nil, refused(message, name)
end

local function receive_on(self, size, data, message, name)
  data, message = go_on(self, "r", recv, size or SIZE, nil, nil, data, message, name)
  if data then return data end
  return nil, message
end

-- udp:receive([size]) -> data | nil, text
local function receive(self, size)
  local calls = left - 1
  left = calls
  if calls < 0 then
    local text = rest()
    if text then return nil, text end
  end
  size = size and arguments.integer(size, 1, "receive") or SIZE
  local data, message, name = recv(self.object, size)
  if data then return data end
  return receive_on(self, size, data, message, name)
end
datagrams.receive = quick.method("receive", receive, receive_on)

local function receivefrom_on(self, size, data, address, port)
  return go_on(self, "r", recvfrom, size or SIZE, nil, nil, data, address, port)
end

-- udp:receivefrom([size]) -> data, address, port | nil, text
local function receivefrom(self, size)
  local calls = left - 1
  left = calls
  if calls < 0 then
    local text = rest()
    if text then return nil, text end
  end
  size = size and arguments.integer(size, 1, "receivefrom") or SIZE
  local data, address, port = recvfrom(self.object, size)
  if data then return data, address, port end
  return receivefrom_on(self, size, data, address, port)
end
datagrams.receivefrom = quick.method("receivefrom", receivefrom, receivefrom_on)

local function send_on(self, data, sent, message, name)
  data = arguments.text(data, 1, "send")
  return go_on(self, "w", send, data, nil, nil, sent, message, name)
end

-- udp:send(data) -> bytes | nil, text
local function send_one(self, data)
  local calls = left - 1
  left = calls
  if calls < 0 then
    local text = rest()
    if text then return nil, text end
  end
  local sent, message, name = send(self.object, data)
  if sent then return sent end
  return send_on(self, data, sent, message, name)
end
datagrams.send = quick.method("send", send_one, send_on)

-- What is left of sendto: see quick.method.
function datagrams.sendto_on(self, data, address, port, sent, message, name)
  return go_on(self, "w", send_to, data, address, port, sent, message, name)
end

-- udp:sendto(data, address, port), after those have been checked
function datagrams.sendto(self, data, address, port)
  local calls = left - 1
  left = calls
  if calls < 0 then
    local text = rest()
    if text then return nil, text end
  end
  check.data(data, 1, "sendto")
  local sent, message, name = send_to(self.object, data, address, port)
  if sent then return sent end
  return datagrams.sendto_on(self, data, address, port, sent, message, name)
end

return datagrams
