-- A TCP proxy: whoever connects to it is connected to another server, and what either side sends
-- goes to the other.
-- Usage: lua samples/proxy.lua port host port [seconds]        port 0: one that is free
-- seconds: a connection with which nothing moves for so long is cut off (600)
local loop = require "lsocket.loop"

io.stdout:setvbuf("line")
local own, host, port, patience = arg[1], arg[2], arg[3], tonumber(arg[4] or 600)
local here -- where the proxy listens

local function fail(message)
  io.stderr:write("proxy: ", message, "\n")
  os.exit(1)
end

-- What comes from one side. That it is silent is no failure while the other one is not.
local function read(from, pair)
  local data, message, name
  repeat
    data, message, name = loop.deadline(patience, from.readsome, from)
    if data then pair.moved = loop.now() end
  until name ~= "ETIMEDOUT" or loop.now() - pair.moved >= patience
  return data, message
end

-- Closes a connection such that the other end sees a failure (a reset), and not the end of the data.
local function abort(stream)
  stream:setopt("linger", 0)
  stream:close()
end

-- Passes on what one side sends, and then that it has ended, or that it has failed.
local function pump(from, to, pair)
  local data, failure, ok
  repeat
    data, failure = read(from, pair)
    if data then ok, failure = loop.deadline(patience, to.write, to, data) end
  until not data or not ok
  if not failure then return to:shutdown("w") end
  abort(from)
  abort(to)
end

local function relay(client, address, from)
  local server, message = loop.deadline(10, loop.connect, host, port)
  if not server then
    print(("%s port %d: cannot reach %s: %s"):format(address, from, host, message))
    return
  end
  local there = server:info("peer")
  if there and there.addr == here.addr and there.port == here.port then
    print("the proxy has been told to connect to itself")
    return server:close()
  end
  print(("%s port %d: connected"):format(address, from))
  local pair = { moved = loop.now() }
  local back = loop.spawn(pump, server, client, pair)
  pump(client, server, pair)
  back:join()
  server:close()
end

loop.run(function()
  local target = tonumber(port)
  local ok, server, message = loop.pcall(loop.serve, "127.0.0.1", own, relay, { limit = 1000 })
  if not ok or not own or not target or target % 1 > 0 or target < 1 or target > 65535 or not patience then
    fail("usage: proxy.lua port host port [seconds]") -- serve raises where the port is none
  end
  if not server then fail(("port %s: %s"):format(own, message)) end
  here = server:info("socket")
  print(("listening on %s port %d"):format(here.addr, here.port))
end)
