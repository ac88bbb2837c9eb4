-- What the loop waits with: a poller or a ring. That it makes no difference else, tools/check looks at, with the specs
-- of the loop.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local process = require "spec.process"
local toy = require "spec.layer.toy"

local raises = helper.raises

-- Calls fn with two ends of a connection, in a run with a ring.
local function with_ring(pending, fn)
  local engine, message = loop.engine "ring"
  if not engine then pending("no ring here: " .. message) end
  local one, two = lsocket.pair()
  loop.run(loop.deadline, helper.patience, function()
    fn(stream.new(one), stream.new(two))
    one:close()
    two:close()
  end)
end

describe("loop.engine", function()
  after_each(function() loop.engine "poller" end)

  it("is the poller unless another one is chosen", function()
    assert.equal("poller", loop.engine "poller")
    assert.equal("poller", loop.engine())
  end)

  it("is a ring where there is one, else says why not", function()
    local ring, message, name = lsocket.ring()
    if ring then
      assert.equal("ring", loop.engine "ring")
      assert.equal("ring", loop.engine())
    else
      assert.same({ n = 3, nil, message, name }, helper.pack(loop.engine "ring"))
      assert.equal("poller", loop.engine())
    end
  end)

  it("has no other name", function()
    raises("bad argument #1 to 'engine' (poller or ring expected)", loop.engine, "epoll")
    raises("bad argument #1 to 'engine' (poller or ring expected)", loop.engine, 1)
  end)

  it("is the poller, without a word, where the environment asks for a ring that the system forbids", function()
    helper.need.injection(pending)
    for _, failure in ipairs { "EPERM", "ENOSYS", "ENOMEM" } do
      local output, status = helper.run("LSOCKET_ENGINE=ring " .. helper.inject("io_uring_setup", failure, "engine"))
      assert.same({ "poller: pong\n", 0 }, { output, status })
    end
  end)

  it("is the poller, without a word, where a filter forbids rings, as in containers", function()
    helper.need.tool(pending, "cc -fsyntax-only spec/forbid.c")
    if select(3, lsocket.ring()) == "ENOSYS" then pending "no rings here" end
    finally(helper.remove_paths)
    local forbid = helper.path()
    assert.equal(0, select(2, helper.run("cc -o " .. forbid .. " spec/forbid.c")))
    for _, failure in ipairs { "EPERM", "ENOSYS" } do
      local filtered = ("%s %s env LSOCKET_ENGINE=ring "):format(forbid, failure)
      local output, status = helper.run(filtered .. helper.command "engine")
      if status == 125 then pending "no filters of system calls here" end
      assert.same({ "poller: pong\n", 0 }, { output, status })
      output = helper.run(filtered .. helper.command "ring")
      assert.truthy(output:find("\t" .. failure .. "\n0 more\n", 1, true), output)
    end
  end)

  it("works, one way or the other, where no memory may be locked", function()
    local bare = "setpriv --reuid=65534 --bounding-set=-all --inh-caps=-all "
    helper.need.tool(pending, bare .. "test -r spec/helper.lua") -- others may not read this folder
    local output = helper.run("ulimit -l 0; exec " .. bare .. "env LSOCKET_ENGINE=ring " .. helper.command "engine")
    assert.truthy(output:find "^poller: pong\n" or output:find "^ring: pong\n", output)
  end)

  it("is what the environment says", function()
    if not lsocket.ring() then pending "no ring here" end
    local output = helper.run("LSOCKET_ENGINE=ring " .. helper.command "engine")
    assert.equal("ring: pong\n", output)
  end)
end)

describe("the loop with a ring", function()
  after_each(function() loop.engine "poller" end)

  it("receives nothing before a task reads", function()
    with_ring(pending, function(a, b)
      local reader = loop.spawn(b.readexactly, b, 5)
      a:write "first"
      assert.equal("first", reader:join())
      a:write "second"
      loop.sleep(0.001)
      assert.equal("second", b:getsocket():recv())
    end)
  end)

  it("loses no byte where a read is cancelled as it comes", function()
    with_ring(pending, function(a, b)
      for i = 1, 200 do
        local reader = loop.spawn(b.readsome, b)
        loop.sleep(0)
        a:write(("%04d"):format(i))
        if i % 2 == 0 then reader:cancel() end
        local got = reader:join() or b:readexactly(4)
        assert.equal(("%04d"):format(i), got)
      end
    end)
  end)

  it("tells how much was sent where a write is cut off", function()
    with_ring(pending, function(a, b)
      local piece, taken = ("x"):rep(4096), 0
      local ok, _, name, count
      repeat
        ok, _, name, count = loop.deadline(0.01, a.write, a, piece)
        taken = taken + (ok and #piece or count)
      until not ok
      assert.equal("ETIMEDOUT", name)
      a:shutdown "w"
      assert.equal(taken, #b:read "a")
    end)
  end)

  it("sends what was written before the end is said, or the socket is used", function()
    with_ring(pending, function(a, b)
      local writer = loop.spawn(a.write, a, "before")
      local reader = loop.spawn(b.read, b, "a")
      loop.sleep(0)
      assert.is_true(a:shutdown "w")
      assert.is_true(writer:join())
      assert.equal("before", reader:join())
    end)
  end)

  -- Does a write for which there is room wait?
  local function waits(writer)
    local ran = false
    local other = loop.spawn(function() ran = true end)
    assert(writer:write "x")
    local has_run = ran
    other:join()
    return has_run
  end

  it("writes to a pipe at once, which the ring does not do", function()
    helper.need.proc(pending)
    with_ring(pending, function()
      local file, fd = process.open(io.popen, "cat > /dev/null", "w")
      local pipe = stream.new(assert(lsocket.fromfd(fd)))
      assert.is_false(waits(pipe))
      pipe:getsocket():detach()
      file:close()
    end)
  end)

  it("writes through a layer at once, which the ring does not do", function()
    toy.need(pending)
    finally(toy.forget)
    with_ring(pending, function(a)
      toy.start(a:getsocket(), "ready")
      assert.is_false(waits(a))
    end)
  end)

  it("answers as much as on the poller where there is more than a request receives", function()
    with_ring(pending, function(a, b)
      local reader = loop.spawn(b.readsome, b)
      loop.sleep(0)
      a:write(("x"):rep(65536))
      assert.equal(65536, #reader:join())
      a:write(("y"):rep(5000), "\n")
      assert.equal(5000, #b:read())
    end)
  end)

  -- What a storm of connections prints at its end. "make check" has more of them.
  local function storm(how)
    helper.need.proc(pending)
    helper.need.tool(pending, "cc --version")
    local output, status = helper.run(helper.command("ringstorm", "ring", helper.scale(200), os.time(), how))
    assert.equal(0, status, output)
    return output
  end

  it("loses and doubles no byte, whatever is cancelled, closed, reset, collected or forked", function()
    local output = storm "end"
    assert.truthy(output:find("\n0 descriptors more\n", 1, true), output)
  end)

  it("can be closed with everything in flight", function()
    local output = storm "close"
    assert.truthy(output:find(" connections are in flight\n", 1, true), output)
  end)

  it("is not disturbed by the child of a fork", function()
    local forking = require "spec.forking"
    forking.need(pending)
    with_ring(pending, function(a, b)
      local reader = loop.spawn(b.readexactly, b, 4)
      loop.sleep(0)
      local child = forking.start(function() os.exit(0, false) end)
      forking.finish(child)
      a:write "more"
      assert.equal("more", reader:join())
    end)
  end)
end)
