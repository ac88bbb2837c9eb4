-- Programs that run beside a spec, and whose output it looks at meanwhile. What to expect of them is left to the specs,
-- which call programs.stop_all and helper.remove_paths after each test.
local helper = require "spec.helper"
local process = require "spec.process"

local programs = {}
local running = {}

local Program = {}
Program.__index = Program

function Program:output()
  return process.read(self.path)
end

-- Waits until its output has what a pattern matches: what that captures.
function Program:await(pattern)
  local found
  helper.eventually(("'%s' in the output of %s"):format(pattern, self.command), function()
    found = helper.pack(self:output():match(pattern))
    return found[1]
  end)
  return (table.unpack or unpack)(found, 1, found.n)
end

-- Waits until it has ended by itself.
function Program:join()
  running[self] = nil
  self.pipe:close()
end

-- Ends it: by SIGTERM, or by the signal of that name.
function Program:stop(signal)
  os.execute(("kill -%s %s 2> /dev/null"):format(signal or "TERM", self.pid))
  self:join()
end

-- Starts a command, and waits until its output has what a pattern matches.
function programs.start(command, pattern)
  local path = helper.file ""
  local pipe = assert(io.popen(("echo $$; exec env %s > %s 2>&1 < /dev/null"):format(command, path)))
  local program = setmetatable({ command = command, path = path, pipe = pipe, pid = pipe:read "*l" }, Program)
  running[program] = true
  program:await(pattern)
  return program
end

-- Starts one that listens: the program, and the port that it has printed.
function programs.listen(command)
  local program = programs.start(command, "[Ll]istening on [^\n]*\n")
  return program, tonumber(program:output():match "[Ll]istening on[^\n]*[ :](%d+)\n")
end

function programs.stop_all()
  for program in pairs(running) do program:stop() end
end

-- Runs a command to its end, with a text as its input: what it printed, and its status where that is not 0.
function programs.run(command, input)
  local file = helper.file(input or "")
  local output, status = helper.run(("timeout %d env %s < %s"):format(helper.patience, command, file))
  return output .. (status == 0 and "" or "status " .. status)
end

return programs
