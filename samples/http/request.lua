-- The requests to an HTTP/1.1 server on lsocket.loop; see server.lua.
local body = require "http.body"
local loop = require "lsocket.loop"
local message = require "http.message"
local url = require "http.url"

local request = {}

local FIRST = "^(" .. message.TOKEN .. ") ([!-~]+) HTTP/(%d)%.(%d)()"
local ONE_WORD = "^[^ \t,]*$"
local PLAIN = "^/[^%%?]*$" -- a target that is its path

local function parse(text, peer)
  local method, target, major, minor, at = text:match(FIRST)
  if not method then message.refuse(400) end
  if major ~= "1" then message.refuse(505) end
  local headers, old = message.fields(text, at), minor == "0"
  local host = headers.host or old and ""
  if not host or not host:find(ONE_WORD) then message.refuse(400) end
  if old and headers["transfer-encoding"] then message.refuse(400) end
  local path, query = target, ""
  if not target:find(PLAIN) then path, query = message.check(url.split(target)) end
  return {
    method = method, target = target, path = path, query = query, headers = headers, body = "",
    old = old, keep = message.keeps(headers, old), peer = peer,
  }
end

-- Calls read(...), unless all the bodies that are under way could become too much by it.
local function count_in(site, framing, read, ...)
  local size = framing == "chunked" and site.max_body or math.min(framing, site.max_body)
  if site.under_way + size > site.max_bodies then message.refuse(503) end
  site.under_way = site.under_way + size
  local ok, content = loop.pcall(loop.deadline, site.body_patience, read, ...)
  site.under_way = site.under_way - size
  if not ok then error(content, 0) end
  return content
end

local function read_body(site, client, this, framing)
  local expected = this.headers.expect
  if framing ~= "chunked" and framing > site.max_body then message.refuse(413) end
  if expected and expected:lower() ~= "100-continue" then message.refuse(417) end
  if expected and not this.old then client:write("HTTP/1.1 100 Continue\r\n\r\n") end
  return body.whole(client, framing, site.max_body)
end

-- The next request: its method, target, path (decoded), query, headers, body; nil where the client has gone, or has
-- asked for nothing in all that time.
function request.read(site, client, peer)
  local text = loop.deadline(site.patience, message.head, client)
  if not text then return nil end
  local this = parse(text, peer)
  local framing = message.framing(this.headers)
  if framing then
    this.body = count_in(site, framing, read_body, site, client, this, framing)
  end
  return this
end

return request
