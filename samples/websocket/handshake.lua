-- How a request of HTTP becomes a WebSocket, RFC 6455, section 4.
local base64 = require "websocket.base64"
local message = require "http.message"
local sha1 = require "websocket.sha1"

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

-- handshake(request) -> status, body, fields, as handlers of http/server.lua give them, for a server that then calls
-- talk(client)
return function(request, talk)
  local headers = request.headers
  local key = (headers["sec-websocket-key"] or ""):match("^[%w+/]+==$")
  if request.method ~= "GET" then return 405, nil, { Allow = "GET" } end
  if not message.lists(headers.upgrade, "websocket") or headers["sec-websocket-version"] ~= "13" then
    return 426, nil, { Upgrade = "websocket", ["Sec-WebSocket-Version"] = "13" }
  end
  if request.old or not message.lists(headers.connection, "upgrade") or not key or #key ~= 24 then return 400 end
  return 101, talk, { Upgrade = "websocket", ["Sec-WebSocket-Accept"] = base64(sha1(key .. GUID)) }
end
