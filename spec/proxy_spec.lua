-- samples/proxy.lua, run as a program: doc/loop.md ends with it.
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local sample = require "spec.sample"

local function with_proxy(target, fn)
  sample.with(fn, "proxy", 0, "127.0.0.1", target)
end

describe("samples/proxy.lua", function()
  it("passes everything on, both ways, and the end of either side", function()
    loop.run(loop.deadline, helper.patience, function()
      local server = assert(loop.serve("127.0.0.1", 0, function(client)
        client:write("you said: ", client:read("a"))
      end))
      with_proxy(server:info("socket").port, function(port)
        local data = ("0123456789"):rep(100000)
        for _ = 1, 3 do
          local client = assert(loop.connect("127.0.0.1", port))
          local writer = loop.spawn(function()
            assert(client:write(data))
            client:shutdown("w")
          end)
          assert.equal("you said: " .. data, client:read("a"))
          writer:join()
          client:close()
        end
      end)
      server:close()
    end)
  end)

  it("closes the connection when the other server cannot be reached", function()
    local refusing, keeper = helper.refusing_port()
    with_proxy(refusing, function(port, pipe)
      loop.run(loop.deadline, helper.patience, function()
        local client = assert(loop.connect("127.0.0.1", port))
        assert.equal("", client:read("a"))
        client:close()
      end)
      local told = "cannot reach 127.0.0.1: 127.0.0.1:" .. refusing .. ": Connection refused"
      assert.truthy(pipe:read("*l"):find(told, 1, true))
    end)
    assert.truthy(keeper)
  end)
end)
