-- TLS on connections that break, crawl, or bring what nobody has sent: every byte is passed on by the test.
local helper = require "spec.helper"
local cable = require "spec.tls.cable"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"

local pack = helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

if certs.missing(pending) then return end

-- How many bytes a whole handshake sends each way, and what each side says where only so many have come.
local function handshake_bytes(client, server)
  local line = cable.connect(client, server)
  return line.passed
end

local function cut_handshake(client, server, held, count)
  local line = cable.new(client, server)
  local near, far = line:shake(nil, { [held] = count })
  line:cut()
  if not near then near = pack(line.client:handshake()) end
  if not far then far = pack(line.server:handshake()) end
  return near, far, line
end

for _, version in ipairs { "1.2", "1.3" } do
  describe("TLS " .. version, function()
    local client, server
    before_each(function()
      client, server = certs.client { max = version, sessions = 0 }, certs.server("good", { max = version })
    end)

    it("has no handshake where a part of it is missing", function()
      local total = handshake_bytes(client, server)
      for _, way in ipairs { { "up", 2 }, { "down", 1 } } do
        local held, victim = unpack(way)
        local length = total[held]
        if held == "down" then -- behind that are tickets, or a signature was shorter than in this handshake
          length = version == "1.3" and 600 or length - 10
        end
        for count = 0, length - 1, helper.slow and 97 or 13 do
          local results = { cut_handshake(client, server, held, count) }
          local told = results[victim]
          assert.is_nil(told[1], count)
          assert.equal("ETLS_TRUNCATED", told[3], held .. " " .. count .. ": " .. tostring(told[2]))
        end
      end
    end)

    it("tells an end from a connection that was cut, at every byte", function()
      local function connected()
        local line = cable.connect(client, server)
        assert(line.client:send "hello")
        assert.is_true(line.client:shutdown "w")
        return line
      end
      local total = connected():waiting "up"
      for count = 0, total do
        local line = connected()
        line:pass("up", count)
        line:cut()
        local got = line.server:recv()
        if got == "hello" then got = pack(line.server:recv()) else got = pack(got, select(2, line.server:recv())) end
        if count == total then
          assert.same({ n = 1 }, got)
        else
          assert.equal("ETLS_TRUNCATED", got[3], count)
          pair.fails("ETLS_TRUNCATED", nil, line.server:recv())
        end
      end
    end)

    it("takes a connection that was cut between records for an end where it is told to", function()
      local line = cable.connect(client, certs.server("good", { max = version, eof = "any" }))
      assert(line.client:send "hello")
      line:pass "up"
      line:cut()
      assert.equal("hello", line.server:recv())
      assert.same({ n = 1 }, pack(line.server:recv()))
      assert.same({ n = 1 }, pack(line.server:recv()))
    end)

    it("crawls: one byte at a time", function()
      local line = cable.new(client, server)
      local near, far = line:shake(1)
      assert.is_true(near[1])
      assert.is_true(far[1])
      for _ = 1, 2 do
        for _, way in ipairs { { line.client, line.server, "up" }, { line.server, line.client, "down" } } do
          local from, to, held = unpack(way)
          line:pass(held)
          assert.is_false(to:recv())
          local text = ("0123456789"):rep(20)
          assert(from:send(text))
          local left = line:waiting(held)
          while left > 1 do
            line:pass(held, 1)
            left = left - 1
            assert.is_false(to:recv())
            assert.equal(0, to:pending())
            assert.is_false(helper.is_readable(to, 0))
          end
          line:pass(held, 1)
          assert.equal(text, to:recv())
        end
      end
    end)

    it("fails where a byte was changed, and stays failed", function()
      local line = cable.connect(client, server)
      assert(line.client:send "hello")
      line:collect()
      local last = line.up:byte(-1)
      line.up = line.up:sub(1, -2) .. string.char((last + 1) % 256)
      line:pass "up"
      local failure = pack(line.server:recv())
      pair.fails("ETLS_PROTOCOL", nil, unpack(failure, 1, failure.n))
      assert.truthy(line:pass "down" > 0, "no alert")
      for _, call in ipairs { line.server.recv, line.server.peek, function(s) return s:send "x" end } do
        assert.same(failure, pack(call(line.server)))
      end
      pair.fails("ETLS_ALERT", "bad record mac", pair.recv(line.client))
      assert.equal(0, line:waiting "down")
    end)

    it("fails where plain text comes in between", function()
      local line = cable.connect(client, server)
      line:inject("up", "GET / HTTP/1.0\r\n\r\n")
      line:pass "up"
      local _, _, name = line.server:recv()
      assert.truthy(name == "ETLS_PROTOCOL" or name == "ETLS_NOTTLS", name)
      assert.is_nil((line.server:recv()))
    end)

    it("returns what came whole before the failure", function()
      local line = cable.connect(client, server)
      assert(line.client:send "one")
      assert(line.client:send "two")
      line:inject("up", "nonsense, and more of it")
      line:pass "up"
      local got = line.server:recv()
      while #got < 6 do got = got .. assert(line.server:recv()) end
      assert.equal("onetwo", got)
      assert.is_nil((line.server:recv()))
      assert.equal(0, line.server:pending())
    end)

    it("does not read behind the end", function()
      local line = cable.connect(client, server)
      assert(line.client:send "hello")
      assert(line.client:shutdown "w")
      line:inject("up", "and more")
      line:pass "up"
      assert.equal("hello", line.server:recv())
      assert.same({ n = 1 }, pack(line.server:recv()))
      assert.same({ n = 1 }, pack(line.server:recv()))
      assert.equal(0, line.server:pending())
    end)
  end)
