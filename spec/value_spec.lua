-- Wrong arguments: every argument of every function and method gets every kind of value that does not belong there.
-- Each must raise an error that names the argument, or fail as a network fails; none may crash or be taken silently.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local pack = helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

local long = ("x"):rep(1024 * 1024)

local function closed_socket()
  local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
  sock:close()
  return sock
end

-- name -> function that makes the value; the names are what the rows below speak of.
local odd = {
  ["nil"] = function() return nil end,
  ["true"] = function() return true end,
  ["false"] = function() return false end,
  zero = function() return 0 end,
  one = function() return 1 end,
  ["minus one"] = function() return -1 end,
  ["minus five"] = function() return -5 end,
  fraction = function() return 0.5 end,
  ["other fraction"] = function() return 45001.5 end,
  ["70000"] = function() return 70000 end,
  ["2^31-1"] = function() return 2 ^ 31 - 1 end,
  ["2^31"] = function() return 2 ^ 31 end,
  ["-2^31"] = function() return -2 ^ 31 end,
  ["2^32"] = function() return 2 ^ 32 end,
  ["2^53"] = function() return 2 ^ 53 end,
  ["-2^53"] = function() return -2 ^ 53 end,
  ["2^63"] = function() return 2 ^ 63 end,
  ["1e300"] = function() return 1e300 end,
  inf = function() return 1 / 0 end,
  ["-inf"] = function() return -1 / 0 end,
  NaN = function() return 0 / 0 end,
  ["empty string"] = function() return "" end,
  ["string"] = function() return "1.2.3.4.5" end, -- never looked up
  ["NUL string"] = function() return "\0" end,
  ["string with NUL"] = function() return "127.0.0.1\0" end,
  ["path with NUL"] = function() return "/tmp/\0x" end,
  ["digits with NUL"] = function() return "1\0" end,
  ["negative string"] = function() return "-1" end,
  ["long string"] = function() return long end,
  ["long digits"] = function() return ("1"):rep(1024 * 1024) end,
  ["long path"] = function() return "/" .. long end,
  ["long abstract name"] = function() return "@" .. long end,
  ["table"] = function() return {} end,
  ["function"] = function() return function() end end,
  thread = function() return coroutine.create(function() end) end,
  userdata = function() return io.stdout end,
  ["closed socket"] = closed_socket,
}

local function set(...)
  local members = {}
  for _, group in ipairs { ... } do
    for name in (group .. ","):gmatch "([^,]+)," do members[name] = true end
  end
  return members
end

local none = set()
local anything = {}
for name in pairs(odd) do anything[name] = true end
local strings = "empty string,string,NUL string,string with NUL,path with NUL,digits with NUL,negative string," ..
  "long string,long digits,long path,long abstract name"
local names = set "empty string,string,negative string,long string,long digits,long path,long abstract name"
local integers = "zero,one,minus one,minus five,70000,2^31-1,2^31,-2^31,2^32,2^53,-2^53,2^63,1e300"
local numbers = integers .. ",fraction,other fraction,inf,-inf"
local with_nul = tonumber "1\0" and ",digits with NUL" or "" -- Lua 5.1 takes it for a number everywhere
local counts = "zero,one,70000,2^31-1" .. with_nul
local places = "nil,negative string," .. integers .. with_nul
local extents = "nil,2^31,2^32,2^53," .. counts
local times = numbers .. ",negative string,long digits" .. with_nul

local descriptors = set "zero,one" -- which are standard input and output

local function udp() return (assert(lsocket.bind("udp", "127.0.0.1", 0))) end

-- A socket with something to be read, so that no select on it waits.
local function full()
  local sock = udp()
  sock:sendto("x", "127.0.0.1", helper.port(sock))
  return helper.readable(sock)
end

local function fixed(...)
  local args = pack(...)
  return function() return unpack(args, 1, args.n) end
end

