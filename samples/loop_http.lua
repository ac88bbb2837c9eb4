-- The heads of HTTP/1.1 messages on the streams of lsocket.loop, for loop_httpd.lua and loop_http_client.lua.
-- What two programs could read in two ways is refused: a request may hide in it that only one of them sees.
-- Each function answers what it read, or nil and the status that a server refuses it with.
local http = {}

http.TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
http.LINE = "([\t%C]*)\r\n" -- no control character but the tab
http.FIELD = "^(" .. http.TOKEN .. "):[ \t]*" .. http.LINE .. "()"
http.MAX_HEADER = 16384     -- bytes; no line may be longer, either: give it to the stream as its max

local FIRST = "^" .. http.LINE .. "()"
local failures = { EMSGSIZE = 431, ETIMEDOUT = 408 }

-- The status for a read that has failed; without a name, for a message that is no HTTP or breaks off.
function http.failure(name)
  return failures[name] or 400
end

-- The head of a message: its first line, and its fields as a table: names in lower case, the values of those that come
-- again joined by commas. An empty line before it is forgiven: some clients end a body with one.
function http.head(stream)
  local text, problem, name = stream:readuntil("\r\n\r\n")
  if not text or problem then return nil, http.failure(name) end
  text = text .. "\r\n"
  local line, at = text:match(FIRST, text:find("^\r\n") and 3 or 1)
  local headers = {}
  while line and at <= #text do
    local key, value
    key, value, at = text:match(http.FIELD, at)
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

return http
