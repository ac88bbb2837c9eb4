-- A web server with lua-http, on cqueues, for one page. Prints its port.
local http_headers = require "http.headers"
local http_server = require "http.server"
local page = require "bench.http.page"

local server = assert(http_server.listen {
   host = "127.0.0.1", port = 0, tls = false, max_concurrent = 10000,
   onstream = function(_, stream)
      if not stream:get_headers() then return end
      local headers = http_headers.new()
      headers:append(":status", "200")
      headers:append("date", page.date())
      headers:append("content-type", "text/plain")
      headers:append("content-length", tostring(#page.body))
      stream:write_headers(headers, false)
      stream:write_chunk(page.body, true)
   end,
   onerror = function() end, -- clients go away
})
assert(server:listen())
print((select(3, server:localname())))
io.stdout:flush()
assert(server:loop())
