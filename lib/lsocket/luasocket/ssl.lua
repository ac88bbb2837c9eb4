-- LuaSec's interface on lsocket.tls: what was written against require "ssl" runs on it, and in a task waits as a task.
local check = require "lsocket.loop.check"
local certificates = require "lsocket.luasocket.ssl.certificate"
local connections = require "lsocket.luasocket.ssl.connection"
local contexts = require "lsocket.luasocket.ssl.context"
local options = require "lsocket.luasocket.ssl.options"

local ssl = {
  _VERSION = "1.2.0", -- of LuaSec, whose interface this is
  _COPYRIGHT = "lsocket",
  newcontext = contexts.new,
  loadcertificate = certificates.load,
}

local function set_of(words)
  local set = {}
  for word in words:gmatch "%S+" do set[word] = true end
  return set
end

ssl.config = {
  protocols = set_of "tlsv1_2 tlsv1_3", options = {}, algorithms = { ec = true },
  curves = set_of "P-256 P-384 P-521 X25519 X448 prime256v1 secp384r1 secp521r1",
  capabilities = { alpn = true, curves_list = true, ecdh_auto = true },
}
for word, keep in pairs(options) do ssl.config.options[word] = keep and true or nil end

-- ssl.wrap(sock, context or parameters) -> connection | nil, text
function ssl.wrap(sock, context)
  if type(context) == "table" and not contexts.is(context) then
    local text
    context, text = contexts.new(context)
    if not context then return nil, text end
  end
  if not contexts.is(context) then check.fail(2, "wrap", "invalid context") end
  return connections.wrap(sock, context)
end

return ssl
