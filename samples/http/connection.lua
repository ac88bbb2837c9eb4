-- One side of HTTP/1.1 on lsocket.loop: asks a server for pages, over one connection as long as that is kept; see
-- client.lua.
local body = require "http.body"
local loop = require "lsocket.loop"
local message = require "http.message"

local connection = {}

local PIECE = 65536 -- bytes that are sent at once
local INTERIM = 10  -- answers like "100 Continue" that may come before the real one

function connection.close(client)
  if client.stream then client.stream:close() end
  client.stream = nil
end

-- A connection to a page's server; true: it is the one of the last page.
local function connect(client, page)
  local place = page.scheme .. "://" .. page.authority
  if client.stream and client.place == place then return client.stream, true end
  connection.close(client)
  local options = { max = message.MAX_HEADER, timeout = client.patience }
  if page.scheme == "https" then options.tls = client.tls end
  local stream, problem = loop.connect(page.host, page.port, options)
  if not stream then error(problem, 0) end
  client.stream, client.place = stream, place
  return stream, false
end

-- A write that fails is no news: then the reading does, too.
local function send(stream, page, asked)
  local content = asked.body or ""
  local length = asked.body and "Content-Length: " .. #content .. "\r\n" or ""
  local ok = stream:write(asked.method, " ", page.target, " HTTP/1.1\r\nHost: ", page.authority, "\r\n", length, "\r\n")
  for first = 1, #content, PIECE do
    ok = ok and stream:write(content:sub(first, first + PIECE - 1))
  end
end

-- The head of an answer; nil, and perhaps why, where none comes.
local function read_head(stream)
  for _ = 1, INTERIM do
    local text, failure, name = message.head(stream)
    if not text then return nil, failure, name end
    local minor, status, at = message.check(text:match("^HTTP/1%.(%d) (%d%d%d)" .. message.TEXT .. "()"))
    if status >= "200" then
      return { line = text:sub(1, at - 1), status = status, old = minor == "0", headers = message.fields(text, at) }
    end
  end
  message.refuse(431)
end

-- A function that returns the answer's body piece by piece, then nil. is_kept() says whether the connection is.
local function pieces(client, stream, framing, is_kept)
  local left, read = client.bytes, body.pieces(stream, framing)
  return function()
    local piece = read()
    left = left - #(piece or "")
    if left < 0 then message.refuse(413) end
    if not piece and not is_kept() then connection.close(client) end
    return piece
  end
end

-- connection.ask(client, page, asked) -> answer: its line, status, headers, and read, a function for its body
function connection.ask(client, page, asked)
  local stream, used = connect(client, page)
  local sender = loop.spawn(send, stream, page, asked) -- the answer may come before all is sent
  local answer, failure, name = read_head(stream)
  if not answer and used and not asked.body then -- the server has not waited for another request
    connection.close(client)
    return connection.ask(client, page, asked)
  end
  message.check(answer, failure, name)
  local framing = message.framing(answer.headers)
  if asked.method == "HEAD" or answer.status == "204" or answer.status == "304" then framing = 0 end
  answer.read = pieces(client, stream, framing, function()
    return not sender:cancel() and framing and message.keeps(answer.headers, answer.old)
  end)
  return answer
end

return connection
