-- An echo server: sends back what its clients send, to all of them at the same time.
-- Usage: lua echo.lua [port [seconds]]       port 0: one that is free
-- seconds: a client that is silent so long is let go
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local port, patience = arg[1] or 16004, tonumber(arg[2] or 60)

local function echo(client)
  repeat
    local data = loop.deadline(patience, client.readsome, client)
  until not data or not loop.deadline(patience, client.write, client, data)
end

loop.run(function()
  local server, message = loop.serve("127.0.0.1", port, echo, { limit = 1000 })
  if not server then
    io.stderr:write("echo: ", message, "\n")
    os.exit(1)
  end
  print(("listening on 127.0.0.1 port %d"):format(server:info("socket").port))
end)
