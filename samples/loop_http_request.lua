-- The requests to an HTTP/1.1 server on lsocket.loop; see loop_httpd.lua.
local http = require "loop_http"
local body = require "loop_http_body"
local loop = require "lsocket.loop"

local request = {
  patience = 10,      -- seconds for a header, from the end of the last answer
  body_patience = 60, -- seconds for a body
  max_body = 1048576, -- bytes
}

local FIRST = "^(" .. http.TOKEN .. ") ([!-~]+) HTTP/(%d)%.(%d)()"
local ONE_WORD = "^[^ \t,]*$"

-- Whether the connection is kept after the answer; old: it is HTTP/1.0.
local function is_kept(headers, old)
  local connection = headers.connection
  if not connection then return not old end
  local tokens = "," .. connection:lower():gsub("[ \t]", "") .. ","
  local wanted = not old or tokens:find(",keep-alive,", 1, true)
  return wanted and not tokens:find(",close,", 1, true)
end

local function parse(text)
  local method, target, major, minor, at = text:match(FIRST)
  if not method then http.refuse(400) end
  if major ~= "1" then http.refuse(505) end
  local headers, old = http.fields(text, at), minor == "0"
  local host = headers.host or old and ""
  if not host or not host:find(ONE_WORD) then http.refuse(400) end
  if old and headers["transfer-encoding"] then http.refuse(400) end
  return {
    method = method, target = target, headers = headers, body = "",
    old = old, keep = is_kept(headers, old),
  }
end

local function read_body(client, this, framing)
  local expected = this.headers.expect
  if framing ~= "chunked" and framing > request.max_body then http.refuse(413) end
  if expected and expected:lower() ~= "100-continue" then http.refuse(417) end
  if expected and not this.old then client:write("HTTP/1.1 100 Continue\r\n\r\n") end
  return body.whole(client, framing, request.max_body)
end

-- The next request: its method, target, headers, body; nil where the client has gone, or has asked
-- for nothing in all that time.
function request.read(client)
  local text = loop.deadline(request.patience, http.head, client)
  if not text then return nil end
  local this = parse(text)
  local framing = http.framing(this.headers)
  if framing then
    this.body = loop.deadline(request.body_patience, read_body, client, this, framing)
  end
  return this
end

return request
