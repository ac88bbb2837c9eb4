-- What one task does wrong must not end the loop, nor be told to nobody: errors of every kind, handlers of errors that
-- fail, joiners that have gone; and a program whose first task fails ends, whatever the others do.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local stream = require "lsocket.stream"

local fails, need, raises = helper.fails, helper.need, helper.raises
local run = inloop.run

-- Runs with a handler of errors.
local function with_handler(handler, fn)
  local before = loop.onerror
  loop.onerror = handler
  local ok, problem = pcall(run, fn)
  loop.onerror = before
  assert(ok, problem)
end

-- The traces that a handler is told while a function runs.
local function told(fn)
  local list = {}
  with_handler(function(_, trace) list[#list + 1] = trace end, fn)
  return list
end

local function object(methods) return setmetatable({}, methods) end

-- Errors, each with whether it is text; the first one is nil.
local problems = {
  n = 18, nil, "text", 1, 0 / 0, true, false, {}, print, coroutine.create(function() end), io.stdout,
  object { __tostring = function() error "no text" end },
  object { __tostring = function() error({}) end },
  object { __tostring = function() return {} end },
  object { __tostring = function() loop.sleep(1) end },
  object { __tostring = function() loop.step(0) end },
  object { __tostring = function() coroutine.yield() end },
  object { __metatable = false, __tostring = function() error "no text" end },
  object { __eq = function() error "eq" end, __index = function() error "index" end, __name = 1 },
}

local function same(a, b)
  return rawequal(a, b) or a ~= a and b ~= b
end

describe("an error of any value", function()
  it("that nobody joins is told, and ends no other task", function()
    for i = 1, problems.n do
      local went_on
      local list = told(function()
        loop.spawn(function() error(problems[i], 0) end)
        loop.spawn(function()
          loop.sleep(0)
          error(problems[i], 0)
        end)
        assert.is_true(loop.sleep(0.001))
        went_on = true
      end)
      assert.is_true(went_on)
      assert.equal(2, #list, "problem " .. i)
      assert.equal("string", type(list[1]))
    end
  end)

  it("reaches who joins the task, and who runs the loop", function()
    for i = 2, problems.n do
      run(function()
        local task = loop.spawn(function()
          loop.sleep(0)
          error(problems[i], 0)
        end)
        for _ = 1, 2 do
          local ok, problem = loop.pcall(task.join, task)
          assert.is_false(ok)
          assert.is_true(same(problems[i], problem), "joined " .. i)
        end
        local ok, problem = loop.pcall(loop.deadline, 1, error, problems[i], 0)
        assert.is_false(ok)
        assert.is_true(same(problems[i], problem), "deadline " .. i)
      end)
      local ok, problem = pcall(loop.run, function() error(problems[i], 0) end)
      assert.is_false(ok)
      assert.is_true(type(problem) == "string" or same(problems[i], problem), "run " .. i)
    end
  end)
end)

-- A server whose handlers all fail must go on to serve, and have none in the end.
local function serve_failing_handlers()
  local server = assert(loop.serve("127.0.0.1", 0, function() error "the handler fails" end, { limit = 1 }))
  for _ = 1, 3 do
    local client = assert(loop.connect("127.0.0.1", server:info("socket").port))
    local data, _, name = client:read()
    assert.is_nil(data)
    assert.is_true(name == nil or name == "ECONNRESET", name)
    client:close()
  end
  assert.is_true(server:close(helper.patience))
end

describe("loop.onerror", function()
  local handlers = {
    ["that raises"] = function() error "the handler of errors fails" end,
    ["that raises what has no text"] = function() error(problems[11]) end,
    ["that yields"] = function() coroutine.yield() end,
    ["that waits"] = function() loop.sleep(0) end,
    ["that calls loop.step"] = function() loop.step(0) end,
    ["that calls loop.run"] = function() loop.run(function() end) end,
    ["that joins the task"] = function(task) task:join() end,
    ["that cancels the task"] = function(task) assert.is_false(task:cancel()) end,
    ["that spawns one"] = function() loop.spawn(function() end) end,
    ["that is no function"] = 5,
    ["that is not there"] = nil,
    ["that is callable"] = object { __call = function() end },
  }
  local names = { "that is not there" }
  for name in pairs(handlers) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    it(name .. " ends neither the loop nor a server", function()
      -- What is written to standard error then is looked at below.
      local before = io.stderr
      io.stderr = { write = function() end } -- luacheck: ignore 122
      local ok, problem = pcall(with_handler, handlers[name], function()
        loop.spawn(error, "a task fails")
        serve_failing_handlers()
        assert.is_true(loop.sleep(0.001))
      end)
      io.stderr = before -- luacheck: ignore 122
      assert(ok, problem)
    end)
  end

  it("that yields does not stop a loop that runs in a coroutine", function()
    local done
    local thread = coroutine.create(function()
      with_handler(function() coroutine.yield "stopped" end, function()
        loop.spawn(error, "a task fails")
        loop.sleep(0)
      end)
      done = true
    end)
    local before = io.stderr
    io.stderr = { write = function() end } -- luacheck: ignore 122
    local ok, problem = coroutine.resume(thread)
    io.stderr = before -- luacheck: ignore 122
    assert.is_true(ok, problem)
    if not done then pending "pcall does not let a coroutine yield" end
    assert.equal("dead", coroutine.status(thread))
    loop.run(function() end)
  end)

  it("is not missed when standard error is closed", function()
    -- A socket gets its number, and what is written to it may raise SIGPIPE.
    local output, status = helper.run("trap '' PIPE; " .. helper.command "guard" .. " 2>&-")
    assert.equal("served\nwent on\n", output)
    assert.equal(0, status)
  end)

  it("is what standard error says otherwise, with what is wrong with it", function()
    local output, status = helper.run(helper.command("guard", "raise"))
    assert.equal(0, status)
    assert.truthy(output:find("lsocket.loop: onerror: ", 1, true), output)
    assert.truthy(output:find("the handler fails", 1, true), output)
  end)
end)

describe("a foreign object that gives no descriptor any more", function()
  it("ends nothing when its task is cancelled, has waited or had a deadline", function()
    run(function()
      for _, way in ipairs { "cancel", "event", "deadline" } do
        local near, far = lsocket.pair()
        local closed
        local foreign = { getfd = function() return not closed and near:getfd() or nil end }
        local task = loop.spawn(function() return loop.deadline(0.005, loop.wait, foreign, "r") end)
        loop.sleep(0)
        closed = true
        if way == "event" then far:send "x" else near:close() end
        if way == "cancel" then task:cancel() end
        task:join()
        assert.is_true(loop.sleep(0.001))
        fails("EBADF", loop.wait(foreign, "r"))
        near:close()
        far:close()
      end
    end)
  end)
end)

describe("the error of a task, in the turn in which who joins it", function()
  local function lost(fn)
    local seen
    local list = told(function()
      local joiner
      local worker = loop.spawn(function() fn(joiner) error "not lost" end)
      joiner = loop.spawn(function()
        local ok, problem = loop.pcall(worker.join, worker)
        if not ok then seen = problem end
      end)
      joiner:join()
      loop.sleep(0)
    end)
    assert.equal(1, #list + (seen and 1 or 0))
    assert.truthy((list[1] or seen):find("not lost", 1, true))
  end

  it("was cancelled before, is told", function()
    lost(function(joiner)
      loop.sleep(0)
      loop.sleep(0)
      joiner:cancel()
    end)
  end)

  it("is cancelled after, is told", function()
    local seen
    local list = told(function()
      local worker = loop.spawn(function()
        loop.sleep(0)
        loop.sleep(0)
        error "not lost"
      end)
      local joiner = loop.spawn(function()
        local ok, problem = loop.pcall(worker.join, worker)
        if not ok then seen = problem end
      end)
      loop.sleep(0)
      loop.sleep(0)
      joiner:cancel()
      joiner:join()
    end)
    assert.equal(1, #list + (seen and 1 or 0))
  end)

  for _, first in ipairs { "the joiner", "the task" } do
    it("has a deadline that passes at once with it, " .. first .. " first, is told", function()
      local seen
      local list = told(function()
        local worker = loop.spawn(function()
          loop.sleep(first == "the task" and 0.0009 or 0.0011)
          error "not lost"
        end)
        local joiner = loop.spawn(function()
          loop.deadline(0.001, function()
            local ok, problem = loop.pcall(worker.join, worker)
            if not ok then seen = problem end
          end)
        end)
        loop.sleep(0)
        local busy = loop.now() + 0.005
        repeat until loop.now() > busy
        joiner:join()
        loop.pcall(loop.sleep, 0.002)
      end)
      assert.equal(1, #list + (seen and 1 or 0))
    end)
  end

  it("is abandoned with others that join it, reaches those", function()
    local seen = 0
    local list = told(function()
      local worker = loop.spawn(function()
        loop.sleep(0)
        loop.sleep(0)
        error "not lost"
      end)
      local joiners = {}
      for i = 1, 3 do
        joiners[i] = loop.spawn(function()
          local ok, a = loop.pcall(worker.join, worker)
          if not ok and tostring(a):find "not lost" then seen = seen + 1 end
        end)
      end
      loop.sleep(0)
      joiners[1]:cancel()
      joiners[3]:cancel()
      for i = 1, 3 do joiners[i]:join() end
    end)
    assert.equal(0, #list)
    assert.is_true(seen >= 1)
  end)

  it("had a time of its own for it that is over, is told", function()
    local list = told(function()
      local worker = loop.spawn(function()
        loop.sleep(0.003)
        error "not lost"
      end)
      fails("ETIMEDOUT", loop.deadline(0.001, worker.join, worker))
      loop.sleep(0.005)
    end)
    assert.equal(1, #list)
  end)

  it("closes its variables while it is abandoned, is told", function()
    if not coroutine.close then pending "this Lua closes no coroutines" end
    local body = assert(load [[
      local loop = ...
      loop.deadline(60, function()
        local guard <close> = setmetatable({}, { __close = function() error "not lost" end })
        while true do loop.sleep(60) end
      end)
    ]])
    local list, before = {}, loop.onerror
    loop.onerror = function(_, trace) list[#list + 1] = trace end
    raises("enough", loop.run, function()
      loop.spawn(body, loop)
      loop.sleep(0)
      error "enough"
    end)
    loop.onerror = before
    assert.equal(1, #list)
    assert.truthy(list[1]:find("not lost", 1, true))
  end)
end)

describe("when the first task fails, run raises within a second, though others", function()
  local function pair()
    local near, far = lsocket.pair()
    return stream.new(near), far
  end

  local spawner, pairs_of_spawners
  function spawner()
    loop.spawn(spawner)
    loop.sleep(0)
  end
  function pairs_of_spawners()
    loop.spawn(pairs_of_spawners)
    loop.spawn(pairs_of_spawners)
    loop.sleep(0)
  end

  local others = {
    ["sleep"] = function() loop.sleep(0.01) end,
    ["sleep for no time"] = function() loop.sleep(0) end,
    ["have deadlines"] = function() loop.deadline(0.01, loop.sleep, 60) end,
    ["read"] = { pair, function(near) near:read() end },
    ["read what comes"] = { pair, function(near) near:readsome() end },
    ["write"] = { pair, function(near) near:write(("x"):rep(1000000)) end },
    ["accept"] = { function() return loop.listen("127.0.0.1", 0) end, function(server) server:accept() end },
    ["join"] = {
      function() return loop.spawn(function() while true do loop.sleep(60) end end) end,
      function(task) task:join() end,
    },
    ["wait"] = { pair, function(near) loop.wait(near, "r", 60) end },
    ["wait, and catch errors"] = { pair, function(near) loop.pcall(loop.wait, near, "r") end },
    ["look names up"] = function() loop.resolve "localhost" end,
    ["connect"] = function() loop.connect("localhost", 1) end,
    ["yield"] = function() coroutine.yield() end,
    ["spawn"] = function() loop.spawn(loop.sleep, 0) loop.sleep(0) end,
    ["spawn, and join those"] = function() loop.spawn(loop.sleep, 0):join() end,
    ["spawn one after the other for ever"] = { function() loop.spawn(spawner) end, function() loop.sleep(0) end },
    ["spawn more and more"] = { function() loop.spawn(pairs_of_spawners) end, function() loop.sleep(0) end },
    ["fail"] = function()
      loop.spawn(error, "another one")
      loop.sleep(0)
    end,
  }
  local function go_on(other)
    local what, again, keep = nil, other, nil
    if type(other) == "table" then
      what, keep = other[1]()
      again = other[2]
    end
    loop.spawn(function()
      while keep ~= loop do again(what) end
    end)
  end

  -- Those that spawn have a test each, the rest are in one.
  local groups, rest = {}, {}
  for name, other in pairs(others) do
    if name:find "^spawn" then groups[name] = { other } else rest[#rest + 1] = other end
  end
  groups["wait"] = rest

  for name, group in pairs(groups) do
    it(name .. " for ever", function()
      local before, failed = loop.onerror, nil
      loop.onerror = function() end
      local ok, problem = pcall(loop.run, function()
        for _, other in ipairs(group) do go_on(other) end
        loop.sleep(0)
        failed = helper.now()
        error "enough"
      end)
      local took = helper.now() - failed
      loop.onerror = before
      assert.is_false(ok)
      assert.truthy(tostring(problem):find("enough", 1, true), problem)
      assert.is_true(took < helper.patience / 2, "it took " .. took)
      assert.is_true(loop.run(loop.sleep, 0.001)) -- and the loop can be used again
    end)
  end

  it("and at once where they end", function()
    need.speed(pending)
    local function seconds()
      local begun = helper.now()
      raises("enough", loop.run, function()
        for _ = 1, 3 do loop.spawn(loop.sleep, 60) end
        loop.sleep(0)
        error "enough"
      end)
      return helper.now() - begun
    end
    assert.is_true(helper.below(0.5, seconds) < 0.5)
  end)

  it("and what is closed then cannot turn the loop", function()
    if not coroutine.close then pending "this Lua closes no coroutines" end
    local seen = {}
    local body = assert(load [[
      local loop, seen = ...
      local guard <close> = setmetatable({}, { __close = function()
        for _, name in ipairs { "run", "step", "sleep" } do
          seen[#seen + 1] = pcall(loop[name], name == "run" and function() end or 0)
        end
        loop.spawn(function() end)
      end })
      while true do loop.sleep(60) end
    ]])
    raises("enough", loop.run, function()
      loop.spawn(body, loop, seen)
      loop.sleep(0)
      error "enough"
    end)
    assert.same({ false, false, false }, seen)
    assert.is_true(loop.run(loop.sleep, 0.001))
  end)
end)
