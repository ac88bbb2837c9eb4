-- listenfds: the sockets that systemd passes to the programs it starts, and samples/activated.lua, which lives on them.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local need, pack = helper.need, helper.pack

after_each(helper.remove_paths)

-- The socket under a number that is in nobody's way; it is inherited.
local function high(sock)
  local copies = {}
  repeat
    local copy = assert(sock:dup())
    copies[#copies + 1] = copy
  until copy:getfd() >= 20
  assert(copies[#copies]:inherit())
  return copies[#copies]
end

-- The command line that starts another one as systemd does: the sockets as descriptors from 3 on. With each of the
-- variables one after the other; in them $$ is the process that becomes the command, as $BASHPID is in bash.
local function passing(sockets, variables, command)
  local script, kept = "", {}
  for i, sock in ipairs(sockets) do
    kept[i] = high(sock)
    script = script .. ("exec %d<&%d %d<&-; "):format(i + 2, kept[i]:getfd(), kept[i]:getfd())
  end
  for _, each in ipairs(variables) do
    script = script .. ("( %s exec %s ); "):format((each:gsub("%$%$", "$BASHPID")), command)
  end
  return "bash -c " .. helper.quote(script), kept
end

-- What spec/child/listenfds.lua prints with each of the variables.
local function run(sockets, ...)
  need.tool(pending, "bash -c true")
  need.proc(pending)
  local command, kept = passing(sockets, { ... }, helper.command("listenfds"))
  local output = helper.run(command)
  for _, sock in ipairs(kept) do sock:close() end
  return output
end

local function several()
  local listener = assert(lsocket.bind(helper.path()))
  local receiver, port = helper.bind("udp", "127.0.0.1", 0)
  assert(lsocket.connect("udp", "127.0.0.1", port)):send "waiting"
  helper.readable(receiver)
  return { assert(lsocket.bind("127.0.0.1", 0)), receiver, listener }
end

describe("listenfds", function()
  it("gives nothing where nothing was passed", function()
    assert.same({ n = 2, {}, {} }, pack(lsocket.listenfds()))
    assert.equal("0 sockets, 0 names\n", run({}, "LISTEN_PID=$$"))
    assert.equal("0 sockets, 0 names\n", run(several(), "LISTEN_FDS=3"))
  end)

  it("gives the sockets and their names, close-on-exec, and unsets the variables", function()
    assert.equal("web\t3\tinet\ttcp\ttrue\t1\tnil\tTransport endpoint is not connected\tENOTCONN\n" ..
      "log\t4\tinet\tudp\ttrue\t1\twaiting\n" .. "\t5\tunix\ttcp\ttrue\t1\tnil\tInvalid argument\tEINVAL\n" ..
      "3 sockets, 3 names\n", run(several(), "LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=web:log:"))
  end)

  it("calls them unknown where there are no names", function()
    local sockets = several()
    assert.equal("unknown\t3\tunix\ttcp\ttrue\t1\tnil\tInvalid argument\tEINVAL\n1 sockets, 1 names\n",
      run({ sockets[3] }, "LISTEN_PID=$$ LISTEN_FDS=1"))
  end)

  it("leaves alone what was passed to another process", function()
    assert.equal(("0 sockets, 0 names\n"):rep(2),
      run(several(), "LISTEN_PID=1 LISTEN_FDS=3", "LISTEN_PID=1 LISTEN_FDS=nonsense"))
  end)

  it("fails for variables that contradict themselves", function()
    local variables = {
      "LISTEN_PID=x LISTEN_FDS=1", "LISTEN_PID= LISTEN_FDS=1", "LISTEN_PID=-$$ LISTEN_FDS=1",
      "LISTEN_PID=0 LISTEN_FDS=1", "LISTEN_PID=$$ LISTEN_FDS=0", "LISTEN_PID=$$ LISTEN_FDS=-1",
      "LISTEN_PID=$$ LISTEN_FDS=", "LISTEN_PID=$$ LISTEN_FDS=1x", "LISTEN_PID=$$ LISTEN_FDS=2147483647",
      "LISTEN_PID=$$ LISTEN_FDS=99999999999999999999", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b",
      "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a",
    }
    assert.equal(("Invalid argument\tEINVAL\n"):rep(#variables),
      run({ lsocket.pair() }, (unpack or table.unpack)(variables))) -- luacheck: ignore 143
  end)

  it("fails where a descriptor is not open", function()
    assert.equal(("Bad file descriptor\tEBADF\n"):rep(2),
      run(several(), "LISTEN_PID=$$ LISTEN_FDS=500", "LISTEN_PID=$$ LISTEN_FDS=2147483644"))
  end)
end)

-- The sample, which ends when nobody has been there for so many seconds.
local function sample(...)
  return helper.command("../../samples/activated", ...)
end

local function echoes(client)
  helper.writable(client)
  assert(client:send "hello")
  assert.equal("hello", helper.receive(client, 5))
  client:close()
end

describe("samples/activated.lua", function()
  it("serves the sockets that it is passed", function()
    need.tool(pending, "bash -c true")
    local path = helper.path()
    local one, two = assert(lsocket.bind("127.0.0.1", 0)), assert(lsocket.bind(path))
    local port = helper.port(one)
    local command, kept = passing({ one, two }, { "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:local" },
      sample("-", "-", 0.2))
    local clients = { assert(lsocket.connect("127.0.0.1", port)), assert(lsocket.connect(path)) } -- they wait already
    local pipe = io.popen(command)
    for _, sock in ipairs { kept[1], kept[2], one, two } do sock:close() end
    echoes(clients[1])
    echoes(clients[2])
    assert.equal(("web: 127.0.0.1 %d\nlocal: %s \nnobody there\n"):format(port, path), pipe:read "*a")
    pipe:close()
  end)

  it("binds where nothing was passed", function()
    local ok, problem
    for _, seconds in ipairs { 0.5, 2, 8 } do -- on a machine that is busy it may have ended before anybody comes
      local pipe = io.popen(sample("127.0.0.1", 0, seconds))
      local port = pipe:read():match "^listening: 127.0.0.1 (%d+)$"
      ok, problem = pcall(function() echoes(assert(lsocket.connect("127.0.0.1", port))) end)
      assert.equal("nobody there\n", pipe:read "*a")
      pipe:close()
      if ok then break end
    end
    assert.is_true(ok, problem)
  end)

  it("is started by systemd for its first client", function()
    need.tool(pending, "systemd-socket-activate --version")
    local path, kept = helper.path(), "" -- of the environment, of which it clears the rest
    for _, name in ipairs { "LD_PRELOAD", "ASAN_OPTIONS" } do
      if os.getenv(name) then kept = kept .. " -E " .. name end
    end
    local pipe = io.popen("systemd-socket-activate -l " .. path .. " --fdname=echo" .. kept .. " " ..
      sample("-", "-", 0.2) .. " 2>&1")
    local client = helper.eventually("systemd-socket-activate listens", function() return (lsocket.connect(path)) end)
    echoes(client)
    assert.is_truthy(pipe:read("*a"):find("echo: " .. path .. " \nnobody there\n", 1, true))
    pipe:close()
  end)
end)
