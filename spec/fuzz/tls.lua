-- One input of tls.c: its first byte says what the others are. Certificates come from the folder TLS_CERTS.
local lsocket = require "lsocket"
local tls = require "lsocket.tls"

local folder = assert(os.getenv "TLS_CERTS", "TLS_CERTS is not set") .. "/"

local function read(name)
  local file = assert(io.open(folder .. name, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local cert, key, roots = read "good.pem", read "leaf.key", read "root.pem"
local clients, servers = {}, {}
for i, version in ipairs { "1.2", "1.3" } do
  clients[i] = assert(tls.client { ca = roots, max = version, ocsp = true, alpn = { "one", "two" } })
  servers[i] = assert(tls.server { cert = cert, key = key, max = version, alpn = { "two" }, clients = "request",
    ca = roots })
end
local asking = assert(tls.server { cert = cert, key = key, ask = true })

-- nil, message, name; or false and what it waits for.
local function check(result, message, name)
  if result == nil then
    assert(type(message) == "string" and (name == nil or type(name) == "string"), "a failure has a text and a name")
  end
  return result, message, name
end

local function handshake(sock)
  local done, what, name = check(sock:handshake())
  if what == "hello" then
    assert(type(sock:tls "hello") == "table")
    assert(sock:choose(servers[2]))
    return handshake(sock)
  end
  return done, what, name
end

-- After a failure all calls fail in the same way.
local function check_failed(sock, message, name)
  for _, call in ipairs { sock.recv, sock.peek, sock.handshake, function(one) return one:send "x" end } do
    local result, again, same = call(sock)
    assert(result == nil and again == message and same == name, "a failure stays")
  end
end

-- Somebody without keys speaks to one end: it must never come to data.
local function strange(start)
  return function(data)
    local ours, theirs = lsocket.pair()
    start(ours)
    for first = 1, math.max(#data, 1), 1000 do
      theirs:send(data, first, first + 999)
      local done, message, name = handshake(ours)
      assert(done ~= true, "no handshake without a secret")
      assert(ours:pending() == 0)
      local got, _, symbol = ours:recv()
      assert(got == nil and symbol)
      if done == nil then
        check_failed(ours, message, name)
        break
      end
    end
    theirs:close()
    assert(handshake(ours) == nil, "the end ends it")
    ours:close()
  end
end

-- Two ends that know each other, and somebody in between who puts bytes in the place of others.
local function between(version)
  return function(data)
    local near, a = lsocket.pair()
    local far, b = lsocket.pair()
    assert(clients[version]:start(near, "good.example"))
    assert(servers[version]:start(far))
    local left, position = data:byte(1) or 0, 2
    local function pass(from, to)
      local bytes = from:recv()
      if not bytes then return end
      left = left - 1
      if left == 0 then
        local at = (data:byte(2) or 0) * 8 % #bytes
        position = 3
        bytes = bytes:sub(1, at) .. data:sub(position) .. bytes:sub(at + #data - position + 2)
      end
      to:send(bytes)
    end
    local first, second = false, false
    for _ = 1, 12 do
      if first ~= nil then first = handshake(near) end
      pass(a, b)
      if second ~= nil then second = handshake(far) end
      pass(b, a)
    end
    for _, way in ipairs { { near, far, a, b }, { far, near, b, a } } do
      local sent = way[1]:send "a message"
      pass(way[3], way[4])
      local got = way[2]:recv()
      assert(not got or got == "a message" and sent, "what comes was sent")
    end
    for _, sock in ipairs { near, far, a, b } do sock:close() end
  end
end

local function certificate(data)
  local fields, message, name = tls.certificate(data)
  if fields then
    assert(type(fields.der) == "string" and type(fields.names) == "table")
    local again = assert(tls.certificate(fields.der))
    assert(again.fingerprint == fields.fingerprint)
  else
    assert(type(message) == "string" and name == "ETLS_PEM", name)
  end
end

local function context(data)
  local how = data:byte(1) or 0
  data = data:sub(2)
  local pem = ("-----BEGIN %s-----\n%s\n-----END %s-----\n"):format(how > 127 and "CERTIFICATE" or "X509 CRL", data,
    how > 127 and "CERTIFICATE" or "X509 CRL")
  check(tls.client { ca = how % 2 == 0 and roots or data, crl = how % 4 > 1 and pem or nil })
  check(tls.client { ca = pem })
  check(tls.server { cert = how % 8 > 3 and cert or data, key = how % 16 > 7 and key or data })
end

local acts = {
  strange(function(sock) assert(servers[1]:start(sock)) end),
  strange(function(sock) assert(servers[2]:start(sock)) end),
  strange(function(sock) assert(asking:start(sock)) end),
  strange(function(sock) assert(clients[1]:start(sock, "good.example")) end),
  strange(function(sock) assert(clients[2]:start(sock, "good.example")) end),
  between(1), between(2), certificate, context,
}

-- TLS_PART: what reads the bytes.
local parts = {
  [""] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 },
  ["-server"] = { 1, 2, 3, 6, 7 }, ["-client"] = { 4, 5, 6, 7 }, ["-certificate"] = { 8, 9 },
}
local part = assert(parts[os.getenv "TLS_PART" or ""], "TLS_PART is no part")

-- The same act for a byte in every part that has it.
local function choose(byte)
  local usual = byte % #acts + 1
  for _, number in ipairs(part) do
    if number == usual then return acts[number] end
  end
  return acts[part[byte % #part + 1]]
end

return function(data)
  if #data > 0 then choose(data:byte(1))(data:sub(2)) end
end
