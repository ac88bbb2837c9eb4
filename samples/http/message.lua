-- The heads of HTTP/1.1 messages on the streams of lsocket.loop, as a server and a client read them. What two programs
-- could read in two ways is refused: a request may hide in it that only one of them sees. A refusal is raised, as the
-- status that a server answers with.
local message = {}

message.TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
message.TEXT = "[ -~\128-\255\t]*" -- no control character but the tab; ranges are found faster than %C
message.MAX_HEADER = 16384         -- bytes; no line may be longer, either: give it to the stream as its max

local FIELD = "^\r\n(" .. message.TOKEN .. "):[ \t]*(" .. message.TEXT .. ")()"
local failures = { EMSGSIZE = 431, ETIMEDOUT = 408 }

function message.refuse(status)
  error(status, 0)
end

-- An assert for what was read or matched: a failed read has a name; otherwise the message is no HTTP, or breaks off.
function message.check(data, ...)
  if data then return data, ... end
  local _, name = ...
  message.refuse(failures[name] or 400)
end

-- The head of a message, without the end of its last line; nil where the stream ends before it, or where nothing at all
-- has come in time: then with message and name. An empty line before it is forgiven: some clients end a body with one.
function message.head(stream)
  local text, cut, name = stream:readuntil("\r\n\r\n")
  if text then
    if cut then message.refuse(400) end
    return text:byte() == 13 and text:match("^\r\n(.*)") or text
  end
  if not name then return nil end
  if name == "ETIMEDOUT" and stream:buffered() == 0 then return nil, cut, name end
  message.check(nil, cut, name)
end

-- The fields of a head, from the end of its first line on: names in lower case, the values of those that come again
-- joined by commas.
function message.fields(text, at)
  local headers = {}
  while at <= #text do
    local name, value
    name, value, at = text:match(FIELD, at)
    if not name then message.refuse(400) end
    name = name:lower()
    local last = value:byte(-1)
    if last == 32 or last == 9 then value = value:match("^.*[^ \t]") end
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers
end

-- How a body will come: "chunked", its length, or nil where nothing is said.
function message.framing(headers)
  local length, coding = headers["content-length"], headers["transfer-encoding"]
  message.check(not (length and coding))
  if coding and coding:lower() ~= "chunked" then message.refuse(501) end
  if coding then return "chunked" end
  if length then return tonumber(message.check(length:match("^%d+$"))) end
end

-- Whether a field that is a list has a word in it: "TE, Close" has "close".
function message.lists(field, word)
  return field ~= nil and ("," .. field:lower():gsub("[ \t]", "") .. ","):find("," .. word .. ",", 1, true) ~= nil
end

-- Whether the connection is kept after a message; old: it is HTTP/1.0.
function message.keeps(headers, old)
  local connection = headers.connection
  if not connection then return not old end
  return (not old or message.lists(connection, "keep-alive")) and not message.lists(connection, "close")
end

return message
