-- Named arguments of bind and connect: families, local ends, permissions and dead files of paths, options, inheritance.
-- Arguments in order, types and addresses are in lsocket_spec.lua; wrong values in value_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"
local lfs = require "lfs"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

-- nil, text, "EINVAL": a text of the library's own.
local function refuses(text, ...)
  assert.same({ n = 3, nil, text, "EINVAL" }, pack(...))
end

local function permissions(path)
  local octal = { r = 4, w = 2, x = 1, ["-"] = 0 }
  local text, sum = lfs.attributes(path, "permissions"), ""
  for group in text:gmatch "..." do
    local digit = 0
    for letter in group:gmatch "." do digit = digit + octal[letter] end
    sum = sum .. digit
  end
  return sum
end

local function is_there(path) return lfs.symlinkattributes(path, "mode") end

-- A socket's file of which no socket is left.
local function dead_file(type)
  local path = helper.path()
  assert(lsocket.bind(type or "tcp", path)):close()
  assert.equal("socket", is_there(path))
  return path
end

-- The flags of a descriptor, as the kernel tells them.
local function is_inherited(sock)
  local flags = process.read("/proc/self/fdinfo/" .. sock:getfd()):match "flags:%s*(%d+)"
  return math.floor(tonumber(flags, 8) / 524288) % 2 == 0 -- O_CLOEXEC
end

describe("family", function()
  it("lets numeric addresses of that family through alone", function()
    local sock = assert(lsocket.bind { family = "inet", address = "127.0.0.1", port = 0 })
    assert.equal("inet", sock:info().family)
    fails("EAFNOSUPPORT", lsocket.bind { family = "inet6", address = "127.0.0.1", port = 0 })
    fails("EAFNOSUPPORT", lsocket.bind { family = "inet", address = "::1", port = 0 })
    fails("EAFNOSUPPORT", lsocket.connect { family = "inet6", address = "127.0.0.1", port = 9 })
  end)

  it("of unix takes paths and names, and nothing is looked up", function()
    local path = helper.path()
    local listener = assert(lsocket.bind { family = "unix", address = path })
    helper.connect_to(listener, { family = "unix", address = path })
    fails("EAFNOSUPPORT", lsocket.connect { family = "inet", address = path })
    fails("EAFNOSUPPORT", lsocket.bind { family = "unix", address = "a.name.to.look.up", port = 0 })
    fails("EAFNOSUPPORT", lsocket.bind { family = "unix", port = 0 })
  end)

  it("chooses what a name resolves to", function()
    local sock = assert(lsocket.bind { family = "inet", address = "localhost", port = 0 })
    assert.equal("127.0.0.1", sock:info("socket").addr)
  end)

  it("chooses among the addresses of a name, IPv6 too", function()
    need.ipv6(pending)
    local sock, _, name = lsocket.bind { family = "inet6", address = "localhost", port = 0 }
    assert.is_true(sock and sock:info("socket").addr == "::1" or name == "EAI_NONAME" or name == "EAI_ADDRFAMILY")
  end)

  it("of inet6 binds to all its addresses where none is given", function()
    need.ipv6(pending)
    local sock = assert(lsocket.bind { family = "inet6", port = 0 })
    assert.equal("::", sock:info("socket").addr)
    assert.equal("0.0.0.0", assert(lsocket.bind { family = "inet", port = 0 }):info("socket").addr)
  end)
end)

describe("v6only", function()
  it("false makes one listener for both families", function()
    need.ipv6(pending)
    local listener = assert(lsocket.bind { address = "::", port = 0, v6only = false })
    local port = helper.port(listener)
    local _, server = helper.connect_to(listener, "127.0.0.1", port)
    assert.equal("::ffff:127.0.0.1", server:info("peer").addr)
    _, server = helper.connect_to(listener, "::1", port)
    assert.equal("::1", server:info("peer").addr)
  end)

  it("true leaves the port of IPv4 to others", function()
    need.ipv6(pending)
    local listener = assert(lsocket.bind { address = "::", port = 0, v6only = true })
    local other = assert(lsocket.bind { address = "0.0.0.0", port = helper.port(listener) })
    local _, server = helper.connect_to(other, "127.0.0.1", helper.port(listener))
    assert.equal("127.0.0.1", server:info("peer").addr)
  end)
end)

