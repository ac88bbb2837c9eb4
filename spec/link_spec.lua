-- What only two hosts can show: which link a datagram took, zones that mean something to both, large datagrams, links
-- that go down. One machine's multicast is in mcast_spec and join_spec.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local hosts = require "spec.hosts"

local fails, need = helper.fails, helper.need

-- Sets sock, a socket in the host; answers its port.
local function bind(host, ...)
  return host("sock = assert(lsocket.bind(...)) return helper.port(sock)", ...)
end

local function connect(host, ...)
  return host("sock = assert(lsocket.connect(...)) return helper.port(sock)", ...)
end

-- What a method of the host's socket answers.
local function call(host, method, ...)
  return host("return sock[...](sock, select(2, ...))", method, ...)
end

-- What came, and from where: text, address, port.
local function receive(host)
  return host "return helper.readable(sock):recvfrom()"
end

local function is_silent(host)
  return host "return not helper.is_readable(sock)"
end

-- So many datagrams, and any more that come, in the order of their texts: a later one may overtake where there are two
-- links.
local function everything(host, count)
  return host([[
    local count, texts = ..., {}
    while #texts < count or helper.is_readable(sock) do
      texts[#texts + 1] = helper.readable(sock):recv() or nil
    end
    table.sort(texts)
    return table.concat(texts, ", ")
  ]], count or 1)
end

-- From a to a group by both links, that of link1 being the last.
local function send_by_both(a, group, port)
  for _, link in ipairs { "link2", "link1" } do
    connect(a, "mcast", group .. "%" .. link, port)
    assert.equal(8, call(a, "send", "by " .. link))
  end
end

describe("a group over two links", function()
  after_each(hosts.remove)

  it("is heard on the link where it was joined", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    for group, any in pairs { ["239.1.2.3"] = "0.0.0.0", ["ff02::1:3"] = "::", ["ff05::1:3"] = "::" } do
      local port = bind(b, "udp", any, 0)
      assert.is_true(call(b, "join", group, "link1"))
      send_by_both(a, group, port)
      assert.equal("by link1", everything(b))
      assert.is_true(call(b, "join", group, "link2"))
      send_by_both(a, group, port)
      assert.equal("by link1, by link2", everything(b, 2))
      assert.is_true(call(b, "leave", group, "link1"))
      send_by_both(a, group, port)
      assert.equal("by link2", everything(b))
    end
  end)

  it("is heard there alone by an IPv4 socket, whatever other sockets have joined", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    local port = bind(b, "udp", "0.0.0.0", 0)
    assert.is_true(call(b, "join", "239.1.2.3", "link1"))
    b "other = assert(lsocket.bind('mcast', '239.1.2.3%link2', 0))"
    send_by_both(a, "239.1.2.3", port)
    assert.equal("by link1", everything(b))
  end)

  it("is heard there alone by an IPv6 socket that is bound to a group of link scope with its zone", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    local port = bind(b, "mcast", "ff02::1:4%link1", 0)
    b "other = assert(lsocket.bind('mcast', 'ff02::1:4%link2', 0))"
    send_by_both(a, "ff02::1:4", port)
    assert.equal("by link1", everything(b))
  end)

  it("comes from the address of the link that it left by", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    local port = bind(b, "udp", "::", 0)
    for link = 1, 2 do
      local name = "link" .. link
      assert.is_true(call(b, "join", "ff02::1:5", name))
      bind(a, "udp", "::", 0)
      assert.equal(1, call(a, "sendto", "x", "ff02::1:5%" .. name, port))
      local _, address, from = receive(b)
      assert.equal("fe80::1%" .. name, address)
      assert.equal(1, call(b, "sendto", "y", address, from)) -- as it is
      assert.same({ "y", "fe80::2%" .. name, port }, { receive(a) })
    end
  end)
end)

describe("a group joined for one sender", function()
  after_each(hosts.remove)

  local function expect_one(any, group, address, stranger, sendto)
    local a, b = hosts.make(pending)
    a:ip("addr add " .. stranger .. (stranger:find ":" and "/64 nodad" or "/24") .. " dev link1")
    local port = bind(b, "udp", any, 0)
    local ok, _, name = call(b, "join", group, "link1", address)
    if name == "ENOPROTOOPT" then pending "the system knows no single senders for IPv6" end
    assert.is_true(ok)
    local function send_from(source)
      bind(a, "udp", source, 0)
      assert.equal(#source, call(a, "sendto", source, sendto, port))
    end
    send_from(stranger)
    send_from(address)
    assert.equal(address, everything(b))
    assert.is_true(call(b, "join", group, "link1", stranger))
    send_from(stranger)
    assert.equal(stranger, everything(b))
    assert.is_true(call(b, "leave", group, "link1", address))
    send_from(address)
    assert.is_true(is_silent(b))
  end

  it("is not heard from another, IPv4", function()
    expect_one("0.0.0.0", "232.1.2.3", "10.21.0.1", "10.21.0.7", "232.1.2.3")
  end)

  it("is not heard from another, IPv6", function()
    expect_one("::", "ff32::1:3", "fd21::1", "fd21::7", "ff32::1:3%link1")
  end)
end)

describe("a link-local address", function()
  after_each(hosts.remove)

  it("that recvfrom or info gives works with sendto, connect and bind, on both hosts", function()
    need.zones(pending)
    local a, b = hosts.make(pending)
    for link = 1, 2 do
      local far, near = "fe80::2%link" .. link, "fe80::1%link" .. link
      local port = bind(b, "udp", "::", 0)
      bind(a, "udp", "::", 0)
      assert.equal(4, call(a, "sendto", "ping", far, port))
      local data, address, from = receive(b)
      assert.same({ "ping", near }, { data, address })
      assert.equal(4, call(b, "sendto", "pong", address, from))
      assert.same({ "pong", far, port }, { receive(a) })

      connect(b, "udp", address, from)
      assert.equal(address, call(b, "info", "peer").addr)
      local own = call(b, "info", "socket").addr
      assert.equal(far, own)
      assert.equal(3, call(b, "send", "hey"))
      data, address = receive(a)
      assert.same({ "hey", own }, { data, address })

      port = bind(b, "udp", own, 0)
      assert.equal(3, call(a, "sendto", "you", address, port))
      assert.equal("you", (receive(b)))
    end
  end)

  it("that accept gives works with connect", function()
    need.zones(pending)
    local a, b = hosts.make(pending)
    for link = 1, 2 do
      local far, near = "fe80::2%link" .. link, "fe80::1%link" .. link
      local port = bind(b, far, 0)
      connect(a, far, port)
      local address = b [[
        local connection, address = helper.readable(sock):accept()
        assert(connection:info("peer").addr == address)
        return address
      ]]
      assert.equal(near, address)
      assert.equal(far, call(a, "info", "peer").addr)
      assert.equal(near, call(a, "info", "socket").addr)
      port = bind(a, address, 0)
      connect(b, address, port)
      assert.equal(far, select(2, a "local _, address = helper.readable(sock):accept() return true, address"))
    end
  end)

  it("means nothing without its zone", function()
    local a = hosts.make(pending)
    fails("EINVAL", a "return lsocket.connect('fe80::2', 9)")
    fails("EINVAL", a "return lsocket.bind('fe80::1', 0)")
  end)
end)

describe("a large datagram", function()
  after_each(hosts.remove)

  local function arrives(a, b, host_address, size)
    local port = bind(b, "udp", host_address, 0)
    local text = ("0123456789"):rep(size / 10)
    connect(a, "udp", host_address, port)
    assert.equal(size, call(a, "send", text))
    assert.equal(text, (receive(b)))
  end

  it("arrives whole in many fragments", function()
    local a, b = hosts.make(pending)
    for _, address in ipairs { "10.21.0.2", "fd21::2", "fe80::2%link1" } do arrives(a, b, address, 60000) end
  end)

  it("arrives whole over a link that takes it in one piece", function()
    local a, b = hosts.make(pending)
    a:ip "link set link2 mtu 9000"
    b:ip "link set link2 mtu 9000"
    for _, address in ipairs { "10.22.0.2", "fd22::2", "fe80::2%link2" } do arrives(a, b, address, 8900) end
  end)
end)

describe("a link that goes down", function()
  after_each(hosts.remove)

  it("makes its own host's calls fail, until it is up again", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    local port = bind(b, "udp", "0.0.0.0", 0)
    connect(a, "udp", "10.21.0.2", port)
    a:ip "link set link1 down"
    fails("ENETUNREACH", call(a, "send", "x"))
    assert.is_false(call(a, "recv"))
    assert.is_true(call(a, "status"))
    for _, address in ipairs { "10.21.0.2", "fd21::2", "fe80::2%link1" } do
      fails("ENETUNREACH", a("return lsocket.connect(..., 9)", address))
      fails("ENETUNREACH", a("return lsocket.connect('udp', ..., 9)", address))
    end
    fails("ENETUNREACH", a "return lsocket.connect('mcast', 'ff02::9%link1', 9)")
    fails("EADDRNOTAVAIL", a "return lsocket.bind('fe80::1%link1', 0)") -- it lost its IPv6 addresses
    assert.is_true(a "return lsocket.bind('udp', '0.0.0.0', 0):join('239.1.2.3', 'link1')")
    a:ip "link set link1 up"
    assert.equal(5, call(a, "send", "again"))
    assert.equal("again", (receive(b)))
    assert.is_true(is_silent(b))
  end)

  it("at the other end holds datagrams up without a word, until it is up again", function()
    local a, b = hosts.make(pending)
    local port = bind(b, "udp", "0.0.0.0", 0)
    connect(a, "udp", "10.21.0.2", port)
    b:ip "link set link1 down"
    for _ = 1, 3 do assert.equal(1, call(a, "send", "x")) end
    assert.is_false(call(a, "recv"))
    assert.is_true(a [[
      local connecting = assert(lsocket.connect("10.21.0.2", 9))
      return not helper.is_writable(connecting) and connecting:status() and connecting:recv() == false
    ]])
    b:ip "link set link1 up"
    assert.equal(5, call(a, "send", "again"))
    local text
    repeat text = receive(b) until text ~= "x" -- the system may have kept some of the others
    assert.equal("again", text)
  end)

  it("keeps groups joined", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    local port = bind(b, "udp", "0.0.0.0", 0)
    assert.is_true(call(b, "join", "239.1.2.3", "link1"))
    b:ip "link set link1 down"
    b:ip "link set link1 up"
    a:await_links()
    b:await_links()
    connect(a, "mcast", "239.1.2.3%link1", port)
    assert.equal(1, call(a, "send", "x"))
    assert.equal("x", (receive(b)))
  end)

  it("holds a connection up and loses nothing of it", function()
    for end_of_link = 1, 2 do
      local a, b = hosts.make(pending)
      local port = bind(b, "0.0.0.0", 0)
      connect(a, "10.21.0.2", port)
      a "helper.writable(sock)"
      b "sock = assert(helper.readable(sock):accept())"
      local down = end_of_link == 1 and a or b
      assert.equal(6, call(a, "send", "before"))
      assert.equal("before", (receive(b)))
      down:ip "link set link1 down"
      local sent = a "return helper.fill(sock)"
      assert.is_false(call(a, "recv"))
      assert.is_true(call(a, "status"))
      down:ip "link set link1 up"
      assert.equal(sent, b("return #helper.receive(sock, ...)", sent))
      a "sock:close()"
      assert.is_nil((receive(b)))
    end
  end)
end)

local function needs_option(name)
  local sock = assert(lsocket.bind("udp", "127.0.0.1", 0))
  local ok, value = pcall(sock.getopt, sock, name)
  if not ok or value == nil then pending("needs the option " .. name) end
end

describe("a socket bound to a device", function()
  after_each(hosts.remove)

  it("does not hear the other link", function()
    needs_option "device"
    need.option(pending, (helper.bind("udp", "127.0.0.1", 0)), "device", "lo")
    local a, b = hosts.make(pending)
    for _, any in ipairs { "0.0.0.0", "::" } do
      local port = bind(b, { type = "udp", address = any, port = 0, device = "link1" })
      assert.equal("link1", call(b, "getopt", "device"))
      local near, far = any == "::" and "fd21::2" or "10.21.0.2", any == "::" and "fd22::2" or "10.22.0.2"
      bind(a, "udp", any, 0)
      assert.equal(3, call(a, "sendto", "far", far, port))
      assert.equal(4, call(a, "sendto", "near", near, port))
      assert.equal("near", everything(b))
    end
  end)

  it("does not hear an IPv6 group on the other link, whatever other sockets have joined", function()
    need.groups(pending)
    needs_option "device"
    local a, b = hosts.make(pending)
    local port = bind(b, { type = "udp", address = "::", port = 0, device = "link1" })
    assert.is_true(call(b, "join", "ff05::1:3", "link1"))
    b "other = assert(lsocket.bind('mcast', 'ff05::1:3%link2', 0))"
    send_by_both(a, "ff05::1:3", port)
    assert.equal("by link1", everything(b))
  end)

  it("accepts no connection from the other link", function()
    needs_option "device"
    local a, b = hosts.make(pending)
    local port = bind(b, { address = "0.0.0.0", port = 0, device = "link2" })
    connect(a, "10.21.0.2", port)
    fails("ECONNREFUSED", a "return helper.writable(sock):status()")
    connect(a, "10.22.0.2", port)
    assert.is_true(a "return helper.writable(sock):status()")
  end)

  it("sends by its own link where the routes lead by the other", function()
    needs_option "device"
    local a, b = hosts.make(pending)
    a:ip "route add 10.99.0.0/16 dev link1"
    b:ip "addr add 10.99.0.1/32 dev link2"
    local port = bind(b, "udp", "10.99.0.1", 0)
    a("sock = assert(lsocket.connect { type = 'udp', address = '10.99.0.1', port = ..., device = 'link2' })", port)
    assert.equal(1, call(a, "send", "x"))
    local data, address = receive(b)
    assert.same({ "x", "10.22.0.1" }, { data, address })
  end)
end)

describe("mtudiscover = \"do\"", function()
  after_each(hosts.remove)

  it("fails with what does not fit the link in one piece", function()
    needs_option "mtudiscover"
    local a, b = hosts.make(pending)
    a:ip "link set link2 mtu 9000"
    b:ip "link set link2 mtu 9000"
    local rooms = { ["10.21.0.2"] = 1472, ["fd21::2"] = 1452, ["10.22.0.2"] = 8972, ["fd22::2"] = 8952 }
    for address, room in pairs(rooms) do
      local port = bind(b, "udp", address, 0)
      a("sock = assert(lsocket.connect { type = 'udp', address = ..., port = select(2, ...), mtudiscover = 'do' })",
        address, port)
      fails("EMSGSIZE", call(a, "send", ("x"):rep(room + 1)))
      assert.equal(room, call(a, "send", ("x"):rep(room)))
      assert.equal(("x"):rep(room), (receive(b)))
    end
  end)
end)

describe("a server on the wildcard address with pktinfo", function()
  after_each(hosts.remove)

  -- In b: answers one question from the address that it was put to, or from where the routes lead.
  local function answer(b, from_there)
    return b([[
      local data, about = helper.readable(sock):recvmsg()
      sock:sendmsg{ data = "answer", address = about.address, port = about.port,
        source = ... and about.destination or nil, interface = ... and about.interface or nil }
      for _, record in ipairs(lsocket.getinterfaces()) do
        if record.index == about.interface then return data, about.destination, record.name end
      end
    ]], from_there)
  end

  it("answers from the address that it was asked at", function()
    need.control(pending)
    needs_option "pktinfo"
    local a, b = hosts.make(pending)
    b:ip "addr add 10.21.0.9/24 dev link1"
    b:ip "addr add fd22::9/64 dev link2 nodad"
    for _, row in ipairs {
      { "0.0.0.0", "10.21.0.2", "link1" }, { "0.0.0.0", "10.21.0.9", "link1" }, { "0.0.0.0", "10.22.0.2", "link2" },
      { "::", "fd21::2", "link1" }, { "::", "fd22::9", "link2" }, { "::", "fe80::2%link2", "link2" },
    } do
      local any, address, link = row[1], row[2], row[3]
      local port = bind(b, { type = "udp", address = any, port = 0, pktinfo = true })
      connect(a, "udp", address, port) -- hears this address alone
      assert.equal(1, call(a, "send", "?"))
      assert.same({ "?", address, link }, { answer(b, true) })
      assert.equal("answer", (receive(a)))
    end
  end)

  it("answers from another, unless it says which", function()
    need.control(pending)
    needs_option "pktinfo"
    local a, b = hosts.make(pending)
    b:ip "addr add 10.21.0.9/24 dev link1"
    local port = bind(b, { type = "udp", address = "0.0.0.0", port = 0, pktinfo = true })
    connect(a, "udp", "10.21.0.9", port)
    assert.equal(1, call(a, "send", "?"))
    assert.same({ "?", "10.21.0.9", "link1" }, { answer(b, false) })
    assert.is_true(is_silent(a))
  end)

  it("is told the group and the link", function()
    need.groups(pending)
    needs_option "pktinfo"
    local a, b = hosts.make(pending)
    for group, any in pairs { ["239.1.2.3"] = "0.0.0.0", ["ff05::1:3"] = "::" } do
      local port = bind(b, { type = "udp", address = any, port = 0, pktinfo = true })
      for link = 1, 2 do
        local name = "link" .. link
        assert.is_true(call(b, "join", group, name))
        connect(a, "mcast", group .. "%" .. name, port)
        assert.equal(1, call(a, "send", "?"))
        assert.same({ "?", group, name }, { answer(b, false) })
      end
    end
  end)
end)
