-- Connections by name: the addresses of a host race, as RFC 8305 says.
local check = require "lsocket.loop.check"
local contexts = require "lsocket.loop.contexts"
local deadlines = require "lsocket.loop.deadlines"
local lsocket = require "lsocket"
local names = require "lsocket.loop.names"
local protect = require "lsocket.loop.protect"
local secure = require "lsocket.loop.secure"
local streams = require "lsocket.loop.streams"
local waits = require "lsocket.loop.waits"
local watches = require "lsocket.loop.watches"

local clock = lsocket.now

local connecting = {}

local HEAD_START = 0.25                  -- seconds that an address has before the next one is tried, too
local SOONEST, LATEST = 0.001, 0.05      -- seconds until a unix socket with a full backlog is tried again

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

-- What bind and connect are called with: the options that are theirs, and port. TCP is not to keep small pieces back; a
-- connection has that from the socket that listens.
function connecting.arguments_of(options, port, list)
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
  race.met[#race.met + 1] = names.place(address, race.arguments.port) .. ": " .. message
end

-- A unix socket whose backlog is full cannot be waited for: it is tried again, later and later.
local function connect(race)
  local pause = SOONEST
  while true do
    local sock, message, name = check.call(lsocket.connect, race.arguments, 3, "connect")
    if sock or name ~= "EAGAIN" then return sock, message, name end
    local ok
    ok, message, name = deadlines.sleep(pause)
    if not ok then return nil, message, name end
    pause = math.min(2 * pause, LATEST)
  end
end

-- Tries the next address.
local function start(race)
  local address = table.remove(race.addresses, 1)
  race.arguments.address = address
  local sock, message, name = connect(race)
  if not sock then return note(race, address, message, name) end
  local attempt = streams.make(sock, race.options)
  race.names[attempt] = address
  table.insert(race.attempts, attempt)
end

-- Linux connects a port that nobody listens on to itself, if it has chosen the same one for this end. Such a connection
-- is reset, not closed: whoever is about to listen there would find the port in use for a minute.
local function is_its_own_peer(sock)
  local near, far = sock:info "socket", sock:info "peer"
  return near and far and near.port and near.port == far.port and near.addr == far.addr
end

local function status_of(sock)
  local ok, message, name = sock:status()
  if not ok or not is_its_own_peer(sock) then return ok, message, name end
  sock:setopt("linger", 0)
  return nil, "Connection refused", "ECONNREFUSED"
end

-- Is the attempt, which has become writable, the winner? One that failed is noted and closed.
local function judge(race, attempt)
  local ok, message, name = status_of(attempt.object)
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
    while #race.addresses > 0 and (#race.attempts == 0 or clock() >= due) do
      start(race)
      due = clock() + delay
    end
    if #race.attempts > 0 then
      local left = #race.addresses > 0 and math.max(0, due - clock()) or nil
      local ok, attempt, name = watches.wait_any(race.attempts, "w", left)
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

-- Closes what has not won, also where a wait has raised.
local function finish(race, ok, winner, message, name)
  if ok and not winner then message = account(race, message) end
  for _, attempt in ipairs(race.attempts) do
    if not ok or attempt ~= winner then attempt:close() end
  end
  if not ok then check.again(winner) end
  if winner then return winner end
  return nil, message, name or race.name
end

local function connect_by_name(host, port, options)
  local list, message, name = names.addresses_of(host, port, options and options.family, 3, "connect")
  if not list then return nil, message, name end
  local race = {
    addresses = interleave(list), attempts = {}, names = {}, met = {},
    arguments = connecting.arguments_of(options, port, list), options = options,
  }
  local task = waits.this()
  return finish(race, protect.call(task, task.due, run_race, race, options and options.delay or HEAD_START))
end

-- The same with TLS, for which the name has been checked.
local function connect_securely(host, port, options, tlsname)
  local context, message, name = contexts.of_client(options.tls)
  if not context then return nil, message, name end
  local stream, ok
  stream, message, name = connect_by_name(host, port, options)
  if not stream then return nil, message, name end
  ok, message, name = secure.shake_hands(stream, context, tlsname)
  if ok then return stream end
  return nil, names.place(host, port) .. ": " .. message, name
end

-- loop.connect(host, port [, options]) -> stream | nil, message, name
function connecting.connect(host, port, options)
  check.host(host, "connect")
  check.options(options, 3, "connect")
  local tlsname = contexts.name_of(host, options)
  waits.this()
  local connect_to = options and options.tls and connect_securely or connect_by_name
  local seconds = options and options.timeout
  if not seconds then return connect_to(host, port, options, tlsname) end
  return deadlines.deadline(seconds, connect_to, host, port, options, tlsname)
end

return connecting
