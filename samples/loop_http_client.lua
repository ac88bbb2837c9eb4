-- Fetches pages of a web server over one connection, on lsocket.loop: one task sends the requests,
-- another reads the answers. The bodies go to standard output, the status lines to standard error.
-- Usage: lua loop_http_client.lua [-u] http://host[:port][/path] [/path...]
-- -u: sends what standard input has to each page, in chunks; an IPv6 address stands in brackets
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local http = require "loop_http"
local body = require "loop_http_body"
local loop = require "lsocket.loop"

local PATIENCE = 10 -- seconds to wait for anything at all
local problems = { [400] = "it breaks off, or is no HTTP", [408] = "nothing comes any more" }

local function fail(message)
  io.stderr:write("loop_http_client: ", message, "\n")
  os.exit(1)
end

local upload = arg[1] == "-u" and table.remove(arg, 1) and io.read("*a")
local url = (arg[1] or ""):gsub("#.*", "")
local authority, path = url:match("^[hH][tT][tT][pP]://([^/?%s]+)([^%c ]*)$")
local host, port = (authority or ""):match("^%[(.+)%]:?(%d*)$")
if not host then host, port = (authority or ""):match("^([^:]+):?(%d*)$") end
if not host then fail("usage: loop_http_client.lua [-u] http://host[:port][/path] [/path...]") end
local paths = { path:find("^/") and path or "/" .. path, (table.unpack or unpack)(arg, 2) }

-- A write that fails is no news: then the reading does, too.
local function send_requests(server)
  for i = 1, #paths do
    server:write(upload and "POST " or "GET ", paths[i], " HTTP/1.1\r\nHost: ", authority, "\r\n",
      upload and "Transfer-Encoding: chunked\r\n" or "",
      i == #paths and "Connection: close\r\n" or "", "\r\n")
    for first = 1, upload and #upload or 0, 65536 do
      server:write(body.chunk(upload:sub(first, first + 65535)))
    end
    if upload then server:write(body.chunk("")) end
  end
end

-- The status line, the status and the headers of an answer.
local function read_head(server)
  local text, status, at
  repeat -- 100 Continue and its like precede the real answer
    text = http.check(http.head(server))
    status, at = http.check(text:match("^HTTP/1%.%d (%d%d%d)" .. http.TEXT .. "()"))
  until status >= "200"
  return text:sub(1, at - 1), status, http.fields(text, at)
end

-- The next piece of a body that ends where the connection does.
local function read_rest(server)
  local piece, message = server:readsome()
  http.check(piece or not message)
  return piece
end

local function read_response(server)
  local line, status, headers = loop.deadline(PATIENCE, read_head, server)
  io.stderr:write(line, "\n")
  local framing = http.framing(headers)
  if status == "204" or status == "304" then framing = 0 end
  local read = framing and body.pieces(server, framing) or read_rest
  repeat
    local piece = loop.deadline(PATIENCE, read, server)
    io.write(piece or "")
  until not piece
end

loop.run(function()
  local options = { max = http.MAX_HEADER }
  local server, message = loop.deadline(PATIENCE, loop.connect, host, tonumber(port) or 80, options)
  if not server then fail(message) end
  local sender = loop.spawn(send_requests, server)
  for _ = 1, #paths do
    local ok, problem = loop.pcall(read_response, server)
    if not ok then fail("the response: " .. (problems[problem] or problem)) end
  end
  sender:cancel() -- where the server has answered without reading it all
  server:close()
end)
