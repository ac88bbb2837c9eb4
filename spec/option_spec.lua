-- socket:setopt and socket:getopt: every option of src/option.c on every kind of socket: set and read back, or refused.
-- What single options mean and do: option_kinds_spec.lua. Options as arguments of bind and connect: bind_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises, need, pack = helper.fails, helper.raises, helper.need, helper.pack

after_each(helper.remove_paths)

-- ---- the sockets ----

local peers = setmetatable({}, { __mode = "k" }) -- not to be collected before: a FIN changes what quickack is

local function tcp6()
  local client, server = helper.tcp "::1"
  peers[client] = server
  return client
end

local make = {
  tcp4 = function() return (helper.refused()) end, -- unconnected again: some options have to be set before connecting
  tcp6 = tcp6,
  listener = function() return (helper.bind("127.0.0.1", 0)) end,
  udp4 = function() return (helper.bind("udp", "127.0.0.1", 0)) end,
  udp6 = function() return (helper.bind("udp", "::1", 0)) end,
  stream = function() return (assert(lsocket.pair())) end,
  dgram = function() return assert(lsocket.bind("udp", helper.path())) end,
  seqpacket = function() return (assert(lsocket.pair "seqpacket")) end,
}

local function set(text)
  local members = {}
  for name in text:gmatch "%w+" do members[name] = true end
  return members
end

local unix = "stream dgram seqpacket"
local udp = "udp4 udp6"
local tcp = "tcp4 tcp6 listener"
local ip = tcp .. " " .. udp
local all = ip .. " " .. unix

-- ---- the options ----

local MOST = 2 ^ 31 - 1

-- on: the sockets that have it; the others refuse it, but for those in maybe, where kernels differ or the option is
-- there and cannot be changed. values: two of them. low, high: the bounds of a number.
local options = {}

local function option(name, on, values, more)
  more = more or {}
  options[name] = { on = set(on), values = values, maybe = set(more.maybe or ""), low = more.low, high = more.high,
    always = more.always }
end

local function flag(name, on, more) option(name, on, { false, true }, more) end

local function number(name, on, low, high, values, more)
  more = more or {}
  more.low, more.high = low, high
  option(name, on, values, more)
end

local function readonly(name, on, maybe) options[name] = { on = set(on), maybe = set(maybe or "") } end

flag("reuseaddr", all, { always = true })
flag("reuseport", ip, { maybe = unix })
flag("reuseportlb", ip, { maybe = unix })
flag("broadcast", all, { always = true })
flag("dontroute", all, { always = true })
option("device", all, { false, "lo" })
number("rcvbuf", all, 0, 2 ^ 30 - 1, { 16384, 40000 }, { always = true })
number("sndbuf", all, 0, 2 ^ 30 - 1, { 16384, 40000 }, { always = true })
number("rcvbufforce", all, 0, 2 ^ 30 - 1, { 16384, 8000000 })
number("sndbufforce", all, 0, 2 ^ 30 - 1, { 16384, 8000000 })
number("rcvlowat", all, 1, MOST, { 1, 100 }, { always = true })
number("linger", all, 0, 65535, { 0, 7, false }, { always = true })
flag("oobinline", all, { always = true })
flag("timestamp", all, { always = true })
flag("passcred", unix, { maybe = ip })
number("priority", all, 0, MOST, { 3, 7 })
number("mark", all, 0, MOST, { 1, MOST })
number("busypoll", all, 0, 2147.483647, { 0, 0.00005 })
number("incomingcpu", all, -1, MOST, { 0, 1 }, { maybe = "tcp6" }) -- a connection's is the kernel's affair
flag("keepalive", all, { always = true })
number("keepidle", tcp, 1, MOST, { 60, 32767 })
number("keepintvl", tcp, 1, MOST, { 1, 32767 })
number("keepcnt", tcp, 1, MOST, { 1, 127 })
number("usertimeout", tcp, 0, 2147483.647, { 0, 30, 1.5 })
number("syncnt", tcp, 1, MOST, { 2, 100 })
flag("nodelay", tcp, { always = true })
flag("cork", tcp)
flag("quickack", tcp)
number("maxseg", "tcp4 listener", 1, 65535, { 1000, 536 }, { maybe = "tcp6" }) -- a connection has agreed on one
option("congestion", tcp, { "reno" })
number("fastopen", "tcp4 listener", 0, MOST, { 0, 5 }, { maybe = "tcp6" }) -- of listeners
flag("fastopenconnect", "tcp4", { maybe = "tcp6 listener" }) -- before connecting
number("deferaccept", tcp, 0, MOST, { 0, 1, 7 }) -- 7: what three retransmissions take
number("notsentlowat", tcp, 0, MOST, { 0, 16384 })
flag("v6only", "", { maybe = "tcp6 udp6" }) -- before binding
number("ttl", ip, 1, 255, { 1, 255 }, { always = true })
number("tos", ip, 0, 255, { 0, 0x88 }, { always = true })
number("mcastttl", udp, 0, 255, { 0, 255 }, { maybe = tcp, always = true })
flag("mcastloop", udp, { maybe = tcp, always = true })
option("mcastif", udp, { false, "lo" }, { maybe = tcp, always = true })
flag("mcastall", ip)
flag("pktinfo", udp, { maybe = tcp })
flag("recvttl", udp, { maybe = tcp })
flag("recvtos", udp, { maybe = tcp })
flag("recverr", ip)
option("mtudiscover", ip, { "want", "dont", "do", "probe" })
flag("freebind", ip)
flag("transparent", ip)
flag("bindaddressnoport", ip)
number("segment", udp, 0, 65535, { 0, 1200 })
flag("gro", udp)

