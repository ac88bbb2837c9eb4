-- Checks of arguments. Each raises what names the function that was called and its argument, with the place that has
-- called the library.
local lsocket = require "lsocket"

local check = {}

-- The folder that this library is in, as the interpreter names it.
local home = debug.getinfo(1, "S").source:match("^(.*)loop[/\\]check%.lua$")

local adopted = setmetatable({}, { __mode = "k" })

-- A function in C that is called in place of one of this library's: the function
function check.adopt(fn)
  adopted[fn] = true
  return fn
end

local function is_ours(info)
  return info.what == "tail" or adopted[info.func] or home and info.source:sub(1, #home) == home
end

-- Raises a text with the place outside of this library that has called it.
function check.raise(text)
  local level = 2
  local info = debug.getinfo(level, "Sf")
  while info and is_ours(info) do
    level = level + 1
    info = debug.getinfo(level, "Sf")
  end
  error(text, level)
end

-- Raises again what a protected call of this library has caught, in which a text has not got its place.
function check.again(problem)
  if type(problem) == "string" and not problem:find "^[^\n]*:%d+: " then check.raise(problem) end
  error(problem, 0)
end

local MISTAKE = "bad argument #%d to '%s' (%s)"

function check.fail(arg, name, text)
  check.raise(MISTAKE:format(arg, name, text))
end

local function mismatch(arg, name, wanted, value)
  local got = value ~= value and "nan" or type(value)
  if got == "number" and wanted:find " from " then got = ("%.14g"):format(value) end -- it is out of range
  check.fail(arg, name, ("%s expected, got %s"):format(wanted, got))
end

-- A text for any value; of an error, whose __tostring may raise, too.
function check.text(value)
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or ("(a %s that has no text)"):format(type(value))
end

function check.number(value, arg, name)
  if type(value) ~= "number" or value ~= value then mismatch(arg, name, "number", value) end
end

function check.string(value, arg, name)
  if type(value) ~= "string" then mismatch(arg, name, "string", value) end
end

function check.is_descriptor(value)
  return type(value) == "number" and value >= 0 and value <= 2147483647 and value % 1 == 0
end

-- A descriptor, or -1 for one that is closed.
function check.descriptor(value, arg, name)
  if value ~= -1 and not check.is_descriptor(value) then check.fail(arg, name, "descriptor expected") end
end

local function index(object, key)
  return object[key]
end

-- An object's method of that name, or nil: not everything can be indexed.
local function method_of(object, name)
  local ok, method = pcall(index, object, name)
  return ok and type(method) == "function" and method
end

-- The descriptor of what can be waited for, or what its getfd gives.
function check.descriptor_of(value, arg, name)
  local kind = type(value)
  if kind == "number" then
    check.descriptor(value, arg, name)
    return value
  end
  local getfd = (kind == "userdata" or kind == "table") and method_of(value, "getfd")
  if getfd then return getfd(value) end
  check.fail(arg, name, "socket, descriptor or object with getfd expected, got " .. kind)
end

-- A host, which is the first argument: a name, an address, a path; abstract names may have any bytes.
function check.host(value, name)
  check.string(value, 1, name)
  if value:find("\0", 1, true) and value:sub(1, 1) ~= "@" then check.fail(1, name, "address contains a NUL byte") end
end

-- What separates records.
function check.delimiter(value, arg, name)
  check.string(value, arg, name)
  if value == "" then check.fail(arg, name, "delimiter is empty") end
end

local function is_data(value)
  return type(value) == "string" or type(value) == "number"
end

-- Data to be sent: a string or a number.
function check.data(value, arg, name)
  if not is_data(value) then mismatch(arg, name, "string", value) end
end

-- An array of them.
function check.strings(list, arg, name)
  local i, value = 1, rawget(list, 1)
  while is_data(value) do
    i = i + 1
    value = rawget(list, i)
  end
  if value ~= nil then check.fail(arg, name, ("element %d: string expected, got %s"):format(i, type(value))) end
end

function check.is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call and true
end

function check.callable(value, arg, name)
  if type(value) ~= "function" and not check.is_callable(value) then mismatch(arg, name, "function", value) end
end

-- The object whose method of that name has been called.
function check.self(self, metatable, name)
  if getmetatable(self) == metatable then return end
  check.fail(1, name, ("%s expected, got %s"):format(metatable.__name, type(self)))
end

local function kind_of(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  return type(meta) == "table" and meta.__type
end

function check.is_socket(value)
  return kind_of(value) == "socket"
end

local closers = { socket = true, poller = true, lookup = true, signals = true }

-- Does the poller hear of it when the object is closed?
function check.tells_its_end(value)
  return closers[kind_of(value)] or false
end

-- Is it a context of TLS?
function check.is_context(value)
  return kind_of(value) == "TLS context"
end

function check.socket(value, arg, name)
  if not check.is_socket(value) then mismatch(arg, name, "socket", value) end
end

-- What an error says of an argument: its number and the text | nothing, if it is about something else, which is raised.
local function explain(problem)
  local arg, text = tostring(problem):match("bad argument #(%d+) to '.-' %((.*)%)$")
  if not text then error(problem, 0) end
  return tonumber(arg), text
end

local places = { address = 1, port = 2 }

-- Calls bind or connect with named arguments. One that is wrong is named as in the function of the loop that was
-- called, whose options are its argument number arg.
function check.call(fn, arguments, arg, name)
  local ok, sock, message, symbol = pcall(fn, arguments)
  if ok then return sock, message, symbol end
  local _, text = explain(sock)
  local option, rest = text:match "^(%l+): (.*)$"
  if places[option] then check.fail(places[option], name, rest) end
  check.fail(arg, name, text)
end

-- What a method of a socket has raised, as the caller of a method of that name knows it.
function check.renamed(problem, name)
  local arg, text = explain(problem)
  return MISTAKE:format(arg - 1, name, text)
end

local function finish_same(name, ok, ...)
  if ok then return ... end
  local arg, text = explain(...)
  check.fail(arg, name, text)
end

-- Calls a function for one of that name, whose arguments have the same numbers in its errors.
function check.same(name, fn, ...)
  return finish_same(name, pcall(fn, ...))
end

-- Calls a function of the core for a function of the same name.
function check.core(name, ...)
  return check.same(name, lsocket[name], ...)
end

-- Raises the error of a socket's method, which names an argument, for a method of that name.
function check.refuse(name, problem)
  check.raise(check.renamed(problem, name))
end

local function finish(name, ok, ...)
  if ok then return ... end
  check.refuse(name, ...)
end

-- Calls a method of a socket for a method of the same name: a wrong argument is named as the caller knows it.
function check.method(object, name, ...)
  return finish(name, pcall(object[name], object, ...))
end

-- An address family that names can be looked up for, or none.
function check.family(value, arg, name)
  if value ~= nil and value ~= "inet" and value ~= "inet6" then mismatch(arg, name, "inet or inet6", value) end
end

-- What may be waited for.
function check.events(value, arg, name)
  if value ~= "r" and value ~= "w" and value ~= "rw" then check.fail(arg, name, "r, w or rw expected") end
end

local families = { inet = true, inet6 = true, unix = true }

-- Ranges: from, to, what to call it.
local SIZE = { 1, 2147483647, "integer from 1 to 2147483647", whole = true }
local COUNT = { 0, 2147483647, "integer from 0 to 2147483647", whole = true }
local WHOLE = { 0, 2 ^ 53, "integer from 0 to 2^53", whole = true }
local SECONDS = { 0, math.huge, "number from 0 on" }
local TIMEOUT = { 0, math.huge, "number from 0 on", or_false = true }
local FUNCTION = { nil, nil, "function", is = check.is_callable }
local ANY = { is = function() return true end }

-- Options that are not handed on to the sockets. Those of TLS are checked in contexts.lua.
check.own = {
  max = SIZE, delay = SECONDS, grace = SECONDS, limit = { 1, math.huge, "number from 1 on" }, timeout = TIMEOUT,
  handshake = SECONDS, onfailure = FUNCTION, choose = FUNCTION, tls = ANY, tlsname = ANY,
}

local function is_within(value, range)
  if range.is then return range.is(value) end
  if value == false and range.or_false then return true end
  if type(value) ~= "number" or not (value >= range[1] and value <= range[2]) then return false end
  return not range.whole or value % 1 == 0
end

local function check_range(value, range, arg, name)
  if not is_within(value, range) then mismatch(arg, name, range[3], value) end
end

-- A number of bytes, which is not 0.
function check.size(value, arg, name) check_range(value, SIZE, arg, name) end

-- A number of bytes.
function check.count(value, arg, name) check_range(value, COUNT, arg, name) end

-- Bytes of a file, permits, values in a queue.
function check.whole(value, arg, name) check_range(value, WHOLE, arg, name) end

-- Seconds to be waited.
function check.seconds(value, arg, name) check_range(value, SECONDS, arg, name) end

-- Seconds that a wait may last, or none.
function check.timeout(value, arg, name)
  if value ~= nil then check_range(value, TIMEOUT, arg, name) end
end

-- A table of options, or none. Those of the sockets are left to them.
function check.options(options, arg, name)
  if options == nil then return end
  if type(options) ~= "table" then mismatch(arg, name, "table", options) end
  for option, range in pairs(check.own) do
    local value = options[option]
    if value ~= nil and not is_within(value, range) then mismatch(arg, name, option .. ": " .. range[3], value) end
  end
  local family, kind = options.family, options.type
  if family ~= nil and not families[family] then mismatch(arg, name, "family: inet, inet6 or unix", family) end
  if kind ~= nil and kind ~= "tcp" then check.fail(arg, name, "type: tcp expected, got " .. check.text(kind)) end
  for _, option in ipairs { "address", "port" } do
    if options[option] ~= nil then check.fail(arg, name, option .. ": no option, but an argument of its own") end
  end
end

return check
