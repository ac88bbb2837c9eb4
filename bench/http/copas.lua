-- A web server with copas, for one page: reads a request's header, and answers it. Prints its port. It is a minimal
-- one: without limits, without time-outs.
local copas = require "copas"
local page = require "bench.http.page"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 4096))
print((select(2, server:getsockname())))
io.stdout:flush()

local function read_headers(sock)
   local headers = {}
   while true do
      local line = copas.receive(sock, "*l")
      if not line then return nil end
      if line == "" then return headers end
      local name, value = line:match "^([^:]+):%s*(.-)%s*$"
      if name then headers[name:lower()] = value end
   end
end

copas.addserver(server, function(sock)
   while true do
      local line = copas.receive(sock, "*l")
      local headers = line and line:find "^%u+ %S+ HTTP/1%.1$" and read_headers(sock)
      if not headers then break end
      copas.send(sock, page.answer())
      if headers.connection == "close" then break end
   end
   sock:close()
end)
copas.loop()
