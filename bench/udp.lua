-- Datagrams through loopback, sent one a call, and received one a call or as many as have come, by the same process.
local lib = require "bench.lib"
local cref = require "cref"
local dgram = require "bench.dgram"
local lsocket = require "lsocket"

local luasocket = lib.peer("udp", "LuaSocket", "socket")
local luaposix = lib.peer("udp", "luaposix", "posix.sys.socket")
local luv = lib.peer("udp", "luv", "luv")

local COUNT = dgram.COUNT

-- ---- the peers' objects ----

-- A LuaSocket object for a socket of ours; with a port connected to it.
local function luasocket_end(sock, port)
   local udp = assert(luasocket.udp())
   assert(udp:setsockname("127.0.0.1", 0))
   if port then assert(udp:setpeername("127.0.0.1", port)) end
   cref.close(udp:getfd())
   udp:setfd(cref.dup(sock:getfd())) -- which it closes when it is collected
   udp:settimeout(0)
   return udp
end

-- loop(n) of luv: what has arrived is told to a callback, many times a turn of its loop, if there is more than one.
-- With options such as { mmsgs = 16 } it takes so many from the kernel a call.
local function luv_loop(link, options, host, port)
   local from, to = luv.new_udp(), luv.new_udp(options)
   assert(from:open(cref.dup(link.from:getfd())))
   assert(to:open(cref.dup(link.to:getfd())))
   local messages, arrived = link.messages, 0
   return function(n)
      arrived = 0
      assert(to:recv_start(function(_, data) if data then arrived = arrived + 1 end end))
      for i = 1, n do
         from:try_send(messages[i % COUNT + 1], host, port)
         while arrived < i do luv.run "nowait" end
      end
      to:recv_stop()
   end
end

-- The rows of luv: as it comes, and with what its documentation has for many datagrams.
local function add_luv(link, ...)
   if not luv then return end
   link:add("luv", luv_loop(link, nil, ...))
   link:add("luv mmsgs", luv_loop(link, { mmsgs = 16 }, ...))
end

-- The same with a batch of ours: one call for all that have come, up to 16, and a string of each.
local function batch_loop(link)
   local from, to, messages, batch = link.from, link.to, link.messages, lsocket.batch(16, link.size)
   return function(n)
      local arrived = 0
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         if arrived < i then
            local count = to:recvmany(batch)
            for k = 1, count do batch:get(k) end
            arrived = arrived + count
         end
      end
   end
end

-- ---- the cases ----

local function send_recv(size)
   local link = dgram.link{ size = size }
   local from, to, messages = link.from, link.to, link.messages
   local from_fd, to_fd = from:getfd(), to:getfd()
   link:add("C", function(n) cref.udp_exchange(from_fd, to_fd, n, link.noise, size, 1) end)
   link:add("bare binding", function(n)
      for i = 1, n do
         cref.send(from_fd, messages[i % COUNT + 1])
         cref.recv(to_fd, size)
      end
   end)
   link:add("lsocket", function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         to:recv(size)
      end
   end)
   if luasocket then
      local a, b = luasocket_end(from, link.port), luasocket_end(to)
      link:add("LuaSocket", function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1])
            b:receive(size)
         end
      end)
   end
   if luaposix then
      link:add("luaposix", function(n)
         for i = 1, n do
            luaposix.send(from_fd, messages[i % COUNT + 1])
            luaposix.recv(to_fd, size)
         end
      end)
   end
   link:add("lsocket recvmany", batch_loop(link))
   add_luv(link)
   link:measure("udp", "send, recv")
end

local function send_recvfrom(size)
   local link = dgram.link{ size = size }
   local from, to, messages = link.from, link.to, link.messages
   local from_fd, to_fd = from:getfd(), to:getfd()
   link:add("C", function(n) cref.udp_exchange_from(from_fd, to_fd, n, link.noise, size, 1) end)
   link:add("lsocket", function(n)
      for i = 1, n do
         from:send(messages[i % COUNT + 1])
         to:recvfrom(size)
      end
   end)
   if luasocket then
      local a, b = luasocket_end(from, link.port), luasocket_end(to)
      link:add("LuaSocket", function(n)
         for i = 1, n do
            a:send(messages[i % COUNT + 1])
            b:receivefrom(size)
         end
      end)
   end
   if luaposix then
      link:add("luaposix", function(n)
         for i = 1, n do
            luaposix.send(from_fd, messages[i % COUNT + 1])
            luaposix.recvfrom(to_fd, size)
         end
      end)
   end
   link:measure("udp", "send, recvfrom")
end

local function sendto_recv(size)
   local link = dgram.link{ size = size, unconnected = true }
   local from, to, messages, port = link.from, link.to, link.messages, link.port
   local from_fd, to_fd = from:getfd(), to:getfd()
   link:add("C", function(n) cref.udp_exchange_to(from_fd, to_fd, n, link.noise, size, 1, port) end)
   link:add("lsocket", function(n)
      for i = 1, n do
         from:sendto(messages[i % COUNT + 1], "127.0.0.1", port)
         to:recv(size)
      end
   end)
   if luasocket then
      local a, b = luasocket_end(from), luasocket_end(to)
      link:add("LuaSocket", function(n)
         for i = 1, n do
            a:sendto(messages[i % COUNT + 1], "127.0.0.1", port)
            b:receive(size)
         end
      end)
   end
   if luaposix then
      local destination = { family = luaposix.AF_INET, addr = "127.0.0.1", port = port }
      link:add("luaposix", function(n)
         for i = 1, n do
            luaposix.sendto(from_fd, messages[i % COUNT + 1], destination)
            luaposix.recv(to_fd, size)
         end
      end)
   end
   add_luv(link, "127.0.0.1", port)
   link:measure("udp", "sendto, recv")
end

for _, size in ipairs{ 64, 1200 } do
   send_recv(size)
   send_recvfrom(size)
   sendto_recv(size)
end
