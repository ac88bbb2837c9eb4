-- Takes records from a buffer while finalizers use the same buffer, with a collector that never rests, so that they run
-- within every call that makes something: intruder.lua METHOD SIZE ROUNDS
-- METHOD: line or upto, with records of SIZE bytes and a number; end: finalizers empty the buffer or finalize it;
-- other: they take records from another buffer.
-- Exit status 1 where a record is lost, comes twice, late or damaged.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local method, size, rounds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local buffer = lsocket.buffer()
local intrusions = 0

-- Makes garbage that calls a function when it is collected.
local function intrude(call)
  local function counted()
    intrusions = intrusions + 1
    call()
  end
  if newproxy then -- luacheck: globals newproxy
    getmetatable(newproxy(true)).__gc = counted
  else
    setmetatable({}, { __gc = counted })
  end
end

local records = {}
for i = 1, 2 * rounds do records[i] = i .. (" "):rep(size) .. "\n" end

helper.tune("pause", 0)
helper.tune("stepmul", 1000)
collectgarbage() -- or the old pause would come first

local added, seen, count = 0, {}, 0

-- Makes nothing, so that the numbers are in the buffer in their order.
local function add()
  added = added + 1
  assert(buffer:append(records[added]))
end

-- last: the one that the same reader saw before
local function note(record, last)
  local number = tonumber(record:match "^%d+")
  assert(record .. "\n" == records[number], "damaged")
  assert(not seen[number], "came twice")
  assert(number > last, "came late")
  seen[number] = true
  count = count + 1
  return number
end

local function exchange()
  local take = {
    line = function() return buffer:line() end,
    upto = function() return buffer:upto "\n" end,
  }
  local last = 0
  for i = 1, rounds do
    add()
    if i % 3 == 0 then
      intrude(function()
        local record = buffer:line()
        if record then note(record, 0) end
        add()
        add()
      end)
    end
    local record = take[method]()
    if record then last = note(record, last) end
  end
  collectgarbage("stop")
  while true do
    local record = buffer:line()
    if not record then break end
    note(record, 0)
  end
  assert(count == added, "lost")
end

local function destroy()
  local ways = { "clear", "some", "__gc" }
  local long, short = ("x"):rep(size), ("y"):rep(100)
  for i = 1, rounds do
    local mine, way = lsocket.buffer(), ways[i % 3 + 1]
    mine:append(long .. "\n" .. short .. "\n")
    intrude(function() (mine[way] or getmetatable(mine)[way])(mine) end)
    for _, call in ipairs { "line", "upto", "some" } do
      local got = mine[call](mine, call == "upto" and "\n" or nil)
      assert(call == "some" or not got or got == long or got == short, "damaged")
    end
  end
end

-- Each buffer gives its own lines, whatever is taken from the other one in mid-call.
local function alternate()
  local mine, other = lsocket.buffer(), lsocket.buffer()
  local tail = ("x"):rep(size)
  for i = 1, rounds do
    mine:append(i .. tail .. "\n")
    other:append(-i .. tail .. "\n")
  end
  local expected = -1
  for i = 1, rounds do
    if i % 3 == 0 then
      intrude(function()
        assert(other:line() == expected .. tail, "damaged")
        expected = expected - 1
      end)
    end
    assert(mine:line() == i .. tail, "damaged")
  end
end

local ways = { ["end"] = destroy, other = alternate }
local way = ways[method] or exchange
way()
print(intrusions .. " intrusions, " .. added .. " records")
assert(intrusions > 0)
