-- Frames of WebSocket, RFC 6455, section 5, as a server reads and writes them. What is wrong with one is raised, as the
-- code that the connection is closed with.
local bits = require "websocket.bits"
local lsocket = require "lsocket"

local frames = { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 }

local PROTOCOL_ERROR, TOO_BIG = 1002, 1009
local PIECE = 65536 -- bytes that are unmasked before other tasks have their turn; a multiple of 4

function frames.check(is_good, code)
  return is_good or error(code or PROTOCOL_ERROR, 0)
end

local check = frames.check

-- Undoes what a client does to its bytes, lest they look like HTTP to what is on the way.
local function unmask(data, key)
  local rows, pieces, char, byte = { key:byte(1, 4) }, {}, string.char, string.byte
  for i = 1, 4 do rows[i] = bits.xors[rows[i]] end
  local one, two, three, four = rows[1], rows[2], rows[3], rows[4]
  local whole = #data - #data % 4
  for i = 1, whole, 4 do
    local a, b, c, d = byte(data, i, i + 3)
    pieces[#pieces + 1] = char(one[a], two[b], three[c], four[d])
  end
  for i = 1, #data - whole do pieces[#pieces + 1] = char(rows[i][byte(data, whole + i)]) end
  return table.concat(pieces)
end

-- The length that a frame has: itself, or in so many bytes, where it must not be one that fewer bytes could say.
local function read_length(client, length)
  if length < 126 then return length end
  local least = length == 126 and 126 or 65536
  local bytes = client:readexactly(length == 126 and 2 or 8)
  if not bytes then return nil end
  check(#bytes == 2 or bytes:byte() < 128)
  length = bits.from_bytes(bytes)
  check(length >= least)
  return length
end

local function read_data(client, left)
  local data, key = lsocket.buffer(), client:readexactly(4)
  while key and left > 0 do
    local piece = client:readexactly(math.min(left, PIECE))
    if not piece then return nil end
    data:append(unmask(piece, key))
    left = left - #piece
  end
  return key and (data:some() or "")
end

-- frames.read(client, max) -> opcode, data, is_final; nil where the client is gone
function frames.read(client, max)
  local head = client:readexactly(2)
  if not head then return nil end
  local first, second = head:byte(1, 2)
  local opcode, is_final = first % 16, first >= 128
  check(first % 128 < 16 and second >= 128) -- no extensions; masked
  local length = read_length(client, second % 128)
  if not length then return nil end
  if opcode >= frames.CLOSE then check(is_final and length < 126) end
  check(opcode >= frames.CLOSE or length <= max, TOO_BIG)
  local data = read_data(client, length)
  if not data then return nil end
  return opcode, data, is_final
end

-- frames.write(client, opcode, data) -> true | nil, message, name
function frames.write(client, opcode, data)
  local length = #data
  local head = length < 126 and string.char(length)
    or length < 65536 and "\126" .. bits.to_bytes(length, 2) or "\127" .. bits.to_bytes(length, 8)
  return client:write(string.char(128 + opcode), head, data)
end

return frames
