-- A name server on 127.0.0.1, port 53, that takes 200 ms for each question: every name is that host, which has no
-- address of IPv6. Prints a line when it is there. For bench/apart; it needs lsocket for Lua 5.4.
package.cpath = "build/lua5.4/?.so;" .. package.cpath
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

local A = "\0\1"

-- The question ends with its type and its class; an answer to it has its name at byte 12.
local function answer(query)
   local question = query:match("^%Z*%z....", 13)
   local record = question:sub(-4, -3) == A and "\192\12\0\1\0\1\0\0\0\0\0\4\127\0\0\1" or ""
   return query:sub(1, 2) .. "\133\128\0\1\0" .. (record == "" and "\0" or "\1") .. "\0\0\0\0" .. question .. record
end

loop.run(function()
   local sock = assert(loop.wrap(assert(lsocket.bind("udp", "127.0.0.1", 53))))
   print "ready"
   io.stdout:flush()
   while true do
      local query, from, port = sock:recvfrom()
      loop.spawn(function()
         loop.sleep(0.2)
         sock:sendto(answer(query), from, port)
      end)
   end
end)
