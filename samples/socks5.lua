-- A SOCKS5 proxy, RFC 1928: connects to where its clients ask for, and asks for no password: for this machine alone.
-- Usage: lua samples/socks5.lua [port [seconds]]    port 0: a free one; curl --socks5-hostname 127.0.0.1:16012 URL
-- seconds: a connection with which nothing moves for so long is cut off (600)
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local own, patience = arg[1] or 16012, tonumber(arg[2] or 600)
local PATIENCE, CONNECTING = 10, 20 -- seconds to ask, and to connect
local NO_PASSWORD, NO_METHOD, CONNECT, NAME = "\0", "\255", 1, 3
local OK, FAILURE, NO_HOST, NO_COMMAND, NO_KIND = 0, 1, 4, 7, 8
local replies = { ECONNREFUSED = 5, ENETUNREACH = 3, EHOSTUNREACH = NO_HOST, ETIMEDOUT = NO_HOST }
local sizes = { [1] = 4, [4] = 16 } -- bytes of an address, by its kind

local function reply(client, code)
  return client:write("\5", string.char(code), "\0\1\0\0\0\0\0\0") -- where it connects from is not told
end

-- Where to: host, port; nil, and the reply that says what is wrong, if there is one
local function read_request(client)
  local version, count = (client:readexactly(2) or ""):byte(1, 2)
  local methods = version == 5 and client:readexactly(count)
  local method = methods and methods:find(NO_PASSWORD, 1, true) and NO_PASSWORD or NO_METHOD
  if not methods or not client:write("\5", method) or method == NO_METHOD then return nil end
  local again, command, _, kind = (client:readexactly(4) or ""):byte(1, 4)
  if again ~= 5 then return nil end
  if kind ~= NAME and not sizes[kind] then return nil, NO_KIND end
  local size = sizes[kind] or (client:readexactly(1) or ""):byte()
  local host = size and client:readexactly(size)
  local high, low = (host and client:readexactly(2) or ""):byte(1, 2)
  if not low then return nil elseif command ~= CONNECT then return nil, NO_COMMAND end
  if kind ~= NAME then host = lsocket.toaddress(host) end
  if not host:find("^[%w.:_-]+$") then return nil, NO_HOST end -- nor the path of a socket
  return host, high * 256 + low
end

-- Passes on what one side sends, and then that it has ended.
local function pump(from, to, pair)
  repeat
    local data, problem = from:readsome()
    assert(not problem, problem)
    pair.moved = loop.now()
  until not data or not assert(to:write(data))
  to:shutdown("w")
end

-- Passes on both ways, until both have ended; raises where one fails, or where nothing moves.
local function relay(client, server)
  local pair = { moved = loop.now() }
  local function both(group)
    group:spawn(pump, server, client, pair)
    pump(client, server, pair)
    return true
  end
  return loop.race(function() return loop.group(both) end, function()
    while loop.now() - pair.moved < patience and loop.sleep(pair.moved + patience - loop.now()) do end
    error("nothing moves", 0)
  end)
end

local function talk(client)
  local host, port = loop.deadline(PATIENCE, read_request, client)
  if not host then return port and reply(client, port) end
  local server, _, name = loop.deadline(CONNECTING, loop.connect, host, port)
  if not server then return reply(client, replies[name] or name:find("^EAI_") and NO_HOST or FAILURE) end
  local ok = reply(client, OK) and loop.pcall(relay, client, server)
  if not ok then client:setopt("linger", 0) end -- a reset: what has come is not the whole
  if not ok then server:setopt("linger", 0) end
  return client:close() and server:close()
end

loop.run(function()
  local ok, here, message = loop.pcall(loop.serve, "127.0.0.1", own, talk, { limit = 1000, grace = 1 })
  if not ok or not here or not patience then -- serve raises where the port is none
    message = ok and patience and ("port %s: %s"):format(own, message) or "usage: socks5.lua [port [seconds]]"
    io.stderr:write("socks5: ", message, "\n")
    os.exit(1)
  end
  print(("listening on 127.0.0.1 port %d"):format(here:info("socket").port))
end)
