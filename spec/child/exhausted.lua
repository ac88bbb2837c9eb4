-- Uses up the descriptors (ulimit -n), then calls what needs one in a task. Prints what went otherwise than
-- nil, message, "EMFILE", and whether all works again once some are free.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"

local function hog()
  local list = {}
  local last
  repeat
    last = lsocket.bind("udp", "127.0.0.1", 0)
    list[#list + 1] = last
  until not last
  return list
end

local function try(name, fn, ...)
  local ok, a, b, c = loop.pcall(fn, ...)
  if not ok then print(name, "raises", a)
  elseif a ~= nil or type(b) ~= "string" or c ~= "EMFILE" then print(name, a, b, c) end
end

-- A poller takes a descriptor, but for the backend "poll".
local taker = lsocket.poller "epoll" or lsocket.poller "kqueue"
if taker then taker:close() end

loop.run(function()
  local server = assert(loop.listen("127.0.0.1", 0))
  local port = server:info("socket").port
  loop.sleep(0)
  local list = hog()
  for _ = 1, 3 do
    try("resolve", loop.resolve, "localhost")
    try("resolve, numeric", function()
      local found, message, symbol = loop.resolve "127.0.0.1"
      if found then return nil, "", "EMFILE" end -- which needs none
      return found, message, symbol
    end)
    try("resolve for a time", loop.deadline, 1, loop.resolve, "localhost")
    try("connect", loop.connect, "localhost", port)
    try("connect, numeric", loop.connect, "127.0.0.1", port)
    try("listen", loop.listen, "localhost", 0)
    try("listen, numeric", loop.listen, "127.0.0.1", 0)
    try("serve", loop.serve, "localhost", 0, print)
    try("pair", lsocket.pair)
    if taker then try("poller", lsocket.poller) end
  end
  for i = 1, 6 do if list[i] then list[i]:close() end end
  assert(loop.resolve "localhost")
  local client = assert(loop.connect("localhost", port))
  assert(server:accept())
  client:close()
  server:close()
  assert(loop.sleep(0.001))
  print "fine"
end)
