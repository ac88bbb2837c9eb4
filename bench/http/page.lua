-- The page that the servers of this folder answer with: the same bytes, by whatever they are sent.
local page = { body = "Hello, world!\n" }

local second, date

-- The date of an answer, made once a second.
function page.date()
   local now = os.time()
   if now ~= second then second, date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now) end
   return date
end

function page.answer()
   return "HTTP/1.1 200 OK\r\nDate: " .. page.date() .. "\r\nContent-Type: text/plain\r\nContent-Length: "
      .. #page.body .. "\r\n\r\n" .. page.body
end

return page
