-- Unix domain sockets of type seqpacket: connections of records. What other unix sockets have too is in unix_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, need, pack = helper.fails, helper.need, helper.pack

after_each(helper.remove_paths)

local function pair() return assert(lsocket.pair "seqpacket") end

-- Does this system tell an empty record from the end?
local function need_empty_records()
  local one, other = pair()
  one:send ""
  if other:recv() ~= "" then pending "this system cannot tell an empty record from the end" end
end

local kinds = {
  { what = "a path", make = helper.path, need = function() end, mistaken = "EPROTOTYPE" },
  -- which each type has for itself
  { what = "an abstract name", make = helper.name, need = need.abstract, mistaken = "ECONNREFUSED" },
}

for _, kind in ipairs(kinds) do
  describe("a seqpacket socket with " .. kind.what, function()
    it("is bound, accepted and connected, by arguments in order and by name", function()
      kind.need(pending)
      local name = kind.make()
      local listener = assert(lsocket.bind("SeqPacket", name))
      assert.is_false(listener:accept())
      local client, server = helper.connect_to(listener, "seqpacket", name)
      local other = helper.connect_to(listener, { type = "seqpacket", address = name })
      for sock, listening in pairs { [listener] = true, [client] = false, [server] = false, [other] = false } do
        assert.same({ fd = sock:getfd(), family = "unix", type = "seqpacket", listening = listening,
          multicast = false }, sock:info())
      end
      assert.equal(name, client:info("peer").addr)
      assert.equal(5, client:send "hello")
      assert.equal("hello", helper.readable(server):recv())
      assert.equal(3, server:send "bye")
      assert.equal("bye", helper.readable(client):recv())
    end)

    it("knows no other type", function()
      kind.need(pending)
      local name = kind.make()
      local listener = assert(lsocket.bind("seqpacket", name))
      fails(kind.mistaken, lsocket.connect(name))
      fails(kind.mistaken, lsocket.connect("udp", name))
      fails("EADDRINUSE", lsocket.bind("seqpacket", name))
      listener:close()
      fails("ECONNREFUSED", lsocket.connect("seqpacket", name))
    end)

    it("refuses where the backlog is full", function()
      kind.need(pending)
      local name = kind.make()
      local listener = assert(lsocket.bind("seqpacket", name, nil, 0))
      local clients = {}
      repeat
        local client = lsocket.connect("seqpacket", name)
        clients[#clients + 1] = client
        assert.is_true(#clients < 10)
      until not client
      fails("EAGAIN", lsocket.connect("seqpacket", name))
      listener:close()
    end)
  end)
end

describe("a record", function()
  it("stays one, also from an array", function()
    local one, other = pair()
    one:send "first"
    one:send { "sec", "ond", 2 }
    one:send(("x"):rep(1000), 11, 20)
    assert.equal("first", other:recv())
    assert.equal("second2", other:recv())
    assert.equal(10, #other:recv())
    assert.is_false(other:recv())
  end)

  it("that is longer than the given size is cut, and says how long it was", function()
    local one, other = pair()
    one:send "0123456789"
    one:send "next"
    assert.same({ n = 2, "012", 10 }, pack(other:recv(3)))
    assert.same({ n = 1, "next" }, pack(other:recv(4)))
    one:send "0123456789"
    assert.same({ n = 4, "0123", nil, nil, 10 }, pack(other:recvfrom(4)))
    one:send "0123456789"
    assert.same({ n = 2, "", 10 }, pack(other:recv(0)))
  end)

  it("of more than 64 KiB comes whole where the size allows", function()
    local one, other = pair()
    assert(one:setopt("sndbuf", 400000))
    local data = ("0123456789"):rep(10000)
    assert.equal(#data, one:send(data))
    assert.equal(data, other:recv(#data))
    one:send(data)
    local cut, length = other:recv(70000)
    assert.equal(data:sub(1, 70000), cut)
    if not length then pending "this system does not tell the true length" end
    assert.equal(#data, length)
    one:send(data)
    assert.same({ n = 2, data:sub(1, 10), #data }, pack(other:recv(10)))
  end)

  it("is there for peek, whole or cut", function()
    local one, other = pair()
    one:send "0123456789"
    assert.same({ n = 2, "01", 10 }, pack(other:peek(2)))
    assert.same({ n = 1, "0123456789" }, pack(other:peek()))
    assert.equal("0123456789", other:recv())
  end)

  it("that does not fit at all fails, and false says that there is no room now", function()
    local one, other = pair()
    fails("EMSGSIZE", one:send(("x"):rep(4 * 1024 * 1024)))
    local count = 0
    while one:send "x" do count = count + 1 end
    assert.is_false(one:send "x")
    for _ = 1, count do assert.equal("x", other:recv()) end
    assert.is_false(other:recv())
    assert.equal(1, one:send "x")
  end)

  it("goes to the peer whatever address sendto is given", function()
    local one, other = pair()
    assert.equal(1, one:sendto("x", "127.0.0.1", 9))
    assert.equal("x", other:recv())
  end)

  it("is nothing for batches and files", function()
    local one = pair()
    local batch = lsocket.batch(1)
    batch:add "x"
    fails("EOPNOTSUPP", one:sendmany(batch))
    assert.equal(1, #batch)
    fails("EOPNOTSUPP", one:recvmany(batch))
    local file = io.tmpfile()
    fails("EOPNOTSUPP", one:sendfile(file))
    file:close()
  end)
end)

describe("an empty record", function()
  it("is an empty string as long as the peer is there", function()
    need_empty_records()
    local one, other = pair()
    one:send ""
    assert.same({ n = 1, "" }, pack(helper.readable(other):peek()))
    assert.same({ n = 1, "" }, pack(other:recv()))
    one:send ""
    assert.same({ n = 3, "" }, pack(other:recvfrom()))
    one:send ""
    assert.same({ n = 1, "" }, pack(other:recv(0)))
    assert.is_false(other:recv())
  end)

  it("is one also where the peer has gone, if a record with something in it follows", function()
    need_empty_records()
    local one, other = pair()
    one:send "a"
    one:send ""
    one:send ""
    one:send "b"
    one:close()
    assert.same({ n = 1, "a" }, pack(other:recv()))
    assert.same({ n = 1, "" }, pack(other:recv()))
    assert.same({ n = 1, "" }, pack(other:recv()))
    assert.same({ n = 1, "b" }, pack(other:recv()))
    assert.same({ n = 1 }, pack(other:recv()))
  end)

  it("is the end where nothing tells it from the end", function()
    local one, other = pair()
    one:send ""
    one:close()
    assert.same({ n = 1 }, pack(other:recv()))
    assert.same({ n = 1 }, pack(other:recv()))
  end)
end)

describe("the end of a connection of records", function()
  it("is nil, again and again, in every way of reading", function()
    local one, other = pair()
    one:close()
    for _ = 1, 2 do
      assert.same({ n = 1 }, pack(helper.readable(other):recv()))
      assert.same({ n = 1 }, pack(other:recv(0)))
      assert.same({ n = 1 }, pack(other:recv(100000)))
      assert.same({ n = 1 }, pack(other:peek()))
      assert.same({ n = 1 }, pack(other:recvfrom()))
    end
    fails("EPIPE", other:send "x")
  end)

  it("is a reset where the peer has not read everything", function()
    local one, other = pair()
    one:send "unread"
    other:close()
    fails("ECONNRESET", one:recv())
  end)
end)

describe("seqpacket sockets", function()
  it("fail with internet addresses", function()
    local sock, message, name = lsocket.bind("seqpacket", "127.0.0.1", 0)
    assert.is_nil(sock)
    assert.is_string(message)
    assert.is_true(name == "ESOCKTNOSUPPORT" or name == "EPROTONOSUPPORT", name)
    assert.is_nil((lsocket.connect("seqpacket", "127.0.0.1", 9)))
  end)

  it("work in a poller", function()
    local one, other = pair()
    local poller = assert(lsocket.poller())
    assert(poller:add(other, "r"))
    one:send "x"
    assert.same({ other }, (poller:wait(helper.patience)))
    assert.equal("x", other:recv())
    assert.is_false(poller:wait(0))
    one:close()
    assert.same({ other }, (poller:wait(helper.patience)))
    poller:close()
  end)

  it("leave nothing open after many rounds", function()
    need.proc(pending)
    local path = helper.path()
    local before = process.count()
    for _ = 1, helper.scale(500) do
      local listener = assert(lsocket.bind { type = "seqpacket", address = path, unlink = true })
      local client, server = helper.connect_to(listener, "seqpacket", path)
      client:send "x"
      server:recv()
      client:close()
      server:close()
      listener:close()
    end
    assert.equal(before, process.count())
  end)

  it("serve samples/registry.lua", function()
    local path = helper.path()
    local pipe = io.popen(helper.command("../../samples/registry", path))
    assert.equal("listening on " .. path, pipe:read())
    assert.equal("ok\n= Lua, the moon\nno such name\nno such request\n", (helper.run(helper.command(
      "../../samples/registry", path, "set name Lua, the moon", "get name", "get other", "Get"))))
    local client = assert(lsocket.connect("seqpacket", path))
    client:send(("x"):rep(1001))
    assert.equal("a request of 1001 bytes is too long", helper.readable(client):recv())
    client:send "get name"
    assert.equal("= Lua, the moon", helper.readable(client):recv())
    client:send "quit"
    assert.equal("ok", helper.readable(client):recv())
    assert.equal("quit\n", pipe:read "*a")
    pipe:close()
    assert.same({ n = 1 }, pack(helper.readable(client):recv()))
    fails("ENOENT", lsocket.connect("seqpacket", path))
  end)

  it("talk to socat", function()
    need.tool(pending, "socat -V")
    local path = helper.path()
    local listener = assert(lsocket.bind("seqpacket", path))
    local pipe = io.popen("echo from socat | socat -t 10 - UNIX-CONNECT:" .. path .. ",type=5")
    local server = helper.readable(listener):accept()
    assert.equal("from socat\n", helper.readable(server):recv())
    server:send "from us"
    server:close()
    assert.equal("from us", pipe:read "*a")
    pipe:close()
  end)
end)
