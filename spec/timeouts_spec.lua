-- Times that are no plain number of seconds: negative, none, infinite, not a number; the same wherever a time is given.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local inloop = require "spec.inloop"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local run = inloop.run

local nan = 0 / 0
local forever = { ["-1"] = -1, ["-0.001"] = -0.001, ["-inf"] = -math.huge, inf = math.huge, ["1e300"] = 1e300 }

-- A socket to which something comes a little later, sent by another process, as this one may stand still meanwhile.
local function later()
  local listener, port = helper.bind("127.0.0.1", 0)
  local connect = helper.command("connect", port)
  local child = io.popen(helper.windows and connect or "sleep 0.05; " .. connect .. " > /dev/null 2>&1; exit 0")
  return listener, child
end

for name, timeout in pairs(forever) do
  describe("a timeout of " .. name, function()
    it("is none for select", function()
      local listener, child = later()
      assert.same({ listener }, (lsocket.select({ listener }, timeout)))
      listener:close()
      child:close()
    end)

    for _, backend in ipairs(helper.backends) do
      it("is none for a poller with " .. backend, function()
        local poller = lsocket.poller(backend)
        if not poller then pending "no such backend here" end
        local listener, child = later()
        poller:add(listener, "r")
        assert.same({ listener }, (poller:wait(timeout)))
        poller:close()
        listener:close()
        child:close()
      end)
    end

    it("is none for loop.wait, whatever is waited for", function()
      run(function()
        local a, b = assert(lsocket.pair())
        local s = stream.new(a)
        for _, what in ipairs { s, a, a:getfd(), { getfd = function() return a:getfd() end } } do
          local task = loop.spawn(loop.wait, what, "r", timeout)
          loop.sleep(0.005)
          b:send "x"
          assert.equal("r", task:join())
          assert.equal("x", s:readsome())
          task = loop.spawn(loop.wait, what, "r", timeout)
          loop.sleep(0.001)
          task:cancel()
          fails("ECANCELED", task:join())
        end
        b:close()
      end)
    end)

    it("is none for loop.step", function()
      local a, b = assert(lsocket.pair())
      local got
      loop.spawn(function() got = stream.new(a):read() end)
      loop.step(0)
      loop.spawn(function()
        loop.sleep(0.01)
        b:send "x\n"
      end)
      local before = loop.now()
      while loop.step(timeout) do assert.is_true(loop.now() - before < helper.patience) end
      assert.equal("x", got)
    end)
  end)
end

describe("loop.sleep", function()
  it("of a negative time gives the others their turn", function()
    run(function()
      for _, seconds in ipairs { 0, -1, -math.huge } do
        local other = false
        loop.spawn(function() other = true end)
        assert.same({ n = 1, true }, pack(loop.sleep(seconds)))
        assert.is_true(other)
      end
    end)
  end)

  it("of an infinite one lasts until it is cancelled or overdue", function()
    run(function()
      fails("ETIMEDOUT", loop.deadline(0.002, loop.sleep, math.huge))
      local task = loop.spawn(loop.sleep, 1e300)
      loop.sleep(0.001)
      task:cancel()
      fails("ECANCELED", task:join())
    end)
  end)
end)

describe("loop.deadline", function()
  it("of a negative time is over at once", function()
    run(function()
      for _, seconds in ipairs { 0, -1, -math.huge } do
        fails("ETIMEDOUT", loop.deadline(seconds, loop.sleep, 0))
        assert.equal(5, loop.deadline(seconds, function() return 5 end))
      end
      assert.is_true(loop.sleep(0))
    end)
  end)

  it("of an infinite one is none, and leaves the one around it", function()
    run(function()
      assert.is_true(loop.deadline(math.huge, loop.sleep, 0.001))
      fails("ETIMEDOUT", loop.deadline(0.002, loop.deadline, math.huge, loop.sleep, 10))
      fails("ETIMEDOUT", loop.deadline(math.huge, loop.deadline, 0.002, loop.sleep, 10))
    end)
  end)
end)

