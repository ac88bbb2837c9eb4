-- socket:shutdown: half-close of streams, records and datagrams.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

local function pair(type)
  return function() return assert(lsocket.pair(type)) end
end

for kind, connected in pairs { tcp = helper.tcp, unix = pair "tcp", seqpacket = pair "seqpacket" } do
  describe("shutdown of " .. kind, function()
    it("for writing: the peer reads all the data, then the end, and can still send", function()
      local client, server = connected()
      local data = ("0123456789"):rep(2000)
      assert.equal(#data, client:send(data))
      assert.same({ n = 1, true }, pack(client:shutdown "w"))
      assert.equal(data, helper.receive(server, #data))
      assert.same({ n = 1 }, pack(helper.readable(server):recv()))
      assert.same({ n = 1 }, pack(server:recv()))
      assert.same({ n = 1 }, pack(server:recvfrom()))
      fails("EPIPE", client:send "more")
      assert.equal(6, server:send "answer")
      assert.equal("answer", helper.readable(client):recv())
    end)

    it("for reading: recv gives the end", function()
      local client, server = connected()
      assert.is_true(client:shutdown "r")
      assert.same({ n = 1 }, pack(helper.readable(client):recv()))
      assert.equal(1, client:send "x")
      assert.equal("x", helper.readable(server):recv())
    end)

    it("for both is the default, and may be repeated", function()
      local client, server = connected()
      assert.is_true(client:shutdown())
      assert.is_nil((client:recv()))
      fails("EPIPE", client:send "x")
      assert.same({ n = 1 }, pack(helper.readable(server):recv()))
      assert.is_true(server:shutdown "rw")
      assert.is_true(client:getfd() >= 0)
      client:close()
      fails("EBADF", client:shutdown())
    end)
  end)
end

describe("shutdown", function()
  it("sends the end behind more data than the peer has taken", function()
    local client, server = helper.tcp()
    local total = helper.fill(client)
    assert.is_true(client:shutdown "w")
    assert.equal(total, #helper.receive(server, total + 1))
    assert.same({ n = 1 }, pack(server:recv()))
  end)

  it("tells a poller", function()
    local client, server = assert(lsocket.pair())
    local poller = assert(lsocket.poller())
    assert(poller:add(server, "r"))
    assert.is_false(poller:wait(0))
    client:shutdown "w"
    local readable = assert(poller:wait(helper.patience))
    assert.equal(server, readable[1])
    poller:close()
  end)

  it("of a datagram socket stops what it sends", function()
    local one, other = assert(lsocket.pair "udp")
    assert.is_true(one:shutdown "w")
    fails("EPIPE", one:send "x")
    assert.equal(1, other:send "y")
    assert.equal("y", helper.readable(one):recv())
  end)

  it("fails where there is no connection", function()
    fails("ENOTCONN", assert(lsocket.bind("udp", "127.0.0.1", 0)):shutdown())
    local sock = helper.refused()
    sock:status()
    fails("ENOTCONN", sock:shutdown "w")
  end)

  it("raises for other directions", function()
    local sock = assert(lsocket.pair())
    for _, how in ipairs { "", "wr", "R", "both", 0, true, {} } do
      raises("bad argument #1 to 'shutdown'", function() sock:shutdown(how) end)
    end
  end)

  it("ends what a real program reads", function()
    need.tool(pending, "socat -V")
    local path = helper.path()
    local listener = assert(lsocket.bind(path))
    local pipe = io.popen("socat -t 10 - UNIX-CONNECT:" .. path .. " < /dev/null")
    local server = helper.readable(listener):accept()
    server:send "all of it"
    server:shutdown "w"
    assert.equal("all of it", pipe:read "*a")
    pipe:close()
    assert.same({ n = 1 }, pack(helper.readable(server):recv()))
  end)
end)
