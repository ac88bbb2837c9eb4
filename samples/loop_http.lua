-- HTTP/1.1 messages on the streams of lsocket.loop: headers and bodies, for loop_httpd.lua and loop_http_client.lua.
-- What two programs could read in two ways is refused: a request may hide in it that only one of them sees.
-- Each function answers what it read, or nil and the status that a server refuses it with.
local http = {}

http.TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
http.MAX_HEADER = 16384 -- bytes; no line may be longer, either: give it to the stream as its max

local FIELD = "^(" .. http.TOKEN .. "):[ \t]*(.*)$"
local PIECE = 65536     -- bytes of a body that are asked for at once
local failures = { EMSGSIZE = 431, ETIMEDOUT = 408 }

-- A line without its end, which is CR LF. No other control character but the tab may be in it.
function http.line(stream)
  local line, _, name = stream:read("L")
  local text = line and line:match("^([\t%C]*)\r\n$")
  if text then return text end
  return nil, failures[name] or 400
end

-- Fields as a table: names in lower case, the values of those that come again joined by commas.
function http.headers(stream)
  local headers, room = {}, http.MAX_HEADER
  while true do
    local line, status = http.line(stream)
    if not line then return nil, status end
    if line == "" then return headers end
    room = room - #line
    if room < 0 then return nil, 431 end
    local name, value = line:match(FIELD)
    if not name then return nil, 400 end
    name = name:lower()
    if value:find("[ \t]", -1) then value = value:match("^.*[^ \t]") or "" end
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
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

local function chunked(stream)
  local chunk
  return function()
    local line, status
    if chunk then
      local piece, problem = chunk()
      if piece or problem then return piece, problem end
      line, status = http.line(stream)
      if line ~= "" then return nil, status or 400 end
    end
    line, status = http.line(stream)
    if not line then return nil, status end
    local size = line:match("^%x+$") or line:match("^(%x+)[ \t]*;")
    if not size or #size > 8 then return nil, 400 end
    chunk = sized(stream, tonumber(size, 16))
    if tonumber(size, 16) > 0 then return chunk() end
    line, status = http.headers(stream) -- the trailer
    return nil, not line and status or nil
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
