-- The heap of timers, and that heap where memory ends: what could not be added is not in it.
local timers = require "lsocket.loop.timers"

-- A table that cannot take another field.
local function full(fields)
  return setmetatable(fields, { __newindex = function() error "not enough memory" end })
end

local function task() return { wait = true } end

describe("timers", function()
  after_each(timers.clear)

  it("are due in the order of their times, whatever is taken out meanwhile", function()
    local all, kept = {}, {}
    for i = 1, 200 do
      all[i] = task()
      timers.add(all[i], i * 7919 % 101)
    end
    for i, timer in ipairs(all) do
      if i % 3 == 0 then timers.remove(timer) else kept[#kept + 1] = timer.when end
      timers.invariant()
    end
    table.sort(kept)
    local seen = {}
    for _ = 1, #kept do
      assert.is_nil(timers.due(timers.heap[1].when - 1))
      seen[#seen + 1] = timers.due(timers.heap[1].when).when
      timers.invariant()
    end
    assert.same(kept, seen)
    assert.is_false(timers.heap[1])
  end)

  it("that are in are not added again, and are removed as often as one likes", function()
    local timer = task()
    timers.add(timer, 1)
    assert.is_false((pcall(timers.add, timer, 2)))
    timers.remove(timer)
    timers.remove(timer)
    assert.is_false(timers.heap[1])
    timers.add(timer, 3)
    assert.equal(timer, timers.due(3))
  end)

  it("that are made due sooner move up", function()
    local all = {}
    for i = 1, 100 do
      all[i] = task()
      timers.add(all[i], 1000 + i)
    end
    for i = 100, 1, -1 do
      timers.advance(all[i], i * 7919 % 101)
      timers.invariant()
    end
    local before = 0
    for _ = 1, 100 do
      local timer = timers.due(1000)
      assert.is_true(timer.when > before)
      before = timer.when
    end
    assert.is_false(timers.heap[1])
  end)

  it("that are cleared can be added again", function()
    local timer = task()
    timers.add(timer, 1)
    timers.clear()
    timers.add(timer, 2)
    assert.equal(timer, timers.heap[1])
  end)
end)

describe("a task for whose time there is no room", function()
  it("is not in the heap", function()
    local one = full { wait = true }
    assert.is_false((pcall(timers.add, one, 1)))
    assert.is_nil(one.place)
    assert.is_false(timers.heap[1])
    timers.invariant()
  end)
end)

describe("a task for whose alarm there is no room", function()
  it("leaves no timer in the heap", function()
    local owner = full { wait = true }
    assert.is_false((pcall(timers.set_alarm, owner, 1)))
    assert.is_false(timers.heap[1])
  end)
end)
