-- The public names are the same in the module, the manual, the annotations and the specs, and the documents' examples
-- run. What each function does is left to the other specs.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local lfs = require "lfs"

local SELF = "public_spec.lua"
local PATIENCE = 10 -- seconds that an example may run
local root = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") or ""

-- ---- reading ----

local function read(path)
  local file = assert(io.open(root .. path))
  local text = file:read("*a")
  file:close()
  return text
end

local function lines_of(text)
  return text:gmatch("([^\n]*)\n")
end

-- A set of names as one sorted text: a difference shows at once.
local function sorted(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, "\n")
end

-- ---- the names, from where they are ----

-- A task and a server of the loop, which have ended.
local function loop_objects()
  return loop.run(function()
    local server = assert(loop.listen("127.0.0.1", 0))
    server:close()
    return loop.spawn(function() end), server
  end)
end

-- "lsocket.bind", "socket:recv" and so on: what the modules and their objects really have.
local function real_names()
  local names = {}
  for module, table in pairs { lsocket = lsocket, loop = loop, stream = stream } do
    for name in pairs(table) do names[module .. "." .. name] = true end
  end
  local objects = { assert(lsocket.bind("udp", "127.0.0.1", 0)), assert(lsocket.poller()), lsocket.batch(1),
    lsocket.buffer(), assert(lsocket.lookup "127.0.0.1") }
  local task, server = loop_objects()
  for _, object in ipairs { task, server, stream.new((assert(lsocket.pair()))) } do objects[#objects + 1] = object end
  for _, object in ipairs(objects) do
    local metatable = getmetatable(object)
    for name in pairs(metatable.__index) do names[metatable.__type .. ":" .. name] = true end
    if object.close then object:close() end
  end
  return names
end

-- The manual's headings, each with the lines of the signature that stands below it.
local function documented()
  local signatures, name, inside = {}, nil, false
  for line in lines_of(read("doc/manual.md")) do
    local heading = line:match("^### (.+)$")
    if heading then
      assert(not signatures[heading], "documented twice: " .. heading)
      name, signatures[heading] = heading, {}
    elseif line:find("^```") then
      inside = name and line == "```text"
      if not inside then name = nil end
    elseif inside then
      table.insert(signatures[name], line)
    end
  end
  return signatures
end

-- The annotated functions with their parameters, those of overloads too, as one text, and the constants.
local function annotated()
  local names, further = {}, ""
  local text = read "types/lsocket.lua"
  for _, part in ipairs { "buffer", "loop", "stream" } do text = text .. read("types/lsocket/" .. part .. ".lua") end
  for line in lines_of(text) do
    local class, separator, name, parameters = line:match("^function (%a+)([.:])([%w_]+)(%b()) end$")
    if class then
      names[class:lower() .. separator .. name] = parameters .. further
      further = ""
    else
      for parameter in (line:match("^%-%-%-@overload fun(%b())") or ""):gmatch("(%w+)%??:") do
        further = further .. " " .. parameter
      end
      name = line:match("^lsocket%.([%w_]+) = ")
      if name then names["lsocket." .. name] = "" end
    end
  end
  return names
end

local function other_specs()
  local texts = {}
  for name in lfs.dir(root .. "spec") do
    if name:find("_spec%.lua$") and name ~= SELF then texts[#texts + 1] = read("spec/" .. name) end
  end
  return table.concat(texts, "\n")
end

-- Those of the names that a spec other than this one uses.
local function exercised(names)
  local used, text = {}, other_specs()
  for name in pairs(names) do
    local base = name:match("[%w_]+$")
    local module = name:match("^%w+")
    local patterns = name:find(":", 1, true) and { ":" .. base .. "%f[^%w_]%s*[%(\"{]" }
      or { "%f[%w_]" .. module .. "%." .. base .. "%f[^%w_]", "%f[%w_]ls%." .. base .. "%f[^%w_]" }
    for _, pattern in ipairs(patterns) do
      if text:find(pattern) then used[name] = true end
    end
  end
  return used
end

-- ---- the examples ----

-- The blocks of a document that are Lua, each with the number of its first line.
local function blocks_of(path)
  local blocks, block, number = {}, nil, 0
  for line in lines_of(read(path)) do
    number = number + 1
    if block and line == "```" then
      block.text = table.concat(block.lines, "\n")
      blocks[#blocks + 1], block = block, nil
    elseif block then
      table.insert(block.lines, line)
    elseif line == "```lua" then
      block = { path = path, number = number + 1, lines = {} }
    end
  end
  assert(not block, "a block has no end: " .. path)
  return blocks
end

-- The module with some functions in place of its own.
local function with(replacements)
  return setmetatable(replacements, { __index = lsocket })
end

-- What an example sees as its globals: a module of ours behind require, and nowhere to print to.
local function surroundings(module)
  local env = { print = function() end }
  function env.require(name) return name == "lsocket" and module or require(name) end
  return setmetatable(env, { __index = _G })
end

local function compile(block, env)
  local name = ("@%s:%d"):format(block.path, block.number)
  if not setfenv then return assert(load(block.text, name, "t", env)) end
  return setfenv(assert(loadstring(block.text, name)), env)
end

-- select that waits no longer than an example may run, and raises where it would.
local function bounded_select(...)
  local arguments, last = { n = select("#", ...), ... }, 3
  for i = 3, 1, -1 do
    if type(arguments[i]) == "number" then last = i end
  end
  local wanted = tonumber(arguments[last]) or -1
  arguments[last] = wanted >= 0 and math.min(wanted, PATIENCE) or PATIENCE
  local results = { n = 0 }
  local function keep(...) results = { n = select("#", ...), ... } end
  keep(lsocket.select(arguments[1], arguments[2], arguments[3]))
  if results[1] == false and arguments[last] ~= wanted then error("the example waits for ever", 2) end
  return (unpack or table.unpack)(results, 1, results.n)
end

-- Runs a function, and raises in it when it takes too long. LuaJIT's compiled code would not notice.
local function run_bounded(chunk)
  local finish = os.time() + PATIENCE
  if jit then jit.off(chunk, true) end
  local running = coroutine.create(chunk)
  debug.sethook(running, function()
    if os.time() > finish then error("the example does not end", 2) end
  end, "", 10000)
  local ok, problem = coroutine.resume(running)
  debug.sethook(running) -- LuaJIT has one hook for all coroutines
  if not ok then error(debug.traceback(running, problem), 0) end
  assert.equal("dead", coroutine.status(running))
end

-- ---- the specs ----

describe("the public interface", function()
  local names = real_names()

  it("has a version", function()
    assert.equal("2.0.0", lsocket._VERSION)
  end)

  it("is what the manual documents", function()
    assert.equal(sorted(names), sorted(documented()))
  end)

  it("is what the annotations say", function()
    assert.equal(sorted(names), sorted(annotated()))
  end)

  it("is used by the specs", function()
    assert.equal(sorted(names), sorted(exercised(names)))
  end)
end)

describe("the manual", function()
  it("has a signature for every heading", function()
    for name, signature in pairs(documented()) do
      assert.is_true(#signature > 0, name .. " has no signature")
      for _, line in ipairs(signature) do
        assert.equal(name, line:sub(1, #name), "signature of " .. name)
      end
    end
  end)

  it("names the parameters as the annotations do", function()
    local parameters = annotated()
    for name, signature in pairs(documented()) do
      local wanted = {}
      for parameter in (parameters[name] or ""):gmatch("[%w_]+") do wanted[parameter] = true end
      -- Every word between a signature's parentheses must be a parameter: "path" is an address, "-1" a value.
      for _, line in ipairs(signature) do
        local inside = line:match("^[%w_.:]+(%b())") or ""
        for word in inside:gsub('"%a+"', ""):gmatch("%a[%w_]*") do
          assert.is_true(wanted[word] or word == "path", ("%s: no parameter %s"):format(name, word))
        end
      end
    end
  end)

  it("links to sections that exist", function()
    local text = read("doc/manual.md")
    local sections = {}
    for title in text:gmatch("\n##+ ([^\n]+)") do
      sections[title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")] = true
    end
    for target in text:gmatch("%]%(#([^)]+)%)") do
      assert.is_true(sections[target], "no section " .. target)
    end
  end)
end)

-- README.md and what is in doc/, in order.
local function documents()
  local paths = { "README.md" }
  for name in lfs.dir(root .. "doc") do
    if name:find("%.md$") then paths[#paths + 1] = "doc/" .. name end
  end
  table.sort(paths)
  return paths
end

-- What examples use that qemu-user may lack.
local needs = {
  ['"mcast"'] = "groups", ["sock:join("] = "groups", ['"tcpinfo"'] = "tcpinfo", ["sock:recverr("] = "offender",
  ["ttl = "] = "control",
}

describe("the documents' example", function()
  for _, path in ipairs(documents()) do
    for _, block in ipairs(blocks_of(path)) do
      if block.lines[1]:find("^%-%- example") then
        it(("at %s:%d runs"):format(block.path, block.number), function()
          for text, need in pairs(needs) do
            if block.text:find(text, 1, true) then helper.need[need](pending) end
          end
          run_bounded(compile(block, surroundings(with { select = bounded_select })))
        end)
      end
    end
  end
end)

describe("the README's first program", function()
  -- The program as it stands, but on a port that is free, and stopped wherever it would wait.
  local function start()
    local block, server
    for _, candidate in ipairs(blocks_of("README.md")) do
      if candidate.lines[1] == "-- echo.lua" then block = candidate end
    end
    local module = with {
      bind = function(address)
        server = assert(lsocket.bind(address, 0))
        return server
      end,
      select = function(reads, writes)
        local readable, writable = false, nil
        while readable == false do
          coroutine.yield()
          readable, writable = lsocket.select(reads, writes, 0)
        end
        return readable, writable
      end,
    }
    local program = coroutine.create(compile(block, surroundings(module)))
    assert(coroutine.resume(program))
    local function step()
      assert(coroutine.resume(program))
    end
    return step, server:info("socket").port
  end

  -- Lets the program work until this socket is readable.
  local function await(step, sock)
    for _ = 1, 100 do
      step()
      if lsocket.select({ sock }, 0.05) then return end
    end
    error("the program does not answer")
  end

  it("echoes what two clients send, and notices the end of both", function()
    local step, port = start()
    local clients = {}
    for i = 1, 2 do
      clients[i] = assert(lsocket.connect("127.0.0.1", port))
      assert(lsocket.select(nil, { clients[i] }, PATIENCE))
      assert(clients[i]:status())
    end
    for i = 2, 1, -1 do
      clients[i]:send("from " .. i)
      await(step, clients[i])
      assert.equal("from " .. i, clients[i]:recv())
    end
    clients[1]:close()
    clients[2]:send("still here")
    await(step, clients[2])
    assert.equal("still here", clients[2]:recv())
  end)

  it("survives a client that sends much and reads late", function()
    local step, port = start()
    local client = assert(lsocket.connect("127.0.0.1", port))
    assert(lsocket.select(nil, { client }, PATIENCE))
    local total, sent, received = 1000000, 0, 0
    local data, finish = ("0123456789"):rep(total / 10), os.time() + PATIENCE
    while received < total and os.time() < finish do
      local before = sent + received
      local count = sent < total and client:send(data:sub(sent + 1, sent + 50000))
      assert(count ~= nil, "the program has closed the connection")
      sent = sent + (count or 0)
      step()
      if sent == total or received < sent / 2 then
        local piece = client:recv()
        assert(piece ~= nil, "the program has closed the connection")
        if piece then
          assert.equal(data:sub(received + 1, received + #piece), piece)
          received = received + #piece
        end
      end
      -- Buffers that were full are drained at TCP's own pace.
      if sent + received == before then lsocket.select({ client }, 0.01) end
    end
    assert.equal(total, received)
  end)
end)
