-- Runs the rows of a file of spec/luasocket/ on LuaSocket or on lsocket.luasocket, that also in a task:
-- luasocket.lua theirs|ours|task FILE. Prints the number of each row that can be run, and its results.
local which, name = ...
local common = require "spec.luasocket.common"

if which ~= "theirs" then require "lsocket.luasocket".install() end
local socket, unix = require "socket.core", require "socket.unix"

local function results(ok, ...)
  return ok and common.show(...) or "error: " .. tostring((...))
end

local function run()
  for number, row in ipairs(require("spec.luasocket." .. name)) do
    if not row.needs or common.has[row.needs]() then
      print(number, results(pcall(row[3], socket, unix)))
      common.tidy()
    end
  end
  print "end"
end

io.stdout:setvbuf "line"
if which == "task" then require "lsocket.loop".run(run) else run() end
