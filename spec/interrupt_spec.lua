-- The loop that an error from outside cuts off between any two instructions of its own, as Ctrl-C does where a task has
-- computed meanwhile.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local turns = require "lsocket.loop.turns"

local INSTRUCTIONS = 600 -- of the loop, which is some turns
local TURNS = 60         -- more than those
local onerror = loop.onerror

-- Calls fn(interrupt) in a coroutine; after interrupt(steps) an error cuts that off, or the wait that a task begins.
local function cut_off(fn)
  if rawget(_G, "jit") then pending "LuaJIT interrupts the task that runs" end
  local thread
  local function interrupt(steps)
    debug.sethook(thread, function()
      debug.sethook(thread)
      error("interrupted!", 0)
    end, "", steps)
  end
  thread = coroutine.create(fn)
  coroutine.resume(thread, interrupt)
  debug.sethook(thread)
end

local function rest()
  for _ = 1, TURNS do loop.sleep(0) end
end

local function talk(near)
  while near:write "a line\n" and near:read() do loop.deadline(60, loop.sleep, 0) end
end

describe("a loop that is interrupted anywhere", function()
  before_each(function() loop.onerror = function() end end)
  after_each(function() loop.onerror = onerror end)

  it("can run again", function()
    for steps = 1, INSTRUCTIONS do
      local near, far = assert(lsocket.pair())
      near, far = stream.new(near), stream.new(far)
      cut_off(function(interrupt)
        loop.run(function()
          loop.spawn(talk, near)
          loop.spawn(talk, far)
          interrupt(steps)
          rest()
          near:close()
        end)
      end)
      near:close()
      far:close()
      assert.equal(steps, loop.run(function() return loop.sleep(0) and steps end))
    end
  end)

  it("steps on without the task that was cut off", function()
    for steps = 1, INSTRUCTIONS do
      for _ = 1, 3 do
        local task = loop.spawn(rest)
        loop.spawn(function() task:join() end)
      end
      cut_off(function(interrupt)
        interrupt(steps)
        for _ = 1, TURNS do loop.step(0) end
      end)
      local left = 2 * TURNS
      while left > 0 and loop.step(0) do left = left - 1 end
      assert.is_true(left > 0)
    end
  end)

  -- Steps until no task is left, and looks whether everything is as it must be. A step waits until a timer is due.
  local function step_on(steps)
    local left = 4 * TURNS
    while left > 0 and loop.step(0.01) do
      turns.invariant()
      left = left - 1
    end
    assert.is_true(left > 0, steps .. " instructions")
  end

  it("steps on with what waits for time", function()
    for steps = 1, INSTRUCTIONS do
      for i = 1, 9 do loop.spawn(loop.sleep, i * 7 % 5 * 1e-6) end
      cut_off(function(interrupt)
        interrupt(steps)
        for _ = 1, TURNS do loop.step(0) end
      end)
      step_on(steps)
    end
  end)

  it("steps on with what waits for streams", function()
    for steps = 1, INSTRUCTIONS do
      local near, far = assert(lsocket.pair())
      near, far = stream.new(near), stream.new(far)
      loop.spawn(talk, near)
      loop.spawn(talk, far)
      loop.spawn(function() return loop.wait(near:getfd(), "w") and loop.wait(near:getfd(), "w") end)
      cut_off(function(interrupt)
        interrupt(steps)
        for _ = 1, 9 do loop.step(0) end
      end)
      loop.step(0)
      turns.invariant()
      near:close()
      far:close()
      step_on(steps)
    end
  end)

  it("steps on with what waits for an event", function()
    for steps = 1, INSTRUCTIONS do
      local event = loop.event()
      for _ = 1, 3 do loop.spawn(event.wait, event) end
      cut_off(function(interrupt)
        interrupt(steps)
        for _ = 1, 9 do loop.step(0) end
      end)
      loop.spawn(event.wait, event)
      loop.step(0)
      turns.invariant()
      event:set()
      step_on(steps)
    end
  end)
end)
