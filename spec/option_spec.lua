-- socket:setopt and socket:getopt: each option of src/option.c is set and read back on every kind of socket.
-- What options do is in option_effect_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local process = require "spec.process"

local fails, raises = helper.fails, helper.raises

-- ---- sockets of every kind: what they are, and a way to make one ----

local function internet(kind, address, make)
  return { name = kind .. " " .. address, kind = kind, inet = true, six = address == "::1",
    make = function() return make(address) end }
end

local function listener(address) return assert(lsocket.bind(address, 0)) end

-- Keeps its peer alive, and the listener.
local others = {}
local function client(address)
  local server = listener(address)
  local sock = assert(lsocket.connect(address, server:info("socket").port))
  others = { server, helper.readable(server):accept() }
  return sock
end

local function pair(type)
  return { name = "unix " .. type, kind = "unix", make = function()
    local one, two = assert(lsocket.pair(type))
    others = { two }
    return one
  end }
end

local sockets = { pair "tcp", pair "udp", pair "seqpacket" }
for _, address in ipairs { "127.0.0.1", "::1" } do
  table.insert(sockets, internet("udp", address, function() return assert(lsocket.bind("udp", address, 0)) end))
  table.insert(sockets, internet("listener", address, listener))
  table.insert(sockets, internet("tcp", address, client))
end

-- ---- which sockets have an option ----

local has = {}
function has.all() return true end
function has.unix(socket) return socket.kind == "unix" end
function has.inet(socket) return socket.inet end
function has.udp(socket) return socket.kind == "udp" end
function has.tcp(socket) return socket.kind == "tcp" or socket.kind == "listener" end
function has.listener(socket) return socket.kind == "listener" end
function has.none() return false end

-- ---- kinds of values: some that are good, some that are not ----

local kinds = {
  flag = { good = { true, false, true }, bad = { 0, 1, "true", {} } },
  number = { good = {}, bad = { "x", true, {}, 1.5, 0 / 0, 2 ^ 31 } },
  seconds = { good = {}, bad = { "x", true, {}, 0 / 0, 1 / 0, -1, 1e15 } },
  linger = { good = { 7, 0, false, 30 }, bad = { true, "x", {}, -1, 32768, 1.5 } },
  interface = { good = { "lo", "" }, bad = { true, {}, 0, -1, 1.5, "lo\0" } },
  discovery = { good = { "do", "dont", "want", "probe" }, bad = { 1, true, "Do", "", {} } },
  text = { good = {}, bad = { 1, true, {}, "re\0no" } },
}

