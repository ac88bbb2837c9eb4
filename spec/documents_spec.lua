-- The Lua code of the README and of what is in doc/ runs: examples as they stand, programs as far as they are told.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local lfs = require "lfs"

local PATIENCE = 10 -- seconds that an example may run

-- ---- the code ----

-- The blocks of a document that are Lua, each with the number of its first line.
local function blocks_of(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(path) do
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

-- Those of all documents, in order.
local function all_blocks()
  local paths, blocks = { "README.md" }, {}
  for name in lfs.dir "doc" do
    if name:find("%.md$") then paths[#paths + 1] = "doc/" .. name end
  end
  table.sort(paths)
  for _, path in ipairs(paths) do
    for _, block in ipairs(blocks_of(path)) do blocks[#blocks + 1] = block end
  end
  return blocks
end

-- An example runs as it stands. A program's first line is its name.
local programs, examples = {}, {}
for _, block in ipairs(all_blocks()) do
  local name = block.lines[1]:match("^%-%- ([%w_/]+%.lua)$")
  if name then
    programs[name] = block
  else
    examples[#examples + 1] = block
  end
end

-- ---- running it ----

-- A module with some functions in place of its own.
local function with(module, replacements)
  return setmetatable(replacements, { __index = module })
end

-- What a block sees as its globals: some modules of ours behind require, and nowhere to print to.
local function surroundings(modules)
  local env = { print = function() end }
  function env.require(name) return modules[name] or require(name) end
  return setmetatable(env, { __index = _G })
end

local function compile(block, modules)
  local name, env = ("@%s:%d"):format(block.path, block.number), surroundings(modules)
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

-- What examples use that is not everywhere, qemu-user included.
local needs = {
  ['"mcast"'] = "groups", ["sock:join("] = "groups", ['"tcpinfo"'] = "tcpinfo", ["sock:recverr("] = "offender",
  ["ttl = "] = "control", ["loop.getfd()"] = "getfd", ['require "socket"'] = "luasocket",
  ['require "luv"'] = "luv", ['"/proc/'] = "proc",
  ['("::", 0'] = "ipv6", ['require "lsocket.tls"'] = "tls",
  ['require "lsocket.luasocket.ssl"'] = "tls",
}

-- What an example may change for the time that it takes.
local function keep()
  local path, onerror, folder = package.path, loop.onerror, lfs.currentdir()
  return function()
    package.path, loop.onerror = path, onerror
    lfs.chdir(folder)
  end
end

-- The command of doc/howto.md that makes server.pem.
local function certificate_command()
  return assert(process.read "doc/howto.md":match "```sh\n(openssl req.-)```")
end

local certificates -- the folder with server.pem and client.pem, once there is one

-- Goes to where the certificates are, which the command of the document makes, for an example that reads them.
local function enter_certificates()
  if not certificates then
    certificates = helper.path()
    local command = certificate_command()
    local both = command .. command:gsub("server%.pem", "client.pem"):gsub("localhost", "client")
    local place = helper.quote(certificates)
    local prepare = ("set -e; mkdir %s; ln -s $PWD/samples %s; cd %s\n"):format(place, place, place)
    local output, status = helper.run(prepare .. both)
    assert(status == 0, output)
  end
  lfs.chdir(certificates)
end

teardown(function()
  if certificates then os.execute("rm -r " .. helper.quote(certificates)) end
end)

describe("the documents' example", function()
  for _, block in ipairs(examples) do
    it(("at %s:%d runs"):format(block.path, block.number), function()
      assert.truthy(block.lines[1]:find("^%-%- example"), "neither an example nor a program that has a name")
      for text, need in pairs(needs) do
        if block.text:find(text, 1, true) then helper.need[need](pending) end
      end
      finally(keep())
      if block.text:find("server.pem", 1, true) then enter_certificates() end
      run_bounded(compile(block, { lsocket = with(lsocket, { select = bounded_select }) }))
    end)
  end
end)

describe("the manual", function()
  it("has the contents and the index that tools/contents.lua makes of its headings", function()
    local output, status = helper.run(helper.quote(helper.interpreter) .. " tools/contents.lua check")
    assert.same("", output)
    assert.equal(0, status)
  end)
end)

describe("the tour's first client with TLS", function()
  it("prints a page of a server that it verifies", function()
    helper.need.tls(pending)
    local certs = require "spec.tls.certs"
    local printed
    local server
    local function run(main)
      loop.run(function()
        server = assert(loop.serve("127.0.0.1", 0, function(client)
          client:write("to ", client:readuntil "\r\n\r\n":match "Host: (%S+)", "\n")
        end, { tls = certs.server() }))
        main()
        server:close(PATIENCE)
      end)
    end
    local function connect(host, port, options)
      assert.same({ "www.example.org", 443, true }, { host, port, options.tls })
      local own = { tls = certs.client(), tlsname = "good.example", timeout = options.timeout }
      return loop.connect("127.0.0.1", server:info("socket").port, own)
    end
    local program = compile(programs["page.lua"], { ["lsocket.loop"] = with(loop, { run = run, connect = connect }) })
    local env = getfenv and getfenv(program) or select(2, debug.getupvalue(program, 1))
    env.print = function(text) printed = text end
    program()
    assert.equal("to www.example.org\n", printed)
  end)
end)

describe("the documents' programs", function()
  it("are those that run below", function()
    local names = {}
    for name in pairs(programs) do names[#names + 1] = name end
    table.sort(names)
    assert.same({
      "both.lua", "echo.lua", "lines.lua", "loop_echo.lua", "page.lua", "pages.lua", "samples/proxy.lua",
      "switched.lua", "talk.lua", -- of doc/luasocket.md: see luasocket_tour_spec.lua
    }, names)
  end)
end)

-- Lets a program run up to where it would wait: a function that lets it go on up to there again.
local function start(name, replacements)
  function replacements.select(reads, writes)
    local readable, writable = false, nil
    while readable == false do
      coroutine.yield()
      readable, writable = lsocket.select(reads, writes, 0)
    end
    return readable, writable
  end
  local program = coroutine.create(compile(programs[name], { lsocket = with(lsocket, replacements) }))
  assert(coroutine.resume(program))
  return function()
    assert(coroutine.resume(program))
    return coroutine.status(program)
  end
end

describe("the README's first program", function()
  -- On a port that is free.
  local function start_server()
    local server
    local step = start("echo.lua", { bind = function(address)
      server = assert(lsocket.bind(address, 0))
      return server
    end })
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
    local step, port = start_server()
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
    local step, port = start_server()
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

describe("the program for a user and a server", function()
  it("passes on what either says, and ends with the first of them", function()
    local user, keyboard = assert(lsocket.pair())
    local server, peer = assert(lsocket.pair())
    local step = start("talk.lua", {
      fromfd = function(number) return number == 0 and user end,
      connect = function() return server end,
    })
    keyboard:send "hello\n"
    step()
    assert.equal("hello\n", peer:recv())
    peer:close()
    assert.equal("dead", step())
    for _, sock in ipairs { user, keyboard, server } do sock:close() end
  end)
end)

-- Runs a program whose server listens on a port that is free, and a task that may use it, and then closes the server.
local function serve(name, use)
  local server
  local function on_any_port(listen)
    return function(address, _, ...)
      server = assert(listen(address, 0, ...))
      return server
    end
  end
  compile(programs[name], { ["lsocket.loop"] = with(loop, {
    listen = on_any_port(loop.listen),
    serve = on_any_port(loop.serve),
    run = function(main)
      loop.run(function()
        loop.spawn(function()
          loop.sleep(0)
          local ok, problem = loop.pcall(loop.deadline, PATIENCE, use, server:info("socket").port)
          server:close()
          assert(ok, problem)
        end)
        main()
      end)
    end,
  }) })()
end

describe("the servers in ten lines", function()
  for _, name in ipairs { "loop_echo.lua", "lines.lua" } do
    it(name .. " answers two clients", function()
      if name == "lines.lua" and _VERSION == "Lua 5.1" and not jit then
        pending "the iterator of a for cannot wait in Lua 5.1"
      end
      local answers = {}
      serve(name, function(port)
        local first, second = assert(loop.connect("127.0.0.1", port)), assert(loop.connect("127.0.0.1", port))
        second:write "two\n"
        answers[1] = second:read "L"
        first:write "one\nmore\n"
        answers[2], answers[3] = first:read("L", "L")
        first:close()
        second:close()
      end)
      assert.same({ "two\n", "one\n", "more\n" }, answers)
    end)
  end
end)

describe("the middle of the proxy", function()
  it("is what samples/proxy.lua has", function()
    local sample = process.read "samples/proxy.lua"
    for part in (programs["samples/proxy.lua"].text:gsub("^[^\n]*\n", "") .. "\n\n"):gmatch("(.-\n)\n") do
      assert.truthy(sample:find(part, 1, true), part)
    end
  end)
end)
