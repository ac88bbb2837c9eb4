-- resolve: what it takes for an address and what for a name, and what it answers; lookup: the same without a wait, and
-- the names of addresses.
-- Names given to bind, connect and sendto are in the specs of those; threads, forks and signals in net/query_*test.c.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack
local unpack = table.unpack or unpack -- luacheck: ignore 143

local function inet(address) return { family = "inet", addr = address } end
local function inet6(address) return { family = "inet6", addr = address } end

-- Calls a function a hundred times, while the collector never rests, from the first call's end on.
local function under_the_collector(fn)
  local pause = helper.tune("pause", 1)
  for i = 1, 100 do
    fn()
    collectgarbage(i == 1 and "collect" or "step")
  end
  helper.tune("pause", pause)
end

describe("resolve", function()
  it("gives a list of records with family and address", function()
    need.sandbox(pending)
    local list = assert(lsocket.resolve "localhost")
    assert.equal(2, #list)
    table.sort(list, function(a, b) return a.family < b.family end)
    assert.same({ inet "127.0.0.1", inet6 "::1" }, list)
  end)

  it("gives each address once", function()
    need.sandbox(pending)
    assert.same({ inet "127.0.0.1" }, lsocket.resolve "twice.example")
  end)

  it("gives all addresses of a name, in the system's order", function()
    need.sandbox(pending)
    assert.same({ inet6 "fd11::77", inet "127.0.0.1" }, lsocket.resolve "halflocal.example")
    assert.same({ inet "192.0.2.1", inet "10.11.0.255" }, lsocket.resolve "halfreachable.example")
    assert.same({ inet6 "fd11::1" }, lsocket.resolve "global.example")
  end)

  it("looks up names of hex digits only", function()
    need.sandbox(pending)
    for _, name in ipairs { "db", "cafe", "fe", "feed.example" } do
      assert.same({ inet "127.0.0.1" }, lsocket.resolve(name))
    end
    assert.same({ inet "127.0.0.2" }, lsocket.resolve "0xcafe.example")
  end)

  it("takes numeric addresses as they are", function()
    for text, address in pairs { ["127.0.0.1"] = "127.0.0.1", ["192.0.2.1"] = "192.0.2.1", ["0.0.0.0"] = "0.0.0.0",
      ["255.255.255.255"] = "255.255.255.255", ["127.1"] = "127.0.0.1", ["0x7f.1"] = "127.0.0.1",
      ["2130706433"] = "127.0.0.1", ["0"] = "0.0.0.0" } do
      assert.same({ inet(address) }, lsocket.resolve(text))
    end
    for text, address in pairs { ["::1"] = "::1", ["[::1]"] = "::1", ["::"] = "::", ["2001:DB8::0:1"] = "2001:db8::1",
      ["::ffff:127.0.0.1"] = "::ffff:127.0.0.1" } do
      assert.same({ inet6(address) }, lsocket.resolve(text))
    end
  end)

  it("keeps the zone of an address", function()
    need.sandbox(pending)
    assert.same({ inet6 "fe80::1%veth0" }, lsocket.resolve "fe80::1%veth0")
    fails("ENODEV", lsocket.resolve "fe80::1%nowhere")
  end)

  it("never looks up what is made of digits and dots alone", function()
    for _, name in ipairs { "1.2.3.4.5", "999.1.1.1", "1..2", ".", "127.0.0.1.", "4294967296" } do
      fails("EAI_NONAME", lsocket.resolve(name))
    end
  end)

  it("fails for what is no name", function()
    for _, name in ipairs { "", "::1::", "1:2", "a:b", "[]", "[::1", "::1]", "/tmp/x", "a/b", "@name" } do
      local list, message, symbol = lsocket.resolve(name)
      assert.is_nil(list, name)
      assert.is_string(message)
      assert.equal("EAI_NONAME", symbol)
    end
    fails("ENAMETOOLONG", lsocket.resolve(("x"):rep(1025)))
    fails("ENAMETOOLONG", lsocket.resolve(("x"):rep(1000000)))
  end)

  it("fails with the resolver's message for a name that nobody has", function()
    need.sandbox(pending)
    fails("EAI_NONAME", lsocket.resolve "nobody.example")
    fails("EAI_NONAME", lsocket.resolve(("x"):rep(300) .. ".example"))
  end)

  it("raises for what is no string, or has a NUL in it", function()
    raises("bad argument #1 to 'resolve' (string expected, got no value)", function() lsocket.resolve() end)
    raises("bad argument #1 to 'resolve' (string expected, got nil)", function() lsocket.resolve(nil) end)
    raises("bad argument #1 to 'resolve'", function() lsocket.resolve(127) end)
    raises("bad argument #1 to 'resolve'", function() lsocket.resolve {} end)
    raises("address contains a NUL byte", function() lsocket.resolve "localhost\0" end)
    raises("address contains a NUL byte", function() lsocket.resolve "127.0.0.1\0.example" end)
  end)

  it("gives addresses of one family", function()
    need.sandbox(pending)
    assert.same({ inet "127.0.0.1" }, lsocket.resolve("localhost", "inet"))
    assert.same({ inet6 "::1" }, lsocket.resolve("localhost", "inet6"))
    assert.same({ inet6 "::1" }, lsocket.resolve("six.example", "inet6"))
    assert.same({ inet "127.0.0.1" }, lsocket.resolve("127.0.0.1", "inet"))
    assert.same({ inet6 "::1" }, lsocket.resolve("::1", "inet6"))
    fails("EAI_NONAME", lsocket.resolve("127.0.0.1", "inet6"))
    fails("EAI_NONAME", lsocket.resolve("::1", "inet"))
    local none, message, name = lsocket.resolve("db", "inet6")
    assert.is_nil(none)
    assert.is_string(message)
    assert.truthy(name:find "^EAI_")
    assert.same(lsocket.resolve "localhost", lsocket.resolve("localhost", nil))
    raises("bad argument #2 to 'resolve' (invalid option 'unix')", function() lsocket.resolve("localhost", "unix") end)
    raises("bad argument #2 to 'resolve'", function() lsocket.resolve("localhost", 4) end)
    raises("bad argument #2 to 'resolve'", function() lsocket.resolve("127.0.0.1", {}) end)
  end)

  it("gives addresses that can be bound and connected to", function()
    need.sandbox(pending)
    for _, record in ipairs(lsocket.resolve "localhost") do
      local listener, port = helper.bind(record.addr, 0)
      helper.connect_to(listener, record.addr, port)
      assert.equal(record.family, listener:info().family)
    end
  end)
end)

-- The results of a lookup, once it is done.
local function results(name, family)
  local lookup = assert(lsocket.lookup(name, family))
  helper.readable(lookup)
  return helper.pack(lookup:result())
end

describe("lookup", function()
  local names = { "localhost", "db", "cafe", "0xcafe.example", "six.example", "twice.example", "twofaced.example",
    "halflocal.example", "halfreachable.example", "nobody.example", ("x"):rep(300) .. ".example", "a..b" }
  local addresses = { "127.0.0.1", "127.1", "0", "::1", "[::1]", "::ffff:127.0.0.1", "fe80::1%lo", "fe80::1%nowhere",
    "", "1.2.3.4.5", "::1::", "a:b", "/tmp/x", "a/b", "@name", "@\0", ("x"):rep(1025), ("x"):rep(1000000) }

  it("gives what resolve gives for names", function()
    need.sandbox(pending)
    for _, name in ipairs(names) do
      assert.same(helper.pack(lsocket.resolve(name)), results(name))
      for _, family in ipairs { "inet", "inet6" } do
        assert.same(helper.pack(lsocket.resolve(name, family)), results(name, family))
      end
    end
  end)

  it("gives what resolve gives for what is no name, at once and without a thread", function()
    need.proc(pending)
    local before = process.threads()
    for _, name in ipairs(addresses) do
      local lookup = assert(lsocket.lookup(name))
      assert.same(helper.pack(lsocket.resolve(name)), helper.pack(lookup:result()))
      assert.same({ lookup }, lsocket.select({ lookup }, 0))
    end
    assert.is_true(process.threads() <= before)
  end)

  it("gives addresses of one family", function()
    need.sandbox(pending)
    assert.same({ inet "127.0.0.1", n = 1 }, { n = 1, results("localhost", "inet")[1][1] })
    assert.same({ n = 1, { inet6 "::1" } }, results("localhost", "inet6"))
    assert.same({ n = 1, { inet6 "::1" } }, results("six.example", "inet6"))
    assert.same({ n = 1, { inet "127.0.0.1" } }, results("127.0.0.1", "inet"))
    assert.same({ n = 1, { inet6 "::1" } }, results("::1", "inet6"))
    fails("EAI_NONAME", unpack(results("127.0.0.1", "inet6"), 1, 3))
    fails("EAI_NONAME", unpack(results("::1", "inet"), 1, 3))
    local none = results("db", "inet6")
    assert.is_nil(none[1])
    assert.truthy(none[3]:find "^EAI_")
  end)

  it("answers the same again and again", function()
    need.sandbox(pending)
    for _, name in ipairs { "localhost", "nobody.example", "127.0.0.1", "1.2.3.4.5" } do
      local lookup = lsocket.lookup(name)
      helper.readable(lookup)
      local first = helper.pack(lookup:result())
      for _ = 1, 3 do assert.same(first, helper.pack(lookup:result())) end
      helper.readable(lookup)
    end
  end)

  it("is found by asking, too", function()
    need.sandbox(pending)
    local lookup = lsocket.lookup "db"
    assert.same({ inet "127.0.0.1" }, helper.eventually("an answer", function() return lookup:result() end))
    assert.same({ inet "127.0.0.1" }, lookup:result())
  end)

  it("can be waited for in select and in pollers of each kind", function()
    need.sandbox(pending)
    for _, backend in ipairs(helper.backends) do
      local poller = lsocket.poller(backend)
      local list, waiting = {}, 0
      for i = 1, poller and 30 or 0 do
        list[i] = lsocket.lookup(i % 2 == 0 and "db" or "127.0.0.1")
        assert(poller:add(list[i], "r", i))
        waiting = waiting + 1
      end
      while waiting > 0 do
        for _, i in ipairs(assert(poller:wait(helper.patience))) do
          assert.same({ inet "127.0.0.1" }, list[i]:result())
          list[i]:cancel()
          waiting = waiting - 1
        end
      end
      if poller then assert.equal(0, #poller) end
    end
  end)

  it("leaves pollers when it is cancelled, as its descriptor's number is given away", function()
    for _, backend in ipairs(helper.backends) do
      local poller = lsocket.poller(backend)
      if poller then
        helper.settle()
        local old = lsocket.lookup "127.0.0.1"
        local fd = old:getfd()
        poller:add(old, "r", "old")
        old:cancel()
        assert.equal(0, #poller)
        local new = lsocket.lookup "127.0.0.1"
        assert.equal(fd, new:getfd())
        assert.is_false(poller:wait(0))
        poller:add(new, "r", "new")
        assert.same({ "new" }, poller:wait(0))
      end
    end
  end)

  it("is gone once it is cancelled", function()
    need.sandbox(pending)
    for _, name in ipairs { "localhost", "127.0.0.1", "1.2.3.4.5" } do
      local lookup = lsocket.lookup(name)
      assert.is_true(lookup:getfd() >= 0)
      for _ = 1, 2 do
        assert.is_true(lookup:cancel())
        assert.equal(-1, lookup:getfd())
        fails("ECANCELED", lookup:result())
      end
      assert.is_false(lsocket.select({ lookup }, 0))
    end
  end)

  it("takes a descriptor only where one is asked for, and gives it back", function()
    need.proc(pending)
    need.sandbox(pending)
    local before, list = process.bells(), {}
    for i = 1, 20 do list[i] = lsocket.lookup(i % 2 == 0 and "localhost" or "::1") end
    assert.equal(before, process.bells())
    for i = 1, 20 do assert.equal(list[i]:getfd(), list[i]:getfd()) end
    assert.is_true(process.bells() >= before + 20)
    for i = 1, 10 do list[i]:cancel() end
    list = nil -- luacheck: ignore 311
    assert.equal(before, process.bells())
  end)

  it("can end with its block", function()
    if _VERSION < "Lua 5.4" then pending "needs Lua 5.4" end
    local lookup = lsocket.lookup "127.0.0.1"
    assert(load "local ended <close> = ...")(lookup)
    fails("ECANCELED", lookup:result())
  end)

  it("says what it is", function()
    assert.truthy(tostring(lsocket.lookup "::1"):find "^lookup: 0?x?%x+$")
  end)

  it("can be asked after it was finalized", function()
    local lookup = lsocket.lookup "127.0.0.1"
    getmetatable(lookup).__gc(lookup)
    getmetatable(lookup).__gc(lookup)
    fails("ECANCELED", lookup:result())
    assert.equal(-1, lookup:getfd())
    assert.is_true(lookup:cancel())
    assert.truthy(tostring(lookup):find "^lookup: ")
  end)

  it("keeps its list where a finalizer cancels it while the list is told", function()
    need.sandbox(pending)
    for _ = 1, 5 do
      local lookup = lsocket.lookup "twofaced.example"
      helper.readable(lookup)
      local pause = helper.tune("pause", 1)
      collectgarbage() -- from here on it never rests
      helper.when_collected(function() lookup:cancel() end)
      for _ = 1, 1000 do
        local list = lookup:result()
        if not list then break end
        if not (#list == 2 and list[1].addr == "127.0.0.1" and list[2].addr == "fd99::1") then
          helper.tune("pause", pause)
          error "the list has changed"
        end
      end
      helper.tune("pause", pause)
      collectgarbage() -- where the collector has not come so far
      fails("ECANCELED", lookup:result())
    end
  end)

  it("tells no list that is gone where a finalizer finalizes it while the list is told", function()
    need.sandbox(pending)
    local wrong
    under_the_collector(function()
      local lookup = lsocket.lookup "twofaced.example"
      helper.readable(lookup)
      helper.when_collected(function() getmetatable(lookup).__gc(lookup) end)
      for _ = 1, 1000 do
        local list = lookup:result()
        if not list then break end
        wrong = wrong or not (#list == 2 and list[1].addr == "127.0.0.1" and list[2].addr == "fd99::1")
      end
    end)
    assert.is_falsy(wrong)
  end)

  it("raises for what is no string, no family, or has a NUL in it", function()
    raises("bad argument #1 to 'lookup' (string expected, got no value)", function() lsocket.lookup() end)
    raises("bad argument #1 to 'lookup'", function() lsocket.lookup(127) end)
    raises("address contains a NUL byte", function() lsocket.lookup "localhost\0" end)
    raises("bad argument #2 to 'lookup' (invalid option 'unix')", function() lsocket.lookup("localhost", "unix") end)
    raises("bad argument #2 to 'lookup'", function() lsocket.lookup("localhost", {}) end)
  end)
end)

-- The results of a lookup by name, once it is done.
local function found(arguments)
  local lookup = assert(lsocket.lookup(arguments))
  helper.readable(lookup)
  return lookup:result()
end

describe("lookup by name", function()
  it("is the same as with arguments in order", function()
    need.sandbox(pending)
    assert.same(results "localhost", pack(found { name = "localhost" }))
    assert.same(results("localhost", "inet6"), pack(found { name = "localhost", family = "inet6", canonical = false }))
    assert.same({ n = 1, { inet "127.0.0.1" } }, pack(found { name = "127.1" }))
    fails("EAI_NONAME", found { name = "nobody.example" })
  end)

  it("tells what a name stands for, if it is asked to", function()
    need.sandbox(pending)
    for name, canonical in pairs { cafe = "db", db = "db", localhost = "localhost" } do
      local list = assert(found { name = name, canonical = true, family = "inet" })
      assert.same({ inet "127.0.0.1", canonical = canonical }, list)
    end
    assert.is_nil(assert(found { name = "cafe" }).canonical)
    fails("EAI_NONAME", found { name = "nobody.example", canonical = true })
  end)

  it("says of an address that it stands for itself", function()
    assert.same({ inet "127.0.0.1", canonical = "127.0.0.1" }, (found { name = "127.1", canonical = true }))
    assert.same({ inet6 "::1", canonical = "::1" }, (found { name = "[::1]", canonical = true }))
    fails("EAI_NONAME", found { name = "::1", family = "inet", canonical = true })
    fails("EAI_NONAME", found { name = "/tmp/x", canonical = true })
  end)

  it("gives the name of an address", function()
    need.sandbox(pending)
    for address, name in pairs { ["127.0.0.1"] = "localhost", ["127.1"] = "localhost", ["::1"] = "localhost",
      ["127.0.0.2"] = "0xcafe.example", ["fd11::1"] = "global.example" } do
      assert.same({ n = 1, name }, pack(found { address = address }))
    end
    fails("EAI_NONAME", found { address = "192.0.2.99" })
    assert.truthy(select(3, found { address = "fe80::1%lo" }):find "^EAI_")
  end)

  it("fails for what is no address, at once and without a thread", function()
    need.proc(pending)
    local before = process.threads()
    for _, text in ipairs { "localhost", "", "1.2.3.4.5", "/tmp/x", "@name", "a:b" } do
      local lookup = assert(lsocket.lookup { address = text })
      fails("EAI_NONAME", lookup:result())
    end
    fails("ENODEV", assert(lsocket.lookup { address = "fe80::1%nosuchinterface" }):result())
    assert.is_true(process.threads() <= before)
  end)

  it("is cancelled, collected and asked again as others are", function()
    need.sandbox(pending)
    for _ = 1, 50 do lsocket.lookup { address = "127.0.0.1" } end
    collectgarbage()
    local lookup = lsocket.lookup { address = "127.0.0.1" }
    helper.readable(lookup)
    for _ = 1, 3 do assert.equal("localhost", lookup:result()) end
    lookup:cancel()
    fails("ECANCELED", lookup:result())
  end)

  it("keeps the name where a finalizer finalizes it while the name is told", function()
    need.sandbox(pending)
    local wrong
    under_the_collector(function()
      local lookup = lsocket.lookup { address = "127.0.0.1" }
      local other = lsocket.lookup { name = "cafe", canonical = true }
      helper.readable(lookup)
      helper.readable(other)
      helper.when_collected(function()
        getmetatable(lookup).__gc(lookup)
        getmetatable(other).__gc(other)
      end)
      for _ = 1, 200 do
        local name, list = lookup:result(), other:result()
        wrong = wrong or name and name ~= "localhost" or list and list.canonical ~= "db"
      end
    end)
    assert.is_falsy(wrong)
  end)

  it("raises for what is wrong, and names it", function()
    local function refused(text, arguments)
      raises("bad argument #1 to 'lookup' (" .. text, function() lsocket.lookup(arguments) end)
    end
    refused("name: string expected, got nil", {})
    refused("name: string expected, got number", { name = 1 })
    refused("name: address contains a NUL byte", { name = "a\0" })
    refused("address: string expected, got table", { address = {} })
    refused("address: address contains a NUL byte", { address = "::1\0" })
    refused("family: inet or inet6 expected", { name = "db", family = "unix" })
    refused("family: inet or inet6 expected", { name = "db", family = 4 })
    refused("canonical: boolean expected", { name = "db", canonical = 1 })
    refused("family: of no use with an address", { address = "::1", family = "inet6" })
    refused("canonical: of no use with an address", { address = "::1", canonical = true })
    refused("name: of no use with an address", { address = "::1", name = "db" })
    refused("nosuch: no such argument", { name = "db", nosuch = 1 })
    refused("number: no such argument", { "db" })
  end)
end)

describe("with a name server that never answers", function()
  -- What the child prints, and how long it takes, in seconds.
  local function run(what)
    need.sandbox(pending)
    need.tool(pending, "spec/silent/run true")
    local started = helper.now()
    local output, status = helper.run("spec/silent/run " .. helper.command("lookups", what))
    assert.equal(0, status, output)
    return output, helper.now() - started
  end

  it("100 lookups do not disturb timers", function()
    need.speed(pending)
    local function percentile() return tonumber(run("timers"):match "^%S+") end
    assert.is_true(helper.below(50, percentile) < 50) -- 5 on a machine that has nothing else to do
  end)

  it("starting, asking and cancelling return at once", function()
    need.speed(pending)
    local function longest() return tonumber((run "calls")) end
    assert.is_true(helper.below(500, longest) < 500)
  end)

  it("other names are looked up", function()
    assert.equal("answered\n", (run "others"))
  end)

  it("5,000 lookups wait, on a few threads", function()
    assert.equal("waiting\n", (run "many"))
  end)

  it("what is cancelled does not hold up other names", function()
    assert.equal("answered\n", (run "places"))
  end)

  it("late answers arrive", function()
    assert.equal("answered\n", (run "late"))
  end)

  for _, how in ipairs { "ending", "exit", "closing" } do
    it("a program ends at once: " .. how, function()
      local output, seconds = run(how)
      assert.equal("ended\n", output)
      assert.is_true(seconds < helper.patience)
    end)
  end

  it("a fork leaves the lookups to parent and child", function()
    if not jit then pending "needs LuaJIT, to fork" end
    assert.equal("7\n", (run "fork"))
  end)
end)
