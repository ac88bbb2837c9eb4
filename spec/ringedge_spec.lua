-- Rings where something comes in between: finalizers, forks; where they are forbidden. What they do else: ring_spec.
local lsocket = require "lsocket"
local forking = require "spec.forking"
local helper = require "spec.helper"

local SOON = helper.patience

describe("a ring", function()
  local ring, near, far
  local received, data, sent, counts

  local function wait(timeout)
    local r, s, other = ring:wait(timeout or SOON, received, data, sent, counts)
    if r then return r, s end
    return nil, s, other
  end

  before_each(function()
    received, data, sent, counts = {}, {}, {}, {}
    near, far = lsocket.pair()
  end)

  after_each(function()
    if ring then ring:close() end
    near:close()
    far:close()
    ring = nil
  end)

  -- A test that needs a ring.
  local function uses(name, run)
    it(name, function()
      ring = helper.ring(pending)
      run()
    end)
  end

  -- What a finalizer does while wait makes strings of what has come. What was asked for must be told once.
  describe("and a finalizer", function()
    local MOST, COUNT = 2000, 40 -- rounds, sockets
    local others, balance

    before_each(function() others, balance = {}, {} end)
    after_each(function()
      for _, both in ipairs(others) do
        both[1]:close()
        both[2]:close()
      end
    end)

    local function add()
      local a, b = lsocket.pair()
      balance[#others + 1] = 0
      others[#others + 1] = { a, b }
    end

    local function ask(i)
      if not ring:receive(others[i][1], i) then return end
      balance[i] = balance[i] + 1
      others[i][2]:send((i .. ","):rep(1000))
    end

    local function told(i, what)
      balance[i] = balance[i] - 1
      if type(what) == "string" then assert(what:match ",(%d+)," == tostring(i)) end
    end

    local function wait_and_tell(timeout, r, d)
      local count, message, name = ring:wait(timeout, r, d, sent, counts)
      for i = 1, count or 0 do told(r[i], d[i]) end
      assert(count or name == "EBADF", message)
      return count
    end

    -- Receives until finalizers have run that act.
    local function collecting(act)
      local runs, over = 0, false
      local pause, speed = helper.tune("pause", 0), helper.tune("stepmul", 10000)
      local function again()
        if over or runs == COUNT then return end
        runs = runs + 1
        act(runs)
        helper.when_collected(again)
      end
      for _ = 1, COUNT do add() end
      collectgarbage() -- or the usual pause would come first
      helper.when_collected(again)
      for _ = 1, MOST do
        for i = 1, COUNT do ask(i) end
        while #ring > 0 do wait_and_tell(SOON, received, data) end
        if runs >= COUNT then break end
      end
      over = true
      helper.tune("pause", pause)
      helper.tune("stepmul", speed)
      assert.is_true(runs > 0)
    end

    local function check_all()
      for i, open_ends in ipairs(balance) do assert.same({ i, 0 }, { i, open_ends }) end
    end

    uses("that waits itself", function()
      collecting(function() wait_and_tell(0, {}, {}) end)
      check_all()
    end)

    uses("that cancels", function()
      collecting(function(n)
        local what = ring:cancel(others[n][1], "r")
        if what then told(n, what) end
      end)
      check_all()
    end)

    uses("that closes a socket", function()
      collecting(function(n) others[n][1]:close() end)
      check_all()
    end)

    uses("that closes the ring", function()
      collecting(function(n)
        if n == 3 then ring:close() end
      end)
    end)

    uses("that has more received", function()
      collecting(function()
        add()
        ask(#others)
        assert(ring:submit())
      end)
      check_all()
    end)
  end)

  describe("after a fork", function()
    -- A test that forks while requests are under way, and something was received that nobody has got yet.
    local function forks(name, run)
      uses(name, function()
        forking.need(pending)
        local a, b = lsocket.pair()
        assert(ring:receive(near, "near") and ring:receive(a, "a"))
        b:send "for the parent"
        assert(ring:submit())
        forking.run(function() run(a) end)
        far:send "too"
        local got = {}
        while #ring > 0 do
          for i = 1, (wait()) do got[received[i]] = data[i] end
        end
        assert.same({ near = "too", a = "for the parent" }, got)
        assert(ring:receive(near, 1) and ring:send(far, 1, "still works"))
        while #ring > 0 do
          if wait() > 0 then got = data[1] end
        end
        assert.equal("still works", got)
        a:close()
        b:close()
      end)
    end

    forks("fails in the child", function(a)
      helper.fails("EBADF", wait(0))
      helper.fails("EBADF", ring:submit())
      helper.fails("EBADF", ring:cancel(near, "r"))
      helper.fails("EBADF", ring:cancel(a, "r"))
      helper.fails("EBADF", ring:receive(far, 1))
      helper.fails("EBADF", ring:send(far, 1, "x"))
      helper.fails("EBADF", ring:accept(far, 1))
      helper.fails("EBADF", ring:poll(1, 1))
      assert.is_true((ring:busy(near)))
      assert.is_false(ring:remove(near))
    end)

    forks("can be closed in the child", function() ring:close() end)

    forks("leaves closed sockets alone in the child", function(a)
      near:close()
      a:close()
      helper.fails("EBADF", wait(0))
    end)

    forks("is collected in the child", function()
      ring, near, far = nil, nil, nil
      helper.settle()
    end)

    forks("can be followed by another one in the child", function(a)
      local other = helper.ring(pending)
      assert(other:receive(a, "child"))
      assert.same({ 0, 0, 0 }, { other:wait(0.01, {}, {}, {}, {}) })
      assert.equal("ECANCELED", other:cancel(a, "r").name)
      other:close()
    end)
  end)
end)

describe("where there is no ring", function()
  local ok = "1\tx\n"

  local function forbidden(how, name, text)
    it("says so: " .. name, function()
      helper.need.injection(pending)
      if select(3, lsocket.ring()) == "ENOSYS" then pending "this build has no rings" end
      local output = helper.run(helper.inject(how, name, "ring"))
      assert.equal(("none\t%s\t%s\n0 more\n"):format(text, name) .. ok, output)
    end)
  end

  forbidden("io_uring_setup", "EPERM", "Operation not permitted")
  forbidden("io_uring_setup", "ENOSYS", "Function not implemented")
  forbidden("io_uring_setup", "ENOMEM", "Cannot allocate memory")
  forbidden("io_uring_register", "ENOMEM", "Cannot allocate memory")

  it("says so: an older kernel", function()
    helper.need.injection(pending)
    local output = helper.run(helper.inject("io_uring_setup", "EINVAL", "ring"))
    assert.equal("none\tFunction not implemented\tENOSYS\n0 more\n" .. ok, output)
  end)

  it("says so: no memory may be locked", function()
    helper.need.tool(pending, "setpriv --reuid=65534 --bounding-set=-all --inh-caps=-all true")
    local output = helper.run("ulimit -l 0; exec setpriv --reuid=65534 --bounding-set=-all --inh-caps=-all " ..
      "env " .. helper.command "ring")
    local first = output:match "^[^\n]*"
    assert.truthy(output:find(ok, 1, true), output)
    assert.truthy(first == "none\tCannot allocate memory\tENOMEM" or first:find "^a ring" or
      first:find "EPERM" or first:find "ENOSYS", output)
  end)
end)
