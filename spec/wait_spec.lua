-- sock:wait: what it waits for, how long, and what it answers. Signals that end a program are in state_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need = helper.fails, helper.raises, helper.need

after_each(helper.remove_paths)

describe("wait", function()
  it("tells which of the events has come", function()
    local near, far = lsocket.pair()
    assert.equal("w", near:wait "w")
    assert.equal("w", near:wait "rw")
    assert.is_false(near:wait("r", 0))
    far:send "x"
    assert.equal("r", near:wait "r")
    assert.equal("rw", near:wait "rw")
    helper.fill(near)
    assert.equal("r", near:wait "rw")
    assert.is_false(near:wait("w", 0))
  end)

  it("waits until something comes", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local child = io.popen(helper.command("connect", port)) -- which takes its time
    assert.equal("r", listener:wait("r", helper.patience))
    assert(listener:accept())
    child:close()
  end)

  it("waits no longer than its time, and no shorter", function()
    local near, far = lsocket.pair()
    for _, seconds in ipairs { 0.001, 0.0101, 0.05 } do
      local started = helper.now()
      assert.is_false(near:wait("r", seconds))
      assert.is_true(helper.now() - started >= seconds)
    end
    far:send "x"
    for _, seconds in ipairs { -1, math.huge, 1e300, 0 } do assert.equal("r", near:wait("r", seconds)) end
    assert.equal("r", near:wait("r", nil))
  end)

  it("finds what has failed or hung up ready for all that was asked for", function()
    local near, far = lsocket.pair()
    far:close()
    for _, events in ipairs { "r", "w", "rw" } do assert.equal(events, near:wait(events, helper.patience)) end
    local refused, keeper = helper.refused()
    for _, events in ipairs { "r", "w", "rw" } do assert.equal(events, refused:wait(events, helper.patience)) end
    fails("ECONNREFUSED", refused:status())
    keeper[1]:close()
  end)

  it("is how a connection comes to be known as made", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    assert.equal("w", client:wait("w", helper.patience))
    assert.is_true(client:status())
    listener:close()
  end)

  it("fails on what is closed, also behind its back", function()
    local near, far = lsocket.pair()
    near:close()
    fails("EBADF", near:wait("r", 0))
    local other = assert(lsocket.fromfd(far:getfd()))
    other:close()
    fails("EBADF", far:wait("r", 0))
    far:setfd(-1)
  end)

  it("goes on after a signal, for the time that is left", function()
    need.injection(pending)
    local output = helper.run(helper.inject("poll,ppoll", "EINTR:when=1..5", "interrupted"))
    assert.equal("r\nrw\nfalse\ntrue\n", output)
  end)

  it("ends with Ctrl-C in a coroutine as well", function()
    need.proc(pending)
    if _VERSION == "Lua 5.1" and not jit then pending "Lua 5.1 does not tell which thread is no coroutine" end
    local pipe = assert(io.popen("echo $$; exec " .. helper.command "ctrlc" .. " 2>&1"))
    local pid = pipe:read()
    assert.equal("waits", pipe:read())
    helper.eventually("it waits", function() return process.status("State", pid):find "^S" end)
    os.execute("kill -INT " .. pid)
    local last = pipe:read "*a"
    pipe:close()
    assert.truthy(last:find "EINTR" or last:find "interrupted!", last)
  end)

  it("waits for what is no socket, too", function()
    local file = io.popen "echo x"
    local pipe = assert(lsocket.fromfd(file))
    assert.equal("r", pipe:wait("r", helper.patience))
    assert.equal("x\n", pipe:recv())
    assert.equal("r", pipe:wait("r", helper.patience))
    file:close()
    file = io.tmpfile()
    assert.equal("rw", assert(lsocket.fromfd(file)):wait("rw", 0))
    file:close()
  end)

  it("allocates nothing", function()
    local near, far = lsocket.pair()
    far:send "x"
    collectgarbage()
    collectgarbage "stop"
    local function round()
      for _ = 1, 100 do
        near:wait("rw", 1)
        near:wait("r", 0)
      end
    end
    if jit then jit.off(round) end -- luacheck: globals jit
    round()
    local before = collectgarbage "count"
    round()
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.is_true(after - before < 1)
  end)

  it("raises for other events and times", function()
    local sock = lsocket.pair()
    for _, events in ipairs { "", "x", "wr", "R", 1, true } do
      raises("bad argument #1 to 'wait' (", function() sock:wait(events, 0) end)
    end
    raises("bad argument #1 to 'wait'", function() sock:wait() end)
    raises("bad argument #2 to 'wait' (timeout is not a number)", function() sock:wait("w", 0 / 0) end)
    raises("bad argument #2 to 'wait' (number expected, got boolean)", function() sock:wait("w", true) end)
  end)
end)
