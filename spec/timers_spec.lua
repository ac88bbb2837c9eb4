-- The heap of timers where memory ends: what could not be added is not in it.
local timers = require "lsocket.timers"

-- A table that cannot take another field.
local function full(fields)
  return setmetatable(fields, { __newindex = function() error "not enough memory" end })
end

describe("a timer that cannot be added", function()
  it("for want of room in the timer is not in the heap", function()
    local heap, timer = timers.new(), full { when = 1 }
    assert.is_false((pcall(timers.add, heap, timer)))
    assert.same(0, heap.count)
    assert.is_nil(timers.first(heap))
    assert.is_nil(timers.due(heap, 2))
  end)

  it("for want of room in the heap is none, and harmless to remove", function()
    local heap, timer, other = timers.new(), { when = 1 }, { when = 2 }
    timers.add(heap, other)
    full(heap)
    assert.is_false((pcall(timers.add, heap, timer)))
    timers.remove(heap, timer)
    assert.equal(1, heap.count)
    assert.equal(other, timers.due(heap, 2))
    assert.is_nil(timers.due(heap, 2))
  end)
end)