readonly("error", all)
readonly("type", all)
readonly("domain", all)
readonly("protocol", all)
readonly("acceptconn", all)
readonly("tcpinfo", tcp)
readonly("mtu", "", ip) -- of connected sockets: option_kinds_spec.lua

-- The names in the source.
local function source()
  local names = {}
  for line in io.lines "src/option.c" do
    local name = line:match '^    { "(%w+)", %u'
    if name then names[name] = true end
  end
  return names
end

-- ---- every option on every socket ----

local function close(...)
  for _, sock in ipairs { ... } do sock:close() end
end

local is_linux = process.read "/proc/self/stat" ~= nil
-- on Linux: FreeBSD's, and what a build may be without
local lacking = set "reuseportlb segment gro tcpinfo pktinfo recverr passcred"

-- Has this platform the option?
local function is_absent(name, kind)
  if options[name].always or (is_linux and not lacking[name]) then return false end
  local sock = make[kind]()
  local value, _, symbol = sock:getopt(name)
  close(sock)
  return value == nil and symbol == "ENOPROTOOPT"
end

local function check_refused(sock, name)
  local row = options[name]
  fails("ENOPROTOOPT", sock:getopt(name))
  if row.values then fails("ENOPROTOOPT", sock:setopt(name, row.values[1])) end
end

