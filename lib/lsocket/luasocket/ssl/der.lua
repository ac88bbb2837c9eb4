-- Reads DER, the form that certificates have: values in values.
local der = {}

local byte, sub = string.byte, string.sub

-- The value at that place: its tag, where its content begins and ends. What is cut off raises.
local function read(data, at)
  local tag, size = byte(data, at, at + 1)
  local first = at + 2
  if size >= 128 then
    local count = size - 128
    size = 0
    for i = first, first + count - 1 do size = size * 256 + byte(data, i) end
    first = first + count
  end
  if first + size - 1 > #data then error "DER: a value is cut off" end
  return tag, first, first + size - 1
end

-- der.values(data [, first, last]) -> { { tag =, content =, whole = }, ... }: the values that stand there in a row
function der.values(data, first, last)
  local values, at = {}, first or 1
  last = last or #data
  while at <= last do
    local tag, from, to = read(data, at)
    values[#values + 1] = { tag = tag, content = sub(data, from, to), whole = sub(data, at, to) }
    at = to + 1
  end
  return values
end

-- der.oid(content) -> "1.2.840...";  an object identifier
function der.oid(content)
  local numbers, number = {}, 0
  for i = 1, #content do
    local part = byte(content, i)
    number = number * 128 + part % 128
    if part < 128 then
      numbers[#numbers + 1], number = number, 0
    end
  end
  local first = math.min(math.floor(numbers[1] / 40), 2)
  local second = numbers[1] - first * 40
  numbers[1] = ("%d.%d"):format(first, second)
  for i = 2, #numbers do numbers[i] = ("%d"):format(numbers[i]) end
  return table.concat(numbers, ".")
end

return der
