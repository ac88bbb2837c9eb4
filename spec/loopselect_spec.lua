-- loop.select, which is lsocket.select for a task, and loop.running.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local run = inloop.run

local unpack = table.unpack or unpack -- luacheck: ignore 143
local fails, raises, pack = helper.fails, helper.raises, helper.pack

local function pair()
  return assert(lsocket.pair())
end

describe("loop.select of a stream that stands in a list twice", function()
  it("gives it once, as its socket, when it has something in its buffer", function()
    loop.run(function()
      local near, far = assert(lsocket.pair())
      local s = stream.new(near)
      far:send "x"
      assert.equal("x", s:peek())
      assert.equal(1, #loop.select({ s, s }, 1))
      s:close()
      far:close()
    end)
  end)
end)

describe("loop.select", function()
  it("waits for what is to be read, while other tasks go on", function()
    run(function()
      local a, b = pair()
      local c, d = pair()
      loop.spawn(function()
        loop.sleep(0.002)
        b:send "x"
      end)
      local results = pack(loop.select({ c, a }))
      assert.equal(1, results.n)
      assert.same({ a }, results[1])
      for _, sock in ipairs { a, b, c, d } do sock:close() end
    end)
  end)

  it("gives two arrays where both were given, in their order, each object once", function()
    run(function()
      local a, b = pair()
      b:send "x"
      local results = pack(loop.select({ a, a }, { b, a, b }, 1))
      assert.equal(2, results.n)
      assert.same({ { a }, { b, a } }, { results[1], results[2] })
      a:recv()
      results = pack(loop.select(nil, { a }))
      assert.equal(2, results.n)
      assert.same({ {}, { a } }, { results[1], results[2] })
      helper.fill(a)
      loop.spawn(function()
        loop.sleep(0.002)
        b:send "y"
      end)
      results = pack(loop.select({ a }, { a }, helper.patience))
      assert.same({ { a }, {} }, { results[1], results[2] })
      a:close()
      b:close()
    end)
  end)

  it("gives false when the time is over, wherever it stands", function()
    run(function()
      local a, b = pair()
      for _, arguments in ipairs { { n = 1, 0.005 }, { n = 2, { a }, 0.005 }, { n = 3, { a }, nil, 0.005 } } do
        local begun = loop.now()
        assert.same({ n = 1, false }, pack(loop.select(unpack(arguments, 1, arguments.n))))
        assert.is_true(loop.now() - begun >= 0.0045)
      end
      assert.is_false((loop.select({ a }, 0)))
      a:close()
      b:close()
    end)
  end)

  it("takes streams, with what is in their buffers, numbers, and anything with getfd", function()
    run(function()
      local a, b = pair()
      local near = stream.new(a)
      b:send "one\ntwo\n"
      assert.equal("one", near:read())
      assert.same({ near }, (loop.select({ near }, helper.patience)))
      local readable, writable = loop.select({ near }, {}, 0)
      assert.same({ { near }, {} }, { readable, writable })
      assert.equal("two", near:read())
      assert.is_false((loop.select({ near }, 0.002)))
      for _, object in ipairs { near, { getfd = function() return a:getfd() end }, a:getfd(), a } do
        loop.spawn(function()
          loop.sleep(0.002)
          b:send "x"
        end)
        assert.equal(object, loop.select({ object }, helper.patience)[1])
        readable, writable = loop.select({ object, near }, { a }, helper.patience)
        assert.same({ 1, 1 }, { #readable, #writable }) -- they are one descriptor
        assert.equal("x", near:read(1))
      end
      near:close()
      b:close()
    end)
  end)

  it("passes over what is closed, and does not wait where that is all", function()
    run(function()
      local a, b = pair()
      a:close()
      assert.is_false((loop.select({ a }, 0.002)))
      local result, _, name = loop.select({ a })
      assert.same({ n = 2, nil, "EINVAL" }, pack(result, name))
      result, _, name = loop.select()
      assert.same({ n = 2, nil, "EINVAL" }, pack(result, name))
      b:close()
    end)
  end)

  it("is cut off by a deadline, a cancel, and a close", function()
    run(function()
      local a, b = pair()
      fails("ETIMEDOUT", loop.deadline(0.002, loop.select, { a }))
      fails("ETIMEDOUT", loop.deadline(0, loop.select, { a }, 0))
      local task = loop.spawn(loop.select, { a })
      loop.sleep(0)
      task:cancel()
      fails("ECANCELED", task:join())
      task = loop.spawn(loop.select, { a }, { })
      loop.sleep(0)
      a:close()
      fails("ECANCELED", task:join())
      b:close()
    end)
  end)

  it("raises where another task waits for the same", function()
    run(function()
      local a, b = pair()
      local task = loop.spawn(loop.select, { a })
      loop.sleep(0)
      raises("another task is reading from it already", function()
        error(select(2, loop.pcall(loop.select, { a })), 0)
      end)
      task:cancel()
      task:join()
      a:close()
      b:close()
    end)
  end)

  it("takes wrong arguments for mistakes", function()
    run(function()
      raises("bad argument #1 to 'select' (", loop.select, 0 / 0)
      raises("bad argument #2 to 'select' (number expected, got nan)", loop.select, {}, 0 / 0)
      raises("bad argument #3 to 'select' (number expected, got string)", loop.select, {}, {}, "1")
      raises("bad argument #1 to 'select' (", loop.select, { true }, 0)
      raises("bad argument #2 to 'select' (", loop.select, {}, { {} }, 0)
      raises("bad argument #1 to 'select' (", loop.select, print)
    end)
    raises("only a task can wait", loop.select, 1)
  end)
end)

describe("loop.running", function()
  it("is the task that runs, or nil", function()
    assert.is_nil(loop.running())
    run(function()
      local task
      task = loop.spawn(function()
        assert.equal(task, loop.running())
        loop.sleep(0)
        assert.equal(task, loop.deadline(1, loop.running))
        assert.equal(task, select(2, loop.pcall(loop.running)))
      end)
      task:join()
      assert.is_nil(coroutine.wrap(function() return loop.running() end)())
      assert.is_truthy(loop.running())
    end)
    assert.is_nil(loop.running())
  end)

  it("is nil where the task cannot yield, in Luas that can tell", function()
    if not coroutine.isyieldable then pending "this Lua cannot tell" end
    run(function()
      local inside = true
      string.gsub("x", "x", function() inside = loop.running() end)
      assert.is_nil(inside)
    end)
  end)
end)