describe("an option among the arguments", function()
  it("is set, in bind and connect", function()
    local sock = assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = 0, rcvbuf = 20000, sndbuf = 30000 })
    assert.equal(20000, sock:getopt "rcvbuf")
    assert.equal(30000, sock:getopt "sndbuf")
    sock = assert(lsocket.connect { type = "udp", address = "127.0.0.1", port = 9, sndbuf = 30000 })
    assert.equal(30000, sock:getopt "sndbuf")
  end)

  it("is set before the connection is made, and inherited from a listener", function()
    local listener = assert(lsocket.bind { address = "127.0.0.1", port = 0, rcvbuf = 20000 })
    local client, server = helper.connect_to(listener, { address = "127.0.0.1", port = helper.port(listener),
      rcvbuf = 40000 })
    assert.equal(20000, server:getopt "rcvbuf")
    assert.equal(40000, client:getopt "rcvbuf")
  end)

  it("goes over what bind sets by itself", function()
    local one = assert(lsocket.bind { address = "127.0.0.1", port = 0, reuseaddr = false })
    assert.is_false(one:getopt "reuseaddr")
    assert.is_true(assert(lsocket.bind { address = "127.0.0.1", port = 0 }):getopt "reuseaddr")
    assert.is_false(assert(lsocket.bind { type = "udp", address = "127.0.0.1", port = 0 }):getopt "reuseaddr")
  end)

  it("fails the call where it cannot be set, with nothing left open", function()
    local before = process.count()
    local sock, message, name = lsocket.bind { address = "127.0.0.1", port = 0, gro = true }
    assert.is_nil(sock)
    assert.is_string(message)
    assert.is_true(name == "ENOPROTOOPT" or name == "EOPNOTSUPP")
    assert.equal(before, process.count())
  end)

  it("raises under its name before anything is opened", function()
    local path = helper.path()
    raises("rcvbuf: ", lsocket.bind, { address = path, rcvbuf = -1 })
    raises("gro: boolean expected", lsocket.bind, { address = path, gro = 1 })
    raises("nosuch: no such argument", lsocket.bind, { address = path, nosuch = 1 })
    raises("gro: ", lsocket.connect, { address = path, gro = "x" })
    assert.is_nil(is_there(path))
  end)

  it("named ttl is that of the type: hops of multicast packets for mcast, else the option", function()
    local sock = assert(lsocket.connect { type = "udp", address = "127.0.0.1", port = 9, ttl = 33 })
    assert.equal(33, sock:getopt "ttl")
    sock = assert(lsocket.connect { type = "mcast", address = "127.0.0.1", port = 9, ttl = 0 })
    assert.is_true(sock:info().multicast and sock:getopt "ttl" > 1)
    raises("ttl: ", lsocket.connect, { type = "udp", address = "127.0.0.1", port = 9, ttl = 256 })
    raises("ttl: ", lsocket.connect, { type = "mcast", address = "127.0.0.1", port = 9, ttl = 256 })
  end)
end)

