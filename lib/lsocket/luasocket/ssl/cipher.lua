-- What a cipher suite consists of, told from OpenSSL's name for it, in LuaSec's words.
local cipher = {}

-- Patterns of names, what LuaSec calls the encryption, its bits where the name does not have them.
local encryptions = {
  { "AES_?(%d+)[-_]GCM", "AESGCM(%d)" }, { "AES_?(%d+)[-_]CCM_?8", "AESCCM8(%d)" },
  { "AES_?(%d+)[-_]CCM", "AESCCM(%d)" }, { "ARIA(%d+)%-GCM", "ARIAGCM(%d)" },
  { "CHACHA20", "CHACHA20/POLY1305(%d)", 256 }, { "AES(%d+)", "AES(%d)" }, { "CAMELLIA(%d+)", "Camellia(%d)" },
}

local macs = { SHA = "SHA1", SHA256 = "SHA256", SHA384 = "SHA384" }

local function encryption_of(name)
  for _, row in ipairs(encryptions) do
    local bits = name:match(row[1])
    if bits then
      bits = row[3] or tonumber(bits)
      return row[2]:format(bits), bits
    end
  end
end

-- Key exchange and authentication. TLS 1.3 does not choose these by the suite.
local function exchange_of(name)
  if name:find "^TLS_" then return "any", "any" end
  local key = name:find "^ECDHE" and "ECDH" or name:find "^DHE" and "DH" or "RSA"
  return key, name:match "^E?C?DHE%-(%u+)" or "RSA"
end

-- cipher.describe(name) -> { key =, authentication =, encryption =, mac =, bits =, algbits =, export = }
function cipher.describe(name)
  local key, authentication = exchange_of(name)
  local encryption, bits = encryption_of(name)
  local whole = encryption and encryption:find "GCM" or name:find "CCM" or name:find "POLY1305"
  return {
    key = key, authentication = authentication, encryption = encryption, bits = bits, algbits = bits, export = false,
    mac = whole and "AEAD" or macs[name:match "(%w+)$"],
  }
end

return cipher
