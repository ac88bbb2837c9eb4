-- Wrapped sockets: what each method waits for, and what is wrong use. What the methods do besides is in the specs of
-- sockets, whose turn it is in wrapturn_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local turns = require "lsocket.loop.turns"
local helper = require "spec.helper"
local wraps = require "spec.wraps"

local fails, need, pack, raises = helper.fails, helper.need, helper.pack, helper.raises
local unpack = table.unpack or unpack -- luacheck: ignore 143
local fill, pair, run, start, wrap = wraps.fill, wraps.pair, wraps.run, wraps.start, wraps.wrap

setup(function() turns.check(true) end)
teardown(function() turns.check(false) end)
after_each(helper.remove_paths)

-- ---- each method ----

-- Those that read: what kind of pair, what the other end does meanwhile, the arguments, what comes.
local readers = {
  { "recv", "udp", { "send", "hello" }, { 3 }, { "hel", 5 } },
  { "recv", "seqpacket", { "close" }, {}, { nil } },
  { "recv", "tcp", { "send", "hello" }, {}, { "hello" } },
  { "recvfrom", "udp", { "send", "hello" }, { 2 }, { "he", nil, nil, 5 } },
  { "peek", "udp", { "send", "hello" }, { 4 }, { "hell", 5 } },
  { "recvmsg", "udp", { "send", "hello" }, { 4 }, { "hell", { truncated = 5 } } },
  { "recvfds", "tcp", { "sendfds", "hello", {} }, {}, { "hello", {} } },
  { "recvmany", "udp", { "send", "hello" }, { lsocket.batch(4) }, { 1 } },
}

