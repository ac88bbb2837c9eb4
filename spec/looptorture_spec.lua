-- What must hold whatever happens: tasks cancelled and closed under at random, a resolver that never answers, memory.
local helper = require "spec.helper"

local need = helper.need

describe("tasks that are cancelled, closed under or left alone at random", function()
  it("all end, and leave nothing", function()
    need.proc(pending)
    local count = 200 * helper.scale(10) -- so many at once; "make check" has more
    local output, status = helper.run(helper.command("looptorture", count, os.time() % 100000))
    assert.equal(0, status, output)
    assert.truthy(output:find(count .. " tasks have ended\n0 descriptors more\n", 1, true), output)
    need.speed(pending) -- sanitizers keep memory of their own
    assert.truthy(output:find("no memory more\n", 1, true), output)
  end)
end)

describe("a resolver that never answers", function()
  for _, what in ipairs { "timer", "deadline", "cancel", "exit" } do
    it("does not hold up: " .. what, function()
      need.sandbox(pending)
      need.speed(pending)
      local output, status = helper.run("spec/silent/run " .. helper.command("loophang", what))
      assert.equal(0, status, output)
      assert.equal("fine\n", output)
    end)
  end
end)
