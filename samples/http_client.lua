-- Fetches a page by HTTP: its body goes to standard output, the status line to standard error.
-- Usage: lua http_client.lua http://host[:port][/path]        an IPv6 address stands in brackets: http://[::1]/
local lsocket = require "lsocket"

local PATIENCE = 10 -- seconds to wait for anything at all

local function fail(message)
  io.stderr:write("http_client: ", message, "\n")
  os.exit(1)
end

local function connect(address, port)
  local sock, message = lsocket.connect(address, port)
  if not sock then return nil, message end
  if not lsocket.select(nil, { sock }, PATIENCE) then return nil, "no answer" end
  local ok, problem = sock:status() -- how connecting ended
  return ok and sock, problem
end

-- A name may have several addresses, and not all of them need to answer: take the first that does.
local function connect_any(host, port)
  local records, problem = lsocket.resolve(host)
  for _, record in ipairs(records or {}) do
    local sock, message = connect(record.addr, port)
    if sock then return sock end
    problem = record.addr .. ": " .. message
  end
  fail(problem)
end

local url = (arg[1] or ""):gsub("#.*", "")
local authority, path = url:match("^[hH][tT][tT][pP]://([^/?]+)([^%c ]*)$")
local host, port = (authority or ""):match("^(%[.+%]):?(%d*)$")
if not host then host, port = (authority or ""):match("^([^:]+):?(%d*)$") end
if not host then fail("usage: http_client.lua http://host[:port][/path]") end
if not path:find("^/") then path = "/" .. path end
local sock = connect_any(host:gsub("%%25", "%%"), port ~= "" and port or 80) -- in URLs a zone is spelt %25eth0

local unsent = ("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"):format(path, authority)
repeat
  local _, writable = lsocket.select(nil, { sock }, PATIENCE)
  local count, message = (writable and sock or fail("the server reads nothing")):send(unsent)
  if count == nil then fail(message) end
  unsent = unsent:sub((count or 0) + 1)
until unsent == ""

local input = "" -- received and not used yet

-- Adds to the input; false at the end of the stream.
local function receive()
  if not lsocket.select({ sock }, PATIENCE) then fail("nothing came for " .. PATIENCE .. " seconds") end
  local data, message = sock:recv()
  if message then fail(message) end
  input = input .. (data or "")
  return data ~= nil
end

local function read_line()
  while not input:find("\n", 1, true) do
    if #input > 65536 or not receive() then fail("the response breaks off, or is no HTTP") end
  end
  local line, rest = input:match("^([^\n]-)\r?\n(.*)$")
  input = rest
  return line
end

local function read_headers()
  local headers = {}
  for line in read_line do
    if line == "" then return headers end
    local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
    if name then headers[name:lower()] = value end
  end
end

-- Copies count bytes to standard output; without a count, all until the end of the stream.
local function copy(count)
  while count ~= 0 do
    local piece = input:sub(1, count or -1)
    input = input:sub(#piece + 1)
    count = count and count - #piece
    io.write(piece)
    if count ~= 0 and input == "" and not receive() then return count and fail("the response breaks off") end
  end
end

local function copy_chunks()
  repeat
    local size = tonumber(read_line():match("^%x+") or fail("malformed chunk"), 16)
    copy(size)
    if size ~= 0 then read_line() end
  until size == 0
  read_headers() -- the trailer
end

local status, code, headers
repeat -- 100 Continue and its like precede the real answer
  status = read_line()
  code = tonumber(status:match("^HTTP/1%.%d (%d%d%d)") or fail("no HTTP: " .. status:sub(1, 60)))
  headers = read_headers()
until code >= 200
io.stderr:write(status, "\n")
local length = headers["content-length"]
if code == 204 or code == 304 then copy(0)
elseif headers["transfer-encoding"] then copy_chunks()
elseif length then copy(tonumber(length:match("^%d+$") or fail("malformed length")))
else copy() end
