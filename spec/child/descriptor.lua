-- Descriptors in a process of their own. Usage: descriptor.lua pair   makes a pair, for whoever lets it fail
--                                               descriptor.lua adopt     the same of fromfd, twice
--                                               descriptor.lua file      of a file of Lua's
--                                               descriptor.lua tell FD   what fromfd makes of a descriptor
local lsocket = require "lsocket"
local process = require "spec.process"

if arg[1] == "pair" then
  local before = process.opened()
  print(lsocket.pair())
  print(process.opened() - before .. " more")
elseif arg[1] == "file" then
  local before, file = process.opened(), io.open "/dev/null"
  print(lsocket.fromfd(file))
  file:close()
  print(process.opened() - before .. " more")
elseif arg[1] == "adopt" then
  local fd = lsocket.pair "udp":detach()
  print(lsocket.fromfd(fd))
  local info = assert(lsocket.fromfd(fd)):info()
  print(info.fd == fd, info.family)
else
  local sock = assert(lsocket.fromfd(tonumber(arg[2])))
  local info = sock:info()
  for _, try in ipairs { "recv", "recvfrom", "peek", "accept", "status", "shutdown" } do sock[try](sock) end
  for _, what in ipairs { "peer", "socket" } do sock:info(what) end
  sock:sendto("x", "127.0.0.1", 9)
  sock:send ""
  print(info.family .. " " .. info.type .. " " .. tostring(info.listening))
end
