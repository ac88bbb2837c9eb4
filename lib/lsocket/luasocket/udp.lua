-- UDP: udp{connected} has a peer, udp{unconnected} none. An object gets its descriptor when it is needed.
local arguments = require "lsocket.luasocket.arguments"
local classes = require "lsocket.luasocket.classes"
local datagrams = require "lsocket.luasocket.datagram"
local inet = require "lsocket.luasocket.inet"
local names = require "lsocket.luasocket.names"
local options = require "lsocket.luasocket.options"
local quick = require "lsocket.luasocket.quick"
local waiting = require "lsocket.luasocket.waiting"

local text_of, send_to = arguments.text, datagrams.sendto
local lists, ports = names.lists, names.ports

local udp = {}
local made -- the classes, by their states

local methods = {
  getfd = classes.common.getfd, setfd = classes.common.setfd,
  dirty = classes.common.dirty, getfamily = inet.getfamily, getsockname = inet.getsockname,
  getoption = options.getter "udp", setoption = options.setter "udp",
  settimeout = waiting.settimeout, gettimeout = waiting.gettimeout,
}

-- udp:setpeername(address, port) -> 1 | nil, text;  "*": nobody
function methods.setpeername(self, address, port)
  address = text_of(address, 1, "setpeername")
  if address == "*" then
    self.object:connect()
    setmetatable(self, made.unconnected)
    return 1
  end
  port = text_of(port, 2, "setpeername")
  local ok, text = inet.try(self, inet.aim_at, names.place(address, port, "udp", self.family))
  if not ok then return nil, text end
  setmetatable(self, made.connected)
  return 1
end

-- Where a datagram is to go, which is not what most are: port | nil, text.  An object that has never had a descriptor
-- gets one
local function prepare(self, address, port)
  address, port = text_of(address, 2, "sendto"), text_of(port, 3, "sendto")
  local number, text = names.numeric_port(port)
  if not number then return nil, text end
  local list
  list, text = names.numeric(address, self.family)
  if not list then return nil, text end
  if self.family then return number end
  local ok
  ok, text = inet.prepare(self, "udp", list[1].family)
  return ok and number, text
end

-- udp:sendto(data, address, port) -> bytes | nil, text
local function sendto(self, data, address, port)
  local list, number = lists[address], ports[port]
  if not (list and number and list[1].family == self.family) then
    local text
    number, text = prepare(self, address, port)
    if not number then return nil, text end
  end
  return send_to(self, data, address, number)
end
sendto = quick.method("sendto", sendto, datagrams.sendto_on)

made = classes.define("udp", { "connected", "unconnected" }, methods, {
  unconnected = {
    setsockname = inet.binder("udp", "setsockname"), sendto = sendto, receive = datagrams.receive,
    receivefrom = datagrams.receivefrom,
  },
  connected = { send = datagrams.send, receive = datagrams.receive, getpeername = inet.getpeername },
})

-- udp.create(family)() -> unconnected object | nil, text
function udp.create(family)
  return function() return inet.new(made.unconnected, "udp", family) end
end

return udp