-- name -> kind, who has it, good values of its own, more wrong ones; settable: who can set it, where these are fewer;
-- root: only a privileged process may set it (in its own network namespace).
local options = {
  reuseaddr = { "flag", "all" },
  reuseport = { "flag", "inet", readable = "all" },
  broadcast = { "flag", "all" },
  dontroute = { "flag", "all" },
  keepalive = { "flag", "all" },
  oobinline = { "flag", "all" },
  linger = { "linger", "all" },
  rcvbuf = { "number", "all", { 16384, 40000 }, { -1, 2 ^ 30 } },
  sndbuf = { "number", "all", { 16384, 40000 }, { -1, 2 ^ 30 } },
  rcvlowat = { "number", "all", { 10, 1 }, { 0, -1 } },
  priority = { "number", "all", { 6, 0 }, { -1 } },
  mark = { "number", "all", { 7, 0 }, { -1 }, root = true },
  device = { "interface", "all", root = true },
  timestamp = { "flag", "all" },
  passcred = { "flag", "unix" },
  busypoll = { "seconds", "all", { 0.00005, 0 }, root = true },
  incomingcpu = { "number", "all", { 0, 1 }, { -1 } },
  nodelay = { "flag", "tcp" },
  cork = { "flag", "tcp" },
  quickack = { "flag", "tcp" },
  keepidle = { "seconds", "tcp", { 60, 1, 32767 }, { 0, 32768 } },
  keepintvl = { "seconds", "tcp", { 11, 1, 32767 }, { 0, 32768 } },
  keepcnt = { "number", "tcp", { 4, 127, 1 }, { 0, 128 } },
  usertimeout = { "seconds", "tcp", { 2.5, 30, 0 } },
  syncnt = { "number", "tcp", { 3, 1, 127 }, { 0, 128 } },
  maxseg = { "number", "listener", { 1000, 88 }, { 87, 32768 }, readable = "tcp", settable = "tcp" },
  windowclamp = { "number", "tcp", { 30000, 60000 }, { -1 } },
  congestion = { "text", "tcp", { "reno", "cubic" } },
  fastopen = { "number", "listener", { 12, 5 }, { -1 }, readable = "tcp" },
  fastopenconnect = { "flag", "none", readable = "tcp" },
  deferaccept = { "seconds", "tcp", { 7, 1, 0 }, { 32768 } },
  notsentlowat = { "number", "tcp", { 5000, 0 }, { -1 } },
  v6only = { "flag", "none", readable = "six" },
  ttl = { "number", "inet", { 33, 1, 255 }, { 0, 256 } },
  tos = { "number", "inet", { 16, 0, 184 }, { -1, 256 } },
  mcastttl = { "number", "udp", { 9, 0, 255 }, { -1, 256 }, readable = "inet" },
  mcastloop = { "flag", "inet" },
  mcastif = { "interface", "udp", readable = "inet" },
  mcastall = { "flag", "inet" },
  pktinfo = { "flag", "inet" },
  recvttl = { "flag", "inet" },
  recvtos = { "flag", "inet" },
  recverr = { "flag", "inet" },
  mtudiscover = { "discovery", "inet" },
  freebind = { "flag", "inet" },
  transparent = { "flag", "inet", root = true },
  bindnoport = { "flag", "inet" },
  segment = { "number", "udp", { 1200, 0, 65535 }, { -1, 65536 } },
  gro = { "flag", "udp" },
}
function has.six(socket) return socket.six end

-- What can only be read: name -> what it is, given the socket's description; nil: the socket has it not.
local types = { tcp = "tcp", listener = "tcp", udp = "udp" }
local readonly = {
  error = function() return false end,
  type = function(socket) return types[socket.kind] or socket.name:match "%a+$" end,
  domain = function(socket) return socket.six and "inet6" or socket.inet and "inet" or "unix" end,
  protocol = function(socket) return socket.kind == "udp" and 17 or socket.inet and 6 or 0 end,
  acceptconn = function(socket) return socket.kind == "listener" end,
  mtu = function(socket) return socket.kind == "tcp" and "number" or nil end,
  tcpinfo = function(socket) return has.tcp(socket) and "table" or nil end,
}

-- Has this platform the option at all? One on which sockets that have it say so.
local function is_here(name)
  for _, socket in ipairs(sockets) do
    if socket.make():getopt(name) ~= nil then return true end
  end
  return name == "v6only"
end

-- On Linux every one must be there.
local function need_option(name)
  if is_here(name) then return end
  assert(not process.read "/proc/self/stat" or os.getenv "LS_FALLBACK" == "1", "no option " .. name)
  pending("this platform has no " .. name)
end

local function set_and_get(sock, name, values)
  for _, value in ipairs(values) do
    assert.same({ n = 1, true }, helper.pack(sock:setopt(name, value)))
    assert.same({ n = 1, value }, helper.pack(sock:getopt(name)))
  end
end

for name, row in pairs(options) do
  local kind, owners = kinds[row[1]], has[row[2]]
  local readers = row.readable and has[row.readable] or owners
  local good = row[3] or kind.good

  describe("the option " .. name, function()
    it("gives back what was set, on every kind of socket that has it", function()
      if row.root then helper.need.sandbox(pending) end
      need_option(name)
      for _, socket in ipairs(sockets) do
        local sock = socket.make()
        if owners(socket) then
          set_and_get(sock, name, good)
        elseif readers(socket) then
          assert.is_not_nil((sock:getopt(name)))
        else
          fails("ENOPROTOOPT", sock:getopt(name))
          fails("ENOPROTOOPT", sock:setopt(name, good[1]))
        end
      end
    end)

    it("fails on a closed socket", function()
      for _, socket in ipairs(sockets) do
        local sock = socket.make()
        sock:close()
        fails("EBADF", sock:getopt(name))
        fails("EBADF", sock:setopt(name, good[1]))
      end
    end)

    it("has one kind of value, and an error that names the argument for any other", function()
      local sock = sockets[1].make()
      for _, list in ipairs { kind.bad, row[4] or {} } do
        for _, value in ipairs(list) do
          raises("bad argument #2 to 'setopt'", function() sock:setopt(name, value) end)
          raises(name .. ": ", function() lsocket.bind { port = 0, [name] = value } end)
        end
      end
      raises("bad argument #2 to 'setopt'", function() sock:setopt(name) end)
    end)
  end)
