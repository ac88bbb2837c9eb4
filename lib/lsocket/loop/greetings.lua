-- The handshakes of a server's clients: each is in the client's own task, and within a time.
local check = require "lsocket.loop.check"
local deadlines = require "lsocket.loop.deadlines"
local lsocket = require "lsocket"
local secure = require "lsocket.loop.secure"

local clock = lsocket.now

local greetings = {}

local LONGEST = 10 -- seconds that a handshake may last, where nothing else is said

-- Has the program choose a context for a client that has said whom it wants: true | nil, message, name
local function choose(client, options, due, address, port)
  local fn = options.choose
  if not fn then check.raise "the context asks for another one: see the option choose" end
  local sock = client:getsocket()
  local context, message, name = deadlines.deadline(due - clock(), fn, sock:tls "hello", address, port)
  if context then return sock:choose(context) end
  return nil, message or "no context was chosen", name or "ECANCELED"
end

-- Finishes a client's handshake: true | nil, message, name
local function greet(client, options, address, port)
  local due = clock() + (options.handshake or LONGEST)
  while true do
    local ok, message, name = secure.finish(client, due)
    if ok ~= "hello" then return ok, message, name end
    ok, message, name = choose(client, options, due, address, port)
    if not ok then return nil, message, name end
  end
end

-- A handler of a server's clients with TLS, for the task of each. It is called in place of the one that greets, so that
-- it has the task's stack for itself.
function greetings.handler(handler, options)
  local onfailure = options.onfailure
  return function(client, address, port)
    local ok, message, name = greet(client, options, address, port)
    if ok then return handler(client, address, port) end
    client:close() -- not by force, which may take away the alert that says why
    if onfailure then return onfailure(message, name, address, port) end
  end
end

return greetings
