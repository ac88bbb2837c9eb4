-- lsocket.poller and its methods, the same on every backend that this platform has. Wrong arguments: value_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local pollers = require "spec.pollers"
local process = require "spec.process"

local fails, raises, need = helper.fails, helper.raises, helper.need
local SOON = helper.patience
local pair, wait = pollers.pair, pollers.wait

local function count(array, value)
  local n = 0
  for _, item in ipairs(array) do if item == value then n = n + 1 end end
  return n
end

-- Until the poller tells that the object is readable.
local function await(poller, value)
  helper.eventually("an event", function() return count((wait(poller)), value) == 1 end)
end

local function describe_backend(backend)
  local function open() return assert(lsocket.poller(backend)) end

  describe("a poller with " .. backend, function()
    after_each(pollers.let_go)

    it("tells who is readable and who is writable, each in its array", function()
      local poller, client, server = open(), pair()
      assert.is_true(poller:add(client, "rw"))
      assert.is_true(poller:add(server, "r"))
      local readable, writable = wait(poller)
      assert.same({}, readable)
      assert.same({ client }, writable)
      client:send "x"
      await(poller, server)
      assert.equal("x", server:recv())
    end)

    it("answers false when the time is over", function()
      local poller, client = open(), pair()
      poller:add(client, "r")
      assert.is_false(poller:wait(0))
      local start = helper.now()
      assert.is_false(poller:wait(0.05))
      assert.is_true(helper.now() - start >= 0.049)
      assert.is_false(open():wait(0.01))
    end)

    it("waits as long as it takes without a time, with a negative or an endless one", function()
      local poller, client = open(), pair()
      poller:add(client, "w")
      for _, timeout in ipairs { -1, math.huge } do assert.same({ client }, (select(2, poller:wait(timeout)))) end
      assert.same({ client }, (select(2, poller:wait())))
    end)

    it("refuses to wait for ever for nothing", function()
      local text = "nothing to wait for and no timeout set"
      for _, timeout in ipairs { -1, -math.huge } do
        assert.same({ n = 3, nil, text, "EINVAL" }, helper.pack(open():wait(timeout)))
      end
      assert.same({ n = 3, nil, text, "EINVAL" }, helper.pack(open():wait()))
    end)

    it("gives back the value instead of the object", function()
      local poller, client, server = open(), pair()
      local value = {}
      poller:add(server, "r", value)
      poller:add(client, "w", "the client")
      client:send "x"
      await(poller, value)
      assert.equal(1, count(select(2, wait(poller)), "the client"))
    end)

    it("gives back false, too", function()
      local poller, client = open(), pair()
      poller:add(client, "w", false)
      assert.same({ false }, (select(2, wait(poller))))
    end)

    it("refills the arrays that are passed in", function()
      local poller, client, server = open(), pair()
      poller:add(client, "rw")
      poller:add(server, "rw")
      local r, w = { 1, 2, 3 }, { 1, 2, 3, 4 }
      local readable, writable = poller:wait(SOON, r, w)
      assert.equal(r, readable)
      assert.equal(w, writable)
      assert.same({}, r)
      assert.equal(2, #w)
      poller:remove(server)
      poller:wait(SOON, r, w)
      assert.same({ client }, w)
    end)

    it("allocates nothing when it refills arrays", function()
      local poller, client, server = open(), pair()
      poller:add(client, "rw")
      poller:add(server, "w")
      local r, w = {}, {}
      local function wait_often()
        for _ = 1, 100 do poller:wait(SOON, r, w) end
        return collectgarbage "count"
      end
      if jit then jit.off() end -- it allocates while it compiles
      collectgarbage()
      collectgarbage "stop"
      local after = wait_often() -- lets the stack grow, which the collector may have shrunk
      local before
      for _ = 1, 5 do -- what allocates once is not the poller
        before, after = after, wait_often()
        if before == after then break end
      end
      collectgarbage "restart"
      if jit then jit.on() end
      assert.equal(before, after)
    end)

    it("counts what is registered", function()
      local poller, client, server = open(), pair()
      assert.equal(0, #poller)
      poller:add(client, "r")
      poller:add(server, "r")
      assert.equal(2, #poller)
      poller:modify(client, "w")
      assert.equal(2, #poller)
      poller:remove(client)
      assert.equal(1, #poller)
    end)

    it("changes what it asks about, and the value", function()
      local poller, client = open(), pair()
      poller:add(client, "r", "first")
      assert.is_false(poller:wait(0))
      assert.is_true(poller:modify(client, "w"))
      assert.same({ "first" }, (select(2, wait(poller))))
      assert.is_true(poller:modify(client, "w", "second"))
      assert.same({ "second" }, (select(2, wait(poller))))
      assert.is_true(poller:modify(client, "w", client))
      assert.same({ client }, (select(2, wait(poller))))
      assert.is_true(poller:modify(client, "r"))
      assert.is_false(poller:wait(0))
      assert.is_true(poller:remove(client))
    end)

    it("registers an object once", function()
      local poller, client = open(), pair()
      poller:add(client, "r")
      fails("EEXIST", poller:add(client, "w"))
      assert.is_false(poller:wait(0))
    end)

    it("changes and removes nothing but what is registered", function()
      local poller, client = open(), pair()
      fails("ENOENT", poller:modify(client, "r"))
      fails("ENOENT", poller:remove(client))
      poller:add(client, "r")
      assert.is_true(poller:remove(client))
      fails("ENOENT", poller:remove(client))
    end)

    it("refuses a closed socket", function()
      local poller, client = open(), pair()
      client:close()
      fails("EBADF", poller:add(client, "r"))
      fails("EBADF", poller:modify(client, "r"))
      fails("EBADF", poller:remove(client))
    end)

    it("forgets a socket that is closed", function()
      local poller, client, server = open(), pair()
      poller:add(client, "rw")
      poller:add(server, "rw")
      client:close()
      assert.equal(1, #poller)
      await(poller, server)
      server:close()
      assert.equal(0, #poller)
      assert.is_false(poller:wait(0))
    end)

    it("forgets a socket whose descriptor is given away", function()
      local poller, client = open(), pair()
      local fd = client:getfd()
      poller:add(client, "w")
      client:setfd(-1)
      assert.equal(0, #poller)
      assert.is_false(poller:wait(0))
      assert.is_true(poller:add(fd, "w", "by number"))
      assert.same({ "by number" }, (select(2, wait(poller))))
    end)

    it("takes a descriptor that is used again for a new object", function()
      local poller = open()
      helper.settle()
      for _ = 1, 20 do
        local old = assert(lsocket.bind("udp", "127.0.0.1", 0))
        local fd = old:getfd()
        poller:add(old, "rw", "old")
        old:close()
        local new = assert(lsocket.bind("udp", "127.0.0.1", 0))
        assert.equal(fd, new:getfd())
        assert.is_false(poller:wait(0))
        assert.is_true(poller:add(new, "w", "new"))
        assert.same({ "new" }, (select(2, wait(poller))))
        new:close()
      end
      assert.equal(0, #poller)
    end)

    it("takes the number of a foreign descriptor that was closed behind its back", function()
      helper.settle()
      local poller, old = open(), assert(lsocket.bind("udp", "127.0.0.1", 0))
      local foreign = { getfd = function(self) return self.fd end, fd = old:getfd() }
      assert.is_true(poller:add(foreign, "w"))
      assert.same({ foreign }, (select(2, wait(poller))))
      old:close()
      assert.is_false(poller:wait(0))
      local new = assert(lsocket.bind("udp", "127.0.0.1", 0))
      assert.equal(foreign.fd, new:getfd())
      assert.is_false(poller:wait(0))
      assert.is_true(poller:add(new, "w"))
      assert.equal(1, #poller)
      assert.same({ new }, (select(2, wait(poller))))
    end)

    it("waits for ever with any time below zero, as select does", function()
      local poller, client, server = open(), pair()
      poller:add(server, "r")
      for _, timeout in ipairs { -1, -1e-300, -1e300, -math.huge, math.huge, 1e300, 2e8 } do
        client:send "x"
        assert.same({ server }, (wait(poller, timeout)))
        assert.same({ server }, (lsocket.select({ server }, timeout)))
        server:recv()
      end
      assert.is_false(poller:wait(-0.0))
      for _, timeout in ipairs { -1, -1e-300, -math.huge } do
        for _, results in ipairs { helper.pack(open():wait(timeout)), helper.pack(lsocket.select(timeout)) } do
          assert.same({ nil, "EINVAL" }, { results[1], results[3] })
        end
      end
    end)

    it("is closed by a finalizer while it adds", function()
      for _ = 1, 20 do
        local poller, client = open(), pair()
        helper.when_collected(function() poller:close() end)
        local ok = poller:add(client, "w", {})
        collectgarbage()
        assert.is_true(ok == true or ok == nil)
        fails("EBADF", poller:wait(0))
      end
    end)

    it("keeps what is registered alive", function()
      local poller = open()
      poller:add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "w")
      poller:add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "w", "a value")
      for _ = 1, 3 do collectgarbage() end
      local _, writable = wait(poller)
      assert.equal(2, #writable)
      assert.equal(1, count(writable, "a value"))
    end)

    it("is garbage together with what it alone keeps", function()
      need.proc(pending)
      local before = process.count()
      for _ = 1, 20 do open():add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "r") end
      assert.is_true(process.count() <= before)
    end)

    it("tells a failure and a hang-up as whatever was asked for", function()
      local poller, refused = open(), helper.refused()
      poller:add(refused, "rw")
      local readable, writable = wait(poller)
      assert.same({ refused }, readable)
      assert.same({ refused }, writable)
      fails("ECONNREFUSED", refused:status())
      poller:modify(refused, "w")
      readable, writable = wait(poller)
      assert.same({}, readable)
      assert.same({ refused }, writable)
    end)

    it("tells the end of a stream as readable", function()
      local poller, client, server = open(), pair()
      poller:add(client, "r")
      server:close()
      await(poller, client)
      assert.is_nil(client:recv())
    end)

    it("takes integers and whatever has a getfd method", function()
      local poller, client, server = open(), pair()
      local object = { getfd = function() return server:getfd() end }
      assert.is_true(poller:add(client:getfd(), "w"))
      assert.is_true(poller:add(object, "w"))
      local _, writable = wait(poller)
      assert.equal(2, #writable)
      assert.equal(1, count(writable, client:getfd()))
      assert.equal(1, count(writable, object))
      assert.is_true(poller:remove(client:getfd()))
      assert.is_true(poller:remove(object))
    end)

    it("is not disturbed by changes in a loop over the results", function()
      local poller, socks = open(), {}
      for i = 1, 40 do
        socks[i] = assert(lsocket.bind("udp", "127.0.0.1", 0))
        poller:add(socks[i], "w")
      end
      local seen = 0
      local _, writable = wait(poller)
      for i, sock in ipairs(writable) do
        seen = seen + 1
        if i % 4 == 0 then sock:close()
        elseif i % 4 == 1 then assert(poller:remove(sock))
        elseif i % 4 == 2 then assert(poller:modify(sock, "r"))
        else assert(poller:add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "w", "added")) end
      end
      assert.equal(40, seen)
      assert.equal(30, #poller)
      _, writable = wait(poller)
      assert.equal(20, #writable)
      assert.equal(10, count(writable, "added"))
    end)

    it("gives everybody a turn where very many are ready", function()
      local poller, seen, told = open(), {}, 0
      for i = 1, 1000 do poller:add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "w", i) end
      for _ = 1, 100 do
        local _, writable = wait(poller)
        assert.is_true(#writable > 0)
        for _, i in ipairs(writable) do
          if not seen[i] then seen[i], told = true, told + 1 end
        end
        if told == 1000 then break end
      end
      assert.equal(1000, told)
    end)

    it("shares a socket with another poller", function()
      local one, two, client = open(), open(), pair()
      assert.is_true(one:add(client, "w", 1))
      assert.is_true(two:add(client, "w", 2))
      assert.same({ 1 }, (select(2, wait(one))))
      assert.same({ 2 }, (select(2, wait(two))))
      one:remove(client)
      assert.same({ 2 }, (select(2, wait(two))))
      client:close()
      assert.equal(0, #one + #two)
    end)

    it("leaves open what is registered when it is closed, and then answers EBADF", function()
      local poller, client = open(), pair()
      poller:add(client, "w")
      assert.is_true(poller:close())
      assert.is_true(poller:close())
      assert.equal(0, #poller)
      assert.equal(-1, poller:getfd())
      assert.is_true(client:status())
      fails("EBADF", poller:wait(0))
      fails("EBADF", poller:add(client, "r"))
      fails("EBADF", poller:modify(client, "r"))
      fails("EBADF", poller:remove(client))
      local another = open()
      assert.is_true(another:add(client, "w"))
      assert.same({ client }, (select(2, wait(another))))
    end)

    it("lets go of what was registered when it is closed", function()
      need.proc(pending)
      local before = process.count()
      local poller = open()
      poller:add(assert(lsocket.bind("udp", "127.0.0.1", 0)), "r")
      poller:close()
      assert.is_true(process.count() <= before)
    end)

    it("names what it takes where it is given something else", function()
      local poller = open()
      local wanted = "bad argument #1 to '%s' (socket, descriptor or object with getfd expected, got %s)"
      for _, odd in ipairs { {}, print, true, "x" } do
        local kind = type(odd)
        raises(wanted:format("add", kind), function() poller:add(odd, "r") end)
        raises(wanted:format("modify", kind), function() poller:modify(odd, "r") end)
        raises(wanted:format("remove", kind), function() poller:remove(odd) end)
      end
    end)

    it("outlives its finalizer, called by hand", function()
      local poller = open()
      getmetatable(poller).__gc(poller)
      fails("EBADF", poller:wait(0))
      raises("poller expected, got userdata", getmetatable(poller).__gc, io.stdout)
      raises("poller expected, got userdata", poller.wait, assert(lsocket.bind("udp", 0)))
    end)

    it("is shown with its type", function()
      local poller = open()
      assert.truthy(tostring(poller):find "^poller: 0?x?%x+")
      assert.equal("poller", getmetatable(poller).__type)
    end)

    it("keeps account of connections that come and go at random", function()
      local poller, listener, port = open(), helper.bind("127.0.0.1", 0)
      local clients, server_of, sent, got = {}, {}, {}, {}
      local seed = 20261122
      local function random(n)
        seed = seed * 16807 % 2147483647
        return seed % n + 1
      end

      local function connect()
        local client, server = helper.connect_to(listener, "127.0.0.1", port)
        clients[#clients + 1], server_of[client], sent[server], got[server] = client, server, 0, 0
        assert(poller:add(server, "r"))
      end

      local function disconnect() -- the end that is registered goes first, or the other
        local client = table.remove(clients, random(#clients))
        if random(2) == 1 then server_of[client]:close() end
        client:close()
      end

      local function send()
        local client = clients[random(#clients)]
        local server = server_of[client]
        sent[server] = sent[server] + assert(client:send "12345")
      end

      local function receive(timeout)
        for _, sock in ipairs((wait(poller, timeout))) do
          assert.is_true(sock:getfd() >= 0)
          local data = sock:recv(3)
          assert.is_not_false(data)
          if data then
            got[sock] = got[sock] + #data
          else
            assert.equal(sent[sock], got[sock])
            sock:close()
          end
        end
      end

      for _ = 1, helper.scale(4000) do
        local what = random(8)
        if what == 1 and #clients < 100 or #clients == 0 then connect()
        elseif what == 2 then disconnect()
        else send() end
        receive(0)
      end
      for _, client in ipairs(clients) do client:close() end
      helper.eventually("the end of every connection", function()
        receive(0)
        return #poller == 0
      end)
    end)

    it("accounts for every byte between two processes, whoever closes when", function()
      helper.need.proc(pending)
      local visitor, connections = helper.command "turmoil", helper.scale(400)
      local output, status = helper.run(helper.command("turmoil", "serve", connections, backend, visitor))
      assert.equal(0, status, output)
    end)
  end)
end

describe("lsocket.poller", function()
  it("keeps what the system does not let go, but not what is closed", function()
    need.injection(pending)
    if not lsocket.poller "epoll" then pending "needs epoll" end
    local output = helper.run(helper.inject("epoll_ctl", "ENOMEM:when=3+2", "remove", "epoll"))
    assert.equal("nil\tCannot allocate memory\tENOMEM\n2\t2\ntrue\n1\t1\n0\t0\n", output)
  end)

  it("takes the best backend where none is named", function()
    local poller, best = assert(lsocket.poller()), nil
    for _, backend in ipairs(helper.backends) do best = best or lsocket.poller(backend) and backend end
    assert.equal(best ~= "poll", poller:getfd() ~= nil)
  end)

  it("fails where the platform has no such backend, and raises for one that nobody knows", function()
    for _, backend in ipairs { "epoll", "kqueue", "afd", "poll" } do
      local poller, message, name = lsocket.poller(backend)
      if not poller then
        assert.equal("EOPNOTSUPP", name)
        assert.equal("string", type(message))
      end
    end
    raises("no backend is called 'select'", lsocket.poller, "select")
  end)
end)

for _, backend in ipairs(helper.backends) do
  if lsocket.poller(backend) then
    describe_backend(backend)
  end
end

describe("a poller that waits", function()
  after_each(pollers.let_go)

  it("can itself be waited for, by select and by another one", function()
    local inner, outer, client, server = assert(lsocket.poller()), assert(lsocket.poller()), pair()
    if not inner:getfd() then pending "this system has no backend with a descriptor" end
    inner:add(server, "r")
    assert.is_true(outer:add(inner, "r"))
    assert.is_false(outer:wait(0))
    assert.is_false(lsocket.select({ inner }, 0))
    client:send "x"
    assert.same({ inner }, (wait(outer)))
    assert.same({ inner }, (lsocket.select({ inner }, SOON)))
    assert.same({ server }, (wait(inner)))
    inner:close()
    assert.equal(0, #outer)
  end)

  it("cannot be where the kernel has no descriptor for it", function()
    local poller = assert(lsocket.poller "poll")
    fails("EOPNOTSUPP", poller:getfd())
    raises("getfd: Operation not supported", lsocket.select, { poller }, 0)
  end)
end)
