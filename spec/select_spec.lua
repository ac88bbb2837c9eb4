-- select: forms of its arguments, what it answers and in which order, waiting, and objects that are no sockets.
-- Signals that end it, and very many descriptors, are in state_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local raises, need, pack = helper.raises, helper.need, helper.pack

local nothing_open = "no open sockets to check and no timeout set"

-- A udp socket with something to read; one without.
local function full_socket()
  local sock, port = helper.bind("udp", "127.0.0.1", 0)
  sock:sendto("x", "127.0.0.1", port)
  return helper.readable(sock)
end

local function empty_socket()
  return assert(lsocket.bind("udp", "127.0.0.1", 0))
end

-- A stream that takes no more.
local function stuffed_socket()
  local client, server = helper.tcp()
  helper.eventually("a full stream", function() return client:send(("x"):rep(1000000)) == false end)
  return client, server
end

describe("select", function()
  local full, empty, stuffed, keeper

  before_each(function()
    full, empty = full_socket(), empty_socket()
    stuffed, keeper = stuffed_socket()
  end)

  after_each(function()
    for _, sock in ipairs { full, empty, stuffed, keeper } do sock:close() end
  end)

  it("of one table answers one table of what can be read", function()
    assert.same({ n = 1, { full } }, pack(lsocket.select({ full })))
    assert.same({ n = 1, { full } }, pack(lsocket.select { empty, full }))
    assert.same({ n = 1, { full } }, pack(lsocket.select({ full, empty }, 1)))
    assert.same({ n = 1, { full } }, pack(lsocket.select({ full }, nil, 1)))
    assert.same({ n = 1, { full } }, pack(lsocket.select({ full }, nil, nil)))
  end)

  it("of two tables answers two", function()
    assert.same({ n = 2, { full }, { empty } }, pack(lsocket.select({ full, stuffed }, { empty, stuffed })))
    assert.same({ n = 2, { full }, { full } }, pack(lsocket.select({ full }, { full }, 1)))
    assert.same({ n = 2, {}, { empty } }, pack(lsocket.select({ empty }, { empty }, 1)))
    assert.same({ n = 2, { full }, {} }, pack(lsocket.select({ full }, { stuffed }, 1)))
    assert.same({ n = 2, { full }, {} }, pack(lsocket.select({ full }, {}, 1)))
  end)

  it("of nil and a table answers an empty table and what can be written", function()
    assert.same({ n = 2, {}, { empty } }, pack(lsocket.select(nil, { empty, stuffed })))
    assert.same({ n = 2, {}, { empty } }, pack(lsocket.select(nil, { stuffed, empty }, 1)))
    assert.same({ n = 2, {}, { empty } }, pack(lsocket.select({}, { empty }, 1)))
  end)

  it("of a time alone sleeps and answers false", function()
    for _, call in ipairs {
      function() return lsocket.select(0.03) end,
      function() return lsocket.select({}, 0.03) end,
      function() return lsocket.select({}, {}, 0.03) end,
      function() return lsocket.select(nil, 0.03) end,
      function() return lsocket.select(nil, nil, 0.03) end,
      function() return lsocket.select({ empty }, 0.03) end,
      function() return lsocket.select({ empty }, nil, 0.03) end,
      function() return lsocket.select(nil, { stuffed }, 0.03) end,
      function() return lsocket.select({ empty, stuffed }, { stuffed }, 0.03) end,
    } do
      local start = helper.now()
      assert.same({ n = 1, false }, pack(call()))
      local waited = helper.now() - start
      assert.is_true(waited >= 0.0299 and waited < 0.03 + helper.patience, "waited " .. waited)
    end
  end)

  it("waits in milliseconds, and never less than it was told", function()
    for _, seconds in ipairs { 0.001, 0.0015, 0.004, 0.0101 } do
      local start = helper.now()
      lsocket.select(seconds)
      assert.is_true(helper.now() - start >= seconds * 0.99)
    end
  end)

  it("of the time 0 answers at once", function()
    assert.is_false(lsocket.select(0))
    assert.is_false(lsocket.select({ empty }, 0))
    assert.is_false(lsocket.select({ empty }, { stuffed }, 0))
    assert.same({ full }, lsocket.select({ full }, 0))
    assert.is_false(lsocket.select({}, 0))
    assert.is_false(lsocket.select({ empty }, -0.0))
  end)

  it("waits for ever where the time is negative, infinite or absent", function()
    need.proc(pending)
    local listener, port = helper.bind("127.0.0.1", 0)
    for _, call in ipairs {
      function() return lsocket.select { listener } end,
      function() return lsocket.select({ listener }, nil) end,
      function() return lsocket.select({ listener }, -1) end,
      function() return lsocket.select({ listener }, -0.001) end,
      function() return lsocket.select({ listener }, { stuffed }, -1e300) end,
      function() return lsocket.select({ listener }, -1 / 0) end,
      function() return lsocket.select({ listener }, 1 / 0) end,
      function() return lsocket.select({ listener }, 1e300) end,
    } do
      local child = io.popen(helper.command("connect", port)) -- starting it takes longer than any short wait
      assert.same({ listener }, call())
      assert(listener:accept())
      child:close()
    end
  end)

  it("with nothing to wait for and no time fails", function()
    local closed = empty_socket()
    closed:close()
    for _, call in ipairs {
      function() return lsocket.select() end,
      function() return lsocket.select(nil) end,
      function() return lsocket.select {} end,
      function() return lsocket.select({}, {}) end,
      function() return lsocket.select(nil, {}) end,
      function() return lsocket.select(nil, nil, nil) end,
      function() return lsocket.select { closed } end,
      function() return lsocket.select({ closed }, { closed, closed }) end,
      function() return lsocket.select(-2) end,
      function() return lsocket.select({}, -1) end,
      function() return lsocket.select({ closed }, -1) end,
      function() return lsocket.select(nil, { closed }, -1 / 0) end,
      function() return lsocket.select { -1 } end,
    } do
      assert.same({ n = 3, nil, nothing_open, "EINVAL" }, pack(call()))
    end
  end)

  it("ignores closed sockets", function()
    local closed = empty_socket()
    closed:close()
    assert.same({ full }, lsocket.select { closed, full, closed })
    assert.same({ {}, { empty } }, { lsocket.select({ closed }, { closed, empty }) })
    assert.is_false(lsocket.select({ closed }, 0))
    assert.is_false(lsocket.select({ closed }, { closed }, 0.001))
  end)

  it("answers in the order of its tables", function()
    local socks = {}
    for i = 1, 50 do socks[i] = full_socket() end
    assert.same(socks, lsocket.select(socks))
    local order = { socks[7], socks[3], empty, socks[50], socks[1] }
    assert.same({ socks[7], socks[3], socks[50], socks[1] }, lsocket.select(order))
    local reads, writes = lsocket.select({ socks[2], socks[1] }, { socks[9], stuffed, socks[8], socks[1] })
    assert.same({ socks[2], socks[1] }, reads)
    assert.same({ socks[9], socks[8], socks[1] }, writes)
  end)

  it("answers a socket once, however often it is listed", function()
    assert.same({ full }, lsocket.select { full, full, full })
    assert.same({ full }, lsocket.select { full, empty, full })
    assert.same({ { full }, { empty } }, { lsocket.select({ full, full }, { empty, empty }) })
    assert.same({ { full }, { full } }, { lsocket.select({ full, full }, { full, full }) })
    local many = {}
    for i = 1, 3000 do many[i] = i % 2 == 0 and full or empty end
    assert.same({ full }, lsocket.select(many))
  end)

  it("reads a table up to its first nil", function()
    assert.is_false(lsocket.select({ empty, nil, full }, 0))
    assert.is_false(lsocket.select({ nil, full }, 0))
    assert.same({ full }, lsocket.select({ full, nil, full_socket() }, 0))
    assert.same({ n = 3, nil, nothing_open, "EINVAL" }, pack(lsocket.select { nil, full }))
    assert.is_false(lsocket.select({ n = full, [0] = full, x = full }, 0))
  end)

  it("gives tables that belong to the caller", function()
    local first = lsocket.select(nil, { empty })
    first[1] = "spoilt"
    assert.same({}, (lsocket.select(nil, { empty })))
    local input = { full, empty }
    local output = lsocket.select(input)
    assert.are_not.equal(input, output)
    assert.same({ full, empty }, input)
    assert.are_not.equal(output, lsocket.select(input))
  end)

  it("counts a hang-up or an error as readable and writable", function()
    local client, server = helper.tcp()
    server:close()
    assert.same({ client }, lsocket.select({ client }, helper.patience))
    local refused, kept = helper.refused()
    assert.same({ { refused }, { refused } }, { lsocket.select({ refused }, { refused }, helper.patience) })
    assert.truthy(kept)
  end)

  it("counts the hang-up of a pipe as readable, which is all that there is to tell of it", function()
    need.proc(pending)
    local pipe, fd = process.open(io.popen, "exec true")
    assert.same({ fd }, lsocket.select({ fd }, helper.patience))
    pipe:close()
  end)

  it("allocates nothing but its answer", function()
    local socks = {}
    for i = 1, 100 do socks[i] = i == 50 and full or empty_socket() end
    lsocket.select(socks)
    collectgarbage()
    collectgarbage "stop"
    local kilobytes = collectgarbage "count"
    for _ = 1, 100 do lsocket.select(socks) end
    kilobytes = collectgarbage "count" - kilobytes
    collectgarbage "restart"
    assert.is_true(kilobytes < 50)
  end)

  it("says that a listener is readable when somebody waits", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    assert.is_false(lsocket.select({ listener }, 0))
    local client = assert(lsocket.connect("127.0.0.1", port))
    assert.same({ listener }, lsocket.select({ listener }, helper.patience))
    client:close()
  end)

  it("takes sockets of every kind beside each other", function()
    need.ipv6(pending)
    local path = helper.path()
    local unix = assert(lsocket.bind("udp", path))
    local six = assert(lsocket.bind("udp", "::1", 0))
    unix:sendto("x", path, 0)
    six:sendto("x", "::1", helper.port(six))
    helper.readable(unix)
    helper.readable(six)
    assert.same({ unix, full, six }, lsocket.select { empty, unix, full, six, stuffed })
    helper.remove_paths()
  end)
end)

