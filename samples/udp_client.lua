-- Sends datagrams to a UDP server and prints what comes back; one that gets lost is sent again.
-- Usage: lua samples/udp_client.lua [6] [port [text...]]        6: IPv6; port 16009
-- without texts: the lines of standard input
local lsocket = require "lsocket"

local TRIES, PATIENCE = 3, 1 -- how often to send, and how many seconds to wait each time

local function fail(message)
  io.stderr:write("udp_client: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port = table.remove(arg, 1) or 16009

-- A connected UDP socket receives from its peer alone, and learns when nobody listens there ("Connection refused").
local ok, sock, problem = pcall(lsocket.connect, "udp", address, port) -- which raises where the port is none
if not ok then fail("usage: udp_client.lua [6] [port [text...]]") end
if not sock then fail(("%s port %s: %s"):format(address, port, problem)) end

local function send(text, finish)
  local count, message = sock:send(text) -- all or nothing
  while count == false and lsocket.now() < finish do -- false: no room now
    lsocket.select(nil, { sock }, math.max(finish - lsocket.now(), 0))
    count, message = sock:send(text)
  end
  if count == nil then fail(message) end
end

-- Answers what came, or nil when nothing did in time.
local function receive(finish)
  while lsocket.select({ sock }, math.max(finish - lsocket.now(), 0)) do
    local data, message = sock:recv()
    if data then return data end
    if data == nil then fail(message) end -- false: a damaged datagram woke us and was thrown away
  end
end

local function exchange(text)
  for _ = 1, 1000 do -- late answers to what was sent again; not for ever: a server may send without end
    if not sock:recv() then break end
  end
  for _ = 1, TRIES do
    local finish = lsocket.now() + PATIENCE
    send(text, finish)
    local answer = receive(finish)
    if answer then return answer end
  end
  fail(("no answer, sent %d times"):format(TRIES))
end

if #arg > 0 then
  for _, text in ipairs(arg) do print(exchange(text)) end
else
  for line in io.lines() do print(exchange(line)) end
end
sock:close()
