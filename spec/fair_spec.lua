-- Fairness: a task whose reads and writes need not wait keeps the others from nothing, and heeds its deadline.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local need = helper.need
local run = inloop.run

-- A stream that much data stands ready in, in its socket; and its other end.
local function flooded(data)
  local near, far = lsocket.pair()
  far:setopt("sndbuf", 4194304)
  local first = 1
  repeat
    local sent = far:send(data, first)
    first = first + (sent or 0)
  until not sent or first > #data
  return stream.new(near, { max = 2 ^ 30 }), far
end

-- How a task may read, or write, without waiting, for ever: { data, function }.
local ways = {
  ["short lines"] = { ("\n"):rep(65536), function(near) return near:read() end },
  ["lines()"] = { ("\n"):rep(65536), function(near)
    local following, state = near:lines()
    return following(state)
  end },
  ["lines with a format"] = { ("\n"):rep(65536), function(near) return near:lines "L" () end },
  ["a byte at a time"] = { ("x"):rep(65536), function(near) return near:read(1) end },
  ["no byte at a time"] = { ("x"):rep(65536), function(near) return near:read(0) end },
  ["several formats"] = { ("\n"):rep(65536), function(near) return near:read(1, "l", 0) end },
  ["short records"] = { (","):rep(65536), function(near) return near:readuntil "," end },
  ["some bytes"] = { ("x"):rep(65536), function(near) return near:readsome(1) end },
  ["big blocks"] = { ("x"):rep(65536), function(near) return near:read(65536) end },
  ["what there is"] = { ("x"):rep(65536), function(near) return near:readsome() end },
  ["loop.wait for a stream that is filled"] = { "xx", function(near)
    if not near.begun then
      near:read(1)
      near.begun = true
    end
    return loop.wait(near, "r")
  end },
}

-- Has a task go on in such a way, until fn() has ended.
local function beside(way, fn)
  run(function()
    local data, read = way[1], way[2]
    local near, far = flooded(data)
    local over
    local source = loop.spawn(function()
      while far:getfd() >= 0 do
        local sent = far:send(data)
        if sent == nil then return end
        if not sent then loop.wait(far, "w", 0.01) else loop.sleep(0) end
      end
    end)
    local reader = loop.spawn(function() while not over and read(near) do end end)
    loop.sleep(0)
    local ok, problem = loop.pcall(fn, near, far, read)
    over = true
    near:close()
    far:close()
    source:cancel()
    reader:join()
    assert(ok, problem)
  end)
end

local function worst_turn()
  local worst = 0
  for _ = 1, 30 do
    local begun = os.clock()
    loop.sleep(0)
    worst = math.max(worst, os.clock() - begun)
  end
  return worst
end

describe("a task that reads without waiting", function()
  for name, way in pairs(ways) do
    it("(" .. name .. ") lets the others have their turn within milliseconds", function()
      need.speed(pending)
      beside(way, function()
        local worst = helper.below(0.005, worst_turn)
        assert.is_true(worst < 0.005, worst)
      end)
    end)

    it("(" .. name .. ") heeds its deadline, and a cancel", function()
      run(function()
        local near, far = flooded(way[1])
        local source = loop.spawn(function()
          while far:getfd() >= 0 do
            if far:send(way[1]) == nil then return end
            loop.sleep(0)
          end
        end)
        local begun = loop.now()
        local ok, _, symbol = loop.deadline(0.01, function()
          while true do
            local data, message, symbol = way[2](near)
            if data == nil then return nil, message, symbol end
          end
        end)
        assert.is_nil(ok)
        assert.equal("ETIMEDOUT", symbol)
        assert.is_true(loop.now() - begun < helper.patience / 2)
        local reader = loop.spawn(function()
          local data, message, why
          repeat data, message, why = way[2](near) until data == nil
          return data, message, why
        end)
        loop.sleep(0)
        reader:cancel()
        ok, _, symbol = reader:join()
        assert.is_nil(ok)
        assert.equal("ECANCELED", symbol)
        near:close()
        far:close()
        source:cancel()
      end)
    end)
  end
end)

describe("a task that writes without waiting", function()
  it("lets the others have their turn, and heeds its deadline", function()
    need.speed(pending)
    run(function()
      local near, far = lsocket.pair()
      local writer, reader = stream.new(near), stream.new(far)
      loop.spawn(function() while reader:readsome() do end end)
      local over
      local task = loop.spawn(function()
        while not over do writer:write "x" end
      end)
      loop.sleep(0)
      local worst = helper.below(0.005, worst_turn)
      over = true
      task:join()
      assert.is_true(worst < 0.005, worst)
      local begun = loop.now()
      local ok, _, symbol = loop.deadline(0.01, function()
        while true do
          local written, message, why = writer:write "x"
          if not written then return nil, message, why end
        end
      end)
      assert.is_nil(ok)
      assert.equal("ETIMEDOUT", symbol)
      assert.is_true(loop.now() - begun < helper.patience / 2)
      writer:close()
    end)
  end)
end)

describe("eight tasks that read floods", function()
  it("keep a timer waiting for some milliseconds at the most", function()
    need.speed(pending)
    local late = helper.below(0.005, function()
      local output = helper.run(helper.command "floods")
      return assert(tonumber(output), output)
    end)
    assert.is_true(late < 0.005, late)
  end)
end)

describe("a task that sleeps", function()
  it("does not wait for everybody who has something to read", function()
    run(function()
      local far, readers, done = {}, {}, 0
      for i = 1, 300 do
        local near
        near, far[i] = lsocket.pair()
        local ours = stream.new(near)
        readers[i] = loop.spawn(function()
          assert(ours:read(1))
          local till = loop.now() + 0.001
          repeat until loop.now() >= till
          done = done + 1
          ours:close()
        end)
      end
      inloop.rest()
      for i = 1, 300 do far[i]:send "x" end
      loop.sleep(0.001)
      assert.is_true(done < 150, done)
      for i = 1, 300 do
        readers[i]:join()
        far[i]:close()
      end
    end)
  end)
end)
