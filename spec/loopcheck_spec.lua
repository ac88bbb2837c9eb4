-- What the loop and its streams are called with: what is wrong is named, at the place where it was called.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"

local nan = 0 / 0
local sock = assert(lsocket.pair())
local never = stream.new(sock) -- is read

-- A text, a function, its arguments.
local wrong = {
  { "#1 to 'run' (function expected, got nil)", loop.run },
  { "#1 to 'spawn' (function expected, got table)", loop.spawn, {} },
  { "#1 to 'step' (number expected, got string)", loop.step, "1" },
  { "#1 to 'sleep' (number expected, got nan)", loop.sleep, nan },
  { "#1 to 'deadline' (number expected, got nil)", loop.deadline },
  { "#2 to 'deadline' (function expected, got nil)", loop.deadline, 1 },
  { "#3 to 'wait' (number expected, got nan)", loop.wait, sock, "r", nan },
  { "#1 to 'resolve' (string expected, got number)", loop.resolve, 5 },
  { "#2 to 'resolve' (inet or inet6 expected, got string)", loop.resolve, "localhost", "x" },
  { "#1 to 'connect' (string expected, got nil)", loop.connect, nil, 1 },
  { "#3 to 'connect' (table expected, got number)", loop.connect, "127.0.0.1", 1, 5 },
  { "#3 to 'connect' (delay: number from 0 on expected, got string)", loop.connect, "127.0.0.1", 1, { delay = "1" } },
  { "#3 to 'connect' (delay: number from 0 on expected, got nan)", loop.connect, "127.0.0.1", 1, { delay = nan } },
  { "#3 to 'connect' (max: integer from 1 to 2147483647 expected", loop.connect, "127.0.0.1", 1, { max = 1.5 } },
  { "#3 to 'connect' (family: inet, inet6 or unix expected", loop.connect, "127.0.0.1", 1, { family = "x" } },
  { "#1 to 'listen' (string expected, got number)", loop.listen, 80 },
  { "#3 to 'listen' (table expected, got boolean)", loop.listen, "127.0.0.1", 0, true },
  { "#3 to 'listen' (max: integer from 1 to 2147483647 expected", loop.listen, "127.0.0.1", 0, { max = 2 ^ 31 } },
  { "#1 to 'serve' (string expected, got nil)", loop.serve, nil, 0, print },
  { "#3 to 'serve' (function expected, got nil)", loop.serve, "127.0.0.1", 0 },
  { "#4 to 'serve' (limit: number from 1 on expected", loop.serve, "127.0.0.1", 0, print, { limit = 0 } },
  { "#1 to 'new' (socket expected, got nil)", stream.new },
  { "#1 to 'new' (socket expected, got table)", stream.new, { recv = sock.recv, sendrest = sock.sendrest } },
  { "#1 to 'new' (socket expected, got userdata)", stream.new, io.stdout },
  { "#1 to 'readsome' (integer from 1 to 2147483647 expected, got number)", never.readsome, never, 0 },
  { "#1 to 'readsome' (integer from 1 to 2147483647 expected, got string)", never.readsome, never, "1" },
  { "#2 to 'new' (max: integer from 1 to 2147483647 expected", stream.new, sock, { max = 0 } },
}

describe("a wrong argument", function()
  for _, case in ipairs(wrong) do
    it(case[1], function()
      local ok, problem = pcall(function()
        local answer = case[2](case[3], case[4], case[5], case[6]) -- no tail call: the place is told
        return answer
      end)
      assert.is_false(ok)
      assert.truthy(problem:find("loopcheck_spec.lua:%d+: bad argument "), problem)
      assert.truthy(problem:find(case[1], 1, true), problem)
    end)
  end

  it("leaves the loop as it was", function()
    assert.equal("done", loop.run(loop.deadline, helper.patience, function() return "done" end))
  end)
end)
