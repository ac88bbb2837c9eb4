-- A web server on lsocket.loop: / says hello, /echo gives back what is sent to it, /bytes/N is N
-- bytes long, and /chunks/N too, but comes in chunks.
-- Usage: lua loop_http_server.lua [port [seconds]]        port 0: one that is free; default: 16080
-- seconds: how long a client may take for a header, for a body, and for taking an answer
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local answer = require "loop_http_answer"
local httpd = require "loop_httpd"
local reader = require "loop_http_request"
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local seconds = tonumber(arg[2])
if seconds then
  reader.patience, reader.body_patience, answer.patience = seconds, seconds, seconds
end

local BLOCK = ("0123456789abcdef"):rep(4096)

-- A body of so many bytes, of which never more than a block is in memory.
local function bytes(count)
  return function()
    local size = math.min(count, #BLOCK)
    count = count - size
    return size == #BLOCK and BLOCK or size > 0 and BLOCK:sub(1, size) or nil
  end
end

local pages = {} -- name -> function(request, number) -> status, body, length

function pages.hello()
  return 200, "Hello, world!\n"
end

function pages.echo(request)
  return 200, request.body
end

function pages.bytes(_, count)
  return 200, bytes(count), count
end

function pages.chunks(_, count)
  return 200, bytes(count)
end

local methods = { hello = "GET", bytes = "GET", chunks = "GET", echo = "POST" }

local function handle(request)
  local name, number = request.target:match("^/(%l*)/?(%d*)$")
  if name == "" then name = "hello" end
  if not pages[name] then return 404 end
  if methods[name] ~= (request.method == "HEAD" and "GET" or request.method) then return 405 end
  return pages[name](request, tonumber(number) or 0)
end

loop.run(function()
  local server, message = httpd.serve("127.0.0.1", arg[1] or 16080, handle)
  if not server then
    io.stderr:write("loop_http_server: ", message, "\n")
    os.exit(1)
  end
  local here = server:info("socket")
  print(("Listening on %s port %d"):format(here.addr, here.port))
end)
