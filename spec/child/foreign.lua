-- Runs programs that were written for LuaSocket: foreign.lua theirs|ours|task PROGRAM [ARGUMENT]... [+ PROGRAM ...]
-- theirs: on LuaSocket; ours: on lsocket.luasocket; task: on that, in a task of the loop. There several run side by
-- side, and all is over when the last of them has ended.
-- LS_DEBUG_BUILD=1: what LuaSocket's debug build has more, which some of its tests ask for.
local mode = arg[1]
io.stdout:setvbuf "line" -- servers are killed

if mode ~= "theirs" then require "lsocket.luasocket".install { pcall = true, sigpipe = true } end

-- In the debug build send and receive return how long they took, too.
local function make_debug()
  local core = require "socket.core"
  require "socket.unix"
  core._DEBUG = true
  local function finish(began, a, b, c) return a, b, c, core.gettime() - began end
  for _, class in ipairs { "tcp{client}", "unixstream{client}" } do
    local methods = debug.getregistry()[class].__index
    for _, name in ipairs { "send", "receive" } do
      local method = methods[name]
      methods[name] = function(...) return finish(core.gettime(), method(...)) end
    end
  end
end

if os.getenv "LS_DEBUG_BUILD" then make_debug() end

local programs = { {} }
for i = 2, #arg do
  if arg[i] == "+" then programs[#programs + 1] = {}
  else table.insert(programs[#programs], arg[i]) end
end

-- The arguments as the interpreter would give them: the program itself has the number 0.
local function arguments_of(program)
  local arguments = {}
  for i, argument in ipairs(program) do arguments[i - 1] = argument end
  return arguments
end

-- A text that is compiled with these globals.
local function compile(globals, text, name)
  if setfenv then return setfenv(assert(loadstring(text, name)), globals) end -- Lua 5.1 and LuaJIT
  return assert(load(text, name, "t", globals))
end

-- A program with globals of its own, of which ending is left to another one.
local function compile_alone(program)
  local globals = setmetatable({ arg = arguments_of(program) }, { __index = _G })
  globals._G = globals
  globals.load = function(text) return compile(globals, text, "=load") end
  globals.loadstring = globals.load
  globals.os = setmetatable({ exit = function() require "lsocket.loop".sleep(math.huge) end }, { __index = os })
  local file = assert(io.open(program[1]))
  local text = file:read "*a"
  file:close()
  return compile(globals, text, "@" .. program[1])
end

local last = table.remove(programs)
_G.arg = arguments_of(last)
local main = assert(loadfile(last[1]))

if mode == "task" then
  local loop = require "lsocket.loop"
  function loop.onerror(_, trace) -- a server has died
    io.stderr:write("ERROR: ", trace, "\n")
    os.exit(1)
  end
  loop.run(function()
    for _, program in ipairs(programs) do loop.spawn(compile_alone(program)) end
    if programs[1] then loop.sleep(1) end -- servers come first
    main()
    os.exit(0)
  end)
else
  assert(#programs == 0, "several programs can only be tasks")
  main()
end
