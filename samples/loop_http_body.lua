-- The bodies of HTTP/1.1 messages on the streams of lsocket.loop: with a length, or in chunks; see
-- loop_http.lua.
local http = require "loop_http"
local lsocket = require "lsocket"

local check = http.check
local body = {}

local PIECE = 65536 -- bytes that are asked for at once
local LINE = "^(" .. http.TEXT .. ")\r\n$"

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
  local room, line = http.MAX_HEADER, read_line(stream)
  while line ~= "" do
    http.fields("\r\n" .. line, 1)
    room = room - #line
    if room < 0 then http.refuse(431) end
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

-- A function that gives the body piece by piece, and nil at its end.
function body.pieces(stream, framing)
  if framing == "chunked" then return chunked(stream) end
  return sized(stream, framing)
end

-- The body as one string, if it has no more than max bytes.
function body.whole(stream, framing, max)
  local buffer, read = lsocket.buffer(), body.pieces(stream, framing)
  local piece = read()
  while piece do
    buffer:append(piece)
    if #buffer > max then http.refuse(413) end
    piece = read()
  end
  return buffer:some() or ""
end

-- A chunk, for write; an empty one is the last.
function body.chunk(data)
  return ("%x\r\n"):format(#data), data, "\r\n"
end

return body
