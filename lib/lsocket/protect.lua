-- Calls that may fail, of functions that may wait. Lua 5.1 has no xpcall and no pcall that let a coroutine yield: there
-- the function runs in one of its own, whose waits are handed on.
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running, status = coroutine.running, coroutine.status

-- Gives pcall, and call(fn, handler, ...), which also remembers where an error has come from, with that handler.
-- get_task() -> the task that runs, or nil; its field inner is the coroutine that waits for it
-- remember(task, problem, thread): the error came up in this coroutine
return function(get_task, remember)
  local protect = { pcall = pcall, call = xpcall }

  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
    function protect.handler(problem)
      local task = get_task()
      if task then remember(task, problem, running()) end
      return problem
    end
    return protect
  end

  local function forward(task, outer, thread, ok, ...)
    if ok and status(thread) ~= "dead" then return forward(task, outer, thread, resume(thread, yield(...))) end
    if task then
      task.inner = outer
      if not ok then remember(task, (...), thread) end
    end
    return ok, ...
  end

  function protect.call(fn, _, ...)
    local thread, task = create(function(...) return fn(...) end), get_task()
    local outer = task and task.inner
    if task then task.inner = thread end
    return forward(task, outer, thread, resume(thread, ...))
  end

  function protect.pcall(fn, ...) return protect.call(fn, nil, ...) end

  return protect
end
