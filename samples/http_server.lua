-- A web server: a few pages, /echo (give it something with POST), and the files of a directory below /files/.
-- Usage: lua http_server.lua [6] [port [directory]]        6: IPv6; port 0: one that is free; without a port: 16080
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local http = require "http"

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port, root = arg[1] or 16080, arg[2]
local HTML = { ["Content-Type"] = "text/html; charset=utf-8" }
local pages = {} -- "METHOD path" -> function(request) -> status, headers, body

local INDEX = [[
<!doctype html><title>lsocket</title><h1>It works</h1>
<p>You are %s. There are <a href="/time">the time</a>, <a href="/files/">files</a> and /echo for POST.</p>
]]

pages["GET /"] = function(request)
  return 200, HTML, INDEX:format(request.peer)
end

pages["GET /time"] = function()
  return 200, {}, os.date("%Y-%m-%d %H:%M:%S\n")
end

pages["POST /echo"] = function(request)
  return 200, {}, request.body
end

local types = { html = HTML["Content-Type"], css = "text/css", js = "text/javascript", png = "image/png",
  jpg = "image/jpeg", svg = "image/svg+xml", txt = "text/plain; charset=utf-8", lua = "text/plain; charset=utf-8" }

-- No part of the path may begin with a dot, so nobody gets out by "..", and hidden files stay hidden. Symbolic links
-- are followed: leave none in the directory that lead out of it.
local function send_file(path)
  if ("/" .. path):find("/%.") or path:find("[%c\\]") then return 404 end
  if path == "" or path:find("/$") then path = path .. "index.html" end
  local file = io.open(root .. "/" .. path, "rb")
  local body = file and file:read("*a") -- nil where it is a directory
  if file then file:close() end
  if not body then return 404 end
  return 200, { ["Content-Type"] = types[path:match("%.(%w+)$")] or "application/octet-stream" }, body
end

local function handle(request)
  local method = request.method == "HEAD" and "GET" or request.method
  local page = pages[method .. " " .. request.path]
  if page then return page(request) end
  local path = root and request.path:match("^/files/(.*)$")
  if path and method == "GET" then return send_file(path) end
  local allowed = path and "GET, HEAD" or pages["GET " .. request.path] and "GET, HEAD"
    or pages["POST " .. request.path] and "POST"
  if allowed then return 405, { Allow = allowed } end
  return 404
end

http.serve{
  address = address, port = port,
  on_listen = function(_, number) print(("listening on %s port %d"):format(address, number)) end,
  handler = function(request)
    local status, headers, body = handle(request)
    print(request.peer, request.method, request.target, status)
    return status, headers, body
  end,
}