describe("localaddress and localport", function()
  it("are where a connection comes from", function()
    local listener, port = helper.bind("0.0.0.0", 0)
    local _, server = helper.connect_to(listener, { address = "127.0.0.1", port = port, localaddress = "127.0.0.5" })
    assert.equal("127.0.0.5", server:info("peer").addr)
  end)

  it("are where datagrams come from", function()
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local free, mine = helper.bind("udp", "0.0.0.0", 0) -- free for all addresses, as the sender takes it for all
    free:close()
    local sender = assert(lsocket.connect { type = "udp", address = "127.0.0.1", port = port, localport = mine })
    sender:send "x"
    assert.same({ n = 3, "x", "127.0.0.1", mine }, pack(helper.readable(receiver):recvfrom()))
  end)

  it("may be a port alone, for IPv6 too", function()
    need.ipv6(pending)
    local receiver, port = helper.bind("udp", "::1", 0)
    local free, mine = helper.bind("udp", "::", 0)
    free:close()
    assert(lsocket.connect { type = "udp", address = "::1", port = port, localport = mine }):send "x"
    assert.same({ n = 3, "x", "::1", mine }, pack(helper.readable(receiver):recvfrom()))
  end)

  it("fail where the port is taken or the address is not ours", function()
    local keeper, taken = helper.bind("udp", "127.0.0.1", 0)
    fails("EADDRINUSE", lsocket.connect { type = "udp", address = "127.0.0.1", port = 9, localaddress = "127.0.0.1",
      localport = taken })
    fails("EADDRNOTAVAIL", lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "192.0.2.1" })
    keeper:close()
  end)

  it("must be of the address's family; of a name's addresses those are tried that are", function()
    fails("EAFNOSUPPORT", lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "::1" })
    fails("EAFNOSUPPORT", lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "/tmp/x" })
    local sock = assert(lsocket.connect { type = "udp", address = "localhost", port = 9, localaddress = "127.0.0.1" })
    assert.equal("inet", sock:info().family)
  end)

  it("are never looked up, and of no use to bind", function()
    fails("EAI_NONAME", lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "localhost" })
    raises("localaddress: no such argument of bind", lsocket.bind, { port = 0, localaddress = "127.0.0.1" })
    raises("localport: no such argument of bind", lsocket.bind, { port = 0, localport = 1 })
  end)

  it("take a zone", function()
    fails("ENODEV", lsocket.connect { address = "::1", port = 9, localaddress = "fe80::1%nosuchinterface" })
    fails("EINVAL", lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "239.1.2.3%lo" })
  end)

  it("keep a zone", function()
    need.zones(pending)
    need.sandbox(pending)
    local receiver, port = helper.bind("udp", "fe80::11%veth0", 0)
    local sender = assert(lsocket.connect { type = "udp", address = "fe80::11%veth0", port = port,
      localaddress = "fe80::11%veth0" })
    assert.equal("fe80::11%veth0", sender:info("socket").addr)
    sender:send "x"
    assert.same({ n = 3, "x", "fe80::11%veth0", helper.port(sender) }, pack(helper.readable(receiver):recvfrom()))
    local listener
    listener, port = helper.bind { address = "fe80::11%veth0", port = 0, family = "inet6" }
    local _, server = helper.connect_to(listener, { address = "fe80::11%veth0", port = port,
      localaddress = "fe80::11%veth0" })
    assert.equal("fe80::11%veth0", server:info("peer").addr)
    fails("EINVAL", lsocket.connect { address = "fe80::11%veth0", port = 9, localaddress = "fe80::11" })
    fails("EADDRNOTAVAIL", lsocket.connect { address = "fe80::11%veth0", port = 9, localaddress = "fe80::12%veth0" })
  end)

  it("give a datagram client of a unix socket a name to be answered at", function()
    local server_path, client_path = helper.path(), helper.path()
    local server = assert(lsocket.bind("udp", server_path))
    local client = assert(lsocket.connect { type = "udp", address = server_path, localaddress = client_path,
      localport = 7, mode = "600" })
    assert.equal("600", permissions(client_path))
    client:send "ping"
    local data, address, port = helper.readable(server):recvfrom()
    assert.equal("ping", data)
    assert.equal(client_path, address)
    server:sendto("pong", address, port)
    assert.equal("pong", helper.readable(client):recv())
  end)

  it("leave no file where the connection fails", function()
    local mine = helper.path()
    fails("ENOENT", lsocket.connect { address = helper.path(), localaddress = mine })
    assert.is_nil(is_there(mine))
    fails("ECONNREFUSED", lsocket.connect { address = dead_file(), localaddress = mine, mode = "600" })
    assert.is_nil(is_there(mine))
  end)
end)

