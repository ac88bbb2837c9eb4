-- Options by LuaSocket's names. A row is { name = what lsocket calls it, write =, read = } or has functions for it:
--   write(sock, value): as the methods of sockets;  read(sock) -> value, or nil where it cannot be had
local arguments = require "lsocket.luasocket.arguments"
local check = require "lsocket.loop.check"
local errors = require "lsocket.luasocket.errors"
local lsocket = require "lsocket"

local options = {}

-- A value of another type is an error of the program, whatever the system would say.
local function check_type(value, wanted)
  if type(value) == wanted then return value end
  local got = value == nil and "no value" or type(value)
  check.fail(2, "setoption", ("%s expected, got %s"):format(wanted, got))
end

local function field(value, name, wanted)
  if type(value[name]) ~= wanted then
    check.fail(2, "setoption", ("%s '%s' field expected"):format(wanted, name))
  end
  return value[name]
end

local function flag(name)
  return {
    write = function(sock, value) return sock:setopt(name, check_type(value, "boolean")) end,
    read = function(sock) return sock:getopt(name) end,
  }
end

-- The whole number that a value is; 0 for what is none.
local function number_of(value)
  return math.floor(tonumber(value) or 0)
end

local function number(name)
  return {
    write = function(sock, value) return sock:setopt(name, number_of(value)) end,
    read = function(sock) return sock:getopt(name) end,
  }
end

-- Those of IPv6 alone, which lsocket has for both.
local function of_ipv6(row)
  local function has_it(sock) return sock:info().family == "inet6" end
  return {
    write = function(sock, value) return has_it(sock) and row.write(sock, value) end,
    read = function(sock)
      if has_it(sock) then return row.read(sock) end
    end,
  }
end

-- ---- those that are not of one kind ----

local linger = {}

function linger.write(sock, value)
  check_type(value, "table")
  local on, seconds = field(value, "on", "boolean"), field(value, "timeout", "number")
  return sock:setopt("linger", on and seconds)
end

function linger.read(sock)
  local seconds = sock:getopt "linger"
  if seconds == nil then return nil end
  return { on = seconds ~= false, timeout = seconds or 0 }
end

local ERROR = {
  read = function(sock)
    local ok, message, name = sock:status()
    if name == "EBADF" then return nil end
    return not ok and errors.text(message, name) or nil, true
  end,
}

-- The IPv4 address of an interface.
local function address_of(name)
  for _, interface in ipairs(lsocket.getinterfaces() or {}) do
    if interface.name == name and interface.family == "inet" then return interface.addr end
  end
end

local interface = {}

function interface.write(sock, value)
  value = check_type(value, "string")
  if value == "*" then return sock:setopt("mcastif", false) end
  if #(lsocket.tobytes(value) or "") ~= 4 then check.fail(2, "setoption", "ip expected") end
  return sock:setopt("mcastif", value)
end

function interface.read(sock)
  local name = sock:getopt "mcastif"
  if name == nil then return nil end
  return name and address_of(name) or "0.0.0.0"
end

local function membership(method, kind)
  return {
    write = function(sock, value)
      check_type(value, "table")
      local group, place = field(value, "multiaddr", "string"), value.interface
      if kind == "string" or place ~= nil then place = field(value, "interface", kind) end
      if not lsocket.tobytes(group) then check.fail(2, "setoption", "invalid 'multiaddr' ip address") end
      if kind == "string" and place ~= "*" and not lsocket.tobytes(place) then
        check.fail(2, "setoption", "invalid 'interface' ip address")
      end
      if place == "*" or place == 0 then place = nil end
      return sock[method](sock, group, place)
    end,
  }
end

local device = {
  write = function(sock, value)
    value = check_type(value, "string")
    return sock:setopt("device", value ~= "" and value)
  end,
  read = function(sock)
    local name = sock:getopt "device"
    if name ~= nil then return name or "" end
  end,
}

