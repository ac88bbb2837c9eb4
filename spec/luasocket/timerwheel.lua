-- What Copas calls of a module that Debian has no package of: timers that step() runs when they are due.
local timerwheel = {}
timerwheel.__index = timerwheel

-- settings: { now = a function that returns the time, err_handler = what is called with an error of a timer }
function timerwheel.new(settings)
  return setmetatable({ now = settings.now, handler = settings.err_handler, timers = {}, last = 0 }, timerwheel)
end

function timerwheel:set(delay, callback, argument)
  self.last = self.last + 1
  self.timers[self.last] = { due = self.now() + delay, callback = callback, argument = argument }
  return self.last
end

function timerwheel:cancel(id)
  local found = self.timers[id] ~= nil
  self.timers[id] = nil
  return found
end

function timerwheel:count()
  local count = 0
  for _ in pairs(self.timers) do count = count + 1 end
  return count
end

function timerwheel:step()
  local due, now = {}, self.now()
  for id, timer in pairs(self.timers) do
    if timer.due <= now then due[#due + 1] = id end
  end
  table.sort(due)
  for _, id in ipairs(due) do
    local timer = self.timers[id]
    self.timers[id] = nil
    if timer then xpcall(function() timer.callback(timer.argument) end, self.handler) end
  end
end

return timerwheel
