-- Networks that fail: links that lose, double, delay and reorder, or go down; connections that are reset at each of
-- their steps; ports and descriptors that have run out; peers that never read. See doc/reliability-networks.md.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local hosts = require "spec.hosts"
local process = require "spec.process"

local need = helper.need

-- A connection between two hosts, sock in both.
local function connect(a, b, address, options)
  options = options or {}
  local port = b("sock = assert(lsocket.bind(...)) return helper.port(sock)",
    { address = address, port = 0, rcvbuf = options.rcvbuf })
  a("sock = assert(lsocket.connect(...))",
    { address = address, port = port, sndbuf = options.sndbuf, usertimeout = options.usertimeout })
  b "sock = assert(helper.readable(sock):accept())"
  a "assert(helper.writable(sock):status())"
end

describe("a link that loses, doubles, delays and reorders", function()
  after_each(hosts.remove)

  local function make()
    local a, b = hosts.make(pending)
    local fate = { seed = tonumber(os.getenv "LS_SEED") or os.time(), loss = 0.02, twice = 0.03, late = 0.03 }
    hosts.bad_link(a, b, pending, fate)
    return a, b, "LS_SEED=" .. fate.seed
  end

  it("carries every byte of connections, whole and in order, and of datagrams those that come are whole", function()
    local a, b, seed = make()
    local size = helper.scale(1e6)
    for _, case in ipairs { { "poll", "10.23.0.2" }, { "stream", "fd23::2" } } do
      local how, address = case[1], case[2]
      connect(a, b, address)
      local code = "return transfer." .. how .. "(sock, ...)"
      a:begin(code, size, 1, 2)
      b:begin(code, size, 2, 1)
      assert.same({ seed, how, size, size }, { seed, how, a:finish(), b:finish() })
    end

    local count = 600
    local port = b "sock = assert(lsocket.bind('udp', '10.23.0.2', 0)) return helper.port(sock)"
    a("sock = assert(lsocket.connect('udp', '10.23.0.2', ...))", port)
    b:begin("return transfer.receive_datagrams(sock, ...)", count, 3)
    assert.equal("heard", a("return transfer.send_datagrams(sock, ...)", count, 3))
    local different, again, late = b:finish()
    assert.is_true(different > 0 and different <= count, seed)
    assert.is_true(again > 0 and late > 0 and different < count, "the link is a good one: " .. seed)
  end)
end)

