-- Deadlines, nested and cut off, and protected calls that wait.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run = inloop.run

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

  it("hands on that very error, however often: LuaJIT has raised another value once it had compiled this", function()
    local function nest(depth, problem)
      if depth > 0 then return loop.deadline(0.001 * depth, nest, depth - 1, problem) end
      loop.sleep(0)
      error(problem, 0)
    end
    run(function()
      for i = 1, 1000 do
        local problem = function() end
        local task = loop.spawn(function()
          loop.pcall(string.gsub, "x", "x", function() loop.deadline(0.001, loop.sleep, 0) end)
          return loop.deadline(0.005, nest, i % 4, problem)
        end)
        local _, raised = loop.pcall(task.join, task)
        assert.equal(problem, raised)
      end
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
