-- Which certificates are taken, and by which name the others fail. Contexts and their options have specs of their own.
local helper = require "spec.helper"
local programs = require "spec.programs"
local certs = require "spec.tls.certs"
local pair = require "spec.tls.pair"
local stapling = require "spec.tls.stapling"

local unpack = table.unpack or unpack -- luacheck: ignore 143

if certs.missing(pending) then return end

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

local function results(list) return unpack(list, 1, list.n) end

-- The client's handshake fails with a name, and the server hears of it; an unverified one goes on all the same.
local function refuses(name, text, server, host, options)
  local near, far = pair.try(certs.client(options), server, host)
  pair.fails(name, text, results(near))
  pair.fails("ETLS_ALERT", nil, results(far))
  local unverified = {}
  for option, value in pairs(options or {}) do unverified[option] = value end
  unverified.verify, unverified.crlfile, unverified.crlcheck = false, nil, nil
  local client, peer = pair.connect(certs.client(unverified), server, host)
  assert.is_false(client:tls().verified)
  pair.passes(client, peer)
end

-- What goes wrong with these must be this. The text is what OpenSSL or the certificate says.
local refused = {
  { "one that has expired", "expired", "ETLS_EXPIRED", "expired" },
  { "one that is not valid yet", "notyet", "ETLS_NOTYET", "not yet valid" },
  { "one with another name", "other", "ETLS_NAME", "mismatch" },
  { "one whose only name is its subject's", "cnonly", "ETLS_NAME" },
  { "one whose subject alone has the name", "cnother", "ETLS_NAME" },
  { "a wildcard for the name above it", "wildcard", "ETLS_NAME" },
  { "a wildcard for two levels", "wildcard", "ETLS_NAME", host = "a.b.good.example" },
  { "a part of a label before the star", "partial", "ETLS_NAME", host = "foo.good.example" },
  { "a star for all of a top level", "toplevel", "ETLS_NAME", host = "example.org" },
  { "a name for an address", "good", "ETLS_NAME", host = "127.0.0.2" },
  { "another address", "address", "ETLS_NAME", host = "127.0.0.2" },
  { "another IPv6 address", "address", "ETLS_NAME", host = "::2" },
  { "an address that stands as a name", "addressname", "ETLS_NAME", host = "127.0.0.1" },
  { "an address for a name", "address", "ETLS_NAME", host = "localhost" },
  { "another name below the same domain", "good", "ETLS_NAME", host = "bad.example" },
  { "a name with something before it", "good", "ETLS_NAME", host = "www.good.example" },
  { "one for clients", "client", "ETLS_PURPOSE", host = "client.example" },
  { "one of another root", "strange", "ETLS_UNTRUSTED" },
  { "one whose intermediate is missing", "alone", "ETLS_UNTRUSTED", "issuer" },
  { "one that has signed itself", "self", "ETLS_SELFSIGNED", "self-signed" },
  { "a name that its authority may not sign", "outside", "ETLS_CONSTRAINT", host = "other.example" },
}

-- These are taken, under these names.
local taken = {
  { "one with the name", "good", "good.example" },
  { "its other names", "good", "localhost" },
  { "a name in capitals", "good", "GOOD.Example" },
  { "a name with a dot at its end", "good", "good.example." },
  { "an address among its names", "good", "127.0.0.1" },
  { "an IPv6 address", "address", "::1" },
  { "an IPv6 address in other words", "address", "0:0:0:0:0:0:0:1" },
  { "a wildcard for one level", "wildcard", "www.good.example" },
  { "an international name as it is sent", "idn", "xn--bcher-kva.example" },
  { "one with its intermediate", "chain", "good.example" },
  { "a name that its authority may sign", "inside", "good.example" },
  { "one for servers", "server", "good.example" },
}

