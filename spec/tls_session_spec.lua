-- Resuming: which connections are short because of an earlier one, and which must not be.
local helper = require "spec.helper"
local certs = require "spec.tls.certs"
local ending = require "spec.tls.ending"
local pair = require "spec.tls.pair"
local stapling = require "spec.tls.stapling"

local raises = helper.raises
local unpack = table.unpack or unpack -- luacheck: ignore 143

if certs.missing(pending) then return end

after_each(helper.remove_paths)

-- Makes a connection, and reads what the server sends: with TLS 1.3 that is when tickets come. Was it resumed?
local function resumed(client, server, host, options)
  local near, far = pair.connect(client, server, host, options)
  assert.equal(near:tls().resumed, far:tls().resumed)
  pair.passes(far, near)
  pair.passes(near, far)
  local was = near:tls().resumed
  near:close()
  far:close()
  return was
end

for _, version in ipairs { "1.2", "1.3" } do
  describe("with TLS " .. version .. ", a session", function()
    local function client(options)
      options = options or {}
      options.max = version
      return certs.client(options)
    end

    it("is resumed by itself, again and again", function()
      local near, far = client(), certs.server()
      assert.is_false(resumed(near, far))
      for _ = 1, 10 do assert.is_true(resumed(near, far)) end
    end)

    it("is verified as the first one was", function()
      local near, far = client(), certs.server()
      resumed(near, far)
      local a = pair.connect(near, far)
      assert.is_true(a:tls().resumed)
      assert.is_true(a:tls().verified)
      assert.truthy(a:tls "peer".subject:find("good", 1, true))
    end)

    it("is not resumed under another name", function()
      local near, far = client(), certs.server()
      resumed(near, far)
      assert.is_false(resumed(near, far, "localhost"))
      assert.is_true(resumed(near, far, "localhost"))
      assert.is_true(resumed(near, far))
      assert.is_false(resumed(near, far, "127.0.0.1"))
    end)

    it("does not make a name valid that is not the certificate's", function()
      local near, far = client(), certs.server()
      resumed(near, far)
      for _ = 1, 2 do
        local results = pair.try(near, far, "bad.example")
        pair.fails("ETLS_NAME", nil, unpack(results, 1, results.n))
        results = pair.try(near, far, "good.example", { verifyname = "bad.example" })
        pair.fails("ETLS_NAME", nil, unpack(results, 1, results.n))
      end
      assert.is_true(resumed(near, far))
    end)

    it("is not kept of a connection that failed", function()
      local near, far = client(), certs.server "other"
      for _ = 1, 3 do
        local results = pair.try(near, far)
        pair.fails("ETLS_NAME", nil, unpack(results, 1, results.n))
      end
    end)

    it("is the same for a name in capitals or with a dot", function()
      local near, far = client(), certs.server()
      resumed(near, far)
      assert.is_true(resumed(near, far, "GOOD.example."))
    end)

    it("is not another context's", function()
      local near, far = client(), certs.server()
      resumed(near, far)
      assert.is_false(resumed(client(), far))
      local unverified = client { verify = false }
      assert.is_false(resumed(unverified, far))
      assert.is_true(resumed(unverified, far))
      assert.is_true(resumed(near, far))
    end)

    it("is not kept where none are wanted", function()
      local near, far = client { sessions = 0 }, certs.server()
      assert.is_false(resumed(near, far))
      assert.is_false(resumed(near, far))
      near, far = client(), certs.server("good", { tickets = 0 })
      if version == "1.3" then
        assert.is_false(resumed(near, far))
        assert.is_false(resumed(near, far))
      end
    end)

    it("is kept for so many names", function()
      local near, far = client { sessions = 1 }, certs.server()
      resumed(near, far)
      assert.is_true(resumed(near, far))
      assert.is_false(resumed(near, far, "localhost"))
      assert.is_true(resumed(near, far, "localhost"))
      assert.is_false(resumed(near, far))
    end)

    it("is shared by servers that have the same keys", function()
      local keys = certs.read "tickets.key"
      local near = client()
      resumed(near, certs.server("good", { ticketkeys = keys }))
      assert.is_true(resumed(near, certs.server("good", { ticketkeys = keys })))
      assert.is_true(resumed(near, certs.server("good", { ticketkeys = { ("n"):rep(80), keys } })))
      assert.is_false(resumed(near, certs.server("good", { ticketkeys = keys:reverse():gsub("k", "l") })))
      assert.is_false(resumed(near, certs.server()))
    end)

    it("keeps what the client has shown", function()
      local far = certs.server("good", { clients = "require", cafile = certs.path "client_root.pem" })
      local near = client(certs.with "known")
      for i = 1, 3 do
        local a, b = pair.connect(near, far)
        assert.equal(i > 1, a:tls().resumed)
        assert.is_true(b:tls().verified)
        assert.truthy(b:tls "peer".subject:find("a client", 1, true))
        pair.passes(b, a)
        a:close()
        b:close()
      end
    end)

    it("is not taken by a server that wants to see a certificate of a client that has shown none", function()
      local keys = certs.read "tickets.key"
      local near = client()
      resumed(near, certs.server("good", { ticketkeys = keys }))
      local far = certs.server("good", { ticketkeys = keys, clients = "require",
        cafile = certs.path "client_root.pem" })
      local results = select(2, pair.try(near, far))
      assert.is_nil(results[1])
    end)

    it("of a client is not taken once its certificate was revoked", function()
      local list = helper.file(certs.read "empty.crl")
      local far = certs.server("good", { clients = "require", cafile = certs.path "root.pem", crlfile = list,
        ticketkeys = certs.read "tickets.key" })
      local near = client(certs.with "revoked")
      resumed(near, far)
      assert.is_true(resumed(near, far))
      local file = assert(io.open(list, "w"))
      file:write(certs.read "root.crl")
      file:close()
      assert.is_true(far:reload())
      local results = select(2, pair.try(near, far))
      pair.fails("ETLS_REVOKED", nil, unpack(results, 1, results.n))
    end)

    it("is taken up only while what it was verified by is valid", function()
      local chain = { certfile = ending.chain(2), keyfile = certs.path "leaf.key" }
      local waiting = {
        ["a certificate of a server's chain"] = { 1, "ETLS_EXPIRED", client(), certs.tls.server(chain) },
        ["a certificate of a client's chain"] = { 2, "ETLS_EXPIRED", client(chain), certs.server("good",
          { clients = "require", cafile = certs.path "root.pem" }) },
        ["a proof that has no end"] = { 1, "ETLS_OCSP", client { ocsp = true }, certs.server("stapled",
          { ocspfile = stapling.aged(7 * 24 * 3600 - 2) }) },
      }
      local function has_ended(side, name, near, far)
        local ends = { pair.try(near, far) }
        local results = ends[side]
        if results[1] then pair.passes(ends[4], ends[3]) end -- and the next session comes
        ends[3]:close()
        ends[4]:close()
        if not results[1] then pair.fails(name, nil, unpack(results, 1, results.n)) end
        return not results[1]
      end
      for what, one in pairs(waiting) do
        helper.eventually(what .. " has ended", function() return has_ended(unpack(one)) end)
      end
    end)

    it("is taken up if it came with a proof that is still valid", function()
      local near, far = client { ocsp = true }, certs.server("stapled", { ocspfile = certs.path "stapled.ocsp" })
      resumed(near, far)
      for _ = 1, 3 do assert.is_true(resumed(near, far)) end
    end)

    it("does not go past pins", function()
      local near, far = client { pins = { "sha256/" .. certs.read "good.pin" } }, certs.server()
      resumed(near, far)
      assert.is_true(resumed(near, far))
    end)

    it("is of the same protocol of ALPN, or of none", function()
      local near, far = client { alpn = { "one", "two" } }, certs.server("good", { alpn = { "two" } })
      for i = 1, 2 do
        local a, b = pair.connect(near, far)
        assert.equal("two", a:tls().alpn)
        assert.equal("two", b:tls().alpn)
        assert.equal(i > 1, a:tls().resumed)
        pair.passes(b, a)
      end
    end)
  end)
