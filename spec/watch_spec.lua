-- One descriptor, known by several names: a stream, its socket, its number, another library's object, a copy. Whoever
-- waits for it is woken, under whatever name, in whatever order, and what is closed makes nobody wait or spin.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local fails, need, raises = helper.fails, helper.need, helper.raises
local run = inloop.run

-- The names of a stream's descriptor.
local names = {
  stream = function(near) return near end,
  socket = function(near) return near:getsocket() end,
  number = function(near) return near:getfd() end,
  object = function(near) return { getfd = function() return near:getfd() end } end,
}

local function with_stream(fn)
  run(function()
    local near, far = lsocket.pair()
    fn(stream.new(near), far)
    near:close()
    far:close()
  end)
end

-- Another task has what a function waits for.
local function taken(...)
  local ok, problem = loop.pcall(...)
  assert.is_false(ok)
  assert.truthy(tostring(problem):find("another task", 1, true), problem)
end

describe("a poller", function()
  it("refuses a number that it has by its socket, and the socket whose number it has", function()
    local near, far = lsocket.pair()
    for _, pair in ipairs { { near, near:getfd() }, { near:getfd(), near } } do
      local poller = assert(lsocket.poller())
      assert(poller:add(pair[1], "r"))
      fails("EEXIST", poller:add(pair[2], "w"))
      fails("EEXIST", poller:add(pair[1], "w"))
      assert.equal(1, #poller)
      assert.is_false(poller:wait(0))
      far:send "x"
      assert.same({ pair[1] }, (poller:wait(helper.patience)))
      near:recv()
      assert(poller:remove(pair[1]))
      assert(poller:add(pair[2], "r"))
      far:send "x"
      assert.same({ pair[2] }, (poller:wait(helper.patience)))
      near:recv()
      poller:close()
    end
    near:close()
    far:close()
  end)
end)

for first, name_of_first in pairs(names) do
  for second, name_of_second in pairs(names) do
    describe("waiting for a stream as " .. first .. ", then as " .. second, function()
      it("both are woken, one after the other", function()
        with_stream(function(near, far)
          for _ = 1, 2 do
            far:send "x"
            assert.equal("r", loop.wait(name_of_first(near), "r"))
            assert.equal("x", near:readsome())
            far:send "y"
            assert.equal("r", loop.wait(name_of_second(near), "r"))
            assert.equal("y", near:readsome())
            assert.is_false(loop.wait(name_of_first(near), "r", 0.001))
            assert.is_false(loop.wait(name_of_second(near), "r", 0.001))
          end
        end)
      end)

      it("to read and to write, both are woken", function()
        with_stream(function(near, far)
          helper.fill(near:getsocket())
          local reader = loop.spawn(loop.wait, name_of_first(near), "r")
          local writer = loop.spawn(loop.wait, name_of_second(near), "w")
          loop.sleep(0)
          loop.sleep(0)
          far:send "x\n"
          assert.equal("r", reader:join())
          assert.equal("x", near:read())
          loop.spawn(function() while far:recv() do end end)
          assert.equal("w", writer:join())
          reader = loop.spawn(near.read, near)
          loop.sleep(0)
          far:send "y\n"
          assert.equal("y", reader:join())
        end)
      end)

      it("at a time, the second one raises, and the first one is woken", function()
        with_stream(function(near, far)
          local reader = loop.spawn(loop.wait, name_of_first(near), "r")
          loop.sleep(0)
          taken(loop.wait, name_of_second(near), "r")
          taken(near.read, near)
          far:send "x"
          assert.equal("r", reader:join())
          assert.equal("x", near:readsome())
        end)
      end)

      it("and reading in between, all are woken", function()
        with_stream(function(near, far)
          local reader = loop.spawn(near.read, near)
          loop.sleep(0)
          assert.equal("w", loop.wait(name_of_first(near), "w"))
          assert.equal("w", loop.wait(name_of_second(near), "w", helper.patience))
          far:send "line\n"
          assert.equal("line", reader:join())
          local waiter = loop.spawn(loop.wait, name_of_first(near), "r", helper.patience)
          loop.sleep(0)
          far:send "x"
          assert.equal("r", waiter:join())
          assert.equal("x", near:readsome())
        end)
      end)
    end)
  end

  describe("a stream that is waited for as " .. first, function()
    it("and closed, wakes, by the stream at once", function()
      with_stream(function(near)
        if first == "stream" or first == "socket" then
          local task = loop.spawn(loop.wait, name_of_first(near), "r")
          loop.sleep(0)
          near:getsocket():close()
          fails("ECANCELED", task:join())
        end
        local other, far = lsocket.pair()
        other = stream.new(other)
        local reader = loop.spawn(other.read, other)
        loop.sleep(0)
        local task = loop.spawn(loop.wait, name_of_first(other), "w")
        loop.sleep(0)
        task:join()
        other:close()
        fails("ECANCELED", reader:join())
        far:close()
      end)
    end)

    it("and closed, wakes the only one that waits", function()
      with_stream(function(near)
        local task = loop.spawn(loop.wait, name_of_first(near), "r")
        loop.sleep(0)
        near:close()
        fails("ECANCELED", task:join())
      end)
    end)

    it("and in the same turn as a socket, which is closed, wakes", function()
      with_stream(function(near)
        local sock = near:getsocket()
        local task = loop.spawn(function()
          assert.equal("w", loop.wait(name_of_first(near), "w"))
          return loop.wait(sock, "r")
        end)
        for _ = 1, 3 do loop.sleep(0) end
        sock:close()
        fails("ECANCELED", task:join())
      end)
    end)

    it("and closed, leaves its number to the next one", function()
      run(function()
        for _ = 1, 20 do
          local near, far = lsocket.pair()
          near = stream.new(near)
          loop.spawn(loop.wait, name_of_first(near), "r", 0.0001)
          loop.sleep(0)
          near:close()
          far:close()
          local again, end_of_it = lsocket.pair()
          local reader = stream.new(again)
          local task = loop.spawn(reader.read, reader)
          loop.sleep(0)
          end_of_it:send "x\n"
          assert.equal("x", task:join())
          again:close()
          end_of_it:close()
        end
      end)
    end)
  end)
end

describe("a descriptor that is waited for by its number and closed while a copy lives", function()
  -- The CPU time of waiting for something else meanwhile.
  local function cost_of_waiting(near, far, copy)
    local fd = near:getfd()
    local task = loop.spawn(loop.wait, fd, "r")
    loop.sleep(0)
    near:close()
    far:send "x" -- which the copy could read
    loop.sleep(0)
    local begun = os.clock()
    loop.sleep(0.05)
    local cost = os.clock() - begun
    task:cancel()
    task:join()
    copy:close()
    far:close()
    return cost
  end

  it("makes nobody spin", function()
    need.speed(pending)
    local cost = helper.below(0.02, function()
      return run(function()
        local near, far = lsocket.pair()
        return cost_of_waiting(near, far, assert(near:dup()))
      end)
    end)
    assert.is_true(cost < 0.02, cost)
  end)

  it("does so neither when the number is another one's by then", function()
    need.speed(pending)
    run(function()
      local near, far = lsocket.pair()
      local copy, fd = assert(near:dup()), near:getfd()
      local task = loop.spawn(loop.wait, fd, "r")
      loop.sleep(0)
      near:close()
      local other, end_of_it = lsocket.pair()
      far:send "x"
      local reader = stream.new(other:getfd() == fd and other or end_of_it)
      local reading = loop.spawn(reader.read, reader)
      loop.sleep(0)
      local writer = reader:getsocket() == other and end_of_it or other
      writer:send "line\n"
      assert.equal("line", reading:join())
      task:cancel()
      task:join()
      for _, sock in ipairs { copy, far, other, end_of_it } do sock:close() end
    end)
  end)
end)

describe("loop.wait", function()
  it("takes no table for a stream that only looks like one", function()
    run(function()
      local near, far = lsocket.pair()
      for _, fake in ipairs {
        { object = near, events = false, r = false, w = false, lapsed = false },
        { object = near, events = "r", getsocket = function() return near end },
        { object = 1, events = 1, buffer = "x" },
      } do
        raises("bad argument #1 to 'wait'", loop.wait, fake, "r", 0.001)
        fake.getfd = function() return near:getfd() end
        assert.is_false(loop.wait(fake, "r", 0.001))
        far:send "x"
        assert.equal("r", loop.wait(fake, "r"))
        near:recv()
      end
      near:close()
      far:close()
    end)
  end)
end)

-- Makes something to wait for; gives it, and what closes it.
local closers = {
  socket = function()
    local near, far = lsocket.pair()
    return near, function() near:close() end, far
  end,
  poller = function()
    local near, far = lsocket.pair()
    local poller = assert(lsocket.poller())
    assert(poller:add(near, "r"))
    return poller, function() poller:close() end, far
  end,
  lookup = function()
    local lookup = assert(lsocket.lookup "dead.example")
    return lookup, function() lookup:cancel() end
  end,
  ["signals object"] = function()
    local signals = assert(lsocket.signals "USR1")
    return signals, function() signals:close() end
  end,
  ["signals object of the loop"] = function()
    local signals = assert(loop.signals "USR1")
    return signals, function() signals:close() end
  end,
}

for kind, make in pairs(closers) do
  describe("a " .. kind .. " that a task waits for, and that is closed,", function()
    it("wakes it", function()
      run(function()
        for _ = 1, 100 do
          local object, close, kept = make()
          if not object:getfd() then return end -- as a poller by poll(2)
          local task = loop.spawn(loop.wait, object, "r", helper.patience)
          loop.sleep(0)
          close()
          local woken, message, name = task:join()
          if kept then kept:close() end
          if woken ~= "r" then return fails("ECANCELED", woken, message, name) end -- the look-up was quicker
        end
        error "no look-up lasts"
      end)
    end)
  end)
end
