-- The small samples on the loop, run as programs: echo, chat, redis, portscan, nameserver,
-- statsd.
local loop = require "lsocket.loop"
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"
local sample = require "spec.sample"

local need, connect = helper.need, sample.connect

after_each(helper.remove_paths)

-- Runs a sample that ends by itself: what it printed, its exit status.
local function run(name, ...)
  return helper.run(helper.bounded(20, helper.command("samples/" .. name, ...)))
end

describe("samples/echo.lua", function()
  it("sends back what comes, to many clients", function()
    sample.talk(function(port)
      local data, tasks = ("0123456789"):rep(20000), {}
      for i = 1, 50 do
        tasks[i] = loop.spawn(function()
          local client = connect(port)
          local writer = loop.spawn(client.write, client, i .. data)
          assert.equal(i .. data, client:read(#data + #tostring(i)))
          writer:join()
          client:close()
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
    end, "echo", 0)
  end)

  it("lets clients go that are silent, or do not read", function()
    sample.talk(function(port)
      local silent, deaf = connect(port), connect(port)
      local ok, data = true, ("x"):rep(1048576)
      while ok do ok = deaf:write(data) end
      assert.is_nil(silent:read())
      deaf:close()
    end, "echo", 0, 0.2)
  end)
end)

describe("samples/chat.lua", function()
  -- A member of the chat.
  local function join(port, name, options)
    local client = connect(port, options)
    assert.equal("your name? ", client:read(11))
    assert(client:write(name, "\n"))
    return client
  end

  -- Reads until a line comes.
  local function await(client, wanted)
    local line, message
    repeat line, message = client:read() until not line or line == wanted
    assert.equal(wanted, line, message)
  end

  it("tells everybody what one says, and who comes and leaves", function()
    sample.talk(function(port)
      local members, tasks = {}, {}
      for i = 1, 100 do
        members[i] = join(port, "member" .. i)
        await(members[i], "+ member" .. i)
      end
      members[50]:close()
      members[1]:write("hello\27[2J\r\n")
      for i = 1, 100 do
        tasks[i] = loop.spawn(function()
          if i == 50 then return end
          await(members[i], "- member50 has left")
          members[99]:write(i == 99 and "goodbye\n" or "")
          await(members[i], "member99: goodbye")
          members[i]:close()
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
    end, "chat", 0)
  end)

  it("takes no control characters, no odd names, none twice, no endless lines", function()
    sample.talk(function(port)
      local ann = join(port, "ann")
      await(ann, "+ ann")
      assert.equal("somebody has that name", join(port, "ann"):read())
      assert.equal("letters and digits, please", join(port, "b b"):read())
      assert.equal("letters and digits, please", join(port, ("b"):rep(21)):read())
      assert.equal("letters and digits, please", join(port, ("b"):rep(2000)):read())
      ann:write("a\27[2J\n")
      await(ann, "ann: a [2J")
      local bob = join(port, "bob")
      bob:write(("b"):rep(2000))
      await(ann, "- bob has left")
    end, "chat", 0)
  end)

  it("lets one go who reads slowly, and keeps little for him", function()
    need.proc(pending)
    sample.talk(function(port, _, pid)
      local function memory() return tonumber((process.status("VmRSS", pid):match("%d+"))) end
      local slow = join(port, "slow", { rcvbuf = 4096 })
      local ann, line = join(port, "ann"), ("x"):rep(900)
      await(ann, "+ ann")
      local before, gone = memory(), false
      for i = 1, 2000 do
        assert(ann:write(line, i, "\n"))
        local heard
        repeat
          heard = assert(ann:read())
          gone = gone or heard == "- slow was too slow"
        until heard == "ann: " .. line .. i
      end
      assert.is_true(gone)
      if not helper.slow then assert.is_true(memory() - before < 4096) end
      slow:close()
    end, "chat", 0)
  end)
end)

describe("samples/redis.lua", function()
  -- Listens, runs the sample against a function that answers one client, and gives what was printed.
  local function with_server(serve, ...)
    local listener, port = helper.bind("127.0.0.1", 0)
    local path = helper.path()
    local pipe = assert(io.popen(helper.command("samples/redis", "127.0.0.1", port, ...) .. " > " .. path .. " 2>&1"))
    loop.run(loop.deadline, helper.patience, function()
      assert(loop.wait(listener, "r"))
      local client = require "lsocket.stream".new((assert(listener:accept())))
      serve(client)
      client:close()
    end)
    pipe:close()
    listener:close()
    return process.read(path)
  end

  it("sends all commands at once, and understands every kind of answer", function()
    local sent = "*3\r\n$3\r\nset\r\n$1\r\na\r\n$5\r\nblack\r\n*1\r\n$4\r\nping\r\n"
    local printed = with_server(function(client)
      assert.equal(sent, client:read(#sent))
      local answers = "+OK\r\n*6\r\n:-12\r\n$-1\r\n$4\r\na\r\nb\r\n*0\r\n*-1\r\n-ERR no\r\n"
      for i = 1, #answers do
        assert(client:write(answers:sub(i, i)))
        loop.sleep(0)
      end
    end, "set a black", "ping")
    assert.equal("OK\n6:\n  -12\n  (nothing)\n  a\r\nb\n  0:\n  (nothing)\n  error: ERR no\n", printed)
  end)

  it("tells what is wrong with an answer", function()
    for answer, problem in pairs {
      [""] = "the server has closed the connection", ["+O"] = "what is this?", ["!x\r\n"] = "what is this?",
      [":x\r\n"] = "what is this?", ["$-2\r\n"] = "what is this?", ["$5\r\nabc"] = "the answer is cut off",
      ["$1\r\nabc"] = "what is this?", ["*2\r\n+a\r\n"] = "the server has closed the connection",
      ["*999999999999999\r\n"] = "what is this?", [("*1\r\n"):rep(100)] = "what is this?",
    } do
      local printed = with_server(function(client)
        client:read(14)
        client:write(answer)
      end, "ping")
      assert.equal("redis: " .. problem, printed:sub(1, 7 + #problem), answer)
    end
    local port, keeper = helper.refusing_port()
    local printed, status = run("redis", "127.0.0.1", port, "ping")
    assert.same({ "redis: 127.0.0.1:" .. port .. ": Connection refused\n", 1 }, { printed, status })
    assert.truthy(keeper)
  end)

  it("talks to Redis", function()
    local redis = "env -u LD_PRELOAD redis-server" -- which has an allocator of its own
    need.tool(pending, redis .. " --version")
    local keeper, free = helper.bind("127.0.0.1", 0)
    keeper:close()
    local server = assert(io.popen("echo $$; exec " .. redis .. " --save '' --bind 127.0.0.1 --port " .. free))
    local pid = server:read("*l")
    repeat local line = assert(server:read("*l")) until line:find("Ready to accept", 1, true)
    local many = {}
    for i = 1, 500 do many[i] = "lrange list 0 -1" end
    local printed = run("redis", "127.0.0.1", free, "set a 1", "incr a", "get a", "get b", "rpush list x y",
      "lrange list 0 -1", "incr list", "nonsense")
    local listed = run("redis", "127.0.0.1", free, (unpack or table.unpack)(many)) -- luacheck: ignore 143
    os.execute("kill " .. pid)
    server:close()
    assert.equal("OK\n2\n2\n(nothing)\n2\n2:\n  x\n  y\nerror: WRONGTYPE", printed:match("^.-WRONGTYPE"))
    assert.equal(("2:\n  x\n  y\n"):rep(500), listed)
  end)
end)

describe("samples/portscan.lua", function()
  -- A port that answers nothing: so many connections wait there that the next one is not heard. Keep the list.
  local function silent_port()
    local listener = assert(lsocket.bind { address = "127.0.0.1", port = 0, backlog = 0 })
    local kept = { listener }
    repeat
      local sock = assert(lsocket.connect("127.0.0.1", helper.port(listener)))
      table.insert(kept, sock)
    until not helper.is_writable(sock, 0.05)
    return helper.port(listener), kept
  end

  local function open_ports(count)
    local ports, kept = {}, {}
    for i = 1, count do kept[i], ports[i] = helper.bind("127.0.0.1", 0) end
    table.sort(ports)
    return ports, kept
  end

  it("finds the open ports of a set, and no others", function()
    need.sandbox(pending)
    local open, listeners = open_ports(5)
    local refusing, keeper = helper.refusing_port()
    local silent, crowd = silent_port()
    local all, expected = { refusing, silent, "1-200" }, {}
    for i, port in ipairs(open) do
      table.insert(all, i, port)
      expected[i] = ("127.0.0.1 port %d is open\n"):format(port)
    end
    local before, timeout = helper.now(), helper.slow and 5 or 1
    local printed, status = run("portscan", "127.0.0.1", table.concat(all, ","), 50, timeout)
    local elapsed = helper.now() - before
    assert.equal(table.concat(expected) .. "5 open, 201 refused, 1 silent\n", printed)
    assert.equal(0, status)
    assert.is_true(elapsed >= timeout)
    assert.truthy(listeners and keeper and crowd)
  end)

  it("does not wait for ports that refuse", function()
    need.sandbox(pending)
    assert.equal("0 open, 500 refused, 0 silent\n", (run("portscan", "127.0.0.1", "1-500", 100, 60)))
  end)

  it("has so many connections at a time and no more", function()
    need.sandbox(pending)
    local before = helper.now()
    assert.equal("0 open, 0 refused, 4 silent\n", (run("portscan", "10.11.0.77", "1-4", 2, 0.2)))
    assert.is_true(helper.now() - before >= 0.4)
  end)

  it("tells what is wrong with its arguments", function()
    for _, bad in ipairs { "0", "65536", "x", "1-2-3", "1;2" } do
      assert.equal("portscan: usage: portscan.lua host ports [limit [seconds]]\n", (run("portscan", "127.0.0.1", bad)))
    end
    assert.truthy(run("portscan", "1.2.3.4.5", "1"):find("^portscan: 1.2.3.4.5: "))
  end)
end)

describe("samples/nameserver.lua", function()
  local HOSTS = [[
# a comment
10.1.2.3   Box.Example box  # one name, and another
fd00::5:1  box.example
::ffff:1.2.3.4 mapped.example
:: any.example
fe80::1%lo zone.example
nonsense   none.example
]] .. ("192.0.2.1 many.example\n"):rep(40)

  local function hosts_file()
    local path = helper.path()
    local file = assert(io.open(path, "w"))
    file:write(HOSTS)
    file:close()
    return path
  end

  local function bytes_of(hex)
    return (hex:gsub("%s", ""):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
  end

  -- "box.example" as labels, in hex
  local function labels(name)
    local hex = name:gsub("[^.]+%.?", function(label)
      label = label:gsub("%.", "")
      return ("%02x"):format(#label) .. label:gsub(".", function(char) return ("%02x"):format(char:byte()) end)
    end)
    return hex .. "00"
  end

  local HEAD = "abcd 0100 0001 0000 0000 0000"

  it("answers with the addresses of a name", function()
    sample.with(function(port)
      local sock = assert(lsocket.connect("udp", "127.0.0.1", port))
      local function check(query, expected)
        assert(sock:send(bytes_of(query)))
        assert.equal(bytes_of(expected), helper.readable(sock):recv())
      end
      local function question(name, kind) return labels(name) .. kind .. "0001" end
      local function record(kind, hex) return ("c00c %s 0001 0000003c %04x %s"):format(kind, #hex / 2, hex) end
      local function found(name, kind, hex)
        check(HEAD .. question(name, kind),
          "abcd 8500 0001 0001 0000 0000" .. question(name, kind) .. record(kind, hex))
      end
      found("box.example", "0001", "0a010203")
      found("BOX", "0001", "0a010203")
      found("bOx.Example", "001c", "fd000000000000000000000000050001")
      found("mapped.example", "001c", "00000000000000000000ffff01020304")
      found("any.example", "001c", ("0"):rep(32))
      local function nothing(name, kind, flags)
        check(HEAD .. question(name, kind), "abcd " .. flags .. "0001 0000 0000 0000" .. question(name, kind))
      end
      nothing("box", "001c", "8500")
      nothing("box", "000f", "8500")
      for _, name in ipairs { "nobody.example", "zone.example", "none.example", "example" } do
        nothing(name, "0001", "8503")
      end
      check(HEAD .. "0b 626f782e6578616d706c65 00 0001 0001", -- one label with a point in it
        "abcd 8503 0001 0000 0000 0000 0b 626f782e6578616d706c65 00 0001 0001")
      check(HEAD .. "00 0001 0001", "abcd 8503 0001 0000 0000 0000 00 0001 0001")
      check(HEAD .. labels("box") .. "0001 0003", "abcd 8505 0001 0000 0000 0000" .. labels("box") .. "0001 0003")
      local many = question("many.example", "0001")
      check(HEAD .. many, "abcd 8700 0001 001e 0000 0000" .. many .. record("0001", "c0000201"):rep(30))
      sock:close()
    end, "nameserver", hosts_file(), "127.0.0.1", 0)
  end)

  it("does not trust what it is sent", function()
    sample.with(function(port)
      local sock = assert(lsocket.connect("udp", "127.0.0.1", port))
      local good = bytes_of(HEAD .. labels("box") .. "0001 0001")
      for length = 0, #good - 1 do
        assert(sock:send(good:sub(1, length)))
        if length >= 12 then
          assert.equal(bytes_of("abcd 8501 0000 0000 0000 0000"), helper.readable(sock):recv())
        end
      end
      local long = ("3f" .. ("61"):rep(63)):rep(4) .. "00"
      for query, answer in pairs {
        [HEAD .. "c00c 0001 0001"] = "abcd 8501", [HEAD .. long .. "0001 0001"] = "abcd 8501",
        ["abcd 0100 0002 0000 0000 0000" .. labels("box") .. "0001 0001"] = "abcd 8501",
        ["abcd 2800 0001 0000 0000 0000" .. labels("box") .. "0001 0001"] = "abcd ac04",
      } do
        assert(sock:send(bytes_of(query)))
        assert.equal(bytes_of(answer .. "0000 0000 0000 0000"), helper.readable(sock):recv())
      end
      assert(sock:send(bytes_of("abcd 8500 0001 0000 0000 0000" .. labels("box") .. "0001 0001")))
      assert(sock:send(good))
      assert.equal("\0\1", helper.readable(sock):recv():sub(7, 8)) -- the answer to the second one
      sock:close()
    end, "nameserver", hosts_file(), "127.0.0.1", 0)
  end)

  it("is asked by the system's resolver", function()
    need.sandbox(pending)
    need.tool(pending, "spec/silent/run getent hosts localhost")
    sample.with(function()
      local function ask(database, name) return helper.run("spec/silent/run getent " .. database .. " " .. name) end
      assert.equal("10.1.2.3", ask("ahostsv4", "box.example"):match("^%S+"))
      assert.equal("fd00::5:1", ask("ahostsv6", "box.example"):match("^%S+"))
      assert.same({ "", 2 }, { ask("ahosts", "nobody.at.example") })
    end, "nameserver", hosts_file(), "127.0.0.1", 53)
  end)
end)

describe("samples/statsd.lua", function()
  -- Calls fn(send, read): send sends a datagram to the relay, read(count) gives so many lines of its reports, sorted.
  local function with_relay(fn)
    local upstream, number = helper.bind("udp", "127.0.0.1", 0)
    sample.with(function(port)
      local sock = assert(lsocket.connect("udp", "127.0.0.1", port))
      fn(function(data) assert(sock:send(data)) end, function(count)
        local lines = {}
        while #lines < count do
          for line in helper.readable(upstream):recv():gmatch("[^\n]+") do lines[#lines + 1] = line end
        end
        table.sort(lines)
        return lines
      end, port)
    end, "statsd", "127.0.0.1", number, 0.1, "127.0.0.1", 0)
  end

  it("adds up counts, gauges and times", function()
    with_relay(function(send, read)
      send("a:1|c\na:2|c|@0.5\r\nb.c:-1|c\n\nload:5|g\nload:2.5|g\nload:-1|g\n"
        .. "heat:+3|g\nheat:-5|g\nt:1|ms\nt:4|ms\nt:1.0e1|ms")
      assert.same({ "a:5|c", "b.c:-1|c", "heat:-2|g", "load:+1.5|g", "load:0|g", "t.count:3|c", "t.lower:1|g",
        "t.mean:5|g", "t.upper:10|g" }, read(9))
      send "a:7|c"
      assert.same({ "a:7|c" }, read(1))
    end)
  end)

  it("counts the lines that are wrong", function()
    with_relay(function(send, read)
      local wrong = { "", "x", "x:1", "x:|c", "x:1|q", "x:1|c|@0", "x:1|c|@2", "x:1|c|@x", "x:1|c|#tag", ":1|c",
        "x:y|c", "x:1e999|c", "x:0x10|c", "x:nan|g", "x:inf|g", "x:-1|ms", "a\0b:1|c", "x:1-1|c",
        ("x"):rep(201) .. ":1|c" }
      send(table.concat(wrong, "\n") .. "\n" .. "right:1|c")
      assert.same({ "right:1|c", "statsd.bad_lines_seen:" .. #wrong - 1 .. "|c" }, read(2))
    end)
  end)

  it("takes no more names than there is room for", function()
    with_relay(function(send, read)
      local lines = {}
      for i = 1, 5000 do lines[i] = i .. ":1|c" end
      send(table.concat(lines, "\n"))
      lines = read(4097)
      assert.equal("statsd.bad_lines_seen:904|c", lines[4097])
    end)
  end)

  it("goes on when nobody listens to it", function()
    local number, keeper = helper.refusing_udp_port()
    sample.with(function(port, pipe)
      local sock = assert(lsocket.connect("udp", "127.0.0.1", port))
      sock:send "a:1|c"
      lsocket.select(0.05)
      helper.eventually("it complains", function()
        sock:send "a:1|c"
        lsocket.select(0.05)
        sock:send "b:1|c"
        return pipe:read() == ("statsd: 127.0.0.1 port %d: Connection refused"):format(number)
      end)
    end, "statsd", "127.0.0.1", number, 0.02, "127.0.0.1", 0)
    assert.truthy(keeper)
  end)

  it("tells what is wrong with its arguments", function()
    local usage = "statsd: usage: statsd.lua host port [seconds [address [port]]]\n"
    for _, wrong in ipairs { {}, { "127.0.0.1" }, { "127.0.0.1", "x" }, { "127.0.0.1", "70000" },
      { "127.0.0.1", "1", "0" }, { "127.0.0.1", "1", "x" }, { "127.0.0.1", "1", "1", "127.0.0.1", "x" } } do
      assert.same({ usage, 1 }, { run("statsd", (unpack or table.unpack)(wrong)) }) -- luacheck: ignore 143
    end
    assert.equal("statsd: 1.2.3.4.5: Name or service not known\n", (run("statsd", "1.2.3.4.5", "1")))
    local keeper, taken = helper.bind("udp", "127.0.0.1", 0)
    assert.equal(("statsd: 127.0.0.1 port %d: Address already in use\n"):format(taken),
      (run("statsd", "127.0.0.1", "1", "1", "127.0.0.1", taken)))
    keeper:close()
  end)

  it("hears other programs", function()
    need.tool(pending, "bash -c 'echo > /dev/udp/127.0.0.1/9'")
    with_relay(function(_, read, port)
      helper.run(("bash -c 'echo visits:3\\|c > /dev/udp/127.0.0.1/%d'"):format(port))
      assert.same({ "visits:3|c" }, read(1))
    end)
  end)
end)
