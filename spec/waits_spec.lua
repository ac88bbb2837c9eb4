-- A wait that raises, as its coroutine cannot yield there, has changed nothing. So it is with every kind of wait, in
-- every place, whatever is around it: later waits last as long as they are to, and no stream, server or task is stuck.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"
local waits = require "spec.waits"

local fails, raises = helper.fails, helper.raises
local run = inloop.run

local function sorted(list)
  local names = {}
  for name in pairs(list) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Does each kind of wait there, one after the other.
local function try_all(place, around)
  local world = waits.world()
  for _, name in ipairs(sorted(waits.calls)) do
    local ok, problem = loop.pcall(place, function()
      return around(function() waits.calls[name](world) end)
    end)
    local text = tostring(problem)
    if ok or not (text:find "yield" or text:find "a coroutine inside of a task") then
      error(name .. " gave " .. text, 0)
    end
    ok, problem = loop.pcall(waits.check, world)
    if not ok then error("after " .. name .. ": " .. tostring(problem), 0) end
  end
  waits.finish(world)
end

for _, name in ipairs(sorted(waits.places)) do
  describe("a wait in " .. name .. " raises, and leaves nothing behind:", function()
    for _, around in ipairs(sorted(waits.around)) do
      it("within " .. around, function()
        run(function() try_all(waits.places[name], waits.around[around]) end)
      end)
    end
  end)
end

describe("a wait that raises and is not caught", function()
  it("ends its task alone", function()
    for _, name in ipairs(sorted(waits.places)) do
      local told, before = nil, loop.onerror
      loop.onerror = function(_, trace) told = trace end
      local ok, problem = pcall(run, function()
        loop.spawn(waits.places[name], function() loop.sleep(0) end)
        loop.spawn(waits.places[name], function() loop.sleep(0.001) end)
        assert.is_true(loop.sleep(0.005))
      end)
      loop.onerror = before
      assert(ok, problem)
      assert(told, name .. ": nobody was told")
    end
  end)
end)

describe("loop.wait beside another task that waits for the same", function()
  local function beside(events, other_events, seconds)
    run(function()
      local near, far = lsocket.pair()
      helper.fill(near)
      local other = loop.spawn(loop.wait, near, other_events)
      loop.sleep(0)
      raises("another task is", loop.wait, near, events, seconds)
      local begun = loop.now()
      assert.is_true(loop.sleep(0.01))
      assert.is_true(loop.now() - begun >= 0.01)
      local silent, voice = lsocket.pair()
      assert.is_false(loop.wait(silent, "r", 0.01))
      fails("ETIMEDOUT", loop.deadline(0.01, loop.wait, silent, "r"))
      far:send "x"
      while far:recv() do end
      assert(other:join())
      for _, sock in ipairs { near, far, silent, voice } do sock:close() end
    end)
  end

  it("raises, and leaves no timer and no watch", function()
    for _, seconds in ipairs { false, 0.005, 0, 60 } do
      beside("r", "r", seconds or nil)
      beside("w", "w", seconds or nil)
      beside("rw", "r", seconds or nil)
      beside("rw", "w", seconds or nil)
      beside("r", "rw", seconds or nil)
    end
  end)
end)

describe("an object whose getfd raises", function()
  it("raises it for the one that waits, and leaves no timer", function()
    run(function()
      for _, seconds in ipairs { false, 0.005 } do
        raises("no such thing", loop.wait, { getfd = function() error "no such thing" end }, "r", seconds or nil)
        local begun = loop.now()
        assert.is_true(loop.sleep(0.01))
        assert.is_true(loop.now() - begun >= 0.01)
      end
    end)
  end)

  it("that gives what is no descriptor, is closed", function()
    run(function()
      for _, value in ipairs { -1, "text", 1.5, {}, 2 ^ 40, false } do
        fails("EBADF", loop.wait({ getfd = function() return value end }, "r", 0.005))
      end
      fails("EBADF", loop.wait({ getfd = function() return nil end }, "r", 0.005))
      assert.is_true(loop.sleep(0.001))
    end)
  end)

  it("may wait of itself", function()
    run(function()
      local near, far = lsocket.pair()
      local object = { getfd = function()
        loop.sleep(0.001)
        return near:getfd()
      end }
      assert.equal("w", loop.wait(object, "w"))
      far:close()
    end)
  end)
end)

describe("a stream, in the turn in which", function()
  local function with_reader(fn)
    run(function()
      local near, far = lsocket.pair()
      local reader, writer = stream.new(near), stream.new(far)
      local task = loop.spawn(reader.read, reader)
      loop.sleep(0)
      fn(reader, writer, task)
      far:close()
    end)
  end

  it("its reader was cancelled, can be read by another task", function()
    for _, name in ipairs { "read", "readuntil", "readsome" } do
      with_reader(function(reader, writer, task)
        assert.is_true(task:cancel())
        writer:write "x\n"
        assert.equal("x", (reader[name](reader, name == "readuntil" and "\n" or nil):gsub("\n", "")))
        fails("ECANCELED", task:join())
      end)
    end
  end)

  it("its reader was cancelled, can be waited for", function()
    with_reader(function(reader, writer, task)
      task:cancel()
      writer:write "x\n"
      assert.equal("r", loop.wait(reader, "r"))
      assert.equal("x", reader:read())
    end)
  end)

  it("it was closed, or its socket was, fails", function()
    for _, close in ipairs {
      function(self) self:close() end,
      function(self) self:getsocket():close() end,
    } do
      for _, name in ipairs { "read", "readuntil", "readsome" } do
        with_reader(function(reader, _, task)
          close(reader)
          for _ = 1, 2 do
            fails("EBADF", reader[name](reader, name == "readuntil" and "\n" or nil))
            fails("EBADF", loop.wait(reader, "r"))
            fails("ECANCELED", task:join())
          end
        end)
      end
    end
  end)

  it("a task that waited for its socket was cancelled, can be read", function()
    run(function()
      local near, far = lsocket.pair()
      local reader = stream.new(near)
      local task = loop.spawn(loop.wait, near, "r")
      loop.sleep(0)
      task:cancel()
      far:send "x\n"
      assert.equal("x", reader:read())
    end)
  end)
end)
