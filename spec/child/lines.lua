-- Feeds a stream of lines to a buffer one byte at a time, in random pieces, and all at once: lines.lua MEGABYTES [SEED]
-- The same lines must come out each time. Says how many; exit status 1 where one differs.
local lsocket = require "lsocket"

local megabytes, seed = tonumber(arg[1]), tonumber(arg[2] or os.time())
print("seed " .. seed)
math.randomseed(seed)

-- Lines of any bytes, many of them short, some long; with both ends, and "\r" where it is no end.
local expected, parts = {}, {}
local function add(line, ending)
  expected[#expected + 1] = line
  parts[#parts + 1] = line .. ending
end
local endings = { "\n", "\r\n" }
local total = 0
while total < 1e6 do
  local length = math.random(4) == 1 and math.random(0, 5) or math.random(100) == 1 and math.random(20000)
    or math.random(150)
  local line = string.char(math.random(32, 255)):rep(length - 1) .. (length > 0 and "\r" or "")
  if math.random(3) > 1 then line = line:gsub(".$", "x") end
  local ending = endings[math.random(2)]
  if ending == "\n" then line = line:gsub("\r$", "") end
  add(line, ending)
  total = total + #line + #ending
end
local stream = table.concat(parts):rep(megabytes)
local count = #expected * megabytes

-- Takes all lines there are; answers how many there were with those before.
local function check(buffer, seen)
  while true do
    local line = buffer:line()
    if not line then return seen end
    seen = seen + 1
    if line ~= expected[(seen - 1) % #expected + 1] then
      print("line " .. seen .. " differs")
      os.exit(1)
    end
  end
end

local ways = {}

function ways.bytes(buffer)
  local seen = 0
  for i = 1, #stream do
    buffer:append(stream:sub(i, i))
    seen = check(buffer, seen)
  end
  return seen
end

function ways.pieces(buffer)
  local seen, at = 0, 1
  while at <= #stream do
    local size = math.random(10) == 1 and math.random(100000) or math.random(200)
    buffer:append(stream:sub(at, at + size - 1))
    at = at + size
    if math.random(2) == 1 then seen = check(buffer, seen) end
  end
  return check(buffer, seen)
end

function ways.whole(buffer)
  buffer:append(stream)
  return check(buffer, 0)
end

for name, feed in pairs(ways) do
  local buffer = lsocket.buffer()
  local seen = feed(buffer)
  print(("%s: %d lines, %d bytes"):format(name, seen, #stream))
  if seen ~= count or #buffer ~= 0 then
    print("expected " .. count .. " lines, and nothing left")
    os.exit(1)
  end
end
