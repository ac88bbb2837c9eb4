-- Samples of datagrams, run as programs: what they send must not go round in circles, nor farther than it is told.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local hostile = require "spec.hostile"
local process = require "spec.process"

local need = helper.need
local run, with, unpack_from = hostile.run, hostile.with, hostile.unpack_from
local free_ports, await_rest = hostile.free_ports, hostile.await_rest

after_each(helper.remove_paths)

describe("samples/udp_answer.lua", function()
  it("ends when it is sent quit in a line", function()
    need.pktinfo(pending)
    with("", function(port, _, said)
      local client = assert(lsocket.connect("udp", "127.0.0.1", port))
      client:send "quit\r\n"
      helper.eventually("it ends", function() return said():find "\nquit\n$" end)
      client:close()
    end, "udp_answer", "127.0.0.1", 0)
  end)
end)

describe("two servers of datagrams", function()
  -- Makes one server answer the other: it is sent a datagram by the port that the other one has then.
  local function check(name, first, second)
    need.proc(pending)
    need.speed(pending)
    with("", function(port, pid)
      local spare = free_ports "udp"
      local sender = assert(lsocket.bind("udp", "127.0.0.1", spare))
      os.execute("kill -STOP " .. pid)
      sender:sendto("hello", "127.0.0.1", port)
      sender:close()
      with("", function(_, other)
        os.execute("kill -CONT " .. pid)
        await_rest(pid)
        await_rest(other)
        local client = assert(lsocket.connect("udp", "127.0.0.1", spare))
        client:send "still there?"
        assert.truthy(helper.readable(client):recv():find "still there%?$")
        client:close()
      end, name, second(spare))
    end, name, first())
  end

  it("do not answer each other for ever: udp_server", function()
    check("udp_server", function() return 0 end, function(port) return port end)
  end)

  it("do not answer each other for ever: udp_answer", function()
    need.pktinfo(pending)
    check("udp_answer", function() return "127.0.0.1", 0 end, function(port) return "127.0.0.1", port end)
  end)

  it("do not relay to each other for ever", function()
    need.proc(pending)
    need.speed(pending)
    local one, two = free_ports "udp"
    with("", function(_, pid)
      with("", function(_, other)
        local client = assert(lsocket.connect("udp", "127.0.0.1", one))
        client:send "round and round"
        await_rest(pid)
        await_rest(other)
        client:close()
      end, "udp_relay", "127.0.0.1", one, two, 500)
    end, "udp_relay", "127.0.0.1", two, one, 500)
  end)
end)

describe("samples/udp_relay.lua", function()
  it("is not its own server", function()
    local port = free_ports "udp"
    local printed, status = run("udp_relay", "127.0.0.1", port, port)
    assert.same({ ("udp_relay: 127.0.0.1 port %d: a relay cannot be its own server\n"):format(port), 1 },
      { printed, status })
  end)

  it("does not send to the server what came from there", function()
    local server, port = helper.bind("udp", "127.0.0.1", 0)
    with("", function(relay)
      server:sendto("to the front door", "127.0.0.1", relay)
      assert.is_false(helper.is_readable(server, 0.2))
      local client = assert(lsocket.connect("udp", "127.0.0.1", relay))
      client:send "question"
      local data, address, from = helper.readable(server):recvfrom()
      assert.equal("question", data)
      server:sendto("answer", address, from)
      assert.equal("answer", helper.readable(client):recv())
      client:close()
    end, "udp_relay", "127.0.0.1", port, 0)
    server:close()
  end)
end)

describe("samples/mcast_server.lua", function()
  -- Bytes that have left by the links of the sandbox.
  local function sent()
    local total = 0
    for line in process.read "/proc/self/net/dev":gmatch "veth[^\n]*" do
      total = total + tonumber((line:match(":" .. ("%s+%d+"):rep(8) .. "%s+(%d+)")))
    end
    return total
  end

  it("does not leave the machine unless it is told an interface", function()
    need.sandbox(pending)
    need.proc(pending)
    need.groups(pending)
    need.ipv6(pending)
    for _, group in ipairs { "239.1.2.3", "ff02::16:9", "ff05::16:9" } do
      with("", function(port, _, said)
        local messages = {}
        for i = 1, 20 do messages[i] = ("x"):rep(1000) .. i end
        local before = sent()
        local printed, status = run("mcast_server", group, port, unpack_from(messages))
        assert.equal(0, status, printed)
        helper.eventually("all has come", function() return said():find "x20\n" end)
        assert.is_true(sent() - before < 10000, group)
      end, "mcast_client", group, 0)
    end
  end)
end)
