-- OCSP responses that were made at another time: endless.ocsp of spec/tls/make, dated and signed anew.
local certs = require "spec.tls.certs"
local helper = require "spec.helper"
local process = require "spec.process"

-- The first and the last byte of what begins at a place in DER, with its header.
local function extent(der, at)
  local length, bytes = der:byte(at + 1), 0
  if length > 128 then
    bytes, length = length - 128, 0
    for i = 1, bytes do length = length * 256 + der:byte(at + 1 + i) end
  end
  return at, at + 1 + bytes + length
end

local function signature_of(data)
  local output = helper.path()
  local said, status = helper.run(("openssl dgst -sha256 -sign %s -out %s %s"):format(certs.path "rsa.key", output,
    helper.file(data)))
  assert(status == 0, said)
  return assert(process.read(output))
end

local BASIC = "\6\9%\43\6\1\5\5\7\48\1\1\4\130..\48\130.." -- the kind of response, and what it is in
local ALGORITHM, BITS = 15, "\3\130\1\1\0"                    -- what follows the data: 2048 bits

-- A file with a response for the certificate "stapled", so many seconds old, and without a nextUpdate.
local function aged(seconds)
  local der = certs.read "endless.ocsp"
  local first, last = extent(der, select(2, assert(der:find(BASIC))) + 1)
  local date = os.date("!%Y%m%d%H%M%SZ", os.time() - seconds)
  local data, times = der:sub(first, last):gsub("\24\15%d+Z", "\24\15" .. date)
  assert(times == 2) -- producedAt and thisUpdate
  local from = last + ALGORITHM + 1
  assert(der:sub(from, from + #BITS - 1) == BITS)
  return helper.file(der:sub(1, first - 1) .. data .. der:sub(last + 1, from + #BITS - 1) .. signature_of(data)
    .. der:sub(from + #BITS + 256))
end

return { aged = aged }
