-- Turns: one task at a time writes to a stream, or waits for a server's clients; the others stand in a queue, and the
-- turn is given on however the one that has it ends.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local fails, need, raises = helper.fails, helper.need, helper.raises
local run = inloop.run
local BIG = ("x"):rep(1000000)

local function streams()
  local near, far = lsocket.pair()
  return stream.new(near), stream.new(far)
end

local function swallow(far)
  local all = {}
  local piece = far:readsome()
  while piece do
    all[#all + 1] = piece
    piece = far:readsome()
  end
  return table.concat(all)
end

-- A stream that one task writes to, and waits; fn(near, far, writer) does what must not disturb those who write after.
local function beside_a_writer(fn)
  local before = loop.onerror
  loop.onerror = function() end
  local ok, problem = pcall(run, function()
    local near, far = streams()
    local writer = loop.spawn(near.write, near, BIG)
    loop.sleep(0)
    local culprit = loop.spawn(fn, near, far, writer)
    loop.sleep(0)
    local last = loop.spawn(near.write, near, "last")
    loop.sleep(0)
    local reader = loop.spawn(swallow, far)
    writer:join()
    loop.pcall(culprit.join, culprit)
    assert.is_true(last:join())
    assert.is_true(near:write ".")
    near:close()
    assert.equal("last.", reader:join():sub(-5))
    far:close()
  end)
  loop.onerror = before
  assert(ok, problem)
end

local function in_gsub(fn) string.gsub("x", "x", function() fn() end) end

describe("the turn to write is given on when the one that waited for it", function()
  local culprits = {
    ["has a wrong argument"] = function(near) near:write(true) end,
    ["has none"] = function(near) near:write() end,
    ["has a wrong second one"] = function(near) near:write("x", nil) end,
    ["has a wrong element"] = function(near) near:write { "a", {} } end,
    ["catches what it raised"] = function(near) loop.pcall(near.write, near, nil) end,
    ["is a coroutine of the program's own"] = function(near) coroutine.wrap(function() near:write "x" end)() end,
    ["writes where it cannot yield"] = function(near) in_gsub(function() near:write "x" end) end,
    ["does so within loop.pcall"] = function(near) in_gsub(function() loop.pcall(near.write, near, "x") end) end,
    ["does so within a deadline"] = function(near)
      in_gsub(function() loop.deadline(60, near.write, near, "x") end)
    end,
    ["stays, having caught that"] = function(near)
      loop.pcall(in_gsub, function() near:write "x" end)
      loop.wait(near, "r", 0.01)
    end,
    ["has a deadline"] = function(near) loop.deadline(0, near.write, near, "x") end,
    ["has passed a deadline"] = function(near) loop.deadline(0.001, near.write, near, "x") end,
    ["is cancelled"] = function(near)
      local task = loop.spawn(near.write, near, "x")
      loop.sleep(0)
      task:cancel()
      fails("ECANCELED", task:join())
    end,
    ["is cancelled as it gets it"] = function(near, _, writer)
      local task = loop.spawn(near.write, near, "x")
      loop.sleep(0)
      writer:cancel()
      task:cancel()
      task:join()
    end,
    ["has changed its array meanwhile"] = function(near)
      local pieces = { BIG, "b" }
      loop.spawn(near.write, near, pieces)
      loop.sleep(0)
      pieces[1], pieces[2] = {}, false
    end,
    ["waits for the stream itself"] = function(near) loop.wait(near, "w") end,
    ["is a finalizer"] = function(near)
      helper.when_collected(function() pcall(near.write, near, "x") end)
      collectgarbage()
      collectgarbage()
    end,
    ["is a finalizer, within loop.pcall"] = function(near)
      helper.when_collected(function() loop.pcall(near.write, near, "x") end)
      collectgarbage()
      collectgarbage()
    end,
    ["fails after a write of its own"] = function(near)
      near:write "x"
      error "fails"
    end,
  }
  for name, culprit in pairs(culprits) do
    it(name, function() beside_a_writer(culprit) end)
  end
end)

describe("the turn to write is given on when the one that has it", function()
  -- fn(near, writer): what becomes of a task that has waited for room; a second one must get its turn.
  local function with_a_writer(fn, write)
    run(function()
      local near, far = streams()
      local writer = loop.spawn(write or near.write, near, BIG)
      loop.sleep(0)
      local last = loop.spawn(near.write, near, "last")
      loop.sleep(0)
      fn(near, writer)
      loop.spawn(swallow, far)
      assert.is_true(last:join())
      assert.is_true(near:write(BIG))
      near:close()
    end)
  end

  it("is cancelled, and says what was taken", function()
    with_a_writer(function(_, writer)
      writer:cancel()
      local ok, _, name, count = writer:join()
      assert.is_nil(ok)
      assert.equal("ECANCELED", name)
      assert.is_true(count > 0 and count < #BIG)
    end)
  end)

  it("has a deadline", function()
    with_a_writer(function(_, writer)
      local _, _, name = writer:join()
      assert.equal("ETIMEDOUT", name)
    end, function(near) return loop.deadline(0.001, near.write, near, BIG) end)
  end)

  it("has changed its array", function()
    local pieces, changed = { BIG, "b" }, nil
    with_a_writer(function(near, writer)
      pieces[1], pieces[2] = {}, false
      loop.wait(near, "r", 0.001)
      changed = writer
    end, function(near) return near:write(pieces) end)
    local ok, _, name, count = changed:join()
    assert.is_nil(ok)
    assert.equal("EINVAL", name)
    assert.is_true(count > 0 and count < #BIG)
  end)

  it("wrote where it cannot yield, and goes on", function()
    for _, around in ipairs {
      function(fn) return fn() end,
      function(fn) assert(loop.pcall(fn)) end,
      function(fn) loop.deadline(60, fn) end,
    } do
      with_a_writer(function(_, writer) assert.equal("done", writer:join()) end, function(near)
        helper.fill(near:getsocket())
        local ok = loop.pcall(in_gsub, function() around(function() near:write(BIG) end) end)
        assert.is_false(ok)
        loop.sleep(0)
        loop.sleep(0)
        return "done"
      end)
    end
  end)

  it("is interrupted by a debug hook, wherever that is", function()
    if rawget(_G, "jit") then pending "LuaJIT has one hook for all coroutines" end
    run(function()
      for steps = 1, 400 do
        local near, far = streams()
        local reader = loop.spawn(swallow, far)
        loop.pcall(function()
          local writing = true
          debug.sethook(function()
            debug.sethook()
            if writing then error "interrupted" end
          end, "", steps)
          near:write(BIG)
          writing = false
          debug.sethook()
        end)
        assert.is_true(near:write "x")
        local other = loop.spawn(near.write, near, BIG)
        assert.is_true(other:join())
        near:close()
        reader:join()
      end
    end)
  end)

  it("was abandoned with its run: streams outlive it", function()
    local near, far = streams()
    for _ = 1, 2 do
      raises("enough", loop.run, function()
        for _ = 1, 3 do
          loop.spawn(function() while true do near:write(BIG) end end)
        end
        loop.sleep(0)
        error "enough"
      end)
    end
    run(function()
      loop.spawn(swallow, far)
      assert.is_true(near:write "x")
      near:close()
    end)
  end)

  it("closes the stream: those that wait are told", function()
    run(function()
      local near, far = streams()
      local writers = {}
      for i = 1, 3 do writers[i] = loop.spawn(near.write, near, BIG) end
      loop.sleep(0)
      near:close()
      for i = 1, 3 do
        local ok, _, name = writers[i]:join()
        assert.is_nil(ok)
        assert.equal("ECANCELED", name)
      end
      local ok, _, name = near:write "x"
      assert.is_nil(ok)
      assert.equal("EBADF", name)
      far:close()
    end)
  end)

  it("writes to a socket that is closed under it", function()
    run(function()
      local near, far = streams()
      local writers = {}
      for i = 1, 3 do writers[i] = loop.spawn(near.write, near, BIG) end
      loop.sleep(0)
      near:getsocket():close()
      for i = 1, 3 do
        local ok, _, name = writers[i]:join()
        assert.is_nil(ok)
        assert.truthy(name == "ECANCELED" or name == "EBADF", name)
      end
      far:close()
    end)
  end)
end)

-- The CPU time that each of so many writers costs, which all wait for one stream.
local function time_of_writers(count)
  return run(function()
    local near, far = streams()
    local begun = os.clock()
    local first = loop.spawn(near.write, near, BIG)
    loop.sleep(0)
    local writers = {}
    for i = 1, count do writers[i] = loop.spawn(near.write, near, "x") end
    loop.sleep(0)
    loop.spawn(swallow, far)
    assert(first:join())
    for i = 1, count do assert(writers[i]:join()) end
    near:close()
    return (os.clock() - begun) / count
  end)
end

describe("the queue of writers", function()
  it("costs each the same however long it is", function()
    need.speed(pending)
    local few = time_of_writers(1000)
    local function factor() return time_of_writers(32000) / few end
    assert.is_true(helper.below(4, factor) < 4)
  end)

  it("can be left from its middle, and keeps its order", function()
    run(function()
      local near, far = streams()
      loop.spawn(near.write, near, BIG)
      loop.sleep(0)
      local writers = {}
      for i = 1, 9 do writers[i] = loop.spawn(near.write, near, tostring(i)) end
      loop.sleep(0)
      for _, i in ipairs { 1, 5, 6, 9 } do writers[i]:cancel() end
      local reader = loop.spawn(swallow, far)
      for i = 1, 9 do
        local ok, _, name = writers[i]:join()
        assert.equal(ok == true, name == nil)
      end
      near:close()
      assert.equal("x23478", reader:join():sub(-6))
    end)
  end)
end)

describe("several tasks that accept from one server", function()
  it("take turns", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      local tasks, order = {}, {}
      for i = 1, 4 do
        tasks[i] = loop.spawn(function()
          local client = assert(server:accept())
          order[#order + 1] = i
          client:close()
        end)
      end
      loop.sleep(0)
      for _ = 1, 4 do assert(loop.connect("127.0.0.1", port)):close() end
      for i = 1, 4 do tasks[i]:join() end
      assert.same({ 1, 2, 3, 4 }, order)
      server:close()
    end)
  end)

  it("have it though one is cancelled, has a deadline or cannot yield", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      local first = loop.spawn(server.accept, server)
      loop.sleep(0)
      local second = loop.spawn(server.accept, server)
      local third = loop.spawn(function() return loop.deadline(0.001, server.accept, server) end)
      local fourth = loop.spawn(function() return loop.pcall(in_gsub, function() server:accept() end) end)
      local last = loop.spawn(server.accept, server)
      loop.sleep(0)
      first:cancel()
      second:cancel()
      fails("ECANCELED", first:join())
      fails("ECANCELED", second:join())
      fails("ETIMEDOUT", third:join())
      assert.is_false(fourth:join())
      local client = assert(loop.connect("127.0.0.1", port))
      assert(last:join())
      client:close()
      server:close()
    end)
  end)

  it("are all told that it is closed", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local tasks = {}
      for i = 1, 4 do tasks[i] = loop.spawn(server.accept, server) end
      loop.sleep(0)
      server:close()
      for i = 1, 4 do
        local ok, _, name = tasks[i]:join()
        assert.is_nil(ok)
        assert.truthy(name == "ECANCELED" or name == "EBADF", name)
      end
      fails("EBADF", server:accept())
    end)
  end)

  it("and by clients() each get some", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port, served = server:info("socket").port, 0
      for _ = 1, 3 do
        loop.spawn(function()
          local following, state = server:clients()
          local client = following(state)
          while client do
            served = served + 1
            client:close()
            if served == 6 then server:close() end
            client = following(state)
          end
        end)
      end
      loop.sleep(0)
      for _ = 1, 6 do
        local client = assert(loop.connect("127.0.0.1", port))
        client:read()
        client:close()
      end
      assert.equal(6, served)
    end)
  end)
end)
