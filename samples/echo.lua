-- An echo server: sends back what its clients send, to all of them at the same time.
-- Usage: lua samples/echo.lua [port [seconds]]       port 16004; 0: one that is free
-- seconds: a client that is silent so long is let go
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local port, patience = arg[1] or 16004, tonumber(arg[2] or 60)

local function fail(message)
  io.stderr:write("echo: ", message, "\n")
  os.exit(1)
end

local function echo(client)
  repeat
    local data = loop.deadline(patience, client.readsome, client)
  until not data or not loop.deadline(patience, client.write, client, data)
end

loop.run(function()
  local ok, server, message = loop.pcall(loop.serve, "127.0.0.1", port, echo, { limit = 1000 })
  if not ok or not patience then fail("usage: echo.lua [port [seconds]]") end -- serve raises where the port is none
  if not server then fail(("port %s: %s"):format(port, message)) end
  print(("listening on 127.0.0.1 port %d"):format(server:info("socket").port))
end)
