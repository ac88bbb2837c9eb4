-- Signals on the loop: loop.signals. What the object does without the loop is in signals_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local process = require "spec.process"
local sending = require "spec.sending"

local fails, raises, need = helper.fails, helper.raises, helper.need
local rest = inloop.rest

-- Runs a function as the first task, for no longer than helper.patience, with an object that is closed then.
local function run(names, fn)
  return loop.run(loop.deadline, helper.patience, function()
    local signals = assert(loop.signals((unpack or table.unpack)(names)))
    local results = helper.pack(fn(signals))
    signals:close()
    return (unpack or table.unpack)(results, 1, results.n)
  end)
end

describe("loop.signals", function()
  it("waits while other tasks go on", function()
    run({ "USR1", "USR2" }, function(signals)
      local turns = 0
      local other = loop.spawn(function()
        while loop.sleep(0) do turns = turns + 1 end
      end)
      local task = loop.spawn(signals.wait, signals)
      loop.sleep(0.01)
      sending.raise "USR2"
      assert.equal("USR2", task:join())
      assert.is_true(turns > 0)
      other:cancel()
    end)
  end)

  it("tells at once what has come before", function()
    run({ "USR1", "USR2" }, function(signals)
      sending.raise("USR1", "USR2")
      assert.equal("USR1", signals:wait())
      assert.equal("USR2", signals:wait())
      assert.is_false(signals:next())
    end)
  end)

  it("gives the names one after the other, until it is closed", function()
    run({ "USR1", "USR2", "TERM" }, function(signals)
      local seen = {}
      local task = loop.spawn(function()
        local next_name, state = signals:values()
        local name = next_name(state) -- an iterator could not wait in Lua 5.1
        while name do
          seen[#seen + 1] = name
          name = next_name(state)
        end
        return "ended"
      end)
      for _, name in ipairs { "USR1", "TERM", "USR1" } do
        sending.raise(name)
        loop.sleep(0.001)
      end
      signals:close()
      assert.equal("ended", task:join())
      assert.same({ "USR1", "TERM", "USR1" }, seen)
    end)
  end)

  it("loses no name of a burst", function()
    run({ "USR1", "USR2", "HUP", "TERM" }, function(signals)
      local seen = {}
      local task = loop.spawn(function()
        repeat
          local name = signals:wait()
          seen[name] = true
        until name == "TERM"
        return true
      end)
      for _ = 1, 10 do
        sending.burst(helper.scale(1000), "USR1", "HUP", "USR2")
        rest()
      end
      sending.raise "TERM"
      assert.is_true(task:join())
      repeat
        local name = signals:next() -- those that had their turn after TERM
        if name then seen[name] = true end
      until not name
      assert.same({ USR1 = true, USR2 = true, HUP = true, TERM = true }, seen)
    end)
  end)

  it("tells of each child that ends, at least once after the last", function()
    run({ "CHLD" }, function(signals)
      for _ = 1, 3 do
        local pipe = assert(io.popen "exit 0")
        assert.equal("CHLD", signals:wait())
        pipe:close()
      end
    end)
  end)

  it("takes nobody's wait away who waits for it by loop.wait", function()
    run({ "USR1" }, function(signals)
      local ready = loop.event()
      local handler = loop.spawn(function()
        signals:wait()
        ready:set()
        loop.sleep(0)
        return loop.pcall(signals.wait, signals)
      end)
      local other = loop.spawn(function()
        ready:wait()
        return loop.wait(signals, "r")
      end)
      rest()
      sending.raise "USR1"
      assert.is_false((handler:join()))
      sending.raise "USR1"
      assert.equal("r", other:join())
    end)
  end)

  it("is cut off by a deadline and by a cancel, and loses nothing", function()
    run({ "USR1" }, function(signals)
      fails("ETIMEDOUT", loop.deadline(0.01, signals.wait, signals))
      local task = loop.spawn(signals.wait, signals)
      rest()
      task:cancel()
      fails("ECANCELED", task:join())
      task = loop.spawn(signals.wait, signals)
      task:cancel()
      fails("ECANCELED", task:join())
      sending.raise "USR1"
      assert.equal("USR1", signals:wait())
    end)
  end)

  it("passes the turn on when the first task in line is cut off", function()
    run({ "USR1" }, function(signals)
      local first = loop.spawn(signals.wait, signals)
      local second = loop.spawn(signals.wait, signals)
      local third = loop.spawn(signals.wait, signals)
      rest()
      second:cancel()
      first:cancel()
      rest()
      sending.raise "USR1"
      assert.equal("USR1", third:join())
      fails("ECANCELED", first:join())
      fails("ECANCELED", second:join())
    end)
  end)

  it("tells every task that waits when it is closed", function()
    run({ "USR1" }, function(signals)
      local tasks = {}
      for i = 1, 3 do tasks[i] = loop.spawn(signals.wait, signals) end
      rest()
      assert.is_true(signals:close())
      assert.is_true(signals:close())
      for _, task in ipairs(tasks) do fails("ECANCELED", task:join()) end
      fails("EBADF", signals:wait())
      fails("EBADF", signals:next())
      assert.equal(-1, signals:getfd())
      assert.is_nil(signals:values()(signals))
    end)
  end)

  it("serves thousands of tasks, first come, first served", function()
    run({ "USR1" }, function(signals)
      local count, order, names = helper.scale(3000), {}, 0
      local done = {}
      for i = 1, count do
        done[i] = loop.spawn(function()
          local name, _, symbol = signals:wait()
          if name then
            names = names + 1
            order[names] = i
          end
          return symbol
        end)
      end
      rest()
      for i = 1, 20 do
        sending.raise "USR1"
        done[i]:join()
      end
      for i = 1, 20 do assert.equal(i, order[i]) end
      signals:close()
      for i = 21, count do assert.equal("ECANCELED", done[i]:join()) end
      assert.equal(20, names)
    end)
  end)

  it("goes on for others when a task fails", function()
    local told = 0
    local before = loop.onerror
    loop.onerror = function() told = told + 1 end
    local ok, problem = pcall(run, { "USR1" }, function(signals)
      loop.spawn(function()
        signals:wait()
        error "a mistake"
      end)
      local second = loop.spawn(signals.wait, signals)
      rest()
      sending.raise "USR1"
      rest()
      sending.raise "USR1"
      assert.equal("USR1", second:join())
    end)
    loop.onerror = before
    assert(ok, problem)
    assert.equal(1, told)
  end)

  it("tells each of two objects", function()
    run({ "USR1" }, function(signals)
      local other = assert(loop.signals("USR1", "USR2"))
      local one, two = loop.spawn(signals.wait, signals), loop.spawn(other.wait, other)
      rest()
      sending.raise "USR1"
      assert.equal("USR1", one:join())
      assert.equal("USR1", two:join())
      other:close()
    end)
  end)

  it("can be waited for as anything can", function()
    run({ "USR1" }, function(signals)
      assert.is_false(loop.wait(signals, "r", 0))
      sending.raise "USR1"
      assert.equal("r", loop.wait(signals, "r", helper.patience))
      assert.same({ signals }, lsocket.select({ signals }, 0))
      local poller = assert(lsocket.poller())
      assert(poller:add(signals, "r"))
      assert.same({ signals }, (poller:wait(0)))
      assert.equal("USR1", signals:next())
      assert.is_false(poller:wait(0))
      poller:close()
      local task = loop.spawn(loop.wait, signals, "r")
      rest()
      sending.raise "USR1"
      assert.equal("r", task:join())
    end)
  end)

  it("goes on in the next run", function()
    local signals = assert(loop.signals "USR1")
    for _ = 1, 2 do
      loop.run(loop.deadline, helper.patience, function()
        local task = loop.spawn(signals.wait, signals)
        rest()
        sending.raise "USR1"
        assert.equal("USR1", task:join())
      end)
    end
    sending.raise "USR1" -- while no loop runs
    loop.run(function() assert.equal("USR1", signals:wait()) end)
    signals:close()
  end)

  it("can end with its block", function()
    if _VERSION < "Lua 5.4" then pending "needs Lua 5.4" end
    local signals = assert(loop.signals "USR1")
    assert(load "local ended <close> = ...")(signals)
    assert.equal(-1, signals:getfd())
  end)

  it("leaves nothing behind, closed or not", function()
    need.proc(pending)
    helper.settle()
    local before, count = process.signals(), process.count()
    run({ "USR1" }, function(signals) fails("ETIMEDOUT", loop.deadline(0.001, signals.wait, signals)) end)
    loop.signals "USR1"
    helper.settle()
    assert.equal(before, process.signals())
    assert.equal(count, process.count())
  end)

  it("raises where it is called wrongly, naming what was called", function()
    raises("bad argument #1 to 'signals' (string expected, got no value)", function() loop.signals() end)
    raises("bad argument #2 to 'signals' (no signal is called 'SIGTERM': leave out SIG)", function()
      loop.signals("INT", "SIGTERM")
    end)
    raises("bad argument #1 to 'signals' (KILL cannot be listened to)", function() loop.signals "KILL" end)
    raises("loopsignals_spec.lua:", function() loop.signals "KILL" end)
    local signals = assert(loop.signals "USR1")
    for _, name in ipairs { "wait", "next", "values", "getfd", "close" } do
      raises(("bad argument #1 to '%s' (signals expected, got table)"):format(name), function() signals[name] {} end)
    end
    raises("only a task can wait", signals.wait, signals)
    assert.truthy(tostring(signals):find "^signals: 0?x?%x+$")
    signals:close()
  end)
end)

describe("a server that ends on TERM", function()
  -- A child with that grace, whose handlers take so many seconds: its pid, its port, and the pipe to read on from.
  local function start(grace, seconds)
    local command = "echo $$; exec " .. helper.command("serveterm", grace, seconds)
    local pipe = assert(io.popen(("sh -c %s 2>&1; echo status=$?"):format(helper.quote(command))))
    local pid = pipe:read()
    return pid, assert(tonumber((pipe:read()))), pipe
  end

  local function finish(pipe)
    local output = pipe:read "*a"
    pipe:close()
    return output
  end

  -- A client whose request is under way.
  local function ask(port, line)
    local client = assert(loop.connect("127.0.0.1", port))
    client:write(line, "\n")
    assert.equal("begun", client:read())
    return client
  end

  -- Until nobody is accepted any more. One that was on its way then is reset.
  local function await_refusal(port)
    repeat
      local client, message, name = loop.connect("127.0.0.1", port)
      if client then client:close()
      elseif name ~= "ECONNREFUSED" and name ~= "ECONNRESET" then error(message) end
    until name == "ECONNREFUSED"
  end

  it("answers every running request, accepts no other, and ends with 0", function()
    local pid, port, pipe = start(helper.patience, 0.3)
    inloop.run(function()
      local clients = {}
      for i = 1, 20 do clients[i] = ask(port, "request " .. i) end
      sending.send("TERM", pid)
      for i, client in ipairs(clients) do
        assert.equal("answer to request " .. i, client:read())
        assert.is_nil(client:read())
        client:close()
      end
      await_refusal(port)
    end)
    assert.equal("TERM\ttrue\nstatus=0\n", finish(pipe))
  end)

  it("accepts no one while it waits for those that are served", function()
    local pid, port, pipe = start(helper.patience, 0.5)
    inloop.run(function()
      local client = ask(port, "slow")
      sending.send("TERM", pid)
      await_refusal(port)
      assert.equal("answer to slow", client:read()) -- which had not ended yet
      client:close()
    end)
    assert.equal("TERM\ttrue\nstatus=0\n", finish(pipe))
  end)

  it("cuts off what takes longer than the grace", function()
    local pid, port, pipe = start(0.2, 0.01)
    inloop.run(function()
      local client = ask(port, "stay")
      local began = helper.now()
      sending.send("INT", pid)
      assert.is_nil(client:read())
      assert.is_true(helper.now() - began >= 0.19)
      client:close()
    end)
    assert.equal("INT\tfalse\nstatus=0\n", finish(pipe))
  end)
end)
