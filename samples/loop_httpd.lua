-- The server's side of HTTP/1.1 on lsocket.loop, for loop_http_server.lua: a task for each connection reads one request
-- after the other, also those that were sent before the last answer, and answers each in its turn.
-- handler(request) gives a status and a body: a string, or a function that gives piece after piece and then nil; its
-- length where that is known, else it goes out in chunks. It may wait, as any task.
local http = require "loop_http"
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

local httpd = {
  patience = 10,      -- seconds for a header, from the end of the last answer; and for taking each piece of an answer
  body_patience = 60, -- seconds for a body
  max_body = 1048576, -- bytes
  connections = 10000,
}

local REQUEST = "^(" .. http.TOKEN .. ") ([!-~]+) HTTP/(%d)%.(%d)$"
local reasons = {
  [200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed", [408] = "Request Timeout",
  [413] = "Content Too Large", [417] = "Expectation Failed", [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error", [501] = "Not Implemented", [505] = "HTTP Version Not Supported",
}

-- Sends the answer to the last request, and reads the next one without its body; nil alone where the client has gone,
-- does not take the answer, or has asked for nothing in all that time.
local function read_head(client, unsent)
  if unsent and not client:write(unsent) or not client:read(0) then return nil end
  local line, headers = http.head(client)
  if not line then return nil, headers end
  local method, target, major, minor = line:match(REQUEST)
  if not method then return nil, 400 end
  if major ~= "1" then return nil, 505 end
  local old, host = minor == "0", headers.host
  if host and host:find("[%s,]") or not host and not old then return nil, 400 end
  if old and headers["transfer-encoding"] then return nil, 400 end
  local keep = not old
  if headers.connection then
    local tokens = "," .. headers.connection:lower():gsub("[ \t]", "") .. ","
    keep = not tokens:find(",close,", 1, true) and (keep or tokens:find(",keep-alive,", 1, true))
  end
  return { method = method, target = target, headers = headers, old = old, keep = keep, body = "" }
end

local function read_body(client, request, framing)
  local expected = request.headers.expect
  if framing ~= "chunked" and framing > httpd.max_body then return nil, 413 end
  if expected and expected:lower() ~= "100-continue" then return nil, 417 end
  if expected and not request.old then client:write("HTTP/1.1 100 Continue\r\n\r\n") end
  local body, read = lsocket.buffer(), http.body(client, framing)
  local piece, status = read()
  while piece do
    body:append(piece)
    if #body > httpd.max_body then return nil, 413 end
    piece, status = read()
  end
  if status then return nil, status end
  return body:some() or ""
end

local function read_request(client, unsent)
  local request, status = loop.deadline(httpd.patience, read_head, client, unsent)
  if not request then return nil, status end
  local framing
  framing, status = http.framing(request.headers)
  if status then return nil, status end
  if framing then request.body, status = loop.deadline(httpd.body_patience, read_body, client, request, framing) end
  return request.body and request, status
end

local second, date -- the time, and as headers tell it
local function today()
  local now = os.time()
  if now ~= second then second, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
  return date
end

local function head_of(request, status, length)
  local framing = length and ("Content-Length: %.0f\r\n"):format(length)
    or not request.old and "Transfer-Encoding: chunked\r\n" or ""
  local connection = not request.keep and "Connection: close\r\n" or request.old and "Connection: keep-alive\r\n" or ""
  return "HTTP/1.1 " .. status .. " " .. (reasons[status] or "") .. "\r\nDate: " .. today()
    .. "\r\nContent-Type: text/plain\r\n" .. framing .. connection .. "\r\n"
end

local function write(client, ...)
  return loop.deadline(httpd.patience, client.write, client, ...)
end

-- Sends a body piece by piece, as it is or in chunks: true | nil
local function send_pieces(client, read, plain)
  local ok, piece = true, read()
  while ok and piece do
    if plain then ok = write(client, piece) else ok = write(client, http.chunk(piece)) end
    piece = ok and read()
  end
  return ok and (plain or write(client, http.chunk("")))
end

-- Answers, but for what is still to be sent, which is the result; nil: the client does not take it.
local function respond(client, request, status, body, length)
  body = body or reasons[status] .. "\n"
  if type(body) == "string" then length = #body end
  if not length and request.old then request.keep = false end -- the body ends where the connection does
  local head = head_of(request, status, length)
  if request.method == "HEAD" then return head end
  if type(body) == "string" then return head .. body end
  return write(client, head) and send_pieces(client, body, length or request.old) and ""
end

-- Sends the last answer. To close at once, while more of what the client has to say is on its way, could destroy it:
-- throw that away for a while.
local function finish(client, answer)
  if not write(client, answer) then return end
  client:shutdown("w")
  loop.deadline(2, function()
    local left = 16 * httpd.max_body
    while left > 0 do
      local data = client:readsome()
      left = data and left - #data or 0
    end
  end)
end

local function answer(handler, request)
  local ok, status, body, length = loop.pcall(handler, request)
  if ok then return status, body, length end
  io.stderr:write("httpd: ", tostring(status), "\n")
  return 500
end

local function converse(client, handler)
  local unsent
  while true do
    local request, status = read_request(client, unsent)
    if not request then return status and finish(client, respond(client, {}, status)) end
    unsent = respond(client, request, answer(handler, request))
    if not unsent or not request.keep then return unsent and finish(client, unsent) end
  end
end

-- httpd.serve(address, port, handler) -> server | nil, message, name
function httpd.serve(address, port, handler)
  return loop.serve(address, port, function(client) return converse(client, handler) end,
    { limit = httpd.connections, max = http.MAX_HEADER })
end

return httpd
