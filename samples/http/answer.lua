-- The answers of an HTTP/1.1 server on lsocket.loop; see server.lua.
local body = require "http.body"

local answer = {}

local titles = {
  [101] = "101 Switching Protocols", [200] = "200 OK", [201] = "201 Created", [204] = "204 No Content",
  [301] = "301 Moved Permanently", [302] = "302 Found", [303] = "303 See Other", [304] = "304 Not Modified",
  [307] = "307 Temporary Redirect", [308] = "308 Permanent Redirect", [400] = "400 Bad Request",
  [404] = "404 Not Found", [405] = "405 Method Not Allowed", [408] = "408 Request Timeout",
  [413] = "413 Content Too Large", [417] = "417 Expectation Failed", [426] = "426 Upgrade Required",
  [431] = "431 Request Header Fields Too Large", [500] = "500 Internal Server Error", [501] = "501 Not Implemented",
  [503] = "503 Service Unavailable", [505] = "505 HTTP Version Not Supported",
}

local second, date -- the time, and as headers tell it
local function today()
  local now = os.time()
  if now ~= second then second, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
  return date
end

-- The fields that a handler gives. No value gets out of its line.
local function own(fields, status)
  local lines, typed = {}, status < 200
  for name, value in pairs(fields) do
    typed = typed or name == "Content-Type"
    if name ~= "Content-Length" then table.insert(lines, name .. ": " .. tostring(value):gsub("%c", " ") .. "\r\n") end
  end
  return (typed and "" or "Content-Type: text/plain\r\n") .. table.concat(lines)
end

-- The head of an answer, and what goes out with it. length: a number, "chunked", or nil where nothing is to be said.
local function message(request, status, fields, length, content)
  local framing = length == "chunked" and "Transfer-Encoding: chunked\r\n"
    or length and "Content-Length: " .. length .. "\r\n" or ""
  local connection = status == 101 and "Connection: Upgrade\r\n" or not request.keep and "Connection: close\r\n"
    or request.old and "Connection: keep-alive\r\n" or ""
  return "HTTP/1.1 " .. (titles[status] or status .. " ") .. "\r\nDate: " .. today() .. "\r\n"
    .. (fields and own(fields, status) or "Content-Type: text/plain\r\n") .. framing .. connection .. "\r\n" .. content
end

-- Sends a body piece by piece, as it is or in chunks: true | nil
local function write_pieces(client, read, chunked)
  local ok, piece = true, read()
  while ok and piece do
    if chunked then ok = client:write(body.chunk(piece)) else ok = client:write(piece) end
    piece = ok and read()
  end
  return ok and (not chunked or client:write(body.chunk("")))
end

-- Sends what is no string: true | nil, also where a file has become shorter
local function write_content(client, content, length)
  if io.type(content) ~= "file" then return write_pieces(client, content, length == "chunked") end
  return client:sendfile(content, 0, length) == length or nil
end

-- Answers: true; nil: the client does not take it. content, fields: what the handler gave.
function answer.send(client, request, status, content, fields)
  local bodyless = status < 200 or status == 204 or status == 304
  content = bodyless and "" or content or (titles[status] or ""):sub(5) .. "\n"
  local whole, silent = type(content) == "string", bodyless or request.method == "HEAD"
  local length = whole and #content or fields and fields["Content-Length"]
  if not length and request.old then request.keep = false end -- it ends where the connection does
  if bodyless then length = nil elseif not length and not request.old then length = "chunked" end
  local ok = client:write(message(request, status, fields, length, whole and not silent and content or ""))
  if ok and not whole and not silent then ok = write_content(client, content, length) end
  if io.type(content) == "file" then content:close() end
  return ok
end

return answer
