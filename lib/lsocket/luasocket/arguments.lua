-- Arguments, as LuaSocket takes them: a number stands for a string, and a string of digits for a number.
local check = require "lsocket.loop.check"

local type, tonumber = type, tonumber

local arguments = {}

function arguments.text(value, arg, name)
  if type(value) == "string" then return value end
  if type(value) == "number" then return tostring(value) end
  check.string(value, arg, name)
  return value
end

function arguments.optional_text(value, arg, name)
  return value ~= nil and arguments.text(value, arg, name) or nil
end

function arguments.number(value, arg, name)
  local number = tonumber(value)
  check.number(number or value, arg, name)
  return number
end

function arguments.optional_number(value, arg, name)
  return value ~= nil and arguments.number(value, arg, name) or nil
end

-- How long something may take; NaN is no time, as in LuaSocket.
function arguments.seconds(value, arg, name)
  local seconds = tonumber(value) or check.number(value, arg, name)
  return seconds == seconds and seconds or 0
end

-- The whole number that is left of one.
function arguments.integer(value, arg, name)
  local number = arguments.number(value, arg, name)
  return number < 0 and math.ceil(number) or math.floor(number)
end

return arguments
