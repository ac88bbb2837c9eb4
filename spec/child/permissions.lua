-- Binds to a path with permissions, or connects from there, for whoever watches its system calls or lets them fail.
-- Usage: permissions.lua PATH MODE [ADDRESS]
local lsocket = require "lsocket"
local process = require "spec.process"
local path, mode, address = arg[1], arg[2], arg[3]

local function count()
  local n = 0
  for _ in pairs(process.descriptors()) do n = n + 1 end
  return n
end

local before = count()
local sock, _, name
if address then
  sock, _, name = lsocket.connect { type = "udp", address = address, localaddress = path, mode = mode, sndbuf = 20000 }
else
  sock, _, name = lsocket.bind { address = path, mode = mode, sndbuf = 20000 }
end
local more = count() - before
local file = io.popen("test -e " .. path .. " && echo a file || echo no file"):read()
print(sock and "bound, " .. file or ("nil %s, %d descriptors more, %s"):format(name, more, file))