-- Sets each value and reads it back; answers false where that takes privileges.
local function check_values(sock, name)
  local values = options[name].values
  need.option(pending, sock, name, values[#values])
  for i = #values, 1, -1 do
    local ok, message, symbol = sock:setopt(name, values[i])
    if symbol == "EPERM" then return false end
    if not ok then error(name .. " = " .. tostring(values[i]) .. ": " .. message) end
    assert.same({ n = 1, values[i] }, pack(sock:getopt(name)))
  end
  assert.is_true(sock:setopt(name, values[#values]))
  assert.same({ n = 1, values[#values] }, pack(sock:getopt(name)))
  return true
end

local function check(sock, name, kind)
  local row = options[name]
  if is_absent(name, kind) or not (row.on[kind] or row.maybe[kind]) then return check_refused(sock, name) end
  if row.maybe[kind] then return end
  if row.values then return check_values(sock, name) end
  assert.equal(1, pack(sock:getopt(name)).n)
end

for name in pairs(options) do
  describe("the option " .. name, function()
    for kind, new in pairs(make) do
      it("is set and read back, or refused: " .. kind, function()
        if kind:find "6" then need.ipv6(pending) end
        local sock = new()
        local done = check(sock, name, kind)
        close(sock)
        if done == false then pending("needs privileges: " .. name) end
      end)
    end

    it("fails on a closed socket", function()
      local sock = make.udp4()
      sock:close()
      fails("EBADF", sock:getopt(name))
      local values = options[name].values
      if values then fails("EBADF", sock:setopt(name, values[1])) end
    end)
  end)
end

-- ---- wrong values ----

-- By the type of a right value.
local wrong = {
  boolean = { 0, 1, "true", "", {}, print },
  number = { true, "x", "", {}, print, 0 / 0, 1 / 0, -1 / 0, 1e300, -1e300, 2 ^ 31, -2 },
  string = { true, 1, "", "reno\0", "want\0", ("x"):rep(16), {}, print },
  interface = { true, 0, -1, 1.5, 2 ^ 31, {}, print },
}

local function is_interface(name) return name == "device" or name == "mcastif" end

local function wrong_values(name)
  local row = options[name]
  if is_interface(name) then return wrong.interface end
  local list = {}
  for _, value in ipairs(wrong[type(row.values[1])]) do
    if not (value == 2 ^ 31 and (row.high or 0) > value) then list[#list + 1] = value end
  end
  if row.low then
    list[#list + 1] = row.low - 1
    list[#list + 1] = row.high + 1
  end
  return list
end

describe("a wrong value", function()
  for name, row in pairs(options) do
    if row.values then
      it("raises for " .. name .. ", with the argument's number", function()
        local sock = make.udp4()
        for _, value in ipairs(wrong_values(name)) do
          raises("bad argument #2 to 'setopt'", function() sock:setopt(name, value) end)
        end
        raises("bad argument #2 to 'setopt'", function() sock:setopt(name) end)
        raises("bad argument #2 to 'setopt'", function() sock:setopt(name, nil) end)
        if row.low then raises(name .. " must be ", function() sock:setopt(name, row.high + 1) end) end
      end)
    else
      it("for " .. name .. " is any", function()
        for _, value in ipairs { 1, true, "x" } do
          raises("bad argument #2 to 'setopt' (" .. name .. " can only be read)", function()
            make.udp4():setopt(name, value)
          end)
          if name ~= "type" then -- which bind has an argument of its own for
            raises(name .. " can only be read", lsocket.bind, { port = 0, [name] = value })
          end
        end
      end)
    end
  end

  it("raises though the socket is closed", function()
    local sock = make.udp4()
    sock:close()
    raises("bad argument #2 to 'setopt'", function() sock:setopt("rcvbuf", -1) end)
  end)
end)

describe("an unknown name", function()
  it("raises", function()
    local sock = make.udp4()
    for _, name in ipairs { "nosuchoption", "", "GRO", "1" } do
      raises("no option is called '" .. name .. "'", function() sock:getopt(name) end)
      raises("bad argument #1 to 'setopt'", function() sock:setopt(name, 1) end)
    end
    raises("bad argument #1 to 'setopt'", function() sock:setopt("gro\0", true) end)
    for _, name in ipairs { true, {}, print } do
      raises("bad argument #1 to 'getopt'", function() sock:getopt(name) end)
      raises("bad argument #1 to 'setopt'", function() sock:setopt(name, 1) end)
    end
  end)
end)

describe("this spec", function()
  it("has a row for every option in the source, and no other", function()
    local names, count = source(), 0
    for name in pairs(names) do
      assert.is_table(options[name], "no row for " .. name)
      count = count + 1
    end
    for name in pairs(options) do assert.is_true(names[name], "no such option: " .. name) end
    assert.is_true(count > 50)
  end)
end)

-- ---- documents ----

describe("the manual", function()
  -- The rows of its table of options: name -> can it be set?
  local function documented()
    local rows, inside = {}, false
    for line in io.lines "doc/manual.md" do
      if line:find "^## " then inside = line == "## Options" end
      local name, value = line:match "^| `(%w+)` | (.-) |"
      if inside and name then
        assert.is_nil(rows[name], "twice: " .. name)
        rows[name] = value:find "read only" and "read" or "write"
      end
    end
    return rows
  end

  it("has every option in its table, and says which can only be read", function()
    local rows = documented()
    for name, row in pairs(options) do assert.equal(row.values and "write" or "read", rows[name], name) end
    for name in pairs(rows) do assert.is_table(options[name], "documented, but not there: " .. name) end
  end)

  it("has the constants of the source in each row", function()
    local rows = {}
    for line in io.lines "doc/manual.md" do
      local name = line:match "^| `(%w+)` | "
      if name then rows[name] = line end
    end
    for line in io.lines "src/option.c" do
      local name, columns = line:match '^    { "(%w+)", (.*) },$'
      for constant in (columns or ""):gmatch "%f[%w]%u[%u%d]*_[%u%d_]+" do
        if not constant:find "^LS_" and not constant:find "^IN[TP]" and constant ~= "IP_ONCE" then
          assert.is_truthy(rows[name]:find(constant, 1, true), name .. " lacks " .. constant)
        end
      end
    end
  end)

  it("and the annotations name the same options", function()
    local text = assert(io.open "types/lsocket.lua"):read "*a"
    local listed = {}
    for alias in ("\n" .. text):gmatch "\n%-%-%-@alias lsocket%.Option ([^\n]+)" do
      for name in alias:gmatch '"(%w+)"' do listed[name] = true end
    end
    for more in text:gmatch '\n%-%-%-| ([^\n]+)' do
      for name in more:gmatch '"(%w+)"' do listed[name] = true end
    end
    for name in pairs(options) do assert.is_true(listed[name], "not annotated: " .. name) end
    for name in pairs(listed) do assert.is_table(options[name], "annotated, but not there: " .. name) end
  end)
end)
