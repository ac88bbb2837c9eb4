-- So many connections at once between two processes, each with a poller: every one exchanges 100 lines; half of them
-- are closed by either side at a random moment instead, and a new one, often with the same descriptor, takes their
-- place. "serve COUNT BACKEND COMMAND": serves a child that COMMAND starts as "visit COUNT BACKEND PORT", and compares
-- what each side sent with what the other one got. The limit of descriptors is set by whoever starts it.
local lsocket = require "lsocket"
local process = require "spec.process"

local role, count, backend, last = arg[1], tonumber(arg[2]), arg[3], arg[4]
local total = count + math.floor(count / 2) -- with those that take the place of others
local lines, patience = 100, 60
local before = process.count()
local poller = assert(lsocket.poller(backend))
local readable, writable = {}, {}
local connections = {} -- by socket, for as long as it is open
local results, finished = {}, 0 -- by number; how many there are
local seed = tonumber(os.getenv "LS_SEED") or os.time()
math.randomseed(seed)
io.stderr:write(role, " LS_SEED=", seed, "\n")

-- The text of a line tells which it is, so that each byte is known; the lengths differ.
local function line(number, i)
  return ("%d %d %s\n"):format(number, i, ("x"):rep((number + 7 * i) % 60))
end

local function add(sock, number)
  connections[sock] = { number = number, rest = "", sent = 0, got = 0, lines = 0 }
  assert(poller:add(sock, "r"))
  return sock
end

-- Which line ends the connection early, if one does; whose turn that is depends on the number.
local function last_line(number, remainder)
  return number <= count and number % 4 == remainder and math.random(lines) or math.huge
end

local function close(sock, how)
  local connection = connections[sock]
  connection.how = how
  results[assert(connection.number)] = connection
  finished = finished + 1
  connections[sock] = nil
  assert(sock:close())
end

local function send(sock, text)
  local connection, taken, _, name = connections[sock], sock:send(text)
  if taken then
    assert(taken == #text) -- one line at a time is on the way: there is always room
    connection.sent = connection.sent + taken
  else
    assert(name == "EPIPE" or name == "ECONNRESET")
  end
end

-- Receives what is there, and calls act with each whole line; the last one may close the socket.
local function receive(sock, act)
  local connection = connections[sock]
  assert(connection and sock:getfd() >= 0, "an event for a socket that is closed")
  if connection.leave == connection.lines then return close(sock, "with something unread") end
  local data, _, name = sock:recv()
  assert(data ~= false, "told to be readable, and is not")
  if not data then
    assert(name == nil or name == "ECONNRESET")
    return close(sock, "by the peer")
  end
  connection.got = connection.got + #data
  connection.rest = connection.rest .. data
  for text in connection.rest:gmatch "[^\n]*\n" do
    connection.rest = connection.rest:sub(#text + 1)
    connection.lines = connection.lines + 1
    act(sock, connection, text)
    if not connections[sock] then return end
  end
end

local function run(act, done)
  while not done() do
    assert(assert(poller:wait(patience, readable, writable)), "nothing happened for a minute")
    assert(#writable == 0)
    for _, sock in ipairs(readable) do act(sock) end
  end
  assert(#poller == 0 and next(connections) == nil)
end

local function all_are_closed() return finished == total end

-- ---- the client ----

local opened = 0

local function open(address)
  opened = opened + 1
  local sock = add(assert(lsocket.connect(address, last)), opened)
  local connection, ending = connections[sock], last_line(opened, 0)
  if math.random(2) == 1 then connection.leave = ending - 1 else connection.ending = ending end
  assert(lsocket.select(nil, { sock }, patience) and sock:status())
  send(sock, line(opened, 1))
end

local function visit()
  local function next_line(sock, connection, text)
    assert(text == line(connection.number, connection.lines))
    if connection.lines == lines or connection.lines == connection.ending then
      close(sock, connection.lines == lines and "in the end" or "early")
    else
      send(sock, line(connection.number, connection.lines + 1))
    end
  end
  for i = 1, count do open("127.0.0." .. i % 4 + 1) end
  run(function(sock)
    receive(sock, next_line)
    if not connections[sock] and opened < total and finished > opened - count then
      open("127.0.0." .. opened % 4 + 1)
    end
  end, all_are_closed)
  poller:close()
  assert(process.count() == before, "descriptors are left")
  for number = 1, total do
    local result = results[number]
    print(("%d %d %d %s"):format(number, result.sent, result.got, result.how))
  end
end

-- ---- the server ----

local function serve(command)
  local listener = assert(lsocket.bind("0.0.0.0", 0, 1000))
  local visitor = assert(io.popen(("%s visit %d %s %d"):format(command, count, backend, listener:info "socket".port)))
  local function answer(sock, connection, text)
    if connection.lines == 1 then
      connection.number = tonumber(text:match "^%d+")
      local ending = last_line(connection.number, 1)
      if math.random(2) == 1 then connection.leave = ending else connection.ending = ending end
    end
    assert(text == line(connection.number, connection.lines))
    send(sock, text)
    if connection.lines == connection.ending then close(sock, "early") end
  end
  assert(poller:add(listener, "r"))
  local accepted = 0
  run(function(sock)
    if sock ~= listener then return receive(sock, answer) end
    local client = listener:accept()
    if not client then return end
    accepted = accepted + 1
    add(client)
    if accepted == total then listener:close() end
  end, function() return all_are_closed() and accepted == total end)
  poller:close()

  local early, bytes = 0, 0
  for number = 1, total do
    local here = assert(results[number], "a connection is missing")
    local sent, got, how = assert(visitor:read "*l"):match "^%d+ (%d+) (%d+) (.*)$"
    sent, got = tonumber(sent), tonumber(got)
    assert(here.got <= sent and got <= here.sent)
    if here.how == "in the end" or how == "in the end" then
      assert(here.got == sent and got == here.sent and here.lines == lines)
    elseif how == "early" then assert(here.got == sent)
    elseif here.how == "early" then assert(got == here.sent)
    end
    if number <= count and number % 4 < 2 then early = early + 1 end
    bytes = bytes + here.got + got
  end
  assert(visitor:read "*l" == nil)
  visitor:close()
  assert(process.count() == before, "descriptors are left")
  print(("%d connections, %d of them closed early, %d bytes"):format(total, early, bytes))
end

if role == "visit" then visit() else serve(last) end
