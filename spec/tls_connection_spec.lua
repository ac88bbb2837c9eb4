-- A socket that speaks TLS: the handshake, data and the end of each direction, and what else must not disturb it.
-- What is cut, delayed or waits in the library: tls_cut_spec and tls_waiting_spec.
local lsocket = require "lsocket"
local forking = require "spec.forking"
local helper = require "spec.helper"
local process = require "spec.process"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local fails, raises, pack = helper.fails, helper.raises, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143
local tls = certs.tls

if certs.missing(pending) then return end

after_each(helper.remove_paths)

-- The other end ends without a word: a finalizer closes it.
local function nothing_said(sock)
  pair.fails("ETLS_TRUNCATED", nil, pair.recv(sock))
end

describe("start", function()
  it("returns true, and makes the same object TLS", function()
    local near, far = lsocket.pair()
    assert.same({ n = 1, true }, pack(certs.client():start(near, "good.example")))
    assert.same({ n = 1, true }, pack(certs.server():start(far)))
    local results = pair.shake { near, far }
    assert.same({ n = 1, true }, results[near])
    assert.same({ n = 1, true }, results[far])
    pair.passes(near, far)
    pair.passes(far, near)
  end)

  it("raises for what is no stream, what is closed and what has TLS already", function()
    local client, server = certs.client(), certs.server()
    local udp = assert(lsocket.bind("udp", "127.0.0.1", 0))
    for _, sock in ipairs { udp, (lsocket.pair "udp"), (lsocket.pair "seqpacket") } do
      raises("bad argument #2", client.start, client, sock, "good.example")
      raises("bad argument #2", server.start, server, sock)
    end
    local near = lsocket.pair()
    assert(client:start(near, "good.example"))
    raises("bad argument #2", client.start, client, near, "good.example")
    for _, wrong in ipairs { 1, "socket", {}, io.stdout, client } do
      raises("bad argument #2", client.start, client, wrong, "x")
    end
    raises("bad argument #2", client.start, client, nil, "x")
    near:close()
    fails("EBADF", client:start(near, "x"))
  end)

  it("needs the host of a client", function()
    local client = certs.client()
    local wrong = { "", "a\0b", "b\195\188cher.example", "good.example\0.evil.example", {}, true,
      ".example", ".", "..", "good..example", "good.example..", "good.example%:x", ("x"):rep(300) }
    for i = 0, #wrong do -- from none at all
      local near = lsocket.pair()
      raises("bad argument #3", client.start, client, near, wrong[i])
      assert.equal(1, near:send "x") -- it is still plain
    end
    raises("verifyname", client.start, client, (lsocket.pair()), "good.example", { verifyname = "" })
    raises("verifyname", client.start, client, (lsocket.pair()), "good.example", { verifyname = {} })
    raises("verifyname", client.start, client, (lsocket.pair()), "good.example", { verifyname = ".example" })
    raises("nonsense", client.start, client, (lsocket.pair()), "good.example", { nonsense = 1 })
    raises("received", client.start, client, (lsocket.pair()), "good.example", { received = {} })
  end)

  it("needs none where nothing is verified", function()
    local client, server = pair.connect(certs.client { verify = false }, certs.server "expired", false)
    assert.is_false(client:tls().verified)
    assert.is_nil(server:tls().name)
  end)

  it("takes what came before it as ciphertext", function()
    local near, far = lsocket.pair()
    assert(certs.client():start(near, "good.example"))
    assert.is_false((near:handshake()))
    local hello = helper.readable(far):recv()
    assert(certs.server():start(far, nil, { received = hello }))
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
    assert.is_true(results[far][1])
    pair.passes(near, far)
  end)

  it("never takes plain text that came before it for data", function()
    for _, text in ipairs { "GET / HTTP/1.0\r\n\r\n", "RCPT TO:<someone>\r\n", "x" } do
      local near, far = lsocket.pair()
      assert(certs.server():start(far, nil, { received = text }))
      assert(certs.client():start(near, "good.example"))
      near:handshake()
      assert.is_nil(pair.shake({ far })[far][1])
      assert.is_nil((far:recv()))
      far:close()
      assert.is_nil(pair.shake({ near })[near][1])
    end
  end)
end)

