-- Servers: listening on all addresses of a name, accepting, and a task for each client.
local check = require "lsocket.loop.check"
local connecting = require "lsocket.loop.connect"
local contexts = require "lsocket.loop.contexts"
local deadlines = require "lsocket.loop.deadlines"
local gates = require "lsocket.loop.gates"
local greetings = require "lsocket.loop.greetings"
local lsocket = require "lsocket"
local names = require "lsocket.loop.names"
local owners = require "lsocket.loop.owners"
local queues = require "lsocket.loop.queues"
local secure = require "lsocket.loop.secure"
local streams = require "lsocket.loop.streams"
local tasks = require "lsocket.loop.tasks"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock = lsocket.now

local servers = {}
local Server = {}
local metatable = { __index = Server, __name = "server", __type = "server" }

local BACKLOG = 4096  -- connections that may wait to be accepted
local RECOVERY = 0.05 -- seconds to wait when the system has no room for another connection
local SILENCE = 1     -- seconds between two reports of that
local PORTS = 10      -- to try, where the system chooses and another of a server's addresses has its choice taken

-- ---- listening ----

-- Listens on each address; one that this machine has not got matters only where no other is left.
local function bind_all(server, list, arguments, arg, called)
  local message, name
  for _, record in ipairs(list) do
    arguments.address = record.addr
    local sock
    sock, message, name = check.call(lsocket.bind, arguments, arg, called)
    if sock then
      table.insert(server.gate.watches, watches.new({}, sock))
      if arguments.port == 0 or arguments.port == "0" then arguments.port = sock:info("socket").port end
    elseif name ~= "EADDRNOTAVAIL" and name ~= "EAFNOSUPPORT" then
      return nil, names.place(record.addr, arguments.port) .. ": " .. message, name
    end
  end
  if server.gate.watches[1] then return true end
  return nil, names.place(list[#list].addr, arguments.port) .. ": " .. message, name
end

-- context: of TLS, or nil
local function new_server(options, context)
  return setmetatable({ options = options, context = context, gate = gates.new() }, metatable)
end

local function listen(address, port, options, arg, called)
  check.options(options, arg, called)
  local context = contexts.of_server(options, arg, called)
  local list, message, name = names.addresses_of(address, port, options and options.family, arg, called)
  if not list then return nil, message, name end
  local arguments = connecting.arguments_of(options, port, list)
  arguments.backlog = arguments.backlog or BACKLOG
  local wanted = arguments.port
  for _ = 1, (wanted == 0 or wanted == "0") and PORTS or 1 do
    local server = new_server(options, context)
    local ok
    arguments.port = wanted
    ok, message, name = bind_all(server, list, arguments, arg, called)
    if ok then return server end
    server:close()
    if name ~= "EADDRINUSE" then break end
  end
  return nil, message, name
end

-- Options that come too late for a socket.
local function refuse_binding(options, arg, called)
  for option in pairs(options or {}) do
    local known = check.own[option] or option == "nodelay"
    if not known then check.fail(arg, called, check.text(option) .. ": of no use with a socket") end
  end
end

-- The server of a socket that listens, which is closed with it: server | nil, message, name
local function adopt(sock, options, arg, called)
  check.options(options, arg, called)
  local context, nodelay = contexts.of_server(options, arg, called), options and options.nodelay
  refuse_binding(options, arg, called)
  if sock:getfd() < 0 then return nil, "Bad file descriptor", "EBADF" end
  local info, owner = sock:info(), owners.of(sock)
  if info.type ~= "tcp" or not info.listening then check.fail(1, called, "a stream socket that listens expected") end
  if owner then check.fail(1, called, "it is " .. owner .. " already") end
  if nodelay ~= false and info.family ~= "unix" then sock:setopt("nodelay", true) end
  local server = new_server(options, context)
  server.gate.watches[1] = watches.new({}, sock)
  owners.note(sock, "a server's")
  return server
end

-- loop.listen(address, port [, options]) -> server | nil, message, name
-- loop.listen(socket [, options]) -> as before;  socket: one that listens
function servers.listen(address, port, options)
  if check.is_socket(address) then return adopt(address, port, 2, "listen") end
  check.host(address, "listen")
  return listen(address, port, options, 3, "listen")
end

-- ---- accepting ----

-- Begins TLS with a client, whose first call that waits finishes the handshake.
local function start_tls(server, listener, client, address, port)
  local ok, message, name = secure.start(client, server.context)
  if ok then return client, address, port end
  streams.drop(client)
  return nil, message, name, listener
end

-- Waits for a client: stream, address, port | nil, message, name, and the listening socket if that has failed
local function accept(server)
  while true do
    local ok, watch, name = gates.wait(server.gate)
    if not ok then return nil, watch, name end
    local sock, address, port = watch.object:accept()
    if sock then
      local client = streams.make(sock, server.options)
      if server.context then return start_tls(server, watch.object, client, address, port) end
      return client, address, port
    end
    if sock == nil then return nil, address, port, watch.object end
  end
end

-- server:accept() -> stream, address, port | nil, message, name
function Server:accept()
  check.self(self, metatable, "accept")
  local client, address, port = accept(self)
  return client, address, port
end

-- What accept hands on of a connection that nobody has seen yet: the next one may be there. Some of these can mean the
-- listening socket, too: then it does not listen any more.
local passed = {}
for name in ("ECONNABORTED EPROTO EPERM ETIMEDOUT EOPNOTSUPP ENOPROTOOPT ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH "
  .. "ENONET"):gmatch("%S+") do passed[name] = true end

-- The system has no room for another connection: that is told now and then, and waited out.
local function recover(server, message)
  local now = clock()
  if now >= (server.silent or now) then
    server.silent = now + SILENCE
    tasks.report(waits.current(), "accept: " .. message)
  end
  return deadlines.sleep(RECOVERY)
end

local function next_client(server)
  while true do
    local client, address, port, sock = accept(server)
    if client then return client, address, port end
    if not sock or sock:getfd() < 0 then return nil end
    if sock:getopt("acceptconn") == false then error("the server cannot accept any more: " .. address, 0) end
    if not passed[port] and not recover(server, address) then return nil end
  end
end

-- server:clients() -> iterator of stream, address, port, which ends when the server is closed
function Server:clients()
  check.self(self, metatable, "clients")
  return next_client, self
end

-- server:info([what]) -> as a socket's, of the first address
function Server:info(what)
  check.self(self, metatable, "info")
  return check.method(self.gate.watches[1].object, "info", what)
end

-- ---- serving ----

-- A client has gone.
local function end_client(server, close, client)
  server.active = server.active - 1
  queues.wake_first(server.full)
  if server.active == 0 then queues.wake_all(server.idle, true) end
  close(client)
end

-- Has a task of a client failed, or been abandoned, which leaves it results?
local function has_failed(task)
  return task.failed or task.results
end

-- A task of a client has ended, in whatever way: its handler, or the one after that which leaves the client some time
-- to take what was sent. TLS does not say that this was all if it was not.
local function ended(server, task, client)
  if has_failed(task) and secure.is(client) then return end_client(server, streams.drop, client) end
  if not server.grace or task.last or client:getfd() < 0 then return end_client(server, client.close, client) end
  tasks.serve(server, client, client.close, client, server.grace).last = true
end

local function accept_clients(server, handler)
  while true do
    local client, address, port = next_client(server)
    if not client then return end
    tasks.serve(server, client, handler, client, address, port)
    server.active = server.active + 1
    while server.active >= server.limit do
      if not queues.wait(server.full) then return end
    end
  end
end

local function serve(handler, options, server, message, name)
  if not server then return nil, message, name end
  if server.context then handler = greetings.handler(handler, options) end
  server.active, server.limit = 0, options and options.limit or math.huge
  server.grace, server.ended = options and options.grace, ended
  server.full, server.idle = queues.new(), queues.new()
  tasks.spawn(accept_clients, server, handler)
  return server
end

-- loop.serve(address, port, handler [, options]) -> server | nil, message, name
-- loop.serve(path, handler [, options]) -> as before
-- loop.serve(socket, handler [, options]) -> as before;  socket: one that listens
function servers.serve(address, port, handler, options)
  if check.is_socket(address) then
    check.callable(port, 2, "serve")
    return serve(port, handler, adopt(address, handler, 3, "serve"))
  end
  check.host(address, "serve")
  if check.is_callable(port) and not check.is_callable(handler) then
    return serve(port, handler, listen(address, nil, handler, 3, "serve"))
  end
  check.callable(handler, 3, "serve")
  return serve(handler, options, listen(address, port, options, 4, "serve"))
end

-- server:count() -> how many clients serve has at the moment
function Server:count()
  check.self(self, metatable, "count")
  return self.active or 0
end

-- Waits until every handler has ended, and cuts off those that have not by then: true if there was none
local function await_handlers(server, grace)
  if server.active == 0 then return true end
  if grace > 0 then
    local ok, message, name = queues.wait(server.idle, grace)
    if ok then return true end
    if ok == nil then return nil, message, name end
  end
  local cut = {}
  tasks.each(function(task, client)
    if task.server == server then cut[task] = client end
  end)
  for task, client in pairs(cut) do
    streams.drop(client)
    task:cancel()
  end
  return false
end

-- server:close([grace]) -> true | false: some handlers had to be cut off | nil, message, name
function Server:close(grace)
  check.self(self, metatable, "close")
  if grace ~= nil then check.number(grace, 1, "close") end
  gates.close(self.gate)
  if not self.active then return true end
  queues.dismiss(self.full)
  if not grace then return true end
  return await_handlers(self, grace)
end

-- Lua gives it an error, too, which is no grace.
function metatable.__close(server) return Server.close(server) end

return servers
