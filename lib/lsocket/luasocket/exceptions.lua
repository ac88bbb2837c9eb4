-- newtry and protect: errors that are results.
--
-- What try raises is a table with the metatable that only this file has. protect knows it by that, and lets everything
-- else go on as it is.
local protect = require "lsocket.loop.protect"
local waits = require "lsocket.loop.waits"

local current, pcall = waits.current, pcall

local exceptions = {}

local Exception = { __metatable = false }

-- The error's text, in debuggers and where nothing protects from it.
function Exception:__tostring()
  return tostring(self[1])
end

local wrapped = setmetatable({}, { __mode = "k" }) -- [table that try has raised] = true

local function raise(finalizer, problem)
  if finalizer then finalizer() end
  local exception = setmetatable({ problem }, Exception)
  wrapped[exception] = true
  error(exception, 0)
end

-- socket.newtry([finalizer]) -> try;  try(...) -> ... | raises the second value where the first is false or nil
function exceptions.newtry(finalizer)
  return function(...)
    local ok, problem = ...
    if not ok then raise(finalizer, problem) end
    return ...
  end
end

local function finish(ok, ...)
  if ok then return ... end
  local problem = ...
  if wrapped[problem] then return nil, problem[1] end
  error(problem, 0)
end

-- socket.protect(fn) -> a function that returns nil and what try has raised in fn, in place of raising it
function exceptions.protect(fn)
  return function(...) return finish((current() and protect.pcall or pcall)(fn, ...)) end
end

return exceptions
