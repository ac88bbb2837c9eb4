-- A server that ends on TERM or INT: serveterm.lua GRACE SECONDS. It prints its port, and how it has ended. A handler
-- answers its client's line after so many seconds; a client that says "stay" is never answered.
local loop = require "lsocket.loop"

local grace, seconds = tonumber(arg[1]), tonumber(arg[2])

local function handle(client)
  local line = client:read()
  if not line then return end
  client:write "begun\n"
  loop.sleep(line == "stay" and 3600 or seconds)
  client:write("answer to ", line, "\n")
end

loop.run(function()
  local signals = assert(loop.signals("TERM", "INT"))
  local server = assert(loop.serve("127.0.0.1", 0, handle))
  print(server:info("socket").port)
  io.stdout:flush()
  local name = signals:wait()
  print(name, server:close(grace))
  signals:close()
end)
