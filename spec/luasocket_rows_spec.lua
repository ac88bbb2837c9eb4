-- lsocket.luasocket does as LuaSocket does: each row of spec/luasocket/ on LuaSocket, where there is one for this Lua,
-- on ours, and on ours in a task.
local helper = require "spec.helper"

local files = { "tcp", "receive", "send", "timeouts", "options", "select", "udp", "unix", "except", "differ" }

local has_theirs = pcall(require, "socket.core")

-- The results of the rows of a file, by number, as a child prints them.
local function run(which, file)
  local output = helper.run(helper.bounded(2 * helper.patience, helper.command("luasocket", which, file)))
  local results = {}
  for number, text in output:gmatch "(%d+)\t([^\n]*)" do results[tonumber(number)] = text end
  if not output:find "\nend\n$" then results.rest = output:match "([^\n]*)\n*$" end
  return results
end

for _, file in ipairs(files) do
  describe("rows of " .. file, function()
    local theirs, ours, task

    lazy_setup(function()
      if has_theirs then theirs = run("theirs", file) end
      ours, task = run("ours", file), run("task", file)
    end)

    for number, row in ipairs(require("spec.luasocket." .. file)) do
      it(row[1] .. (row.why and " (wanted to differ)" or ""), function()
        local wanted = row.ours or row[2]
        local function found(results, otherwise)
          return results and (results[number] or "no result; last line: " .. tostring(results.rest)) or otherwise
        end
        if not (ours[number] or ours.rest) then pending("needs: " .. row.needs) end
        assert.same({ theirs = row[2], ours = wanted, task = wanted },
          { theirs = found(theirs, row[2]), ours = found(ours), task = found(task) })
      end)
    end
  end)
end