-- For each function: arguments that work, and for each of them which odd values may be taken (the rest must not be).
-- skip: values that wait. shifts: arguments may be left out in front, so that an odd one can make its neighbour wrong.
local functions = {
  bind = { args = fixed("udp", "127.0.0.1", 0, 5), shifts = true,
    may = { none, set "zero,one", set "zero,one", set("nil", counts) } },
  connect = { args = fixed("udp", "127.0.0.1", 9, 1), shifts = true,
    may = { none, none, set "zero,one", set("nil,zero,one" .. with_nul) } },
  pair = { args = fixed "udp", may = { set "nil" } },
  socket = { args = fixed("udp", "inet"), may = { set "nil,table", set "nil" } },
  fromfd = { args = fixed(-1), may = { none }, -- standard input and output
    skip = { set "zero,one,digits with NUL,userdata" } },
  listenfds = { args = function() end, may = {} },
  resolve = { args = fixed "127.0.0.1", may = { none } },
  lookup = { args = fixed("127.0.0.1", "inet"), may = { names, set "nil" } },
  signals = { args = fixed("USR1", "USR2"), may = { none, none } },
  tobytes = { args = fixed "127.0.0.1", may = { none } },
  toaddress = { args = fixed "four", may = { none } },
  getinterfaces = { args = function() end, may = {} },
  gethostname = { args = function() end, may = {} },
  now = { args = function() end, may = {} },
  time = { args = function() end, may = {} },
  select = { args = function() return { full() }, { full() }, 0 end,
    may = { set("nil,table", times), set("nil,table", times), set("nil", times) },
    skip = { set "one,fraction,other fraction,70000,2^31-1,2^31,2^32,2^53,2^63,1e300,inf,long digits,digits with NUL",
      none, none } },
  poller = { args = fixed "poll", may = { set "nil" } },
  batch = { args = fixed(1, 100), may = { set("one", with_nul), set("nil,one", with_nul) } },
  buffer = { args = fixed(100), may = { set("nil,one,70000,2^31-1", with_nul) } },
  ring = { args = function() end, may = {} },
}

local function batch()
  local made = lsocket.batch(2, 2 ^ 15)
  made:add("x", "127.0.0.1", 9)
  return made
end

local socket_only = { args = udp, may = { set "closed socket" } }

-- A member of a group on the loopback interface, and what it would need to join it.
local function member()
  local sock = udp()
  sock:join("239.1.2.3", 1, "127.0.0.1")
  return sock, "239.1.2.3", 1, "127.0.0.1"
end

local methods = {
  info = { args = function() return udp(), nil end,
    may = { set "closed socket", set("nil", strings, numbers, "NaN") } },
  status = socket_only,
  getfd = socket_only,
  pending = socket_only,
  setfd = { args = function() return udp(), -1 end, may = { set "closed socket", set "minus one,negative string" } },
  bind = { args = function() return assert(lsocket.socket "udp"), "127.0.0.1", 0 end, shifts = true,
    may = { none, set "zero,one", set "zero,one" } },
  connect = { args = function() return assert(lsocket.socket "udp"), "127.0.0.1", 9 end,
    may = { none, none, set "zero,one" } },
  listen = { args = function() return assert(lsocket.socket()), 5 end, may = { none, set("nil", counts) } },
  wait = { args = function() return udp(), "w", 0 end, may = { none, none, set("nil", times) } },
  accept = socket_only,
  recv = { args = function() return udp(), 10 end, may = { set "closed socket", set("nil", counts) } },
  recvfrom = { args = function() return udp(), 10 end, may = { set "closed socket", set("nil", counts) } },
  peek = { args = function() return udp(), 10 end, may = { set "closed socket", set("nil", counts) } },
  send = { args = function() return (assert(lsocket.connect("udp", "127.0.0.1", 9))), "x", 1, 1 end,
    may = { none, set(strings, numbers, "NaN,table"), set(places), set(places) } },
  sendrest = { args = function() return (assert(lsocket.connect("udp", "127.0.0.1", 9))), 1, "x", "y" end,
    may = { none, set("nil,2^31,2^32,2^53,2^63,1e300,one,70000,2^31-1" .. with_nul), set(strings, numbers, "NaN"),
      set(strings, numbers, "NaN") } },
  sendfile = { args = function() return (helper.tcp()), io.stdout, 0, 0 end,
    may = { none, descriptors, set(extents), set(extents) } },
  sendto = { args = function() return udp(), "x", "127.0.0.1", 9 end,
    may = { none, set(strings, numbers, "NaN"), none, set "one" } },
  join = { args = function() return udp(), select(2, member()) end, may = { none, none, set "nil,one", set "nil" } },
  leave = { args = member, may = { none, none, set "nil,one", set "nil" } },
  close = socket_only,
  shutdown = { args = function() return (helper.tcp()), "rw" end, may = { none, set "nil" } },
  detach = socket_only,
  dup = socket_only,
  inherit = { args = function() return udp(), true end, may = { none, set "nil,true,false" } },
  setopt = { args = function() return udp(), "rcvbuf", 4096 end, shifts = true, may = { none, none, set(counts) } },
  getopt = { args = function() return udp(), "rcvbuf" end, shifts = true, may = { none, none } },
  recvmsg = { args = function() return udp(), 10, {} end, may = { none, set("nil", counts), set "nil,table" } },
  recverr = { args = function() return udp(), 10, {} end, may = { none, set("nil", counts), set "nil,table" } },
  sendmsg = { args = function() return udp(), { data = "x", address = "127.0.0.1", port = 9 } end,
    may = { none, none } },
  sendfds = { args = function() return (assert(lsocket.pair "udp")), "x", {} end,
    may = { none, set(strings, numbers, "NaN"), set "table" } },
  recvfds = { args = function() return (assert(lsocket.pair "udp")), 10, 1 end,
    may = { none, set("nil", counts), set("nil,zero,one" .. with_nul) } },
  peercred = { args = function() return (assert(lsocket.pair())) end, may = { none } },
  recvmany = { args = function() return full(), batch() end, may = { none, none } },
  sendmany = { args = function() return udp(), batch(), "127.0.0.1", 9 end,
    may = { none, none, set "nil", set "one" } },
}

