-- An echo server with TLS. It reads its certificate anew on SIGHUP, as after a renewal: connections go on.
-- Usage: lua samples/tlsecho.lua file [port [clients]]       port 16014; 0: one that is free
-- file: the server's certificate, what leads to its root, and its key; clients: the roots of clients' certificates,
-- which each of them must have then
-- Try it:  openssl s_client -connect localhost:16014 -CAfile file
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")

local function fail(message)
  io.stderr:write("tlsecho: ", message or "usage: tlsecho.lua file [port [clients]]", "\n")
  os.exit(1)
end

local function note(message, _, address)
  io.stderr:write("tlsecho: ", address, ": ", message, "\n")
end

local function echo(client)
  repeat
    local data = client:readsome()
  until not data or not client:write(data)
end

local function reload(context, signals)
  while signals:wait() do
    local ok, message = context:reload()
    if not ok then io.stderr:write("tlsecho: ", message, "\n") end -- the one before is used on
  end
end

local file, port, clients = arg[1], arg[2] or 16014, arg[3]
if not file or not tonumber(port) or arg[4] then fail() end
local tls = require "lsocket.tls" -- which not every build has
local context, problem = tls.server { certfile = file, clients = clients and "require", cafile = clients }
if not context then fail(problem) end

loop.run(function()
  local options = { tls = context, handshake = 10, timeout = 60, limit = 1000, onfailure = note }
  local ok, server, message = loop.pcall(loop.serve, "127.0.0.1", port, echo, options)
  if not ok then fail() end -- serve raises where the port is none
  if not server then fail(("port %s: %s"):format(port, message)) end
  print(("listening on 127.0.0.1 port %d"):format(server:info("socket").port))
  reload(context, assert(loop.signals "HUP"))
end)
