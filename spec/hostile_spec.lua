-- The samples of connections, run as programs, among peers that mean them no good. Those of datagrams are in
-- circles_spec.lua, users who are mistaken in mistaken_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local hostile = require "spec.hostile"
local process = require "spec.process"

local need = helper.need

local PS = "env -u LD_PRELOAD ps -o pid= --ppid " -- which hangs under another program's sanitizer
local with, connect, crowd, drain = hostile.with, hostile.connect, hostile.crowd, hostile.drain
local free_ports, unpack_from = hostile.free_ports, hostile.unpack_from

after_each(helper.remove_paths)

-- ---- servers ----

-- How to start an echo server in which a client may be silent for so many seconds, and where it then is.
local servers = {
  tcp_server = { function(seconds) return "0", seconds end, "127.0.0.1" },
  activated = { function(seconds) return "127.0.0.1", "0", seconds end, "127.0.0.1" },
  unix_server = { function(seconds) return helper.path(), seconds end },
}

describe("an echo server", function()
  for name, row in pairs(servers) do
    local function at(place) return row[2] or place, row[2] and place end

    it("lets go who is silent: " .. name, function()
      with("", function(place)
        local client = connect(at(place))
        client:send "hello"
        assert.equal("hello", helper.receive(client, 5))
        assert.is_nil(helper.readable(client):recv())
        client:close()
      end, name, row[1](0.2))
    end)

    it("does not spin where no descriptors are left: " .. name, function()
      with(helper.limited(24), function(place, pid, said)
        local clients = {}
        repeat
          clients[#clients + 1] = connect(at(place))
          lsocket.select(0.01)
        until said():find "cannot accept"
        local before = select(2, said():gsub("cannot accept", ""))
        lsocket.select(1)
        assert.is_true(select(2, said():gsub("cannot accept", "")) - before < 30)
        for _, client in ipairs(clients) do client:close() end
        local client = connect(at(place))
        client:send "hello"
        assert.equal("hello", helper.receive(client, 5))
        client:close()
        assert.truthy(pid)
      end, name, row[1](60))
    end)
  end

  it("takes no more clients than it can serve: tcp_server", function()
    with("", function(port, pid)
      local clients = crowd(500, "127.0.0.1", port)
      local late = connect("127.0.0.1", port)
      late:send "hello"
      clients[1]:send "hello"
      assert.equal("hello", helper.receive(clients[1], 5))
      assert.is_false(helper.is_readable(late, 0.2))
      clients[2]:close()
      assert.equal("hello", helper.receive(late, 5))
      late:close()
      for _, client in ipairs(clients) do client:close() end
      assert.truthy(pid)
    end, "tcp_server", 0)
  end)
end)

describe("samples/registry.lua", function()
  it("serves the next client where no descriptors are left", function()
    local path = helper.path()
    with(helper.limited(24), function()
      local clients = {}
      for i = 1, 40 do
        clients[i] = assert(helper.eventually("there is room", function()
          return (lsocket.connect("seqpacket", path)) -- or its backlog is full for a moment
        end))
      end
      clients[40]:send "get name"
      assert.equal("no such name", helper.readable(clients[40]):recv())
      for _, client in ipairs(clients) do client:close() end
    end, "registry", path)
  end)

  it("keeps so many names and no more", function()
    local path = helper.path()
    with("", function()
      local client = assert(lsocket.connect("seqpacket", path))
      local function ask(request)
        assert(helper.writable(client):send(request))
        return helper.readable(client):recv()
      end
      for i = 1, 10000 do assert.equal("ok", ask("set name" .. i .. " x")) end
      assert.equal("too many names", ask "set one more")
      assert.equal("ok", ask "set name1 y")
      assert.equal("= y", ask "get name1")
      client:close()
    end, "registry", path)
  end)
end)

describe("samples/workers.lua", function()
  -- The workers: children, or theirs, where a shell stands between.
  local function children(pid)
    local list = {}
    for word in helper.run(PS .. pid):gmatch "%d+" do list[#list + 1] = children(word)[1] or word end
    return list
  end

  local function answers(port)
    local client = connect("127.0.0.1", port)
    client:send "hello"
    local answer = helper.readable(client):recv()
    client:close()
    return answer
  end

  local function workers_of(pid, count) -- of which the system may show some late
    return helper.eventually("there are so many workers", function()
      local list = children(pid)
      return #list == count and list
    end)
  end

  it("survives clients that come faster than its workers take them", function()
    need.tool(pending, PS .. 1)
    with("", function(port, pid)
      local pids = table.concat(workers_of(pid, 2), " ")
      os.execute("kill -STOP " .. pids)
      for _ = 1, 700 do connect("127.0.0.1", port):close() end
      os.execute("kill -CONT " .. pids)
      helper.eventually("a worker answers", function() return (answers(port) or ""):find "^worker %d: hello$" end)
    end, "workers", 0)
  end)

  it("goes on where a worker has died", function()
    need.tool(pending, PS .. 1)
    with("", function(port, pid)
      os.execute("kill -KILL " .. workers_of(pid, 2)[1])
      workers_of(pid, 1)
      for _ = 1, 4 do assert.equal("worker 2: hello", answers(port)) end
    end, "workers", 0)
  end)

  it("serves the next client where a worker has no descriptors left", function()
    with(helper.limited(24), function(port)
      local clients = crowd(60, "127.0.0.1", port)
      assert.truthy(answers(port):find "^worker %d: hello$")
      for _, client in ipairs(clients) do client:close() end
    end, "workers", 0)
  end)

  it("ends when a client says quit in a line", function()
    with("", function(port, _, said)
      local client = connect("127.0.0.1", port)
      client:send "quit\n"
      helper.eventually("it ends", function() return said():find "\nquit\n$" end)
      client:close()
    end, "workers", 0)
  end)
end)

-- ---- connections ----

describe("samples/proxy.lua", function()
  -- A client and the server that it reaches through the proxy.
  local function through(fn, ...)
    local listener, target = helper.bind("127.0.0.1", 0)
    with("", function(port)
      local client = connect("127.0.0.1", port)
      local server = assert(helper.readable(listener):accept())
      fn(client, server)
      client:close()
      server:close()
    end, "proxy", 0, "127.0.0.1", target, ...)
    listener:close()
  end

  it("passes on a reset as a reset, from either side", function()
    for side = 1, 2 do
      through(function(...)
        local near, far = select(side, ...), select(3 - side, ...)
        far:send "half"
        assert.equal("half", helper.receive(near, 4))
        far:setopt("linger", 0)
        far:close()
        assert.same({ "", "ECONNRESET" }, { drain(near) })
      end)
    end
  end)

  it("does not connect to itself for ever", function()
    local port = free_ports "tcp"
    with("", function(_, _, said)
      local client = connect("127.0.0.1", port)
      drain(client)
      client:close()
      assert.truthy(said():find "\nthe proxy has been told to connect to itself\n")
      assert.is_nil(said():find ": connected")
    end, "proxy", port, "127.0.0.1", port)
  end)

  it("cuts off a connection with which nothing moves, and no other one", function()
    through(function(client, server)
      local finish = helper.now() + 2
      while helper.now() < finish do
        assert(server:send "x")
        lsocket.select(0.05)
      end
      assert.truthy(helper.receive(client, 10) == ("x"):rep(10))
      local _, name = drain(client)
      assert.equal("ECONNRESET", name)
    end, 1)
  end)
end)

describe("a client", function()
  -- A server that answers one client with text, whatever it is asked.
  local function against(text, name, ...)
    local listener, port = helper.bind("127.0.0.1", 0)
    local path = helper.path()
    local arguments = { ... }
    for i, argument in ipairs(arguments) do arguments[i] = argument:gsub("PORT", port) end
    local pipe = assert(io.popen(helper.bounded(30, helper.command("samples/" .. name, unpack_from(arguments))) ..
      " > " .. path .. " 2>&1; echo $?"))
    local sock = assert(helper.readable(listener):accept())
    helper.readable(sock):recv()
    local first = 1
    while first <= #text do
      if not lsocket.select(nil, { sock }, helper.patience) then break end
      local count = sock:send(text, first)
      if count == nil then break end -- it has had enough
      first = first + (count or 0)
    end
    sock:shutdown "w"
    local status = pipe:read "*l"
    pipe:close()
    sock:close()
    listener:close()
    return process.read(path), status
  end

  local HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

  it("is not led on by sizes of chunks: fetch", function()
    for _, chunk in ipairs { "fffffffffffffff0", "ffffffffffffffff", "8000000000000000", "7fffffffffffffff",
      "100000000", "-5", "+5", "0x5", "5x", "" } do
      local text = HEAD .. chunk .. "\r\nhello\r\n0\r\n\r\n"
      local printed, status = against(text, "fetch", "http://127.0.0.1:PORT/")
      assert.truthy(printed:find "fetch: [^\n]* it breaks off, or is no HTTP\n$", chunk)
      assert.equal("1", status)
    end
    assert.truthy(against(HEAD .. "5\r\nhello!\r\n0\r\n\r\n", "fetch", "http://127.0.0.1:PORT/"):find "no HTTP\n$")
  end)

  it("does not read headers without end: fetch", function()
    local lines = {}
    for i = 1, 20000 do lines[i] = "name" .. i .. ": x\r\n" end
    local many = table.concat(lines)
    for _, text in ipairs { "HTTP/1.1 200 OK\r\n" .. many, ("HTTP/1.1 100 Continue\r\n\r\n"):rep(10000),
      HEAD .. "0\r\n" .. many } do
      local printed, status = against(text .. "\r\nHTTP/1.1 200 OK\r\n\r\n", "fetch", "http://127.0.0.1:PORT/")
      assert.truthy(printed:find "its header is too long\n$", printed:sub(-100))
      assert.equal("1", status)
    end
  end)

  it("does not keep an answer without end: tcp_client", function()
    local printed, status = against(("x"):rep(20000000), "tcp_client", "PORT", "hello")
    assert.same({ "tcp_client: the server sends more than it was asked for\n", "1" }, { printed, status })
  end)

  it("does not keep an answer without end: redis", function()
    for _, answer in ipairs { "$67108865\r\nabc", "*67108865\r\n:1\r\n" } do
      assert.truthy(against(answer, "redis", "127.0.0.1", "PORT", "ping"):find("^redis: what is this%?"))
    end
  end)
end)

-- ---- samples/http/ ----

describe("samples/http/", function()
  local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

  -- A server with an option of its own.
  local function serve(option, value, fn)
    with("", fn, "../spec/child/httpserve", option, value)
  end

  it("has so many connections at a time and no more", function()
    serve("connections", 5, function(port, pid)
      os.execute("kill -STOP " .. pid) -- so that all of them wait at the same time
      local clients = crowd(20, "127.0.0.1", port)
      for _, client in ipairs(clients) do client:send(GET) end
      os.execute("kill -CONT " .. pid)
      local function answered()
        local ready = lsocket.select(clients, 0.2)
        return ready and #ready or 0
      end
      helper.eventually("five are answered", function() return answered() == 5 end)
      lsocket.select(0.2)
      assert.equal(5, answered())
      lsocket.select(clients, 0)[1]:close()
      helper.eventually("another one is", function() return answered() == 5 end)
      for _, client in ipairs(clients) do client:close() end
    end)
  end)

  it("gives a request so much time, however it comes", function()
    serve("patience", 0.5, function(port)
      for first, drip in pairs { [""] = "\r\n", ["GET / HTTP/1.1\r\n"] = "a: b\r\n", ["G"] = "E" } do
        local client = connect("127.0.0.1", port)
        client:send(first)
        local finish, gone = helper.now() + helper.patience, false
        while not gone and helper.now() < finish do
          lsocket.select(0.05)
          gone = client:send(drip) == nil or client:recv() == nil
        end
        assert.is_true(gone, first .. drip)
        client:close()
      end
    end)
  end)
end)
