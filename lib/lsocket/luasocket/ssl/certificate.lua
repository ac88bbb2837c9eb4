-- Certificates, with LuaSec's methods, as far as lsocket.tls and the certificate's own text tell what they ask.
local check = require "lsocket.loop.check"
local der = require "lsocket.luasocket.ssl.der"
local tls = require "lsocket.tls"

local certificates = {}

local Certificate = {}
Certificate.__index = Certificate
Certificate.__name = "X509 certificate"

-- ---- text ----

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(data)
  local text = data:gsub("..?.?", function(group)
    local a, b, c = group:byte(1, 3)
    local number, coded = a * 65536 + (b or 0) * 256 + (c or 0), {}
    for i = 4, 1, -1 do
      local digit = number % 64 + 1
      coded[i], number = DIGITS:sub(digit, digit), math.floor(number / 64)
    end
    return table.concat(coded, "", 1, #group + 1) .. ("="):rep(3 - #group)
  end)
  return text
end

local function pem(kind, data)
  local lines = base64(data):gsub(("."):rep(64), "%0\n")
  if lines:sub(-1) ~= "\n" then lines = lines .. "\n" end
  return ("-----BEGIN %s-----\n%s-----END %s-----\n"):format(kind, lines, kind)
end

local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

local function date(seconds)
  local parts = os.date("!*t", seconds)
  return ("%s %2d %02d:%02d:%02d %d GMT"):format(months[parts.month], parts.day, parts.hour, parts.min, parts.sec,
                                                 parts.year)
end

-- ---- what stands in it ----

local attributes = {
  ["2.5.4.3"] = "commonName", ["2.5.4.4"] = "surname", ["2.5.4.5"] = "serialNumber", ["2.5.4.6"] = "countryName",
  ["2.5.4.7"] = "localityName", ["2.5.4.8"] = "stateOrProvinceName", ["2.5.4.9"] = "streetAddress",
  ["2.5.4.10"] = "organizationName", ["2.5.4.11"] = "organizationalUnitName", ["2.5.4.12"] = "title",
  ["2.5.4.42"] = "givenName", ["1.2.840.113549.1.9.1"] = "emailAddress",
  ["0.9.2342.19200300.100.1.1"] = "userId", ["0.9.2342.19200300.100.1.25"] = "domainComponent",
}

local signatures = {
  ["1.2.840.10045.4.3.2"] = "ecdsa-with-SHA256", ["1.2.840.10045.4.3.3"] = "ecdsa-with-SHA384",
  ["1.2.840.10045.4.3.4"] = "ecdsa-with-SHA512", ["1.2.840.113549.1.1.5"] = "sha1WithRSAEncryption",
  ["1.2.840.113549.1.1.11"] = "sha256WithRSAEncryption", ["1.2.840.113549.1.1.12"] = "sha384WithRSAEncryption",
  ["1.2.840.113549.1.1.13"] = "sha512WithRSAEncryption", ["1.2.840.113549.1.1.10"] = "rsassaPss",
  ["1.3.101.112"] = "ED25519", ["1.3.101.113"] = "ED448",
}

local keys = { ["1.2.840.113549.1.1.1"] = "RSA", ["1.2.840.10045.2.1"] = "EC" }

local VERSION = 0xA0

-- The values of the part that is signed, without its version: serial, algorithm, issuer, validity, subject, key.
local function parts_of(self)
  local parts = self.parts
  if not parts then
    parts = der.values(der.values(der.values(self.facts.der)[1].content)[1].content)
    if parts[1].tag == VERSION then table.remove(parts, 1) end
    self.parts = parts
  end
  return parts
end

-- A name: { { oid =, name =, value = }, ... }
local function name_of(part)
  local list = {}
  for _, set in ipairs(der.values(part.content)) do
    for _, pair in ipairs(der.values(set.content)) do
      local both = der.values(pair.content)
      local oid = der.oid(both[1].content)
      list[#list + 1] = { oid = oid, name = attributes[oid] or oid, value = both[2].content }
    end
  end
  return list
end

function Certificate:issuer()
  return name_of(parts_of(self)[3])
end

function Certificate:subject()
  return name_of(parts_of(self)[5])
end

function Certificate:getsignaturename()
  local oid = der.oid(der.values(parts_of(self)[2].content)[1].content)
  return signatures[oid] or oid
end

-- How many bits a number has whose bytes these are.
local function bits_of(number)
  if number:byte() == 0 then number = number:sub(2) end
  local bits, first = #number * 8, number:byte() or 0
  while bits > 0 and first < 128 do bits, first = bits - 1, first * 2 end
  return bits
end

-- The size of an RSA key's modulus, and of an EC key's coordinate, whose point is a byte 4 and two of them.
local function size_of(kind, key)
  if kind == "RSA" then return bits_of(der.values(der.values(key)[1].content)[1].content) end
  return math.min((#key - 1) * 4, 521)
end

-- certificate:pubkey() -> PEM, kind, bits
function Certificate:pubkey()
  local info = parts_of(self)[6]
  local both = der.values(info.content)
  local oid = der.oid(der.values(both[1].content)[1].content)
  local kind = keys[oid]
  return pem("PUBLIC KEY", info.whole), kind or oid, kind and size_of(kind, both[2].content:sub(2))
end

-- certificate:extensions() -> { ["2.5.29.17"] = { name =, dNSName =, iPAddress = } };  of all extensions, the names
function Certificate:extensions()
  local names, addresses = self.facts.names, self.facts.addresses
  if #names == 0 and #addresses == 0 then return {} end
  return { ["2.5.29.17"] = {
    name = "X509v3 Subject Alternative Name", dNSName = #names > 0 and names or nil,
    iPAddress = #addresses > 0 and addresses or nil,
  } }
end

function Certificate:pem()
  return pem("CERTIFICATE", self.facts.der)
end

-- certificate:digest("sha256") -> hexadecimal digits | nil, text
function Certificate:digest(algorithm)
  algorithm = algorithm or "sha1"
  check.string(algorithm, 1, "digest")
  if algorithm:lower() == "sha256" then return self.facts.fingerprint end
  return nil, ("digest algorithm not supported (%s)"):format(algorithm)
end

function Certificate:serial()
  return self.facts.serial:upper()
end

function Certificate:notbefore()
  return date(self.facts.notbefore)
end

function Certificate:notafter()
  return date(self.facts.notafter)
end

-- certificate:validat(time) -> boolean;  is it valid at that time, in seconds since 1970?
function Certificate:validat(time)
  check.number(time, 1, "validat")
  return self.facts.notbefore <= time and time <= self.facts.notafter
end

-- Text is always returned as the certificate has it.
function Certificate.setencode(_, encoding)
  return encoding == "utf8"
end

-- certificates.make(facts) -> certificate;  facts: what tls.certificate returns
function certificates.make(facts)
  return setmetatable({ facts = facts, parts = false }, Certificate)
end

-- certificates.load(pem) -> certificate | nil, text
function certificates.load(text)
  check.string(text, 1, "loadcertificate")
  local facts, message = tls.certificate(text)
  if not facts then return nil, message end
  return certificates.make(facts)
end

return certificates
