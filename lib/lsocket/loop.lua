-- The loop: what tasks call. Connections by name, servers, waiting for anything; reading and writing are the streams'.
local lsocket = require "lsocket"
local check = require "lsocket.check"
local stream = require "lsocket.stream"
local tasks = require "lsocket.tasks"

local loop = {
  deadline = tasks.deadline, getfd = tasks.getfd, now = lsocket.now, pcall = tasks.pcall, sleep = tasks.sleep,
}

local HEAD_START = 0.25 -- seconds that an address has before the next one is tried, too: RFC 8305
local BACKLOG = 4096    -- connections that may wait to be accepted
local RECOVERY = 0.05   -- seconds to wait when the system has no room for another connection
local PORTS = 10        -- to try, where the system chooses and another of a server's addresses has its choice taken

-- ---- tasks ----

-- A task has failed that nobody joins.
function loop.onerror(_, trace)
  io.stderr:write("lsocket.loop: ", trace, "\n")
end

function tasks.report(task, trace)
  local ok, problem = pcall(loop.onerror, task, trace)
  if not ok then io.stderr:write("lsocket.loop: onerror: ", tostring(problem), "\n", trace, "\n") end
end

-- loop.run(fn, ...) -> what fn gives, when no task is left;  raises fn's error
function loop.run(fn, ...)
  check.callable(fn, 1, "run")
  return tasks.run(fn, ...)
end

-- loop.step([timeout]) -> seconds until the next call must come | false: no task is left
function loop.step(timeout)
  if timeout ~= nil then check.number(timeout, 1, "step") end
  return tasks.step(timeout)
end

-- loop.spawn(fn, ...) -> task
function loop.spawn(fn, ...)
  check.callable(fn, 1, "spawn")
  return tasks.spawn(fn, ...)
end

-- ---- waiting ----

-- The watches of objects that are no streams: two tasks that wait for one object share it.
local watches = setmetatable({}, { __mode = "kv" })

local function watch_of(object)
  if tasks.is_watch(object) then return object end
  local watch = watches[object]
  if not watch then
    local kind = type(object)
    if kind ~= "number" and not ((kind == "userdata" or kind == "table") and object.getfd) then
      error(("bad argument #1 to 'wait' (socket expected, got %s)"):format(kind), 3)
    end
    watch = tasks.watch({}, object)
    watches[object] = watch
  end
  return watch
end

-- Has something been received already that a stream will read next?
local function is_filled(watch)
  return watch.buffer and #watch.buffer > 0
end

-- loop.wait(object, events [, timeout]) -> "r" | "w" | false | nil, message, name
function loop.wait(object, events, timeout)
  if events ~= "r" and events ~= "w" and events ~= "rw" then
    error("bad argument #2 to 'wait' (r, w or rw expected)", 2)
  end
  if timeout then check.number(timeout, 3, "wait") end
  local watch = watch_of(object)
  if events ~= "w" and not watch.r and is_filled(watch) then
    local ok, message, name = tasks.pause()
    if ok then return "r" end
    return nil, message, name
  end
  local ok, message, name = tasks.within(timeout, tasks.await, watch, events)
  if ok ~= nil then return ok end
  return nil, message, name
end

-- ---- names ----

-- loop.resolve(name [, family]) -> { { family = , addr = }, ... } | nil, message, name
function loop.resolve(name, family)
  check.string(name, 1, "resolve")
  check.family(family, 2, "resolve")
  local lookup, message, symbol = lsocket.lookup(name, family)
  if not lookup then return nil, message, symbol end
  local list
  list, message, symbol = lookup:result()
  if list == false then
    local ok
    ok, message, symbol = loop.wait(lookup, "r")
    if ok then list, message, symbol = lookup:result() end
    lookup:cancel()
  end
  if not list then return nil, message, symbol end
  return list
end

-- The addresses of a host; a unix domain address is its own.
local function addresses_of(host, family)
  if host:find("^@") or host:find("/", 1, true) then return { { family = "unix", addr = host } } end
  return loop.resolve(host, family)
end

