-- Makes one connection with itself.  tlskeys.lua never|always CERTFILE KEYFILE: whether keylog is true.
local lsocket = require "lsocket"
local tls = require "lsocket.tls"
local how, certfile, keyfile = ...

local client = assert(tls.client { verify = false, keylog = how == "always" or nil })
local server = assert(tls.server { certfile = certfile, keyfile = keyfile })
local near, far = lsocket.pair()
assert(client:start(near))
assert(server:start(far))
for _ = 1, 10 do
  assert(near:handshake() ~= nil)
  assert(far:handshake() ~= nil)
end
assert(near:handshake() and far:handshake())
print "done"
