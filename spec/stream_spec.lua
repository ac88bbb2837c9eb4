-- Bytes over tcp: connecting, receiving, sending, the end of a stream and its failures.
-- What a socket tells about itself is in socket_spec, unix streams are in unix_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

describe("a connection being made", function()
  it("becomes writable when it stands, readable when the other end has sent", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local client = assert(lsocket.connect("127.0.0.1", port))
    assert.same({ {}, { client } }, { lsocket.select(nil, { client }, helper.patience) })
    assert.is_true(client:status())
    assert.is_false(helper.is_readable(client))
    local server = assert(listener:accept())
    server:send "x"
    assert.same({ client }, lsocket.select({ client }, helper.patience))
  end)

  it("that is refused becomes readable and writable, and status tells the cause once", function()
    local port, keeper = helper.refusing_port()
    local sock = assert(lsocket.connect("127.0.0.1", port))
    assert.same({ sock }, lsocket.select({ sock }, helper.patience))
    assert.same({ { sock }, { sock } }, { lsocket.select({ sock }, { sock }, helper.patience) })
    fails("ECONNREFUSED", sock:status())
    assert.is_true(sock:status())
    assert.same({ n = 1 }, pack(sock:recv()))
    fails("EPIPE", sock:send "x")
    assert.truthy(keeper)
  end)

  it("that is refused tells it once through recv or send where nobody asked for the status", function()
    local sock, keeper = helper.refused()
    fails("ECONNREFUSED", sock:recv())
    assert.is_nil((sock:recv()))
    assert.is_true(sock:status())
    sock = helper.refused()
    fails("ECONNREFUSED", sock:recv(1000000))
    sock = helper.refused()
    fails("ECONNREFUSED", sock:send "x")
    fails("EPIPE", sock:send "x")
    assert.truthy(keeper)
  end)
end)

