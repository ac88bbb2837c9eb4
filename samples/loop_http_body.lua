-- The bodies of HTTP/1.1 messages on the streams of lsocket.loop: with a length, or in chunks; see loop_http.lua.
local http = require "loop_http"
local lsocket = require "lsocket"

local body = {}

local PIECE = 65536 -- bytes that are asked for at once
local TEXT = "^" .. http.LINE .. "$"

local function sized(stream, left)
  return function()
    if left == 0 then return nil end
    local piece, _, name = stream:readsome(math.min(left, PIECE))
    if not piece then return nil, http.failure(name) end
    left = left - #piece
    return piece
  end
end

local function read_line(stream)
  local line, _, name = stream:read("L")
  local text = line and line:match(TEXT)
  if text then return text end
  return nil, http.failure(name)
end

-- The fields behind the last chunk, which nobody wants: nil at their end, or nil and a status.
local function skip_trailer(stream)
  local room = http.MAX_HEADER
  while true do
    local line, status = read_line(stream)
    if not line or line == "" then return nil, status end
    room = room - #line
    if room < 0 then return nil, 431 end
    if not (line .. "\r\n"):find(http.FIELD) then return nil, 400 end
  end
end

local function read_size(stream)
  local line, status = read_line(stream)
  if not line then return nil, status end
  local digits = line:match("^%x+$") or line:match("^(%x+)[ \t]*;")
  if not digits or #digits > 8 then return nil, 400 end
  return tonumber(digits, 16)
end

local function chunked(stream)
  local chunk
  return function()
    local piece, size, status
    if chunk then piece, status = chunk() end
    if piece or status then return piece, status end
    if chunk then
      piece, status = read_line(stream) -- the end of the chunk
      if piece ~= "" then return nil, status or 400 end
    end
    size, status = read_size(stream)
    if not size then return nil, status end
    if size == 0 then return skip_trailer(stream) end
    chunk = sized(stream, size)
    return chunk()
  end
end

-- A function that gives the body piece by piece: a string, nil at its end, or nil and a status.
function body.pieces(stream, framing)
  if framing == "chunked" then return chunked(stream) end
  return sized(stream, framing or 0)
end

-- The body as one string, if it has no more than max bytes.
function body.whole(stream, framing, max)
  local buffer, read = lsocket.buffer(), body.pieces(stream, framing)
  local piece, status = read()
  while piece do
    buffer:append(piece)
    if #buffer > max then return nil, 413 end
    piece, status = read()
  end
  if status then return nil, status end
  return buffer:some() or ""
end

-- A chunk, for write; an empty one is the last.
function body.chunk(data)
  return ("%x\r\n"):format(#data), data, "\r\n"
end

return body
