-- Waiting for objects: loop.wait; and waiting for the loop inside another one: loop.step and loop.getfd.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local fails, raises = helper.fails, helper.raises
local run = inloop.run

describe("loop.wait", function()
  it("waits for a socket, a descriptor, and anything with getfd", function()
    run(function()
      local a, b = assert(lsocket.pair())
      local foreign = { getfd = function() return b:getfd() end }
      for _, object in ipairs { b, b:getfd(), foreign } do
        local task = loop.spawn(loop.wait, object, "r")
        loop.sleep(0.001)
        a:send "x"
        assert.equal("r", task:join())
        assert.equal("x", b:recv())
        assert.equal("w", loop.wait(object, "w"))
        assert.equal("w", loop.wait(object, "rw"))
      end
    end)
  end)

  it("answers false when the time is over", function()
    run(function()
      local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
      assert.is_false(loop.wait(sock, "r", 0.002))
      assert.is_false(loop.wait(sock, "r", 0))
      fails("ETIMEDOUT", loop.deadline(0.002, loop.wait, sock, "r", 1000))
    end)
  end)

  it("lets one task wait to read and another one to write", function()
    run(function()
      local a, b = assert(lsocket.pair())
      helper.fill(a)
      local reader = loop.spawn(loop.wait, a, "r")
      local writer = loop.spawn(loop.wait, a, "w")
      loop.sleep(0.001)
      raises("another task is reading from it already", loop.wait, a, "r")
      raises("another task is writing to it already", loop.wait, a, "w")
      while b:recv() do end
      assert.equal("w", writer:join())
      b:send "x"
      assert.equal("r", reader:join())
    end)
  end)

  it("fails for what cannot be waited for", function()
    run(function()
      local closed = assert(lsocket.bind("udp", "127.0.0.1", 0))
      closed:close()
      fails("EBADF", loop.wait(closed, "r"))
      raises("bad argument #2 to 'wait'", loop.wait, closed, "x")
      raises("bad argument #2 to 'wait'", loop.wait, closed)
      for _, odd in ipairs { {}, "0", true, io.stdout, print } do
        raises("bad argument #1 to 'wait' (socket, descriptor or object with getfd expected", loop.wait, odd, "r")
      end
    end)
  end)

  it("is woken when the socket is closed under it", function()
    run(function()
      for _, events in ipairs { "r", "rw" } do
        local a, b = assert(lsocket.pair())
        helper.fill(a)
        local task = loop.spawn(loop.wait, a, events)
        loop.sleep(0.001)
        a:close()
        b:close()
        fails("ECANCELED", task:join())
      end
    end)
  end)

  it("forgets objects that nobody waits for", function()
    local weak = setmetatable({}, { __mode = "v" })
    run(function()
      for i = 1, 10 do
        local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
        loop.wait(sock, "r", 0)
        weak[i] = sock
      end
      loop.sleep(0.001)
      helper.settle()
      assert.is_nil(next(weak))
    end)
  end)
end)

describe("loop.step and loop.getfd", function()
  it("run the loop inside of another one", function()
    helper.need.getfd(pending)
    local fd = assert(loop.getfd())
    assert.is_false(loop.step(0))
    local a, b = assert(lsocket.pair())
    local got
    loop.spawn(function()
      loop.wait(b, "r")
      got = b:recv()
    end)
    assert.equal(math.huge, loop.step(0))
    a:send "hello"
    assert.truthy(lsocket.select({ fd }, helper.patience))
    assert.equal(fd, loop.getfd())
    assert.is_false(loop.step(0))
    assert.equal("hello", got)
  end)

  it("are quiet once nothing is left, whatever has been due", function()
    helper.need.getfd(pending)
    local near, far = lsocket.pair()
    near, far = stream.new(near), stream.new(far)
    local fd = assert(loop.getfd())
    loop.spawn(loop.deadline, 0.15, near.read, near)
    loop.step(0.01) -- from now on the poller has that time
    far:write "x\n"
    repeat until loop.step(1) == false
    local stop, woken = loop.now() + 0.3, 0
    repeat
      if lsocket.select({ fd }, math.max(0, stop - loop.now())) then
        woken = woken + 1
        assert.is_false(loop.step(0))
      end
    until loop.now() >= stop
    assert.is_true(woken <= 2, woken)
    near:close()
    far:close()
  end)

  it("tell when the next timer is due", function()
    local task = loop.spawn(loop.sleep, helper.patience)
    local left = loop.step(0)
    assert.is_true(left > 0 and left <= helper.patience)
    task:cancel()
    loop.spawn(loop.sleep, 0.02)
    repeat left = loop.step(left) until not left
    loop.spawn(function() loop.sleep(0) loop.sleep(0) end)
    assert.equal(0, loop.step(1000))
    assert.equal(0, loop.step(1000))
    assert.is_false(loop.step(1000))
  end)

  it("take a number", function()
    raises("bad argument #1 to 'step'", loop.step, "now")
  end)
end)
