-- What loop.connect and loop.listen meet: a unix domain backlog that is full, a port that is connected to itself, and
-- failures that name the address and the port.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local helper = require "spec.helper"
local inloop = require "spec.inloop"
local process = require "spec.process"

local fails, need, pack = helper.fails, helper.need, helper.pack
local run = inloop.run

after_each(helper.remove_paths)

-- A listener at a unix domain address whose backlog is full: it, and those that fill it.
local function full(address)
  local listener, clients = assert(lsocket.bind { address = address, backlog = 0 }), {}
  repeat
    local sock, _, name = lsocket.connect(address)
    clients[#clients + 1] = sock
    assert(sock or name == "EAGAIN")
  until not sock or #clients > 100
  if #clients > 100 then pending "a backlog is never full here" end
  return listener, clients
end

local function close(...)
  for _, list in ipairs { ... } do
    for _, sock in ipairs(list) do sock:close() end
  end
end

local function accept_all(listener)
  local list, sock = {}, listener:accept()
  while sock do
    list[#list + 1] = sock
    sock = listener:accept()
  end
  return list
end

local probe = lsocket.bind(helper.name())
if probe then probe:close() end

for kind, address in pairs { path = helper.path, abstract = probe and helper.name } do
  describe("a unix domain socket (" .. kind .. ") whose backlog is full", function()
    it("is connected once there is room, while other tasks go on", function()
      local name = address()
      run(function()
        local listener, clients = full(name)
        local turns, ticking = 0, true
        loop.spawn(function()
          while ticking do
            turns = turns + 1
            loop.sleep(0.001)
          end
        end)
        local task = loop.spawn(loop.connect, name)
        while turns < 3 do loop.sleep(0.001) end
        local accepted = accept_all(listener)
        local client = assert(task:join())
        ticking = false
        assert.is_true(client:write "hello\n")
        local more = accept_all(listener)
        assert.equal("hello\n", helper.readable(more[#more]):recv())
        client:close()
        close(accepted, more, clients, { listener })
      end)
    end)

    it("is tried until the deadline, or until the task is cancelled", function()
      local name = address()
      run(function()
        local listener, clients = full(name)
        for _ = 1, 2 do
          local client, message, symbol = loop.deadline(0.02, loop.connect, name)
          assert.same({ nil, "ETIMEDOUT" }, { client, symbol })
          assert.truthy(message:find("The deadline has passed", 1, true), message)
          assert.truthy(message:find(name, 1, true), message)
        end
        local task = loop.spawn(loop.connect, name)
        loop.sleep(0.005)
        task:cancel()
        local client, message, symbol = task:join()
        assert.same({ nil, "ECANCELED" }, { client, symbol })
        assert.truthy(message:find(name, 1, true), message)
        close(clients, { listener })
      end)
    end)

    it("that goes away refuses whoever tries", function()
      local name = address()
      run(function()
        local listener, clients = full(name)
        local task = loop.spawn(loop.connect, name)
        loop.sleep(0.005)
        close({ listener })
        local client, message, symbol = task:join()
        assert.same({ nil, name .. ": Connection refused", "ECONNREFUSED" }, { client, message, symbol })
        close(clients)
      end)
    end)

    it("leaves no descriptor to those that gave up", function()
      need.proc(pending)
      local name = address()
      local before = process.count()
      run(function()
        local listener, clients = full(name)
        for _ = 1, 20 do loop.deadline(0.001, loop.connect, name) end
        close(clients, { listener })
      end)
      helper.closes(before)
    end)
  end)
end

describe("an abstract name with a NUL in it", function()
  it("is listened on and connected as it is", function()
    need.abstract(pending)
    run(function()
      local name = helper.name() .. "\0x"
      local server = assert(loop.listen(name))
      local client = assert(loop.connect(name))
      assert.equal(name, client:info("peer").addr)
      client:close()
      server:close()
    end)
  end)
end)

describe("a local port that nobody listens on", function()
  -- A port that was free a moment ago, and the options that make both ends of a connection one.
  local function own(address)
    local sock, port = helper.bind(address, 0)
    sock:close()
    return port, { localaddress = address, localport = port, reuseaddr = true }
  end

  for _, address in ipairs { "127.0.0.1", "::1" } do
    it("is refused where it would be connected to itself: " .. address, function()
      if address == "::1" then need.ipv6(pending) end
      run(function()
        local port, options = own(address)
        local client, message, name = loop.connect(address, port, options)
        local place = (address == "::1" and "[::1]" or address) .. ":" .. port
        assert.same({ nil, place .. ": Connection refused", "ECONNREFUSED" }, { client, message, name })
      end)
    end)
  end

  it("leaves no descriptor", function()
    need.proc(pending)
    local before = process.count()
    run(function()
      for _ = 1, 10 do
        local port, options = own "127.0.0.1"
        fails("ECONNREFUSED", nil, "Connection refused", select(3, loop.connect("127.0.0.1", port, options)))
      end
    end)
    helper.closes(before)
  end)

  it("can be listened on at once afterwards", function()
    run(function()
      local port, options = own "127.0.0.1"
      fails("ECONNREFUSED", nil, "Connection refused", select(3, loop.connect("127.0.0.1", port, options)))
      local server = assert(loop.listen("127.0.0.1", port, { reuseaddr = false }))
      server:close()
    end)
  end)

  it("is connected where somebody listens, whatever this end is", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      local client = assert(loop.connect("127.0.0.1", port, { localaddress = "127.0.0.2", localport = port }))
      assert.equal(port, client:info("socket").port) -- the port is the same, the address is another
      client:close()
      server:close()
    end)
  end)
end)

describe("a failure", function()
  -- What a call fails with must begin with the place.
  local function check(place, symbol, client, message, name)
    assert.same({ nil, symbol }, { client, name })
    assert.equal(place .. ": " .. helper.texts[symbol], message)
  end

  it("of connect names the address and the port", function()
    run(function()
      local port, keeper = helper.refusing_port()
      check("127.0.0.1:" .. port, "ECONNREFUSED", loop.connect("127.0.0.1", port))
      check("127.0.0.1:" .. port, "ECONNREFUSED", loop.connect("127.0.0.1", tostring(port)))
      close(keeper)
      local path = helper.path()
      check(path, "ENOENT", loop.connect(path))
      check("./no-such-socket", "ENOENT", loop.connect "./no-such-socket")
    end)
  end)

  it("of connect names IPv6 addresses in brackets", function()
    need.ipv6(pending)
    run(function()
      local sock, port = helper.bind("udp", "::1", 0) -- a port that tcp has not
      check("[::1]:" .. port, "ECONNREFUSED", loop.connect("::1", port))
      sock:close()
    end)
  end)

  it("of listen and serve names the address and the port", function()
    run(function()
      local server = assert(loop.listen("127.0.0.1", 0))
      local port = server:info("socket").port
      check("127.0.0.1:" .. port, "EADDRINUSE", loop.listen("127.0.0.1", port))
      check("127.0.0.1:" .. port, "EADDRINUSE", loop.serve("127.0.0.1", port, print))
      check("192.0.2.1:80", "EADDRNOTAVAIL", loop.listen("192.0.2.1", 80))
      server:close()
      local path = helper.path()
      server = assert(loop.listen(path))
      check(path, "EADDRINUSE", loop.listen(path))
      check("/no/such/folder/x", "ENOENT", loop.listen "/no/such/folder/x")
      server:close()
    end)
  end)

  it("of listen names IPv6 addresses in brackets", function()
    need.ipv6(pending)
    run(function()
      local server = assert(loop.listen("::1", 0))
      local port = server:info("socket").port
      check("[::1]:" .. port, "EADDRINUSE", loop.listen("::1", port))
      server:close()
    end)
  end)

  it("of an address of another family than is asked for is EAFNOSUPPORT, as it is for a socket", function()
    run(function()
      local others = { ["127.0.0.1"] = "inet6", ["127.1"] = "inet6", ["::1"] = "inet", ["[::1]"] = "inet" }
      for address, family in pairs(others) do
        fails("EAFNOSUPPORT", lsocket.connect { address = address, port = 1, family = family })
        for _, open in ipairs { loop.connect, loop.listen } do
          local results = pack(open(address, 1, { family = family }))
          assert.same({ n = 3, nil, address .. ": " .. helper.texts.EAFNOSUPPORT, "EAFNOSUPPORT" }, results)
        end
      end
    end)
  end)

  it("for want of a port names the host, which is not looked up", function()
    local lookup, looked = lsocket.lookup, 0
    finally(function() lsocket.lookup = lookup end)
    function lsocket.lookup(...)
      looked = looked + 1
      return lookup(...)
    end
    run(function()
      for _, host in ipairs { "127.0.0.1", "localhost:80", "app.sock" } do
        local wanted = { n = 3, nil, host .. ": an internet address needs a port", "EINVAL" }
        assert.same(wanted, pack(loop.connect(host)))
        assert.same(wanted, pack(loop.listen(host)))
        assert.same(wanted, pack(loop.serve(host, print)))
      end
    end)
    assert.equal(0, looked)
  end)

  it("of a look-up names the host, and neither function leaves anything", function()
    need.proc(pending)
    local before = process.count()
    run(function()
      for _, open in ipairs { loop.connect, loop.listen } do
        local results = pack(open("1.2.3.4.5", 80))
        assert.same({ n = 3, nil, "1.2.3.4.5: " .. helper.texts.EAI_NONAME, "EAI_NONAME" }, results)
      end
    end)
    helper.closes(before)
  end)
end)

describe("what cannot wait, as it is called within string.gsub,", function()
  -- Calls that so often, without a collector that could close what was left.
  local function attempt(fn)
    helper.settle()
    collectgarbage "stop"
    run(function()
      local before = process.count()
      for _ = 1, 10 do loop.pcall(string.gsub, "x", "x", function() fn() end) end
      helper.closes(before)
    end)
    collectgarbage "restart"
  end

  it("leaves no look-up of a name", function()
    need.proc(pending)
    attempt(function() loop.resolve "localhost" end)
    attempt(function() loop.connect("localhost", 9) end)
  end)

  it("leaves no connection", function()
    need.proc(pending)
    local address = helper.path()
    local listener = assert(lsocket.bind(address))
    attempt(function() loop.connect("10.11.0.99", 9) end)
    listener:close()
  end)
end)
