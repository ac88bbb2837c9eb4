-- The methods that are in C where they need not wait: see "LuaSocket's interface" in doc/design.md.
local check = require "lsocket.loop.check"
local classes = require "lsocket.luasocket.classes"
local waiting = require "lsocket.luasocket.waiting"
local yielding = require "lsocket.luasocket.yielding"

local quick = {}

local make = getmetatable(classes.closed).__quick -- not on Lua 5.1 and LuaJIT

-- As waiting.share, for the methods in Lua: where those in C count the calls, each of Lua's is to look.
function quick.share()
  local calls, text = waiting.share()
  return make and 0 or calls, text
end

-- A method that is in Lua, as quick as it can be. continue: what is left to do where nothing has come of it at once:
-- (object, arguments, what the function in C has given for them)
function quick.method(name, method, continue)
  return make and check.adopt(yielding.open(make(name, method, continue))) or method
end

return quick
