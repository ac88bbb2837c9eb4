-- Descriptors: pair, fromfd with sockets, detach, dup, inherit. Pipes and the like: pipe_spec.lua; what systemd passes:
-- listenfds_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

-- Gives the socket's descriptor to a new object.
local function readopt(sock)
  return assert(lsocket.fromfd(assert(sock:detach())))
end

local function count_now()
  local count = 0
  for _ in pairs(process.descriptors()) do count = count + 1 end
  return count
end

describe("pair", function()
  it("gives two connected unix sockets of each type", function()
    for name, data in pairs { tcp = "stream", udp = "datagram", seqpacket = "record" } do
      for _, spelled in ipairs { name, name:upper() } do
        local a, b = lsocket.pair(spelled)
        for _, sock in ipairs { a, b } do
          assert.same({ fd = sock:getfd(), family = "unix", type = name, listening = false, multicast = false },
            sock:info())
          assert.same({ family = "unix", addr = "" }, sock:info "peer")
        end
        assert.is_false(b:recv())
        assert.equal(#data, a:send(data))
        assert.equal(data, b:recv())
        assert.equal(2, b:send "ok")
        assert.equal("ok", a:recv())
      end
    end
  end)

  it("gives streams where no type is given", function()
    assert.equal("tcp", lsocket.pair():info().type)
    assert.equal("tcp", lsocket.pair(nil):info().type)
  end)

  it("raises for other types", function()
    for _, name in ipairs { "mcast", "unix", "", "raw", 1 } do
      raises("bad argument #1 ", lsocket.pair, name)
    end
  end)

  it("tells the end where one of the two is closed", function()
    local a, b = lsocket.pair()
    a:close()
    assert.same({ n = 1 }, pack(helper.readable(b):recv()))
    fails("EPIPE", b:send "x")
  end)

  it("never blocks, and is not inherited", function()
    need.proc(pending)
    local a, b = lsocket.pair()
    for _, sock in ipairs { a, b } do
      local flags = tonumber(process.read("/proc/self/fdinfo/" .. sock:getfd()):match "flags:%s*(%d+)", 8)
      assert.equal(1, math.floor(flags / 524288) % 2) -- O_CLOEXEC
      assert.equal(1, math.floor(flags / 2048) % 2) -- O_NONBLOCK
    end
    helper.fill(a)
    assert.is_false(a:send "x")
  end)

  it("leaves nothing open where it fails", function()
    need.injection(pending)
    local output = helper.run(helper.inject("socketpair", "EMFILE", "descriptor", "pair"))
    assert.equal("nil\tToo many open files\tEMFILE\n0 more\n", output)
  end)
end)

describe("datagrams of a pair", function()
  it("stop with false where the receiver is full, and go on where it has read", function()
    local a, b = lsocket.pair "udp"
    local count = 0
    while a:send "x" do count = count + 1 end
    assert.is_true(count > 0)
    assert.is_false(a:send "x")
    assert.is_false(helper.is_writable(a, 0))
    for _ = 1, count do assert.equal("x", b:recv()) end
    assert.is_true(helper.is_writable(a, helper.patience))
    assert.equal(1, a:send "x")
  end)

  it("have no end", function()
    local a, b = lsocket.pair "udp"
    a:send ""
    a:close()
    assert.equal("", b:recv())
    assert.equal(false, (b:recv()))
    fails("ECONNREFUSED", b:send "x")
  end)
end)

describe("fromfd", function()
  it("fails where the system does not tell what the socket is, and leaves the descriptor to the caller", function()
    need.injection(pending)
    for _, call in ipairs { "getsockname", "getpeername" } do
      local output = helper.run(helper.inject(call, "ENOBUFS:when=1", "descriptor", "adopt"))
      assert.equal("nil\tNo buffer space available\tENOBUFS\ntrue\tunix\n", output)
    end
  end)

  it("finds out what the socket is", function()
    local sockets = {
      assert(lsocket.bind("127.0.0.1", 0)), assert(lsocket.bind("udp", "127.0.0.1", 0)),
      assert(lsocket.connect("udp", "127.0.0.1", 9)), assert(lsocket.bind(helper.path())),
      assert(lsocket.bind("udp", helper.path())), assert(lsocket.bind("seqpacket", helper.path())),
      (helper.tcp()), (lsocket.pair()), (lsocket.pair "udp"), (lsocket.pair "seqpacket"),
    }
    sockets[#sockets + 1] = lsocket.bind("::1", 0)
    sockets[#sockets + 1] = lsocket.bind("udp", "::1", 0)
    for _, sock in ipairs(sockets) do
      local info = sock:info()
      assert.same(info, readopt(sock):info())
    end
  end)

  it("makes a socket that works as the one it was", function()
    local listener = readopt(assert(lsocket.bind("127.0.0.1", 0)))
    local client, server = helper.connect_to(listener, "127.0.0.1", helper.port(listener))
    client, server = readopt(client), readopt(server)
    client:send "hello"
    assert.equal("hello", helper.readable(server):recv())
    server:close()
    assert.same({ n = 1 }, pack(helper.readable(client):recv()))

    local receiver = readopt((assert(lsocket.bind("udp", "127.0.0.1", 0))))
    local sender = readopt(assert(lsocket.connect("udp", "127.0.0.1", helper.port(receiver))))
    sender:send ""
    assert.same({ "", "127.0.0.1", helper.port(sender) }, { helper.readable(receiver):recvfrom() })
    sender:send "123456"
    assert.same({ n = 2, "123", 6 }, pack(helper.readable(receiver):recv(3)))
  end)

  it("knows whose datagrams go to their own addresses, and which options are on", function()
    local receiver = readopt((assert(lsocket.bind("udp", "127.0.0.1", 0))))
    local sender = readopt(assert(lsocket.connect("udp", "127.0.0.1", helper.port(receiver))))
    local batch = lsocket.batch(4)
    batch:add("x", "127.0.0.1", 9)
    assert.equal(1, sender:sendmany(batch))
    helper.readable(receiver)
    assert.equal(1, receiver:recvmany(batch))
    assert.equal(1, receiver:sendmany(batch))
    assert.equal("x", helper.readable(sender):recv())

    local gro = assert(lsocket.bind("udp", "127.0.0.1", 0))
    if not gro:setopt("gro", true) then pending "needs gro" end
    sender = assert(lsocket.connect("udp", "127.0.0.1", helper.port(gro)))
    gro = readopt(gro)
    assert(sender:setopt("segment", 1000))
    sender = readopt(sender)
    batch = lsocket.batch(10, 1000)
    for _ = 1, 5 do batch:add(("x"):rep(1000)) end
    assert.equal(5, sender:sendmany(batch))
    local got = lsocket.batch(10, 1000)
    local count = 0
    while count < 5 do
      helper.readable(gro)
      count = count + assert(gro:recvmany(got))
      assert.equal(1000, #got:get(1))
    end
    assert.equal(5, count)
  end)

  it("fails for what is no open descriptor", function()
    fails("EBADF", lsocket.fromfd(-1))
    fails("EBADF", lsocket.fromfd(1000000))
    local sock = assert(lsocket.pair())
    local fd = sock:getfd()
    sock:close()
    fails("EBADF", lsocket.fromfd(fd))
    for _, value in ipairs { -2, 1.5, 2 ^ 31, "x", true, {} } do
      raises("bad argument #1 ", lsocket.fromfd, value)
    end
  end)

  it("takes a string that reads as an integer", function()
    local sock = assert(lsocket.fromfd(tostring((lsocket.pair():detach()))))
    assert.equal("unix", sock:info().family)
  end)

  it("owns the descriptor: collecting closes it", function()
    need.proc(pending)
    local before = process.count()
    for _ = 1, helper.scale(100) do readopt((lsocket.pair())) end
    assert.equal(before, process.count())
  end)

  it("lets a descriptor that two objects have be closed twice", function()
    local a, b = lsocket.pair()
    local other = assert(lsocket.fromfd(a:getfd()))
    assert.equal(1, other:send "x")
    assert.equal("x", helper.readable(b):recv())
    assert.is_true(a:close())
    fails("EBADF", other:send "x")
    fails("EBADF", other:close())
    assert.is_true(other:close())
  end)

  it("takes the sockets of other families, without crashing", function()
    need.tool(pending, helper.python "-c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)'")
    local output = helper.run(helper.python("spec/child/families.py " .. helper.command("descriptor", "tell")))
    assert.equal("netlink unknown unknown false\nnetlink unknown udp false\npacket unknown unknown false\n",
      output:gsub("packet failed", "packet unknown unknown false"), output)
  end)
end)

describe("detach", function()
  it("gives the descriptor away, open as it was", function()
    need.proc(pending)
    local a, b = lsocket.pair()
    local fd = a:getfd()
    local target = process.descriptors()[fd]
    assert.same({ n = 1, fd }, pack(a:detach()))
    assert.equal(-1, a:getfd())
    fails("EBADF", a:send "x")
    fails("EBADF", a:detach())
    assert.is_true(a:close())
    collectgarbage()
    assert.equal(target, process.descriptors()[fd])
    local again = assert(lsocket.fromfd(fd))
    again:send "x"
    assert.equal("x", b:recv())
  end)

  it("leaves the pollers", function()
    local a, b = lsocket.pair()
    local poller = assert(lsocket.poller())
    assert(poller:add(a, "r"))
    local again = readopt(a)
    assert.equal(0, #poller)
    b:send "x"
    assert.is_false(poller:wait(0))
    assert(poller:add(again, "r"))
    assert.same({ again }, (poller:wait(helper.patience)))
    poller:close()
  end)
end)

describe("dup", function()
  it("gives another descriptor of the same socket", function()
    local a, b = lsocket.pair()
    local copy = assert(a:dup())
    assert.is_true(copy:getfd() ~= a:getfd())
    copy:send "one"
    a:close()
    copy:send "two"
    assert.equal("onetwo", b:recv())
    assert.is_false(b:recv())
    copy:close()
    assert.same({ n = 1 }, pack(helper.readable(b):recv()))
  end)

  it("keeps what the socket is", function()
    local group = "239.1.2.3%lo"
    local sockets = { assert(lsocket.bind("127.0.0.1", 0)), assert(lsocket.bind("udp", "127.0.0.1", 0)),
      (lsocket.pair "seqpacket"), assert(lsocket.connect("udp", "127.0.0.1", 9)) }
    sockets[#sockets + 1] = lsocket.bind("mcast", group, 0)
    for _, sock in ipairs(sockets) do
      local info, copy = sock:info(), assert(sock:dup())
      info.fd = copy:getfd()
      assert.same(info, copy:info())
      assert.same(sock:info "socket", copy:info "socket")
    end
  end)

  it("is not in the pollers of the other", function()
    local a, b = lsocket.pair()
    local poller = assert(lsocket.poller())
    assert(poller:add(a, "r"))
    local copy = assert(a:dup())
    assert(poller:add(copy, "r"))
    a:close()
    assert.equal(1, #poller)
    b:send "x"
    assert.same({ copy }, (poller:wait(helper.patience)))
    poller:close()
  end)

  it("is not inherited, whatever the other is", function()
    need.proc(pending)
    local a = lsocket.pair()
    assert(a:inherit())
    local copy = a:dup()
    assert.equal("", (helper.run("test -e /proc/self/fd/" .. copy:getfd() .. " && echo inherited")))
  end)

  it("fails on a closed socket, and leaves nothing open where it fails", function()
    need.proc(pending)
    local a = lsocket.pair()
    a:close()
    local before = process.count()
    fails("EBADF", a:dup())
    assert.equal(before, count_now())
  end)
end)

describe("inherit", function()
  it("lets programs that are started have the descriptor, or not", function()
    need.proc(pending)
    local a = lsocket.pair()
    local function inherited()
      return helper.run("readlink /proc/self/fd/" .. a:getfd()) == process.descriptors()[a:getfd()] .. "\n"
    end
    assert.is_false(inherited())
    assert.same({ n = 1, true }, pack(a:inherit()))
    assert.is_true(inherited())
    assert.same({ n = 1, true }, pack(a:inherit(false)))
    assert.is_false(inherited())
    assert.same({ n = 1, true }, pack(a:inherit(true)))
    assert.is_true(inherited())
  end)

  it("fails on a closed socket, and raises for anything but a boolean", function()
    local a = lsocket.pair()
    for _, value in ipairs { 0, 1, "true", {} } do
      raises("bad argument #1 to 'inherit'", function() a:inherit(value) end)
    end
    a:close()
    fails("EBADF", a:inherit())
  end)
end)

describe("rounds of pair, fromfd, detach, dup", function()
  it("leave no descriptor open", function()
    need.proc(pending)
    local before = process.count()
    for _ = 1, helper.scale(1000) do
      local a, b = lsocket.pair "udp"
      local copy = a:dup()
      local again = readopt(b)
      again:close()
      copy:close()
      a:close()
    end
    assert.equal(before, count_now())
  end)
end)
