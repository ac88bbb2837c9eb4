-- The server's side of HTTP/1.1 on lsocket.loop, for loop_http_server.lua: a task for each
-- connection reads one request after the other, also those that were sent before the last answer,
-- and answers each in its turn. handler(request) gives a status and a body: a string, or a function
-- that gives piece after piece and then nil; its length where that is known, else it goes out in
-- chunks. It may wait, as any task.
local answer = require "loop_http_answer"
local request = require "loop_http_request"
local http = require "loop_http"
local loop = require "lsocket.loop"

local httpd = {
  connections = 10000, -- at the same time
}

-- The status that a client is told of an error: what is no refusal is a failure of the program.
local function status_of(problem)
  if type(problem) == "number" then return problem end
  io.stderr:write("httpd: ", tostring(problem), "\n")
  return 500
end

local function handle(handler, asked)
  local ok, status, content, length = loop.pcall(handler, asked)
  if ok then return status, content, length end
  return status_of(status)
end

local function converse(client, handler)
  repeat
    local ok, asked = loop.pcall(request.read, client)
    if not asked then return end
    local sent
    if ok then
      sent = answer.send(client, asked, handle(handler, asked))
    else
      sent = answer.send(client, {}, status_of(asked))
    end
    if not sent then return end
  until not ok or not asked.keep
  answer.finish(client)
end

-- httpd.serve(address, port, handler) -> server | nil, message, name
function httpd.serve(address, port, handler)
  local options = { limit = httpd.connections, max = http.MAX_HEADER }
  return loop.serve(address, port, function(client) return converse(client, handler) end, options)
end

return httpd
