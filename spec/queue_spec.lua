-- Queues of values: who gets which value and when, full and closed queues, and waits that are cut off.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run, rest = inloop.run, inloop.rest

-- What is left in a queue.
local function drain(queue)
  local list = {}
  for i = 1, queue:count() do list[i] = queue:get() end
  return list
end

describe("a queue", function()
  it("gives the values in the order in which they were put", function()
    run(function()
      local queue = loop.queue()
      for _, value in ipairs { 1, "two", false, print } do assert.is_true(queue:put(value)) end
      assert.equal(4, queue:count())
      assert.same({ 1, "two", false, print }, drain(queue))
      assert.equal(0, queue:count())
    end)
  end)

  it("makes a getter wait for a value, first come first served", function()
    run(function()
      local queue, order = loop.queue(), {}
      for i = 1, 3 do
        loop.spawn(function()
          local value = queue:get()
          order[#order + 1] = i .. value
        end)
      end
      rest()
      for _, value in ipairs { "a", "b", "c" } do queue:put(value) end
      assert.equal(0, queue:count())
      rest()
      assert.same({ "1a", "2b", "3c" }, order)
    end)
  end)

  it("is not overtaken by a task that comes later", function()
    run(function()
      local queue = loop.queue()
      local first = loop.spawn(queue.get, queue)
      rest()
      queue:put "the first one's"
      local second = loop.spawn(queue.get, queue)
      rest()
      assert.equal("the first one's", first:join())
      queue:put "the second one's"
      assert.equal("the second one's", second:join())
    end)
  end)

  it("that is full makes putters wait, first come first served", function()
    run(function()
      local queue, order = loop.queue(2), {}
      for i = 1, 5 do
        loop.spawn(function()
          assert.same({ n = 1, true }, pack(queue:put(i)))
          order[#order + 1] = i
        end)
      end
      rest()
      assert.same({ 1, 2 }, order)
      assert.equal(2, queue:count())
      assert.equal(1, queue:get())
      assert.equal(2, queue:count())
      rest()
      assert.same({ 1, 2, 3 }, order)
      for i = 2, 5 do assert.equal(i, queue:get()) end
      rest()
      assert.same({ 1, 2, 3, 4, 5 }, order)
    end)
  end)

  it("of no room hands each value over", function()
    run(function()
      local queue, log = loop.queue(0), {}
      local putter = loop.spawn(function()
        for i = 1, 3 do
          queue:put(i)
          log[#log + 1] = "put " .. i
        end
      end)
      rest()
      assert.same({}, log)
      assert.equal(0, queue:count())
      assert.equal(1, queue:get())
      rest()
      assert.same({ "put 1" }, log)
      local getter = loop.spawn(queue.get, queue)
      rest()
      assert.equal(2, getter:join())
      getter = loop.spawn(queue.get, queue)
      assert.equal(3, getter:join())
      putter:join()
    end)
  end)

  it("can be used where no task runs, as long as nobody waits there, and in several runs", function()
    local queue = loop.queue(2)
    assert.is_true(queue:put(1))
    assert.is_true(queue:put(2))
    raises("only a task can wait", queue.put, queue, 3)
    raises("only a task can wait", queue.get, queue)
    assert.equal(1, run(function() return queue:get() end))
    assert.equal(2, run(function() return queue:get() end))
    assert.equal(0, queue:count())
  end)

  it("is fed between the steps of another loop", function()
    local queue, got = loop.queue(), {}
    loop.spawn(function()
      local value = queue:get()
      while value do
        got[#got + 1] = value
        value = queue:get()
      end
    end)
    assert.equal(math.huge, loop.step(0))
    queue:put "a"
    assert.equal(math.huge, loop.step(0))
    assert.same({ "a" }, got)
    queue:put "b"
    queue:close()
    while loop.step(0) do end -- luacheck: ignore 542
    assert.same({ "a", "b" }, got)
  end)

  it("takes wrong arguments for mistakes", function()
    local queue = loop.queue()
    raises("bad argument #1 to 'put' (value expected, got nil)", queue.put, queue)
    raises("bad argument #1 to 'put' (queue expected, got table)", queue.put, {}, 1)
    for _, name in ipairs { "get", "close", "count", "values" } do
      raises("bad argument #1 to '" .. name .. "' (queue expected, got nil)", queue[name])
    end
    for _, max in ipairs { -1, 0.5, "1", 0 / 0, math.huge } do
      raises("bad argument #1 to 'queue' (integer from 0 to 2^53 expected, got", loop.queue, max)
    end
  end)
end)

describe("a queue that is closed", function()
  it("gives what was put before, and then nil alone", function()
    run(function()
      local queue = loop.queue()
      queue:put(1)
      queue:put(2)
      assert.is_true(queue:close())
      assert.is_true(queue:close())
      fails("EPIPE", queue:put(3))
      assert.equal(1, queue:get())
      assert.equal(2, queue:get())
      assert.same({ n = 1 }, pack(queue:get()))
      assert.same({ n = 1 }, pack(queue:get()))
    end)
  end)

  it("wakes those that wait to get, and refuses those that wait to put", function()
    run(function()
      local queue = loop.queue()
      local getters = { loop.spawn(queue.get, queue), loop.spawn(queue.get, queue) }
      rest()
      queue:close()
      for _, getter in ipairs(getters) do assert.same({ n = 1 }, pack(getter:join())) end
      queue = loop.queue(1)
      queue:put "kept"
      local putters = { loop.spawn(queue.put, queue, 1), loop.spawn(queue.put, queue, 2) }
      rest()
      queue:close()
      for _, putter in ipairs(putters) do fails("EPIPE", putter:join()) end
      assert.equal("kept", queue:get())
      assert.is_nil((queue:get()))
    end)
  end)

  if _VERSION >= "Lua 5.4" then
    it("is so by the end of its block", function()
      assert(load [[
        local loop = require "lsocket.loop"
        local kept
        do
          local queue <close> = loop.queue()
          kept = queue
        end
        assert(select(3, kept:put(1)) == "EPIPE")
      ]])()
    end)
  end
end)

describe("queue:values", function()
  it("gives every value until the queue is closed and empty", function()
    run(function()
      local queue = loop.queue(1)
      loop.spawn(function()
        for i = 1, 5 do queue:put(i) end
        queue:close()
      end)
      local list = {}
      local following, state = queue:values() -- which Lua 5.1 cannot wait for in a for
      local value = following(state)
      while value ~= nil do
        list[#list + 1] = value
        value = following(state)
      end
      assert.same({ 1, 2, 3, 4, 5 }, list)
      for _ in queue:values() do error "it is empty" end
    end)
  end)

  it("ends where its wait is cut off; get tells that", function()
    run(function()
      local queue = loop.queue()
      queue:put(1)
      loop.deadline(0.002, function()
        local following, state = queue:values()
        assert.equal(1, following(state))
        assert.is_nil((following(state)))
        fails("ETIMEDOUT", queue:get())
      end)
    end)
  end)
end)

describe("a wait for a queue that is cut off", function()
  it("says why, and takes and puts nothing", function()
    run(function()
      local queue = loop.queue(1)
      fails("ETIMEDOUT", loop.deadline(0.002, queue.get, queue))
      local getter = loop.spawn(queue.get, queue)
      rest()
      getter:cancel()
      fails("ECANCELED", getter:join())
      queue:put "kept"
      fails("ETIMEDOUT", loop.deadline(0.002, queue.put, queue, "late"))
      local putter = loop.spawn(queue.put, queue, "late")
      rest()
      putter:cancel()
      fails("ECANCELED", putter:join())
      assert.same({ "kept" }, drain(queue))
    end)
  end)

  it("after the task was woken has its value all the same", function()
    run(function()
      local queue = loop.queue()
      local name
      local getter = loop.spawn(function()
        local value = queue:get()
        name = select(3, loop.sleep(60))
        return value
      end)
      rest()
      queue:put "in hand"
      getter:cancel()
      assert.equal("in hand", getter:join())
      assert.equal("ECANCELED", name)
    end)
  end)

  it("by a deadline that passes then has it, too", function()
    run(function()
      local queue, woken = loop.queue(), nil
      local getter = loop.spawn(function()
        return loop.deadline(0.1, function()
          local value = queue:get()
          woken = loop.now()
          return value
        end)
      end)
      rest()
      local stop = loop.now() + 0.11
      queue:put "in hand"
      while loop.now() < stop do end -- luacheck: ignore 542
      assert.equal("in hand", getter:join())
      assert.is_true(woken >= stop)
    end)
  end)

  it("in the middle of the line leaves the others their order", function()
    run(function()
      local queue, order, tasks = loop.queue(), {}, {}
      for i = 1, 5 do
        tasks[i] = loop.spawn(function()
          local value = queue:get()
          order[#order + 1] = i .. tostring(value)
        end)
      end
      rest()
      tasks[1]:cancel()
      tasks[3]:cancel()
      tasks[5]:cancel()
      rest()
      queue:put "a"
      queue:put "b"
      queue:put "c"
      rest()
      assert.same({ "1nil", "3nil", "5nil", "2a", "4b" }, order)
      assert.same({ "c" }, drain(queue))
    end)
  end)
end)

describe("a run that ends while tasks wait for a queue", function()
  it("leaves nobody in it", function()
    local full, empty = loop.queue(1), loop.queue()
    full:put "kept"
    raises("the end", loop.run, function()
      for _ = 1, 3 do
        loop.spawn(full.put, full, "late")
        loop.spawn(empty.get, empty)
      end
      rest()
      error "the end"
    end)
    run(function()
      assert.same({ "kept" }, drain(full))
      empty:put "a value"
      assert.same({ "a value" }, drain(empty))
    end)
  end)

  it("gives a value back that one of them had in hand", function()
    local queue = loop.queue()
    helper.interrupted(pending, function(interrupt)
      loop.spawn(function()
        queue:get()
        error "it has run"
      end)
      rest()
      queue:put "in hand"
      queue:put "behind"
      interrupt()
    end)
    run(function() assert.same({ "in hand", "behind" }, drain(queue)) end)
  end)

  it("hands that value to nobody who has ended", function()
    local queue = loop.queue()
    helper.interrupted(pending, function(interrupt)
      for _ = 1, 3 do loop.spawn(queue.get, queue) end
      rest()
      queue:put "in hand"
      interrupt()
    end)
    run(function() assert.same({ "in hand" }, drain(queue)) end)
  end)
end)

describe("very many tasks that wait for a queue", function()
  local function seconds(count)
    local begun
    run(function()
      local queue, got, tasks = loop.queue(), 0, {}
      for i = 1, count do
        tasks[i] = loop.spawn(function()
          local value = queue:get()
          if value then got = got + 1 end
        end)
      end
      rest(1)
      begun = loop.now()
      for i = count, 2, -2 do tasks[i]:cancel() end
      for i = 1, count / 2 do queue:put(i) end
      rest()
      assert.equal(count / 2, got)
    end)
    return loop.now() - begun
  end

  it("cost no more each than few", function()
    helper.need.speed(pending)
    local ratio = helper.below(30, function() return seconds(10000) / seconds(1000) end)
    assert.is_true(ratio < 30, "ten times as many take " .. ratio .. " times as long")
  end)
end)

describe("a task that gets and puts without waiting", function()
  it("lets the others have their turn, and heeds its deadline", function()
    run(function()
      local queue, turns, over = loop.queue(), 0, false
      loop.spawn(function()
        while not over do
          turns = turns + 1
          loop.sleep(0)
        end
      end)
      local value, _, name
      loop.deadline(0.02, function()
        repeat
          queue:put(1)
          value, _, name = queue:get()
        until value == nil
      end)
      over = true
      assert.equal("ETIMEDOUT", name)
      assert.is_true(turns > 3)
      assert.equal(1, queue:count())
    end)
  end)
end)
