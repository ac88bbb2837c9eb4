local helper = require "spec.helper"

describe("a finalizer", function()
  -- In a process of its own, where the collector is through with all that there is in few steps.
  it("can spawn tasks while others are woken, of which none is forgotten", function()
    assert.equal("5000\ttrue\n", helper.run(helper.command "finalizers"))
  end)
end)
