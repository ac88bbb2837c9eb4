-- Signals as objects. What becomes of the program's own handlers, threads and children is in net/signal_test.c; waiting
-- in tasks in loopsignals_spec.lua.
local lsocket = require "lsocket"
local forking = require "spec.forking"
local helper = require "spec.helper"
local process = require "spec.process"
local sending = require "spec.sending"

local fails, raises, need = helper.fails, helper.raises, helper.need

local open = {}

-- An object that is closed after the test.
local function listen(...)
  local signals = assert(lsocket.signals(...))
  open[#open + 1] = signals
  return signals
end

-- All names that have come, in order.
local function names_of(signals)
  local names = {}
  for name in function() return signals:next() or nil end do names[#names + 1] = name end
  table.sort(names)
  return names
end

after_each(function()
  for _, signals in ipairs(open) do signals:close() end
  open = {}
end)

describe("signals", function()
  it("tells the names that have come, each once", function()
    local signals = listen("USR1", "USR2", "TERM")
    assert.is_false(signals:next())
    sending.raise("USR1", "TERM", "USR1")
    assert.same({ "TERM", "USR1" }, names_of(signals))
    assert.is_false(signals:next())
    sending.raise "USR1"
    assert.equal("USR1", signals:next())
  end)

  it("tells HUP, CHLD, WINCH and INT", function()
    local signals = listen("HUP", "WINCH", "INT")
    sending.raise("HUP", "WINCH", "INT")
    assert.same({ "HUP", "INT", "WINCH" }, names_of(signals))
    local children = listen "CHLD"
    io.popen("exit 3"):close()
    helper.readable(children)
    assert.equal("CHLD", children:next())
  end)

  it("tells realtime signals, where the system has them", function()
    local ok, signals = pcall(lsocket.signals, "RTMIN", "RTMIN+1")
    if not ok then pending "this system has no realtime signals" end
    open[1] = signals
    local _, status = helper.run "sh -c 'kill -s RTMIN+1 $$'; exit $?"
    if status <= 128 then pending "this shell does not know realtime signals" end
    sending.raise("RTMIN+1", "RTMIN", "RTMIN+1")
    assert.same({ "RTMIN", "RTMIN+1" }, names_of(signals))
  end)

  it("loses no name of a burst", function()
    local signals = listen("USR1", "USR2", "HUP")
    sending.burst(helper.scale(10000), "USR1", "HUP", "USR2")
    assert.same({ "HUP", "USR1", "USR2" }, names_of(signals))
    assert.is_false(helper.is_readable(signals))
  end)

  it("tells what comes while others are told", function()
    local signals = listen("USR1", "USR2", "TERM")
    local pipe = sending.start(helper.scale(10000), { "USR1", "USR2" }, "TERM")
    local seen = {}
    repeat
      helper.readable(signals)
      local name = signals:next()
      if name then seen[name] = true end
    until name == "TERM"
    for _, name in ipairs(names_of(signals)) do seen[name] = true end
    assert.same({ USR1 = true, USR2 = true, TERM = true }, seen)
    pipe:close()
  end)

  it("gives all their turns", function()
    local signals = listen("HUP", "TERM")
    sending.raise("HUP", "TERM")
    assert.equal("HUP", signals:next())
    sending.raise "HUP"
    assert.equal("TERM", signals:next())
    assert.equal("HUP", signals:next())
  end)

  it("takes a name twice", function()
    local signals = listen("USR1", "USR1")
    sending.raise "USR1"
    assert.same({ "USR1" }, names_of(signals))
  end)

  it("tells each object of a signal that several listen to", function()
    local one, other, third = listen "USR1", listen("USR1", "USR2"), listen "USR2"
    sending.raise "USR1"
    assert.same({ "USR1" }, names_of(one))
    assert.same({ "USR1" }, names_of(other))
    one:close()
    sending.raise "USR1"
    assert.same({ "USR1" }, names_of(other))
    assert.same({}, names_of(third))
  end)

  it("can be waited for in select and in pollers of each kind", function()
    local signals = listen "USR1"
    assert.is_false(lsocket.select({ signals }, 0))
    sending.raise "USR1"
    assert.same({ signals }, lsocket.select({ signals }, 0))
    for _, backend in ipairs(helper.backends) do
      local poller = lsocket.poller(backend)
      if poller then
        assert(poller:add(signals, "r"))
        assert.same({ signals }, (poller:wait(helper.patience)))
        assert.equal("USR1", signals:next())
        assert.is_false(poller:wait(0))
        sending.raise "USR1"
        assert.same({ signals }, (poller:wait(0)))
        poller:close()
      end
    end
  end)

  it("ends a wait by being ready, and not with EINTR", function()
    local signals = listen "USR1"
    local function check(wait)
      local pipe = sending.later(0.05, "USR1")
      local ready, message = wait()
      if not ready then error(message or "time is up") end
      assert.same({ signals }, ready)
      assert.equal("USR1", signals:next())
      pipe:close()
    end
    check(function() return lsocket.select({ signals }, helper.patience) end)
    check(function() return lsocket.select { signals } end)
    for _, backend in ipairs(helper.backends) do
      local poller = lsocket.poller(backend)
      if poller then
        poller:add(signals, "r")
        check(function() return poller:wait(helper.patience) end)
        poller:close()
      end
    end
  end)

  it("ends a wait for others with EINTR", function()
    local signals, a = listen "USR1", assert(lsocket.pair())
    local pipe = sending.later(0.05, "USR1")
    fails("EINTR", lsocket.select({ a }, helper.patience))
    pipe:close()
    local poller = assert(lsocket.poller())
    poller:add(a, "r")
    pipe = sending.later(0.05, "USR1")
    fails("EINTR", poller:wait(helper.patience))
    pipe:close()
    assert.same({ "USR1" }, names_of(signals))
  end)

  it("leaves pollers when it is closed, as its descriptor's number is given away", function()
    for _, backend in ipairs(helper.backends) do
      local poller = lsocket.poller(backend)
      if poller then
        helper.settle()
        local signals = listen "USR1"
        local fd = signals:getfd()
        poller:add(signals, "r")
        signals:close()
        assert.equal(0, #poller)
        local other = listen "USR1"
        assert.equal(fd, other:getfd())
        sending.raise "USR1"
        assert.is_false(poller:wait(0))
        other:close()
        poller:close()
      end
    end
  end)

  it("is gone once it is closed", function()
    local signals = listen "USR1"
    assert.is_true(signals:getfd() >= 0)
    sending.raise "USR1"
    for _ = 1, 2 do
      assert.is_true(signals:close())
      assert.equal(-1, signals:getfd())
      fails("EBADF", signals:next())
    end
    assert.is_false(lsocket.select({ signals }, 0))
  end)

  it("can end with its block", function()
    if _VERSION < "Lua 5.4" then pending "needs Lua 5.4" end
    local signals = listen "USR1"
    assert(load "local ended <close> = ...")(signals)
    fails("EBADF", signals:next())
  end)

  it("says what it is", function()
    assert.truthy(tostring(listen "USR1"):find "^signals: 0x%x+$")
  end)

  it("can be asked after it was finalized", function()
    local signals = lsocket.signals "USR1"
    getmetatable(signals).__gc(signals)
    getmetatable(signals).__gc(signals)
    fails("EBADF", signals:next())
    assert.equal(-1, signals:getfd())
    assert.is_true(signals:close())
    assert.truthy(tostring(signals):find "^signals: ")
  end)

  it("takes one descriptor, or a pipe's two, and gives back what it takes", function()
    need.proc(pending)
    local before = process.count()
    local signals = listen "USR1"
    local taken = process.count() - before
    assert.is_true(taken == 1 or taken == 2)
    signals:close()
    assert.equal(before, process.count())
    lsocket.signals "USR1"
    assert.equal(before, process.count())
  end)

  it("gives the old disposition back when the last one is closed or collected", function()
    need.proc(pending)
    local before = process.signals()
    local one, other = listen("USR1", "TERM"), listen "TERM"
    local during = process.signals()
    if helper.slow and during == before then pending "valgrind has handlers of its own for all signals" end
    assert.are_not.equal(before, during)
    one:close()
    other:close()
    assert.equal(before, process.signals())
    lsocket.signals "TERM"
    helper.settle()
    assert.equal(before, process.signals())
    one, other = listen "TERM", listen "TERM"
    one:close()
    assert.are_not.equal(before, process.signals())
    other:close()
    assert.equal(before, process.signals())
  end)

  it("leaves nothing behind where it fails", function()
    need.proc(pending)
    local before = process.signals()
    raises("bad argument #2", lsocket.signals, "USR1", "KILL")
    assert.equal(before, process.signals())
  end)

  it("raises for what is no signal, or none that can be told", function()
    raises("bad argument #1 to 'signals' (string expected, got no value)", function() lsocket.signals() end)
    raises("bad argument #1 to 'signals' (string expected, got number)", function() lsocket.signals(15) end)
    raises("bad argument #2 to 'signals' (string expected, got nil)", function() lsocket.signals("TERM", nil) end)
    for _, name in ipairs { "term", "", "TERM ", "RTMIN+1000", "NONE" } do
      raises(("bad argument #1 to 'signals' (no signal is called '%s')"):format(name), function()
        lsocket.signals(name)
      end)
    end
    raises("bad argument #1 to 'signals' (no signal is called 'SIGTERM': leave out SIG)", function()
      lsocket.signals "SIGTERM"
    end)
    for _, name in ipairs { "KILL", "STOP", "SEGV", "BUS", "FPE", "ILL" } do
      raises(("bad argument #2 to 'signals' (%s cannot be listened to)"):format(name), function()
        lsocket.signals("TERM", name)
      end)
    end
    raises("bad argument #1 to 'signals' (no signal is called", function() lsocket.signals "TERM\0" end)
  end)

  it("raises where a method gets something else", function()
    local signals = listen "USR1"
    for _, name in ipairs { "next", "getfd", "close" } do
      raises("signals expected, got table", signals[name], {})
      raises("signals expected, got userdata", signals[name], io.stdout)
    end
  end)

  it("leaves programs that are executed their default", function()
    local signals = listen("TERM", "INT", "USR1")
    for name, number in pairs { TERM = 15, USR1 = 10 } do
      local _, status = helper.run(("sh -c 'kill -s %s $$'; exit $?"):format(name))
      assert.is_true(status == 128 + number or name == "USR1" and status > 128, name .. ": " .. status)
    end
    assert.same({}, names_of(signals))
  end)

  it("tells a child of a fork what comes to the child, and the parent what comes to the parent", function()
    forking.need(pending)
    local signals = listen("USR1", "USR2")
    sending.raise "USR1"
    forking.run(function()
      assert.is_false(signals:next())
      assert.is_false(helper.is_readable(signals))
      sending.raise "USR2"
      helper.readable(signals)
      assert.equal("USR2", signals:next())
      assert.is_false(signals:next())
      signals:close()
    end)
    assert.same({ signals }, lsocket.select({ signals }, 0))
    assert.same({ "USR1" }, names_of(signals))
    sending.raise "USR2"
    assert.same({ "USR2" }, names_of(signals))
  end)

  it("works in a child with what was registered in a poller", function()
    forking.need(pending)
    local signals, poller = listen "USR1", assert(lsocket.poller())
    poller:add(signals, "r")
    forking.run(function()
      assert.is_false(poller:wait(0))
      sending.raise "USR1"
      assert.same({ signals }, (poller:wait(helper.patience)))
    end)
    assert.is_false(poller:wait(0))
    poller:close()
  end)
end)

describe("a program", function()
  -- Starts a child, which prints a line when it is ready, and sends it a signal: its output, and how it ended.
  local function interrupt(how, name)
    local command = ("echo $$; exec %s"):format(helper.command("listening", how))
    local pipe = assert(io.popen(("sh -c %s 2>&1; echo status=$?"):format(helper.quote(command))))
    local pid = pipe:read()
    assert.equal("ready", pipe:read())
    sending.send(name, pid)
    local output = pipe:read "*a"
    pipe:close()
    return output:match "^(.*)status=(%d+)\n$"
  end

  it("that does not ask is ended by INT and TERM", function()
    assert.are_not.equal("0", select(2, interrupt("silent", "INT")))
    assert.equal("143", select(2, interrupt("silent", "TERM")))
  end)

  it("that has asked for TERM is ended by INT", function()
    local output, status = interrupt("others", "INT")
    assert.is_falsy(output:find "told")
    assert.are_not.equal("0", status)
  end)

  it("that has asked is told, and ends as it likes", function()
    for _, name in ipairs { "INT", "TERM" } do
      local output, status = interrupt("asks", name)
      assert.equal("told " .. name .. "\n", output)
      assert.equal("0", status)
    end
  end)

  it("that has closed its object is ended again", function()
    assert.are_not.equal("0", select(2, interrupt("closed", "INT")))
    assert.equal("143", select(2, interrupt("closed", "TERM")))
  end)

  it("that ignored a signal is told, and ignores it again", function()
    local output, status = helper.run("trap '' USR1; " .. helper.command("listening", "ignored"))
    assert.equal("told USR1\nignored again\n", output)
    assert.equal(0, status)
  end)

  it("that has it blocked is not told, and is not changed", function()
    need.tool(pending, "env --block-signal=USR1 true")
    local output, status = helper.run("env --block-signal=USR1 " .. helper.command("listening", "blocked"))
    assert.equal("not told\n", output)
    assert.equal(0, status)
  end)
end)
