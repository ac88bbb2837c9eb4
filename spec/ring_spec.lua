-- Rings: requests to receive, to send, to accept and to poll, and what wait tells of them.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local SOON = helper.patience
local LARGEST = 4096 -- bytes of a request

describe("a ring", function()
  local ring, near, far
  local received, data, sent, counts

  -- All that there is until then: how many have received, how many have sent.
  local function wait(timeout)
    local r, s, other = ring:wait(timeout or SOON, received, data, sent, counts)
    if r then return r, s end
    return nil, s, other
  end

  -- One end of a request that receives must come: what it gives, and for what value.
  local function receive_one()
    assert.same({ 1, 0 }, { wait() })
    return data[1], received[1]
  end

  local function send_one()
    assert.same({ 0, 1 }, { wait() })
    return counts[1], sent[1]
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

  describe("that receives", function()
    uses("gives what comes, once", function()
      local value = {}
      assert.is_true(ring:receive(near, value))
      assert.same({ 0, 0 }, { wait(0) })
      assert.equal(1, #ring)
      far:send "some bytes"
      local bytes, whose = receive_one()
      assert.equal("some bytes", bytes)
      assert.equal(value, whose)
      assert.equal(0, #ring)
      far:send "more"
      assert.same({ 0, 0 }, { wait(0) })
      assert.equal("more", near:recv())
    end)

    uses("gives the object where there is no other value", function()
      assert(ring:receive(near))
      far:send "x"
      assert.equal(near, select(2, receive_one()))
      assert(ring:receive(near, nil))
      far:send "x"
      assert.equal(near, select(2, receive_one()))
    end)

    uses("takes any value", function()
      for _, value in ipairs { 1, 1, 2.5, "text", true, false, ring, print } do
        assert(ring:receive(near, value))
        far:send "x"
        assert.equal(value, select(2, receive_one()))
      end
    end)

    uses("gives as much as is wanted, and no more than 4096 bytes", function()
      far:send(("x"):rep(LARGEST + 1))
      assert(ring:receive(near, 1, 3))
      assert.equal("xxx", (receive_one()))
      assert(ring:receive(near, 1, 100000))
      assert.equal(LARGEST - 3 + 1, #receive_one())
      far:send(("y"):rep(3 * LARGEST))
      assert(ring:receive(near, 1))
      assert.equal(("y"):rep(LARGEST), (receive_one()))
    end)

    uses("gives bytes of every kind", function()
      assert(ring:receive(near, 1))
      far:send "\0a\0\255"
      assert.equal("\0a\0\255", (receive_one()))
    end)

    uses("tells the end", function()
      assert(ring:receive(near, 1))
      far:close()
      assert.is_false((receive_one()))
      assert(ring:receive(near, 1))
      assert.is_false((receive_one()))
    end)

    uses("tells a failure by a table", function()
      local client, server = helper.tcp()
      server:setopt("linger", 0)
      assert(ring:receive(client, 1))
      server:close()
      assert.same({ message = helper.texts.ECONNRESET, name = "ECONNRESET" }, (receive_one()))
      client:close()
    end)

    uses("has one request of a socket, which another value does not share", function()
      assert(ring:receive(near, 1))
      helper.fails("EBUSY", ring:receive(near, 1))
      helper.fails("EBUSY", ring:receive(near, 2))
      helper.fails("EBUSY", ring:poll(near:getfd(), 1))
      far:send "x"
      assert(ring:submit())
      helper.fails("EBUSY", ring:receive(near, 1))
      assert.equal("x", (receive_one()))
      assert(ring:receive(near, 2))
    end)

    uses("serves many at once", function()
      local pairs_of, count = {}, 300 -- more than the queue of requests has room for
      for i = 1, count do
        local a, b = lsocket.pair()
        if not a then break end
        pairs_of[i] = { a, b }
        assert(ring:receive(a, i))
        assert(ring:send(b, i, "to " .. i))
      end
      count = #pairs_of
      local got, all = {}, 0
      while #ring > 0 do
        local r, s = wait()
        assert.is_true(r + s > 0)
        for i = 1, r do got[received[i]] = data[i] end
        for i = 1, s do assert.is_true(counts[i]) end
        all = all + r
      end
      assert.equal(count, all)
      for i = 1, count do assert.equal("to " .. i, got[i]) end
      for _, both in ipairs(pairs_of) do
        both[1]:close()
        both[2]:close()
      end
    end)
  end)

  describe("that sends", function()
    uses("sends all pieces up to nil", function()
      local value = {}
      assert.is_true(ring:send(near, value, "some", " ", 1, "", nil, "thing"))
      local all, whose = send_one()
      assert.is_true(all)
      assert.equal(value, whose)
      assert.equal("some 1", far:recv())
    end)

    uses("has its own copy of them", function()
      assert(ring:send(near, 1, ("x"):rep(LARGEST)))
      collectgarbage()
      collectgarbage()
      assert.is_true((send_one()))
      assert.equal(("x"):rep(LARGEST), helper.receive(far, LARGEST))
    end)

    uses("does not take more than 4096 bytes, or none", function()
      assert.is_false(ring:send(near, 1, ("x"):rep(LARGEST + 1)))
      assert.is_false(ring:send(near, 1, ("x"):rep(LARGEST), "x"))
      assert.is_false(ring:send(near, 1, ""))
      assert.equal(0, #ring)
    end)

    uses("has one request of a socket", function()
      assert(ring:send(near, 1, "x"))
      helper.fails("EBUSY", ring:send(near, 1, "y"))
      assert(ring:receive(near, 1))
      assert.same({ true, true }, { ring:busy(near) })
    end)

    uses("ends when everything was taken", function()
      local text = helper.fill(near)
      assert(ring:send(near, 1, ("z"):rep(LARGEST)))
      assert.same({ 0, 0 }, { wait(0.02) })
      helper.receive(far, text)
      assert.is_true((send_one()))
      assert.equal(("z"):rep(LARGEST), helper.receive(far, LARGEST))
    end)

    uses("tells a failure by a table", function()
      far:close()
      assert(ring:send(near, 1, "x"))
      assert.same({ message = helper.texts.EPIPE, name = "EPIPE" }, (send_one()))
    end)

    uses("says false where its blocks are used up", function()
      local stuck = {}
      local full = false
      for i = 1, 600 do
        local a, b = lsocket.pair()
        if not a then break end
        helper.fill(a)
        stuck[i] = { a, b }
        full = assert(ring:send(a, i, "x") ~= nil) and ring:busy(a) == false and select(2, ring:busy(a)) == false
        if full then break end
      end
      if not full then pending "not enough descriptors" end
      assert.equal(513, #stuck)
      assert.is_true(ring:cancel(stuck[1][1], "w") ~= nil)
      assert.is_true(ring:send(stuck[513][1], 513, "x"))
      for _, both in ipairs(stuck) do
        both[1]:close()
        both[2]:close()
      end
    end)
  end)

  describe("that accepts", function()
    local listener, port

    before_each(function()
      listener = assert(lsocket.bind("127.0.0.1", 0))
      port = helper.port(listener)
    end)
    after_each(function() listener:close() end)

    uses("gives one socket after another", function()
      local value, clients = {}, {}
      assert.is_true(ring:accept(listener, value))
      helper.fails("EBUSY", ring:accept(listener, value))
      for round = 1, 3 do
        for _ = 1, round do clients[#clients + 1] = assert(lsocket.connect("127.0.0.1", port, SOON)) end
        local count = 0
        while count < round do
          local r = wait()
          for i = 1, r do
            assert.equal(value, received[i])
            local info = data[i]:info()
            assert.same({ "inet", "tcp", false }, { info.family, info.type, info.listening })
            assert.is_false(data[i]:recv()) -- it does not block
            data[i]:send "hello"
            data[i]:close()
          end
          count = count + r
        end
        assert.equal(round, count)
        assert.equal(1, #ring)
      end
      for _, client in ipairs(clients) do
        assert.equal("hello", helper.receive(client, 5))
        client:close()
      end
    end)

    uses("loses none that came before it is cancelled", function()
      assert(ring:accept(listener, 1))
      local client = assert(lsocket.connect("127.0.0.1", port, SOON))
      helper.readable(listener)
      assert(ring:submit())
      local stop = ring:cancel(listener, "r")
      assert.equal("ECANCELED", stop.name)
      assert.is_false((ring:busy(listener)))
      local server = receive_one()
      client:send "x"
      assert.equal("x", helper.receive(server, 1))
      client:close()
      server:close()
      assert(ring:accept(listener, 2))
    end)

    uses("gives those that came before the listener is closed", function()
      assert(ring:accept(listener, 1))
      local client = assert(lsocket.connect("127.0.0.1", port, SOON))
      helper.readable(listener)
      assert(ring:submit())
      listener:close()
      assert.same({ 2, 0 }, { wait() })
      assert.equal("ECANCELED", data[2].name)
      client:send "x"
      assert.equal("x", helper.receive(data[1], 1))
      data[1]:close()
      client:close()
      assert.equal(0, #ring)
    end)

    uses("closes what nobody has got", function()
      assert(ring:accept(listener, 1))
      local client = assert(lsocket.connect("127.0.0.1", port, SOON))
      helper.readable(listener)
      assert(ring:submit())
      ring:close()
      helper.readable(client)
      assert.is_nil(client:recv())
      client:close()
    end)

    uses("tells what is no listener", function()
      assert(ring:accept(near, 1))
      assert.same({ message = helper.texts.EINVAL, name = "EINVAL" }, (receive_one()))
      assert.equal(0, #ring)
    end)
  end)

  describe("that polls", function()
    uses("tells once that there is something", function()
      for _, object in ipairs { near, near:getfd() } do
        assert.is_true(ring:poll(object, "it"))
        assert.same({ 0, 0 }, { wait(0) })
        far:send "x"
        assert.same({ true, "it" }, { receive_one() })
        near:recv()
        assert.equal(0, #ring)
        ring:remove(object)
      end
    end)

    uses("tells that there is room to write, or either", function()
      assert(ring:poll(near, 1, "w"))
      assert.is_true((receive_one()))
      helper.fill(near)
      assert(ring:poll(near, 1, "w"))
      assert.same({ 0, 0 }, { wait(0) })
      assert.equal("ECANCELED", ring:cancel(near, "r").name)
      far:send "x"
      assert(ring:poll(near, 1, "rw"))
      assert.is_true((receive_one()))
    end)

    uses("knows a poller", function()
      local poller = assert(lsocket.poller())
      assert(poller:add(near, "r"))
      assert(ring:poll(poller, "poller"))
      far:send "x"
      assert.same({ true, "poller" }, { receive_one() })
      ring:remove(poller)
      poller:close()
    end)

    uses("waits until a connection is there", function()
      local listener, port = helper.bind("127.0.0.1", 0)
      local client = assert(lsocket.connect("127.0.0.1", port or helper.port(listener)))
      assert(ring:poll(client, 1, "w"))
      assert.is_true((receive_one()))
      assert.is_true(client:status())
      client:close()
      listener:close()
    end)
  end)

  describe("that cancels", function()
    uses("gives what the request has come to", function()
      assert.is_nil(ring:cancel(near, "r"))
      assert(ring:receive(near, 1))
      assert.same({ message = helper.texts.ECANCELED, name = "ECANCELED" }, ring:cancel(near, "r"))
      assert.is_nil(ring:cancel(near, "r"))
      assert.same({ 0, 0 }, { wait(0) })
      far:send "x"
      assert.equal("x", near:recv())
    end)

    uses("loses no byte that has come", function()
      assert(ring:receive(near, 1))
      far:send "x"
      assert(ring:submit())
      assert.equal("x", ring:cancel(near, "r"))
      assert(ring:receive(near, 1))
      far:send "y"
      local what = ring:cancel(near, "r")
      assert.equal("y", type(what) == "string" and what or near:recv())
    end)

    uses("tells how many bytes were sent", function()
      local before = helper.fill(near)
      assert(ring:send(near, 1, ("z"):rep(LARGEST)))
      local what = ring:cancel(near, "w")
      assert.equal("ECANCELED", what.name)
      assert.same({ false, false }, { ring:busy(near) })
      assert.equal(before, #helper.receive(far, before))
      assert.is_false(far:recv())
      assert(ring:send(near, 1, "all"))
      assert.is_true(ring:cancel(near, "w"))
      assert.equal("all", far:recv())
    end)

    uses("leaves those of others alone", function()
      local a, b = lsocket.pair()
      assert(ring:receive(near, 1) and ring:receive(a, 2) and ring:send(a, 2, "to b"))
      b:send "to a"
      assert.equal("ECANCELED", ring:cancel(near, "r").name)
      assert.same({ 1, 1 }, { wait() })
      assert.same({ "to a", 2, true, 2 }, { data[1], received[1], counts[1], sent[1] })
      assert.equal("to b", b:recv())
      a:close()
      b:close()
    end)
  end)

  describe("and closed sockets", function()
    uses("gives what a request had come to before", function()
      local a, b = lsocket.pair()
      b:send "before"
      assert(ring:receive(a, 2) and ring:receive(near, 1) and ring:send(near, 1, "sent"))
      assert(ring:submit())
      near:close()
      a:close()
      assert.is_true(ring:cancel(near, "w"))
      assert.is_nil(ring:cancel(near, "w"))
      assert.equal("before", ring:cancel(a, "r"))
      assert.equal("ECANCELED", ring:cancel(near, "r").name)
      assert.equal(0, #ring)
      assert.equal("sent", far:recv())
      b:close()
    end)

    uses("tells that the request was cancelled, and uses the number again at once", function()
      local value = {}
      assert(ring:receive(near, value))
      local number = near:getfd()
      near:close()
      assert.equal(1, #ring)
      local other, end_of_it = lsocket.pair()
      if other:getfd() ~= number then other, end_of_it = end_of_it, other end
      assert.equal(number, other:getfd())
      assert(ring:receive(other, value))
      end_of_it:send "for the other"
      assert.same({ 2, 0 }, { wait() })
      assert.same({ value, value }, received)
      assert.equal("ECANCELED", data[1].name)
      assert.equal("for the other", data[2])
      other:close()
      end_of_it:close()
    end)

    uses("sends first what can be sent", function()
      assert(ring:send(near, 1, "goodbye"))
      near:close()
      assert.equal("goodbye", far:recv())
      assert.is_nil(far:recv())
      assert.is_true((send_one()))
    end)

    uses("keeps sockets and values alive while they have requests", function()
      local collected
      do
        local a, b = lsocket.pair()
        local value = setmetatable({}, { __index = { b } })
        collected = setmetatable({ a, b, value }, { __mode = "v" })
        assert(ring:receive(a, value))
      end
      collectgarbage()
      collectgarbage()
      assert.truthy(collected[1])
      collected[2]:send "x"
      assert.equal("x", (receive_one()))
      assert.is_true(ring:remove(collected[1]))
      received = {}
      collectgarbage()
      collectgarbage()
      collectgarbage()
      assert.is_nil(collected[3])
    end)

    uses("forgets only what has no request", function()
      assert.is_true(ring:remove(near))
      assert(ring:receive(near, 1))
      assert.is_false(ring:remove(near))
      far:send "x"
      receive_one()
      assert.is_true(ring:remove(near))
    end)
  end)

  describe("that waits", function()
    uses("clears what is left in the arrays", function()
      received, data, sent, counts = { 1, 2, 3 }, { 1, 2, 3 }, { 1, 2, 3 }, { 1, 2, 3 }
      assert(ring:receive(near, "value"))
      far:send "x"
      assert.equal("x", (receive_one()))
      assert.same({ { "value" }, { "x" }, {}, {} }, { received, data, sent, counts })
    end)

    uses("does so no longer than it is told", function()
      assert(ring:receive(near, 1))
      local start = helper.now()
      assert.same({ 0, 0 }, { wait(0.03) })
      assert.is_true(helper.now() - start >= 0.029)
      assert.same({ 0, 0 }, { wait(0) })
    end)

    uses("tells how much is something else than bytes", function()
      local a, b = lsocket.pair()
      assert(ring:receive(near, 1) and ring:poll(a, 2))
      far:send "x"
      b:send "x"
      assert.same({ 2, 0, 1 }, { ring:wait(SOON, received, data, sent, counts) })
      assert(ring:receive(near, 1))
      far:close()
      assert.same({ 1, 0, 1 }, { ring:wait(SOON, received, data, sent, counts) })
      assert.is_false(data[1])
      a:close()
      b:close()
    end)

    uses("does not wait for nothing", function()
      local _, message, name = ring:wait(nil, {}, {}, {}, {})
      assert.same({ "nothing to wait for and no timeout set", "EINVAL" }, { message, name })
      assert.same({ 0, 0 }, { wait(0) })
    end)
  end)

  describe("that is closed", function()
    uses("ends everything that is under way", function()
      helper.fill(near)
      local listener = assert(lsocket.bind("127.0.0.1", 0))
      assert(ring:receive(near, 1) and ring:send(near, 1, "x") and ring:poll(far:getfd(), 1) and
        ring:accept(listener, 1))
      assert(ring:submit())
      assert.equal(4, #ring)
      assert.is_true(ring:close())
      assert.equal(0, #ring)
      listener:close()
    end)

    uses("is collected with everything that is under way", function()
      helper.settle()
      for i = 1, 10 do
        local other = helper.ring(pending)
        local a, b = lsocket.pair()
        assert(other:receive(a, other) and other:send(a, other, "x") and other:receive(b, b))
        if i % 2 == 0 then assert(other:submit()) end
      end
      helper.settle()
    end)

    uses("fails", function()
      ring:close()
      helper.fails("EBADF", ring:receive(near, 1))
      helper.fails("EBADF", ring:send(near, 1, "x"))
      helper.fails("EBADF", ring:accept(near, 1))
      helper.fails("EBADF", ring:poll(near, 1))
      helper.fails("EBADF", ring:submit())
      helper.fails("EBADF", wait(0))
      assert.is_nil(ring:cancel(near, "r"))
      assert.same({ false, false }, { ring:busy(near) })
      assert.is_true(ring:remove(near))
      assert.truthy(tostring(ring):find "^ring: ")
      assert.is_true(ring:close())
    end)

    uses("outlives its finalizer, called by hand", function()
      local gc = getmetatable(ring).__gc
      assert(ring:receive(near, 1))
      gc(ring)
      gc(ring)
      helper.fails("EBADF", ring:receive(near, 1))
      assert.equal(0, #ring)
    end)
  end)

  describe("that is given the wrong thing", function()
    uses("says what it is", function()
      helper.raises("socket expected", ring.receive, ring, 1, 2)
      helper.raises("ring expected", ring.receive, near, near)
      helper.raises("string expected", ring.send, ring, near, 1)
      helper.raises("string expected", ring.send, ring, near, 1, "x", {})
      helper.raises("size must be positive", ring.receive, ring, near, 1, 0)
      helper.raises("table expected", ring.wait, ring, 0, {}, {}, {})
      helper.raises("one direction", ring.cancel, ring, near, "rw")
      helper.raises("invalid option", ring.cancel, ring, near, "x")
      helper.raises("invalid option", ring.poll, ring, near, 1, "x")
      helper.raises("socket, descriptor or object", ring.poll, ring, "x", 1)
      helper.raises("socket, descriptor or object", ring.cancel, ring, {}, "r")
      helper.raises("socket, descriptor or object", ring.busy, ring, {})
      helper.raises("socket, descriptor or object", ring.remove, ring, {})
    end)

    uses("fails where it is closed, or no stream", function()
      local gone, datagram = lsocket.pair(), assert(lsocket.bind("udp", "127.0.0.1", 0))
      gone:close()
      helper.fails("EBADF", ring:receive(gone, 1))
      helper.fails("EBADF", ring:send(gone, 1, "x"))
      helper.fails("EBADF", ring:poll(gone, 1))
      helper.fails("EBADF", ring:poll(1000000000, 1))
      helper.fails("EOPNOTSUPP", ring:receive(datagram, 1))
      helper.fails("EOPNOTSUPP", ring:send(datagram, 1, "x"))
      helper.fails("EOPNOTSUPP", ring:accept(datagram, 1))
      datagram:close()
    end)
  end)
end)