-- RFC 8305: IPv6 first, the families by turns.
local function interleave(list)
  local families, mixed = { inet6 = {}, inet = {}, unix = {} }, {}
  for _, record in ipairs(list) do table.insert(families[record.family], record.addr) end
  for i = 1, #list do
    mixed[#mixed + 1] = families.inet6[i]
    mixed[#mixed + 1] = families.inet[i]
    mixed[#mixed + 1] = families.unix[i]
  end
  return mixed
end

-- ---- connecting ----

-- What bind and connect are called with: the options that are theirs, and port. TCP is not to keep small pieces back; a
-- connection has that from the socket that listens.
local function arguments_of(options, port, list)
  local arguments = { port = port }
  for name, value in pairs(options or {}) do
    if not check.own[name] then arguments[name] = value end
  end
  local tcp = list[1].family ~= "unix" and (arguments.type or "tcp") == "tcp"
  if tcp and arguments.nodelay == nil then arguments.nodelay = true end
  return arguments
end

-- A race: addresses not tried yet, attempts whose connection is being made (streams), what became of the others.
local function note(race, address, message, name)
  race.name = name
  race.met[#race.met + 1] = address .. ": " .. message
end

-- Tries the next address.
local function start(race)
  local address = table.remove(race.addresses, 1)
  race.arguments.address = address
  local sock, message, name = lsocket.connect(race.arguments)
  if not sock then return note(race, address, message, name) end
  local attempt = stream.new(sock, race.options)
  race.names[attempt] = address
  table.insert(race.attempts, attempt)
end

-- Is the attempt, which has become writable, the winner? One that failed is noted and closed.
local function judge(race, attempt)
  local ok, message, name = attempt.object:status()
  if ok then return true end
  for i, other in ipairs(race.attempts) do
    if other == attempt then table.remove(race.attempts, i) end
  end
  note(race, race.names[attempt], message, name)
  attempt:close()
end

-- Tries the addresses until one is connected: stream | nil, message, name
local function run_race(race, delay)
  local due = 0
  while #race.addresses > 0 or #race.attempts > 0 do
    while #race.addresses > 0 and (#race.attempts == 0 or lsocket.now() >= due) do
      start(race)
      due = lsocket.now() + delay
    end
    if #race.attempts > 0 then
      local left = #race.addresses > 0 and math.max(0, due - lsocket.now()) or nil
      local ok, attempt, name = tasks.within(left, tasks.await_any, race.attempts, "w")
      if ok == nil then return nil, attempt, name end
      if ok then
        if judge(race, attempt) then return attempt end
        due = 0
      end
    end
  end
  return nil
end

-- The text of a failure: what each attempt has met.
local function account(race, message)
  for _, attempt in ipairs(race.attempts) do note(race, race.names[attempt], "no answer yet", race.name) end
  for _, address in ipairs(race.addresses) do note(race, address, "not tried", race.name) end
  local met = table.concat(race.met, "; ")
  return message and message .. ": " .. met or met
end

-- loop.connect(host, port [, options]) -> stream | nil, message, name
function loop.connect(host, port, options)
  check.string(host, 1, "connect")
  check.options(options, 3, "connect")
  local list, message, name = addresses_of(host, options and options.family)
  if not list then return nil, message, name end
  local race = {
    addresses = interleave(list), attempts = {}, names = {}, met = {},
    arguments = arguments_of(options, port, list), options = options,
  }
  local winner
  winner, message, name = run_race(race, options and options.delay or HEAD_START)
  if not winner then message = account(race, message) end
  for _, attempt in ipairs(race.attempts) do
    if attempt ~= winner then attempt:close() end
  end
  if winner then return winner end
  return nil, message, name or race.name
end

-- ---- servers ----

local Server = {}
local metatable = { __index = Server, __name = "server", __type = "server" }

-- Listens on each address; one that this machine has not got matters only where no other is left.
local function bind_all(server, list, arguments)
  local message, name
  for _, record in ipairs(list) do
    arguments.address = record.addr
    local sock
    sock, message, name = lsocket.bind(arguments)
    if sock then
      table.insert(server.watches, tasks.watch({}, sock))
      if arguments.port == 0 or arguments.port == "0" then arguments.port = sock:info("socket").port end
    elseif name ~= "EADDRNOTAVAIL" and name ~= "EAFNOSUPPORT" then
      return nil, message, name
    end
  end
  if server.watches[1] then return true end
  return nil, message, name
end

local function listen(address, port, options)
  local list, message, name = addresses_of(address, options and options.family)
  if not list then return nil, message, name end
  local arguments = arguments_of(options, port, list)
  arguments.backlog = arguments.backlog or BACKLOG
  local wanted = arguments.port
  for _ = 1, (wanted == 0 or wanted == "0") and PORTS or 1 do
    local server = setmetatable({ watches = {}, options = options }, metatable)
    local ok
    arguments.port = wanted
    ok, message, name = bind_all(server, list, arguments)
    if ok then return server end
    server:close()
    if name ~= "EADDRINUSE" then break end
  end
  return nil, message, name
end

-- loop.listen(address, port [, options]) -> server | nil, message, name
function loop.listen(address, port, options)
  check.string(address, 1, "listen")
  check.options(options, 3, "listen")
  return listen(address, port, options)
end

-- What accept hands on of a connection that nobody has seen yet: the next one may be there. Some of these can mean the
-- listening socket, too: then it does not listen any more.
local passed = {}
for name in ("ECONNABORTED EPROTO EPERM ETIMEDOUT EOPNOTSUPP ENOPROTOOPT ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH "
  .. "ENONET"):gmatch("%S+") do passed[name] = true end

-- Waits for a client: stream, address, port | nil, message, name, and the listening socket if that has failed
local function accept(server)
  local list = server.watches
  while true do
    local ok, watch, name
    if #list == 1 then
      ok, watch, name = tasks.await(list[1], "r")
    else
      ok, watch, name = tasks.await_any(list, "r")
    end
    if not ok then return nil, watch, name end
    local sock, address, port = watch.object:accept()
    if sock then return stream.new(sock, server.options), address, port end
    if sock == nil then return nil, address, port, watch.object end
  end
end

-- server:accept() -> stream, address, port | nil, message, name
function Server:accept()
  local client, address, port = accept(self)
  return client, address, port
end

local function next_client(server)
  while true do
    local client, address, port, sock = accept(server)
    if client then return client, address, port end
    if not sock or sock:getfd() < 0 then return nil end
    if sock:getopt("acceptconn") == false then error("the server cannot accept any more: " .. address, 0) end
    if not passed[port] and not tasks.sleep(RECOVERY) then return nil end
  end
end

-- server:clients() -> iterator of stream, address, port, which ends when the server is closed
function Server:clients()
  return next_client, self
end

-- server:info([what]) -> as a socket's, of the first address
function Server:info(what)
  return self.watches[1].object:info(what)
end

-- ---- serving ----

-- A handler has ended, in whatever way.
local function end_client(task)
  local server, client = task.server, task.client
  client:close()
  server.handlers[task] = nil
  server.count = server.count - 1
  tasks.wake_first(server.full)
  if server.count == 0 then
    repeat until not tasks.wake_first(server.idle)
  end
end

local function accept_clients(server, handler)
  while true do
    local client, address, port = next_client(server)
    if not client then return end
    local task = tasks.spawn(handler, client, address, port)
    task.server, task.client, task.onend = server, client, end_client
    server.handlers[task] = true
    server.count = server.count + 1
    while server.count >= server.limit do
      if not tasks.queue(server.full) then return end
    end
  end
end

-- loop.serve(address, port, handler [, options]) -> server | nil, message, name
function loop.serve(address, port, handler, options)
  check.string(address, 1, "serve")
  check.callable(handler, 3, "serve")
  check.options(options, 4, "serve")
  local server, message, name = listen(address, port, options)
  if not server then return nil, message, name end
  server.handlers, server.count, server.limit = {}, 0, options and options.limit or math.huge
  server.full, server.idle = {}, {}
  tasks.spawn(accept_clients, server, handler)
  return server
end

-- Waits until every handler has ended, and cuts off those that have not by then: true if there was none
local function await_handlers(server, grace)
  if server.count == 0 then return true end
  if grace > 0 then
    local ok, message, name = tasks.within(grace, tasks.queue, server.idle)
    if ok then return true end
    if ok == nil then return nil, message, name end
  end
  for task in pairs(server.handlers) do
    task.client:close()
    task:cancel()
  end
  return false
end

-- server:close([grace]) -> true | false: some handlers had to be cut off | nil, message, name
function Server:close(grace)
  if grace ~= nil then check.number(grace, 1, "close") end
  for _, watch in ipairs(self.watches) do
    tasks.release(watch)
    watch.object:close()
  end
  if not self.handlers then return true end
  tasks.dismiss(self.full)
  if not grace then return true end
  return await_handlers(self, grace)
end

-- Lua gives it an error, too, which is no grace.
function metatable.__close(server) return Server.close(server) end

return loop
