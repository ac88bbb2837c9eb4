-- Races, which are groups: whose results they give, and that all others have ended then.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run, rest, failures = inloop.run, inloop.rest, inloop.failures
local noting, stubborn = inloop.noting, inloop.stubborn

describe("loop.race", function()
  it("gives the results of the first that gives a true value; the others have ended", function()
    run(function()
      local loser, names = noting()
      local results = pack(loop.race(function() return false end, function()
        loop.sleep(0.005)
        return "first", nil, 3
      end, loser, function() loop.sleep(0.002) end))
      assert.same({ n = 3, "first", nil, 3 }, results)
      assert.same({ "ECANCELED", "ECANCELED" }, names)
    end)
  end)

  it("without a winner gives what the last one gives", function()
    run(function()
      fails("EPIPE", loop.race(function()
        loop.sleep(0.005)
        return nil, "Broken pipe", "EPIPE"
      end, function() return nil, "Connection refused", "ECONNREFUSED" end))
      assert.same({ n = 1, false }, pack(loop.race(function() return false end)))
      assert.same({ n = 0 }, pack(loop.race(function() end)))
    end)
  end)

  it("raises the first error", function()
    local told = failures(function()
      run(function()
        local loser, names = noting()
        local ok, problem = loop.pcall(loop.race, loser, function() error("a mistake", 0) end)
        assert.same({ false, "a mistake" }, { ok, problem })
        assert.is_true(names[1] == nil or names[1] == "ECANCELED")
      end)
    end)
    assert.same({}, told)
  end)

  it("does not hear of the errors of those that have lost", function()
    local told = failures(function()
      run(function()
        assert.equal(1, loop.race(function()
          loop.sleep(0)
          return 1
        end, function() assert(loop.sleep(60)) end))
      end)
    end)
    assert.same({}, told)
  end)

  it("is not held up for long by one that does not end", function()
    run(function()
      local begun = loop.now()
      assert.equal("won", loop.race(stubborn, function() return "won" end))
      assert.is_true(loop.now() - begun < helper.patience / 2)
    end)
  end)

  it("is cut off by a deadline and a cancel", function()
    run(function()
      fails("ETIMEDOUT", loop.deadline(0.002, loop.race, function() assert(false == nil or loop.sleep(60)) end))
      local task = loop.spawn(loop.race, function() loop.sleep(60) end, function() loop.sleep(60) end)
      rest()
      task:cancel()
      fails("ECANCELED", task:join())
    end)
  end)

  it("inside of a race ends with it", function()
    run(function()
      local loser, names = noting()
      assert.equal("outer", loop.race(function() return loop.race(loser, loser) end, function()
        loop.sleep(0.002)
        return "outer"
      end))
      assert.equal(4, #names)
    end)
  end)

  it("takes wrong arguments for mistakes", function()
    run(function()
      raises("bad argument #1 to 'race' (function expected, got nil)", loop.race)
      raises("bad argument #2 to 'race' (function expected, got nil)", loop.race, print, nil)
      raises("bad argument #3 to 'race' (function expected, got number)", loop.race, print, print, 1)
    end)
    raises("only a task can wait", loop.race, print)
  end)
end)
