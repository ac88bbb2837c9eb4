-- What TCP's and UDP's objects have in common: addresses of their ends, sockets made when they are needed.
local arguments = require "lsocket.luasocket.arguments"
local classes = require "lsocket.luasocket.classes"
local errors = require "lsocket.luasocket.errors"
local lsocket = require "lsocket"
local names = require "lsocket.luasocket.names"
local waiting = require "lsocket.luasocket.waiting"

local text_of, wait, pause = arguments.text, waiting.wait, waiting.pause
local connect, closed = lsocket.connect, classes.closed
local getfd, status = closed.getfd, closed.status

local inet = {}

-- A socket of that family, which for IPv6 has nothing to do with IPv4: socket | nil, text
function inet.open(protocol, family)
  local sock, message, name = lsocket.socket(protocol, family)
  if not sock then return nil, errors.text(message, name) end
  if family == "inet6" then sock:setopt("v6only", true) end
  return sock
end

-- An object of its own class with or without a descriptor: object | nil, text
function inet.new(class, protocol, family)
  local sock, text = classes.closed, nil
  if family then sock, text = inet.open(protocol, family) end
  if not sock then return nil, text end
  return classes.new(class, sock, family)
end

-- Has the object a socket of that family? If not, it gets one: true | nil, text
local function prepare(self, protocol, family)
  if self.family == family and getfd(self.object) >= 0 then return true end
  local sock, text = inet.open(protocol, family)
  if not sock then return nil, text end
  classes.replace(self, sock)
  self.family = family
  return true
end
inet.prepare = prepare

-- Calls try(self, address, port, family) with the addresses of a place, until one does not fail. The place
-- is what names.place gives.
local function try_all(self, try, list, port)
  if not list then return nil, port end
  local ok, text
  for i = 1, #list do
    local record = list[i]
    ok, text = try(self, record.addr, port, record.family)
    if ok or text == "timeout" and self.block == 0 then break end
  end
  return ok, text
end
inet.try = try_all

-- ---- this end ----

-- A function that gives an object an address: true | nil, text
local function binding(protocol)
  return function(self, address, port, family)
    local ok, text = prepare(self, protocol, family)
    if not ok then return nil, text end
    local message, name
    ok, message, name = self.object:bind(address, port)
    if ok then return true end
    return nil, errors.text(message, name)
  end
end
inet.bind_tcp, inet.bind_udp = binding "tcp", binding "udp"

-- object:bind(address, port): 1 | nil, text
function inet.binder(protocol, called)
  local bind = binding(protocol)
  return function(self, address, port)
    address, port = text_of(address, 1, called), text_of(port, 2, called)
    local ok, text = try_all(self, bind, names.local_place(address, port, protocol, self.family))
    if ok then return 1 end
    return nil, text
  end
end

-- ---- the other end ----

-- Waits until the connection is made: true | nil, text
local function await(self)
  local ok, text = wait(self, "rw")
  if ok == "w" then return true end -- a failure would have been both
  if not ok then return nil, text end
  local message, name
  ok, message, name = status(self.object)
  if ok then -- where many tasks have connected at once, a timer does not wait for what they all do next
    text = pause()
    if text then return nil, text end
    return true
  end
  return nil, errors.text(message, name)
end

-- Begins a connection, of an object that has a descriptor: true | nil, text
local function begin(self, address, port, family)
  local ok, text = prepare(self, "tcp", family)
  if not ok then return nil, text end
  local message, name
  ok, message, name = self.object:connect(address, port)
  if ok then return true end
  return nil, errors.text(message, name), name
end

-- The same of one that has none.
local function dial(self, address, port, family)
  local sock, message, name = connect(address, port)
  if not sock then return nil, errors.text(message, name) end
  if family == "inet6" then sock:setopt("v6only", true) end
  self.object, self.family = sock, family
  return true
end

-- A call that need not wait begins a connection; the calls after it tell what has become of it. Linux tells once, too,
-- that a connection has been made that a call has waited for.
function inet.connect_to(self, address, port, family)
  local ok, text, name = (self.object == closed and dial or begin)(self, address, port, family)
  if name == "EISCONN" and self.pending then
    self.pending = false
    return true
  end
  if not ok then return nil, text end
  self.pending = true
  return await(self)
end

-- A datagram socket has its peer at once.
function inet.aim_at(self, address, port, family)
  local ok, text = prepare(self, "udp", family)
  if not ok then return nil, text end
  local message, name
  ok, message, name = self.object:connect(address, port)
  if ok then return true end
  return nil, errors.text(message, name)
end

-- ---- what they are ----

-- object:getsockname() -> address, port as a string, family | nil, text
function inet.getsockname(self)
  local info, message, name = self.object:info "socket"
  if info then return info.addr, tostring(info.port), info.family end
  return nil, errors.text(message, name)
end

-- object:getpeername() -> address, port, family | nil, text
function inet.getpeername(self)
  local info, message, name = self.object:info "peer"
  if info then return info.addr, info.port, info.family end
  return nil, errors.text(message, name)
end

-- object:getfamily() -> "inet4" | "inet6"
function inet.getfamily(self)
  return self.family == "inet6" and "inet6" or "inet4"
end

return inet
