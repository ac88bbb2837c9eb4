-- What LuaSec's names lead to after install, which the interpreter's option -l may do as well.  luasec.lua own|left
local own = arg[1] == "own"
require("lsocket.luasocket").install { ssl = own }

local names = { "ssl", "ssl.config", "ssl.context", "ssl.core", "ssl.x509" }
for _, name in ipairs(names) do assert((package.preload[name] ~= nil) == own, name) end
assert(package.loaded["lsocket.tls"] == nil) -- it is loaded when it is asked for
if own then
  local ssl = require "ssl"
  assert(ssl == require "lsocket.luasocket.ssl" and require "ssl.config" == ssl.config)
  assert(require("ssl.x509").load == ssl.loadcertificate and next((require "ssl.core")) == nil)
  local context = assert(ssl.newcontext { mode = "client", protocol = "any" })
  local setcipher = require("ssl.context").setcipher
  assert(setcipher(context, "ECDHE+AESGCM"))
  local ok, text = setcipher(context, "none such")
  assert(ok == false and text:find "ciphers")
end
print "done"
