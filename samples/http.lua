-- A small HTTP/1.1 server to build on: a coroutine for each connection, one select for all of them.
-- Usage: local http = require "http"; http.serve{ handler = function(request) return 200, {}, "hello" end }
local lsocket = require "lsocket"

-- http.serve(options) never returns. http.listen(options) -> server | nil, message, name, and server:step([seconds])
-- handles what is ready or gets ready in that time (at most a second). Options: those below, on_listen(address, port),
-- and handler(request) -> status [, headers [, body]], where request has method, target, path (decoded), query,
-- version, headers (names in lower case), body and peer. A handler may answer HEAD like GET: the body is not sent.
local defaults = {
  address = "127.0.0.1", port = 8080,
  timeout = 30, -- seconds after which a connection on which nothing moves is closed
  max_header = 8192, max_body = 1048576, -- bytes
  max_connections = 500, -- more of them wait in the backlog
}

local reasons = {
  [200] = "OK", [201] = "Created", [204] = "No Content", [303] = "See Other", [400] = "Bad Request",
  [404] = "Not Found", [405] = "Method Not Allowed", [411] = "Length Required", [413] = "Content Too Large",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [505] = "HTTP Version Not Supported",
}

---- bytes: in the connection's coroutine, which sleeps until its socket is ready ----

local GONE = {} -- raised to end the coroutine when the peer has gone

-- Appends what comes to connection.input.
local function receive(connection)
  coroutine.yield("read")
  local data = connection.sock:recv()
  if data == nil then error(GONE) end
  connection.input = connection.input .. (data or "")
end

local function send(connection, data)
  local first = 1
  while first <= #data do
    local count = connection.sock:send(data, first)
    if count == nil then error(GONE) end
    first = first + (count or 0)
    if first <= #data then coroutine.yield("write") end
  end
end

-- Takes the first n bytes off the input; what follows them may be the next request.
local function take(connection, n)
  local data = connection.input:sub(1, n)
  connection.input = connection.input:sub(n + 1)
  return data
end

---- requests: each function answers what it read, or nil and the status to refuse it with ----

local function read_head(connection, limit)
  while true do
    connection.input = connection.input:gsub("^[\r\n]+", "") -- some clients end a body with an empty line
    local first, last = connection.input:find("\n\r?\n")
    if (last or #connection.input) > limit then return nil, 431 end
    if last then return take(connection, last):sub(1, first) end
    receive(connection)
  end
end

-- "/a%20b?c=d" -> "/a b", "c=d"; also "http://host/a%20b?c=d", the form for proxies
local function split_target(target)
  local path, query = target:gsub("^[hH][tT][tT][pP]://[^/?]*", ""):match("^([^?]*)%??(.*)$")
  if path == "" then path = "/" end
  if not path:find("^[/*]") or path:gsub("%%%x%x", ""):find("%%") then return nil end
  return path:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end), query
end

local TOKEN = "[%w!#$%%&'*+.^_`|~-]+"

local function parse_headers(lines)
  local headers = {}
  for line in lines do
    local name, value = line:match("^(" .. TOKEN .. "):[ \t]*(.*)$")
    if not name or value:gsub("\t", ""):find("%c") then return nil end
    name, value = name:lower(), value:match("^.*[^ \t]") or ""
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers
end

local function parse_head(head)
  local lines = head:gmatch("(.-)\r?\n")
  local method, target, major, minor = lines():match("^(" .. TOKEN .. ") ([!-~]+) HTTP/(%d)%.(%d)$")
  if not method then return nil, 400 end
  if major ~= "1" then return nil, 505 end
  local path, query = split_target(target)
  local headers = parse_headers(lines)
  if not path or not headers then return nil, 400 end
  if headers.host and headers.host:find("[%s,]") or not headers.host and minor ~= "0" then return nil, 400 end
  return { method = method, target = target, path = path, query = query, version = "1." .. minor, headers = headers }
end

-- Bodies have a Content-Length here. Two of them, or one beside a Transfer-Encoding, may hide a second request.
local function read_body(connection, headers, limit)
  local length = headers["content-length"]
  if headers["transfer-encoding"] then return nil, length and 400 or 411 end
  if length and not length:find("^%d+$") then return nil, 400 end
  length = tonumber(length or 0)
  if length > limit then return nil, 413 end
  if #connection.input < length and (headers.expect or ""):lower() == "100-continue" then
    send(connection, "HTTP/1.1 100 Continue\r\n\r\n")
  end
  while #connection.input < length do receive(connection) end
  return take(connection, length)
end