for _, address in ipairs { "127.0.0.1", "::1" } do
  describe("a stream over " .. address, function()
    local client, server

    before_each(function()
      if address == "::1" and not lsocket.bind("udp", "::1", 0) then return end
      client, server = helper.tcp(address)
    end)

    after_each(function()
      if client then client:close() end
      if server then server:close() end
    end)

    local function test(name, run)
      it(name, function()
        if address == "::1" then need.ipv6(pending) end
        run()
      end)
    end

    test("carries bytes both ways, whatever they are", function()
      local bytes = {}
      for i = 0, 255 do bytes[i + 1] = string.char(i) end
      local data = table.concat(bytes)
      assert.equal(256, client:send(data))
      assert.equal(data, helper.receive(server, 256))
      assert.equal(256, server:send(data))
      assert.equal(data, helper.receive(client, 256))
    end)

    test("answers false where nothing has come yet", function()
      assert.same({ n = 1, false }, pack(client:recv()))
      assert.same({ n = 1, false }, pack(client:recv(10)))
      assert.same({ n = 1, false }, pack(client:recv(1000000)))
      assert.same({ n = 1, false }, pack(client:recvfrom()))
    end)

    test("is read in pieces of the size that is asked for", function()
      client:send "abcdefghij"
      helper.readable(server)
      assert.same({ n = 1, "abc" }, pack(server:recv(3)))
      assert.equal("d", server:recv(1))
      assert.equal("ef", server:recv "2")
      assert.equal("ghij", server:recv(100))
    end)

    test("takes no piece for a size of 0, and does not end by that", function()
      client:send "abc"
      helper.readable(server)
      assert.same({ n = 1, "" }, pack(server:recv(0)))
      assert.same({ n = 3, "" }, pack(server:recvfrom(0)))
      assert.equal("abc", server:recv())
    end)

    test("shows what is there to peek, which takes nothing", function()
      assert.same({ n = 1, false }, pack(server:peek()))
      client:send "abcdef"
      helper.readable(server)
      for _ = 1, 2 do
        assert.same({ n = 1, "abcdef" }, pack(server:peek()))
        assert.same({ n = 1, "abcdef" }, pack(server:peek(100000)))
        assert.same({ n = 1, "abc" }, pack(server:peek(3)))
        assert.same({ n = 1, "" }, pack(server:peek(0)))
      end
      assert.equal("ab", server:recv(2))
      assert.equal("cdef", server:peek())
      assert.equal("cdef", server:recv())
      assert.is_false(server:peek())
      client:close()
      helper.readable(server)
      for _ = 1, 2 do
        assert.same({ n = 1 }, pack(server:peek()))
        assert.same({ n = 1 }, pack(server:peek(100000)))
      end
      assert.same({ n = 1 }, pack(server:recv()))
    end)

    test("ends in nil alone, after everything that was sent", function()
      client:send "first"
      client:send "last"
      client:close()
      assert.equal("firstlast", helper.receive(server, 100))
      for _ = 1, 3 do
        assert.same({ n = 1 }, pack(server:recv()))
        assert.same({ n = 1 }, pack(server:recv(100000)))
        assert.same({ n = 1 }, pack(server:recvfrom()))
      end
      assert.is_true(helper.is_readable(server))
    end)

    test("gives everything that has come to a size larger than that, and takes no more memory", function()
      local data = ("0123456789abcdef"):rep(12500) -- 200,000 bytes
      local sent = 0
      while sent < #data do
        sent = sent + (client:send(data:sub(sent + 1)) or 0)
        helper.writable(client)
        if server:recv(0) and helper.is_readable(server) then break end
      end
      local received = {}
      for _, size in ipairs { 70000, 2 ^ 31 - 1, 2 ^ 31 - 1, 2 ^ 31 - 1, 2 ^ 31 - 1 } do
        collectgarbage()
        local before = collectgarbage "count"
        received[#received + 1] = server:recv(size) or nil
        assert.is_true(collectgarbage "count" - before < 1024)
      end
      received = table.concat(received)
      assert.equal(data:sub(1, #received), received)
      assert.is_true(#received > 0)
    end)

    test("carries a megabyte through a receiver that reads as it comes", function()
      local data = ("The quick brown fox jumps over the lazy dog. "):rep(23302)
      local sent, received, pieces = 0, 0, {}
      while received < #data do
        local _, writable = lsocket.select({ server }, sent < #data and { client } or {}, helper.patience)
        if writable and writable[1] then sent = sent + assert(client:send(data:sub(sent + 1, sent + 50000))) end
        local piece = server:recv(30000)
        assert(piece ~= nil)
        if piece then
          pieces[#pieces + 1] = piece
          received = received + #piece
        end
      end
      assert.is_true(data == table.concat(pieces))
    end)

    test("takes a part of what does not fit, then answers false until there is room", function()
      local big = ("x"):rep(32 * 1024 * 1024)
      local count = client:send(big)
      assert.is_true(count > 0 and count < #big)
      helper.eventually("a full stream", function() -- what is under way makes room when it has arrived
        return client:send(big) == false and not helper.is_writable(client)
      end)
      local total = 0
      helper.eventually("room", function()
        total = total + #(server:recv(65536) or "")
        return helper.is_writable(client, 0)
      end)
      assert.is_true(total > 0)
      assert.is_true(client:send(big) > 0)
    end)

    test("takes nothing of an empty string", function()
      assert.same({ n = 1, 0 }, pack(client:send ""))
      assert.is_false(helper.is_readable(server))
    end)

    test("takes a number as its text", function()
      assert.equal(2, client:send(42))
      assert.equal(4, client:send(-1.5))
      assert.equal("42-1.5", helper.receive(server, 6))
    end)

    test("gives data and two nils from recvfrom", function()
      client:send "data"
      assert.same({ n = 3, "data" }, pack(helper.readable(server):recvfrom()))
      client:send "data"
      assert.same({ n = 3, "da" }, pack(helper.readable(server):recvfrom(2)))
      assert.same({ n = 3, "ta" }, pack(server:recvfrom(2)))
    end)

    test("ignores the address of sendto, whatever it is", function()
      assert.equal(1, client:sendto("a", "127.0.0.1", 9))
      assert.equal(1, client:sendto("b", "::1", "9"))
      assert.equal(1, client:sendto("c", "nobody.example", 65535))
      assert.equal(1, client:sendto("d", "/nowhere", 0))
      assert.equal("abcd", helper.receive(server, 4))
      raises("bad argument #3 to 'sendto'", function() client:sendto("x", "127.0.0.1") end)
      raises("bad argument #2 to 'sendto'", function() client:sendto("x", nil, 9) end)
    end)

    test("breaks where the other end has closed, without a signal", function()
      server:close()
      helper.readable(client)
      client:send "into the void"
      local message, name
      helper.eventually("a broken pipe", function()
        local count
        count, message, name = client:send "x"
        return count == nil
      end)
      assert.same({ "Broken pipe", "EPIPE" }, { message, name })
      fails("EPIPE", client:send "x")
      fails("EPIPE", client:sendto("x", address, 9))
    end)

    test("is reset where the other end closes with something unread", function()
      client:send "unread"
      helper.readable(server)
      server:close()
      helper.readable(client)
      fails("ECONNRESET", client:recv())
      assert.same({ n = 1 }, pack(client:recv()))
      assert.is_true(client:status())
    end)
  end)
end

describe("a listener", function()
  it("neither receives nor sends", function()
    local listener = assert(lsocket.bind("127.0.0.1", 0))
    for _, size in ipairs { 0, 10, 1000000 } do
      fails("ENOTCONN", listener:recv(size))
      fails("ENOTCONN", listener:recvfrom(size))
      fails("ENOTCONN", listener:peek(size))
    end
    fails("ENOTCONN", listener:recv())
    fails("ENOTCONN", listener:recvfrom())
    fails("EPIPE", listener:send "x")
    fails("EPIPE", listener:sendto("x", "127.0.0.1", 9))
  end)

  it("takes several connections, in their order", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local clients = {}
    for i = 1, 5 do
      clients[i] = assert(lsocket.connect("127.0.0.1", port))
      helper.writable(clients[i])
    end
    for i = 1, 5 do
      local _, _, peer_port = helper.readable(listener):accept()
      assert.equal(helper.port(clients[i]), peer_port)
    end
    assert.is_false(listener:accept())
  end)
end)

describe("programs", function()
  it("that poll with short waits for a line get it", function()
    local client, server = helper.tcp()
    client:send "login: "
    local seen = ""
    helper.eventually("the prompt", function()
      local ready = lsocket.select({ server }, 0.01)
      if ready then seen = seen .. server:recv() end
      return seen == "login: "
    end)
  end)

  it("that read one byte at a time get every byte", function()
    local client, server = helper.tcp()
    client:send "+OK\r\n$3\r\nfoo\r\n"
    local line = {}
    repeat
      local byte = helper.receive(server, 1)
      line[#line + 1] = byte
    until byte == "\n"
    assert.equal("+OK\r\n", table.concat(line))
  end)

  it("that scan with the port as a string read till nil", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local sock = assert(lsocket.connect("tcp", "127.0.0.1", tostring(port)))
    local server = assert(helper.readable(listener):accept())
    server:send "220 ready\r\n"
    server:close()
    local banner = ""
    while true do
      helper.readable(sock)
      local piece = sock:recv(4)
      if not piece then break end
      banner = banner .. piece
    end
    assert.equal("220 ready\r\n", banner)
  end)

  it("that keep a coroutine for each socket serve many clients at once", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local threads, clients, answers = {}, {}, 0

    local function serve(sock)
      local request = ""
      repeat
        coroutine.yield()
        request = request .. (sock:recv(5) or "")
      until request:find "\n"
      sock:send("you said " .. request)
      sock:close()
    end

    for i = 1, 20 do
      clients[i] = assert(lsocket.connect("127.0.0.1", port))
      helper.writable(clients[i]):send("hello " .. i .. "\n")
      local server = helper.readable(listener):accept()
      threads[server] = coroutine.create(serve)
      coroutine.resume(threads[server], server)
    end
    while next(threads) do
      local socks = {}
      for sock in pairs(threads) do socks[#socks + 1] = sock end
      for _, sock in ipairs(assert(lsocket.select(socks, helper.patience))) do
        assert(coroutine.resume(threads[sock]))
        if coroutine.status(threads[sock]) == "dead" then threads[sock] = nil end
      end
    end
    for i, client in ipairs(clients) do
      if helper.receive(client, 100) == "you said hello " .. i .. "\n" then answers = answers + 1 end
    end
    assert.equal(20, answers)
  end)
end)
