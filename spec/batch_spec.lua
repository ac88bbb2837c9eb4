-- lsocket.batch, socket:recvmany and socket:sendmany, with the kernel's offload and without. Wrong arguments:
-- value_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

local function has_offload()
  return (helper.bind("udp", "127.0.0.1", 0)):getopt "gro" ~= nil
end

-- A receiver, and a sender that is connected to it.
local function pair(address)
  local receiver, port = helper.bind("udp", address or "127.0.0.1", 0)
  local sender = assert(lsocket.connect("udp", address or "127.0.0.1", port))
  receiver:setopt("rcvbuf", 1000000)
  sender:setopt("sndbuf", 1000000)
  return receiver, sender
end

-- A batch with these datagrams.
local function filled(...)
  local data = pack(...)
  local batch = lsocket.batch(data.n, 2000)
  for i = 1, data.n do assert.is_true(batch:add(data[i])) end
  return batch
end

-- A batch of so many different ones, and these as a list.
local function numbered(count)
  local batch, list = lsocket.batch(count, 100), {}
  for i = 1, count do
    list[i] = "datagram " .. i
    assert.is_true(batch:add(list[i]))
  end
  return batch, list
end

-- The data of every datagram that is left in the batch.
local function contents(batch)
  local list = {}
  for i = 1, #batch do list[i] = batch:get(i) end
  return list
end

-- Receives until there are so many; answers the data of all.
local function receive(sock, batch, count)
  local list = {}
  while #list < count do
    local n = assert(helper.readable(sock):recvmany(batch))
    assert.equal(n, #batch)
    for i = 1, n do list[#list + 1] = batch:get(i) end
  end
  return list
end

-- Sends all of the batch, though the receiver has no room for it: it is emptied in between. Answers what came.
local function send_through(sender, batch, receiver, into)
  local list, total = {}, #batch
  while #batch > 0 or #list < total do
    if #batch > 0 then assert(sender:sendmany(batch) ~= nil) end
    local n, message = receiver:recvmany(into)
    assert(n ~= nil, message)
    for i = 1, n or 0 do list[#list + 1] = into:get(i) end
    if #batch == 0 and not n then helper.readable(receiver) end
  end
  return list
end

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

describe("offload", function()
  local function needed()
    if not has_offload() then pending "needs UDP_SEGMENT and UDP_GRO" end
  end

  -- Datagrams as a list, of lengths as they come in practice, and a batch of them.
  local function random_batch(seed, count)
    local function random(n)
      seed = (seed * 1103515245 + 12345) % 2 ^ 31
      return math.floor(seed / 65536) % n
    end
    local list, batch, length = {}, lsocket.batch(count, 2000), 100
    for i = 1, count do
      local dice = random(20)
      if dice == 0 then length = random(1400) elseif dice == 1 then length = 0 elseif dice == 2 then length = 1900 end
      list[i] = (i .. ("x"):rep(2000)):sub(1, length)
      assert.is_true(batch:add(list[i]))
      if dice > 16 then length = random(300) end
    end
    return list, batch
  end

  it("changes nothing in what arrives", function()
    need.control(pending)
    needed()
    for seed = 1, helper.scale(100) do
      local receiver, sender = pair(seed % 5 == 0 and "127.0.0.1" or nil)
      if seed % 2 == 0 then assert(sender:setopt("segment", 1400)) end
      if seed % 3 ~= 0 then assert(receiver:setopt("gro", true)) end
      local list, batch = random_batch(seed, 200)
      local into = lsocket.batch(seed % 7 == 0 and 1 or 50, seed % 4 == 0 and 2000 or nil)
      assert.same(list, send_through(sender, batch, receiver, into))
    end
  end)

  it("gives many datagrams to the batch at once, more than it was made for", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 100))
    assert(receiver:setopt("gro", true))
    local batch, into = lsocket.batch(60, 100), lsocket.batch(1, 100)
    for i = 1, 60 do batch:add(("%-50d"):format(i)) end
    assert.equal(60, sender:sendmany(batch))
    assert.equal(60, helper.readable(receiver):recvmany(into))
    assert.equal(("%-50d"):format(60), (into:get(60)))
    assert.is_false(into:add "more")
    local echo = assert(lsocket.connect("udp", "127.0.0.1", helper.port(receiver)))
    assert.equal(60, echo:sendmany(into))
    assert.equal(0, #into)
  end)

  it("sends a longer datagram between others as it is", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 100))
    local long = ("x"):rep(1000)
    assert.equal(5, sender:sendmany(filled("one", "two", long, "six", "end")))
    assert.same({ "one", "two", long, "six", "end" }, receive(receiver, lsocket.batch(10), 5))
  end)

  it("keeps the senders apart", function()
    need.control(pending)
    needed()
    local receiver, first = pair()
    local second = assert(lsocket.connect("udp", "127.0.0.1", helper.port(receiver)))
    assert(receiver:setopt("gro", true))
    for _, sender in ipairs { first, second } do assert(sender:setopt("segment", 1000)) end
    local into, ports, list = lsocket.batch(10), {}, {}
    for i = 1, 4 do
      local sender = i % 2 == 1 and first or second
      assert.equal(3, sender:sendmany(filled("aaa" .. i, "bbb" .. i, "c" .. i)))
    end
    while #list < 12 do
      for i = 1, assert(helper.readable(receiver):recvmany(into)) do
        local data, _, port = into:get(i)
        list[#list + 1], ports[#ports + 1] = data, port
      end
    end
    for i = 1, 12 do
      local group = math.floor((i - 1) / 3) + 1
      assert.equal(({ "aaa", "bbb", "c" })[(i - 1) % 3 + 1] .. group, list[i])
      assert.equal(helper.port(group % 2 == 1 and first or second), ports[i])
    end
  end)

  it("goes to the address of each, too", function()
    need.control(pending)
    needed()
    local first, second = pair(), pair()
    local sender, batch = helper.bind("udp", "127.0.0.1", 0), lsocket.batch(6)
    assert(sender:setopt("segment", 1000))
    for i = 1, 6 do batch:add("datagram " .. i, "127.0.0.1", helper.port(i <= 4 and first or second)) end
    assert.equal(6, sender:sendmany(batch))
    assert.same({ "datagram 1", "datagram 2", "datagram 3", "datagram 4" }, receive(first, lsocket.batch(9), 4))
    assert.same({ "datagram 5", "datagram 6" }, receive(second, lsocket.batch(9), 2))
  end)

  it("can be switched off again", function()
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 100) and sender:setopt("segment", 0))
    assert(receiver:setopt("gro", true) and receiver:setopt("gro", false))
    local into = lsocket.batch(1, 100)
    assert.equal(2, sender:sendmany(filled("one", "two")))
    assert.equal(1, helper.readable(receiver):recvmany(into))
    assert.same({ "one" }, contents(into))
  end)

  it("gives way where datagrams do not fit the link", function()
    needed()
    need.sandbox(pending)
    local receiver, sender = pair()
    assert(sender:setopt("segment", 3000))
    os.execute "ip link set lo mtu 1500"
    local list, batch = {}, lsocket.batch(8, 3000)
    for i = 1, 8 do
      list[i] = i .. ("x"):rep(2900)
      batch:add(list[i])
    end
    local ok, got = pcall(send_through, sender, batch, receiver, lsocket.batch(8))
    os.execute "ip link set lo mtu 65536"
    assert(ok, got)
    assert.same(list, got)
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
