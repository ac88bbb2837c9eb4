-- The samples that are a client and its server, against each other and against programs that others wrote: socat, nc,
-- python. On the loop they have specs of their own, and what hostile peers do to them is left to hostile_spec.lua and
-- circles_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"
local programs = require "spec.programs"
local lfs = require "lfs"

local need = helper.need
local families = {
  { name = "IPv4", of = 4, address = "127.0.0.1", host = "127.0.0.1" },
  { name = "IPv6", of = 6, address = "::1", host = "[::1]", "6" }, -- what the samples are told
}

after_each(function()
  programs.stop_all()
  helper.remove_paths()
end)

-- Small buffers, where the network is ours: so that sends are cut short, which is rare with large ones.
local sizes = {}
setup(function()
  if os.getenv "LS_SANDBOX" ~= "1" then return end
  for _, name in ipairs { "tcp_rmem", "tcp_wmem" } do
    local path = "/proc/sys/net/ipv4/" .. name
    sizes[path] = process.read(path)
    os.execute("echo 4096 16384 65536 2> /dev/null > " .. path)
  end
end)
teardown(function()
  for path, values in pairs(sizes) do os.execute("echo " .. values:gsub("%s+", " ") .. " 2> /dev/null > " .. path) end
end)

-- The command that runs a sample over a family of addresses.
local function command(family, name, ...)
  local words = { ... }
  if family[1] then table.insert(words, 1, family[1]) end
  return helper.command("samples/" .. name, (table.unpack or unpack)(words))
end

