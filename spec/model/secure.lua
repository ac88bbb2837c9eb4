-- TLS under some of the streams of a program: the same must hold for them as for those without.
local secure = {}

local has_tls, tls = pcall(require, "lsocket.tls")
local folder = os.getenv "TLS_CERTS" -- of tools/model; nil: there is no openssl to make certificates

-- Which programs have TLS, by their seeds.
function secure.is_for(seed)
  return has_tls and folder and seed % 4 == 0
end

local server, client

-- Puts TLS under both ends of a connection, and finishes the handshake.
function secure.connect(one, two)
  server = server or
    assert(tls.server { certfile = folder .. "/good.pem", keyfile = folder .. "/leaf.key", tickets = 0 })
  client = client or assert(tls.client { cafile = folder .. "/root.pem", sessions = 0 })
  assert(server:start(one))
  assert(client:start(two, "good.example"))
  for _ = 1, 10 do
    local near, far = one:handshake(), two:handshake()
    if near and far then return end
  end
  error("the handshake does not end", 0)
end

return secure
