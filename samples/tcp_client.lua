-- Sends lines to a TCP server, one after the other, and prints the line that comes back for each.
-- Usage: lua samples/tcp_client.lua [6] [port [line...]]    6: IPv6; port 16001; without lines: those of standard input
local lsocket = require "lsocket"

local PATIENCE = 20 -- seconds for connecting, and for each line to come back
local MOST = 16777216 -- bytes that may have come and not been printed
io.stdout:setvbuf("line")

local function fail(message)
  io.stderr:write("tcp_client: ", message, "\n")
  os.exit(1)
end

-- Waits until one of the sockets is ready, or the time has come; the results are select's.
local function wait(reads, writes, finish)
  local readable, writable = lsocket.select(reads, writes, math.max(finish - lsocket.now(), 0))
  if readable == false then fail("no answer for " .. PATIENCE .. " seconds") end
  return readable or fail(writable), writable
end

local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port = table.remove(arg, 1) or 16001

-- connect only starts to connect: the socket becomes writable when the outcome is known, and status tells it.
local started, sock, message = pcall(lsocket.connect, address, port) -- which raises where the port is none
if not started then fail("usage: tcp_client.lua [6] [port [line...]]") end
if not sock then fail(("%s port %s: %s"):format(address, port, message)) end
wait(nil, { sock }, lsocket.now() + PATIENCE)
local ok, problem = sock:status()
if not ok then fail(("%s port %s: %s"):format(address, port, problem)) end

-- Sends what there is room for, and answers what is left.
local function send(unsent)
  local count, reason = sock:send(unsent)
  if count == nil then fail(reason) end
  return unsent:sub((count or 0) + 1)
end

local received = lsocket.buffer() -- what has come and is not printed yet

local function receive()
  local count, reason = received:recv(sock)
  if count == nil then fail(reason or "the server closed the connection") end
  if #received > MOST then fail("the server sends more than it was asked for") end
end

-- Reads while it sends: a server may answer the beginning of a long line and wait until that is read.
local function exchange(line)
  local unsent, finish = send(line .. "\n"), lsocket.now() + PATIENCE
  local answer = received:upto("\n") -- false: not all of it is there
  while unsent ~= "" or not answer do
    local readable, writable = wait({ sock }, unsent ~= "" and { sock } or {}, finish)
    if readable[1] then receive() end
    if writable[1] then unsent = send(unsent) end
    if not answer then answer = received:upto("\n") end
  end
  return answer
end

if #arg > 0 then
  for _, line in ipairs(arg) do print(exchange(line)) end
else
  for line in io.lines() do print(exchange(line)) end
end
sock:close()
