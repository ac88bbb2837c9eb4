-- A server to whose accept the system may refuse room, and a client that waits for it: prints what onerror is told, and
-- "served". Usage: loopfull.lua [clients | accept]    how clients are accepted; else by serve
local loop = require "lsocket.loop"

local how = arg[1]

function loop.onerror(_, trace)
  print("told: " .. trace)
end

local function greet(client)
  client:write "hello\n"
  client:close()
end

local function accept(server)
  if how == "clients" then
    local iterate, state = server:clients()
    return iterate(state)
  end
  local client, _, name = server:accept()
  while not client do
    print(name)
    client, _, name = server:accept()
  end
  return client
end

loop.run(function()
  local server
  if how == "clients" or how == "accept" then
    server = assert(loop.listen("127.0.0.1", 0))
    loop.spawn(function() greet(accept(server)) end)
  else
    server = assert(loop.serve("127.0.0.1", 0, greet))
  end
  local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
  if client:read() == "hello" then print "served" end
  client:close()
  server:close()
end)
