-- Runs one of the samples that serve as a program of its own. What to ask it is left to the specs.
local loop = require "lsocket.loop"
local helper = require "spec.helper"

local sample = {}

-- Starts a program that serves, calls a function with the port that it prints, its output and its process id, and ends
-- it: what it has printed after its first line and has not been read.
local function serve(command, fn)
  local pipe = assert(io.popen("echo $$; exec " .. command .. " 2>&1"))
  local pid, line = pipe:read("*l"), pipe:read("*l") or ""
  local port = assert(line:match("^%l+ on %S+ port (%d+)$"), line)
  local ok, problem = loop.pcall(fn, tonumber(port), pipe, pid)
  os.execute("kill " .. pid)
  local rest = pipe:read("*a")
  pipe:close()
  if not ok then error(problem, 0) end
  return rest
end

-- The same for a sample with arguments.
function sample.with(fn, name, ...)
  serve(helper.command("samples/" .. name, ...), fn)
end

-- The same for a function that is a task, within the time that specs have.
function sample.talk(fn, ...)
  sample.with(function(...) loop.run(loop.deadline, helper.patience, fn, ...) end, ...)
end

-- A connection to a port of this machine.
function sample.connect(port, options)
  return assert(loop.connect("127.0.0.1", port, options))
end

-- The same for a function that gets port and process id, and a program that has to print what a pattern matches.
function sample.serving(fn, complaints, ...)
  local rest = serve(helper.command(...), function(port, _, pid) return fn(port, pid) end)
  assert(rest:find("^" .. complaints .. "$"), rest)
end

function sample.in_loop(fn, ...)
  return loop.run(loop.deadline, helper.patience, fn, ...)
end

-- Modules of the samples, which are not where modules are looked for.
function sample.require(...)
  local path, modules = package.path, {}
  package.path = "samples/?.lua;" .. path
  for i, name in ipairs { ... } do modules[i] = require(name) end
  package.path = path
  return (table.unpack or unpack)(modules)
end

return sample