describe("mode", function()
  it("is the permissions of the path, whatever the umask is", function()
    for _, mode in ipairs { "600", "660", "777", "0640", "0", "7" } do
      for _, type in ipairs { "tcp", "udp", "seqpacket" } do
        local path = helper.path()
        local sock = assert(lsocket.bind { type = type, address = path, mode = mode })
        assert.equal(("%03d"):format(tonumber(mode)), permissions(path))
        sock:close()
      end
    end
  end)

  it("without it is what the umask leaves", function()
    local path = helper.path()
    local sock = assert(lsocket.bind(path))
    local mask = process.status "Umask"
    if mask then assert.equal(("%03o"):format(511 - tonumber(mask, 8)), permissions(path)) end
    sock:close()
  end)

  it("is never wider, for no moment: the file is made with it, and nothing is to be done afterwards", function()
    need.tool(pending, "strace true")
    local calls = helper.run("umask 022; strace -f -e trace=fchmod,bind,?chmod,?fchmodat -o /dev/stdout " ..
      helper.command("permissions", helper.path(), "600"))
    if not calls:find "fchmod%(%d+, 0600%)%s+= 0" then pending "other systems make it with what the umask leaves" end
    assert.is_truthy(calls:find "fchmod%(%d+, 0600%)%s+= 0.-bind%(.-%)%s+= 0", calls)
    assert.is_nil(calls:find "bind%(.*chmod")
  end)

  it("is given back what the umask takes, not by the path, which may lead elsewhere by then", function()
    need.tool(pending, "strace true")
    for _, mask in ipairs { "077", "777" } do
      local path = helper.path()
      local calls = helper.run("umask " .. mask .. "; strace -f -e trace=?chmod,?fchmodat -o /dev/stdout " ..
        helper.command("permissions", path, "666"))
      assert.equal("666", permissions(path), calls)
      assert.is_nil(calls:find(path .. '", 0', 1, true), calls)
    end
  end)

  it("changes nothing that another has put in the socket's place", function()
    need.proc(pending)
    -- Without O_PATH a file that comes in the very moment between two calls is taken for the socket's.
    for _, kind in ipairs(os.getenv "LS_FALLBACK" and { "link" } or { "link", "file" }) do
      local path, victim, running = helper.path(), helper.path(), helper.path()
      for _, name in ipairs { victim, running } do assert(io.open(name, "w")):close() end
      os.execute("chmod 600 " .. victim)
      local swapper = io.popen(helper.command("swap", path, victim, kind, running))
      local bound = 0
      for _ = 1, helper.scale(2000) do
        local sock = lsocket.bind { address = path, mode = "666" }
        if sock then bound = bound + 1 end
        if sock then sock:close() end
        os.remove(path)
      end
      os.remove(running)
      swapper:close()
      assert.equal("600", permissions(victim))
      assert.is_true(bound > 0)
    end
  end)

  it("is octal digits in a string: no number, which would be decimal", function()
    for _, mode in ipairs { 660, 0, "", "8", "01000", "00777", "1777", "-1", "0x1", "rw", "6 ", true, {} } do
      raises("mode: ", lsocket.bind, { address = helper.path(), mode = mode })
    end
  end)

  it("fails with anything but a path", function()
    local text = "only a path can have a mode"
    refuses(text, lsocket.bind { address = "127.0.0.1", port = 0, mode = "600" })
    refuses(text, lsocket.bind { address = "@abstract", mode = "600" })
    refuses(text, lsocket.bind { port = 0, mode = "600" })
    refuses(text, lsocket.connect { address = helper.path(), mode = "600" })
  end)
end)

describe("unlink", function()
  it("removes a dead socket's file, of any type, for any type", function()
    for _, old in ipairs { "tcp", "udp", "seqpacket" } do
      for _, new in ipairs { "tcp", "udp", "seqpacket" } do
        local path = dead_file(old)
        fails("EADDRINUSE", lsocket.bind { type = new, address = path })
        local sock = assert(lsocket.bind { type = new, address = path, unlink = true, mode = "600" })
        assert.equal("600", permissions(path))
        assert(lsocket.connect(new, path))
        sock:close()
      end
    end
  end)

  it("binds where nothing is", function()
    local path = helper.path()
    assert(lsocket.bind { address = path, unlink = true })
    assert.equal("socket", is_there(path))
  end)

  it("never removes a socket that lives, and disturbs it in no way", function()
    for _, type in ipairs { "tcp", "udp", "seqpacket" } do
      local path = helper.path()
      local sock = assert(lsocket.bind(type, path))
      for _, new in ipairs { "tcp", "udp", "seqpacket" } do
        fails("EADDRINUSE", lsocket.bind { type = new, address = path, unlink = true })
      end
      assert.is_false(helper.is_readable(sock, 0))
      assert.equal("socket", is_there(path))
      assert(lsocket.connect(type, path))
      sock:close()
    end
  end)

  it("never removes a datagram socket that is connected to somebody else", function()
    local one, two = helper.path(), helper.path()
    local peer = assert(lsocket.bind("udp", one))
    local sock = assert(lsocket.connect { type = "udp", address = one, localaddress = two })
    fails("EADDRINUSE", lsocket.bind { type = "udp", address = two, unlink = true })
    assert.equal("socket", is_there(two))
    sock:close()
    peer:close()
  end)

  it("never removes anything but a socket", function()
    local path = helper.path()
    local file = assert(io.open(path, "w"))
    file:write "precious"
    file:close()
    fails("EADDRINUSE", lsocket.bind { address = path, unlink = true })
    assert.equal("file", is_there(path))

    local folder = helper.path()
    assert(lfs.mkdir(folder))
    fails("EADDRINUSE", lsocket.bind { address = folder, unlink = true })
    assert(lfs.rmdir(folder))

    local link, dead = helper.path(), dead_file()
    assert(lfs.link(dead, link, true))
    fails("EADDRINUSE", lsocket.bind { address = link, unlink = true })
    assert.equal("link", is_there(link))
    assert.equal("socket", is_there(dead))
  end)

  it("is of no use to other addresses, which it leaves alone", function()
    assert(lsocket.bind { address = "127.0.0.1", port = 0, unlink = true })
    need.abstract(pending)
    local name = helper.name()
    local sock = assert(lsocket.bind { address = name, unlink = true })
    fails("EADDRINUSE", lsocket.bind { address = name, unlink = true })
    sock:close()
  end)

  it("works for the local end of a connection", function()
    local path, mine = helper.path(), dead_file("udp")
    local server = assert(lsocket.bind("udp", path))
    fails("EADDRINUSE", lsocket.connect { type = "udp", address = path, localaddress = mine })
    assert(lsocket.connect { type = "udp", address = path, localaddress = mine, unlink = true }):send "x"
    assert.same({ n = 3, "x", mine, 0 }, pack(helper.readable(server):recvfrom()))
  end)
end)

