-- The loop: tasks, timers, deadlines, waiting, cancelling, and running inside another loop.
-- Streams are in loopstream_spec.lua, connections by name and servers in loopserver_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, pack = helper.fails, helper.raises, helper.pack

-- Runs a function as the first task of the loop, for no longer than helper.patience.
local function run(fn)
  return loop.run(loop.deadline, helper.patience, fn)
end

-- Collects what onerror is told while a function runs.
local function failures(fn)
  local list, before = {}, loop.onerror
  loop.onerror = function(_, trace) list[#list + 1] = trace end
  local ok, problem = pcall(fn)
  loop.onerror = before
  assert(ok, problem)
  return list
end

describe("loop.run", function()
  it("passes arguments on, and gives the function's results", function()
    local results = pack(loop.run(function(...) return select("#", ...), ... end, nil, 2, nil))
    assert.same({ n = 4, 3, nil, 2, nil }, results)
  end)

  it("ends when every task has ended", function()
    local ended = 0
    loop.run(function()
      for i = 1, 5 do
        loop.spawn(function()
          loop.sleep(i / 1000)
          ended = ended + 1
        end)
      end
    end)
    assert.equal(5, ended)
  end)

  it("raises the error of its function, with a traceback, once the other tasks are cancelled", function()
    local seen
    raises("main is broken", loop.run, function()
      loop.spawn(function() seen = pack(loop.sleep(1000)) end)
      loop.sleep(0)
      error "main is broken"
    end)
    assert.same({ n = 3, nil, "Operation canceled", "ECANCELED" }, seen)
    local ok, problem = pcall(loop.run, function() error { code = 7 } end)
    assert.same({ false, { code = 7 } }, { ok, problem })
  end)

  it("can be called again, but not by its own tasks", function()
    assert.equal(1, loop.run(function() return 1 end))
    assert.equal(2, loop.run(function() return 2 end))
    loop.run(function()
      raises("the loop runs already", loop.run, function() end)
      raises("the loop runs already", loop.step)
    end)
  end)

  it("leaves no descriptor", function()
    helper.need.proc(pending)
    local before = process.count()
    loop.run(function() loop.sleep(0.001) end)
    assert.equal(before, process.count())
  end)

  it("raises when every task waits for another one", function()
    raises("every task waits for another one", loop.run, function()
      local one, two
      one = loop.spawn(function() loop.sleep(0) two:join() end)
      two = loop.spawn(function() one:join() end)
    end)
    assert.equal("fine", loop.run(function() return "fine" end))
  end)

  it("raises so at once, whatever deadlines there have been", function()
    local before = loop.now()
    raises("every task waits for another one", loop.run, function()
      local main
      local other = loop.spawn(function() main:join() end)
      main = loop.spawn(function()
        loop.deadline(helper.patience, loop.sleep, 0.001)
        other:join()
      end)
    end)
    assert.is_true(loop.now() - before < helper.patience / 2)
  end)
end)

describe("waiting outside of a task", function()
  it("raises", function()
    raises("only a task can wait", loop.sleep, 1)
    raises("only a task can wait", loop.deadline, 1, function() end)
    raises("only a task can wait", loop.wait, 0, "r")
    raises("only a task can wait", loop.connect, "127.0.0.1", 1)
  end)

  it("raises in a coroutine that a task has made", function()
    loop.run(function()
      local ok, problem = coroutine.resume(coroutine.create(function() loop.sleep(1) end))
      assert.is_false(ok)
      assert.truthy(tostring(problem):find("a coroutine inside of a task cannot wait", 1, true))
    end)
  end)
end)

describe("tasks", function()
  it("run in the order in which they were made, after the task that made them", function()
    local order = {}
    loop.run(function()
      for i = 1, 3 do loop.spawn(function(x) order[#order + 1] = x end, i) end
      order[#order + 1] = "main"
    end)
    assert.same({ "main", 1, 2, 3 }, order)
  end)

  it("that yield of themselves go on in the next turn", function()
    assert.equal("on", loop.run(function()
      coroutine.yield "to nobody"
      return "on"
    end))
  end)

  it("take only functions", function()
    raises("bad argument #1 to 'spawn' (function expected, got nil)", loop.spawn)
    raises("bad argument #1 to 'spawn' (function expected, got table)", loop.spawn, {})
    local callable = setmetatable({}, { __call = function(_, x) return x + 1 end })
    assert.equal(3, loop.run(function() return loop.spawn(callable, 2):join() end))
  end)
end)

describe("task:join", function()
  it("gives the results, as often as it is asked", function()
    run(function()
      local task = loop.spawn(function() loop.sleep(0.001) return nil, "two", nil end)
      for _ = 1, 2 do assert.same({ n = 3, nil, "two", nil }, pack(task:join())) end
      assert.equal(0, select("#", loop.spawn(function() end):join()))
    end)
  end)

  it("wakes every task that joins", function()
    local woken = 0
    run(function()
      local task = loop.spawn(loop.sleep, 0.002)
      for _ = 1, 3 do
        loop.spawn(function()
          assert.is_true(task:join())
          woken = woken + 1
        end)
      end
    end)
    assert.equal(3, woken)
  end)

  it("raises the task's error, which onerror is then not told", function()
    local told = failures(function()
      run(function()
        local task = loop.spawn(function() loop.sleep(0) error("broken", 0) end)
        local ok, problem = loop.pcall(task.join, task)
        assert.same({ false, "broken" }, { ok, problem })
        assert.same({ false, "broken" }, { loop.pcall(task.join, task) })
      end)
    end)
    assert.same({}, told)
  end)

  it("ends with the deadline, and the task goes on", function()
    run(function()
      local task = loop.spawn(function() loop.sleep(0.03) return "later" end)
      fails("ETIMEDOUT", loop.deadline(0.001, task.join, task))
      assert.equal("later", task:join())
    end)
  end)

  it("raises for the task itself", function()
    run(function()
      local task
      task = loop.spawn(function() raises("cannot join itself", task.join, task) end)
      task:join()
    end)
  end)
end)

describe("loop.onerror", function()
  it("is told the traceback of a task that nobody joins, and the others go on", function()
    local finished
    local told = failures(function()
      run(function()
        loop.spawn(function() local function culprit() error "it broke" end culprit() end)
        loop.spawn(function() loop.sleep(0.002) finished = true end)
      end)
    end)
    assert.is_true(finished)
    assert.equal(1, #told)
    assert.truthy(told[1]:find("it broke", 1, true))
    assert.truthy(told[1]:find("culprit", 1, true))
    assert.truthy(told[1]:find("loop_spec.lua", 1, true))
  end)

  it("is told where an error that passed through deadline and join came from", function()
    local told = failures(function()
      run(function()
        local task = loop.spawn(function() local function culprit() error "it broke" end loop.sleep(0) culprit() end)
        loop.spawn(function() loop.deadline(1, task.join, task) end)
      end)
    end)
    assert.equal(1, #told)
    assert.truthy(told[1]:find("culprit", 1, true))
  end)
end)

describe("task:cancel", function()
  it("ends a wait, once", function()
    run(function()
      local results = {}
      local task = loop.spawn(function()
        results[1] = pack(loop.sleep(1000))
        results[2] = pack(loop.sleep(0.001))
        return "cleaned up"
      end)
      loop.sleep(0)
      assert.is_true(task:cancel())
      assert.equal("cleaned up", task:join())
      assert.same({ n = 3, nil, "Operation canceled", "ECANCELED" }, results[1])
      assert.same({ n = 1, true }, results[2])
      assert.is_false(task:cancel())
    end)
  end)

  it("ends the next wait of a task that does not wait", function()
    run(function()
      local main
      main = loop.spawn(function()
        main:cancel()
        fails("ECANCELED", loop.sleep(1000))
        main:cancel()
        fails("ECANCELED", loop.sleep(0))
      end)
      loop.sleep(0)
      main:join()
    end)
  end)

  it("keeps a task from starting", function()
    run(function()
      local started
      local task = loop.spawn(function() started = true end)
      task:cancel()
      fails("ECANCELED", task:join())
      assert.is_nil(started)
    end)
  end)

  it("reaches a task wherever it waits", function()
    run(function()
      local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
      local idle = loop.spawn(loop.sleep, 1000)
      local waits = {
        function() return idle:join() end,
        function() return loop.wait(sock, "r") end,
        function() return loop.wait(sock, "r", 1000) end,
        function() return loop.deadline(1000, loop.sleep, 1000) end,
      }
      for _, wait in ipairs(waits) do
        local task = loop.spawn(wait)
        loop.sleep(0.001)
        task:cancel()
        fails("ECANCELED", task:join())
      end
      idle:cancel()
    end)
  end)
end)

describe("loop.sleep", function()
  it("takes its time, and wakes in order", function()
    helper.need.speed(pending)
    local order, before = {}, loop.now()
    run(function()
      for _, ms in ipairs { 300, 100, 200, 1 } do
        loop.spawn(function()
          assert.is_true(loop.sleep(ms / 1000))
          assert.is_true(loop.now() - before >= ms / 1000)
          order[#order + 1] = ms
        end)
      end
    end)
    assert.same({ 1, 100, 200, 300 }, order)
  end)

  it("of no time gives the others their turn", function()
    local order = {}
    run(function()
      for i = 1, 2 do
        loop.spawn(function()
          for _ = 1, 2 do
            order[#order + 1] = i
            loop.sleep(0)
          end
        end)
      end
    end)
    assert.same({ 1, 2, 1, 2 }, order)
  end)

  it("takes only numbers", function()
    run(function()
      for _, odd in ipairs { "1", {}, false, 0 / 0 } do raises("bad argument #1 to 'sleep'", loop.sleep, odd) end
      raises("bad argument #1 to 'sleep'", loop.sleep)
    end)
  end)

  it("of 100,000 tasks wakes each in time, and cancels without a scan", function()
    local count, woken, canceled = helper.scale(100000), 0, 0
    loop.run(function()
      local list = {}
      for i = 1, count do
        list[i] = loop.spawn(function()
          if loop.sleep(i % 2 == 0 and 1000 or i % 100 / 1000) then woken = woken + 1 else canceled = canceled + 1 end
        end)
      end
      loop.sleep(0.1)
      for i = 2, count, 2 do list[i]:cancel() end
    end)
    assert.equal(count / 2, woken)
    assert.equal(count / 2, canceled)
  end)
end)

describe("loop.now", function()
  it("goes on, as lsocket.now does", function()
    local before = lsocket.now()
    lsocket.select(0.01)
    local passed = loop.now() - before
    assert.is_true(passed >= 0.0099 and passed < helper.patience)
  end)
end)

describe("loop.deadline", function()
  it("gives what its function gives", function()
    run(function()
      assert.same({ n = 3, 1, nil, 3 }, pack(loop.deadline(1, function(...) return ... end, 1, nil, 3)))
      assert.equal(0, select("#", loop.deadline(1, function() end)))
    end)
  end)

  it("ends the wait that is under way, and every later one inside", function()
    run(function()
      local inside
      local result = loop.deadline(0.005, function()
        fails("ETIMEDOUT", loop.sleep(1000))
        inside = pack(loop.sleep(1000))
        return "answer"
      end)
      assert.equal("answer", result)
      assert.equal("ETIMEDOUT", inside[3])
      assert.is_true(loop.sleep(0.001))
    end)
  end)

  it("is one for many waits", function()
    run(function()
      local rounds, before = 0, loop.now()
      loop.deadline(0.03, function()
        while loop.sleep(0.004) do rounds = rounds + 1 end
      end)
      assert.is_true(rounds < 8)
      assert.is_true(loop.now() - before >= 0.0299)
    end)
  end)

  it("inside of another one: the earliest holds", function()
    run(function()
      local outer, inner
      outer = pack(loop.deadline(0.005, function()
        inner = pack(loop.deadline(1000, loop.sleep, 1000))
        return loop.sleep(1000)
      end))
      assert.equal("ETIMEDOUT", inner[3])
      assert.equal("ETIMEDOUT", outer[3])
      local after = loop.deadline(1000, function()
        fails("ETIMEDOUT", loop.deadline(0.001, loop.sleep, 1000))
        return loop.sleep(0.001)
      end)
      assert.is_true(after)
    end)
  end)

  it("after another one: each is its own, longer or shorter", function()
    run(function()
      loop.deadline(1000, loop.sleep, 0)
      fails("ETIMEDOUT", loop.deadline(0.001, loop.sleep, 1000))
      loop.deadline(0.002, loop.sleep, 0)
      loop.deadline(1000, function() assert.is_true(loop.sleep(0.006)) end) -- the timer of the last one goes off
      fails("ETIMEDOUT", loop.deadline(0.001, loop.sleep, 1000))
      fails("ETIMEDOUT", loop.deadline(0.004, function()
        fails("ETIMEDOUT", loop.deadline(0.001, loop.sleep, 1000))
        loop.deadline(0, loop.sleep, 1000)
        return loop.sleep(1000)
      end))
      assert.is_true(loop.sleep(0.001))
    end)
  end)

  it("that has passed before leaves no wait", function()
    run(function()
      fails("ETIMEDOUT", loop.deadline(0, loop.sleep, 1000))
      fails("ETIMEDOUT", loop.deadline(-1, loop.sleep, 0))
    end)
  end)

  it("that a task does not heed keeps no other task from running", function()
    run(function()
      local turns, stop = 0, false
      loop.spawn(loop.deadline, 0, function()
        while not stop do
          loop.sleep(1000)
          turns = turns + 1
        end
      end)
      while turns == 0 and loop.sleep(0.001) do end
      stop = true
      assert.is_true(turns > 0)
    end)
  end)

  it("hands an error on, and does not hold any more", function()
    run(function()
      local ok, problem = loop.pcall(loop.deadline, 0.002, function() loop.sleep(0) error { "mine" } end)
      assert.same({ false, { "mine" } }, { ok, problem })
      assert.is_true(loop.sleep(0.004))
    end)
  end)

  it("takes a number and a function", function()
    run(function()
      raises("bad argument #1 to 'deadline' (number expected, got nil)", loop.deadline, nil, print)
      raises("bad argument #2 to 'deadline' (function expected, got nil)", loop.deadline, 1)
    end)
  end)
end)

describe("loop.pcall", function()
  it("catches the errors of functions that wait", function()
    run(function()
      assert.same({ n = 3, true, 1, 2 }, pack(loop.pcall(function(...) loop.sleep(0) return ... end, 1, 2)))
      local ok, problem = loop.pcall(function() loop.sleep(0) error("no", 0) end)
      assert.same({ false, "no" }, { ok, problem })
      assert.same({ true, true, true }, { loop.pcall(loop.pcall, loop.sleep, 0.001) })
    end)
  end)
end)

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
        raises("bad argument #1 to 'wait' (socket expected", loop.wait, odd, "r")
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
    local fd, problem, symbol = loop.getfd()
    if symbol == "EOPNOTSUPP" then pending "this build has only the poller that has no descriptor" end
    assert(fd, problem)
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
