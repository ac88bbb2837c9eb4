-- A host in whatever network it finds: runs the code that comes over a unix socket and sends back what it gives, until
-- the other side closes. See spec/hosts.lua.
-- luacheck: globals lsocket helper process transfer ip
lsocket = require "lsocket"
helper = require "spec.helper"
process = require "spec.process"
transfer = require "spec.transfer"
local hosts = require "spec.hosts"

function ip(commands)
  local output, status = helper.run("ip -batch - <<'END'\n" .. commands .. "\nEND\n")
  if status ~= 0 then error(output) end
end

local function run(code, count, arguments)
  local chunk = assert((loadstring or load)(code))
  return helper.pack(chunk((unpack or table.unpack)(arguments, 1, count))) -- luacheck: ignore 143
end

local sock = assert(lsocket.connect(arg[1]))
lsocket.select { sock }
for request in hosts.receive, sock do
  local ok, results = pcall(run, request[1], request[2], request[3])
  if ok then hosts.send(sock, { ok = true, results = results, count = results.n })
  else hosts.send(sock, { ok = false, problem = tostring(results) }) end
  lsocket.select { sock } -- the next may be long in coming
end