local function listener() return (assert(lsocket.bind("127.0.0.1", 0))) end

-- The methods that take options by number, too: TCP_NODELAY of IPPROTO_TCP.
local by_number = {
  setopt = { args = function() return listener(), 6, 1, 1 end,
    may = { none, set(counts), set(counts), set(strings, integers) } },
  getopt = { args = function() return listener(), 6, 1, 4 end,
    may = { none, set(counts), set(counts), set("nil,zero,one", with_nul) } },
}

-- __write is what streams write with: sendrest, but a wrong piece is a failure, which they name.
local metamethods = { __gc = socket_only, __close = socket_only, __drop = socket_only, __tostring = socket_only,
  __write = { args = methods.sendrest.args, may = { none, anything, anything, anything } },
  -- What lsocket.luasocket sends, accepts and selects with. A wrong argument of __send is a failure, too.
  __send = { args = methods.send.args, may = { none, anything, anything, anything } },
  __accept = socket_only,
  __select = { args = function() return {}, { udp() }, 0 end, may = { anything, anything, set("nil", times) } } }
-- What makes its methods, where they may wait below a function in C.
if getmetatable(udp()).__quick then
  metamethods.__quick = { args = fixed("send", print, print), may = { none, anything, anything } }
end

-- A poller in which something is ready, so that no wait on it waits.
local function poller()
  local made = assert(lsocket.poller())
  made:add(udp(), "w")
  return made
end

local poller_only = { args = poller, may = { none } }

local poller_methods = {
  add = { args = function() return poller(), udp(), "r" end, may = { none, descriptors, none } },
  modify = { args = function() return poller(), udp(), "r" end, may = { none, none, none } },
  remove = { args = function() return poller(), udp() end, may = { none, none } },
  wait = { args = function() return poller(), 0, {}, {} end,
    may = { none, set("nil", times), set "nil,table", set "nil,table" } },
  getfd = poller_only,
  close = poller_only,
}

local poller_metamethods = { __gc = poller_only, __close = poller_only, __len = poller_only, __tostring = poller_only,
  -- What the loop waits with.
  __wait = poller_methods.wait, __ready = poller_only, __lend = poller_only, __takeback = poller_only }

local batch_only = { args = batch, may = { none } }

local batch_methods = {
  get = { args = function() return batch(), 1 end, may = { none, set("one", with_nul) } },
  add = { args = function() return batch(), "x", "127.0.0.1", 9 end,
    may = { none, set(strings, numbers, "NaN"), set "nil", set "zero,one" } },
  clear = batch_only,
  rewind = batch_only,
}

local batch_metamethods = { __gc = batch_only, __len = batch_only, __tostring = batch_only }

local function buffer()
  local made = lsocket.buffer()
  made:append "one\ntwo\n"
  return made
end

local buffer_only = { args = buffer, may = { none } }

local buffer_methods = {
  recv = { args = function() return buffer(), full(), 10 end, may = { none, none, set("nil", counts) } },
  append = { args = function() return buffer(), "x" end, may = { none, set(strings, numbers, "NaN") } },
  line = { args = function() return buffer(), false end, may = { none, anything } },
  lines = { args = function() return buffer(), false end, may = { none, anything } },
  upto = { args = function() return buffer(), "\n", 10, false end,
    may = { none, set(strings, numbers, "NaN"), set("nil,one,70000,2^31-1", with_nul), anything } },
  take = { args = function() return buffer(), 3 end, may = { none, set(counts) } },
  some = { args = function() return buffer(), 3 end, may = { none, set("nil", counts) } },
  peek = { args = function() return buffer(), 3 end, may = { none, set("nil", counts) } },
  clear = buffer_only,
}

