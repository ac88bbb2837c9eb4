-- The server's side of HTTP/1.1 on lsocket.loop, for loop_http_server.lua: a task for each connection reads one request
-- after the other, also those that were sent before the last answer, and answers each in its turn.
-- handler(request) gives a status and a body: a string, or a function that gives piece after piece and then nil; its
-- length where that is known, else it goes out in chunks. It may wait, as any task.
local http = require "loop_http"
local answer = require "loop_http_answer"
local body = require "loop_http_body"
local loop = require "lsocket.loop"

local httpd = {
  patience = 10,      -- seconds for a header, from the end of the last answer
  body_patience = 60, -- seconds for a body
  max_body = 1048576, -- bytes
  connections = 10000,
}

local REQUEST = "^(" .. http.TOKEN .. ") ([!-~]+) HTTP/(%d)%.(%d)$"

-- A request without its body; nil alone where the client has gone, or has asked for nothing in all that time.
local function read_head(client)
  if not client:read(0) then return nil end
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
  return body.whole(client, framing, httpd.max_body)
end

local function read_request(client)
  local request, status = loop.deadline(httpd.patience, read_head, client)
  if not request then return nil, status end
  local framing
  framing, status = http.framing(request.headers)
  if status then return nil, status end
  if framing then request.body, status = loop.deadline(httpd.body_patience, read_body, client, request, framing) end
  return request.body and request, status
end

local function handle(handler, request)
  local ok, status, content, length = loop.pcall(handler, request)
  if ok then return status, content, length end
  io.stderr:write("httpd: ", tostring(status), "\n")
  return 500
end

local function converse(client, handler)
  local ok, request, status
  repeat
    request, status = read_request(client)
    if request then
      ok = answer.send(client, request, handle(handler, request))
    else
      ok = status and answer.send(client, {}, status)
    end
  until not ok or not request or not request.keep
  if ok then answer.finish(client) end
end

-- httpd.serve(address, port, handler) -> server | nil, message, name
function httpd.serve(address, port, handler)
  return loop.serve(address, port, function(client) return converse(client, handler) end,
    { limit = httpd.connections, max = http.MAX_HEADER })
end

return httpd
