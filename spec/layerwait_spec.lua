-- Waiting for sockets with a layer, which holds bytes that the kernel knows nothing about: select, wait, each poller,
-- the loop and its streams. What calls do through a layer: layer_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local forking = require "spec.forking"
local loop = require "lsocket.loop"
local pollers = require "spec.pollers"
local stream = require "lsocket.stream"
local toy = require "spec.layer.toy"

local need = helper.need
local SOON = helper.patience

teardown(toy.forget)

local layered = toy.case(it, pending)

after_each(function()
  helper.remove_paths()
  pollers.let_go()
end)

-- A pair of which the second end holds the rest of a record: end, end
local function holding(data)
  local a, b = pollers.hold(toy.pair())
  a:send(data or "hello")
  helper.readable(b)
  assert.equal((data or "hello"):sub(1, 1), b:recv(1))
  return a, b
end

-- Every byte of the socket, each after a wait that must not take long.
local function by_bytes(sock, count, wait)
  local start, bytes = helper.now(), {}
  while #bytes < count do
    wait()
    local byte = sock:recv(1)
    if byte then bytes[#bytes + 1] = byte end
  end
  assert.is_true(helper.now() - start < SOON)
  return table.concat(bytes)
end

local large = ("0123456789"):rep(helper.scale(1600))

describe("select", function()
  layered("finds what a layer holds", function()
    local a, b = holding()
    assert.same({ b }, lsocket.select({ a, b }))
    assert.same({ b }, lsocket.select({ b, b, a }, 1))
    local readable, writable = lsocket.select({ b }, { b, a }, 1)
    assert.same({ b }, readable)
    assert.same({ b, a }, writable)
    assert.same({ b:getfd() }, lsocket.select({ b:getfd() }, 1))
    assert.is_false(lsocket.select({ a }, 0))
    assert.equal("ello", b:recv())
    assert.is_false(lsocket.select({ b }, 0))
  end)

  layered("finds what the kernel has beside it", function()
    local a, b = holding()
    local c, d = pollers.pair()
    c:send "x"
    helper.readable(d)
    assert.same({ b, d }, lsocket.select({ b, d }, 1))
    a:send "more"
    assert.same({ d, b }, lsocket.select({ d, b }, 1))
    assert.same({}, (lsocket.select({ c }, { b }, 1)))
  end)

  layered("reads a record byte by byte", function()
    local a, b = pollers.hold(toy.pair())
    a:send(large)
    assert.is_true(by_bytes(b, #large, function() lsocket.select { b } end) == large)
  end)

  layered("finds an end and a failure that a layer holds", function()
    for _, rest in ipairs { "\0\0", "\255\255" } do
      local a, b = pollers.hold(toy.half())
      a:send(toy.record "x" .. rest)
      helper.readable(b)
      assert.equal("x", b:recv(1))
      for _ = 1, 2 do
        assert.same({ b }, lsocket.select { b })
        assert.is_nil(b:recv(1))
      end
    end
  end)
end)

describe("socket:wait", function()
  layered("finds what a layer holds", function()
    local _, b = holding()
    assert.equal("r", b:wait "r")
    assert.equal("rw", b:wait "rw")
    assert.equal("w", b:wait "w")
    b:recv()
    assert.is_false(b:wait("r", 0))
    assert.equal("w", b:wait "rw")
  end)
end)

-- ---- what waits in a layer to be sent ----

-- A peer in a child reads all of a large question and answers then. While this end waits for the answer, in the given
-- way, the rest of the question must leave.
local function ask(wait)
  forking.need(pending)
  local a, b = pollers.hold(lsocket.pair())
  a:setopt("sndbuf", 4096)
  local data, next = large:rep(4), 1
  local child = forking.start(function()
    assert(toy.start(b, "ready"))
    assert.is_true(helper.receive(b, #data) == data)
    assert.is_true(b:sendrest(1, "answer"))
    assert.is_true(b:shutdown "w")
  end)
  assert(toy.start(a, "ready"))
  while next <= #data do
    local count = a:send(data, next)
    if count then next = next + count else helper.writable(a) end
  end
  wait(a)
  assert.equal("answer", a:recv())
  assert.equal(0, (a:toy()))
  forking.finish(child)
  b:close()
end

describe("what a layer has taken leaves", function()
  layered("while select waits for something to read", function()
    ask(function(sock) assert.same({ sock }, lsocket.select({ sock }, SOON)) end)
    ask(function(sock)
      assert.is_false(lsocket.select({ (assert(lsocket.pair())) }, 0))
      assert.same({ sock }, lsocket.select({ sock }))
    end)
  end)

  layered("while a socket waits for something to read", function()
    ask(function(sock) assert.equal("r", sock:wait("r", SOON)) end)
    ask(function(sock) assert.equal("r", sock:wait "r") end)
  end)

  layered("while the loop waits for something to read", function()
    ask(function(sock)
      loop.run(function() assert.equal("r", loop.wait(sock, "r")) end)
    end)
  end)

  layered("but a wait for something else to happen ends in time", function()
    local a = pollers.hold(toy.pair "tcp")
    while a:toy() == 0 do a:send(large) end
    local start = helper.now()
    assert.is_false(lsocket.select({ a }, 0.02))
    assert.is_false(a:wait("r", 0.02))
    assert.is_true(helper.now() - start >= 0.04)
  end)

  layered("from the process that has sent it alone", function()
    forking.need(pending)
    local a, b = pollers.hold(toy.pair "tcp")
    local taken, got = 0, {}
    while a:toy() == 0 do taken = taken + a:send(large) end
    local poller = assert(lsocket.poller())
    assert(poller:add(a, "r"))
    local before = a:toy()
    got[1] = b:recv(10000)
    forking.run(function()
      lsocket.select({ a }, 0)
      poller:wait(0)
      a:wait("r", 0)
      assert.equal(before, (a:toy()))
    end)
    repeat
      lsocket.select({ a }, 0)
      got[#got + 1] = b:recv() or nil
    until a:toy() == 0 and b:wait("r", 0) == false
    local size = 0
    for _, piece in ipairs(got) do size = size + #piece end
    assert.equal(taken, size)
  end)
end)

local function describe_backend(backend)
  local function open() return assert(lsocket.poller(backend)) end

  describe("a poller with " .. backend, function()
    layered("reports what a layer holds, again and again", function()
      local poller, a, b = open(), holding()
      assert(poller:add(b, "r", "value"))
      assert(poller:add(a, "r"))
      for _ = 1, 3 do assert.same({ "value" }, (poller:wait())) end
      b:recv()
      assert.is_false(poller:wait(0))
    end)

    layered("reports it beside what the kernel has, and once", function()
      local poller, a, b = open(), holding()
      local c, d = pollers.pair()
      assert(poller:add(b, "rw", "b"))
      assert(poller:add(d, "r", "d"))
      c:send "x"
      a:send "more"
      helper.readable(d)
      helper.eventually("all is there", function()
        local readable, writable = poller:wait(0)
        table.sort(readable)
        assert.same({ "b" }, writable)
        return #readable == 2 and readable[1] == "b" and readable[2] == "d"
      end)
    end)

    layered("reports it only to those who have asked for it", function()
      local poller, _, b = open(), holding()
      assert.is_false(poller:wait(0))
      assert(poller:add(b, "w"))
      local readable, writable = poller:wait()
      assert.same({ {}, { b } }, { readable, writable })
      assert(poller:modify(b, "r"))
      assert.same({ b }, (poller:wait()))
      assert(poller:remove(b))
      assert.is_false(poller:wait(0))
      assert(poller:add(b:getfd(), "r"))
      for _ = 1, 2 do assert.same({ b:getfd() }, (poller:wait())) end
    end)

    layered("forgets it when the socket is closed", function()
      local poller, _, b = open(), holding()
      assert(poller:add(b, "r"))
      b:close()
      assert.equal(0, #poller)
      assert.is_false(poller:wait(0))
      assert.same({ n = 3, nil, "nothing to wait for and no timeout set", "EINVAL" }, helper.pack(poller:wait()))
    end)

    layered("forgets it when the socket is collected, or has another poller", function()
      local poller, other = open(), open()
      coroutine.wrap(function()
        local a, b = toy.pair()
        a:send "hello"
        helper.readable(b)
        b:recv(1)
        assert(other:add(b, "r"))
      end)()
      collectgarbage()
      local _, b = holding()
      assert(poller:add(b, "r"))
      assert.same({ b }, (poller:wait()))
      other:close()
      other = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.same({ b }, (poller:wait()))
    end)

    layered("reads a record byte by byte", function()
      local poller = open()
      local a, b = pollers.hold(toy.pair())
      assert(poller:add(b, "r"))
      a:send(large)
      assert.is_true(by_bytes(b, #large, function() poller:wait() end) == large)
    end)

    layered("gives each of very many its turn, with those of the kernel", function()
      local poller, seen, count, kinds = open(), {}, 0, 350
      for i = 1, kinds do
        local a, b = pollers.hold(toy.pair "tcp")
        a:send "hello"
        b:recv(1)
        assert(poller:add(b, "r", i))
      end
      local a, b = pollers.pair()
      a:send "x"
      helper.readable(b)
      assert(poller:add(b, "r", "kernel"))
      for _ = 1, 4 do
        for _, value in ipairs((poller:wait())) do
          if not seen[value] then seen[value], count = true, count + 1 end
        end
      end
      assert.equal(kinds + 1, count)
    end)

    layered("reports it in the child of a fork and in the parent", function()
      forking.need(pending)
      local poller, _, b = open(), holding()
      assert(poller:add(b, "r"))
      forking.run(function()
        assert.same({ b }, (poller:wait(SOON)))
        assert.equal("ello", b:recv())
        assert.is_false(poller:wait(0))
      end)
      assert.same({ b }, (poller:wait(SOON)))
      assert.equal("ello", b:recv())
    end)

    layered("has what a layer has taken leave while it waits", function()
      for _, timeout in ipairs { SOON, -1 } do
        ask(function(sock)
          local poller = open()
          assert(poller:add(sock, "r"))
          local readable, writable = poller:wait(timeout)
          assert.same({ { sock }, {} }, { readable, writable })
        end)
      end
    end)

    layered("ends in time if what a layer has taken cannot leave", function()
      local poller, a = open(), pollers.hold(toy.pair "tcp")
      while a:toy() == 0 do a:send(large) end
      assert.is_false(poller:wait(0))
      assert(poller:add(a, "r"))
      local start = helper.now()
      assert.is_false(poller:wait(0.02))
      assert.is_true(helper.now() - start >= 0.019)
      assert(poller:modify(a, "rw"))
      assert.is_false(poller:wait(0))
    end)

    layered("ends no wait for a time that is due", function()
      local poller, _, b = open(), holding()
      local alert = getmetatable(poller).__wait
      assert(poller:add(b, "r"))
      local readable, _, now = alert(poller, nil, nil, nil, lsocket.now())
      assert.same({ b }, readable)
      assert.is_number(now)
      readable, _, now = alert(poller, nil, nil, nil, lsocket.now() + 1000)
      assert.same({ b }, readable)
      assert.is_nil(now)
      assert.is_true(getmetatable(poller).__ready(poller))
      b:recv()
      assert.is_false(getmetatable(poller).__ready(poller))
    end)
  end)
end

for _, backend in ipairs(helper.backends) do
  if lsocket.poller(backend) then describe_backend(backend) end
end

describe("the child of a fork", function()
  layered("says no goodbye when it closes, collects or ends", function()
    forking.need(pending)
    local a, b = pollers.hold(toy.pair())
    forking.run(function() a:close() end)
    forking.run(function()
      a = nil
      pollers.let_go()
      collectgarbage()
      collectgarbage()
    end)
    assert.is_false(helper.is_readable(b))
    a:send "still here"
    assert.equal("still here", helper.receive(b, 10))
    a:close()
    helper.readable(b)
    assert.same({ n = 1, nil }, helper.pack(b:recv()))
  end)

  layered("can go on with the connection", function()
    forking.need(pending)
    local a, b = pollers.hold(toy.pair())
    forking.run(function()
      assert.equal(5, a:send "child")
      assert.is_true(a:shutdown "w")
    end)
    assert.equal("child", helper.receive(b, 5))
    helper.readable(b)
    assert.same({ n = 1, nil }, helper.pack(b:recv()))
  end)
end)

describe("the loop", function()
  layered("reads byte by byte what a layer holds", function()
    local a, b = toy.pair()
    loop.run(function()
      local near, far = stream.new(a), stream.new(b)
      loop.spawn(function()
        assert(near:write(large))
        near:close()
      end)
      local bytes = {}
      repeat
        local byte = far:read(1)
        bytes[#bytes + 1] = byte
      until not byte
      assert.is_true(table.concat(bytes) == large)
      far:close()
    end)
  end)

  layered("waits for a socket whose layer holds something", function()
    local _, b = holding(large)
    loop.run(function()
      assert.is_true(by_bytes(b, #large - 1, function() assert(loop.wait(b, "r")) end) == large:sub(2))
    end)
  end)

  layered("is to be stepped at once while a task waits for what a layer holds", function()
    local _, b = holding()
    local steps, got = 0, nil
    loop.spawn(function()
      loop.wait(b, "r")
      loop.sleep(0)
      b:recv(1)
      loop.wait(b, "r")
      got = b:recv()
    end)
    local left
    repeat
      left = loop.step(0)
      steps = steps + 1
      if b:pending() > 0 and left then assert.equal(0, left) end
    until left == false or steps > 100
    assert.equal("llo", got)
  end)

  layered("sends much both ways, with small buffers, to the end of each direction", function()
    local a, b = toy.pair "tcp"
    for _, sock in ipairs { a, b } do sock:setopt("sndbuf", 4096) end
    local data = ("0123456789"):rep(helper.scale(40000))
    loop.run(function()
      local results = {}
      local function exchange(sock)
        local own = stream.new(sock)
        loop.spawn(function()
          assert(own:write(data, data))
          while own:shutdown "w" == false do loop.sleep(0) end
        end)
        results[sock] = own:read "a"
        own:close()
      end
      local one, other = loop.spawn(exchange, a), loop.spawn(exchange, b)
      one:join()
      other:join()
      assert.is_true(results[a] == data .. data and results[b] == data .. data)
    end)
  end)

  layered("sends files", function()
    local a, b = toy.pair "tcp"
    a:setopt("sndbuf", 4096)
    local data = ("0123456789abcdef"):rep(helper.scale(20000))
    local path = helper.file(data)
    loop.run(function()
      local near, far = stream.new(a), stream.new(b)
      loop.spawn(function()
        local file = assert(io.open(path))
        assert.equal(#data, near:sendfile(file))
        assert(near:write "") -- and the layer has nothing left
        file:close()
        near:close()
      end)
      assert.is_true(far:read "a" == data)
      far:close()
    end)
  end)

  layered("tells a failure of a layer after what came before", function()
    local a, b = toy.half()
    loop.run(function()
      local far = stream.new(b)
      a:send(toy.record "line\nrest" .. "\255\255")
      assert.equal("line", far:read "l")
      assert.equal("rest", far:read "l")
      local expected = { n = 3, nil, "the toy's record is too long", "ETOY_LENGTH" }
      for _ = 1, 2 do assert.same(expected, helper.pack(far:read "l")) end
      far:close()
    end)
    need.getfd(pending)
  end)
end)
