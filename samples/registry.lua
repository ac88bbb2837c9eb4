-- A registry of names and values for the programs of one user, over a unix domain socket of type seqpacket: a request
-- is a record, and so is its answer, so nobody has to look for the end of a line.
-- Usage: lua samples/registry.lua path [request...]      without requests: serves, only the user who started it
-- requests, each an argument: "set NAME VALUE", "get NAME", "quit"
local lsocket = require "lsocket"

local MOST, NAMES, CLIENTS = 1000, 10000, 200 -- bytes of a request; names; clients at a time

local function fail(message)
  io.stderr:write("registry: ", message, "\n")
  os.exit(1)
end

local path = arg[1] or fail("usage: registry.lua path [request...]")
local is_file = not path:find("^@")
if is_file and not path:find("/") then path = "./" .. path end -- the slash makes it a path

local values, count, running = {}, 0, true

local function answer(request)
  local word, name, value = request:match("^(%l+) ?(%S*) ?(.*)$")
  if word == "get" then return values[name] and "= " .. values[name] or "no such name" end
  if word == "set" and not values[name] then
    if count == NAMES then return "too many names" end
    count = count + 1
  end
  if word == "quit" then running = false end
  if word == "set" then values[name] = value end
  return (word == "set" or word == "quit") and "ok" or "no such request"
end

-- Where there are too many, or no descriptors are left, the one who came first has to go.
local function welcome(server, socks)
  local client = server:accept()
  socks[#socks + 1] = client or nil
  if client == nil or #socks > CLIENTS + 1 then
    if socks[2] then socks[2]:close() else lsocket.select(0.1) end -- do not spin
  end
end

local function talk(sock)
  local request, length = sock:recv(MOST)
  local reply = request and (length and "a request of " .. length .. " bytes is too long" or answer(request))
  if request == nil or reply and not sock:send(reply) then sock:close() end -- gone, or reads none of its answers
end

local function serve(server)
  local socks = { server }
  while running do
    local readable, message = lsocket.select(socks)
    if not readable then error(message, 0) end
    for _, sock in ipairs(readable) do
      if sock == server then welcome(server, socks) else talk(sock) end
    end
    for i = #socks, 2, -1 do
      if socks[i]:getfd() < 0 then table.remove(socks, i) end
    end
  end
end

local function ask(requests)
  local client, message = lsocket.connect("seqpacket", path)
  if not client then fail(path .. ": " .. message) end
  for _, request in ipairs(requests) do
    local sent, problem = client:send(request)
    if not sent then fail(problem or "the server is too slow") end
    if not lsocket.select({ client }, 5) then fail("no answer in 5 seconds") end
    print(client:recv() or fail("the server has gone"))
  end
end

if arg[2] then return ask { (table.unpack or unpack)(arg, 2) } end -- luacheck: ignore 143
local server, problem = lsocket.bind { type = "seqpacket", address = path, backlog = 128, unlink = true,
  mode = is_file and "600" or nil } -- unlink: removes what one that was killed has left
if not server then fail(path .. ": " .. problem) end
print("listening on " .. path)
io.stdout:flush()
local ok, reason = pcall(serve, server) -- Ctrl-C arrives as an error
if is_file then os.remove(path) end
print(ok and "quit" or fail(tostring(reason)))
