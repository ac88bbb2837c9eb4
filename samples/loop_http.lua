-- HTTP/1.1 messages on the streams of lsocket.loop: what loop_httpd.lua and loop_http_client.lua read.
-- What two programs could read in two ways is refused: a request may hide in it that only one of them sees.
-- Each function answers what it read, or nil and the status that a server refuses it with.
local http = {}

http.TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
http.MAX_HEADER = 16384 -- bytes; no line may be longer, either: give it to the stream as its max

local LINE = "([\t%C]*)\r\n" -- no control character but the tab
local FIELD = "^(" .. http.TOKEN .. "):[ \t]*" .. LINE .. "()"
local PIECE = 65536          -- bytes of a body that are asked for at once
local failures = { EMSGSIZE = 431, ETIMEDOUT = 408 }

-- The head of a message: its first line, and its fields as a table: names in lower case, the values of those that come
-- again joined by commas. An empty line before it is forgiven: some clients end a body with one.
function http.head(stream)
  local text, problem, name = stream:readuntil("\r\n\r\n")
  if not text or problem then return nil, failures[name] or 400 end
  text = text .. "\r\n"
  local line, at = text:match("^" .. LINE .. "()", text:find("^\r\n") and 3 or 1)
  local headers = {}
  while line and at <= #text do
    local key, value
    key, value, at = text:match(FIELD, at)
    if not key then return nil, 400 end
    key = key:lower()
    local last = value:byte(-1)
    if last == 32 or last == 9 then value = value:match("^.*[^ \t]") end
    headers[key] = headers[key] and headers[key] .. ", " .. value or value
  end
  if line then return line, headers end
  return nil, 400
end

-- How a body will come: its length, "chunked", or false where nothing is said.
function http.framing(headers)
  local length, coding = headers["content-length"], headers["transfer-encoding"]
  if coding then
    if length then return nil, 400 end
    if coding:lower() ~= "chunked" then return nil, 501 end
    return "chunked"
  end
  if not length then return false end
  if not length:find("^%d+$") then return nil, 400 end
  return tonumber(length)
end

local function sized(stream, left)
  return function()
    if left == 0 then return nil end
    local piece, _, name = stream:readsome(math.min(left, PIECE))
    if not piece then return nil, failures[name] or 400 end
    left = left - #piece
    return piece
  end
end

local function read_line(stream)
  local line, _, name = stream:read("L")
  local text = line and line:match("^" .. LINE .. "$")
  if text then return text end
  return nil, failures[name] or 400
end

-- The fields behind the last chunk, which nobody wants: true at their end.
local function skip_trailer(stream)
  local room = http.MAX_HEADER
  while true do
    local line, status = read_line(stream)
    if not line then return nil, status end
    if line == "" then return true end
    room = room - #line
    if room < 0 then return nil, 431 end
    if not (line .. "\r\n"):find(FIELD) then return nil, 400 end
  end
end

-- A chunk's size, behind the end of the one before.
local function read_size(stream, first)
  local line, status
  if not first then
    line, status = read_line(stream)
    if line ~= "" then return nil, status or 400 end
  end
  line, status = read_line(stream)
  if not line then return nil, status end
  local digits = line:match("^%x+$") or line:match("^(%x+)[ \t]*;")
  if not digits or #digits > 8 then return nil, 400 end
  return tonumber(digits, 16)
end

local function chunked(stream)
  local chunk
  return function()
    local piece, status
    if chunk then piece, status = chunk() end
    if piece or status then return piece, status end
    local size
    size, status = read_size(stream, not chunk)
    if size == 0 then size, status = nil, select(2, skip_trailer(stream)) end
    if not size then return nil, status end
    chunk = sized(stream, size)
    return chunk()
  end
end

-- A function that gives the body piece by piece: a string, nil at its end, or nil and a status.
function http.body(stream, framing)
  if framing == "chunked" then return chunked(stream) end
  return sized(stream, framing or 0)
end

-- A chunk, for write; an empty one is the last.
function http.chunk(data)
  return ("%x\r\n"):format(#data), data, "\r\n"
end

return http