-- The command that runs a part of spec/child/peers.py.
local function peer(...)
  local words = { "spec/child/peers.py" }
  for _, word in ipairs { ... } do words[#words + 1] = helper.quote(word) end
  return helper.python(table.concat(words, " "))
end

local function need_tools(family)
  need.tool(pending, "command -v socat")
  need.tool(pending, "command -v nc")
  need.tool(pending, helper.python "-c pass")
  if family.of == 6 then need.ipv6(pending) end
end

-- A line of a million bytes of all kinds, in numbered pieces, so that none can stand for another.
local function make_line()
  local bytes, pieces = {}, {}
  for i = 1, 994 do bytes[i] = string.char(math.random(14, 255)) end
  local piece = table.concat(bytes)
  for i = 1, 1000 do pieces[i] = ("%06d"):format(i) .. piece end
  return table.concat(pieces) .. "\n"
end
local line = make_line()

-- Fails without printing millions of bytes.
local function assert_same(expected, actual)
  if expected == actual then return end
  error(("expected %d bytes, got %d: %s"):format(#expected, #actual, actual:sub(1, 300)), 2)
end

-- ---- tcp ----

for _, family in ipairs(families) do
  describe("samples/tcp_server.lua, " .. family.name, function()
    local server, port
    before_each(function()
      need_tools(family)
      server, port = programs.listen(command(family, "tcp_server", 0))
    end)

    it("returns the lines of tcp_client, from arguments and from its input", function()
      assert.equal("one\n\ntwo words\n", programs.run(command(family, "tcp_client", port, "one", "", "two words")))
      assert.equal("a\n\nb\n", programs.run(command(family, "tcp_client", port), "a\n\nb\n"))
      assert_same(line, programs.run(command(family, "tcp_client", port), line))
    end)

    it("returns what socat sends, which closes its side first, and nc", function()
      local socat = ("socat -t5 -b 4096 - TCP%d:%s:%d"):format(family.of, family.host, port)
      assert_same(line, programs.run(socat, line))
      assert.equal("x\ny\n", programs.run(("nc -N %s %d"):format(family.address, port), "x\ny\n"))
    end)

    it("serves others while a client reads slowly, and outlives one that resets", function()
      assert.equal("the other was served\nstuck until it read, and got all\n",
        programs.run(peer("slow_tcp", family.address, port)))
      assert.equal("", programs.run(peer("reset", family.address, port)))
      helper.eventually("it reports the reset", function()
        local output = server:output()
        return output:find ": Connection reset" or output:find ": Broken pipe"
      end)
      assert.equal("alive\n", programs.run(command(family, "tcp_client", port, "alive")))
    end)

    it("has gone when tcp_client says so", function()
      server:stop()
      assert.equal(("tcp_client: %s port %d: Connection refused\nstatus 1"):format(family.address, port),
        programs.run(command(family, "tcp_client", port, "one")))
    end)
  end)

  describe("samples/tcp_client.lua, " .. family.name, function()
    before_each(function() need_tools(family) end)

    it("prints what socat returns", function()
      local socat = ("socat -d -d TCP%d-LISTEN:0,bind=%s,fork EXEC:cat"):format(family.of, family.host)
      local _, port = programs.listen(socat)
      assert.equal("one\ntwo\n", programs.run(command(family, "tcp_client", port, "one", "two")))
      assert_same(line, programs.run(command(family, "tcp_client", port), line))
    end)

    it("takes two answers at once from nc", function()
      local answers = helper.file "first\nsecond\n"
      local nc, port = programs.listen(("timeout %d sh -c %s"):format(helper.patience,
        helper.quote(("exec nc -nlv %s 0 < %s"):format(family.address, answers))))
      assert.equal("first\nsecond\n", programs.run(command(family, "tcp_client", port, "a", "b")))
      nc:join()
      assert.equal("a\nb\n", (nc:output():gsub("Listening[^\n]*\n", ""):gsub("Connection[^\n]*\n", "")))
    end)

    it("takes an answer byte by byte", function()
      local _, port = programs.listen(peer("dribble", family.address))
      assert.equal("slowly\nbut surely\n", programs.run(command(family, "tcp_client", port, "slowly", "but surely")))
    end)

    it("says that the server hangs up", function()
      local _, port = programs.listen(peer("hang_up", family.address))
      assert.equal("tcp_client: the server closed the connection\nstatus 1",
        programs.run(command(family, "tcp_client", port, "one")))
    end)
  end)
end

-- ---- udp ----

-- What comes back for "hello" through socat, which is given longer and longer.
local function socat_udp(family, port)
  local back
  for _, seconds in ipairs { 0.3, 1, 5 } do
    back = programs.run(("socat -t%s - UDP%d:%s:%d"):format(seconds, family.of, family.host, port), "hello")
    if back ~= "" then break end
  end
  return back
end

for _, family in ipairs(families) do
  local long = line:sub(1, 60000)

  describe("samples/udp_server.lua, " .. family.name, function()
    local server, port
    before_each(function()
      need_tools(family)
      server, port = programs.listen(command(family, "udp_server", 0))
    end)

    it("returns the datagrams of udp_client", function()
      assert.equal("one\n\ntwo\n", programs.run(command(family, "udp_client", port, "one", "", "two")))
      assert.equal("a\nb\n", programs.run(command(family, "udp_client", port), "a\nb\n"))
      assert_same(long .. "\n", programs.run(command(family, "udp_client", port, long)))
      assert.equal("udp_client: Message too long\nstatus 1",
        programs.run(command(family, "udp_client", port), long .. long .. "\n"))
    end)

    it("returns those of socat and nc, and prints them", function()
      assert.equal("hello", socat_udp(family, port))
      assert.equal("hello", programs.run(("nc -u -w 1 %s %d"):format(family.address, port), "hello"))
      server:await '5 bytes, "hello": sent back'
    end)

    it("is served by a relay", function()
      local _, relayed = programs.listen(helper.command("samples/udp_relay", family.address, port, 0))
      assert.equal("one\n\ntwo\n", programs.run(command(family, "udp_client", relayed, "one", "", "two")))
      assert_same(long .. "\n", programs.run(command(family, "udp_client", relayed, long)))
      assert.equal("hello", socat_udp(family, relayed))
    end)

    it("has gone when udp_client says so", function()
      server:stop()
      assert.equal("udp_client: Connection refused\nstatus 1", programs.run(command(family, "udp_client", port, "one")))
    end)
  end)

  describe("samples/udp_client.lua, " .. family.name, function()
    before_each(function() need_tools(family) end)

    it("prints what socat returns", function()
      local _, port = programs.listen(("socat -d -d UDP%d-LISTEN:0,bind=%s EXEC:cat"):format(family.of, family.host))
      assert.equal("one\ntwo\n", programs.run(command(family, "udp_client", port, "one", "two")))
    end)

    it("sends again what is lost", function()
      local _, port = programs.listen(peer("lossy", family.address))
      assert.equal("one\n", programs.run(command(family, "udp_client", port, "one")))
    end)
  end)
end

-- ---- unix ----

local function client(...)
  return helper.command("samples/unix_client", ...)
end

local function server_at(name)
  return programs.start(helper.command("samples/unix_server", name), "listening on ")
end

local function check_unix(name, address)
  assert.equal("one\n\ntwo\n", programs.run(client(name, "one", "", "two")))
  assert_same(line, programs.run(client(name), line))
  assert_same(line, programs.run("socat -t5 -b 4096 - " .. address, line))
  assert.equal(("unix_server: %s: Address already in use\nstatus 1"):format(name),
    programs.run(helper.command("samples/unix_server", name)))
  assert.equal("alive\n", programs.run(client(name, "alive")))
end

describe("samples/unix_server.lua", function()
  before_each(function() need_tools(families[1]) end)

  it("serves at a path, which it removes when it is interrupted", function()
    local path = helper.path()
    local server = server_at(path)
    check_unix(path, "UNIX-CONNECT:" .. path)
    assert.equal("x\ny\n", programs.run("nc -N -U " .. path, "x\ny\n"))
    assert.equal("the other was served\nstuck until it read, and got all\n", programs.run(peer("slow_unix", path)))
    server:stop "INT"
    assert.is_nil(lfs.attributes(path))
    server_at(path):stop "TERM"
    assert.is_nil(lfs.attributes(path))
    assert.equal(("unix_client: %s: No such file or directory\nstatus 1"):format(path),
      programs.run(client(path, "one")))
  end)

  it("serves at an abstract name", function()
    need.abstract(pending)
    local name = helper.name()
    local server = server_at(name)
    check_unix(name, "ABSTRACT-CONNECT:" .. name:sub(2))
    server:stop "INT"
    assert.equal(("unix_client: %s: Connection refused\nstatus 1"):format(name), programs.run(client(name, "one")))
  end)

  it("takes the place of one that was killed", function()
    local path = helper.path()
    server_at(path):stop "KILL"
    assert.equal(("unix_client: %s: Connection refused\nstatus 1"):format(path), programs.run(client(path, "one")))
    server_at(path)
    assert.equal("alive\n", programs.run(client(path, "alive")))
  end)

  it("removes no other file, and no folder", function()
    local file, folder = helper.file "precious", helper.path()
    assert(lfs.mkdir(folder))
    for _, path in ipairs { file, folder } do
      assert.equal(("unix_server: %s: Address already in use\nstatus 1"):format(path),
        programs.run(helper.command("samples/unix_server", path)))
    end
    assert.equal("precious", process.read(file))
    assert.equal("directory", lfs.attributes(folder, "mode"))
  end)
end)

describe("samples/unix_client.lua", function()
  it("prints what socat returns", function()
    need_tools(families[1])
    local path = helper.path()
    programs.start(("socat -d -d UNIX-LISTEN:%s,fork EXEC:cat"):format(path), "listening on")
    assert.equal("one\ntwo\n", programs.run(client(path, "one", "two")))
  end)
end)

-- ---- multicast and broadcast ----

-- The name of the first interface that has these flags, and not that one, of a family.
local function interface(wanted, unwanted, family)
  for _, each in ipairs(lsocket.getinterfaces()) do
    local fits = each.family == (family or each.family) and not each.flags[unwanted]
    for _, flag in ipairs(wanted) do fits = fits and each.flags[flag] end
    if fits then return each.name end
  end
end

describe("samples/mcast_server.lua and mcast_client.lua", function()
  before_each(function()
    need_tools(families[1])
    need.groups(pending)
  end)

  -- A group and a zone for python, and what the samples are told: nothing for their own group, or the group.
  local function check(group, zone, ...)
    local words = { ... }
    local function told(name, ...)
      local all = { (table.unpack or unpack)(words) }
      for _, word in ipairs { ... } do all[#all + 1] = word end
      return helper.command("samples/" .. name, (table.unpack or unpack)(all))
    end
    local first, port = programs.listen(told("mcast_client", 0))
    local second = programs.listen(told("mcast_client", port))
    local printed = programs.run(told("mcast_server", port, "one", "two"))
    assert.truthy(printed:find "^sending to [^\n]*\nsent: one\nsent: two\n$", printed)
    for _, listener in ipairs { first, second } do
      listener:await ": two\n"
      assert.truthy(listener:output():find "^[^\n]*\n[^\n]* port %d+: one\n[^\n]* port %d+: two\n$")
    end
    assert.equal("", programs.run(peer("send", group, zone, port, "three")))
    first:await ": three\n"
    local member, at = programs.listen(peer("join", group, zone))
    programs.run(told("mcast_server", at, "hello"))
    member:await "got hello\n"
  end

  it("talk over IPv4, and to python", function()
    local loopback = interface { "loopback" }
    check("239.255.16.1", loopback)
    check("239.255.16.2", loopback, "239.255.16.2%" .. loopback)
  end)

  it("talk over a broadcast address, and to python", function()
    check("127.255.255.255", "", "127.255.255.255")
  end)

  -- What the library takes where no zone is given: the first interface that is up and fit for IPv6 multicast.
  it("talk over IPv6, and to python", function()
    local device = interface({ "up", "multicast" }, "loopback", "inet6") or pending "needs an interface for IPv6 groups"
    check("ff01::16:1", device, "6")
    check("ff01::16:2", device, "6", "ff01::16:2%" .. device)
  end)
end)

-- ---- the demonstration ----

describe("samples/demo.lua", function()
  it("finds nothing wrong, in at most 100 columns", function()
    local output = programs.run(helper.command "samples/demo")
    assert.truthy(output:find "[^%d]0 wrong[^\n]*\n$", output)
    for text in output:gmatch "[^\n]+" do assert.is_true(#text:gsub("[\128-\191]", "") <= 100, text) end
  end)
end)
