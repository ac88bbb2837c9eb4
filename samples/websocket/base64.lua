-- Base64 (RFC 4648): base64(bytes) -> text
local bits = require "websocket.bits"

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Three bytes as four digits; "=" for what one or two bytes do not have.
local function encode(group)
  local number, text = bits.from_bytes(group .. ("\0"):rep(3 - #group)), ""
  for _ = 1, 4 do
    local digit = number % 64 + 1
    text = DIGITS:sub(digit, digit) .. text
    number = math.floor(number / 64)
  end
  return text:sub(1, #group + 1) .. ("="):rep(3 - #group)
end

return function(bytes)
  return (bytes:gsub("..?.?", encode))
end
