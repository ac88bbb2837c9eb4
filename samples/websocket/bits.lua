-- Bits of whole numbers, in arithmetic, which every Lua has.
local bits = {}

-- bits.xors[a][b]: a xor b of two bytes. A row is made when it is first asked for.
local function xor_bytes(a, b)
  local sum, place = 0, 1
  while place < 256 do
    if a % 2 ~= b % 2 then sum = sum + place end
    a, b, place = math.floor(a / 2), math.floor(b / 2), place * 2
  end
  return sum
end

bits.xors = setmetatable({}, { __index = function(rows, a)
  local row = {}
  for b = 0, 255 do row[b] = xor_bytes(a, b) end
  rows[a] = row
  return row
end })

-- Of numbers below 2^32.
function bits.xor(a, b)
  local sum, place = 0, 1
  while place < 4294967296 do
    local x, y = a % 256, b % 256
    sum = sum + bits.xors[x][y] * place
    a, b, place = (a - x) / 256, (b - y) / 256, place * 256
  end
  return sum
end

function bits.band(a, b)
  return (a + b - bits.xor(a, b)) / 2 -- as a + b is a xor b, and twice the bits that both have
end

function bits.rotate(a, count)
  local high = math.floor(a / 2 ^ (32 - count))
  return a * 2 ^ count % 4294967296 + high
end

-- A number as so many bytes, the highest first; and back.
function bits.to_bytes(number, count)
  local bytes = {}
  for i = count, 1, -1 do
    bytes[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

function bits.from_bytes(bytes)
  local number = 0
  for i = 1, #bytes do number = number * 256 + bytes:byte(i) end
  return number
end

return bits
