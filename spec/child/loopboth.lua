-- Listens at both addresses of localhost, on a port that the system chooses: prints how many there are. bind may be
-- made to fail.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"

loop.run(function()
  local server, message, name = loop.listen("localhost", 0)
  if not server then return print(message, name) end
  local port, count = server:info("socket").port, 0
  for _, address in ipairs { "127.0.0.1", "::1" } do
    local client = assert(lsocket.connect(address, port))
    loop.wait(client, "w")
    if client:status() then count = count + 1 end
  end
  print(count)
end)
