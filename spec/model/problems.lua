-- Values to fail with, some of which cannot be told.
local problems = {}

local make = {}

local function with_text(fn)
  return setmetatable({}, { __tostring = fn })
end

local count = 0
function make.string()
  count = count + 1
  return "problem " .. count
end
make["table"] = function() return {} end
function make.raising() return with_text(function() error("__tostring raises", 0) end) end
function make.odd() return with_text(function() return {} end) end
make["nil"] = function() return nil end
make["false"] = function() return false end
function make.number() return 42 end
function make.thread() return coroutine.create(function() end) end
make["function"] = function() return function() end end

function problems.new(kind) return make[kind]() end

return problems
