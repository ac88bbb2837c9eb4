-- What the parts of the soak share: the count of what was done, the bytes that are sent, waits that end.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"

local common = { counts = {}, bytes = 0, lost = 0 }

local PATIENCE = 60 -- seconds, for what must happen
local PERIOD, MOST = 1000003, 262144

common.sandbox = os.getenv "LS_SANDBOX" == "1"

function common.did(kind, times)
  common.counts[kind] = (common.counts[kind] or 0) + (times or 1)
end

function common.chance(n) return math.random(n) == 1 end
function common.one_of(list) return list[math.random(#list)] end

-- ---- the bytes: any part of them tells where it is from ----

local function make_bytes()
  local pieces, piece = {}, {}
  for i = 1, math.floor(PERIOD / 1000) do
    for j = 1, 1000 do piece[j] = string.char(math.random(0, 255)) end
    pieces[i] = table.concat(piece)
  end
  pieces[#pieces + 1] = "end"
  local period = table.concat(pieces)
  assert(#period == PERIOD)
  return period .. period:sub(1, MOST)
end

-- After math.randomseed. common.all has the bytes of a period and more, and common.file is a file of the same.
function common.prepare()
  common.all = make_bytes()
  common.file = assert(io.tmpfile())
  assert(common.file:write(common.all))
  common.file:flush()
end

-- Where the byte with this number is in common.all, from 1 on.
function common.place(position) return position % PERIOD + 1 end

function common.text(position, count)
  local first = common.place(position)
  return common.all:sub(first, first + count - 1)
end

function common.check(data, position)
  if data ~= common.text(position, #data) then error("other bytes than were sent", 2) end
  common.bytes = common.bytes + #data
end

function common.position() return math.random(0, PERIOD - 1) end

-- ---- results ----

-- What follows the name, or the names, must be nil, a message, and that name or one of them.
function common.fails(names, result, message, name)
  if result ~= nil or type(message) ~= "string" or not (" " .. names .. " "):find(" " .. tostring(name) .. " ", 1, true)
  then
    error(("expected %s, got %s, %s, %s"):format(names, tostring(result), tostring(message), tostring(name)), 2)
  end
  common.did "failures"
end

function common.raises(text, call, ...)
  local ok, problem = pcall(call, ...)
  if ok or not tostring(problem):find(text, 1, true) then
    error(("expected an error with '%s', got %s"):format(text, tostring(problem)), 2)
  end
  common.did "errors raised"
end

-- ---- waiting, in a task ----

function common.wait(object, events)
  local event, message = loop.wait(object, events, PATIENCE)
  if not event then error(message or "nothing happened for a minute", 2) end
  common.did "waits"
  return event
end

-- Calls until it answers something else than false.
function common.eventually(call, ...)
  local deadline = loop.now() + PATIENCE
  while true do
    local result, message, name = call(...)
    if result ~= false then return result, message, name end
    if loop.now() > deadline then error("nothing happened for a minute", 2) end
    loop.sleep(0.001)
  end
end

-- ---- names and addresses ----

-- Addresses take turns, as a closed connection keeps its ports for a minute.
function common.loopback()
  return ("127.0.%d.%d"):format(math.random(0, 250), math.random(1, 250))
end

local names = 0

function common.abstract()
  names = names + 1
  return "@lsocket-soak-" .. tostring(common.counts):match "%x+$" .. "-" .. names
end

function common.path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

function common.port(sock) return assert(sock:info "socket").port end

-- A connection over a listener, which is closed: client, server.
function common.connection(listener, ...)
  local client = assert(lsocket.connect(...))
  common.wait(listener, "r")
  local server = assert(listener:accept())
  common.wait(client, "w")
  assert(client:status())
  assert(listener:close())
  common.did "connections"
  return client, server
end

return common
