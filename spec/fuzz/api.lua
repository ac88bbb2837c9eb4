-- Decodes the input of the fuzz target api into calls of the library, one after the other, and inside each other: from
-- finalizers, from methods getfd, from coroutines. Each result must keep to the contract. Run by api.c.
local ls = lsocket
local byte, bytes = fuzz.byte, fuzz.bytes

local DEPTH = 3    -- calls inside of calls
local STEPS = 60   -- calls in all
local steps, depth = 0, 0

local pool = {}    -- objects of the library, and whatever else was made
local step         -- below: one call

-- The next byte, as a number from 1 to n.
local function choose(n) return (byte() or 0) % n + 1 end

local function put(object)
  pool[#pool < 24 and #pool + 1 or choose(24)] = object
end

-- ---- what can be called ----

local methods = {}     -- by type: the names, in order
local functions = {}

local function add(names, from)
  for name, fn in pairs(from) do
    if type(fn) == "function" then names[#names + 1] = { name, fn } end
  end
  table.sort(names, function(a, b) return a[1] < b[1] end)
end

local makers = {
  function() return ls.bind("udp", "127.0.0.1", 0) end,
  function() return ls.poller() end,
  function() return ls.batch(4, 100) end,
  function() return ls.lookup("127.0.0.1") end,
  function() return ls.buffer() end,
  function() return ls.signals("USR1", "WINCH") end,
}
for _, make in ipairs(makers) do
  local object = assert(make())
  local metatable = debug.getmetatable(object)
  local names = {}
  add(names, metatable.__index)
  add(names, metatable)
  methods[metatable.__type] = names
end
add(functions, ls)

-- ---- values ----

local texts = {
  "127.0.0.1", "::1", "localhost", "six.example", "nosuch.example", "@fuzz", "build/fuzz/sockets/a",
  "build/fuzz/sockets/b", "224.0.0.5%lo", "ff02::1%lo", "fe80::11%veth0", "10.11.0.1", "::ffff:127.0.0.1", "", "\0",
  "tcp", "udp", "mcast", "seqpacket", "inet", "inet6", "unix", "r", "w", "rw", "poll", "epoll", "kqueue", "lo", "veth0",
  "socket", "peer", "\n", "0", "65536", "1e3", "0x10", "nodelay", "linger", "rcvbuf", "segment", "gro", "pktinfo",
  "passcred", "recverr", "tcpinfo", "error", "mcastif", "device", "ttl", "timestamp", "congestion", "USR1",
  "RTMIN", "KILL",
}
local fields = {
  "type", "family", "name", "canonical", "address", "port", "localaddress", "localport", "backlog", "inherit", "mode",
  "unlink", "ttl", "data", "source", "interface", "tos", "ecn", "segment", "nodelay", "linger", "rcvbuf", "gro",
  "reuseport", "v6only",
}
local numbers = {
  -1, 0, 1, 2, 3, 4, 5, 7, 16, 100, 255, 256, 1000, 65535, 65536, 70000, 0.5, -0.5, 1e300, -1e300, 0 / 0, 1 / 0,
  -1 / 0, 2147483647, 2147483648, -2147483648, 4294967296, 9007199254740993, 1 << 62, 1 << 63,
}

-- A path of the input's own would leave files anywhere.
local function piece() return (bytes():gsub("/", ".")) end

local function inner()
  if depth < DEPTH then step() end
end

local value

local kinds = {
  function() return nil end,
  function() return true end,
  function() return false end,
  function() return numbers[choose(#numbers)] end,
  function() return byte() or 0 end,
  function() return texts[choose(#texts)] end,
  function() return texts[choose(#texts)] end,
  function() return piece() end,
  function() return ("x"):rep(2 ^ choose(18)) end,
  function() return pool[choose(24)] end,
  function() return pool[choose(24)] end,
  function() return pool[choose(24)] end,
  function() -- an array
    local array = {}
    for i = 1, choose(4) do array[i] = value() end
    return array
  end,
  function() -- arguments by name
    local named = {}
    for _ = 1, choose(5) do named[fields[choose(#fields)]] = value() end
    return named
  end,
  function() return inner end,
  function() return coroutine.create(inner) end,
  function() -- what has a descriptor, and does something else when it is asked for it
    local object, deep = pool[choose(24)], choose(2) == 1
    return { getfd = function()
      if deep then inner() end
      return type(object) == "userdata" and object.getfd and object:getfd() or value()
    end }
  end,
  function() -- what does something when it is collected, and comes back
    local mine = pool[choose(24)]
    return setmetatable({ mine }, { __gc = function(self)
      put(self)
      put(mine)
      inner()
    end })
  end,
  function() -- the same while the state is closed
    setmetatable({}, { __gc = inner })
    return io.tmpfile()
  end,
  function() -- a number of our own descriptors
    return (fuzz.open(choose(4)))
  end,
}

function value() return kinds[choose(#kinds)]() end

-- ---- judging ----

local function describe(name, ...)
  local list = { name }
  for i = 1, select("#", ...) do list[i + 1] = tostring((select(i, ...))) end
  return table.concat(list, ", ")
end

-- These may have nothing in the first place, and something behind it.
local sparse = { accept = true, recvfrom = true, get = true }

local function judge(name, ok, ...)
  local first, message, symbol = ...
  if not ok then
    if type(first) ~= "string" and name ~= "getfd" then fuzz.wrong(describe(name .. " raises no text", ...)) end
    return ok
  end
  for i = 1, math.min(select("#", ...), 4) do
    local result = select(i, ...)
    if type(result) == "userdata" or type(result) == "table" then put(result) end
  end
  if first == nil and select("#", ...) > 1 then
    local failure = select("#", ...) == 3 and type(message) == "string" and type(symbol) == "string"
    if failure and symbol:find "^E[A-Z0-9_]+$" then return ok, ... end
    if not sparse[name] then fuzz.wrong(describe(name .. " fails with other than nil, message, name", ...)) end
  end
  return ok, ...
end

-- ---- calls that move the ownership of a descriptor, which must be kept track of ----

local special = {}

function special.fromfd(fn, _, first, ...)
  if io.type(first) then return judge("fromfd", pcall(fn, first)) end -- which it copies
  local fd = fuzz.open(choose(4))
  if not fd then return end
  local ok, object = judge("fromfd", pcall(fn, fd, first, ...))
  if ok and object then fuzz.given(fd) end
end

-- Each wait of a socket that would not end is interrupted, and goes on.
function special.wait(fn, _, object, events, timeout, ...)
  local metatable = debug.getmetatable(object)
  local endless = metatable and metatable.__type == "socket" and (timeout == nil or tonumber(timeout))
  judge("wait", pcall(fn, object, events, endless and 0 or timeout, ...))
end

function special.detach(fn, _, object, ...)
  if not fuzz.room() then return end
  local ok, fd = judge("detach", pcall(fn, object, ...))
  if ok and math.type(fd) == "integer" and fd >= 0 then fuzz.owned(fd) end
end

function special.setfd(fn, _, object)
  if not fuzz.room() then return end
  local known, fd = pcall(function() return object:getfd() end)
  local ok, done = judge("setfd", pcall(fn, object, -1))
  if ok and done and known and math.type(fd) == "integer" and fd >= 0 then fuzz.owned(fd) end
end

-- Adopting makes a descriptor non-blocking: no number that is not ours is sent to ourselves.
function special.sendfds(fn, _, object, data, list)
  for i, element in pairs(type(list) == "table" and debug.getmetatable(list) == nil and list or {}) do
    if type(element) == "number" or type(element) == "table" then list[i] = fuzz.open(1) end
  end
  judge("sendfds", pcall(fn, object, data, list))
end

local function call(entry, ...)
  local name, fn = entry[1], entry[2]
  if special[name] then return special[name](fn, name, ...) end
  judge(name, pcall(fn, ...))
end

-- ---- a step ----

-- A method of the object's own type with few odd arguments does more than any other call.
local function call_method(object)
  local metatable = debug.getmetatable(object)
  local names = metatable and methods[metatable.__type]
  if not names then return end
  call(names[choose(#names)], object, value(), value(), value())
end

local all = { "batch", "buffer", "lookup", "poller", "signals", "socket" }

local actions = {
  function() call(functions[choose(#functions)], value(), value(), value(), value()) end,
  function() -- what is given is not what is asked for
    local names = methods[all[choose(#all)]]
    call(names[choose(#names)], value(), value(), value())
  end,
  function() put((makers[choose(#makers)]())) end,
  function() -- a connection
    local server = ls.bind(texts[choose(2)], 0)
    local client = server and ls.connect(server:info("socket").addr, server:info("socket").port)
    put(server)
    put(client)
    put(server and server:accept() or nil)
  end,
  function()
    for _, one in ipairs { ls.pair(({ "tcp", "udp", "seqpacket" })[choose(3)]) } do put(one) end
  end,
  function() put(value()) end,
  function() pool[choose(24)] = nil end,
  function() collectgarbage(choose(2) == 1 and "collect" or "step") end,
  function() -- the collector runs as often as it can
    collectgarbage("setpause", 0)
    collectgarbage("setstepmul", 1000)
  end,
  function() collectgarbage(choose(2) == 1 and "generational" or "incremental") end,
  function() pcall(coroutine.wrap(inner)) end,
  function() -- an object that is closed when its scope ends
    local object = pool[choose(24)]
    local metatable = debug.getmetatable(object)
    if metatable and metatable.__close then
      pcall(function()
        local closed <close> = object
        inner()
        return closed
      end)
    end
  end,
  function() -- data that waits to be read
    local object = pool[choose(24)]
    if type(object) == "userdata" then pcall(function() return object:send(piece()) end) end
  end,
  function() -- a poller that knows something
    local poller, object = ls.poller(texts[25 + choose(2)]), pool[choose(24)]
    if poller and object then judge("add", pcall(poller.add, poller, object, texts[22 + choose(3)], value())) end
    put(poller)
  end,
}

function step()
  if steps >= STEPS then return end
  steps = steps + 1
  depth = depth + 1
  local which = choose(40)
  local object = pool[choose(24)]
  local ok, problem
  if actions[which] then ok, problem = pcall(actions[which])
  elseif type(object) == "userdata" then ok, problem = pcall(call_method, object)
  else ok, problem = pcall(actions[which % #actions + 1]) end
  depth = depth - 1
  if not ok and type(problem) == "string" and problem:find "api.lua:%d+: " and not problem:find "memory" then
    fuzz.wrong(problem)
  end
end

-- A few to begin with.
for _, make in ipairs(makers) do put((make())) end
for _, one in ipairs { ls.pair() } do put(one) end

while steps < STEPS do
  if not byte() then break end
  step()
end
