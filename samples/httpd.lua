-- A web server: / says hello, /echo gives back what is sent to it, /bytes/N is N bytes long, and /chunks/N too, but
-- comes in chunks; below /files/ are the files of a directory.
-- Usage: lua samples/httpd.lua [-t file] [6] [port [seconds [directory]]]
-- -t: with TLS; the file has the server's certificate and key; 6: IPv6; port 0: one that is free; default: 16080
-- seconds: how long a client may take for a header, for a body, and for taking an answer
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local files = require "http.files"
local loop = require "lsocket.loop"
local server = require "http.server"

io.stdout:setvbuf("line")
local context
if arg[1] == "-t" and arg[2] then
  context = assert(require("lsocket.tls").server { certfile = table.remove(arg, 2) })
  table.remove(arg, 1)
end
local address = arg[1] == "6" and table.remove(arg, 1) and "::1" or "127.0.0.1"
local port, seconds, root = arg[1] or 16080, tonumber(arg[2] or 10), arg[3]

local BLOCK = ("0123456789abcdef"):rep(4096)

-- A body of so many bytes, of which never more than a block is in memory.
local function bytes(count)
  return function()
    local size = math.min(count, #BLOCK)
    count = count - size
    return size == #BLOCK and BLOCK or size > 0 and BLOCK:sub(1, size) or nil
  end
end

local pages = {} -- name -> function(request, rest of the path) -> status, body, fields

function pages.hello()
  return 200, "Hello, world!\n"
end

function pages.echo(request)
  return 200, request.body
end

function pages.bytes(_, count)
  if not count:find("^%d+$") or #count > 15 then return 404 end
  return 200, bytes(tonumber(count)), { ["Content-Length"] = count }
end

function pages.chunks(_, count)
  if not count:find("^%d+$") or #count > 15 then return 404 end
  return 200, bytes(tonumber(count))
end

function pages.files(_, path)
  if not root then return 404 end
  return files.get(root, path)
end

local methods = { hello = "GET", bytes = "GET", chunks = "GET", echo = "POST", files = "GET" }

local function handle(request)
  local name, rest = request.path:match("^/(%l*)/?(.*)$")
  if name == "" and rest == "" then name = "hello" end
  if not pages[name] then return 404 end
  if methods[name] ~= (request.method == "HEAD" and "GET" or request.method) then
    return 405, nil, { Allow = methods[name] }
  end
  return pages[name](request, rest)
end

loop.run(function()
  local limits = { patience = seconds, body_patience = arg[2] and seconds, tls = context }
  local ok, here, message = loop.pcall(server.serve, address, port, handle, limits) -- raises where it is no port
  if not ok or not here or not seconds then
    local usage = "usage: httpd.lua [-t file] [6] [port [seconds [directory]]]"
    io.stderr:write("httpd: ", ok and seconds and ("port %s: %s"):format(port, message) or usage, "\n")
    os.exit(1)
  end
  print(("listening on %s port %d"):format(address, here:info("socket").port))
end)