end

describe("a ticket of TLS 1.3", function()
  it("is used once", function()
    local near, far = certs.client(), certs.server("good", { tickets = 1 })
    resumed(near, far)
    local pairs_of = {}
    for i = 1, 3 do
      local a, b = pair.start(near, far)
      a:handshake()
      pairs_of[i] = { a, b }
    end
    local count = 0
    for _, ends in ipairs(pairs_of) do
      local results = pair.shake(ends)
      assert.is_true(results[ends[1]][1])
      if ends[1]:tls().resumed then count = count + 1 end
    end
    assert.equal(1, count)
  end)

  it("comes as often as the server is told", function()
    for _, tickets in ipairs { 0, 1, 3 } do
      local near, far = certs.client(), certs.server("good", { tickets = tickets })
      resumed(near, far)
      local count = 0
      local held = {}
      for i = 1, 4 do
        local a, b = pair.start(near, far)
        a:handshake() -- takes a ticket before any new one comes
        held[i] = { a, b }
      end
      for _, ends in ipairs(held) do
        pair.shake(ends)
        if ends[1]:tls().resumed then count = count + 1 end
      end
      assert.truthy(count <= tickets and (count > 0) == (tickets > 0), count)
    end
  end)

  it("is lost with a reload of the client, not with one of the server that has its keys", function()
    local near = certs.client()
    local far = certs.server("good", { ticketkeys = certs.read "tickets.key" })
    resumed(near, far)
    assert.is_true(far:reload())
    assert.is_true(resumed(near, far))
    assert.is_true(near:reload())
    assert.is_false(resumed(near, far))
  end)

  it("has keys of one length", function()
    for _, wrong in ipairs { "", "x", ("x"):rep(1000), { ("x"):rep(80), "x" } } do
      raises("ticketkeys", certs.tls.server, certs.with("good", { ticketkeys = wrong }))
    end
  end)
end)