end

describe("a ticket", function()
  -- The client is done; what the server sends from then on waits in the cable: two tickets, and then data.
  local function with_tickets()
    local line = cable.new(certs.client(), certs.server())
    line.client:handshake()
    line:pass "up"
    line.server:handshake()
    line:pass "down"
    assert.is_true((line.client:handshake()))
    line:pass "up"
    assert.is_true((line.server:handshake()))
    return line
  end

  it("is nothing to read", function()
    local line = with_tickets()
    assert.truthy(line:waiting "down" > 0)
    line:pass "down"
    assert.is_true(helper.is_readable(line.client))
    assert.is_false(line.client:recv())
    assert.equal(0, line.client:pending())
    assert.is_false(helper.is_readable(line.client))
  end)

  it("hides no data that comes in the same segment", function()
    local line = with_tickets()
    assert(line.server:send "data")
    line:pass "down"
    helper.readable(line.client)
    assert.equal("data", line.client:recv())
    assert.is_false(line.client:recv())
  end)

  it("hides no end that comes in the same segment", function()
    local line = with_tickets()
    assert(line.server:send "data")
    assert(line.server:shutdown "w")
    line:pass "down"
    helper.readable(line.client)
    assert.equal("data", line.client:recv(4))
    assert.is_true(helper.is_readable(line.client) or line.client:pending() == 0)
    assert.same({ n = 1 }, pack(line.client:recv()))
  end)

  it("comes at once with the answer to a client that sent its data with the handshake", function()
    local line = cable.new(certs.client(), certs.server())
    line.client:handshake()
    line:pass "up"
    line.server:handshake()
    line:pass "down"
    assert.is_true((line.client:handshake()))
    assert(line.client:send "question")
    line:pass "up"
    assert.is_true((line.server:handshake()))
    assert.is_true(helper.is_readable(line.server), "the data came with the handshake, and nobody says so")
    assert.equal("question", line.server:recv())
  end)
end)

describe("hundreds of connections that are cut at random", function()
  it("lose, repeat and invent nothing", function()
    local output = helper.run(helper.command("tlscuts", helper.scale(200), os.time() % 1000000, certs.path "good.pem",
      certs.path "leaf.key", certs.path "root.pem"))
    local clean, cut = output:match "^(%d+) clean, (%d+) cut, %d+ without a handshake\n$"
    assert.truthy(clean, output)
    assert.truthy(tonumber(clean) > 0 and tonumber(cut) > 0 or helper.slow, output)
  end)
end)
