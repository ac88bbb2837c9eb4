-- A WebSocket echo server, RFC 6455: what a client says is said back. / is a page for a browser that tries it.
-- Usage: lua samples/websocket.lua [port [seconds]]    port 0: a free one; then http://127.0.0.1:16011/ in a browser
-- seconds: a client from which nothing comes for so long is asked whether it is still there
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local channel = require "websocket.channel"
local handshake = require "websocket.handshake"
local loop = require "lsocket.loop"
local server = require "http.server"

io.stdout:setvbuf("line")
local port, seconds = arg[1] or 16011, tonumber(arg[2] or 30)

local PAGE = [[
<!doctype html><meta charset="utf-8"><title>echo</title><h1>Echo</h1><form><input autofocus></form><pre></pre>
<script>
  const said = document.querySelector("pre"), socket = new WebSocket(location.href.replace("http", "ws") + "echo")
  const show = text => said.append(text + "\n")
  socket.onopen = () => { show("open"); socket.send("h\u00e9llo, \u4e16\u754c") }
  socket.onmessage = event => show("echo: " + event.data)
  socket.onclose = event => show("closed: " + event.code)
  document.querySelector("form").onsubmit = event => {
    event.preventDefault()
    socket.send(event.target[0].value)
    event.target.reset()
  }
</script>
]]

local function echo(client)
  local echoing = channel.new(client, { max = 16777216, patience = seconds })
  local data, kind = echoing:receive()
  while data and echoing:send(data, kind) do
    data, kind = echoing:receive()
  end
  echoing:close()
end

local function handle(request)
  if request.path == "/echo" then return handshake(request, echo) end
  if request.path == "/" then return 200, PAGE, { ["Content-Type"] = "text/html; charset=utf-8" } end
  return 404
end

loop.run(function()
  local ok, here, message = loop.pcall(server.serve, "127.0.0.1", port, handle, { connections = 1000 })
  if not ok or not here or not seconds then -- serve raises where the port is none
    local usage = "usage: websocket.lua [port [seconds]]"
    io.stderr:write("websocket: ", ok and seconds and ("port %s: %s"):format(port, message) or usage, "\n")
    os.exit(1)
  end
  print(("listening on 127.0.0.1 port %d"):format(here:info("socket").port))
end)
