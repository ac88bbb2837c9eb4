-- Fetches pages of a web server over one connection, on lsocket.loop: one task sends the requests, while another one
-- reads the answers. The bodies go to standard output, the status lines to standard error.
-- Usage: lua loop_http_client.lua [-u] http://host[:port][/path] [/path...]
-- -u: sends what standard input has to each page, in chunks; an IPv6 address stands in brackets: http://[::1]/
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local http = require "loop_http"
local body = require "loop_http_body"
local loop = require "lsocket.loop"

local PATIENCE = 10 -- seconds to wait for anything at all

local function fail(...)
  io.stderr:write("loop_http_client: ", ...)
  io.stderr:write("\n")
  os.exit(1)
end

local upload = arg[1] == "-u" and table.remove(arg, 1) and io.read("*a")
local authority, path = (arg[1] or ""):gsub("#.*", ""):match("^[hH][tT][tT][pP]://([^/?%s]+)([^%c ]*)$")
local host, port = (authority or ""):match("^%[(.+)%]:?(%d*)$")
if not host then host, port = (authority or ""):match("^([^:]+):?(%d*)$") end
if not host then fail("usage: loop_http_client.lua [-u] http://host[:port][/path] [/path...]") end
local paths = { path:find("^/") and path or "/" .. path, (table.unpack or unpack)(arg, 2) }

local function write(server, ...)
  local ok, message = loop.deadline(PATIENCE, server.write, server, ...)
  if not ok then fail(message) end
end

local function send_requests(server)
  for i = 1, #paths do
    write(server, upload and "POST " or "GET ", paths[i], " HTTP/1.1\r\nHost: ", authority, "\r\n",
      upload and "Transfer-Encoding: chunked\r\n" or "", i == #paths and "Connection: close\r\n" or "", "\r\n")
    for first = 1, upload and #upload or 0, 65536 do
      write(server, body.chunk(upload:sub(first, first + 65535)))
    end
    if upload then write(server, body.chunk("")) end
  end
end

-- The status line, the status and the headers of an answer; the bodies of others than the last must say how they end.
local function read_head(server)
  local line, status, headers
  repeat -- 100 Continue and its like precede the real answer
    line, headers = http.head(server)
    if not line then fail("the response breaks off, or is no HTTP") end
    status = tonumber(line:match("^HTTP/1%.%d (%d%d%d)") or fail("no HTTP: ", line:sub(1, 60)))
  until status >= 200
  return line, status, headers
end

local function read_response(server)
  local line, status, headers = loop.deadline(PATIENCE, read_head, server)
  io.stderr:write(line, "\n")
  local framing, problem = http.framing(headers)
  if problem then fail("malformed length") end
  if status == 204 or status == 304 then framing = 0 end
  local read = framing and body.pieces(server, framing) or function() return server:readsome() end
  local piece
  repeat
    piece, problem = loop.deadline(PATIENCE, read)
    if problem then fail("the response breaks off") end
    io.write(piece or "")
  until not piece
end

loop.run(function()
  local server, message = loop.deadline(PATIENCE, loop.connect, host, port ~= "" and port or 80,
    { max = http.MAX_HEADER })
  if not server then fail(message) end
  local sender = loop.spawn(send_requests, server)
  for _ = 1, #paths do read_response(server) end
  sender:cancel() -- where the server has answered without reading it all
  server:close()
end)
