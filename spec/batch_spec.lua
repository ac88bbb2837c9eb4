-- lsocket.batch, socket:recvmany and socket:sendmany. With the kernel's offload: offload_spec.lua; wrong arguments:
-- value_spec.lua.
local lsocket = require "lsocket"
local datagrams = require "spec.datagrams"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

local pair, filled, numbered, contents = datagrams.pair, datagrams.filled, datagrams.numbered, datagrams.contents
local receive, send_through = datagrams.receive, datagrams.send_through

describe("a batch", function()
  it("gives back what was added, with its address", function()
    local batch = lsocket.batch(6, 20)
    assert.equal(0, #batch)
    assert.same({ n = 1, true }, pack(batch:add("one", "10.0.0.1", 7)))
    assert.same({ n = 1, true }, pack(batch:add("two", "fe80::1", "8")))
    assert.is_true(batch:add("three", "/tmp/path"))
    assert.is_true(batch:add("", "[::1]", 0))
    assert.is_true(batch:add(5))
    assert.equal(5, #batch)
    assert.same({ n = 3, "one", "10.0.0.1", 7 }, pack(batch:get(1)))
    assert.same({ n = 3, "two", "fe80::1", 8 }, pack(batch:get(2)))
    assert.same({ n = 3, "three", "/tmp/path", 0 }, pack(batch:get(3)))
    assert.same({ n = 3, "", "::1", 0 }, pack(batch:get(4)))
    assert.same({ n = 3, "5", nil, nil }, pack(batch:get(5)))
    assert.same({ n = 3, "two", "fe80::1", 8 }, pack(batch:get "2"))
    assert.same({ n = 1, true }, pack(batch:clear()))
    assert.equal(0, #batch)
    assert.is_true(batch:add "anew")
    assert.same({ "anew" }, contents(batch))
  end)

  it("is full when it holds as many as were asked for", function()
    for _, size in ipairs { 1, 100, 65535 } do
      local batch, data = lsocket.batch(3, size), ("x"):rep(size)
      for _ = 1, 3 do assert.is_true(batch:add(data)) end
      assert.same({ n = 1, false }, pack(batch:add ""))
      assert.same({ data, data, data }, contents(batch))
    end
  end)

  it("refuses data longer than its size, and addresses that nobody could send to at once", function()
    local batch = lsocket.batch(3, 10)
    fails("EMSGSIZE", batch:add "eleven bytes")
    for _, name in ipairs { "localhost", "no-such-host", "1.2.3.4.5", "" } do
      fails("EAI_NONAME", batch:add("x", name, 1))
    end
    fails("ENODEV", batch:add("x", "fe80::1%nosuchif", 1))
    fails("ENAMETOOLONG", batch:add("x", "/" .. ("x"):rep(200)))
    raises("bad argument #3 to 'add'", function() batch:add("x", "127.0.0.1") end)
    raises("bad argument #3 to 'add'", function() batch:add("x", "/path", 70000) end)
    assert.equal(0, #batch)
  end)

  it("raises where there is no such datagram", function()
    local batch = filled("one", "two")
    for _, index in ipairs { 0, 3, -1, 1.5, 2 ^ 32 + 1, 2 ^ 40, "x" } do
      raises("bad argument #1 to 'get'", function() batch:get(index) end)
    end
    batch:clear()
    raises("bad argument #1 to 'get'", function() batch:get(1) end)
  end)

  it("has limits, and says so", function()
    raises("count must be an integer from 1 to 65536", function() lsocket.batch(65537) end)
    raises("size must be an integer from 1 to 65535", function() lsocket.batch(1, 65536) end)
    raises("more than 1 GiB", function() lsocket.batch(65536) end)
    assert.equal(0, #lsocket.batch(65536, 1))
  end)

  it("tells what it is", function()
    local batch = lsocket.batch(1, 10)
    assert.is_truthy(tostring(batch):match "^batch: ")
    assert.equal("batch", getmetatable(batch).__type)
    raises("batch expected", function() batch.get({}, 1) end)
    raises("batch expected", function() batch.get(pair(), 1) end)
    raises("socket expected", function() pair().sendmany(batch, batch) end)
  end)

  it("is collected", function()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 20 do weak[lsocket.batch(100, 100)] = true end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("still works when its finalizer has run", function()
    local batch = filled "one"
    getmetatable(batch).__gc(batch)
    assert.same({ "one" }, contents(batch))
  end)
end)

for _, address in ipairs { "127.0.0.1", "::1" } do
  describe("batches over " .. address, function()
    local function test(name, run)
      it(name, function()
        if address == "::1" then need.ipv6(pending) end
        run()
      end)
    end

    test("arrive with their sender", function()
      local receiver, sender = pair(address)
      local batch, into = filled("one", "", "three"), lsocket.batch(10)
      assert.is_false(receiver:recvmany(into))
      assert.equal(3, sender:sendmany(batch))
      assert.equal(0, #batch)
      assert.same({ "one", "", "three" }, receive(receiver, into, 3))
      assert.same({ n = 3, "three", address, helper.port(sender) }, pack(into:get(#into)))
      assert.is_false(receiver:recvmany(into))
      assert.equal(0, #into)
    end)

    test("can be sent back as they came", function()
      local server, client = pair(address)
      local batch = lsocket.batch(10)
      assert.equal(2, client:sendmany(filled("marco", "antonio")))
      receive(server, batch, 2)
      while #batch > 0 do assert(server:sendmany(batch)) end
      assert.same({ "marco", "antonio" }, receive(client, lsocket.batch(10), 2))
    end)

    test("go to the address of each, or to one for all", function()
      local first, second = pair(address), pair(address)
      local sender, batch = helper.bind("udp", address, 0), lsocket.batch(3)
      batch:add("one", address, helper.port(first))
      batch:add("two", address, helper.port(second))
      batch:add("three", address, helper.port(first))
      assert.equal(3, sender:sendmany(batch))
      assert.same({ "one", "three" }, receive(first, lsocket.batch(3), 2))
      assert.same({ "two" }, receive(second, lsocket.batch(3), 1))
      assert.is_true(batch:rewind())
      assert.equal(3, sender:sendmany(batch, address, helper.port(second)))
      assert.same({ "one", "two", "three" }, receive(second, lsocket.batch(3), 3))
      fails("EAI_NONAME", sender:sendmany(batch, "localhost", 1))
      raises("bad argument #3 to 'sendmany'", function() sender:sendmany(batch, address) end)
    end)

    for _, count in ipairs { 1, 32, 200 } do
      test("of " .. count .. " arrive in order", function()
        local receiver, sender = pair(address)
        local batch, wanted = numbered(count)
        assert.equal(count, sender:sendmany(batch))
        assert.same(wanted, receive(receiver, lsocket.batch(count), count))
      end)
    end
  end)
end

describe("recvmany", function()
  it("cuts what is longer than the size, and tells the true length", function()
    local receiver, sender = pair()
    local batch = lsocket.batch(3, 4)
    for _, data in ipairs { "1234", "12345678", "" } do sender:send(data) end
    assert.same({ "1234", "1234", "" }, receive(receiver, batch, 3))
    assert.equal(3, pack(batch:get(1)).n)
    local length = select(4, batch:get(2))
    assert.is_true(length == 8 or length == 5) -- where the system does not tell it
    assert.equal(3, pack(batch:get(3)).n)
  end)

  it("takes any datagram whole where no size was given", function()
    local receiver, sender = pair()
    local data, batch = ("x"):rep(65507), lsocket.batch(2)
    assert.equal(65507, sender:send(data))
    assert.same({ data }, receive(receiver, batch, 1))
  end)

  it("replaces what was there, and is added to", function()
    local receiver, sender = pair()
    local batch = filled("old", "old", "old")
    sender:send "new"
    assert.equal(1, helper.readable(receiver):recvmany(batch))
    assert.is_true(batch:add("added", "10.0.0.1", 5))
    assert.same({ "new", "added" }, contents(batch))
    assert.is_false(receiver:recvmany(batch))
    assert.equal(0, #batch)
  end)

  it("takes no more than there is room for", function()
    local receiver, sender = pair()
    for i = 1, 5 do sender:send(tostring(i)) end
    local batch = lsocket.batch(2, 10)
    assert.equal(2, helper.readable(receiver):recvmany(batch))
    assert.same({ "1", "2" }, contents(batch))
    assert.equal(2, receiver:recvmany(batch))
    assert.equal(1, receiver:recvmany(batch))
    assert.same({ "5" }, contents(batch))
  end)

  it("fails where there is no datagram socket", function()
    local client = helper.tcp()
    local batch = filled "x"
    fails("EOPNOTSUPP", client:recvmany(batch))
    fails("EOPNOTSUPP", client:sendmany(batch))
    assert.equal(1, #batch)
    for _, sock in ipairs { pair(), client } do
      sock:close()
      fails("EBADF", sock:recvmany(batch))
      fails("EBADF", sock:sendmany(filled "x"))
    end
  end)

  it("tells that nobody was there", function()
    local port, keeper = helper.refusing_udp_port()
    local sender = assert(lsocket.connect("udp", "127.0.0.1", port))
    assert.equal(1, sender:sendmany(filled "x"))
    fails("ECONNREFUSED", helper.readable(sender):recvmany(lsocket.batch(1)))
    assert.equal(1, sender:sendmany(filled "x"))
    keeper:close()
  end)
end)

describe("sendmany", function()
  it("sends nothing of an empty batch", function()
    local _, sender = pair()
    assert.same({ n = 1, 0 }, pack(sender:sendmany(lsocket.batch(1))))
  end)

  it("goes to the peer of a connected socket, whatever the addresses are", function()
    local receiver, sender = pair()
    local batch = lsocket.batch(2)
    batch:add("one", "127.0.0.1", 9)
    batch:add "two"
    assert.equal(2, sender:sendmany(batch))
    assert.same({ "one", "two" }, receive(receiver, lsocket.batch(2), 2))
  end)

  it("tells an error when it comes to it, and goes on behind the datagram", function()
    local receiver, sender = pair()
    local batch = lsocket.batch(3)
    batch:add "one"
    batch:add(("x"):rep(65535))
    batch:add "three"
    assert.equal(1, sender:sendmany(batch))
    assert.equal(2, #batch)
    fails("EMSGSIZE", sender:sendmany(batch))
    assert.equal(1, sender:sendmany(batch))
    assert.equal(0, #batch)
    assert.same({ "one", "three" }, receive(receiver, lsocket.batch(3), 2))
    batch:clear()
    batch:add "to nobody"
    fails("EDESTADDRREQ", receiver:sendmany(batch))
    batch:add("to another family", "::1", 1)
    fails("EAFNOSUPPORT", receiver:sendmany(batch))
    assert.equal(0, #batch)
  end)

  it("reaches IPv4 from an IPv6 socket", function()
    need.ipv6(pending)
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sender = helper.bind("udp", "::", 0)
    local batch = lsocket.batch(2)
    batch:add("one", "127.0.0.1", port)
    assert.equal(1, sender:sendmany(batch))
    batch:rewind()
    assert.equal(1, sender:sendmany(batch, "127.0.0.1", port))
    assert.same({ n = 3, "one", "127.0.0.1", port }, (function()
      batch:rewind()
      return pack(batch:get(1))
    end)())
    assert.same({ "one", "one" }, receive(receiver, lsocket.batch(2), 2))
  end)
end)

describe("batches over unix sockets", function()
  after_each(helper.remove_paths)

  it("arrive with their sender's name, if it has one", function()
    local path, name = helper.path(), helper.path()
    local receiver, named = assert(lsocket.bind("udp", path)), assert(lsocket.bind("udp", name))
    local unnamed, batch = assert(lsocket.connect("udp", path)), lsocket.batch(4)
    assert.equal(1, unnamed:sendmany(filled "one"))
    batch:add("two", path)
    batch:add("three", path, 0)
    assert.equal(2, named:sendmany(batch))
    assert.equal(3, receiver:recvmany(batch))
    assert.same({ n = 3, "one", nil, nil }, pack(batch:get(1)))
    assert.same({ n = 3, "two", name, 0 }, pack(batch:get(2)))
    assert.same({ n = 3, "three", name, 0 }, pack(batch:get(3)))
  end)

  for _, count in ipairs { 1024, 3000 } do
    it("stop where the receiver is full, and go on, with " .. count, function()
      local path = helper.path()
      local receiver = assert(lsocket.bind("udp", path))
      local sender = assert(lsocket.connect("udp", path))
      local batch, wanted = numbered(count)
      local sent = sender:sendmany(batch)
      assert.is_true(sent > 0 and sent < count)
      assert.equal(count - sent, #batch)
      assert.equal(wanted[sent + 1], (batch:get(1)))
      assert.is_false(sender:sendmany(batch))
      assert.equal(count - sent, #batch)
      local into = lsocket.batch(count, 100)
      local list = receive(receiver, into, sent)
      for _, data in ipairs(send_through(sender, batch, receiver, into)) do list[#list + 1] = data end
      assert.same(wanted, list)
    end)
  end

  it("fail where nobody is", function()
    local sender, batch = assert(lsocket.bind("udp", helper.path())), lsocket.batch(1)
    batch:add("x", helper.path())
    fails("ENOENT", sender:sendmany(batch))
  end)
end)

describe("a relay", function()
  it("passes batches on without making a string", function()
    local inside, source = pair()
    local sink, outside = pair()
    local batch, load, into = lsocket.batch(32, 100), lsocket.batch(32, 100), lsocket.batch(32, 100)
    for i = 1, 32 do load:add(("a datagram that nobody reads, number %d"):format(i)) end
    local recvmany, sendmany, rewind = inside.recvmany, inside.sendmany, load.rewind
    local function pass(rounds)
      local count = 0
      for _ = 1, rounds do
        rewind(load)
        assert(sendmany(source, load) == 32)
        local n = 0
        while n < 32 do
          n = n + (recvmany(inside, batch) or 0)
          while #batch > 0 do sendmany(outside, batch) end
        end
        count = count + n
        while recvmany(sink, into) do end
      end
      return count
    end
    pass(10)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    local count = pass(200)
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    assert.equal(6400, count)
    assert.is_true(grown < 32, "KiB made: " .. grown) -- some by LuaJIT's compiler; strings would be 400
  end)
end)