describe("the handshake", function()
  it("says what it waits for", function()
    local near, far = pair.start(certs.client(), certs.server())
    assert.same({ n = 2, false, "r" }, pack(far:handshake()))
    assert.same({ n = 2, false, "r" }, pack(near:handshake()))
    assert.same({ n = 2, false, "r" }, pack(near:handshake()))
    helper.readable(far)
    assert.same({ n = 2, false, "r" }, pack(far:handshake()))
    helper.readable(near)
    assert.same({ n = 1, true }, pack(near:handshake()))
    assert.same({ n = 1, true }, pack(near:handshake()))
    helper.readable(far)
    assert.same({ n = 1, true }, pack(far:handshake()))
  end)

  it("waits for a connection that is being made", function()
    local listener, port = helper.bind("127.0.0.1", 0)
    local near = assert(lsocket.connect("127.0.0.1", port))
    assert(certs.client():start(near, "good.example"))
    local first = pack(near:handshake())
    assert.is_false(first[1])
    local far = assert(helper.readable(listener):accept())
    assert(certs.server():start(far))
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
    pair.passes(near, far)
  end)

  it("has the failure of a connection that was not made", function()
    local refused, keeper = helper.refused()
    assert(certs.client():start(refused, "good.example"))
    fails("ECONNREFUSED", refused:handshake())
    assert.truthy(keeper)
  end)

  it("comes before all data", function()
    local near, far = pair.start(certs.client(), certs.server())
    for _, sock in ipairs { near, far } do
      for _ = 1, 2 do
        pair.fails("ENOTCONN", "TLS handshake not finished", sock:recv())
        pair.fails("ENOTCONN", "TLS handshake not finished", sock:peek())
        pair.fails("ENOTCONN", "TLS handshake not finished", sock:send "x")
        pair.fails("ENOTCONN", "TLS handshake not finished", sock:sendrest(1, "x"))
        pair.fails("ENOTCONN", "TLS handshake not finished", lsocket.buffer():recv(sock))
        assert.is_false((sock:handshake()))
      end
      assert.equal(0, sock:pending())
    end
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
    pair.passes(far, near)
  end)

  it("can be given up at any time", function()
    for side = 1, 2 do
      local ends = { pair.start(certs.client(), certs.server()) }
      assert.is_false((ends[1]:handshake()))
      assert.is_true(ends[side]:close())
      assert.is_true(ends[side]:close())
      fails("EBADF", ends[side]:handshake())
      fails("EBADF", ends[side]:recv())
      local _, name = select(2, pair.until_done(ends[3 - side], "r", function() return ends[3 - side]:handshake() end))
      assert.truthy(name == "ETLS_TRUNCATED" or name == "ECONNRESET" or name == "ETLS_ALERT", name)
    end
  end)

  it("is quiet about a method of a plain socket", function()
    local near = lsocket.pair()
    for _, method in ipairs { "handshake", "tls", "export", "binding" } do
      local ok, result = pcall(near[method], near, "EXPORTER-x", 32)
      assert.truthy(not ok or result == nil, method)
    end
    assert.equal(0, near:pending())
  end)

  it("fails where the other side speaks something else", function()
    for _, text in ipairs { "HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail.example ESMTP\r\n", "SSH-2.0-x\r\n",
      ("\0"):rep(100) } do
      local near, far = lsocket.pair()
      assert(certs.client():start(near, "good.example"))
      assert(far:send(text))
      pair.fails("ETLS_NOTTLS", nil, pair.until_done(near, "r", function() return near:handshake() end))
      pair.fails("ETLS_NOTTLS", nil, near:recv())
    end
    for _, text in ipairs { "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n", "POST / HTTP/1.0\r\n\r\n", "EHLO x\r\n" } do
      local near, far = lsocket.pair()
      assert(certs.server():start(far))
      assert(near:send(text))
      pair.fails("ETLS_NOTTLS", nil, pair.until_done(far, "r", function() return far:handshake() end))
    end
  end)
end)

