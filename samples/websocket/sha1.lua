-- SHA-1 (RFC 3174), for handshakes of WebSocket and not for secrets: sha1(text) -> 20 bytes
local bits = require "websocket.bits"

local xor, band, rotate = bits.xor, bits.band, bits.rotate

-- The words of a block of 64 bytes, and those that are made of them.
local function schedule(block)
  local words = {}
  for i = 1, 16 do words[i] = bits.from_bytes(block:sub(4 * i - 3, 4 * i)) end
  for i = 17, 80 do
    words[i] = rotate(xor(xor(words[i - 3], words[i - 8]), xor(words[i - 14], words[i - 16])), 1)
  end
  return words
end

local function choose(b, c, d) return xor(d, band(b, xor(c, d))) end
local function parity(b, c, d) return xor(xor(b, c), d) end
local function majority(b, c, d) return xor(xor(band(b, c), band(b, d)), band(c, d)) end

local rounds = { -- each 20 times
  { choose, 0x5A827999 }, { parity, 0x6ED9EBA1 }, { majority, 0x8F1BBCDC }, { parity, 0xCA62C1D6 },
}

local function mix(state, block)
  local words = schedule(block)
  local a, b, c, d, e = state[1], state[2], state[3], state[4], state[5]
  for i = 1, 80 do
    local round = rounds[math.floor((i - 1) / 20) + 1]
    local sum = rotate(a, 5) + round[1](b, c, d) + e + round[2] + words[i]
    a, b, c, d, e = sum % 4294967296, a, rotate(b, 30), c, d
  end
  for i, value in ipairs { a, b, c, d, e } do state[i] = (state[i] + value) % 4294967296 end
end

return function(text)
  local state = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 }
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. bits.to_bytes(#text * 8, 8)
  for first = 1, #padded, 64 do mix(state, padded:sub(first, first + 63)) end
  for i = 1, 5 do state[i] = bits.to_bytes(state[i], 4) end
  return table.concat(state)
end