describe("a client", function()
  for _, case in ipairs(refused) do
    local what, file, name, text = unpack(case)
    it("refuses " .. what, function() refuses(name, text, certs.server(file), case.host) end)
  end

  for _, case in ipairs(taken) do
    local what, file, host = unpack(case)
    it("takes " .. what, function()
      local client, server = pair.connect(certs.client(), certs.server(file), host)
      assert.is_true(client:tls().verified)
      pair.passes(client, server)
      pair.passes(server, client)
    end)
  end

  it("fails in the same way with TLS 1.2", function()
    for _, case in ipairs(refused) do
      local _, file, name, text = unpack(case)
      local near, far = pair.try(certs.client { max = "1.2" }, certs.server(file), case.host)
      pair.fails(name, text, results(near))
      pair.fails("ETLS_ALERT", nil, results(far))
    end
  end)

  it("says which certificate of the chain it is about", function()
    local near = pair.try(certs.client(), certs.server "expired")
    assert.truthy(near[2]:find("expired", 1, true))
    assert.truthy(near[2]:find "0: CN ?= ?expired", near[2])
  end)

  it("sends an alert that says why", function()
    for file, text in pairs { expired = "certificate expired", strange = "unknown ca", self = "unknown ca" } do
      local _, far = pair.try(certs.client(), certs.server(file))
      pair.fails("ETLS_ALERT", text, results(far))
    end
  end)

  it("refuses the root of another authority, even if the server sends it", function()
    local near = pair.try(certs.client(), certs.server "strange_chain")
    assert.is_nil(near[1])
    assert.truthy(near[3] == "ETLS_SELFSIGNED" or near[3] == "ETLS_UNTRUSTED", near[3])
  end)

  it("refuses what a certificate has signed that is no authority's", function()
    local near = pair.try(certs.client(), certs.server "below")
    assert.is_nil(near[1])
    assert.truthy(near[3] == "ETLS_CERT" or near[3] == "ETLS_PURPOSE", near[3])
  end)

  it("trusts what it is told to trust and nothing else", function()
    pair.connect(certs.client { cafile = certs.path "other_root.pem" }, certs.server "strange")
    refuses("ETLS_UNTRUSTED", nil, certs.server "good", nil, { cafile = certs.path "other_root.pem" })
    pair.connect(certs.client { cafile = certs.path "self.pem" }, certs.server "self")
  end)

  it("trusts the system's roots where it is told nothing", function()
    local client = certs.tls.client {}
    if not client then pending "this system has no roots" end
    local near = pair.try(client, certs.server())
    pair.fails("ETLS_UNTRUSTED", nil, results(near))
  end)

  it("checks the name that it is told to, and sends the other", function()
    local client, server = pair.connect(certs.client(), certs.server "other", "good.example",
      { verifyname = "other.example" })
    assert.is_true(client:tls().verified)
    assert.equal("good.example", server:tls().name)
    local near = pair.try(certs.client(), certs.server "good", "good.example", { verifyname = "other.example" })
    pair.fails("ETLS_NAME", nil, results(near))
  end)

  it("may be told an address to check, and a name to send", function()
    local client, server = pair.connect(certs.client(), certs.server "address", "some.example",
      { verifyname = "127.0.0.1" })
    assert.is_true(client:tls().verified)
    assert.equal("some.example", server:tls().name)
    local near = pair.try(certs.client(), certs.server "address", "some.example", { verifyname = "127.0.0.2" })
    pair.fails("ETLS_NAME", nil, results(near))
  end)

  it("sends no name for an address", function()
    for _, host in ipairs { "127.0.0.1", "::1", "[::1]", "::1%lo", "[::1%lo]" } do
      local client, server = pair.connect(certs.client(), certs.server "address", host)
      assert.is_nil(server:tls().name)
      assert.is_true(client:tls().verified)
    end
  end)

  it("keeps failing in the same way, with nothing sent and nothing received", function()
    local near, _, client = pair.try(certs.client(), certs.server "expired")
    for _, call in ipairs { client.handshake, client.recv, function(sock) return sock:send "x" end } do
      pair.fails("ETLS_EXPIRED", near[2], call(client))
    end
    assert.is_true(client:close())
  end)
end)

-- ---- certificates that OpenSSL's default would not even load ----

local function weak_server(name, key)
  local command = ("openssl s_server -accept 127.0.0.1:0 -rev -cipher DEFAULT@SECLEVEL=0 -cert %s -key %s"):format(
    certs.path(name .. ".pem"), certs.path(key .. ".key"))
  return tonumber((programs.start(command, "ACCEPT %S+:%d+\n"):output():match "ACCEPT %S+:(%d+)\n"))
end