local buffer_metamethods = { __gc = buffer_only, __len = buffer_only, __tostring = buffer_only,
  __yieldif = { args = fixed(false), may = { anything } },
  -- What lsocket.luasocket receives with: a wrong pattern or prefix is a failure.
  __receive = { args = function() return buffer(), (helper.tcp()), "*l", "" end,
    may = { none, set "closed socket", anything, anything } },
  __rest = { args = function() return buffer(), "*l", "" end, may = { none, anything, anything } },
  __gone = buffer_only, __limit = { args = function() return buffer(), 5 end, may = { none, set(counts) } } }

local function lookup() return (assert(lsocket.lookup "127.0.0.1")) end

local lookup_only = { args = lookup, may = { none } }

local lookup_methods = { result = lookup_only, getfd = lookup_only, cancel = lookup_only }

local lookup_metamethods = { __gc = lookup_only, __close = lookup_only, __tostring = lookup_only }

local function signals() return (assert(lsocket.signals "USR1")) end

local signals_only = { args = signals, may = { none } }

local signals_methods = { next = signals_only, getfd = signals_only, close = signals_only }

local signals_metamethods = { __gc = signals_only, __close = signals_only, __tostring = signals_only }

-- A ring with a request that has ended, so that no wait on it waits.
local function ring()
  local made, near, far = assert(lsocket.ring()), lsocket.pair()
  assert(made:receive(near, far) and far:send "x" == 1)
  return made
end

local function stream() return (assert(lsocket.pair())) end

local ring_only = { args = ring, may = { none } }

local ring_methods = {
  receive = { args = function() return ring(), stream(), 1, 10 end,
    may = { none, none, anything, set("nil,one,70000,2^31-1", with_nul) } },
  send = { args = function() return ring(), stream(), 1, "x" end,
    may = { none, none, anything, set("nil", strings, numbers, "NaN") } },
  accept = { args = function() return ring(), (assert(lsocket.bind("127.0.0.1", 0))), 1 end,
    may = { none, none, anything } },
  poll = { args = function() return ring(), stream(), 1, "r" end, may = { none, descriptors, anything, set "nil" } },
  wait = { args = function() return ring(), 0, {}, {}, {}, {} end,
    may = { none, set("nil", times), set "table", set "table", set "table", set "table" } },
  cancel = { args = function() return ring(), stream(), "r" end, may = { none, anything, none } },
  busy = { args = function() return ring(), stream() end, may = { none, anything } },
  remove = { args = function() return ring(), stream() end, may = { none, anything } },
  submit = ring_only,
  close = ring_only,
}

local ring_metamethods = { __gc = ring_only, __close = ring_only, __len = ring_only, __tostring = ring_only,
  __here = { args = fixed(false, false), may = { anything, anything } } }

-- For each type of object: one of it, and the rows of its methods and metamethods.
local classes = {
  socket = { object = closed_socket, methods = methods, metamethods = metamethods },
  poller = { object = poller, methods = poller_methods, metamethods = poller_metamethods },
  batch = { object = batch, methods = batch_methods, metamethods = batch_metamethods },
  buffer = { object = buffer, methods = buffer_methods, metamethods = buffer_metamethods },
  lookup = { object = lookup, methods = lookup_methods, metamethods = lookup_metamethods },
  signals = { object = signals, methods = signals_methods, metamethods = signals_metamethods },
  ring = lsocket.ring() and { object = ring, methods = ring_methods, metamethods = ring_metamethods },
}

-- The values that named arguments take, in a table that works but for the one.
local named = {
  type = none,
  address = none,
  port = set "zero,one",
  backlog = set(counts),
  ttl = set("zero,one" .. with_nul),
  reuseaddr = set "true,false",
  family = none,
  localaddress = none, -- and of no use to bind, as the next one
  localport = set "zero,one",
  mode = none,
  unlink = set "true,false",
  inherit = set "true,false",
}

-- What the call answered: whether it was taken, or what is wrong with its way of failing.
local function judge(position, results, shifts)
  if results[1] then
    local failure = results[2] == nil and results.n > 2
    if not failure then return "taken" end
    if results.n ~= 4 or type(results[3]) ~= "string" or not tostring(results[4]):match "^E[%u_]+$" then
      return "failed with strange results"
    end
    return nil
  end
  local message = results[2]
  local place = type(message) == "string" and tonumber(message:match "bad argument #(%d+) ")
  if place ~= position and not (place and shifts) then return "raised '" .. tostring(message) .. "'" end
end

