-- recvmsg, sendmsg, recverr: data with its control data, and samples/udp_answer.lua, which lives on it.
-- Wrong arguments: value_spec.lua, and for the fields of sendmsg's table at the end of this file.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

-- A receiver at every address of a family, with options on; pending where the system lacks one of them.
local function receiver(pending, address, ...)
  local sock, port = helper.bind("udp", address, 0)
  for _, option in ipairs { ... } do
    local _, _, name = sock:setopt(option, true)
    if name == "ENOPROTOOPT" then pending("needs the option " .. option) end
    assert.is_nil(name)
  end
  return sock, port
end

local function receive(sock, ...)
  return helper.readable(sock):recvmsg(...)
end

-- Each way that a datagram can take here: where the receiver is bound, where the sender is, where it is sent to.
-- mapped: how the receiver sees the addresses.
local ways = {
  { "IPv4", "0.0.0.0", "127.0.0.1", "127.0.0.1" },
  { "IPv4, to another address", "0.0.0.0", "127.0.0.1", "127.0.0.2" },
  { "IPv6", "::", "::1", "::1", ipv6 = true },
  { "IPv4 to an IPv6 socket", "::", "127.0.0.1", "127.0.0.2", ipv6 = true, mapped = "::ffff:" },
  { "IPv4 on an interface", "0.0.0.0", "10.11.0.1", "10.12.0.1", sandbox = true },
  { "IPv6 on an interface", "::", "fd11::1", "fd11::1", sandbox = true },
  { "IPv6, link-local", "::", "fe80::11%veth0", "fe80::11%veth0", sandbox = true },
}

for _, way in ipairs(ways) do
  local name, wildcard, from, to = way[1], way[2], way[3], way[4]
  local mapped = way.mapped or ""

  local function prepare(pending, ...)
    if way.ipv6 then need.ipv6(pending) end
    if way.sandbox then need.sandbox(pending) end
    local server, port = receiver(pending, wildcard, ...)
    local client, clientport = helper.bind("udp", from, 0)
    return server, port, client, clientport
  end

  describe("a message by " .. name, function()
    it("tells its sender", function()
      if way[4]:find "%%" then need.zones(pending) end
      local server, port, client, clientport = prepare(pending)
      assert.equal(5, client:sendmsg { data = "hello", address = to, port = port })
      assert.same({ n = 2, "hello", { address = mapped .. from, port = clientport } }, pack(receive(server)))
      assert.same({ n = 1, false }, pack(server:recvmsg()))
    end)

    it("tells where it was sent to, and is answered from there", function()
      if way[4]:find "%%" then need.zones(pending) end
      local server, port, client, clientport = prepare(pending, "pktinfo")
      client:sendto("hello", to, port)
      local _, m = receive(server)
      assert.equal(mapped .. to, m.destination)
      assert.is_true(m.interface >= 1)
      local sent = pack(server:sendmsg { data = "answer", address = m.address, port = m.port, source = m.destination })
      if sent[3] == "ENOPROTOOPT" then pending "needs a source in messages" end
      assert.same({ n = 1, 6 }, sent)
      assert.same({ n = 3, "answer", to, port }, pack(helper.readable(client):recvfrom()))
      assert.equal(clientport, m.port)
    end)

    it("tells how many hops it had left, and its class of service", function()
      need.control(pending)
      local server, port, client = prepare(pending, "recvttl", "recvtos")
      for _, row in ipairs { { 1, 0, 0 }, { 77, 0xb8, 0 }, { 255, 0xfd, 1 } } do
        local sent, message = client:sendmsg { data = "x", address = to, port = port, ttl = row[1], tos = row[2] }
        if message == helper.texts.ENOPROTOOPT then pending "needs ttl and tos in messages" end
        assert.equal(1, sent)
        local _, m = receive(server)
        assert.equal(row[1], m.ttl)
        assert.equal(row[2], m.tos)
        assert.equal(row[3], m.ecn)
      end
    end)

    it("takes ecn as the two lowest bits of tos", function()
      need.control(pending)
      local server, port, client = prepare(pending, "recvtos")
      for _, row in ipairs { { nil, 2, 2 }, { 0x20, 3, 0x23 }, { 0x23, 0, 0x20 } } do
        local _, message = client:sendmsg { data = "x", address = to, port = port, tos = row[1], ecn = row[2] }
        if message == helper.texts.ENOPROTOOPT then pending "needs ttl and tos in messages" end
        assert.equal(row[3], select(2, receive(server)).tos)
      end
    end)

    it("tells when it came", function()
      local server, port, client = prepare(pending, "timestamp")
      local before = os.time()
      client:sendto("x", to, port)
      local _, m = receive(server)
      assert.is_true(m.timestamp >= before and m.timestamp < os.time() + 2) -- os.time may lag by a tick
    end)

    it("leaves from the socket's own address again when the next one says nothing", function()
      local server, port, client = prepare(pending, "pktinfo", "recvttl")
      local sent = client:sendmsg { data = "x", address = to, port = port, ttl = 9 }
      if not sent then pending "needs ttl and tos in messages" end
      client:sendmsg { data = "x", address = to, port = port }
      receive(server)
      assert.equal(64, select(2, receive(server)).ttl)
    end)
  end)
