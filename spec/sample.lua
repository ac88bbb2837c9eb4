-- Runs one of the samples that serve as a program of its own. What to ask it is left to the specs.
local loop = require "lsocket.loop"
local helper = require "spec.helper"

local sample = {}

-- Starts a sample with arguments, calls a function with the port that it prints, its output and its process id, and
-- ends it.
function sample.with(fn, name, ...)
  local pipe = assert(io.popen("echo $$; exec " .. helper.command("samples/" .. name, ...) .. " 2>&1"))
  local pid, line = pipe:read("*l"), pipe:read("*l") or ""
  local port = assert(line:match("^%l+ on %S+ port (%d+)$"), line)
  local ok, problem = loop.pcall(fn, port, pipe, pid)
  os.execute("kill " .. pid)
  pipe:close()
  if not ok then error(problem, 0) end
end

-- The same for a function that is a task, within the time that specs have.
function sample.talk(fn, ...)
  sample.with(function(...) loop.run(loop.deadline, helper.patience, fn, ...) end, ...)
end

-- A connection to a port of this machine.
function sample.connect(port, options)
  return assert(loop.connect("127.0.0.1", port, options))
end

return sample
