-- The answers of an HTTP/1.1 server on lsocket.loop; see loop_httpd.lua.
local body = require "loop_http_body"
local loop = require "lsocket.loop"

local answer = {
  patience = 10, -- seconds for taking each piece of it
}

local LEFT, LINGER = 16777216, 2 -- bytes and seconds of what comes after the last answer
local reasons = {
  [200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [413] = "Content Too Large", [417] = "Expectation Failed",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error",
  [501] = "Not Implemented", [505] = "HTTP Version Not Supported",
}

local second, date -- the time, and as headers tell it
local function today()
  local now = os.time()
  if now ~= second then second, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
  return date
end

-- The head of an answer, and what goes out with it.
local function message(request, status, length, content)
  local framing = length and "Content-Length: " .. length .. "\r\n"
    or not request.old and "Transfer-Encoding: chunked\r\n" or ""
  local connection = not request.keep and "Connection: close\r\n"
    or request.old and "Connection: keep-alive\r\n" or ""
  return "HTTP/1.1 " .. status .. " " .. (reasons[status] or "") .. "\r\nDate: " .. today()
    .. "\r\nContent-Type: text/plain\r\n" .. framing .. connection .. "\r\n" .. content
end

local function write(client, ...)
  return loop.deadline(answer.patience, client.write, client, ...)
end

-- Sends a body piece by piece, as it is or in chunks: true | nil
local function write_pieces(client, read, plain)
  local ok, piece = true, read()
  while ok and piece do
    if plain then ok = write(client, piece) else ok = write(client, body.chunk(piece)) end
    piece = ok and read()
  end
  return ok and (plain or write(client, body.chunk("")))
end

-- Answers: true; nil: the client does not take it. content: what the handler gave as the body.
function answer.send(client, request, status, content, length)
  content = content or (reasons[status] or "") .. "\n"
  local whole = type(content) == "string"
  if whole then length = #content end
  if not length and request.old then request.keep = false end -- it ends where the connection does
  local with_head = whole and request.method ~= "HEAD" and content or ""
  local ok = write(client, message(request, status, length, with_head))
  if whole or request.method == "HEAD" then return ok end
  return ok and write_pieces(client, content, length or request.old)
end

-- Ends a connection. To close at once, while more of what the client has to say is on its way,
-- could destroy the last answer: throw that away for a while.
function answer.finish(client)
  client:shutdown("w")
  loop.deadline(LINGER, function()
    local left = LEFT
    while left > 0 do
      local data = client:readsome()
      left = data and left - #data or 0
    end
  end)
end

return answer
