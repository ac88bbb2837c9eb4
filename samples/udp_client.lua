-- Sends datagrams to a UDP server and prints what comes back; one that gets lost is sent again.
-- Usage: lua udp_client.lua [6] [port [text...]]        6: IPv6; without texts: the lines of standard input
local lsocket = require "lsocket"

local TRIES, PATIENCE = 3, 1 -- how often to send, and how many seconds to wait each time

local function fail(message)
  io.stderr:write("udp_client: ", message, "\n")
  os.exit(1)
end

io.stdout:setvbuf("line")
local address = "127.0.0.1"
if arg[1] == "6" then address = table.remove(arg, 1) and "::1" end
local port = table.remove(arg, 1) or 16001

-- A connected UDP socket receives from its peer alone, and learns when nobody listens there ("Connection refused").
local sock, problem = lsocket.connect("udp", address, port)
if not sock then fail(problem) end

local function send(text)
  local count, message
  repeat
    count, message = sock:send(text) -- all or nothing
    if count == nil then fail(message) end
  until count or not lsocket.select(nil, { sock }, PATIENCE) -- false: no room now
end

-- Answers what came, or nil when nothing did in time.
local function receive()
  while lsocket.select({ sock }, PATIENCE) do
    local data, message = sock:recv()
    if data then return data end
    if data == nil then fail(message) end -- false: a damaged datagram woke us and was thrown away
  end
end

local function exchange(text)
  while sock:recv() do end -- late answers to what was sent again
  for _ = 1, TRIES do
    send(text)
    local answer = receive()
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