local function read_request(server, connection)
  local head, request, status
  head, status = read_head(connection, server.max_header)
  if head then request, status = parse_head(head) end
  if not request then return nil, status end
  request.peer = connection.peer
  request.body, status = read_body(connection, request.headers, server.max_body)
  return request.body and request, status
end

---- responses ----

local function keeps_alive(request)
  local tokens = "," .. (request.headers.connection or ""):lower():gsub("[ \t]", "") .. ","
  if request.version == "1.0" then return tokens:find(",keep-alive,", 1, true) end
  return not tokens:find(",close,", 1, true)
end

local function respond(connection, method, keep, status, headers, body)
  local title = ("%d %s"):format(status, reasons[status] or "")
  body = tostring(body or title .. "\n")
  local fields = { ["content-type"] = "text/plain; charset=utf-8", date = os.date("!%a, %d %b %Y %H:%M:%S GMT") }
  for name, value in pairs(headers or {}) do fields[name:lower()] = tostring(value):gsub("%c", " ") end
  fields.connection = keep and "keep-alive" or "close"
  fields["content-length"] = status ~= 204 and status ~= 304 and #body or nil
  local lines = { "HTTP/1.1 " .. title }
  for name, value in pairs(fields) do lines[#lines + 1] = name .. ": " .. value end
  local has_body = fields["content-length"] and method ~= "HEAD"
  send(connection, table.concat(lines, "\r\n") .. "\r\n\r\n" .. (has_body and body or ""))
end

-- Where more of the request is on its way, closing at once could destroy the answer: throw some of it away first.
local function refuse(connection, status)
  respond(connection, nil, false, status)
  connection.timeout = 1
  for _ = 1, 1000 do
    connection.input = ""
    receive(connection)
  end
end

local function call(handler, request)
  local ok, status, headers, body = pcall(handler, request)
  if ok and type(status) == "number" then return status, headers, body end
  io.stderr:write("http: ", ok and "the handler gave no status" or tostring(status), "\n")
  return 500
end

local function converse(server, connection)
  local keep
  repeat
    local request, status = read_request(server, connection)
    if not request then return refuse(connection, status) end
    keep = keeps_alive(request)
    respond(connection, request.method, keep, call(server.handler, request))
  until not keep
end

---- the server ----

local http, Server = {}, {}
Server.__index = Server

local function drop(server, connection)
  server.connections[connection.sock] = nil
  connection.sock:close()
end

local function resume(server, connection)
  connection.moved = os.time()
  local ok, result = coroutine.resume(connection.thread, server, connection)
  connection.waits_for = result
  if coroutine.status(connection.thread) == "dead" then drop(server, connection) end
  if not ok and result ~= GONE then io.stderr:write("http: ", tostring(result), "\n") end
end

-- Takes one connection in; false where none waits any more.
local function welcome(server)
  local sock, peer = server.listener:accept()
  if sock then
    local thread = coroutine.create(converse)
    server.connections[sock] = { sock = sock, peer = peer, thread = thread, input = "", timeout = server.timeout }
    resume(server, server.connections[sock])
  elseif sock == nil then
    io.stderr:write("http: cannot accept: ", peer, "\n")
    lsocket.select(0.1) -- out of descriptors, perhaps, and the client still waits: do not spin
  end
  return sock
end

function Server:step(seconds)
  local reads, writes = {}, {}
  for sock, connection in pairs(self.connections) do
    local list = connection.waits_for == "write" and writes or reads
    if os.time() - connection.moved > connection.timeout then drop(self, connection) else list[#list + 1] = sock end
  end
  if #reads + #writes < self.max_connections then reads[#reads + 1] = self.listener end
  local readable, writable = lsocket.select(reads, writes, math.min(seconds or 1, 1))
  assert(readable ~= nil, writable)
  for _, sock in ipairs(writable or {}) do resume(self, self.connections[sock]) end
  for _, sock in ipairs(readable or {}) do
    if self.connections[sock] then resume(self, self.connections[sock]) else while welcome(self) do end end
  end
end

function http.listen(options)
  local server = setmetatable({ connections = {} }, Server)
  for name, value in pairs(defaults) do server[name] = value end
  for name, value in pairs(options) do server[name] = value end
  local listener, message, symbol = lsocket.bind(server.address, server.port, 128)
  if not listener then return nil, message, symbol end
  server.listener = listener
  if server.on_listen then server.on_listen(server.address, listener:info("socket").port) end
  return server
end

function http.serve(options)
  local server = assert(http.listen(options))
  while true do server:step() end
end

return http
