-- The bodies of HTTP/1.1 messages on the streams of lsocket.loop: with a length, in chunks, or all until the end.
local lsocket = require "lsocket"
local message = require "http.message"

local check = message.check
local body = {}

local PIECE = 65536 -- bytes that are asked for at once
local LINE = "^(" .. message.TEXT .. ")\r\n$"

local function sized(stream, left)
  return function()
    if left == 0 then return nil end
    local piece = check(stream:readsome(math.min(left, PIECE)))
    left = left - #piece
    return piece
  end
end

local function read_line(stream)
  local line = check(stream:read("L"))
  return (check(line:match(LINE)))
end

local function read_size(stream)
  local line = read_line(stream)
  local digits = check(line:match("^%x+$") or line:match("^(%x+)[ \t]*;"))
  check(#digits <= 8)
  return tonumber(digits, 16)
end

-- The fields behind the last chunk, which nobody wants.
local function skip_trailer(stream)
  local room, line = message.MAX_HEADER, read_line(stream)
  while line ~= "" do
    message.fields("\r\n" .. line, 1)
    room = room - #line
    if room < 0 then message.refuse(431) end
    line = read_line(stream)
  end
end

-- A chunk is its size, its bytes and the end of a line; the last one has the size 0.
local function chunked(stream)
  local left = 0
  return function()
    if left == 0 then left = read_size(stream) end
    if left == 0 then return skip_trailer(stream) end
    local piece = check(stream:readsome(math.min(left, PIECE)))
    left = left - #piece
    if left == 0 then check(read_line(stream) == "") end
    return piece
  end
end

-- A body that ends where the connection does.
local function unframed(stream)
  return function()
    local piece, failure, name = stream:readsome(PIECE)
    if failure then check(nil, failure, name) end
    return piece
  end
end

-- A function that gives the body piece by piece, and nil at its end.
function body.pieces(stream, framing)
  if framing == "chunked" then return chunked(stream) end
  return framing and sized(stream, framing) or unframed(stream)
end

-- The body as one string, if it has no more than max bytes.
function body.whole(stream, framing, max)
  local buffer, read = lsocket.buffer(), body.pieces(stream, framing)
  local piece = read()
  while piece do
    buffer:append(piece)
    if #buffer > max then message.refuse(413) end
    piece = read()
  end
  return buffer:some() or ""
end

-- A chunk, for write; an empty one is the last.
function body.chunk(data)
  return ("%x\r\n"):format(#data), data, "\r\n"
end

return body
