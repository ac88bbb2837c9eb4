-- Unix domain sockets: streams and datagrams, as LuaSocket's module socket.unix has them.
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local datagrams = require "lsocket.luasocket.datagram"
local errors = require "lsocket.luasocket.errors"
local inet = require "lsocket.luasocket.inet"
local lsocket = require "lsocket"
local options = require "lsocket.luasocket.options"
local streams = require "lsocket.luasocket.stream"
local waiting = require "lsocket.luasocket.waiting"

local text_of = arguments.text

local unix = {}

local SOONEST, LATEST = 0.001, 0.05 -- seconds until a full backlog is tried again

-- The address of a path, which lsocket would take for something else if it had no slash.
local function address_of(path, called)
  path = text_of(path, 1, called)
  if path:sub(1, 1) == "\0" then return "@" .. path:sub(2) end
  if path:find "%z" then path = path:match "^%Z*" end
  if path == "" then return "@" end
  return path:find("/", 1, true) and path or "./" .. path
end

-- The socket of an object, which gets one if it has none: true | nil, text
local function prepare(self, protocol)
  return inet.prepare(self, protocol, "unix")
end

-- What an address has been refused for: the object has no descriptor any more.
local function fail(self, message, name)
  classes.replace(self, classes.closed)
  return nil, errors.text(message, name)
end

local function binder(protocol, called)
  return function(self, path)
    local address = address_of(path, called)
    local ok, text = prepare(self, protocol)
    if not ok then return nil, text end
    local message, name
    ok, message, name = self.object:bind(address)
    if ok then return 1 end
    return fail(self, message, name)
  end
end

-- Connects once there is room in the backlog.
local function connect(self, address)
  local pause = SOONEST
  while true do
    local ok, message, name = self.object:connect(address)
    if ok then return true end
    if name ~= "EAGAIN" then return fail(self, message, name) end
    if self.block == 0 then return nil, "timeout" end
    waiting.sleep(pause)
    pause = math.min(2 * pause, LATEST)
  end
end

local function connector(protocol, called, class)
  return function(self, path)
    local address = address_of(path, called)
    local ok, text = prepare(self, protocol)
    if ok then ok, text = connect(self, address) end
    if not ok then return nil, text end
    setmetatable(self, class())
    return 1
  end
end

-- A name, as LuaSocket tells it: without "./" if it was bound without.
local function getsockname(self)
  local info, message, name = self.object:info "socket"
  if not info then return nil, errors.text(message, name) end
  return (info.addr:gsub("^%./", ""):gsub("^@", "\0"))
end

local function methods_of(protocol, kind, class)
  return {
    bind = binder(protocol, "bind"), setsockname = binder(protocol, "setsockname"),
    connect = connector(protocol, "connect", class), setpeername = connector(protocol, "setpeername", class),
    getfd = classes.common.getfd, setfd = classes.common.setfd,
    getsockname = getsockname, setoption = options.setter(kind), settimeout = waiting.settimeout,
  }
end

-- An object with a socket: object | nil, text
local function new(class, protocol)
  local sock, message, name = lsocket.socket(protocol, "unix")
  if not sock then return nil, errors.text(message, name) end
  return classes.new(class, sock, "unix")
end

-- ---- streams ----

local stream

local stream_methods = methods_of("tcp", "unixstream", function() return stream.client end)
stream_methods.dirty = streams.dirty

stream = classes.define("unixstream", { "master", "client", "server" }, stream_methods, {
  master = { listen = function(self, backlog) return streams.listen(self, backlog, stream.server) end },
  server = { accept = function(self) return streams.accept(self, stream.client) end },
  client = {
    receive = streams.receive, send = streams.send, shutdown = streams.shutdown, getstats = streams.getstats,
    setstats = streams.setstats,
  },
})

-- unix.stream() -> master
function unix.stream() return new(stream.master, "tcp") end

-- ---- datagrams ----

local datagram

local datagram_methods = methods_of("udp", "unixdgram", function() return datagram.connected end)
datagram_methods.dirty, datagram_methods.gettimeout = classes.common.dirty, waiting.gettimeout

local unconnected = { receive = datagrams.receive }

function unconnected.receivefrom(self, size)
  local data, address = datagrams.receivefrom(self, size)
  if not data then return nil, address end
  return data, address and address:gsub("^%./", ""):gsub("^@", "\0") or ""
end

-- dgram:sendto(data, path) -> bytes | nil, text
function unconnected.sendto(self, data, path)
  check.data(data, 1, "sendto")
  local address = address_of(path, "sendto")
  local ok, text = prepare(self, "udp")
  if not ok then return nil, text end
  return datagrams.sendto(self, data, address)
end

datagram = classes.define("unixdgram", { "connected", "unconnected" }, datagram_methods, {
  unconnected = unconnected, connected = { send = datagrams.send, receive = datagrams.receive },
})

-- unix.dgram() -> unconnected object
function unix.dgram() return new(datagram.unconnected, "udp") end

unix.tcp, unix.udp = unix.stream, unix.dgram

return setmetatable(unix, { __call = unix.stream })