-- ---- which objects have which ----

local rows = {
  keepalive = flag "keepalive", reuseaddr = flag "reuseaddr", reuseport = flag "reuseport",
  broadcast = flag "broadcast", dontroute = flag "dontroute",
  ["tcp-nodelay"] = flag "nodelay", ["tcp-keepidle"] = number "keepidle", ["tcp-keepcnt"] = number "keepcnt",
  ["tcp-keepintvl"] = number "keepintvl", ["tcp-defer-accept"] = number "deferaccept",
  ["tcp-fastopen"] = number "fastopen", linger = linger, error = ERROR, bindtodevice = device,
  ["tcp-fastopen-connect"] = {
    write = function(sock, value)
      return sock:setopt("fastopenconnect", number_of(value) ~= 0)
    end,
  },
  ["recv-buffer-size"] = number "rcvbuf", ["send-buffer-size"] = number "sndbuf",
  ["ip-multicast-if"] = interface, ["ip-multicast-loop"] = flag "mcastloop", ["ip-multicast-ttl"] = number "mcastttl",
  ["ipv6-v6only"] = flag "v6only", ["ipv6-unicast-hops"] = of_ipv6(number "ttl"),
  ["ipv6-multicast-hops"] = of_ipv6(number "mcastttl"), ["ipv6-multicast-loop"] = of_ipv6(flag "mcastloop"),
  ["ip-add-membership"] = membership("join", "string"), ["ip-drop-membership"] = membership("leave", "string"),
  ["ipv6-add-membership"] = membership("join", "number"), ["ipv6-drop-membership"] = membership("leave", "number"),
}

local function set_of(text)
  local set = {}
  for name in text:gmatch "%S+" do set[name] = assert(rows[name], name) end
  return set
end

local stream = "keepalive reuseaddr reuseport tcp-nodelay tcp-keepidle tcp-keepcnt tcp-keepintvl linger " ..
  "recv-buffer-size send-buffer-size bindtodevice "
local datagram = "reuseaddr reuseport broadcast dontroute recv-buffer-size send-buffer-size bindtodevice " ..
  "ipv6-v6only ip-multicast-if ip-multicast-loop ipv6-unicast-hops ipv6-multicast-hops ipv6-multicast-loop "

local sets = {
  tcp = {
    write = set_of(stream .. "ipv6-v6only tcp-defer-accept tcp-fastopen tcp-fastopen-connect"),
    read = set_of(stream .. "error"),
  },
  udp = {
    write = set_of(datagram .. "ip-multicast-ttl ip-add-membership ip-drop-membership ipv6-add-membership " ..
      "ipv6-drop-membership"),
    read = set_of(datagram .. "error"),
  },
  unixstream = { write = set_of "keepalive reuseaddr linger" },
  unixdgram = { write = set_of "reuseaddr" },
}

local function find(set, name, method)
  name = arguments.text(name, 1, method)
  local row = set[name]
  if not row then check.fail(1, method, ("unsupported option `%s'"):format(name:sub(1, 35))) end
  return row
end

-- What the socket raises is what the system would refuse; this library's own errors go on.
local function finish(ok, result, ...)
  if ok then return result, ... end
  if tostring(result):find "'setoption'" then check.again(result) end
end

-- The method setoption of a kind of objects: object:setoption(name, value) -> 1 | nil, text
function options.setter(kind)
  local set = sets[kind].write
  return function(self, name, value)
    local row = find(set, name, "setoption")
    if finish(pcall(row.write, self.object, value)) then return 1 end
    return nil, "setsockopt failed"
  end
end

-- object:getoption(name) -> value | nil, text
function options.getter(kind)
  local set = sets[kind].read
  return function(self, name)
    local value, is_known = find(set, name, "getoption").read(self.object)
    if value ~= nil or is_known == true then return value end
    return nil, "getsockopt failed"
  end
end

return options
