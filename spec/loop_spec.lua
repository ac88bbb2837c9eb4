-- The loop: tasks, timers, cancelling. Deadlines are in loopdeadline_spec.lua, waiting for objects and running inside
-- another loop in loopwait_spec.lua, streams in loopstream_spec.lua, connections by name and servers in
-- loopserver_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local process = require "spec.process"
local stream = require "lsocket.stream"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run, failures = inloop.run, inloop.failures

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

  it("takes its time while others talk, and after a longer one that was cancelled", function()
    local before = loop.now()
    run(function()
      local near, far = lsocket.pair()
      near, far = stream.new(near), stream.new(far)
      loop.spawn(function()
        local data = far:readsome()
        while data and far:write(data) do data = far:readsome() end
      end)
      local longer = loop.spawn(loop.sleep, helper.patience)
      loop.group(function(group)
        for _, ms in ipairs { 250, 120, 180 } do
          group:spawn(function()
            assert.is_true(loop.sleep(ms / 1000))
            assert.is_true(loop.now() - before >= ms / 1000)
          end)
        end
        for i = 1, 20 do
          near:write "x"
          assert.equal("x", near:readsome())
          if i == 10 then longer:cancel() end
          loop.sleep(i % 5 / 1000)
        end
      end)
      assert.is_true(loop.now() - before >= 0.25)
      near:close()
    end)
    assert.is_true(loop.now() - before < helper.patience)
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
  it("is not the time of day, which lsocket.time tells with a fraction", function()
    local before, fractions = os.time(), 0
    for _ = 1, 100 do
      if lsocket.time() % 1 ~= 0 then fractions = fractions + 1 end
    end
    local now = lsocket.time()
    assert.is_true(now >= before and now < before + helper.patience)
    assert.is_true(fractions > 0)
  end)

  it("goes on, as lsocket.now does", function()
    local before = lsocket.now()
    lsocket.select(0.01)
    local passed = loop.now() - before
    assert.is_true(passed >= 0.0099 and passed < helper.patience)
  end)
end)
