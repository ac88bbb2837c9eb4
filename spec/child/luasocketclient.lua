-- Programs of others, written against LuaSocket and LuaSec, on lsocket.luasocket: what a client of a real server does.
-- luasocketclient.lua alone|tasks CLIENT PORT [FOLDER]: once in plain code, or ten at once in tasks beside a task that
-- has to have its turn all the time. Prints "done".
local socket = require("lsocket.luasocket").install { pcall = true, sigpipe = true }
local loop = require "lsocket.loop"
local mode, name, port, folder = arg[1], arg[2], tonumber(arg[3]), arg[4]

package.path = package.path .. ";/usr/share/lua/5.1/?.lua" -- where Debian has redis.lua

local clients = {}

local function url(scheme, path)
  return ("%s://localhost:%d%s"):format(scheme, port, path)
end

local function is_page(body, code)
  assert(code == 200 and body == "a page\n", code)
end

function clients.http()
  local http = require "socket.http"
  is_page(http.request(url("http", "/page")))
  local body, code = http.request(url("http", "/missing"))
  assert(code == 404 and #body > 0)
  body, code = http.request(url("http", "/moved")) -- which leads to the page
  is_page(body, code)
  local sink, parts = require("ltn12").sink, {}
  assert(http.request { url = url("http", "/large"), sink = sink.table(parts) })
  assert(#table.concat(parts) == 1000000)
end

function clients.https()
  local https = require "ssl.https"
  local function get(params)
    local parts = {}
    params.url, params.sink = url("https", "/page"), require("ltn12").sink.table(parts)
    local ok, code = https.request(params)
    return ok and table.concat(parts), code
  end
  is_page(https.request(url("https", "/page"))) -- LuaSec's own default: nothing is verified
  is_page(get { verify = "peer" }) -- by the system's roots
  is_page(get { verify = "peer", cafile = folder .. "/root.pem" })
  local body, problem = get { verify = "peer", cafile = folder .. "/other.pem" }
  assert(not body and problem:find "local issuer", problem)
end

local function redis()
  return require("redis").connect("127.0.0.1", port)
end

local count = 0

function clients.redis()
  local client = redis()
  count = count + 1
  local key = "list" .. count
  assert(client:ping())
  assert(client:set(key .. ".x", ("x"):rep(100000)) and #client:get(key .. ".x") == 100000)
  if mode == "tasks" then -- it waits, while another client fills the list
    loop.spawn(function()
      local other = redis()
      other:rpush(key, "element")
      other:quit()
    end)
  else
    client:rpush(key, "element")
  end
  local found = client:blpop(key, 10)
  assert(found[1] == key and found[2] == "element")
  client:del(key .. ".n")
  for i = 1, 100 do client:incrby(key .. ".n", i) end
  assert(client:get(key .. ".n") == "5050")
  client:quit()
end

function clients.redis_unix()
  local client = require("redis").connect("unix://" .. folder .. "/redis")
  assert(client:ping())
  client:quit()
end

-- The stream that every server of XMPP begins with.
function clients.xmpp()
  local conn = assert(socket.connect("127.0.0.1", port))
  conn:settimeout(10)
  assert(conn:send("<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' version='1.0' " ..
                   "xmlns:stream='http://etherx.jabber.org/streams'>"))
  local answer, text, part = conn:receive(400)
  assert((answer or part):find("<stream:features", 1, true), text)
  conn:close()
end

-- Ten at once; the ticker has its turn between all that they do.
local function together()
  local ticks, done = 0, false
  local ticker = loop.spawn(function()
    while not done do
      ticks = ticks + 1
      loop.sleep(0)
    end
  end)
  local tasks = {}
  for i = 1, 10 do tasks[i] = loop.spawn(clients[name]) end
  for _, task in ipairs(tasks) do task:join() end
  done = true
  ticker:join()
  assert(ticks > 1, "no turns")
end

if mode == "tasks" then loop.run(together) else clients[name]() end
print "done"
