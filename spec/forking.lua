-- fork(2) for specs, by a C module that is compiled when it is first needed; and descriptors that are closed and copied
-- behind the library's back.
local helper = require "spec.helper"

local forking = {}
local system

-- Skips a test where there is no compiler for it.
function forking.need(pending)
  helper.need.tool(pending, "cc --version")
  if system then return system end
  local path = helper.path() .. ".so"
  local output, status = helper.run("cc -shared -fPIC -o " .. path .. " spec/forking.c " ..
    "$([ $(uname -s) != Darwin ] || echo -undefined dynamic_lookup)")
  assert(status == 0, output)
  system = assert(package.loadlib(path, "luaopen_forking"))()
  os.remove(path)
  for name, call in pairs(system) do forking[name] = forking[name] or call end
  return system
end

-- Runs a function in a child that ends with it. Answers the child's number.
function forking.start(run)
  local pid = system.fork()
  assert(pid >= 0, "no fork")
  if pid > 0 then return pid end
  local ok, message = xpcall(run, debug.traceback)
  if not ok then io.stderr:write("in a child: ", tostring(message), "\n") end
  system.exit(ok and 0 or 1)
end

-- The child must have had no error.
function forking.finish(pid)
  local status = system.wait(pid)
  if status ~= 0 then error("the child ended with " .. status, 2) end
end

-- Runs a function in a child, to its end.
function forking.run(run)
  forking.finish(forking.start(run))
end

return forking
