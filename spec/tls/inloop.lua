-- Servers and clients with TLS as tasks of the loop: what the specs of TLS in the loop share.
local loop = require "lsocket.loop"
local certs = require "spec.tls.certs"
local inloop = require "spec.inloop"
local process = require "spec.process"

local tlsloop = {}

local contexts = {}

-- The usual contexts, made once.
function tlsloop.server_context()
  contexts.server = contexts.server or certs.server()
  return contexts.server
end

function tlsloop.client_context()
  contexts.client = contexts.client or certs.client()
  return contexts.client
end

-- Options with a context for the server's end, or the client's.
local function with(context, options)
  local all = { tls = context }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

-- A server on a port that the system chooses: the server, the port.
function tlsloop.serve(handler, options)
  local server = assert(loop.serve("127.0.0.1", 0, handler, with(tlsloop.server_context(), options)))
  return server, server:info("socket").port
end

function tlsloop.listen(options)
  local server = assert(loop.listen("127.0.0.1", 0, with(tlsloop.server_context(), options)))
  return server, server:info("socket").port
end

-- A connection as loop.connect gives it.
function tlsloop.connect(port, options)
  return loop.connect("127.0.0.1", port, with(tlsloop.client_context(), options))
end

-- A client without TLS.
function tlsloop.plain(port)
  return assert(loop.connect("127.0.0.1", port))
end

-- Both ends of a connection whose handshake the client has finished: client, server's end
function tlsloop.pair(options)
  local server, port = tlsloop.listen(options)
  local task = loop.spawn(function() return assert(tlsloop.connect(port)) end)
  local far = assert(server:accept())
  assert(far:handshake())
  local near = task:join()
  server:close()
  return near, far
end

-- Both ends, each of which is to begin TLS by itself.
function tlsloop.plain_pair()
  local server = assert(loop.listen("127.0.0.1", 0))
  local near = tlsloop.plain(server:info("socket").port)
  local far = assert(server:accept())
  server:close()
  return near, far
end

local warm = false -- the first connection and the first look-up of a process open handles of Windows that stay

local function warm_up()
  if warm then return end
  warm = true
  inloop.run(function()
    local near, far = tlsloop.plain_pair()
    near:close()
    far:close()
    assert(loop.resolve "localhost")
  end)
end

-- Runs a function as a task, after which as many descriptors are open as before.
function tlsloop.run(fn)
  tlsloop.server_context()
  tlsloop.client_context()
  warm_up()
  local before = process.count()
  inloop.run(fn)
  local after = process.count()
  if after > before then error(("%d descriptors are left open"):format(after - before), 2) end
end

return tlsloop
