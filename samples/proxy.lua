-- A TCP proxy: whoever connects to it is connected to another server, and what either side sends
-- goes to the other.
-- Usage: lua proxy.lua port host port        port 0: one that is free
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local own, host, port = arg[1], arg[2], arg[3]
if not port then
  io.stderr:write("usage: proxy.lua port host port\n")
  os.exit(1)
end

-- Passes on what one side sends, and then that it has ended.
local function pump(from, to)
  repeat
    local data = from:readsome()
  until not data or not to:write(data)
  to:shutdown("w")
end

local function relay(client, address, from)
  local server, message = loop.deadline(10, loop.connect, host, port)
  if not server then
    print(("%s port %d: cannot reach %s: %s"):format(address, from, host, message))
    return
  end
  print(("%s port %d: connected"):format(address, from))
  local back = loop.spawn(pump, server, client)
  pump(client, server)
  back:join()
  server:close()
end

loop.run(function()
  local server, message = loop.serve("127.0.0.1", own, relay, { limit = 1000 })
  if not server then
    io.stderr:write("proxy: ", message, "\n")
    os.exit(1)
  end
  local here = server:info("socket")
  print(("listening on %s port %d"):format(here.addr, here.port))
end)