describe("a wrapped socket's method that reads", function()
  for _, case in ipairs(readers) do
    local name, kind, act, arguments, expected = unpack(case)
    it(("waits: %s of %s, after %s"):format(name, kind, act[1]), function()
      run(function()
        local near, far = pair(kind)
        local task = start(function() return pack(near[name](near, unpack(arguments))) end)
        assert.truthy(far[act[1]](far, unpack(act, 2)))
        local results = task:join()
        expected.n = math.max(#case[5], name == "recvfrom" and 4 or 1)
        assert.same(expected, results)
        near:close()
        far:close()
      end)
    end)

    it(("returns at once what is there: %s of %s, after %s"):format(name, kind, act[1]), function()
      local near, far = pair(kind)
      assert(far[act[1]](far, unpack(act, 2)))
      expected.n = math.max(#case[5], name == "recvfrom" and 4 or 1)
      assert.same(expected, pack(near[name](near, unpack(arguments))))
    end)
  end

  it("waits: accept, which returns a bare socket, and the address", function()
    run(function()
      local listener, port = helper.bind("127.0.0.1", 0)
      local server = wrap(listener)
      local task = start(server.accept, server)
      local client = assert(lsocket.connect("127.0.0.1", port))
      local sock, address, number = task:join()
      assert.equal("socket", getmetatable(sock).__type)
      assert.same({ "127.0.0.1", client:info("socket").port }, { address, number })
      assert(stream.new(sock):write "hello")
      assert.equal("hello", wrap(client):recv())
      server:close()
    end)
  end)

  it("raises outside of a task when nothing is there", function()
    local near = pair()
    raises("only a task can wait", near.recv, near)
    raises("only a task can wait", near.accept, wrap((helper.bind("127.0.0.1", 0))))
  end)

  it("returns a failure as the socket does", function()
    local near = pair()
    fails("EOPNOTSUPP", near:recvmany(lsocket.batch(1)))
    local sender = wrap(assert(lsocket.connect("udp", "127.0.0.1", (helper.refusing_udp_port()))))
    run(function()
      assert(sender:send "x")
      fails("ECONNREFUSED", sender:recv())
    end)
  end)
end)

-- Those that write, each with the arguments, and how many have gone then.
local function writers()
  local path = helper.file "hello"
  return {
    { "send", "seqpacket", { "hello" }, 5 }, { "send", "seqpacket", { "hello", 2, -2 }, 3 },
    { "sendrest", "seqpacket", { 1, "he", "ll", "o" }, true }, { "sendrest", "seqpacket", { 2, { "he", "ll" } }, true },
    { "sendto", "seqpacket", { "hello", "127.0.0.1", 5 }, 5 }, { "sendmsg", "seqpacket", { { data = "hello" } }, 5 },
    { "sendfds", "seqpacket", { "hello", {} }, 5 }, { "sendfile", "tcp", { assert(io.open(path)) }, 5 },
  }
end

describe("a wrapped socket's method that writes", function()
  it("waits for room", function()
    for _, case in ipairs(writers()) do
      local name, kind, arguments, expected = unpack(case)
      run(function()
        local near, far, bare = pair(kind)
        local full = fill(bare, ("x"):rep(4096))
        local task = start(function() return pack(near[name](near, unpack(arguments))) end)
        assert.truthy(near.w, name .. " does not wait")
        local left = kind == "tcp" and full * 4096 or full
        while left > 0 do left = left - (kind == "tcp" and #far:recv() or far:recv() and 1) end
        assert.same({ n = 1, expected }, task:join(), name)
        local sent = ({ [3] = arguments[2] == 2 and "ell", [true] = arguments[1] == 2 and "ell" })[expected]
        assert.equal(sent or "hello", far:recv())
        near:close()
        far:close()
      end)
    end
  end)

  it("returns at once where there is room, outside of a task, too", function()
    for _, case in ipairs(writers()) do
      local near, far = pair(case[2])
      assert.equal(case[4], near[case[1]](near, unpack(case[3])))
      assert.truthy(far:recv())
    end
  end)

  it("may send a part of what a stream is given", function()
    run(function()
      local near, far = pair "tcp"
      local data = ("x"):rep(4000000)
      local count = near:send(data)
      assert.is_true(count > 0 and count < #data)
      local task = start(near.send, near, data, count + 1)
      local received = 0
      while received < count do received = received + #far:recv() end
      assert.is_true(task:join() > 0)
    end)
  end)

  it("waits until the connection is made", function()
    run(function()
      local listener, port = helper.bind("127.0.0.1", 0)
      local client = wrap(assert(lsocket.connect("127.0.0.1", port)))
      assert.equal(5, client:send "hello")
      assert.equal("hello", wrap((wrap(listener):accept())):recv())
    end)
  end)
end)

-- ---- batches ----

describe("a wrapped socket's sendmany", function()
  local function batch_of(count)
    local batch = lsocket.batch(count)
    for i = 1, count do assert(batch:add("datagram " .. i)) end
    return batch
  end

  it("sends all, waiting for room in between", function()
    run(function()
      local near, far, bare = pair "udp"
      local room, count = fill(bare), 1000
      for _ = 1, room do assert(far:recv()) end
      count = room + count
      local batch = batch_of(count)
      local task = start(near.sendmany, near, batch)
      assert.is_true(#batch > 0)
      for i = 1, count do assert.equal("datagram " .. i, far:recv()) end
      assert.equal(count, task:join())
      assert.equal(0, #batch)
      assert.equal(0, near:sendmany(batch))
    end)
  end)

  it("tells how many have gone before it was cut off", function()
    run(function()
      local near, far, bare = pair "udp"
      local room = fill(bare)
      for _ = 1, room do assert(far:recv()) end
      local batch = batch_of(room + 5)
      local _, _, name, count = loop.deadline(0.01, near.sendmany, near, batch)
      assert.same({ "ETIMEDOUT", room + 5 - #batch }, { name, count })
      assert.is_true(count > 0 and #batch > 0)
      for i = 1, count do assert.equal("datagram " .. i, far:recv()) end
      assert.equal(room + 5 - count, near:sendmany(batch))
      assert.equal("datagram " .. count + 1, far:recv())
    end)
  end)

  it("tells how many have gone before one that fails", function()
    local sock = wrap((helper.bind("udp", "127.0.0.1", 0)))
    local port, batch = sock:info("socket").port, lsocket.batch(3)
    batch:add("one", "127.0.0.1", port)
    batch:add("two", "127.0.0.1", 0)
    batch:add("three", "127.0.0.1", port)
    local results = pack(sock:sendmany(batch))
    assert.same({ n = 4, nil, helper.texts.EINVAL, "EINVAL", 1 }, results)
    assert.equal(1, sock:sendmany(batch))
    assert.same({ "one", "three" }, { sock:recv(), (sock:recv()) })
  end)
end)

-- ---- a receiver without room ----

describe("a datagram for a unix socket that is full", function()
  local path, receiver, bare, sender
  before_each(function()
    path = helper.path()
    receiver, bare = assert(lsocket.bind("udp", path)), (assert(lsocket.pair "udp"))
    local near = bare:dup()
    while near:sendto("x", path) do end -- luacheck: ignore 542
    sender = wrap(bare)
  end)
  local function is_full() return sender:dup():sendto("x", path) == false end
  local function drain()
    local count = 0
    while receiver:recv() do count = count + 1 end
    return count
  end

  it("waits until it has room, and the loop rests meanwhile", function()
    if not is_full() then pending "this system does not say so" end
    need.speed(pending)
    run(function()
      local task = start(sender.sendto, sender, "hello", path)
      local before = os.clock()
      loop.sleep(0.2)
      assert.is_true(os.clock() - before < 0.1)
      drain()
      assert.equal(5, task:join())
      assert.equal("hello", receiver:recv())
    end)
  end)

  it("is waited for in turn", function()
    if not is_full() then pending "this system does not say so" end
    run(function()
      local tasks = {}
      for i = 1, 5 do tasks[i] = start(sender.sendto, sender, "hello " .. i, path) end
      loop.sleep(0.003)
      drain()
      for i = 1, 5 do
        assert.equal(7, tasks[i]:join())
        assert.equal("hello " .. i, receiver:recv())
      end
    end)
  end)

  it("is given up by a deadline, by a cancel, and when the sender is closed", function()
    if not is_full() then pending "this system does not say so" end
    run(function()
      fails("ETIMEDOUT", loop.deadline(0.01, sender.sendto, sender, "x", path))
      local tasks = {}
      for i = 1, 3 do tasks[i] = start(sender.sendto, sender, "x", path) end
      loop.sleep(0.01)
      tasks[1]:cancel()
      fails("ECANCELED", tasks[1]:join())
      sender:close()
      fails("ECANCELED", tasks[2]:join())
      fails("ECANCELED", tasks[3]:join())
    end)
  end)
end)

-- ---- what it is besides ----

describe("a wrapped socket", function()
  it("has the methods of a socket", function()
    local near, _, bare = pair()
    for name in pairs(getmetatable(bare).__index) do assert.equal("function", type(near[name]), name) end
    for name in pairs(getmetatable(near).__index) do assert.truthy(bare[name], name) end
  end)

  it("passes on what need not wait", function()
    local near, _, bare = pair()
    assert.same(bare:info(), near:info())
    assert.equal(bare:getfd(), near:getfd())
    assert.is_true(near:setopt("sndbuf", 10000))
    assert.equal(bare:getopt "sndbuf", near:getopt "sndbuf")
    assert.is_true(near:status())
    assert.equal("socket", getmetatable(near:dup()).__type)
    assert.is_true(near:shutdown "w")
    assert.equal("wrapped " .. tostring(bare), tostring(near))
  end)

  it("is taken by select, pollers and loop.wait", function()
    local near, far = pair()
    far:send "x"
    assert.equal(near, lsocket.select({ near }, helper.patience)[1])
    local poller = assert(lsocket.poller())
    assert(poller:add(near, "r"))
    assert.equal(near, poller:wait(helper.patience)[1])
    poller:close()
    run(function()
      assert.equal("r", loop.wait(near, "r"))
      assert.equal("x", near:recv())
      assert.is_false(loop.wait(near, "r", 0.001))
      near:close()
      fails("EBADF", loop.wait(near, "r"))
    end)
  end)

  it("may be a file, which is always ready", function()
    assert.equal("hello", wrap(helper.adopt(helper.file "hello", "r")):recv())
  end)

  it("may be for datagrams, of IPv4 and IPv6", function()
    for _, address in ipairs { "127.0.0.1", "::1" } do
      if address == "::1" then need.ipv6(pending) end
      run(function()
        local server, port = helper.bind("udp", address, 0)
        local client = wrap((helper.bind("udp", address, 0)))
        server = wrap(server)
        local task = start(server.recvfrom, server)
        assert.equal(1, client:sendto("x", address, port))
        assert.same({ n = 3, "x", address, client:info("socket").port }, pack(task:join()))
      end)
    end
  end)

  it("lets other tasks go on while one waits for it", function()
    run(function()
      local near, far = pair()
      assert.same({ false, "w" }, { near:wait("r", 0.001), (near:wait "rw") })
      local task = start(near.wait, near, "r")
      far:send "x"
      assert.equal("r", task:join())
      raises("bad argument #1 to 'wait' (r, w or rw expected)", near.wait, near, "x")
      raises("bad argument #2 to 'wait' (number expected, got string)", near.wait, near, "r", "1")
      near:close()
      fails("EBADF", near:wait "r")
    end)
  end)

  it("is used by one run of the loop after the other", function()
    local near, far = pair()
    for i = 1, 3 do
      assert.equal("record " .. i, run(function()
        local task = start(near.recv, near)
        far:send("record " .. i)
        return task:join()
      end))
    end
  end)
end)

-- ---- mistakes ----

local here = "loopwrap_spec.lua:"

describe("loop.wrap", function()
  it("takes a socket that is open, and has no other owner", function()
    local near, _, bare = pair()
    local s = stream.new((lsocket.pair()))
    for text, value in pairs {
      ["socket expected, got number"] = 5, ["socket expected, got table"] = {}, ["socket expected, got stream"] = s,
      ["socket expected, got wrapped"] = near, ["socket expected, got poller"] = lsocket.poller(),
      ["socket expected, got lookup"] = lsocket.lookup "127.0.0.1", ["socket expected, got userdata"] = io.stdout,
      ["it is wrapped already"] = bare, ["it is a stream's already"] = s:getsocket(),
      ["socket expected, got string"] = "x",
    } do
      local ok, problem = pcall(function()
        local result = loop.wrap(value)
        return result
      end)
      assert.is_false(ok)
      assert.truthy(problem:find("^[^\n]*" .. here .. "%d+: bad argument #1 to 'wrap'"), problem)
      assert.truthy(problem:find(text, 1, true), problem)
    end
    raises("bad argument #1 to 'wrap' (socket expected, got nil)", loop.wrap)
    raises("bad argument #1 to 'new' (it is wrapped already)", stream.new, (select(3, pair "tcp")))
  end)

  it("knows the socket of a stream that the loop has made, once the program has asked for it", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
      raises("it is a stream's already", loop.wrap, client:getsocket())
      server:close()
    end)
  end)

  it("returns the failure of a socket that is closed", function()
    local sock = assert(lsocket.pair())
    sock:close()
    fails("EBADF", loop.wrap(sock))
  end)
end)

describe("a wrong argument of a wrapped socket's method", function()
  local cases = {
    { "#1 to 'recv' (size must be an integer", function(s) return s:recv(-1) end },
    { "#1 to 'recvmany' (batch expected, got table)", function(s) return s:recvmany({}) end },
    { "#1 to 'send' (string or table expected, got nil)", function(s) return s:send(nil) end },
    { "#2 to 'send' (", function(s) return s:send("x", {}) end },
    { "#2 to 'sendrest' (", function(s) return s:sendrest(1, {}, "x") end },
    { "#2 to 'sendto' (address contains a NUL byte)", function(s) return s:sendto("x", "a\0b", 1) end },
    { "#3 to 'sendto' (", function(s) return s:sendto("x", "127.0.0.1", -1) end },
    { "#1 to 'sendmany' (batch expected, got string)", function(s) return s:sendmany("x") end },
    { "#1 to 'sendmsg' (data: ", function(s) return s:sendmsg({}) end },
    { "#1 to 'getopt' (no option is called 'x')", function(s) return s:getopt("x") end },
  }
  for _, case in ipairs(cases) do
    local text, call = case[1], case[2]
    local function check()
      local near = pair()
      local ok, problem = pcall(function()
        local result = call(near)
        return result
      end)
      assert.is_false(ok)
      assert.truthy(problem:find("bad argument " .. text, 1, true), problem)
      assert.truthy(problem:find(here, 1, true), problem)
    end
    it(text, check)
    it(text .. " in a task", function() run(check) end)
  end

  it("is the object, where it is called by a dot", function()
    local near, _, bare = pair()
    for name in pairs(getmetatable(near).__index) do
      for _, object in ipairs { bare, "x", {} } do
        local text = ("bad argument #1 to '%s' (wrapped socket expected, got %s)"):format(name, type(object))
        raises(text, near[name], object)
      end
      raises(("bad argument #1 to '%s' (wrapped socket expected, got nil)"):format(name), near[name])
    end
  end)
end)
