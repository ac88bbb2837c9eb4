-- Calls that may fail, of functions that may wait, and where an error has come from. Lua 5.1 has no xpcall and no pcall
-- that let a coroutine yield: there the function runs in one of its own, whose waits are handed on.
--
-- On 5.1 the field inner of a task is the innermost of these coroutines, and frame what was before it:
-- { inner =, frame =, due =, group = }. A wait that raises between them (within string.gsub, say) leaves some behind:
-- they stay suspended for ever, or have ended, and unwind takes them off.
local check = require "lsocket.loop.check"
local doom = require "lsocket.loop.doom"
local timers = require "lsocket.loop.timers"
local waits = require "lsocket.loop.waits"

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running, status, clock = coroutine.running, coroutine.status, require("lsocket").now

local protect = {}

-- A task's error with its traceback.
function protect.trace(problem, thread)
  return debug.traceback(thread, check.text(problem))
end

-- Raises an error again. A function of its own, as LuaJIT 2.1 has been seen to compile error((...), 0) to raise another
-- value.
function protect.raise(problem)
  error(problem, 0)
end

-- Keeps where an error that will be raised again has come from.
local function remember(task, problem, thread)
  local cause = task.cause
  if cause and rawequal(cause.problem, problem) then return end
  task.cause = { problem = problem, trace = protect.trace(problem, thread) }
end

-- A deadline is over; the one around it, if there is one, holds again. May be called again where an error cut it off.
function protect.restore(task, due)
  task.due = due
  if not task.free then waits.set_overdue(task, due and due <= clock()) end
  if due then timers.want_alarm(task, due) end
end

-- ---- Lua 5.2 and later, LuaJIT ----
--
-- An error that nothing could foresee, as of a debug hook, may come between any two instructions: so a deadline is set,
-- and taken back, inside of the protected call. Where that fails the caller takes it back.

local function handler(problem)
  local task = waits.current()
  if task then remember(task, problem, running()) end
  return problem
end

local function restored(task, around, ...)
  if around or not task.free then protect.restore(task, around) else task.due = around end
  return ...
end

local function limited(task, around, due, fn, ...)
  task.due = due
  return restored(task, around, fn(...))
end

local function call(task, due, fn, ...)
  return xpcall(limited, handler, task, task.due, due, fn, ...)
end

local function unwind() return false end

-- ---- Lua 5.1 ----

-- Where something cuts these two off, as a debug hook may, unwind puts the rest right: so a frame is there before its
-- coroutine is, and as long.
local function enter_frame(task, thread, due)
  local group = task.group
  if group and not group.running then group = group.outer end -- its function has ended: this is the wait for its tasks
  local frame = { inner = task.inner, frame = task.frame, due = task.due, group = group }
  task.frame = frame
  waits.set_inner(task, thread)
  task.due = due
  return frame
end

-- Puts back what was before a frame, and with it before those that were left behind above it.
local function leave_frame(task, frame)
  doom.leave_groups(task, frame.group)
  protect.restore(task, frame.due)
  waits.set_inner(task, frame.inner)
  task.frame = frame.frame
end

local function forward(task, frame, thread, ok, ...)
  if ok and status(thread) ~= "dead" then return forward(task, frame, thread, resume(thread, yield(...))) end
  if task then
    leave_frame(task, frame)
    if not ok then remember(task, (...), thread) end
  end
  return ok, ...
end

local function call_in_coroutine(task, due, fn, ...)
  local thread = create(function(...) return fn(...) end)
  local frame = task and enter_frame(task, thread, due)
  return forward(task, frame, thread, resume(thread, ...))
end

-- Nobody resumes it any more, as the one that called it runs.
local function is_left(thread)
  local how = status(thread)
  return how == "suspended" or how == "dead"
end

local function unwind_frames(task)
  local thread = running()
  while task.inner ~= thread and is_left(task.inner) do
    local frame = task.frame -- now, as a finalizer that runs in status may have unwound, too
    if not frame then break end
    leave_frame(task, frame)
  end
  return task.inner == thread
end

local function pcall_in_coroutine(fn, ...)
  local task = waits.current()
  if task and running() ~= task.inner and not unwind_frames(task) then task = nil end -- its waits will raise
  return call_in_coroutine(task, task and task.due, fn, ...)
end

-- ---- one of the two ----

local native = waits.NATIVE

-- call(task, due, fn, ...): as pcall, with a deadline, which the caller takes back where that fails.
protect.call = native and call or call_in_coroutine

-- loop.pcall(fn, ...) -> true, results | false, error
protect.pcall = native and pcall or pcall_in_coroutine

waits.set { unwind = native and unwind or unwind_frames }

return protect
