-- A server and a client of it in one loop: prints what comes back. accept may be made to fail.
local loop = require "lsocket.loop"

loop.run(function()
  local server = assert(loop.serve("127.0.0.1", 0, function(client)
    client:write(client:read "L")
  end))
  local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
  assert(client:write "hello\n")
  print(client:read())
  client:close()
  server:close()
end)
