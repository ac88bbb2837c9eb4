-- TCP: tcp{master} is what was made, tcp{server} listens, tcp{client} has connected, or has tried to.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local inet = require "lsocket.luasocket.inet"
local names = require "lsocket.luasocket.names"
local options = require "lsocket.luasocket.options"
local streams = require "lsocket.luasocket.stream"
local waiting = require "lsocket.luasocket.waiting"

local text_of = arguments.text

local tcp = {}
local made -- the classes, by their states

local methods = {
  getfd = classes.common.getfd, setfd = classes.common.setfd,
  dirty = streams.dirty, getfamily = inet.getfamily, getpeername = inet.getpeername, getsockname = inet.getsockname,
  getoption = options.getter "tcp", setoption = options.setter "tcp",
  settimeout = waiting.settimeout, gettimeout = waiting.gettimeout,
}

local function connector(called)
  return function(self, address, port)
    address, port = text_of(address, 1, called), text_of(port, 2, called)
    self.host = address
    local cut = waiting.pause()
    if cut then return nil, cut end
    local ok, text = inet.try(self, inet.connect_to, names.place(address, port, "tcp", self.family))
    setmetatable(self, made.client)
    if ok then return 1 end
    return nil, text
  end
end

-- master:connect(address, port) -> 1 | nil, text;  a client then, whatever comes of it
methods.connect, methods.setpeername = connector "connect", connector "setpeername"

made = classes.define("tcp", { "master", "client", "server" }, methods, {
  master = {
    bind = inet.binder("tcp", "bind"), setsockname = inet.binder("tcp", "setsockname"),
    listen = function(self, backlog) return streams.listen(self, backlog, made.server) end,
  },
  server = { accept = function(self) return streams.accept(self, made.client) end },
  client = {
    receive = streams.receive, send = streams.send, shutdown = streams.shutdown, getstats = streams.getstats,
    setstats = streams.setstats,
  },
})

-- tcp.create(family)() -> master | nil, text
function tcp.create(family)
  return function()
    local text = waiting.pause() -- so that many tasks that begin at once do not keep a timer waiting
    if text then return nil, text end
    return inet.new(made.master, "tcp", family)
  end
end

local families = { inet = "inet", inet6 = "inet6" }

-- tcp.connect(address, port [, localaddress [, localport [, family]]]) -> client | nil, text
function tcp.connect(address, port, localaddress, localport, family)
  address, port = text_of(address, 1, "connect"), text_of(port, 2, "connect")
  if localaddress ~= nil then localaddress = text_of(localaddress, 3, "connect") end
  localport = localport == nil and "0" or text_of(localport, 4, "connect")
  if family ~= nil and family ~= "unspec" and not families[family] then
    check.fail(5, "connect", ("invalid option '%s'"):format(tostring(family)))
  end
  local self = classes.new(made.client, classes.closed, families[family])
  self.host = address
  local text = waiting.pause()
  local ok = not text
  if ok and localaddress then
    ok, text = inet.try(self, inet.bind_tcp, names.local_place(localaddress, localport, "tcp", self.family))
  end
  if ok then ok, text = inet.try(self, inet.connect_to, names.place(address, port, "tcp", self.family)) end
  if ok then return self end
  self:close()
  return nil, text
end

return tcp
