-- No descriptors are left: what the loop answers then.
local helper = require "spec.helper"

describe("without a descriptor", function()
  for _, limit in ipairs { 24, 25, 26, 27, 40 } do
    it("the functions of the loop answer EMFILE, and work again later (" .. limit .. ")", function()
      helper.settle()
      local output, status = helper.run(helper.limited(limit) .. helper.command "exhausted")
      assert.equal("fine\n", output)
      assert.equal(0, status)
    end)
  end
end)
