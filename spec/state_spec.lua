-- What the library does to the process: descriptors, memory, children, signals; and very many sockets at once.
-- Most of it runs in processes of its own, with limits and signals of their own.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local need = helper.need

-- The inodes of our sockets, as /proc shows them: "socket:[4711]".
local function identity(sock)
  return assert(process.descriptors()[sock:getfd()])
end

describe("rounds of use", function()
  for _, row in ipairs { { "tcp", 5000 }, { "unix", 5000 }, { "resolve", 5000 }, { "lookup", 10000 },
    { "signals", 10000 }, { "interfaces", 5000 } } do
    local kind, rounds = row[1], row[2]
    it("of " .. kind .. " leave descriptors and memory as they were", function()
      need.proc(pending)
      need.speed(pending)
      if kind == "resolve" or kind == "lookup" then need.sandbox(pending) end
      local output, status = helper.run(helper.command("leak", kind, rounds, 400))
      assert.same(0, status, output)
    end)
  end

  it("leave no descriptor where sockets are closed, collected or fail", function()
    need.proc(pending)
    local listener, port = helper.bind("127.0.0.1", 0)
    local path = helper.path()
    local before = process.count()
    for i = 1, helper.scale(200) do
      local client = assert(lsocket.connect("127.0.0.1", port))
      local server = assert(helper.readable(listener):accept())
      if i % 2 == 0 then
        client:close()
        server:close()
      end
      assert.is_nil((lsocket.bind("127.0.0.1", port)))
      assert.is_nil((lsocket.connect(path)))
      lsocket.bind("udp", "127.0.0.1", 0)
      lsocket.getinterfaces()
      lsocket.resolve "1.2.3.4.5"
      pcall(lsocket.bind, "127.0.0.1", 70000)
      pcall(lsocket.select, { client, false })
    end
    assert.equal(before, process.count())
    listener:close()
  end)
end)

describe("a socket in memory", function()
  it("costs at most 64 bytes more than an empty userdata", function()
    need.speed(pending)
    local output, status = helper.run("ulimit -n 11000; " .. helper.command("memory", 10000))
    if status ~= 0 and output:find "ulimit" then pending "the limit of descriptors cannot be raised to 11,000" end
    local bytes = assert(tonumber(output:match "^(%-?[%d.]+) bytes"), output)
    assert.is_true(bytes <= 64, output)
  end)

  it("can be garbage by the thousand without a descriptor left", function()
    need.proc(pending)
    local before = process.count()
    for _ = 1, helper.scale(2000) do lsocket.bind("udp", "127.0.0.1", 0) end
    assert.equal(before, process.count())
  end)
end)

describe("very many sockets", function()
  -- How many descriptors a process may have here at the most.
  local function limit()
    return tonumber(helper.run "ulimit -Hn":match "%d+") or math.huge -- "unlimited"
  end

  -- Runs a child that may open so many descriptors; answers the numbers in the line that it prints.
  local function open(descriptors, ...)
    if limit() < descriptors then pending("descriptors end at " .. limit() .. " here") end
    local output, status = helper.run("ulimit -n " .. descriptors .. " && " .. helper.command(...))
    assert.equal(0, status, output)
    local sockets, highest, other = output:match "^(%d+) sockets, highest descriptors? (%d+)%D*(%d*)\n$"
    return tonumber(sockets), tonumber(highest), tonumber(other)
  end

  it("can be open at once in one process, with descriptors far above 10,000", function()
    local connections = math.max(helper.scale(5000), math.min(helper.scale(10000), math.floor((limit() - 100) / 2)))
    local sockets, highest = open(2 * connections + 100, "many", connections)
    assert.equal(2 * connections, sockets)
    assert.is_true(highest >= 2 * connections)
  end)

  it("can be 20,000 at once between two processes", function()
    local connections = helper.scale(10050) -- so that both have descriptors above 10,000
    local sockets, served, visiting = open(connections + 100, "crowd", "serve", connections, helper.command "crowd")
    assert.equal(2 * connections, sockets)
    assert.is_true(served >= connections and visiting >= connections)
  end)
end)

describe("a child process", function()
  it("inherits no socket", function()
    need.proc(pending)
    local path = helper.path()
    local client, server = helper.tcp()
    local unix = assert(lsocket.bind(path))
    local near, far = helper.connect_to(unix, path)
    local ours = { client, server, unix, near, far, assert(lsocket.bind("127.0.0.1", 0)),
      assert(lsocket.bind("udp", "127.0.0.1", 0)), assert(lsocket.bind("mcast", "127.0.0.1", 0)),
      assert(lsocket.connect("udp", "127.0.0.1", 9)) }
    local pipe = io.popen "ls -l /proc/self/fd"
    local inherited = pipe:read "*a"
    pipe:close()
    assert.truthy(inherited:find("->", 1, true))
    for _, sock in ipairs(ours) do
      assert.is_nil(inherited:find(identity(sock), 1, true))
    end
    helper.remove_paths()
  end)
end)

describe("signals", function()
  -- Starts a child that waits in select, interrupts it there, and answers what it printed once it has ended.
  local function interrupt(how)
    local listener, port = helper.bind("127.0.0.1", 0)
    local child = io.popen("{ " .. helper.command("wait", port, how) .. "; } 2>&1")
    local line = assert(helper.readable(listener):accept())
    local pid = ""
    repeat pid = pid .. helper.receive(line, 1) until pid:find "\n"
    pid = pid:match "%d+"
    -- It has said that it is about to select; in select is where it sleeps.
    helper.eventually("the child in select", function()
      return process.status("State", pid):find "^S"
    end)
    os.execute("kill -INT " .. pid)
    local ended = lsocket.select({ line }, helper.patience)
    if not ended then os.execute("kill -KILL " .. pid) end
    local output = child:read "*a"
    child:close()
    assert.truthy(ended, "still in select " .. helper.patience .. " seconds after SIGINT")
    assert.is_nil(line:recv())
    return output
  end

  it("end a program that sits in select or wait, whatever it waits for", function()
    need.proc(pending)
    for _, how in ipairs { "plain", "forever", "infinite", "long", "one" } do
      assert.truthy(interrupt(how):find "interrupted!")
    end
  end)

  it("reach a handler that the interpreter runs, as an error that can be caught", function()
    need.proc(pending)
    assert.truthy(interrupt "caught":find "^false .*interrupted!\n")
  end)

  it("end select with the cause where the handler only returns", function()
    need.proc(pending)
    local output = interrupt "told"
    assert.truthy(output:find("nil, Interrupted system call, EINTR\n", 1, true), output)
  end)

  it("end select with the cause whatever it is given", function()
    need.injection(pending)
    local output = helper.run(helper.inject("poll,ppoll", "EINTR", "poll"))
    assert.equal(("nil, Interrupted system call, EINTR\n"):rep(4), output)
  end)

  it("keep their handling, and a write to a closed connection raises none", function()
    need.proc(pending)
    assert.same({ "unchanged\n", 0 }, { helper.run(helper.command "signals") })
  end)
end)
