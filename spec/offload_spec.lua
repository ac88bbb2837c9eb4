-- The kernel's offload of datagrams, UDP_SEGMENT and UDP_GRO: nothing but the speed is different, whoever receives and
-- whoever has set it.
local lsocket = require "lsocket"
local datagrams = require "spec.datagrams"
local forking = require "spec.forking"
local helper = require "spec.helper"

local need = helper.need
local has_offload, pair, filled, contents = datagrams.has_offload, datagrams.pair, datagrams.filled, datagrams.contents
local receive, send_through = datagrams.receive, datagrams.send_through

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

  -- Each way to receive one datagram.
  local buffer = lsocket.buffer()
  local ways = {
    recv = function(sock) return sock:recv() end,
    ["recv of much"] = function(sock) return sock:recv(1000000) end,
    recvfrom = function(sock) return (sock:recvfrom()) end,
    ["peek and recv"] = function(sock)
      local data = sock:peek()
      assert.equal(data, sock:peek())
      assert.equal(data, sock:recv())
      return data
    end,
    buffer = function(sock) return buffer:take(assert(buffer:recv(sock))) end,
  }

  -- What comes of 21 datagrams of 1,000 bytes and a short one, each sent as one message; by the given ways in turn.
  local function check_parts(sender, receiver, ...)
    local sent, batch, got = {}, lsocket.batch(21, 2000), {}
    for i = 1, 21 do
      sent[i] = (i .. ("x"):rep(1000)):sub(1, i % 7 == 0 and 10 or 1000)
      batch:add(sent[i])
    end
    assert.equal(21, sender:sendmany(batch))
    while #got < 21 do
      for _, way in ipairs { ... } do
        if #got < 21 then got[#got + 1] = ways[way](helper.readable(receiver)) end
      end
    end
    assert.same(sent, got)
    assert.is_false(receiver:recv())
  end

  it("gives datagrams one by one to every function", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 1400) and receiver:setopt("gro", true))
    for way in pairs(ways) do check_parts(sender, receiver, way) end
    check_parts(sender, receiver, "recv", "buffer", "peek and recv", "recvfrom", "recv of much")
  end)

  it("tells how long one was that is cut, and who sent it", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 1400) and receiver:setopt("gro", true))
    assert.equal(3, sender:sendmany(filled("onetwo", "second", "end")))
    assert.same({ n = 2, "one", 6 }, helper.pack(helper.readable(receiver):recv(3)))
    local port = helper.port(sender)
    assert.same({ n = 4, "se", "127.0.0.1", port, 6 }, helper.pack(receiver:recvfrom(2)))
    assert.same({ n = 3, "end", "127.0.0.1", port }, helper.pack(receiver:recvfrom()))
  end)

  it("goes on with the rest in a batch, and in recvmsg", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    assert(sender:setopt("segment", 1400) and receiver:setopt("gro", true))
    for _, first in ipairs { 1, 2, 3 } do
      assert.equal(4, sender:sendmany(filled("one1", "two2", "six6", "end")))
      local list = {}
      for i = 1, first do list[i] = helper.readable(receiver):recv() end
      for _, data in ipairs(receive(receiver, lsocket.batch(10), 4 - first)) do list[#list + 1] = data end
      assert.same({ "one1", "two2", "six6", "end" }, list)
      assert.is_false(receiver:recv())
      assert.equal(4, sender:sendmany(filled("one1", "two2", "six6", "end")))
      for _ = 1, first do helper.readable(receiver):recv() end
      local data = receiver:recvmsg()
      assert.equal(("one1two2six6end"):sub(first * 4 + 1), data)
    end
  end)

  it("goes on with the rest of what the other process of a fork has begun", function()
    need.control(pending)
    needed()
    forking.need(pending)
    local receiver, sender = pair()
    assert(sender:setopt("segment", 4) and receiver:setopt("gro", true))
    local function rest()
      return receive(receiver, lsocket.batch(10), 3)
    end
    assert.equal(4, sender:sendmany(filled("one1", "two2", "six6", "end")))
    forking.run(function() assert.equal("one1", helper.readable(receiver):recv()) end)
    assert.same({ "two2", "six6", "end" }, rest())
    forking.run(function()
      assert.equal(4, sender:sendmany(filled("one1", "two2", "six6", "end")))
      assert.equal("one1", helper.readable(receiver):recv())
      forking.run(function() assert.same({ "two2", "six6", "end" }, rest()) end)
    end)
    assert.is_false(receiver:recv())
  end)

  -- Each way to have two objects, or two numbers, of one socket.
  local copies = {
    dup = function(sock) return assert(sock:dup()) end,
    fromfd = function(sock)
      local copy = assert(lsocket.fromfd(assert(sock:dup()):detach()))
      return copy
    end,
    sendfds = function(sock)
      local a, b = assert(lsocket.pair())
      assert(a:sendfds("x", { sock }))
      return select(2, b:recvfds())[1]
    end,
  }

  for how, copy in pairs(copies) do
    it("is known to all who have the socket, whoever sets it: " .. how, function()
      need.control(pending)
      needed()
      for _, when in ipairs { "before", "after by the first", "after by the second", "by number" } do
        local receiver, sender = pair()
        if when == "before" then assert(receiver:setopt("gro", true) and sender:setopt("segment", 1400)) end
        local second_receiver, second_sender = copy(receiver), copy(sender)
        local setter = when == "after by the second" and second_receiver or receiver
        local cutter = when == "after by the second" and second_sender or sender
        if when == "by number" then assert(setter:setopt(17, 104, 1) and cutter:setopt(17, 103, 1400))
        elseif when ~= "before" then assert(setter:setopt("gro", true) and cutter:setopt("segment", 1400)) end
        for _, from in ipairs { sender, second_sender } do
          for _, to in ipairs { receiver, second_receiver } do
            check_parts(from, to, "recv", "buffer", "peek and recv", "recvfrom", "recv of much")
            for _, size in ipairs { 2000, 65535 } do
              local list, batch = random_batch(size, 50)
              assert.same(list, send_through(from, batch, to, lsocket.batch(7, size)))
            end
          end
        end
        assert(setter:setopt("gro", false) and cutter:setopt("segment", 0))
        check_parts(sender, receiver, "recv")
        check_parts(second_sender, second_receiver, "recvfrom")
      end
    end)
  end

  it("cuts nothing, whatever sends it, whoever has set it", function()
    needed()
    local long = ("x"):rep(999) .. "y"
    local senders = {
      send = function(sock) return sock:send(long) end,
      ["send of a part"] = function(sock) return sock:send("ab" .. long .. "c", 3, -2) end,
      ["send of an array"] = function(sock) return sock:send { long:sub(1, 500), long:sub(501) } end,
      ["send of many"] = function(sock)
        local list = {}
        for i = 1, 1000 do list[i] = long:sub(i, i) end
        return sock:send(list)
      end,
      sendrest = function(sock) return sock:sendrest(1, long) and 1000 end,
      ["sendrest of pieces"] = function(sock) return sock:sendrest(1, long:sub(1, 700), long:sub(701)) and 1000 end,
      sendmsg = function(sock) return sock:sendmsg { data = long } end,
      sendmany = function(sock) return sock:sendmany(filled(long)) * 1000 end,
    }
    for _, when in ipairs { "before", "after", "by the copy" } do
      local receiver, sender = pair()
      if when == "before" then assert(sender:setopt("segment", 100)) end
      local copy = assert(sender:dup())
      if when == "after" then assert(sender:setopt("segment", 100)) end
      if when == "by the copy" then assert(copy:setopt("segment", 100)) end
      for how, send in pairs(senders) do
        for _, sock in ipairs { sender, copy } do
          assert.equal(1000, send(sock), how)
          assert.equal(long, helper.readable(receiver):recv(), how)
        end
      end
      assert.equal(0, sender:send "")
      assert.equal("", helper.readable(receiver):recv())
      local port = helper.port(receiver)
      local free = assert(lsocket.bind("udp", "127.0.0.1", 0))
      assert(free:setopt("segment", 100))
      assert.equal(1000, free:sendto(long, "127.0.0.1", port))
      assert.equal(long, helper.readable(receiver):recv())
      assert.equal(1000, sender:sendmsg { data = long, segment = 500 })
      assert.equal(500, #helper.readable(receiver):recv()) -- where it is asked for
      assert.equal(500, #helper.readable(receiver):recv())
    end
  end)

  it("gives datagrams one by one whatever else is told of them", function()
    need.control(pending)
    needed()
    local receiver, sender = pair()
    for _, option in ipairs { "gro", "timestamp", "pktinfo", "recvttl", "recvtos", "recverr" } do
      assert(receiver:setopt(option, true))
    end
    receiver:setopt(1, 37, 127) -- SO_TIMESTAMPING
    for _, number in ipairs { 40, 75, 82 } do receiver:setopt(1, number, 1) end -- SO_RXQ_OVFL and others
    assert(sender:setopt("segment", 1400))
    for seed = 1, 5 do
      local list, batch = random_batch(seed, 50)
      assert.same(list, send_through(sender, batch, receiver, lsocket.batch(50)))
    end
    check_parts(sender, receiver, "recv", "recvfrom")
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