-- Calls fn, and after so many instructions raises an error within: it is caught here.
local function interrupted(steps, fn)
  local inside = true
  loop.pcall(function()
    debug.sethook(function()
      debug.sethook()
      if inside then error "interrupted" end
    end, "", steps)
    fn()
    inside = false
    debug.sethook()
  end)
end

describe("loop.deadline, interrupted by a debug hook wherever that is,", function()
  local waiting = coroutine.wrap(function() while true do coroutine.yield() end end)

  it("is over", function()
    if rawget(_G, "jit") then pending "LuaJIT has one hook for all coroutines" end
    for _, seconds in ipairs { -1, 10 } do
      for _, fn in ipairs { waiting, loop.sleep } do
        run(function()
          for steps = 1, 250 do
            loop.deadline(20, function()
              interrupted(steps, function() loop.deadline(seconds, fn, 0) end)
              assert.is_true(loop.sleep(0), steps)
            end)
            assert.is_true(loop.sleep(0), steps)
          end
        end)
      end
    end
  end)

  it("does not cut off what comes later", function()
    if rawget(_G, "jit") then pending "LuaJIT has one hook for all coroutines" end
    run(function()
      for steps = 1, 150 do
        interrupted(steps, function() loop.deadline(0.0005, waiting) end)
        assert.is_true(loop.sleep(0.001), steps)
      end
    end)
  end)
end)

describe("server:close", function()
  -- A server with one handler that ends after some milliseconds, or only when it is cut off.
  local function serving(seconds)
    local server = assert(loop.serve("127.0.0.1", 0, function(client) loop.wait(client, "r", seconds) end))
    local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
    while server:count() == 0 do loop.sleep(0.001) end
    return server, client
  end

  it("with a grace of 0 or less cuts off at once", function()
    run(function()
      for _, grace in ipairs { 0, -1, -math.huge } do
        local server, client = serving()
        assert.same({ n = 1, false }, pack(server:close(grace)))
        assert.is_nil((client:read()))
        client:close()
      end
    end)
  end)

  it("with an infinite grace waits for the last handler", function()
    run(function()
      local server, client = serving(0.01)
      assert.same({ n = 1, true }, pack(server:close(math.huge)))
      client:close()
    end)
  end)
end)

describe("a time that is not a number", function()
  it("is nowhere taken", function()
    run(function()
      local a = lsocket.pair()
      local s, server, poller = stream.new(a), assert(loop.listen("127.0.0.1", 0)), assert(lsocket.poller())
      poller:add(a, "r")
      for _, odd in ipairs { nan, -nan } do
        raises("bad argument #2 to", lsocket.select, { a }, odd)
        raises("timeout is not a number", function() poller:wait(odd) end)
        raises("bad argument #3 to 'wait'", loop.wait, s, "r", odd)
        raises("bad argument #1 to 'sleep'", loop.sleep, odd)
        raises("bad argument #1 to 'deadline'", loop.deadline, odd, print)
        raises("bad argument #1 to 'close'", server.close, server, odd)
        raises("delay: ", loop.connect, "127.0.0.1", 1, { delay = odd })
      end
      server:close()
    end)
    raises("bad argument #1 to 'step'", loop.step, nan)
  end)
end)

describe("loop.wait without time", function()
  it("finds what is ready, also in a task that was woken by something to read in the same turn", function()
    loop.run(loop.deadline, helper.patience, function()
      local a, b = assert(lsocket.pair())
      local c, d = assert(lsocket.pair())
      assert.equal(1, d:send "x")
      local found
      local task = loop.spawn(function()
        assert.equal("r", loop.wait(a, "r"))
        found = loop.wait(c, "r", 0)
      end)
      loop.sleep(0)
      b:send "x"
      task:join()
      assert.equal("r", found)
      for _, sock in ipairs { a, b, c, d } do sock:close() end
    end)
  end)
end)
