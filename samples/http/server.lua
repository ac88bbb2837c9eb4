-- A server of HTTP/1.1 on lsocket.loop: a task for each connection reads one request after the other, also those that
-- were sent before the last answer, and answers each in its turn.
-- handler(request) -> status [, body [, fields]]: body is a string; or a function that returns piece after piece and
-- then nil, which are sent in chunks where no field says their Content-Length; or an open file, of which so many bytes
-- are sent. A handler may answer HEAD like GET: the body is not sent. It may wait, as any task. If the status is 101,
-- the connection belongs from then on to the body, a function(client).
local answer = require "http.answer"
local loop = require "lsocket.loop"
local message = require "http.message"
local request = require "http.request"

local server = {}

local LINGER = 2 -- seconds in which a client may still send after the last answer

local defaults = {
  connections = 10000,    -- at the same time
  patience = 10,          -- seconds for a header, from the end of the last answer, and for taking each part of that
  body_patience = 60,     -- seconds for a body
  max_body = 1048576,     -- bytes
  max_bodies = 268435456, -- bytes of all the bodies that are under way at the same time
}

-- The status that a client is told of an error: what is no refusal is a failure of the program.
local function status_of(problem)
  if type(problem) == "number" then return problem end
  io.stderr:write("http: ", tostring(problem), "\n")
  return 500
end

local function call(handler, asked)
  local ok, status, content, fields = loop.pcall(handler, asked)
  if ok and type(status) == "number" then return status, content, fields end
  return status_of(ok and "the handler gave no status" or status)
end

-- Reads a request and answers it: true if the connection is kept, false if it is to end, nil where the client has gone
local function take_turn(site, client, address)
  local ok, asked = loop.pcall(request.read, site, client, address)
  if not ok then return answer.send(client, {}, status_of(asked)) and false end
  if not asked then return nil end
  local status, content, fields = call(site.handler, asked)
  local sent = answer.send(client, asked, status, content, fields)
  if status ~= 101 or not sent then return sent and asked.keep end
  content(client)
end

local function converse(site, client, address)
  local kept
  repeat kept = take_turn(site, client, address) until not kept
  if kept == false then client:close(LINGER) end
end

-- server.serve(address, port, handler [, limits]) -> the loop's server | nil, message, name
-- limits.tls: a context of lsocket.tls, for https
function server.serve(address, port, handler, limits)
  local site = { handler = handler, under_way = 0 }
  for name, value in pairs(defaults) do site[name] = limits and limits[name] or value end
  local tls = limits and limits.tls
  return loop.serve(address, port, function(client, peer) return converse(site, client, peer) end,
    { limit = site.connections, max = message.MAX_HEADER, timeout = site.patience, tls = tls,
      handshake = tls and site.patience })
end

return server
