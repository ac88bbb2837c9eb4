-- A client of HTTP/1.1 on lsocket.loop, with a limit on everything.
local connection = require "http.connection"
local loop = require "lsocket.loop"
local url = require "http.url"

local client = {}
local Client = {}
Client.__index = Client

local defaults = {
  seconds = 300,      -- for a page, with all the redirections to it
  patience = 10,      -- seconds to wait for anything at all
  bytes = 1073741824, -- of a body
  redirects = 5,      -- that are followed
  tls = true,         -- for https: true, or a context of lsocket.tls
}
local redirecting = { ["301"] = true, ["302"] = true, ["303"] = true, ["307"] = true, ["308"] = true }
local problems = {
  [400] = "it breaks off, or is no HTTP", [408] = "nothing comes any more", [413] = "it is too long",
  [431] = "its header is too long", [501] = "its coding is unknown",
}

-- client.new([limits]) -> client
function client.new(limits)
  local self = setmetatable({}, Client)
  for name, value in pairs(defaults) do self[name] = limits and limits[name] or value end
  return self
end

-- What is asked for after a redirection: 307 and 308 alone keep the method.
local function next_request(asked, status)
  if not asked.body or status == "307" or status == "308" then return asked end
  return { method = "GET", began = asked.began, write = asked.write }
end

-- Where a page redirects to. What was asked for with TLS is not asked for again without.
local function next_page(page, location)
  local found = url.resolve(page, location)
  if found and (found.scheme == "https" or page.scheme == "http") then return found end
  error("it redirects to " .. location, 0)
end

-- The first answer that is no redirection, with its body still to read.
local function follow(self, page, asked)
  for _ = 0, self.redirects do
    local answer = connection.ask(self, page, asked)
    local location = redirecting[answer.status] and answer.headers.location
    if not location then return answer end
    repeat until not answer.read()
    page = next_page(page, location)
    asked = next_request(asked, answer.status)
  end
  error("it redirects too often", 0)
end

local function fetch(self, page, asked)
  local answer = follow(self, page, asked)
  if asked.began then asked.began(answer) end
  local piece = answer.read()
  while piece do -- a function that "for" calls could not wait on Lua 5.1
    asked.write(piece)
    piece = answer.read()
  end
  return answer
end

-- client:fetch(page, write [, options]) -> answer | nil, message
-- page: of url.parse; write(piece) is called with each piece of the body, and the option began(answer) before them. The
-- others are method and body. An answer has its status (a string), line and headers.
function Client:fetch(page, write, options)
  options = options or {}
  local asked = { write = write, began = options.began, body = options.body }
  asked.method = options.method or asked.body and "POST" or "GET"
  local ok, answer = loop.pcall(loop.deadline, self.seconds, fetch, self, page, asked)
  if ok then return answer end
  self:close()
  return nil, problems[answer] or answer
end

-- The connection is kept for the next page of the same server, until this.
function Client:close()
  connection.close(self)
end

return client