local function handshake_with(port, options)
  local sock = helper.writable(assert(require "lsocket".connect("127.0.0.1", port)))
  assert(certs.client(options):start(sock, "good.example"))
  return pair.shake({ sock })[sock]
end

describe("a weak certificate", function()
  for name, key in pairs { weak = "weak", sha1 = "leaf" } do
    it("is refused: " .. name, function()
      local port = weak_server(name, key)
      pair.fails("ETLS_WEAK", nil, results(handshake_with(port)))
    end)
  end

  it("is none of a server's, either", function()
    local context, message, name = certs.tls.server(certs.with("weak", nil, "weak"))
    assert.is_nil(context)
    assert.equal("ETLS_WEAK", name)
    assert.truthy(message:find("weak.pem", 1, true), message)
  end)
end)

-- ---- lists of what was revoked, and what is stapled ----

describe("a list of revoked certificates", function()
  local function with_list(file, check) return { crlfile = certs.path(file), crlcheck = check or "leaf" } end

  it("refuses those that are in it", function()
    refuses("ETLS_REVOKED", "revoked", certs.server "revoked", nil, { crlfile = certs.path "root.crl" })
  end)

  it("lets the others pass", function()
    for _, check in ipairs { "leaf", "chain" } do
      pair.connect(certs.client(with_list("root.crl", check)), certs.server())
    end
    pair.connect(certs.client(with_list "empty.crl"), certs.server())
  end)

  it("may be given as text", function()
    local near = pair.try(certs.client { crl = certs.read "root.crl", crlcheck = "leaf" }, certs.server "revoked")
    pair.fails("ETLS_REVOKED", nil, results(near))
    pair.connect(certs.client { crl = certs.read "root.crl", crlcheck = "leaf" }, certs.server())
  end)

  it("is needed where it is asked for", function()
    local near = pair.try(certs.client(with_list "root.crl"), certs.server "chain")
    pair.fails("ETLS_CRL", "CRL", results(near))
    near = pair.try(certs.client(with_list("root.crl", "chain")), certs.server "chain")
    pair.fails("ETLS_CRL", "CRL", results(near))
  end)

  it("must not be out of date", function()
    local near = pair.try(certs.client(with_list "old.crl"), certs.server())
    pair.fails("ETLS_CRL", "expired", results(near))
  end)

  it("holds for clients, too", function()
    local server = certs.server("good", { clients = "require", cafile = certs.path "root.pem",
      crlfile = certs.path "root.crl", crlcheck = "leaf" })
    local _, far = pair.try(certs.client(certs.with "revoked"), server)
    pair.fails("ETLS_REVOKED", nil, results(far))
    pair.connect(certs.client(certs.with "client"), server)
  end)
end)

describe("what is stapled", function()
  local function server(name, staple)
    return certs.server(name, { ocspfile = staple and certs.path(staple .. ".ocsp") })
  end

  it("is asked for, and taken where it is good", function()
    for _, ask in ipairs { true, "require" } do
      local client = pair.connect(certs.client { ocsp = ask }, server("stapled", "stapled"))
      local _, message, name = client:tls "ocsp"
      assert.is_nil(name, message)
      assert.truthy(client:tls "ocsp")
    end
  end)

  it("is not asked for by itself", function()
    pair.connect(certs.client(), server("muststaple", nil))
    local client = pair.connect(certs.client(), server("muststaple", "muststaple"))
    assert.is_nil((client:tls "ocsp"))
  end)

  it("is missed where it is required, and where the certificate says so", function()
    local near, far = pair.try(certs.client { ocsp = "require" }, server("good", nil))
    pair.fails("ETLS_OCSP", nil, results(near))
    pair.fails("ETLS_ALERT", nil, results(far))
    pair.connect(certs.client { ocsp = true }, server("good", nil))
    near = pair.try(certs.client { ocsp = true }, server("muststaple", nil))
    pair.fails("ETLS_OCSP", nil, results(near))
    pair.connect(certs.client { ocsp = true }, server("muststaple", "muststaple"))
  end)

  it("is refused where it says that the certificate was revoked, or is about another", function()
    local near = pair.try(certs.client { ocsp = true }, server("revoked", "revoked"))
    assert.is_nil(near[1])
    assert.truthy(near[3] == "ETLS_REVOKED" or near[3] == "ETLS_OCSP", near[3])
    near = pair.try(certs.client { ocsp = true }, server("good", "stapled"))
    pair.fails("ETLS_OCSP", nil, results(near))
  end)

  it("is not taken for ever where it does not say how long it holds", function()
    local DAY = 24 * 3600
    local function against(seconds)
      return certs.server("stapled", { ocspfile = stapling.aged(seconds) })
    end
    for _, age in ipairs { 0, DAY, 7 * DAY - 3600 } do
      pair.connect(certs.client { ocsp = "require" }, against(age))
    end
    for _, age in ipairs { 7 * DAY + 1, 365 * DAY, -3600 } do
      local near = pair.try(certs.client { ocsp = true }, against(age))
      pair.fails("ETLS_OCSP", "out of date", results(near))
    end
  end)

  it("is one file, which must hold such an answer", function()
    local context, _, name = certs.tls.server(certs.with("good", { ocspfile = certs.path "text.pem" }))
    assert.is_nil(context)
    assert.equal("ETLS_OCSP", name)
    context, _, name = certs.tls.server(certs.with("good", { ocspfile = certs.path "none.ocsp" }))
    assert.is_nil(context)
    assert.equal("ENOENT", name)
  end)
end)

