-- Several tasks that read from one stream, one after another: the bytes come in the order in which they were sent, and
-- nobody hears an end that there is not, wherever one of them has to let the others run.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local inloop = require "spec.inloop"

local run = inloop.run

local numbers = {}
for i = 1, 30000 do numbers[i] = ("%06d\n"):format(i) end
numbers = table.concat(numbers)

local ways = {
  ["what there is"] = function(s) return s:readsome() end,
  ["some bytes"] = function(s) return s:readsome(7) end,
  ["a count"] = function(s) return s:read(9) end,
  ["a line"] = function(s) return s:read "L" end,
  ["a record"] = function(s)
    local record, cut = s:readuntil "\n"
    return record and cut ~= true and record .. "\n" or record
  end,
}

-- Reads until the end, unless another task waits to read. Adds what has come to got.
local function reader(s, read, got)
  return function()
    local data = true
    while data do
      local mine, problem
      mine, data, problem = loop.pcall(read, s)
      if mine then
        if problem then error(problem) end
        got[#got + 1] = data
      else
        data = loop.sleep(0)
      end
    end
  end
end

local function read_by(...)
  local near, far = assert(lsocket.pair())
  local got, tasks = {}, {}
  local from, to = stream.new(near), stream.new(far)
  loop.spawn(function() assert(to:write(numbers)) to:close() end)
  for i, way in ipairs { ... } do tasks[i] = loop.spawn(reader(from, ways[way], got)) end
  for _, task in ipairs(tasks) do task:join() end
  from:close()
  local all = table.concat(got)
  assert.equal(#numbers, #all)
  assert.is_true(numbers == all)
end

describe("two streams", function()
  -- A hook that raises after so many instructions of a read: what another stream reads then is its own.
  local function read_after_error(instructions)
    local first, second = {}, {}
    for _, ends in ipairs { first, second } do
      local near, far = assert(lsocket.pair())
      ends.near, ends.far = stream.new(near), stream.new(far)
    end
    first.far:write "one\n"
    assert.equal("one", first.near:read())
    loop.pcall(function()
      debug.sethook(function() debug.sethook() error "enough" end, "", instructions)
      loop.deadline(0.001, first.near.read, first.near)
      debug.sethook()
    end)
    debug.sethook()
    second.far:write "secret 1\nsecret 2\n"
    assert.equal("secret 1", second.near:read())
    first.far:write "two\n"
    assert.equal("two", first.near:read())
    assert.equal("secret 2", second.near:read())
    for _, ends in ipairs { first, second } do
      ends.near:close()
      ends.far:close()
    end
  end

  it("never have each other's bytes, wherever a hook ends a read", function()
    if jit then pending "LuaJIT calls no hook in code that it has compiled" end
    for instructions = 1, 300 do run(function() read_after_error(instructions) end) end
  end)
end)

describe("tasks that read from one stream after each other", function()
  for way in pairs(ways) do
    for other in pairs(ways) do
      it(way .. ", and " .. other, function() run(function() read_by(way, other) end) end)
    end
    it(way .. ", all of them", function() run(function() read_by(way, way, way, "a line", "what there is") end) end)
  end
end)
