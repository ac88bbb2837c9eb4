-- A web server with lsocket.loop, for one page: reads a request's header, and answers it. Prints its port. It does what
-- copas.lua does, without limits and time-outs; samples/httpd.lua is one for the world.
local loop = require "lsocket.loop"

local BODY = "Hello, world!\n"

local function read_headers(head)
   local headers = {}
   for name, value in head:gmatch "\n([^:\r\n]+):[ \t]*([^\r\n]-)[ \t]*\r" do headers[name:lower()] = value end
   return headers
end

local second, date
local function today()
   local now = os.time()
   if now ~= second then second, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
   return date
end

local function answer(client)
   while true do
      local head = client:readuntil("\r\n\r\n", nil, true)
      if not head or not head:find "^%u+ %S+ HTTP/1%.1\r\n" then return end
      client:write("HTTP/1.1 200 OK\r\nDate: " .. today() .. "\r\nContent-Type: text/plain\r\nContent-Length: "
         .. #BODY .. "\r\n\r\n" .. BODY)
      if read_headers(head).connection == "close" then return end
   end
end

loop.run(function()
   print(assert(loop.serve("127.0.0.1", 0, answer)):info("socket").port)
   io.stdout:flush()
end)