-- ---- the certificates of clients ----

describe("a server that asks for certificates", function()
  local function server(how, options)
    options = options or {}
    options.clients, options.cafile = how, options.cafile or certs.path "client_root.pem"
    return certs.server("good", options)
  end
  local function client(name, options)
    return certs.client(name and certs.with(name, options) or options)
  end

  -- A client of TLS 1.3 is done before the server has looked at its certificate: it hears of it when it reads.
  local function refused_by(context, who, name, version)
    local near, far, sock = pair.try(client(who, { max = version }), context)
    pair.fails(name, nil, results(far))
    if near[1] then near = helper.pack(pair.recv(sock)) end
    pair.fails("ETLS_ALERT", nil, results(near))
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("takes those of its authority, TLS " .. version, function()
      for _, how in ipairs { "request", "require" } do
        local near, far = pair.connect(client("known", { max = version }), server(how))
        assert.is_true(far:tls().verified)
        assert.truthy(far:tls "peer".subject:find("a client", 1, true))
        pair.passes(near, far)
        pair.passes(far, near)
      end
    end)

    it("refuses all others, TLS " .. version, function()
      for _, how in ipairs { "request", "require" } do
        refused_by(server(how), "stranger", "ETLS_UNTRUSTED", version)
        refused_by(server(how), "notclient", "ETLS_PURPOSE", version)
      end
      refused_by(server("require", { cafile = certs.path "root.pem" }), "expired", "ETLS_EXPIRED", version)
    end)

    it("refuses those who have none only where it requires one, TLS " .. version, function()
      refused_by(server "require", nil, "ETLS_NOCERT", version)
      local near, far = pair.connect(client(nil, { max = version }), server "request")
      assert.is_false(far:tls().verified)
      assert.is_nil((far:tls "peer"))
      pair.passes(near, far)
    end)
  end

  it("may name more authorities than one record holds", function()
    local roots, name = {}, certs.read "client_root.pem"
    for i = 1, 60 do roots[i] = certs.read(i % 2 == 0 and "other_root.pem" or "root.pem") end
    local context = certs.server("chain", { clients = "require", ca = table.concat(roots) .. name })
    local long = certs.read "chain.pem" .. certs.read "other_root.pem":rep(40)
    local big = assert(certs.tls.server { cert = long, key = certs.read "leaf.key", clients = "require", ca = name })
    for _, version in ipairs { "1.2", "1.3" } do
      for _, one in ipairs { context, big } do
        local near, far = pair.connect(client("known", { max = version }), one)
        pair.passes(near, far)
        pair.passes(far, near)
      end
    end
  end)

  it("does not take the names of a client for those of a server", function()
    pair.connect(client "known", server "require", "localhost")
  end)

  it("needs authorities of its own, and never takes the system's", function()
    helper.raises("ca", certs.tls.server, certs.with("good", { clients = "require" }))
    helper.raises("ca", certs.tls.server, certs.with("good", { clients = "request" }))
  end)
end)
