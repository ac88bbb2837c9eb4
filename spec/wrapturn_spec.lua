-- Wrapped sockets that several tasks wait for: whose turn it is, and what ends the waits. What each method waits for is
-- in loopwrap_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local turns = require "lsocket.loop.turns"
local helper = require "spec.helper"
local wraps = require "spec.wraps"

local fails, pack, raises = helper.fails, helper.pack, helper.raises
local fill, pair, run, start, wrap = wraps.fill, wraps.pair, wraps.run, wraps.start, wraps.wrap

setup(function() turns.check(true) end)
teardown(function() turns.check(false) end)

-- ---- turns ----

describe("tasks that read from one wrapped socket", function()
  it("have their turns in the order in which they called", function()
    run(function()
      local near, far = pair()
      local tasks = {}
      for i = 1, 5 do tasks[i] = start(near.recv, near) end
      for i = 1, 5 do far:send("record " .. i) end
      for i = 1, 5 do assert.equal("record " .. i, tasks[i]:join()) end
    end)
  end)

  it("get as much as each other, when they go on for long", function()
    run(function()
      local bare, port = helper.bind("udp", "127.0.0.1", 0)
      local server, client = wrap(bare), wrap(assert(lsocket.connect("udp", "127.0.0.1", port)))
      local counts = {}
      for i = 1, 4 do
        counts[i] = 0
        start(function()
          local data, address, number = server:recvfrom()
          while data do
            counts[i] = counts[i] + 1
            server:sendto(data, address, number)
            data, address, number = server:recvfrom()
          end
        end)
      end
      for i = 1, 40 do
        client:send("datagram " .. i)
        assert.equal("datagram " .. i, client:recv())
      end
      assert.same({ 10, 10, 10, 10 }, counts)
      server:close()
    end)
  end)

  it("may be thousands", function()
    turns.check(false) -- which would take longer than all the rest
    run(function()
      local near, far = pair()
      local count, sum, tasks = helper.scale(4000), 0, {}
      for i = 1, count do
        tasks[i] = loop.spawn(function()
          assert.equal(tostring(i), near:recv())
          sum = sum + 1
        end)
      end
      loop.sleep(0)
      for i = 1, count do far:send(tostring(i)) end
      for i = 1, count do tasks[i]:join() end
      assert.equal(count, sum)
    end)
    turns.check(true)
  end)

  it("leave the queue by a deadline, and lose nothing", function()
    run(function()
      local near, far = pair()
      local first = start(near.recv, near)
      local second = start(loop.deadline, 0.005, near.recv, near)
      local third = start(near.recv, near)
      fails("ETIMEDOUT", second:join())
      far:send "a"
      far:send "b"
      assert.same({ "a", "b" }, { (first:join()), (third:join()) })
    end)
  end)

  it("give the turn on when the one that has it is cancelled or overdue", function()
    run(function()
      local near, far = pair()
      local tasks = { start(near.recv, near), start(loop.deadline, 0.01, near.recv, near), start(near.recv, near),
        start(near.recv, near), start(near.recv, near) }
      tasks[1]:cancel()
      fails("ECANCELED", tasks[1]:join())
      fails("ETIMEDOUT", tasks[2]:join())
      tasks[3]:cancel() -- the fourth is handed the turn before it is cancelled
      tasks[4]:cancel()
      far:send "x"
      assert.equal("x", tasks[5]:join())
    end)
  end)

  it("do not keep from it those that write", function()
    run(function()
      local near, far = pair()
      local task = start(near.recv, near)
      assert.equal(1, near:send "x")
      assert.equal("x", far:recv())
      far:send "y"
      assert.equal("y", task:join())
    end)
  end)

  it("give the turn on when an error ends the one that has it", function()
    run(function()
      local near, far = pair()
      local odd = setmetatable({}, { __newindex = function() error("no fields, please", 0) end })
      local first = start(function() return pack(loop.pcall(near.recvmsg, near, 9, odd)) end)
      local second = start(near.recv, near)
      far:send "one"
      assert.same({ n = 2, false, "no fields, please" }, first:join())
      far:send "two"
      assert.equal("two", second:join())
      far:send "three"
      assert.equal("three", near:recv())
    end)
  end)
end)

