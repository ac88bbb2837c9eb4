-- A registry of names and values for the programs of one user, over a unix domain socket of type seqpacket: a request
-- is a record, and so is its answer, so nobody has to look for the end of a line.
-- Usage: lua registry.lua path                serves: only the user who started it may connect
--        lua registry.lua path request...     asks: "set NAME VALUE", "get NAME", "quit"
local lsocket = require "lsocket"

local path = arg[1] or error("usage: registry.lua path [request...]", 0)
if not path:find("[@/]") then path = "./" .. path end -- the slash makes it a path
local MOST = 1000 -- bytes of a request

local values, running = {}, true

local function answer(request)
  local word, name, value = request:match("^(%l+) ?(%S*) ?(.*)$")
  if word == "get" then return values[name] and "= " .. values[name] or "no such name" end
  if word == "quit" then running = false end
  if word == "set" then values[name] = value end
  return (word == "set" or word == "quit") and "ok" or "no such request"
end

local function serve(server)
  local socks = { server }
  while running do
    local readable = assert(lsocket.select(socks))
    for _, sock in ipairs(readable) do
      local request, length
      if sock == server then
        socks[#socks + 1] = server:accept() or nil
      else
        request, length = sock:recv(MOST)
      end
      if request then
        local reply = length and "a request of " .. length .. " bytes is too long" or answer(request)
        if not sock:send(reply) then sock:close() end -- gone, or reads none of its answers
      elseif request == nil and sock ~= server then
        sock:close()
      end
    end
    for i = #socks, 2, -1 do
      if socks[i]:getfd() < 0 then table.remove(socks, i) end
    end
  end
end

local function ask(requests)
  local client = assert(lsocket.connect("seqpacket", path))
  for _, request in ipairs(requests) do
    assert(client:send(request))
    assert(lsocket.select({ client }, 5), "no answer in 5 seconds")
    print(client:recv() or "the server has gone")
  end
end

if arg[2] then
  ask { (table.unpack or unpack)(arg, 2) } -- luacheck: ignore 143
else
  local is_file = not path:find("^@")
  local server = assert(lsocket.bind {
    type = "seqpacket", address = path, unlink = true, mode = is_file and "600" or nil
  })
  print("listening on " .. path)
  io.stdout:flush()
  local ok, reason = pcall(serve, server) -- Ctrl-C arrives as an error
  if is_file then os.remove(path) end
  print(ok and "quit" or reason)
end
