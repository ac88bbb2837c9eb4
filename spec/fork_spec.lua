-- fork(2) without exec: a poller works on both sides, and neither disturbs the other. Lookups: lookup_spec.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local forking = require "spec.forking"
local helper = require "spec.helper"
local process = require "spec.process"
local stream = require "lsocket.stream"

local need = helper.need
local SOON = helper.patience

-- What is readable of those that a poller knows.
local function readable(poller, timeout)
  local r, message = poller:wait(timeout or SOON)
  if r == nil then error(message, 2) end
  return r or {}
end

local function pair()
  local a, b = lsocket.pair()
  return assert(a, b), b
end

local in_child = forking.run

-- A test that forks; descriptor: and whose poller has one.
local function forks(name, run, descriptor)
  it(name, function()
    forking.need(pending)
    if descriptor and not assert(lsocket.poller()):getfd() then
      pending "this system has no backend with a descriptor"
    end
    run()
  end)
end

local function describe_backend(backend)
  describe("after a fork, a poller with " .. backend, function()
    local poller, near, far

    before_each(function()
      poller = assert(lsocket.poller(backend))
      near, far = pair()
      assert(poller:add(near, "r"))
    end)

    after_each(function()
      poller:close()
      near:close()
      far:close()
    end)

    local function still_works()
      assert.equal(1, #poller)
      assert.is_false(poller:wait(0))
      assert(far:send "x")
      assert.same({ near }, readable(poller))
      assert.equal("x", near:recv())
    end

    forks("does not miss what a child has closed", function()
      in_child(function() near:close() end)
      still_works()
    end)

    forks("does not miss what a child has taken out, changed, or added by its number", function()
      in_child(function()
        assert(poller:modify(near, "w"))
        assert(poller:remove(near))
        assert(poller:add(near:getfd(), "rw"))
      end)
      still_works()
    end)

    forks("does not miss what a child has collected", function()
      in_child(function()
        poller, near, far = nil, nil, nil
        collectgarbage()
        collectgarbage()
      end)
      still_works()
    end)

    forks("is not closed by a child", function()
      in_child(function() poller:close() end)
      still_works()
    end)

    forks("works in the child, with what was registered before", function()
      in_child(function()
        assert.equal(1, #poller)
        assert.is_false(poller:wait(0))
        far:send "x"
        assert.same({ near }, readable(poller))
        assert.equal("x", near:recv())
        local other, end_of_it = pair()
        assert(poller:add(other, "r", "other"))
        end_of_it:send "x"
        assert.same({ "other" }, readable(poller))
        assert(poller:modify(other, "w"))
        assert.same({ "other" }, (select(2, poller:wait(SOON))))
        near:close()
        assert.equal(1, #poller)
        assert(poller:remove(other))
        assert.is_false(poller:wait(0))
        helper.fails("ENOENT", poller:remove(other))
      end)
      still_works()
    end)

    forks("works in the child whatever is called first there", function()
      local other, end_of_it = pair()
      for _, call in ipairs {
        function() assert(poller:modify(near, "rw")) end,
        function() assert(poller:modify(near, "r", near)) end,
        function() assert(poller:remove(near) and poller:add(near, "r")) end,
        function() assert(poller:add(other, "r")) end,
        function() helper.fails("EEXIST", poller:add(near, "r")) end,
        function() helper.fails("EEXIST", poller:add(near:getfd(), "r")) end,
        function() return poller:getfd() end,
        function() return #poller, tostring(poller) end,
      } do
        in_child(function()
          call()
          far:send "x"
          assert.same({ near }, readable(poller))
          near:recv()
        end)
      end
      still_works()
      other:close()
      end_of_it:close()
    end)

    forks("tells nothing of what the other side registers", function()
      local ready, end_of_it = pair()
      local to_parent, from_child = pair()
      end_of_it:send "x"
      local child = forking.start(function()
        assert(poller:add(ready, "r"))
        assert.same({ ready }, readable(poller))
        from_child:send "added"
        helper.readable(from_child)
        assert.same({ ready }, readable(poller))
      end)
      helper.readable(to_parent)
      assert.is_false(poller:wait(0.05))
      assert(poller:add(to_parent, "w"))
      assert(poller:remove(to_parent))
      assert.is_false(poller:wait(0))
      to_parent:send "go on"
      forking.finish(child)
      still_works()
      for _, sock in ipairs { ready, end_of_it, to_parent, from_child } do sock:close() end
    end)

    forks("works in the child of a child, and so does one that was added to in between", function()
      in_child(function()
        local other, end_of_it = pair()
        assert(poller:add(other, "r"))
        in_child(function()
          assert.equal(2, #poller)
          end_of_it:send "x"
          assert.same({ other }, readable(poller))
          other:close()
          far:send "x"
          assert.same({ near }, readable(poller))
          near:recv()
          assert(poller:remove(near))
        end)
        assert.same({ other }, readable(poller))
        other:recv()
        in_child(function() poller:close() end)
        far:send "x"
        assert.same({ near }, readable(poller))
        near:recv()
      end)
      in_child(function() -- which does not use it before it forks
        in_child(function()
          far:send "x"
          assert.same({ near }, readable(poller))
          near:recv()
        end)
      end)
      still_works()
    end)

    forks("bears a fork in a getfd method", function()
      local other, end_of_it = pair()
      local run
      local object = { getfd = function()
        if run then
          local this = run
          run = nil
          this()
        end
        return other:getfd()
      end }
      local function both() -- each side goes on in what has called it
        local pid = forking.fork()
        if pid == 0 then return end
        forking.finish(pid)
      end
      local parent = process.pid()
      local function check()
        end_of_it:send "x"
        assert.same({ object }, readable(poller))
        other:recv()
        far:send "x"
        assert.same({ near }, readable(poller))
        near:recv()
      end
      need.proc(pending)
      for _, method in ipairs { "add", "modify", "remove" } do
        run = both
        local ok, message = pcall(function()
          assert(poller[method](poller, object, "r"))
          if method == "remove" then
            assert.equal(1, #poller)
          else
            check()
          end
        end)
        if not ok then io.stderr:write(tostring(message), "\n") end
        if process.pid() ~= parent then forking.exit(ok and 0 or 1) end
        assert.is_true(ok, message)
      end
      other:close()
      end_of_it:close()
      still_works()
    end)

    forks("forgets what a child has closed behind its back before it looked", function()
      local other, end_of_it = pair()
      local fd = other:getfd()
      assert(poller:add(fd, "r"))
      in_child(function()
        forking.close(fd)
        far:send "x"
        assert.same({ near }, readable(poller))
        near:recv()
        assert.is_false(poller:wait(0))
        assert.equal(1, #poller)
      end)
      assert.equal(2, #poller)
      end_of_it:send "x"
      assert.same({ fd }, readable(poller))
      other:close()
      end_of_it:close()
    end)

    forks("is told nothing of what the parent has closed while a child holds it", function()
      local other, end_of_it = pair()
      local hold, let_go = pair()
      local fd = other:getfd()
      assert(poller:add(fd, "r"))
      local child = forking.start(function() helper.readable(hold) end)
      other:close() -- of which the poller hears nothing, as it knows the number alone
      end_of_it:send "x"
      assert.is_false(poller:wait(0))
      assert.is_false(poller:wait(0))
      assert.equal(1, #poller)
      still_works()
      let_go:send "x"
      forking.finish(child)
      for _, sock in ipairs { end_of_it, hold, let_go } do sock:close() end
    end)

    forks("closes its own descriptors and no others", function()
      need.proc(pending)
      poller:close()
      local before = process.count()
      in_child(function()
        local other = assert(lsocket.poller(backend))
        assert(other:add(near, "r"))
        in_child(function()
          other:close()
          assert.is_true(process.count() <= before)
        end)
        in_child(function()
          assert.is_false(other:wait(0))
          other:close()
          assert.is_true(process.count() <= before)
        end)
        in_child(function()
          other = nil -- luacheck: ignore
          assert.is_true(process.count() <= before)
        end)
      end)
    end)

    forks("serves on while hundreds of children close, collect and end", function()
      local rounds = helper.scale(400)
      local output, status = helper.run(helper.command("forkserver", backend, rounds))
      assert.equal(("%d\n"):format(rounds + 1), output)
      assert.equal(0, status)
    end)
  end)
end

for _, backend in ipairs(helper.backends) do
  if lsocket.poller(backend) then describe_backend(backend) end
end

describe("after a fork, a poller that waits", function()
  local outer, inner, near, far

  before_each(function()
    outer, inner = assert(lsocket.poller()), assert(lsocket.poller())
    near, far = pair()
    assert(inner:add(near, "r"))
  end)

  after_each(function()
    for _, object in ipairs { outer, inner, near, far } do object:close() end
  end)

  forks("keeps the number of its descriptor, which is the child's own", function()
    need.proc(pending)
    local fd = inner:getfd()
    far:send "x"
    assert.same({ fd }, lsocket.select { fd })
    in_child(function()
      assert.is_false(lsocket.select({ fd }, 0)) -- nothing is in it before the poller is used
      assert.equal(fd, inner:getfd())
      assert.same({ fd }, lsocket.select { fd })
      near:close()
      assert.is_false(lsocket.select({ fd }, 0))
      local _, status = helper.run("[ ! -e /proc/self/fd/" .. fd .. " ]")
      assert.equal(0, status)
    end)
    assert.same({ near }, readable(inner))
  end, true)

  forks("is waited for by another one on both sides, whichever is used first", function()
    assert(outer:add(inner, "r"))
    for _, use in ipairs { function() end, function() inner:wait(0) end, function() inner:getfd() end } do
      in_child(function()
        use()
        assert.is_false(outer:wait(0))
        far:send "x"
        assert.same({ inner }, readable(outer))
        assert.same({ near }, readable(inner))
        near:recv()
        assert.is_false(outer:wait(0))
      end)
      in_child(function() near:close() end)
      assert.is_false(outer:wait(0))
      far:send "x"
      assert.same({ inner }, readable(outer))
      assert.same({ near }, readable(inner))
      near:recv()
    end
  end, true)

  forks("can be made and closed in the child", function()
    in_child(function()
      local other = assert(lsocket.poller())
      assert(other:add(near, "r"))
      outer:close()
      far:send "x"
      assert.same({ near }, readable(other))
      assert.same({ near }, readable(inner))
      other:close()
      assert.same({ near }, readable(inner))
    end)
    assert.same({ near }, readable(inner))
  end, true)
end)

describe("after a fork in a task", function()
  -- Echoes between two streams in this process, beside a task that sleeps.
  local function converse()
    local a, b = pair()
    local one, other = stream.new(a), stream.new(b)
    local echo = loop.spawn(function()
      local line = other:read "l"
      while line do -- an iterator could not wait in Lua 5.1
        other:write(line, "\n")
        line = other:read "l"
      end
    end)
    for i = 1, 20 do
      one:write(i, "\n")
      assert.equal(tostring(i), one:read "l")
      if i % 5 == 0 then loop.sleep(0.001) end
    end
    one:close()
    echo:join()
    other:close()
    return true
  end

  forks("the loop runs on, on both sides", function()
    loop.run(function()
      converse()
      local child = forking.fork()
      if child == 0 then forking.exit(loop.spawn(converse):join() == true and 0 or 1) end
      converse()
      forking.finish(child)
      converse()
    end)
  end)
end)
