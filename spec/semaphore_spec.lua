-- Semaphores and events: who goes on and when, waits that are cut off, and permits that must not get lost.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run, rest = inloop.run, inloop.rest

-- How many permits are free.
local function free(semaphore)
  local count = 0
  local function try() return loop.deadline(0, semaphore.acquire, semaphore) end
  while try() or try() do count = count + 1 end -- of many in a row one can be a turn for others
  for _ = 1, count do semaphore:release() end
  return count
end

describe("a semaphore", function()
  it("lets so many tasks in at once, first come first served", function()
    run(function()
      local semaphore, inside, most, order = loop.semaphore(2), 0, 0, {}
      local tasks = {}
      for i = 1, 6 do
        tasks[i] = loop.spawn(function()
          assert.same({ n = 1, true }, pack(semaphore:acquire()))
          order[#order + 1] = i
          inside = inside + 1
          most = math.max(most, inside)
          loop.sleep(0.001)
          inside = inside - 1
          semaphore:release()
        end)
      end
      for i = 1, 6 do tasks[i]:join() end
      assert.equal(2, most)
      assert.same({ 1, 2, 3, 4, 5, 6 }, order)
      assert.equal(2, free(semaphore))
    end)
  end)

  it("is not overtaken by a task that comes when a permit is released", function()
    run(function()
      local semaphore, order = loop.semaphore(1), {}
      semaphore:acquire()
      loop.spawn(function()
        semaphore:acquire()
        order[#order + 1] = "waiter"
        semaphore:release()
      end)
      rest()
      semaphore:release()
      semaphore:acquire()
      order[#order + 1] = "newcomer"
      assert.same({ "waiter", "newcomer" }, order)
    end)
  end)

  it("may begin without a permit, and be released by anybody", function()
    local semaphore = loop.semaphore(0)
    semaphore:release()
    raises("only a task can wait", semaphore.acquire, semaphore)
    run(function()
      assert.is_true(semaphore:acquire())
      local waiter = loop.spawn(semaphore.acquire, semaphore)
      rest()
      semaphore:release()
      assert.is_true(waiter:join())
      assert.equal(0, free(semaphore))
    end)
  end)

  it("gives no permit to a task whose wait is cut off", function()
    run(function()
      local semaphore = loop.semaphore(0)
      fails("ETIMEDOUT", loop.deadline(0.002, semaphore.acquire, semaphore))
      local waiter = loop.spawn(semaphore.acquire, semaphore)
      rest()
      waiter:cancel()
      semaphore:release()
      fails("ECANCELED", waiter:join())
      assert.equal(1, free(semaphore))
    end)
  end)

  it("gives one to a task that is cancelled after it was woken", function()
    run(function()
      local semaphore = loop.semaphore(0)
      local waiter = loop.spawn(semaphore.acquire, semaphore)
      rest()
      semaphore:release()
      waiter:cancel()
      assert.is_true(waiter:join())
      assert.equal(0, free(semaphore))
    end)
  end)

  it("takes the permit back that a task had in hand which never runs again", function()
    local semaphore = loop.semaphore(0)
    helper.interrupted(pending, function(interrupt)
      for _ = 1, 3 do loop.spawn(semaphore.acquire, semaphore) end
      rest()
      semaphore:release()
      interrupt()
    end)
    run(function() assert.equal(1, free(semaphore)) end)
  end)

  it("serves ten thousand tasks", function()
    run(function()
      local semaphore, done = loop.semaphore(10), 0
      for _ = 1, 10000 do
        loop.spawn(function()
          semaphore:acquire()
          loop.sleep(0)
          done = done + 1
          semaphore:release()
        end)
      end
      while done < 10000 do loop.sleep(0.001) end
      assert.equal(10, free(semaphore))
    end)
  end)

  it("takes wrong arguments for mistakes", function()
    for _, count in ipairs { -1, 0.5, "1", 0 / 0, math.huge } do
      raises("bad argument #1 to 'semaphore' (integer from 0 to 2^53 expected, got", loop.semaphore, count)
    end
    raises("bad argument #1 to 'semaphore' (integer from 0 to 2^53 expected, got nil)", loop.semaphore)
    local semaphore = loop.semaphore(1)
    raises("bad argument #1 to 'acquire' (semaphore expected, got nil)", semaphore.acquire)
    raises("bad argument #1 to 'release' (semaphore expected, got table)", semaphore.release, {})
  end)
end)

describe("an event", function()
  it("lets those go on that wait when it is set, and those that come later", function()
    run(function()
      local event, order = loop.event(), {}
      assert.is_false(event:isset())
      for i = 1, 3 do
        loop.spawn(function()
          assert.same({ n = 1, true }, pack(event:wait()))
          order[#order + 1] = i
        end)
      end
      rest()
      assert.same({}, order)
      event:set()
      assert.is_true(event:isset())
      rest()
      assert.same({ 1, 2, 3 }, order)
      assert.is_true(event:wait())
    end)
  end)

  it("that is cleared at once lets them go on all the same, and nobody later", function()
    run(function()
      local event = loop.event()
      local waiter = loop.spawn(event.wait, event)
      rest()
      event:set()
      event:clear()
      assert.is_false(event:isset())
      assert.is_true(waiter:join())
      fails("ETIMEDOUT", loop.deadline(0.002, event.wait, event))
    end)
  end)

  it("is left by a task that is cancelled", function()
    run(function()
      local event = loop.event()
      local waiter = loop.spawn(event.wait, event)
      rest()
      waiter:cancel()
      event:set()
      fails("ECANCELED", waiter:join())
    end)
  end)

  it("may be set where no task runs, and stays so for the next run", function()
    local event = loop.event()
    raises("only a task can wait", event.wait, event)
    event:set()
    raises("only a task can wait", event.wait, event)
    assert.is_true(run(function() return event:wait() end))
  end)

  it("that is waited for in a row lets others have their turn", function()
    run(function()
      local event, turns, over = loop.event(), 0, false
      event:set()
      loop.spawn(function()
        while not over do
          turns = turns + 1
          loop.sleep(0)
        end
      end)
      loop.deadline(0.02, function() while event:wait() do end end) -- luacheck: ignore 542
      over = true
      assert.is_true(turns > 3)
    end)
  end)

  it("takes wrong arguments for mistakes", function()
    local event = loop.event()
    for _, name in ipairs { "set", "clear", "isset", "wait" } do
      raises("bad argument #1 to '" .. name .. "' (event expected, got nil)", event[name])
    end
  end)
end)
