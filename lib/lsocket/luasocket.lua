-- LuaSocket's interface: what its module socket.core has, on this library's sockets. In a task of the loop, calls that
-- wait let the other tasks run.
local arguments = require "lsocket.luasocket.arguments"
local dns = require "lsocket.luasocket.dns"
local exceptions = require "lsocket.luasocket.exceptions"
local installing = require "lsocket.luasocket.installing"
local lsocket = require "lsocket"
local selecting = require "lsocket.luasocket.select"
local tcp = require "lsocket.luasocket.tcp"
local udp = require "lsocket.luasocket.udp"
local unix = require "lsocket.luasocket.unix"
local waiting = require "lsocket.luasocket.waiting"

local luasocket = {
  tcp = tcp.create(), tcp4 = tcp.create "inet", tcp6 = tcp.create "inet6", connect = tcp.connect,
  udp = udp.create(), udp4 = udp.create "inet", udp6 = udp.create "inet6",
  dns = dns, unix = unix, select = selecting.select, gettime = lsocket.time,
  newtry = exceptions.newtry, protect = exceptions.protect,
  _VERSION = "LuaSocket 3.1.0", _SETSIZE = 1048576, _SOCKETINVALID = -1, _DATAGRAMSIZE = 8192,
}

-- socket.sleep(seconds)
function luasocket.sleep(seconds)
  waiting.sleep(arguments.seconds(seconds, 1, "sleep"))
end

-- socket.skip(count, ...) -> what follows so many values
function luasocket.skip(count, ...)
  count = arguments.integer(count, 1, "skip")
  return select(count + 1, ...)
end

function luasocket.__unload() end

-- luasocket.install([options]) -> the table;  from then on require "socket" gets it
function luasocket.install(settings)
  return installing.install(luasocket, settings)
end

return luasocket