-- Tries every odd value in the place of every argument of a call.
local function try_all(call, row)
  local count = pack(row.args()).n
  assert.equal(count, #row.may)
  for position = 1, count do
    for what, make in pairs(odd) do
      local args = pack(row.args())
      args[position] = make()
      if not (row.skip and row.skip[position][what]) then
        local problem = judge(position, pack(pcall(call, unpack(args, 1, args.n))), row.shifts)
        if problem and not (problem == "taken" and row.may[position][what]) then
          error(("argument %d is %s: %s"):format(position, what, problem))
        end
      end
    end
  end
end

for name, row in pairs(functions) do
  describe(name, function()
    it("refuses wrong values in every place", function()
      try_all(lsocket[name], row)
    end)
  end)
end

for name, row in pairs(by_number) do
  describe("the method socket:" .. name .. " by number", function()
    it("refuses wrong values in every place", function()
      try_all(getmetatable(closed_socket()).__index[name], row)
    end)
  end)
end

for type, class in pairs(classes) do
  for name, row in pairs(class.methods) do
    describe("the method " .. type .. ":" .. name, function()
      it("refuses wrong values in every place", function()
        try_all(getmetatable(class.object()).__index[name], row)
      end)
    end)
  end

  for name, row in pairs(class.metamethods) do
    describe("the metamethod " .. name .. " of " .. type .. "s", function()
      it("refuses every other type", function()
        try_all(getmetatable(class.object())[name], row)
      end)
    end)
  end
end

describe("named arguments", function()
  it("refuse wrong values, and say under which name", function()
    for name, may in pairs(named) do
      for what, make in pairs(odd) do
        local value = make()
        for _, call in ipairs(value == nil and {} or { lsocket.bind, lsocket.connect }) do
          local args = { type = "udp", address = "127.0.0.1", port = 9, backlog = 1, ttl = 1 }
          if call == lsocket.bind then args.port = 0 end
          args[name] = value
          local results = pack(pcall(call, args))
          local problem = judge(1, results)
          if not problem and not results[1] and not results[2]:find(name .. ": ", 1, true) then
            problem = "raised '" .. results[2] .. "', which does not say " .. name
          end
          if problem and not (problem == "taken" and may[what]) then
            error(("%s is %s: %s"):format(name, what, problem))
          end
        end
      end
    end
  end)

  it("refuse every unknown name, of any type", function()
    for what, make in pairs(odd) do
      local key = make()
      if key ~= nil and key == key then
        for _, call in ipairs { lsocket.bind, lsocket.connect } do
          local results = pack(pcall(call, { type = "udp", address = "127.0.0.1", port = 9, [key] = true }))
          if results[1] or not results[2]:find "bad argument #1 " or not results[2]:find "no such argument" then
            error(("the name is %s: %s"):format(what, tostring(results[2]):sub(1, 100)))
          end
        end
      end
    end
  end)
end)

describe("this spec", function()
  it("has a row for every function of the module", function()
    for name, value in pairs(lsocket) do
      if type(value) == "function" then assert.is_table(functions[name], "no row for " .. name) end
    end
  end)

  it("has a row for every method and metamethod", function()
    for _, class in pairs(classes) do
      local metatable = getmetatable(class.object())
      for name in pairs(metatable.__index) do assert.is_table(class.methods[name], "no row for " .. name) end
      for name, value in pairs(metatable) do
        if type(value) == "function" then assert.is_table(class.metamethods[name], "no row for " .. name) end
      end
    end
  end)

  it("has rows for nothing else", function()
    for name in pairs(functions) do assert.is_function(lsocket[name]) end
    for _, class in pairs(classes) do
      local metatable = getmetatable(class.object())
      for name in pairs(class.methods) do assert.is_function(metatable.__index[name]) end
      for name in pairs(class.metamethods) do assert.is_function(metatable[name]) end
    end
  end)
end)

describe("sizes of recv and recvfrom", function()
  it("outside 0 to 2^31 - 1 raise instead of taking memory", function()
    local client, server = helper.tcp()
    client:send "data"
    helper.readable(server)
    for _, size in ipairs { -1, 2 ^ 31, 2 ^ 53, 1 / 0, -1 / 0, 0 / 0, 1.5, "x", "-1", "1.5", true, {} } do
      helper.raises("bad argument #1 to 'recv'", function() server:recv(size) end)
      helper.raises("bad argument #1 to 'recvfrom'", function() server:recvfrom(size) end)
    end
    local before = collectgarbage "count"
    assert.equal("data", server:recv(2 ^ 31 - 1))
    assert.is_true(collectgarbage "count" - before < 1024)
  end)
end)
