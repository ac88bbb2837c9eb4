-- The certificates of spec/tls/folder: what the specs of TLS share.
local helper = require "spec.helper"
local process = require "spec.process"

local certs = {}

local available, tls = pcall(require, "lsocket.tls")
certs.tls = available and tls or nil

local folder = os.getenv "TLS_CERTS" -- where they are, if they have been made already

-- Skips a test where there is no TLS, or no openssl to make certificates with.
function certs.need(pending)
  if not certs.tls then pending "this build has no lsocket.tls" end
  if not folder then helper.need.tool(pending, "openssl version | grep '^OpenSSL 3'") end
end

-- it, where there is TLS: certs.case(it, pending)
function certs.case(it, pending)
  return function(name, fn)
    it(name, function()
      certs.need(pending)
      fn()
    end)
  end
end

-- The same for a whole file, which ends there.
function certs.missing(pending)
  local here, why = pcall(certs.need, function(reason) error(reason, 0) end)
  if not here then pending(why) end
  return not here
end

local function find()
  local output, status = helper.run "spec/tls/folder"
  if status ~= 0 then error("no certificates: " .. output, 3) end
  return (output:gsub("\n$", ""))
end

-- The path of a file of spec/tls/make.
function certs.path(name)
  folder = folder or find()
  return folder .. "/" .. name
end

function certs.read(name)
  return assert(process.read(certs.path(name)), name)
end

-- The arguments for a certificate and its key, with further ones: certs.with("expired", { alpn = { "x" } })
function certs.with(name, options, key)
  local all = { certfile = certs.path(name .. ".pem"), keyfile = certs.path((key or "leaf") .. ".key") }
  for option, value in pairs(options or {}) do all[option] = value end
  return all
end

-- A server's context with a certificate.
function certs.server(name, options, key)
  return assert(certs.tls.server(certs.with(name or "good", options, key)))
end

-- A client's context that trusts the root of the specs, unless it is told another.
function certs.client(options)
  local all = { cafile = certs.path "root.pem" }
  for option, value in pairs(options or {}) do all[option] = value end
  return assert(certs.tls.client(all))
end

return certs