end

for name, expected in pairs(readonly) do
  describe("the option " .. name, function()
    it("can be read where there is such a thing", function()
      need_option(name)
      for _, socket in ipairs(sockets) do
        local value, wanted = socket.make():getopt(name), expected(socket)
        assert.equal(wanted, (wanted == "number" or wanted == "table") and type(value) or value, socket.name)
      end
    end)

    it("cannot be set", function()
      for _, socket in ipairs(sockets) do
        raises("bad argument #2 to 'setopt' (" .. name .. " can only be read)", function()
          socket.make():setopt(name, 1)
        end)
      end
      if name == "type" then return end -- bind has an argument of that name
      raises(name .. ": " .. name .. " can only be read", function() lsocket.bind { port = 0, [name] = 1 } end)
    end)

    it("fails on a closed socket", function()
      local sock = client "127.0.0.1"
      sock:close()
      fails("EBADF", sock:getopt(name))
    end)
  end)
end

-- ---- one table everywhere ----

local root = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") or ""

local function sorted(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, "\n")
end

-- The rows of the source: name -> can it only be read?
local function in_source()
  local names = {}
  local text = process.read(root .. "src/option.c"):match "ls_Option options%[%] = {(.-)\n};"
  for row in text:gmatch "[^\n]+" do
    local name, kind = row:match '"(%w+)", ([&%w_]+)'
    if name then names[name] = kind:find "told_" ~= nil end
  end
  return names
end

local function in_manual()
  local names = {}
  local text = process.read(root .. "doc/manual.md"):match "\n## Options\n(.-)\n## "
  for row in text:gmatch "[^\n]+" do
    local name = row:match "^| `(%w+)` |"
    if name then names[name] = row:find("read only", 1, true) ~= nil end
  end
  return names
end

describe("the table of options", function()
  it("has no row that these specs do not try", function()
    local tried = {}
    for name in pairs(options) do tried[name] = true end
    for name in pairs(readonly) do tried[name] = true end
    assert.equal(sorted(in_source()), sorted(tried))
  end)

  it("is the manual's", function()
    assert.equal(sorted(in_source()), sorted(in_manual()))
    assert.same(in_source(), in_manual())
  end)

  it("is the annotations'", function()
    local names = {}
    local text = process.read(root .. "types/lsocket.lua")
    for _, alias in ipairs { "Option", "Reading" } do
      for name in text:match("@alias lsocket%." .. alias .. "\n(.-)\n\n"):gmatch '"(%w+)"' do
        names[name] = alias == "Reading"
      end
    end
    assert.equal(sorted(in_source()), sorted(names))
    assert.same(in_source(), names)
  end)
end)

describe("an option", function()
  it("that is unknown raises", function()
    local sock = sockets[1].make()
    for _, name in ipairs { "nosuchoption", "", "GRO", "gro\0" } do
      if name ~= "gro\0" then
        raises("no option is called '" .. name .. "'", function() sock:getopt(name) end)
      end
      raises("bad argument #1 to 'setopt'", function() sock:setopt(name, 1) end)
    end
  end)

  it("is not taken for set where setting failed", function()
    local sock = assert(lsocket.connect("udp", "127.0.0.1", 9))
    raises("segment must be an integer from 0 to 65535", function() sock:setopt("segment", 65536) end)
    local batch = lsocket.batch(1)
    batch:add "x"
    assert.equal(1, sock:sendmany(batch))
  end)
end)