end

describe("recvmsg", function()
  it("gives what the kernel gave, and nothing else", function()
    local server, port = helper.bind("udp", "127.0.0.1", 0)
    local client, clientport = helper.bind("udp", "127.0.0.1", 0)
    client:sendto("", "127.0.0.1", port)
    assert.same({ n = 2, "", { address = "127.0.0.1", port = clientport } }, pack(receive(server)))
  end)

  it("refills the table that it is given, and leaves other keys alone", function()
    local server, port = receiver(pending, "127.0.0.1", "recvttl", "pktinfo")
    local client = assert(lsocket.connect("udp", "127.0.0.1", port))
    local message = { own = "kept", truncated = 1, controltruncated = true, error = "x", segment = 5 }
    client:send "abcdef"
    local data, m = receive(server, 3, message)
    assert.equal("abc", data)
    assert.is_true(rawequal(m, message))
    assert.equal(6, m.truncated)
    assert.is_nil(m.error or m.segment or m.controltruncated)
    server:setopt("recvttl", false)
    client:send "abcdef"
    receive(server, 6, message)
    assert.equal("kept", message.own)
    assert.is_nil(message.truncated or message.ttl)
    assert.equal("127.0.0.1", message.destination)
  end)

  it("takes little memory in a loop with one table", function()
    local server, port = receiver(pending, "127.0.0.1", "recvttl", "recvtos", "pktinfo")
    local client, message = assert(lsocket.connect("udp", "127.0.0.1", port)), {}
    client:send "x"
    receive(server, nil, message)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for _ = 1, 100 do
      client:send "x"
      server:recvmsg(nil, message)
    end
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(grown < 40, grown .. " KiB")
  end)

  it("cuts a datagram or record to the size, and tells its true length", function()
    local unix = helper.path()
    local named = assert(lsocket.bind("udp", unix))
    local udp, port = helper.bind("udp", "127.0.0.1", 0)
    local pairs_of = {
      { assert(lsocket.connect("udp", "127.0.0.1", port)), udp },
      { assert(lsocket.connect("udp", unix)), named },
      { assert(lsocket.pair "udp") },
      { assert(lsocket.pair "seqpacket") },
    }
    for _, ends in ipairs(pairs_of) do
      for _, row in ipairs { { 10, 10 }, { 10, 9 }, { 10, 1 }, { 10, 0 }, { 60000, 59999 } } do
        assert.equal(row[1], ends[1]:send(("x"):rep(row[1])))
        local data, m = receive(ends[2], row[2])
        assert.equal(row[2], #data)
        assert.equal(row[1] > row[2] and row[1] or nil, m.truncated)
      end
    end
  end)

  it("takes more than 64 KiB where the size says so", function()
    local a, b = assert(lsocket.pair "udp")
    a:setopt("sndbuf", 300000)
    local data = ("0123456789"):rep(10000)
    local sent = a:send(data)
    if sent ~= #data then pending "needs datagrams of 100 kB" end
    assert.equal(data, (receive(b, 200000)))
    a:send(data)
    local got, m = receive(b, 70000)
    assert.equal(data:sub(1, 70000), got)
    assert.is_true(m.truncated > 70000)
  end)

  it("reads streams, and their end", function()
    for _, make in ipairs { helper.tcp, function() return lsocket.pair() end } do
      local a, b = make()
      assert.equal(8, a:sendmsg { data = { "one", " ", "more" } })
      assert.same({ n = 2, "one", {} }, pack(receive(b, 3)))
      assert.same({ n = 2, " more", {} }, pack(receive(b)))
      assert.same({ n = 1, false }, pack(b:recvmsg()))
      a:close()
      assert.same({ n = 1 }, pack(receive(b)))
    end
  end)

  it("tells the end of records from an empty one", function()
    local a, b = assert(lsocket.pair "seqpacket")
    a:send ""
    a:send "x"
    if receive(b) ~= "" then pending "this system cannot tell an empty record from the end" end
    assert.equal("x", (receive(b)))
    a:close()
    assert.same({ n = 1 }, pack(receive(b)))
  end)

  it("names a unix sender, and gives its credentials", function()
    local from, to = helper.path(), helper.path()
    local server, client = assert(lsocket.bind("udp", to)), assert(lsocket.bind("udp", from))
    assert.equal(1, client:sendmsg { data = "x", address = to })
    assert.same({ n = 2, "x", { address = from, port = 0 } }, pack(receive(server)))
    if not server:setopt("passcred", true) then pending "needs the option passcred" end
    assert.equal(1, client:sendmsg { data = "x", address = to, port = 9 })
    local who = select(2, receive(server)).credentials
    assert.equal(tonumber(process.pid()), who.pid)
    assert.is_number(who.uid)
    assert.is_number(who.gid)
  end)

  it("closes descriptors that came along, and says that something was lost", function()
    need.proc(pending)
    local a, b = assert(lsocket.pair "udp")
    local before = process.count()
    assert.equal(1, a:sendfds("x", { a, b, 0 }))
    local data, m = receive(b)
    assert.equal("x", data)
    assert.is_true(m.controltruncated)
    assert.equal(before, process.count())
  end)

  it("closes the descriptor of the sender's process, which an option by number has asked for", function()
    need.proc(pending)
    local a, b = assert(lsocket.pair "udp")
    need.pidfds(pending, b)
    local before = process.count()
    for _ = 1, 3 do
      assert.equal(1, a:send "x")
      local data, m = receive(b)
      assert.equal("x", data)
      assert.is_true(m.controltruncated)
    end
    assert.equal(before, process.count())
  end)

  it("tells the length of the datagrams that came as one", function()
    need.control(pending)
    local server, port = receiver(pending, "127.0.0.1", "gro")
    local client = assert(lsocket.connect("udp", "127.0.0.1", port))
    assert.equal(250, client:sendmsg { data = ("x"):rep(250), segment = 100 })
    local data, m = receive(server)
    assert.equal(250, #data)
    assert.equal(100, m.segment)
  end)

  it("fails as recv does", function()
    fails("EBADF", (function() local s = helper.bind("udp", "127.0.0.1", 0) s:close() return s:recvmsg() end)())
    fails("ENOTCONN", assert(lsocket.bind("127.0.0.1", 0)):recvmsg())
    fails("ECONNREFUSED", helper.refused():recvmsg())
  end)
end)

describe("sendmsg", function()
  it("sends to the peer where there is no address", function()
    local server, port = helper.bind("udp", "127.0.0.1", 0)
    local client = assert(lsocket.connect("udp", "127.0.0.1", port))
    for _, data in ipairs { "hello", "", 12, { "he", "llo" }, {}, { 1, 2 } } do
      local text = type(data) == "table" and table.concat(data) or tostring(data)
      assert.equal(#text, client:sendmsg { data = data })
      assert.equal(text, (receive(server)))
    end
    fails("EDESTADDRREQ", server:sendmsg { data = "x" })
  end)

  it("chooses the source of a connected socket, too", function()
    local server, port = helper.bind("udp", "0.0.0.0", 0)
    local client, clientport = helper.bind("udp", "0.0.0.0", 0)
    local fresh = assert(lsocket.connect("udp", "127.0.0.1", port))
    local sent = client:sendmsg { data = "x", address = "127.0.0.1", port = port, source = "127.0.0.9" }
    if not sent then pending "needs a source in messages" end
    assert.equal(1, sent)
    assert.same({ n = 3, "x", "127.0.0.9", clientport }, pack(helper.readable(server):recvfrom()))
    assert.equal(1, fresh:sendmsg { data = "y", source = "127.0.0.8" })
    assert.equal("127.0.0.8", select(2, helper.readable(server):recvfrom()))
  end)

  it("takes IPv4's control data out of a connected IPv6 socket", function()
    need.ipv6(pending)
    local server, port = receiver(pending, "127.0.0.1", "recvttl")
    local client = assert(lsocket.connect("udp", "::ffff:127.0.0.1", port))
    local sent = client:sendmsg { data = "x", ttl = 5, source = "::ffff:127.0.0.3" }
    if not sent then pending "needs source and ttl in messages" end
    assert.equal(1, sent)
    local _, m = receive(server)
    assert.equal(5, m.ttl)
    assert.equal("127.0.0.3", m.address)
  end)

  it("takes an interface by name, index and address", function()
    need.control(pending)
    need.sandbox(pending)
    local server, port = receiver(pending, "0.0.0.0", "pktinfo")
    local client = helper.bind("udp", "0.0.0.0", 0)
    for _, interface in ipairs { "lo", 1, "127.0.0.1" } do
      assert.equal(1, client:sendmsg { data = "x", address = "127.0.0.1", port = port, interface = interface })
      assert.equal(1, select(2, receive(server)).interface)
    end
    fails("ENODEV", client:sendmsg { data = "x", address = "127.0.0.1", port = port, interface = "nosuch0" })
    fails("EADDRNOTAVAIL", client:sendmsg { data = "x", address = "127.0.0.1", port = port, interface = "10.9.9.9" })
    fails("ENODEV", client:sendmsg { data = "x", address = "127.0.0.1", port = port, interface = 9999 })
    fails("EINVAL", assert(lsocket.bind("udp", "::", 0)):sendmsg { data = "x", address = "fe80::11%veth0", port = port,
      source = "fe80::11%veth0", interface = "veth1" })
  end)

  it("fails where addresses do not go together, or are not there", function()
    need.ipv6(pending)
    local four, port = helper.bind("udp", "127.0.0.1", 0)
    local six = helper.bind("udp", "::", 0)
    fails("EAFNOSUPPORT", four:sendmsg { data = "x", address = "::1", port = port })
    fails("EAFNOSUPPORT", four:sendmsg { data = "x", address = "127.0.0.1", port = port, source = "::1" })
    fails("EAFNOSUPPORT", six:sendmsg { data = "x", address = "127.0.0.1", port = port, source = "::1" })
    fails("EAFNOSUPPORT", six:sendmsg { data = "x", address = "::1", port = port, source = "127.0.0.1" })
    fails("EAFNOSUPPORT", four:sendmsg { data = "x", address = "/tmp/x" })
    fails("EAI_NONAME", four:sendmsg { data = "x", address = "localhost", port = port })
    fails("EAI_NONAME", four:sendmsg { data = "x", address = "127.0.0.1", port = port, source = "localhost" })
    local _, _, name = six:sendmsg { data = "x", address = "127.0.0.1", port = port, source = "192.0.2.1" }
    assert.is_string(name)
  end)

  it("gives nothing but data to what knows no datagrams of the internet", function()
    for _, kind in ipairs { "tcp", "udp", "seqpacket" } do
      local a, b = assert(lsocket.pair(kind))
      for _, field in ipairs { "ttl", "tos", "ecn", "segment", "interface" } do
        fails("EOPNOTSUPP", a:sendmsg { data = "x", [field] = 1 })
      end
      fails("EOPNOTSUPP", a:sendmsg { data = "x", source = "127.0.0.1" })
      assert.is_false((b:recvmsg()))
    end
    local client, server = helper.tcp()
    fails("EOPNOTSUPP", client:sendmsg { data = "x", ttl = 1 })
    assert.equal(1, client:sendmsg { data = "x", address = "192.0.2.1", port = 9 }) -- ignored, as by sendto
    assert.equal("x", (receive(server)))
  end)

  it("says false where there is no room", function()
    local client, server = helper.tcp()
    local answer
    helper.eventually("a full stream", function()
      helper.fill(client)
      answer = pack(client:sendmsg { data = "x" })
      return answer[1] ~= 1
    end)
    assert.same({ n = 1, false }, answer)
    server:close()
  end)

  it("fails on a closed socket, whatever it is asked for", function()
    local sock = helper.bind("udp", "127.0.0.1", 0)
    sock:close()
    fails("EBADF", sock:sendmsg { data = "x" })
    fails("EBADF", sock:sendmsg { data = "x", address = "::1", port = 1, source = "/x", interface = "nosuch0" })
  end)

  it("refuses unknown fields and wrong values, and says which", function()
    local sock = helper.bind("udp", "127.0.0.1", 0)
    local good = { data = "x", address = "127.0.0.1", port = 9, source = "127.0.0.1", interface = 1, ttl = 1, tos = 0,
      ecn = 0, segment = 0 }
    local function with(field, value)
      local message = {}
      for k, v in pairs(good) do message[k] = v end
      message[field] = value
      return message
    end
    for field in pairs(good) do
      for _, value in ipairs { true, false, print, -1, 1.5, 1 / 0, 0 / 0, 2 ^ 31, "\0", io.stdout } do
        local may = field == "data" and (type(value) == "number" or type(value) == "string")
        if value == "\0" and field == "interface" then may = true end -- a name that no interface has
        local results = pack(pcall(sock.sendmsg, sock, with(field, value)))
        if not may then
          assert.is_false(results[1], field .. " " .. tostring(value))
          assert.is_truthy(results[2]:find("bad argument #2 to .*" .. field .. ": "), results[2])
        end
      end
    end
    for _, row in ipairs { { "ttl", 0 }, { "ttl", 256 }, { "tos", 256 }, { "ecn", 4 }, { "segment", 65536 },
      { "port", 65536 }, { "interface", 0 } } do
      raises(row[1] .. ": ", function() sock:sendmsg(with(row[1], row[2])) end)
    end
    for _, key in ipairs { "Data", "addr", "", "data\0", 1, true, print } do
      raises("no such field", function() sock:sendmsg(with(key, "x")) end)
    end
    raises("data: string or table expected, got nil", function() sock:sendmsg {} end)
    raises("data: element 2: string expected, got boolean", function() sock:sendmsg { data = { "x", true } } end)
    raises("port: number expected, got no value", function() sock:sendmsg { data = "x", address = "127.0.0.1" } end)
    raises("address: string expected, got no value", function() sock:sendmsg { data = "x", port = 1 } end)
    raises("bad argument #1 to 'sendmsg'", function() sock:sendmsg "x" end)
    assert.is_false((sock:recvmsg()))
  end)
end)

describe("recverr", function()
  for _, address in ipairs { "127.0.0.1", "::1" } do
    it("tells which datagram to " .. address .. " was refused, and by whom", function()
      need.offender(pending)
      if address == "::1" then need.ipv6(pending) end
      local port, keeper = helper.refusing_udp_port()
      local sock = receiver(pending, address, "recverr")
      assert.same({ n = 1, false }, pack(sock:recverr()))
      assert.equal(4, sock:sendto("lost", address, port))
      helper.readable(sock)
      local data, m = sock:recverr()
      assert.equal("lost", data)
      assert.equal(address, m.address)
      assert.equal(port, m.port)
      assert.equal("ECONNREFUSED", m.error)
      assert.equal(address, m.offender)
      assert.same(address == "::1" and { "icmp6", 1, 4 } or { "icmp", 3, 3 }, { m.origin, m.type, m.code })
      assert.same({ n = 1, false }, pack(sock:recverr()))
      assert.is_not_nil(keeper)
    end)
  end

  it("tells the length that the path takes", function()
    need.sandbox(pending)
    local sock = receiver(pending, "0.0.0.0", "recverr")
    if not sock:setopt("mtudiscover", "do") then pending "needs the option mtudiscover" end
    fails("EMSGSIZE", sock:sendto(("x"):rep(2000), "10.11.0.99", 9))
    local data, m = sock:recverr(10)
    assert.equal("", data)
    assert.equal("10.11.0.99", m.address)
    assert.equal("EMSGSIZE", m.error)
    assert.equal("local", m.origin)
    assert.equal(1500, m.mtu)
    assert.is_nil(m.offender)
  end)

  it("fails where there is no queue", function()
    for _, kind in ipairs { "tcp", "udp", "seqpacket" } do
      local a, b = assert(lsocket.pair(kind))
      a:send "x"
      fails("EOPNOTSUPP", b:recverr())
      assert.equal("x", b:recv())
    end
    local sock = helper.bind("udp", "127.0.0.1", 0)
    sock:close()
    fails("EBADF", sock:recverr())
  end)
end)

describe("samples/udp_answer.lua", function()
  it("answers from the address that it was asked at", function()
    local probe = receiver(pending, "127.0.0.1", "pktinfo")
    probe:close()
    local pipe = assert(io.popen(helper.command("../../samples/udp_answer", "0.0.0.0", 0)))
    local port = tonumber(pipe:read():match "port (%d+)$")
    local client = helper.bind("udp", "0.0.0.0", 0)
    for _, address in ipairs { "127.0.0.1", "127.0.0.2", "127.1.2.3" } do
      client:sendto("hello", address, port)
      assert.same({ n = 3, "you asked " .. address .. ": hello", address, port },
        pack(helper.readable(client):recvfrom()))
    end
    client:sendto("quit", "127.0.0.1", port)
    assert.is_truthy(pipe:read "*a":find "quit")
    pipe:close()
  end)
end)