describe("tasks that write to one wrapped socket", function()
  it("have their turns in the order in which they called", function()
    run(function()
      local near, far, bare = pair()
      local full, tasks = fill(bare, ("x"):rep(1000)), {}
      for i = 1, 5 do tasks[i] = start(near.send, near, "record " .. i) end
      for _ = 1, full do assert(far:recv()) end
      for i = 1, 5 do
        assert.equal(8, tasks[i]:join())
        assert.equal("record " .. i, far:recv())
      end
    end)
  end)

  it("give the turn on when one is cancelled, or what it sends has become wrong", function()
    run(function()
      local near, far, bare = pair()
      local full, message = fill(bare, ("x"):rep(1000)), { data = "hello" }
      local first = start(near.send, near, "first")
      local second = start(function() return pack(loop.pcall(near.sendmsg, near, message)) end)
      local third = start(near.send, near, "third")
      first:cancel()
      fails("ECANCELED", first:join())
      message.nonsense = 1
      for _ = 1, full do assert(far:recv()) end
      assert.truthy(second:join()[2]:find("bad argument #1 to 'sendmsg' (nonsense: no such field)", 1, true))
      assert.equal(5, third:join())
      assert.equal("third", far:recv())
    end)
  end)
end)

-- ---- fairness ----

describe("a wrapped socket that never makes anybody wait", function()
  -- A task that goes on and on, until its call fails, beside one that counts its own turns.
  local function compete(act)
    run(function()
      local near, far = pair()
      local turn_count, name = 0, nil
      local other = loop.spawn(function()
        while not name do
          turn_count = turn_count + 1
          loop.sleep(0)
        end
      end)
      name = loop.deadline(0.05, act, near, far)
      other:join()
      assert.equal("ETIMEDOUT", name)
      assert.is_true(turn_count > 5, turn_count .. " turns")
    end)
  end

  it("does not keep others from their turns, nor a deadline from passing", function()
    compete(function(near, far)
      local ok, _, name
      repeat
        ok, _, name = far:send "x"
        if ok then ok, _, name = near:recv() end
      until not ok
      return name
    end)
  end)
end)

-- ---- the end ----

describe("closing a wrapped socket", function()
  it("wakes all that wait, and later calls find it closed", function()
    run(function()
      local near, far, bare = pair()
      fill(bare, ("x"):rep(1000))
      local tasks = {}
      for _ = 1, 3 do
        tasks[#tasks + 1] = start(near.recv, near)
        tasks[#tasks + 1] = start(near.send, near, "x")
      end
      assert.is_true(near:close())
      for _, task in ipairs(tasks) do fails("ECANCELED", task:join()) end
      fails("EBADF", near:recv())
      fails("EBADF", near:send "x")
      assert.equal(-1, near:getfd())
      assert.is_true(near:close())
      while far:recv() do end -- luacheck: ignore 542
    end)
  end)

  it("by its socket or by setfd wakes all that wait, too", function()
    for _, close in ipairs { function(sock) sock:close() end, function(_, near)
      assert(lsocket.fromfd(near:getfd()), near:setfd(-1)):close()
    end } do
      run(function()
        local near, _, bare = pair()
        local first, second = start(near.recv, near), start(near.recv, near)
        close(bare, near)
        fails("ECANCELED", first:join())
        fails("EBADF", second:join())
      end)
    end
  end)

  it("by detach wakes all that wait, and the descriptor is the program's", function()
    run(function()
      local near, far = pair()
      local task, other = start(near.recv, near), start(near.recv, near)
      local again = wrap(assert(lsocket.fromfd(near:detach())))
      fails("ECANCELED", task:join())
      fails("ECANCELED", other:join())
      far:send "x"
      assert.equal("x", again:recv())
    end)
  end)

  it("is done by a to-be-closed variable, and by the collector", function()
    local near = pair()
    local close = getmetatable(near).__close
    close(near, "an error")
    assert.equal(-1, near:getfd())
    local weak = setmetatable({ (pair()) }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("can be done when no loop runs", function()
    local near, far = pair()
    run(function()
      far:send "x"
      start(near.recv, near)
      start(near.recv, near):cancel()
    end)
    assert.is_true(near:close())
  end)
end)

describe("a wait for a wrapped socket that cannot begin", function()
  it("leaves nothing behind", function()
    run(function()
      local near, far = pair()
      local ok = pcall(string.gsub, "x", "x", function() return near:recv() end)
      assert.is_false(ok)
      local thread = coroutine.create(function() return near:recv() end)
      ok = coroutine.resume(thread)
      assert.is_false(ok)
      local task = start(near.recv, near)
      far:send "x"
      assert.equal("x", task:join())
    end)
  end)

  it("raises while another task waits for it in loop.wait, and the other way round", function()
    run(function()
      local near, far, bare = pair()
      for _, object in ipairs { near, bare, bare:getfd() } do
        local task = start(loop.wait, object, "r")
        local ok, problem = loop.pcall(near.recv, near)
        assert.is_false(ok)
        assert.truthy(problem:find("another task waits for it already", 1, true), problem)
        task:cancel()
        task:join()
        task = start(near.recv, near)
        raises("another task is reading from it already", loop.wait, object, "r")
        far:send "x"
        assert.equal("x", task:join())
      end
    end)
  end)
end)