describe("select with what is no socket", function()
  -- An object of somebody else's, around one of our sockets.
  local function wrap(sock)
    return { getfd = function(self) return self.sock:getfd() end, sock = sock }
  end

  it("takes tables with a getfd method, and gives them back", function()
    local full, empty = wrap(full_socket()), wrap(empty_socket())
    assert.same({ n = 1, { full } }, pack(lsocket.select { empty, full }))
    assert.equal(full, lsocket.select({ empty, full })[1])
    local reads, writes = lsocket.select({ full }, { empty })
    assert.equal(full, reads[1])
    assert.equal(empty, writes[1])
  end)

  it("finds the method in the metatable, too", function()
    local class = {}
    class.__index = class
    function class:getfd() return self.sock:getfd() end
    local object = setmetatable({ sock = full_socket() }, class)
    assert.equal(object, lsocket.select({ object })[1])
  end)

  it("takes userdata with a getfd method", function()
    local file = io.tmpfile()
    local index = getmetatable(file).__index
    local full = full_socket()
    index.getfd = function() return full:getfd() end
    local ok, ready = pcall(lsocket.select, { file })
    index.getfd = nil
    file:close()
    assert.is_true(ok)
    assert.equal(file, ready[1])
  end)

  it("takes descriptors", function()
    local full, empty = full_socket(), empty_socket()
    assert.same({ full:getfd() }, lsocket.select { empty:getfd(), full:getfd() })
    assert.same({ { full:getfd() }, { empty:getfd() } },
      { lsocket.select({ empty, full:getfd() }, { empty:getfd() }) })
  end)

  it("answers one descriptor once, as it was listed first", function()
    local full = full_socket()
    assert.same({ full }, lsocket.select { full, full:getfd() })
    assert.same({ full:getfd() }, lsocket.select { full:getfd(), full })
    local other = wrap(full)
    assert.equal(other, lsocket.select({ other, full })[1])
  end)

  it("ignores negative descriptors, as closed objects have", function()
    local closed = empty_socket()
    closed:close()
    local full = full_socket()
    assert.same({ full }, lsocket.select { wrap(closed), -1, full })
    assert.is_false(lsocket.select({ wrap(closed), -1 }, 0))
  end)

  it("fails where a descriptor is not open", function()
    helper.fails("EBADF", lsocket.select({ 1000000 }, 0))
    helper.fails("EBADF", lsocket.select { empty_socket(), 1000000 })
    helper.fails("EBADF", lsocket.select({ full_socket(), 1000000 }, 0))
  end)

  it("says which element is none", function()
    local sock = empty_socket()
    local wrong = { boolean = true, string = "sock", ["function"] = print, table = {}, userdata = io.stdout,
      thread = coroutine.create(function() end) }
    for what, value in pairs(wrong) do
      raises("tables can only contain sockets", lsocket.select, { value }, 0)
      raises("element 3 is a " .. what, lsocket.select, { sock, sock, value }, 0)
      raises("element 1 is a " .. what, lsocket.select, nil, { value, sock }, 0)
      raises("bad argument #1", lsocket.select, { sock, value }, { sock }, 0)
      raises("bad argument #2", lsocket.select, { sock }, { sock, value }, 0)
    end
    raises("element 2 is a boolean", lsocket.select, { sock, false, sock }, 0)
    for _, value in ipairs { "x", {}, true } do
      raises("tables can only contain sockets; element 2", lsocket.select,
        { sock, { getfd = function() return value end } }, 0)
    end
    raises("element 1", lsocket.select, { { getfd = function() end } }, 0)
  end)

  it("raises for a table with holes that says it is larger than memory", function()
    local fields = {}
    for i = 0, 28 do fields[i + 1] = ("[%d] = ..."):format(2 ^ i) end
    local compile = loadstring or load -- luacheck: globals loadstring
    local chunk = compile("return { " .. table.concat(fields, ", ") .. " }")
    local huge = chunk(empty_socket())
    if #huge < 2 ^ 26 then pending "this Lua says something smaller of such a table" end
    raises("too many sockets", lsocket.select, huge, 0)
    raises("too many sockets", lsocket.select, { empty_socket() }, huge, 0)
  end)

  it("raises for numbers that are no descriptors", function()
    for _, number in ipairs { 1.5, 2 ^ 31, 2 ^ 53, 1 / 0, 0 / 0 } do
      raises("element 1 is no descriptor", lsocket.select, { number }, 0)
      raises("element 1 is a table", lsocket.select, { { getfd = function() return number end } }, 0)
    end
  end)

  it("passes on what a getfd method raises, and works after that", function()
    local bad = { getfd = function() error "no descriptor today" end }
    local many, full = {}, full_socket()
    for i = 1, 100 do many[i] = full end
    many[101] = bad
    raises("no descriptor today", lsocket.select, { bad }, 0)
    raises("no descriptor today", lsocket.select, many, 0)
    many[101] = nil
    assert.same({ full }, lsocket.select(many, 0))
  end)

  it("survives a getfd method that changes the table, or selects itself", function()
    local full, socks = full_socket(), {}
    local growing = { getfd = function()
      for _ = 1, 100 do socks[#socks + 1] = full end
      return -1
    end }
    socks[1], socks[2] = growing, full
    assert.same({ full }, lsocket.select(socks))
    local shrinking = { getfd = function()
      for i = #socks, 2, -1 do socks[i] = nil end
      collectgarbage()
      return full:getfd()
    end }
    socks = { shrinking }
    for i = 2, 100 do socks[i] = full end
    assert.equal(shrinking, lsocket.select(socks)[1])
    local inner = {}
    for i = 1, 100 do inner[i] = full end
    local selecting = { getfd = function()
      assert.same({ full }, lsocket.select(inner))
      return full:getfd()
    end }
    socks = { selecting }
    for i = 2, 200 do socks[i] = selecting end
    assert.equal(selecting, lsocket.select(socks)[1])
  end)
end)

describe("select with wrong arguments", function()
  it("raises, and names the argument", function()
    local sock = empty_socket()
    raises("bad argument #1 to 'select' (table expected, got string)", function() lsocket.select "x" end)
    raises("bad argument #1 to 'select' (table expected, got userdata)", function() lsocket.select(sock) end)
    raises("bad argument #1 to 'select'", function() lsocket.select(true) end)
    raises("bad argument #2 to 'select' (table expected, got string)", function() lsocket.select({ sock }, "x") end)
    raises("bad argument #3 to 'select'", function() lsocket.select({ sock }, {}, "x") end)
    raises("bad argument #3 to 'select'", function() lsocket.select({ sock }, {}, {}) end)
    raises("bad argument #1 to 'select'", function() lsocket.select(0 / 0) end)
    raises("bad argument #2 to 'select'", function() lsocket.select({ sock }, 0 / 0) end)
    raises("bad argument #3 to 'select'", function() lsocket.select({ sock }, {}, 0 / 0) end)
  end)
end)
