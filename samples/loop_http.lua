-- The heads of HTTP/1.1 messages on the streams of lsocket.loop, for loop_httpd.lua and
-- loop_http_client.lua. What two programs could read in two ways is refused: a request may hide in
-- it that only one of them sees. A refusal is raised, as the status that a server answers with.
local http = {}

http.TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
http.TEXT = "[%C\t]*"   -- no control character but the tab
http.MAX_HEADER = 16384 -- bytes; no line may be longer, either: give it to the stream as its max

local FIELD = "^\r\n(" .. http.TOKEN .. "):[ \t]*(" .. http.TEXT .. ")()"
local failures = { EMSGSIZE = 431, ETIMEDOUT = 408 }

function http.refuse(status)
  error(status, 0)
end

-- An assert for what was read or matched: a failed read has a name; otherwise the message is no
-- HTTP, or breaks off.
function http.check(data, ...)
  if data then return data, ... end
  local _, name = ...
  http.refuse(failures[name] or 400)
end

-- The head of a message, without the end of its last line; nil where the stream ends before it, or
-- where nothing at all has come in time. An empty line before it is forgiven: some clients end a
-- body with one.
function http.head(stream)
  local text, cut, name = stream:readuntil("\r\n\r\n")
  if text then
    http.check(not cut)
    return text:sub(1, 2) == "\r\n" and text:sub(3) or text
  end
  if not name then return nil end
  if name == "ETIMEDOUT" and not stream:readsome() then return nil end
  http.check(nil, cut, name)
end

-- The fields of a head, from the end of its first line on: names in lower case, the values of those
-- that come again joined by commas.
function http.fields(text, at)
  local headers = {}
  while at <= #text do
    local name, value
    name, value, at = text:match(FIELD, at)
    if not name then http.refuse(400) end
    name = name:lower()
    local last = value:byte(-1)
    if last == 32 or last == 9 then value = value:match("^.*[^ \t]") end
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers
end

-- How a body will come: "chunked", its length, or nil where nothing is said.
function http.framing(headers)
  local length, coding = headers["content-length"], headers["transfer-encoding"]
  http.check(not (length and coding))
  if coding and coding:lower() ~= "chunked" then http.refuse(501) end
  if coding then return "chunked" end
  if length then return tonumber(http.check(length:match("^%d+$"))) end
end

return http
