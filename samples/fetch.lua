-- Fetches pages: their bodies go to standard output, their status lines to standard error. Pages of one server come
-- over one connection.
-- Usage: lua samples/fetch.lua [-c file] [-u] http[s]://host[:port][/path] [page...]
--        lua samples/fetch.lua http://localhost:16080 /bytes/1000
-- -c: a file of certificates to trust in place of the system's; -u: sends what standard input has to each page; an IPv6
-- address stands in brackets: http://[::1]/
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local client = require "http.client"
local url = require "http.url"
local loop = require "lsocket.loop"

local limits = { seconds = 300, patience = 10, bytes = 1073741824, redirects = 5 } -- see http/client.lua

local function fail(message)
  io.stderr:write("fetch: ", message or "usage: fetch.lua [-c file] [-u] http[s]://host[:port][/path] [page...]", "\n")
  os.exit(1)
end

if arg[1] == "-c" and arg[2] then
  local context, message = require("lsocket.tls").client { cafile = arg[2] }
  limits.tls = context or fail(message)
  table.remove(arg, 1)
  table.remove(arg, 1)
end
local upload = arg[1] == "-u" and table.remove(arg, 1) and io.read("*a") or nil
local pages = { url.parse(arg[1] or "") or fail() }
for i = 2, #arg do pages[i] = url.resolve(pages[1], arg[i]) or fail() end

local options = { body = upload }
function options.began(answer) io.stderr:write(answer.line, "\n") end
local function write(piece) io.write(piece) end

loop.run(function()
  local session = client.new(limits)
  for _, page in ipairs(pages) do
    local answer, problem = session:fetch(page, write, options)
    if not answer then fail(page.authority .. page.target .. ": " .. problem) end
  end
  session:close()
end)
