-- What rows of LuaSocket's behaviour share: connected sockets, and results as text. Knows nothing but the tables
-- socket.core and socket.unix, LuaSocket's or ours.
-- A row is { what it shows, the results as text, fn(socket, unix) }, and may have
--   ours = the results of lsocket.luasocket, where they are wanted to differ, and why = the reason;
--   needs = the name of a function of common.has, which returns whether the row can be run.
local windows = require "spec.process".windows

local common = {}

common.has = {}

-- The network and the names of tools/sandbox.
function common.has.sandbox()
  return os.getenv "LS_SANDBOX" == "1"
end

-- Functions in C that a coroutine can yield across.
function common.has.yields()
  return _VERSION ~= "Lua 5.1"
end

-- Integers beside floats.
function common.has.integers()
  return math.type ~= nil -- luacheck: ignore 143
end

-- What the kernel says about a descriptor.
function common.has.proc()
  local file = not windows and io.open "/proc/self/fdinfo/0"
  return file and file:close() or false
end

-- A send buffer that gets full; Windows takes whatever is sent.
function common.has.limit()
  return not windows
end

local function quote(text)
  return '"' .. text:gsub("[%c\"\\]", function(char)
    local names = { ["\n"] = "\\n", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }
    return names[char] or ("\\%03d"):format(char:byte())
  end) .. '"'
end

local show

local function fields(list)
  local keys, texts = {}, {}
  for key in pairs(list) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return show(a) < show(b) end)
  for _, key in ipairs(keys) do
    local name = type(key) == "string" and key or "[" .. show(key) .. "]"
    texts[#texts + 1] = name .. "=" .. show(list[key])
  end
  return "{" .. table.concat(texts, ", ") .. "}"
end

-- An object is shown as its class: "tcp{master}". Numbers look alike whether they are integers or not.
function show(value)
  if type(value) == "string" then return quote(value) end
  if type(value) == "number" then return ("%.10g"):format(value) end
  local class = tostring(value):match "^(%a+{%a+}): "
  if class then return class end
  if type(value) == "table" then return fields(value) end
  return type(value) == "function" and "function" or tostring(value)
end

-- All results, in one line: "abc" nil 3
function common.show(...)
  local texts = {}
  for i = 1, select("#", ...) do texts[i] = show((select(i, ...))) end
  return table.concat(texts, " ")
end

-- What is wrong with the argument of a call that raises: the text in the parentheses of "bad argument #1 to 'x' (y)".
-- Lua words the rest by how the function was called. Functions in Lua take a missing argument for nil.
function common.refused(call, ...)
  local ok, message = pcall(call, ...)
  if ok then return "no error" end
  return ((message:match "%((.*)%)$" or message):gsub("got no value", "got nil"))
end

-- ---- sockets; whatever is made for a row is closed after it ----

local opened = {}

function common.keep(object, ...)
  if object then opened[#opened + 1] = object end
  return object, ...
end

function common.tidy()
  for _, object in ipairs(opened) do pcall(object.close, object) end
  opened = {}
end

-- A listener of tcp, and its port.
function common.listener(socket, backlog)
  local server = common.keep(assert(socket.tcp()))
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(backlog))
  local _, port = server:getsockname()
  return server, tonumber(port)
end

-- Two connected sockets: client, server.
function common.pair(socket)
  local listener, port = common.listener(socket)
  local client = common.keep(assert(socket.connect("127.0.0.1", port)))
  local server = common.keep(assert(listener:accept()))
  listener:close()
  return client, server
end

-- The same after a line each way: what an object's first call makes is there.
function common.used_pair(socket)
  local client, server = common.pair(socket)
  for _, ends in ipairs { { client, server }, { server, client } } do
    assert(ends[1]:send "before\n" and ends[2]:receive() == "before")
  end
  return client, server
end

-- A client whose peer has sent this and closed.
function common.ended(socket, text)
  local client, server = common.used_pair(socket)
  if text ~= "" then assert(server:send(text)) end
  server:close()
  return client
end

-- A port that refuses connections, and what has it. It is bound, so no socket that connects is given it, which would
-- then be connected to itself.
function common.refusing(socket)
  local keeper = common.keep(assert(socket.tcp()))
  assert(keeper:bind("127.0.0.1", 0))
  local _, port = keeper:getsockname()
  return tonumber(port), keeper
end

-- A bound socket of udp, and its port.
function common.udp(socket)
  local udp = common.keep(assert(socket.udp()))
  assert(udp:setsockname("127.0.0.1", 0))
  local _, port = udp:getsockname()
  return udp, tonumber(port)
end

-- Two of them: a sender that is connected to the receiver.
function common.udps(socket)
  local receiver, port = common.udp(socket)
  local sender = common.keep(assert(socket.udp()))
  assert(sender:setpeername("127.0.0.1", port))
  return sender, receiver, port
end

-- A path that does not exist, and that is removed after the row if it does then.
function common.path()
  local path = os.tmpname()
  os.remove(path)
  common.keep { close = function() os.remove(path) end }
  return path
end

-- Two connected unix streams: client, server.
function common.streams(unix)
  local path = common.path()
  local listener = common.keep(assert(unix.stream()))
  assert(listener:bind(path))
  assert(listener:listen())
  local client = common.keep(assert(unix.stream()))
  assert(client:connect(path))
  local server = common.keep(assert(listener:accept()))
  return client, server
end

-- Has a call taken this long, but not for ever? Its results follow.
function common.timed(socket, seconds, call, ...)
  local began = socket.gettime()
  local function finish(...)
    local took = socket.gettime() - began
    return took >= seconds * 0.9 and took < seconds + 20, ...
  end
  return finish(call(...))
end

return common