describe("inherit", function()
  it("lets programs that are started have the descriptor", function()
    need.proc(pending)
    local path = helper.path()
    local kept = assert(lsocket.bind { address = path, inherit = true })
    local own = assert(lsocket.bind { address = "127.0.0.1", port = 0, inherit = false })
    assert.is_true(is_inherited(kept))
    assert.is_false(is_inherited(own))
    local client = assert(lsocket.connect { address = path, inherit = true })
    assert.is_true(is_inherited(client))
    local pipe = io.popen("readlink /proc/self/fd/" .. kept:getfd())
    assert.equal(process.descriptors()[kept:getfd()], pipe:read())
    pipe:close()
  end)
end)

describe("a failing bind or connect with named arguments", function()
  it("leaves neither descriptor nor file, whichever system call fails", function()
    need.injection(pending)
    local path, there = helper.path(), helper.path()
    local receiver = assert(lsocket.bind("udp", there))
    local function run(calls, err, ...)
      return (helper.run("umask 022; " .. helper.inject(calls, err, "permissions", ...)))
    end
    for _, call in ipairs { "socket", "bind", "listen", "?chmod,?fchmodat", "setsockopt" } do
      assert.equal("nil ENOMEM, 0 descriptors more, no file\n", run(call, "ENOMEM", path, "660"))
    end
    for _, call in ipairs { "socket", "bind", "connect", "?chmod,?fchmodat" } do
      assert.equal("nil ENOMEM, 0 descriptors more, no file\n", run(call, "ENOMEM", path, "660", there))
    end
    assert.equal("bound, a file\n", run("fchmod", "EINVAL", path, "600")) -- as other systems have it
    assert.equal("600", permissions(path))
    receiver:close()
  end)

  it("leaves no descriptor open, whatever failed", function()
    need.proc(pending)
    local regular, dead = helper.path(), dead_file()
    io.open(regular, "w"):close()
    local busy, port = helper.bind("127.0.0.1", 0)
    local before = process.count()
    for _ = 1, helper.scale(100) do
      lsocket.bind { address = "127.0.0.1", port = port }
      lsocket.bind { address = regular, unlink = true, mode = "600" }
      lsocket.bind { address = "/no/such/folder/x", unlink = true }
      lsocket.bind { address = "127.0.0.1", port = 0, gro = true }
      lsocket.connect { address = dead, localaddress = regular, unlink = true }
      lsocket.connect { address = "127.0.0.1", port = 9, localaddress = "192.0.2.1" }
      lsocket.connect { type = "seqpacket", address = "127.0.0.1", port = 9 }
    end
    collectgarbage "stop"
    local after = 0
    for _ in pairs(process.descriptors()) do after = after + 1 end
    collectgarbage "restart"
    assert.equal(before, after)
    busy:close()
  end)
end)