describe("an interface that goes down", function()
  after_each(hosts.remove)

  it("in the middle of a transfer delays it, and every byte comes when it is up again", function()
    local a, b = hosts.make(pending)
    local size, first = 1e6, 1e5
    connect(a, b, "10.21.0.2", { sndbuf = 65536, rcvbuf = 65536 })
    a:begin("return transfer.send(sock, ...)", size, 1)
    assert.equal(first, b("return transfer.receive(sock, ...)", first, 1, 0))
    b:ip "link set link1 down"
    local got = b("return transfer.receive(sock, ...)", size, 1, first, 0.05) -- what has come until then
    assert.is_true(got >= first and got < size)
    b:ip "link set link1 up"
    assert.equal(size, b("return transfer.receive(sock, ...)", size, 1, got))
    assert.equal(size, a:finish())
  end)

  -- Only the far end is down: the near one goes on sending, and nobody answers. The neighbour must not be forgotten, as
  -- then that is the cause which the system tells (EHOSTUNREACH).
  local function cut(address)
    local a, b = hosts.make(pending)
    b:ip "link set link1 address 02:00:00:00:00:02"
    a:ip "neigh replace 10.21.0.2 lladdr 02:00:00:00:00:02 dev link1 nud permanent"
    connect(a, b, address, { usertimeout = 0.3, sndbuf = 65536 })
    b:ip "link set link1 down"
    return a
  end

  it("for good ends the connection after the user timeout", function()
    local a = cut "10.21.0.2"
    assert.same({ "ETIMEDOUT", false, true }, { a [[
      helper.fill(sock)
      helper.readable(sock)
      local data, message, name = sock:recv()
      local ended = sock:recv()
      return name, data ~= nil or message == nil, ended == nil
    ]] })
  end)

  it("for good does not hold up a deadline of the loop, and streams tell the two apart", function()
    local a = cut "10.21.0.2"
    local results = a [[
      local loop, stream = require "lsocket.loop", require "lsocket.stream"
      return loop.run(function()
        local connection, data = stream.new(sock), ("x"):rep(4e6)
        local _, message, name, count = loop.deadline(0.01, connection.write, connection, data)
        local results = { message, name, count >= 0 and count < #data }
        _, message, name, count = connection:write(data)
        results[4], results[5], results[6] = message, name, count >= 0 and count < #data
        return results
      end)
    ]]
    assert.same({ helper.texts.ETIMEDOUT, "ETIMEDOUT", true, "Connection timed out", "ETIMEDOUT", true }, results)
  end)
end)

-- ---- resets ----

local function reset(sock)
  assert(sock:setopt("linger", 0))
  sock:close()
end

local RESET, BROKEN = "ECONNRESET", "EPIPE"

-- What has happened when the peer resets, and what the calls answer after that, the first of them and the next ones:
-- data, a failure's name, or "end".
local steps = {
  { "before the first byte", recv = { RESET, "end" }, send = { RESET, BROKEN }, act = reset },
  { "with data that nobody has read", recv = { "abc", RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      peer:send "abc"
      helper.readable(sock)
      reset(peer)
    end },
  { "by closing, with data that it has not read", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      sock:send "abc"
      helper.readable(peer)
      peer:close()
    end },
  { "in the middle of sending", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      helper.fill(sock)
      reset(peer)
    end },
  { "after the shutdown for writing", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      sock:shutdown "w"
      reset(peer)
    end },
  { "after the shutdown for reading", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      sock:shutdown "r"
      reset(peer)
    end },
  { "after its own shutdown for writing, so that nothing is lost", recv = { "end", "end" }, send = { BROKEN, BROKEN },
    act = function(peer, sock)
      peer:shutdown "w"
      helper.readable(sock)
      reset(peer)
    end },
  { "after its own shutdown for writing, with data", recv = { "abc", "end" }, send = { BROKEN, BROKEN },
    act = function(peer, sock)
      peer:send "abc"
      peer:shutdown "w"
      helper.readable(sock)
      reset(peer)
    end },
  { "after its own shutdown for reading", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer)
      peer:shutdown "r"
      reset(peer)
    end },
  { "while both would", recv = { RESET, "end" }, send = { RESET, BROKEN },
    act = function(peer, sock)
      assert(sock:setopt("linger", 0))
      reset(peer)
    end },
}

-- A call's results in one word; a failure has its three, with the system's text.
local function word(...)
  local data, message, name = ...
  if data then return data end
  if data == false then return "nothing" end
  if select("#", ...) == 1 then return "end" end
  assert.equal(helper.texts[name], message)
  return name
end

local awaits = { recv = helper.readable, send = helper.writable }

-- Calls recv or send as often as the step says what it answers.
local function check_answers(step, sock, method, ...)
  for i, expected in ipairs(step[method]) do
    awaits[method](sock)
    assert.same({ step[1], i, expected }, { step[1], i, word(sock[method](sock, ...)) })
  end
end

local function each_step(act)
  local before = process.count()
  for _, step in ipairs(steps) do
    local peer, sock = helper.tcp()
    act(step, peer, sock)
    sock:close()
  end
  assert.equal(before, process.count())
end

describe("a connection that the peer resets", function()
  it("tells it by recv, once, behind the data that had come; then it has ended", function()
    need.proc(pending)
    each_step(function(step, peer, sock)
      step.act(peer, sock)
      check_answers(step, sock, "recv")
      assert.same({ step[1], BROKEN }, { step[1], word(sock:send "x") })
    end)
  end)

  it("tells it by send, once; then EPIPE, without a signal", function()
    need.proc(pending)
    each_step(function(step, peer, sock)
      step.act(peer, sock)
      check_answers(step, sock, "send", "x")
    end)
  end)

  it("tells it by status, once", function()
    need.proc(pending)
    each_step(function(step, peer, sock)
      step.act(peer, sock)
      assert.same({ step[1], step.send[1] }, { step[1], word(sock:status()) })
      assert.is_true(sock:status())
    end)
  end)

  it("is readable and writable to a poller, once for each wait, until it is closed", function()
    need.proc(pending)
    each_step(function(step, peer, sock)
      local poller = assert(lsocket.poller())
      assert(poller:add(sock, "rw"))
      step.act(peer, sock)
      for _ = 1, 2 do
        assert.same({ step[1], { sock }, { sock } }, { step[1], poller:wait(helper.patience) })
        sock:status()
      end
      sock:close()
      assert.same({ 0, false }, { #poller, poller:wait(0) })
      poller:close()
    end)
  end)

  it("wakes the task that reads a stream, and leaves it what had come", function()
    need.proc(pending)
    each_step(function(step, peer, sock)
      loop.run(loop.deadline, helper.patience, function()
        local connection = stream.new(sock)
        local reader = loop.spawn(connection.read, connection, 100)
        loop.sleep(0)
        step.act(peer, sock)
        local data = step.recv[1] == "abc" and "abc" or nil
        local ending = step.recv[#step.recv - 1] == RESET and RESET or "end"
        assert.same({ step[1], data or ending }, { step[1], word(reader:join()) })
        for _ = 1, 2 do assert.same({ step[1], ending }, { step[1], word(connection:readsome()) }) end -- it stays
        connection:close()
      end)
    end)
  end)

  it("wakes the task that writes a stream, and tells how much was taken", function()
    need.proc(pending)
    local data = ("x"):rep(8e6)
    for _ = 1, 2 do
      local peer, sock = helper.tcp()
      loop.run(loop.deadline, helper.patience, function()
        local connection = stream.new(sock)
        local writer = loop.spawn(connection.write, connection, data)
        loop.sleep(0)
        reset(peer)
        local ok, _, name, count = writer:join()
        assert.same({ nil, RESET }, { ok, name })
        assert.is_true(count > 0 and count < #data)
        assert.same({ nil, "Broken pipe", BROKEN, 0 }, { connection:write(data) })
        connection:close()
      end)
    end
  end)

  it("is no mere end to who reads a stream, though a task that writes has heard of it before", function()
    for format, expected in pairs { a = "abc", l = "abc", [100] = "abc", L = "abc", some = "abc" } do
      local peer, sock = helper.tcp()
      loop.run(loop.deadline, helper.patience, function()
        local connection = stream.new(sock)
        assert(helper.writable(peer):send "abc")
        local writer = loop.spawn(connection.write, connection, ("x"):rep(8e6))
        loop.sleep(0)
        reset(peer)
        assert.equal(RESET, word(writer:join()))
        if format == "a" then assert.equal(RESET, word(connection:read "a")) end -- which it keeps to be read
        local read_on = format == "some" or format == "a"
        assert.equal(expected, read_on and connection:readsome() or connection:read(format))
        for _ = 1, 2 do assert.equal(RESET, word(connection:readsome())) end
        connection:close()
      end)
    end
  end)

  it("before it is accepted leaves the listener as it is, and its data", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local peer = assert(lsocket.connect("127.0.0.1", port))
    assert(helper.writable(peer):send "abc")
    reset(peer)
    local sock, _, name = helper.readable(listener):accept()
    if sock then
      assert.equal("abc", sock:recv())
      helper.fails(RESET, sock:recv())
      sock:close()
    else
      assert.equal("ECONNABORTED", name) -- not on Linux
    end
    assert.is_false(listener:accept())
    local client, server = helper.connect_to(listener, "127.0.0.1", port)
    client:send "next"
    assert.equal("next", helper.readable(server):recv())
  end)

  it("before it is accepted does not disturb the loop's server", function()
    loop.run(loop.deadline, helper.patience, function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      for _ = 1, 3 do
        local peer = assert(lsocket.connect("127.0.0.1", port))
        reset(helper.writable(peer))
      end
      loop.serve("127.0.0.1", 0, function() end):close()
      local client = assert(loop.connect("127.0.0.1", port))
      assert(client:write "hello\n")
      local line
      repeat
        local connection = assert(server:accept())
        line = connection:read()
        connection:close()
      until line
      assert.equal("hello", line)
      client:close()
      server:close()
    end)
  end)
end)

-- ---- what has run out ----

describe("local ports that have run out", function()
  it("are told by connect and bind, until one is given back", function()
    local range = "ip link set lo up && echo 40000 40009 > /proc/sys/net/ipv4/ip_local_port_range"
    need.sandbox(pending)
    need.tool(pending, "unshare --net sh -c " .. helper.quote(range))
    local command = range .. " && exec " .. helper.command "ports"
    assert.same({ "10 connections\n" ..
      "connect\t3\ttrue\tEADDRNOTAVAIL\nbind\t3\ttrue\tEADDRINUSE\nloop.connect\t3\ttrue\tEADDRNOTAVAIL\n" ..
      "connect\t3\ttrue\tEADDRNOTAVAIL\n", 0 }, { helper.run("unshare --net sh -c " .. helper.quote(command)) })
  end)
end)

describe("descriptors that have run out", function()
  it("keep clients of the loop's server waiting, not the loop busy, and all are served in the end", function()
    need.proc(pending)
    local count = 30
    helper.settle()
    local program = assert(io.popen(helper.limited(16) .. "exec " .. helper.command "starve"))
    local port = program:read "*n"
    local control = helper.writable(assert(lsocket.connect("127.0.0.1", port)))
    local function steps_of_loop()
      control:send "steps\n"
      return tonumber((helper.readable(control):recv()))
    end
    steps_of_loop()

    local waiting = {}
    for i = 1, count do
      waiting[i] = helper.writable(assert(lsocket.connect("127.0.0.1", port)))
      waiting[i]:send "hello\n"
    end
    local served = {}
    repeat -- as many as it has descriptors for
      local ready = lsocket.select(waiting, #served == 0 and helper.patience or 0.1)
      for _, sock in ipairs(ready or {}) do
        assert.equal("hello\n", sock:recv())
        served[#served + 1] = sock
        for i = #waiting, 1, -1 do
          if waiting[i] == sock then table.remove(waiting, i) end
        end
      end
    until not ready
    assert.is_true(#served > 0 and #waiting > count - 16)
    local before, start = steps_of_loop(), lsocket.now()
    lsocket.select(0.2)
    local woken, seconds = steps_of_loop() - before, lsocket.now() - start
    assert.is_true(woken < 10 + 100 * seconds, woken .. " times woken in " .. seconds .. " seconds")

    for _, sock in ipairs(served) do sock:close() end
    for _, sock in ipairs(waiting) do
      assert.equal("hello\n", helper.readable(sock):recv())
      sock:close()
    end
    control:send "end\n"
    control:close()
    program:close()
  end)
end)

-- ---- nobody reads ----

describe("a peer that never reads", function()
  it("holds up who writes, costs no memory, and a deadline tells how much was taken", function()
    local data = ("0123456789abcdefghijklm"):rep(400000)
    local peer, sock = helper.tcp()
    loop.run(loop.deadline, helper.patience, function()
      local connection = stream.new(sock)
      local before = process.memory()
      local _, _, name, taken = loop.deadline(0.05, connection.write, connection, data)
      assert.equal("ETIMEDOUT", name)
      assert.is_true(taken > 0 and taken < #data)
      if not helper.slow then assert.is_true(process.memory() - before < 2048) end
      for _ = 1, 10 do
        local _, _, symbol, count = loop.deadline(0.001, connection.write, connection, data:sub(taken + 1))
        assert.equal("ETIMEDOUT", symbol)
        taken = taken + count
      end
      loop.spawn(function()
        assert(connection:write(data:sub(taken + 1)))
        connection:close()
      end)
      local reader = stream.new(peer)
      local got = assert(reader:read "a")
      assert.is_true(got == data)
      reader:close()
    end)
  end)
end)
