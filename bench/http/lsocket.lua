-- A web server with lsocket.loop, for one page: reads a request's header, and answers it. Prints its port. It does what
-- copas.lua does, without limits and time-outs; samples/httpd.lua is one for the world.
local loop = require "lsocket.loop"
local page = require "bench.http.page"

local function read_headers(head)
   local headers = {}
   for name, value in head:gmatch "\n([^:\r\n]+):[ \t]*([^\r\n]-)[ \t]*\r" do headers[name:lower()] = value end
   return headers
end

local function answer(client)
   while true do
      local head = client:readuntil("\r\n\r\n", nil, true)
      if not head or not head:find "^%u+ %S+ HTTP/1%.1\r\n" then return end
      client:write(page.answer())
      if read_headers(head).connection == "close" then return end
   end
end

loop.run(function()
   print(assert(loop.serve("127.0.0.1", 0, answer)):info("socket").port)
   io.stdout:flush()
end)
