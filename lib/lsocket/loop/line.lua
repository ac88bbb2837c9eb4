-- The line: the tasks that go on in the next turn, in order, each with what its wait gives in its field told: one value
-- that is no table, or a table of three. It is made where there is something to tell.
--
-- A task is in line, once, exactly when it neither runs nor waits nor has ended.
local type = type

local line = {}

local state = { count = 0 }         -- how many have been put in line for the next turn
local coming = {}                   -- they
local going, last = {}, 0           -- what is left of this turn's, up to that place

line.state = state -- for whoever asks often

-- What a wait gives, as one value: that itself, or a table. Made before anything is changed, as a finalizer may run
-- then, which may wake tasks and spawn them.
function line.pack(a, b, c)
  if b ~= nil or type(a) == "table" then return { a, b, c } end
  return a
end

-- Puts a task in line, to be told what pack has given. What may fail for want of memory comes first.
function line.push(task, told)
  local count = state.count + 1
  coming[count] = task
  if told ~= nil then task.told = told end
  state.count = count
end

-- Has the task go on with what it is told.
local function tell(task, told, proceed)
  task.told = nil
  if type(told) == "table" then return proceed(task, told[1], told[2], told[3]) end
  return proceed(task, told)
end

-- Calls proceed(task, a, b, c) for each in line; whoever is put in line meanwhile has the next turn.
function line.advance(proceed)
  coming, going = going, coming
  last, state.count = state.count, 0
  local list = going
  for i = 1, last do
    local task = list[i]
    list[i] = nil
    if not task.ended then -- it was not abandoned in line
      local told = task.told
      if told == nil then proceed(task) else tell(task, told, proceed) end
    end
  end
end

function line.clear()
  coming, state.count = {}, 0
  going, last = {}, 0
end

local function keep(list, task)
  if not task or list[task] then return end
  list[#list + 1], list[task] = task, true
end

-- An error has cut the turn short, perhaps in a function of this file: those that are left have the next one.
function line.recover()
  local list = {}
  for i = 1, state.count do keep(list, coming[i]) end
  for i = 1, last do keep(list, going[i]) end
  line.clear()
  for _, task in ipairs(list) do line.push(task) end
end

-- fn(task) for each that is in line.
function line.each(fn)
  for i = 1, state.count do
    if not coming[i].ended then fn(coming[i]) end
  end
end

return line