describe("data", function()
  local near, far
  before_each(function() near, far = pair.connect() end)

  it("passes in any size, both ways", function()
    for _, size in ipairs { 1, 2, 100, 16383, 16384, 16385, 65536, 100000 } do
      local data = pair.numbered(size)
      for _, way in ipairs { { near, far }, { far, near } } do
        local from, to = unpack(way)
        local first, got = 1, {}
        while first <= size do
          first = first + assert(from:send(data, first))
          got[#got + 1] = to:recv() or nil
        end
        got[#got + 1] = helper.receive(to, size - #table.concat(got))
        assert.truthy(data == table.concat(got))
      end
    end
  end)

  it("is taken as send takes it: numbers, arrays, parts of them", function()
    assert.equal(3, near:send(123))
    assert.equal(6, near:send { "ab", 12, "cd" })
    assert.equal(3, near:send("abcdef", 2, 4))
    assert.equal(3, near:send({ "abc", "def" }, 3, -2))
    assert.equal(0, near:send "")
    assert.equal(0, near:send {})
    assert.equal(3, near:sendto("xyz", "127.0.0.1", 9))
    assert.is_true(near:sendrest(2, "-", "one", "two"))
    assert.equal("123ab12cdbcdcdexyzonetwo", helper.receive(far, 24))
    assert.is_false(far:recv())
    local many = {}
    for i = 1, 3000 do many[i] = i end
    assert.equal(#table.concat(many), near:send(many))
    assert.equal(table.concat(many), helper.receive(far, #table.concat(many)))
    raises("bad argument #3", near.send, near, {}, 1.5)
    raises("bad argument #2", near.send, near)
    pair.passes(near, far)
  end)

  it("is received as recv does: by size, looked at, into buffers", function()
    assert(near:send "0123456789")
    assert.equal("", helper.readable(far):recv(0))
    assert.equal("01", far:recv(2))
    assert.equal("234", far:peek(3))
    assert.equal("23456789", far:peek())
    assert.same({ n = 3, "2" }, pack(far:recvfrom(1)))
    local buffer = lsocket.buffer()
    assert.equal(3, buffer:recv(far, 3))
    assert.equal("345", buffer:some())
    assert.equal(4, buffer:recv(far))
    assert.equal("6789", buffer:some())
    assert.is_false(far:recv())
    assert.is_false(far:peek())
    assert.is_false(buffer:recv(far))
    assert.is_false((far:recvfrom()))
  end)

  it("comes from several calls in one", function()
    for _ = 1, 5 do assert(near:send "12345") end
    assert.equal(("12345"):rep(5), helper.readable(far):recv())
  end)

  it("comes out of files", function()
    local data = pair.numbered(200000)
    local file = assert(io.open(helper.file(data)))
    local offset, got = 5, {}
    repeat
      local count = assert(near:sendfile(file, offset))
      offset = offset + count
      got[#got + 1] = count > 0 and helper.receive(far, count) or nil
    until count == 0
    assert.equal(200000, offset)
    assert.truthy(data:sub(6) == table.concat(got))
    assert.equal(3, near:sendfile(file, 0, 3))
    assert.equal("000", helper.receive(far, 3))
    assert.equal(0, near:sendfile(file, 300000))
    fails("EBADF", near:sendfile(9999))
    file:close()
    pair.passes(near, far)
  end)

  it("moves both ways at once", function()
    local data, size = pair.numbered(1000000), 1000000
    local ends = { { from = near, to = far, sent = 0, got = {}, count = 0 },
      { from = far, to = near, sent = 0, got = {}, count = 0 } }
    helper.eventually("all has come", function()
      for _, way in ipairs(ends) do
        local count, message = way.from:send(data, way.sent + 1) -- in the end: only what was taken before
        assert(count ~= nil, message)
        way.sent = way.sent + (count or 0)
      end
      for _, way in ipairs(ends) do
        local piece, message = way.to:recv()
        assert(piece ~= nil, message)
        if piece then
          way.got[#way.got + 1] = piece
          way.count = way.count + #piece
        end
      end
      return ends[1].count >= size and ends[2].count >= size
    end)
    for _, way in ipairs(ends) do assert.truthy(table.concat(way.got) == data) end
  end)

  it("has what is its own of the descriptor", function()
    assert.equal("tcp", near:info().type)
    assert.truthy(near:getfd() >= 0)
    assert(near:setopt("sndbuf", 50000))
    assert.truthy(near:status())
    assert.truthy(tostring(near))
  end)

  it("does not go past TLS", function()
    local batch = lsocket.batch(2)
    batch:add "x"
    local calls = {
      detach = {}, setfd = { -1 }, dup = {}, recvmany = { batch }, sendmany = { batch }, recvmsg = {},
      sendmsg = { { data = "x" } }, recvfds = {}, sendfds = { "x", { io.stdout } },
    }
    for name, arguments in pairs(calls) do
      local results = pack(pcall(near[name], near, unpack(arguments)))
      assert.is_true(results[1], name .. ": " .. tostring(results[2]))
      assert.is_nil(results[2], name)
      assert.equal("EOPNOTSUPP", results[4], name)
    end
    pair.passes(near, far)
    pair.passes(far, near)
  end)
end)

describe("the end", function()
  for _, version in ipairs { "1.2", "1.3" } do
    describe("with TLS " .. version, function()
      local near, far
      before_each(function() near, far = pair.connect(certs.client { max = version }) end)

      it("of one direction leaves the other", function()
        for _, way in ipairs { { near, far }, { far, near } } do
          local a, b = unpack(way)
          if way[1] == far then a, b = pair.connect(certs.client { max = version }) end
          assert(a:send "last")
          assert.is_true(a:shutdown "w")
          assert.equal("last", helper.receive(b, 4))
          assert.same({ n = 1 }, pack(b:recv()))
          assert.same({ n = 1 }, pack(b:recv()))
          assert.same({ n = 1 }, pack(b:peek()))
          fails("EPIPE", a:send "more")
          pair.passes(b, a, "answer")
          assert.is_true(b:shutdown "w")
          assert.same({ n = 1 }, pack(pair.recv(a)))
          assert.is_true(a:close())
          assert.is_true(b:close())
        end
      end)

      it("of both", function()
        assert.is_true(near:shutdown())
        assert.same({ n = 1 }, pack(near:recv()))
        assert.same({ n = 1 }, pack(pair.recv(far)))
      end)

      it("by close is told, behind what was sent", function()
        assert(near:send "last words")
        assert.is_true(near:close())
        assert.equal("last words", helper.receive(far, 10))
        assert.same({ n = 1 }, pack(pair.recv(far)))
        assert.equal(-1, near:getfd())
        fails("EBADF", near:send "x")
        fails("EBADF", near:recv())
      end)

      it("by close is none with a linger of 0", function()
        assert.is_false(near:recv()) -- its tickets
        assert(near:send "half an answer")
        assert(near:setopt("linger", 0))
        assert.is_true(near:close())
        assert.equal("half an answer", helper.receive(far, 14))
        nothing_said(far)
      end)

      it("by the collector is none", function()
        near, far = pair.connect(certs.client { max = version })
        assert.is_false(near:recv()) -- its tickets: or closing it would reset the connection
        assert(near:send "last words")
        near = nil
        collectgarbage()
        collectgarbage()
        assert.equal("last words", helper.receive(far, 10))
        nothing_said(far)
        nothing_said(far)
      end)
    end)
  end

  it("of a connection that was reset is a failure", function()
    local near, far = helper.tcp()
    assert(certs.client():start(near, "good.example"))
    assert(certs.server():start(far))
    pair.shake { near, far }
    assert(far:setopt("linger", 0))
    far:close()
    helper.eventually("the reset", function()
      local data, _, name = near:recv()
      if data == nil then
        assert.equal("ECONNRESET", name)
        return true
      end
    end)
    fails("ECONNRESET", near:recv())
  end)

  it("raises no SIGPIPE", function()
    helper.need.proc(pending)
    local ignored = tonumber(process.status("SigIgn"):sub(-4), 16)
    if math.floor(ignored / 2 ^ 12) % 2 == 1 then pending "SIGPIPE is ignored here" end
    for _, call in ipairs { "send", "shutdown", "close", "handshake", "recv" } do
      local near, far = pair.connect()
      far:shutdown "r"
      far:close()
      local argument = call == "send" and "x" or call == "shutdown" and "w" or nil
      near:send "x"
      near:send "x"
      near[call](near, argument)
      near:close()
    end
    local near, far = pair.start(certs.client(), certs.server())
    far:close()
    assert.is_nil((near:handshake()))
  end)
end)

describe("one process", function()
  it("has one connection fail beside others that go on", function()
    local near, far = pair.connect()
    local context = certs.server "expired"
    for _ = 1, 20 do
      assert(near:send "before")
      local results = pair.try(certs.client(), context)
      pair.fails("ETLS_EXPIRED", nil, unpack(results, 1, results.n))
      assert.equal("before", helper.receive(far, 6))
      assert.is_false(far:recv())
      local plain, other = lsocket.pair()
      assert(certs.server():start(plain))
      assert(other:send "GET / HTTP/1.0\r\n\r\n")
      assert.is_nil((plain:handshake()))
      pair.passes(far, near)
      assert.is_false(near:recv())
    end
  end)

  it("may have LuaSec, too", function()
    local found, ssl = pcall(require, "ssl")
    if not found then pending "needs LuaSec" end
    local near, far = pair.connect()
    assert.is_nil((ssl.newcontext { mode = "client", protocol = "any", cafile = "/nonexistent" }))
    assert.is_nil((ssl.newcontext { mode = "server", protocol = "any", certificate = certs.path "text.pem" }))
    assert.is_nil((tls.server(certs.with "nothing")))
    pair.passes(near, far)
    pair.passes(far, near)
    assert.is_false(near:recv())
    assert(ssl.newcontext { mode = "client", protocol = "any", cafile = certs.path "root.pem" })
    pair.connect()
  end)

  it("leaks no descriptor", function()
    local client, server = certs.client(), certs.server()
    local function round()
      local near, far = pair.connect(client, server)
      pair.passes(near, far)
      near:close()
      far:close()
    end
    round()
    helper.settle()
    local before = process.count()
    for _ = 1, helper.scale(100) do round() end
    assert.equal(before, process.count())
  end)
end)

describe("after a fork", function()
  local near, far

  -- A test that forks.
  local function forks(name, run)
    it(name, function()
      forking.need(pending)
      near, far = pair.connect()
      run()
    end)
  end

  -- Both ends still work, and nothing has come that was not sent by them.
  local function still_works()
    assert.is_false(near:recv())
    assert.is_false(far:recv())
    pair.passes(near, far)
    pair.passes(far, near)
  end

  forks("a child that exits ends nothing", function()
    forking.run(function() end)
    still_works()
  end)

  forks("a child that collects ends nothing", function()
    forking.run(function()
      near, far = nil, nil
      collectgarbage()
      collectgarbage()
    end)
    still_works()
  end)

  forks("a child that closes ends nothing", function()
    forking.run(function()
      near:close()
      far:close()
    end)
    still_works()
  end)

  forks("a child that collects in mid-handshake ends nothing", function()
    near, far = pair.start(certs.client(), certs.server())
    near:handshake()
    forking.run(function()
      near, far = nil, nil
      collectgarbage()
      collectgarbage()
    end)
    local results = pair.shake { near, far }
    assert.is_true(results[near][1])
    still_works()
  end)

  forks("a child may go on with it where the parent does not", function()
    local pid = forking.start(function()
      assert(near:send "from the child")
      near:close()
    end)
    assert.equal("from the child", helper.receive(far, 14))
    forking.finish(pid)
  end)
end)
