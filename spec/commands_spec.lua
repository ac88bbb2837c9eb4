-- The commands in the documents: what they name exists, and those that run samples run as they stand, one after the
-- other, in a folder that looks like the repository after "make LUA=lua5.4".
local helper = require "spec.helper"
local process = require "spec.process"
local lfs = require "lfs"

after_each(helper.remove_paths)

-- ---- what the documents say ----

local makefile = process.read "Makefile"

local documents = { "README.md", "CONTRIBUTING.md" }
for name in lfs.dir "doc" do
  if name:find "%.md$" then documents[#documents + 1] = "doc/" .. name end
end
table.sort(documents)

-- The lines of a document that are indented by four and stand in no block of code, without their comments.
local function commands_of(path)
  local commands, fenced, indented = {}, false, false
  local before = ""
  for line in (process.read(path) .. "\n"):gmatch "(.-)\n" do
    if line:find "^```" then fenced = not fenced end
    local command = not fenced and line:match "^    (%S.-)%s*$"
    indented = command and (indented or before == "") -- what goes on from a list or a paragraph is none
    if indented then commands[#commands + 1] = command:gsub("%s+# .*$", "") end
    before = line
  end
  return commands
end

-- ---- what exists ----

local function exists(path)
  return lfs.attributes(path) ~= nil
end

-- "make test LUA=lua5.4": has the Makefile these targets, and does it know these variables?
local function check_make(command)
  for word in command:gsub("^make", ""):gmatch "%S+" do
    local variable = word:match "^([%u_]+)="
    if variable then
      assert.truthy(makefile:find("%f[%w_]" .. variable .. "%f[^%w_]"), command)
    else
      assert.truthy(makefile:find("\n" .. word:gsub("%p", "%%%0") .. ":"), command)
    end
  end
end

local function check_exists(command)
  if command:find "^make %-C" then return end -- in another project's folder
  if command:find "^make" then return check_make(command) end
  for word in command:gmatch "%S+" do
    local path = word:match "^[%w_.]+/[%w_/.-]*[%w_]$"
    if path and not path:find "^build/" then assert.truthy(exists(path), command) end
  end
end

describe("the commands", function()
  for _, path in ipairs(documents) do
    it("in " .. path .. " name targets and files that exist", function()
      for _, command in ipairs(commands_of(path)) do
        local program = command:gsub("^[%u_]+=%d+ ", "")
        if program:find "^make" or program:find "^tools/" or program:find "^bench/" then check_exists(program) end
      end
    end)
  end

  it("and files that CONTRIBUTING.md has between backquotes exist", function()
    local count = 0
    for text in process.read("CONTRIBUTING.md"):gmatch "`([^`\n]+)`" do
      if text:find "^[%w_.]+/[%w_/.]*$" then
        count = count + 1
        assert.truthy(exists((text:gsub("/$", ""))), text)
      elseif text:find "^make" then
        check_make(text)
      end
    end
    assert.is_true(count > 15)
  end)

  it("in every document begin so that they are checked here", function()
    local begins = { "^make", "^tools/", "^bench/", "^lua5%.4 samples/", "^nc ", "^curl ", "^export ", "^luarocks make",
      "^LUA_PATH=", "^echo ", "^systemd%-socket%-activate " }
    for _, path in ipairs(documents) do
      for _, command in ipairs(commands_of(path)) do
        local program, known = command:gsub("^[%u_]+=%d+ ", ""), false
        for _, pattern in ipairs(begins) do known = known or program:find(pattern) end
        assert.truthy(known, path .. ": " .. command)
      end
    end
  end)
end)

-- ---- what runs ----

-- What is typed into a command, and a pattern of all that it prints. Servers, which end in "&", are ready when they
-- have printed something.
local expected = {
  ["nc 127.0.0.1 8000"] = { "hello\n", "^hello\n$" },
  ["nc 127.0.0.1 8001"] = { "hello\n", "^hello\n$" },
  ["nc 127.0.0.1 16005"] = { "Ann\nhello\n", "^your name%? .*Ann" },
  ["lua5.4 samples/portscan.lua localhost 22,80,8000-8999"] = { "", "^0 open, 1002 refused, 0 silent\n$" },
  ["lua5.4 samples/racedns.lua localhost 127.0.0.1#16006 ::1#16006"] = { "", "127%.0%.0%.1\n" },
  ["lua5.4 samples/fetch.lua http://localhost:16080/ /bytes/40"] = { "", "HTTP" },
  ["curl --socks5-hostname 127.0.0.1:16012 http://localhost:16080/"] = { "", "Hello" },
  ["echo 'visits:1|c' | nc -u -w 1 127.0.0.1 8125"] = { "", "^$" },
  ["lua5.4 samples/redis.lua localhost 6379 \"set colour green\" \"get colour\""] = { "", "^redis: .*refused" }, -- none
  ["nc 127.0.0.1 16003"] = { "quit\n", "" },
  ["lua5.4 samples/registry.lua /tmp/registry \"set colour green\" \"get colour\""] = { "", "green" },
  ["lua5.4 samples/unix_client.lua /tmp/echo \"some words\""] = { "", "^some words\n$" },
  ["lua5.4 samples/announce.lua kitchen"] = { "", "^$" }, -- nobody else is there
  ["lua5.4 samples/udp_client.lua 16007 \"some words\" quit"] = { "", "some words\n.*quit\n$" },
}

-- Servers that print nothing: their ports.
local silent = { ["loop_echo.lua"] = 8000 }

-- What the samples of a document need.
local needs = { ["doc/multicast.md"] = { "groups" }, ["doc/messages.md"] = { "pktinfo", "control" } }

local tools = { nc = true, curl = true, ["systemd-socket-activate"] = true }

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Where a program is.
local function which(program)
  return (helper.run("command -v " .. helper.quote(program)):gsub("\n$", ""))
end

-- The folder of the module that the specs use.
local function module_folder()
  for folder in package.cpath:gmatch "([^;]+)/%?%.so" do
    if exists(folder .. "/lsocket.so") then return folder:find "^/" and folder or lfs.currentdir() .. "/" .. folder end
  end
end

-- A folder with what the repository's has, the module where "make LUA=lua5.4" puts it, the README's program, and in
-- bin/ an interpreter of that name and an nc that ends with its input.
local function make_folder()
  local folder = helper.path()
  for _, path in ipairs { "", "/build", "/bin", "/tmp" } do assert(lfs.mkdir(folder .. path)) end
  for _, name in ipairs { "/lib", "/samples" } do lfs.link(lfs.currentdir() .. name, folder .. name, true) end
  lfs.link(module_folder(), folder .. "/build/lua5.4", true)
  write(folder .. "/loop_echo.lua", process.read("README.md"):match "```lua\n(%-%- loop_echo%.lua\n.-)```")
  local preload = helper.quote(os.getenv "LD_PRELOAD" or "") -- a sanitizer, which nothing but Lua needs
  local options = helper.quote(os.getenv "ASAN_OPTIONS" or "")
  write(folder .. "/bin/lua5.4", ("#!/bin/sh\nLD_PRELOAD=%s ASAN_OPTIONS=%s exec %s \"$@\"\n")
    :format(preload, options, helper.quote(which(helper.interpreter))))
  write(folder .. "/bin/nc", ("#!/bin/sh\nexec %s -N \"$@\"\n"):format(which "nc"))
  return folder
end

local prologue = [[
unset LD_PRELOAD LUA_INIT LUA_PATH LUA_CPATH
for minor in 2 3 4 5; do unset LUA_PATH_5_$minor LUA_CPATH_5_$minor; done
cd "$1" && chmod +x bin/* || exit
PATH=$PWD/bin:$PATH
pids=
trap 'kill $pids 2> /dev/null; wait' EXIT
trap 'exit 1' TERM
eventually() { until "$@" > /dev/null 2>&1; do sleep 0.02; done; }
]]

-- The script that runs commands; each command's output is in the file out.N.
local function script_of(commands)
  local lines = { prologue }
  for i, command in ipairs(commands) do
    local program = command:match "lua5%.4 ([%w_]+%.lua)$"
    local server = command:match "^(.-)%s*&$" or (silent[program] and command)
    command, server = command:gsub("/tmp/", "tmp/"), server and server:gsub("/tmp/", "tmp/")
    if command:find "^export" then
      lines[#lines + 1] = command
    elseif server then
      lines[#lines + 1] = ("%s > out.%d 2>&1 < /dev/null & pids=\"$pids $!\""):format(server, i)
      lines[#lines + 1] = silent[program] and "eventually nc -z 127.0.0.1 " .. silent[program]
        or ("eventually test -s out.%d"):format(i)
    else
      local typed = command:find("|", 1, true) and "" or " < in." .. i
      lines[#lines + 1] = ("%s > out.%d 2>&1%s"):format(command, i, typed)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The commands of a document that run programs, without those that only build or install.
local function programs_of(path)
  local commands = {}
  for _, command in ipairs(commands_of(path)) do
    local is_other = command:find "^make" or command:find "^luarocks" or command:find "^tools/"
    if not is_other then commands[#commands + 1] = command end
  end
  return commands
end

describe("the commands that run programs", function()
  for _, path in ipairs { "README.md", "doc/loop.md", "doc/unix.md", "doc/descriptors.md", "doc/multicast.md",
    "doc/messages.md" } do
    it("in " .. path .. " run as they stand", function()
      helper.need.sandbox(pending)
      for _, need in ipairs(needs[path] or {}) do helper.need[need](pending) end
      local commands, folder = programs_of(path), make_folder()
      for i, command in ipairs(commands) do
        for tool in command:gmatch "[%a-][%w-]*" do
          if tools[tool] then helper.need.tool(pending, "command -v " .. tool) end
        end
        write(folder .. "/in." .. i, expected[command] and expected[command][1] or "")
      end
      write(folder .. "/script", script_of(commands))
      finally(function() os.execute("rm -rf " .. folder) end)
      local output, status = helper.run(("timeout %d sh %s/script %s"):format(helper.patience, folder, folder))
      assert.equal("", output)
      assert.not_equal(124, status) -- out of time
      for i, command in ipairs(commands) do
        local printed = process.read(folder .. "/out." .. i)
        if expected[command] then
          assert.truthy((printed or ""):find(expected[command][2]), command .. "\n" .. tostring(printed))
        else
          assert.truthy(command:find "^export" or command:find "&$" or command:find "loop_echo", "unknown: " .. command)
        end
      end
    end)
  end
end)
