-- Networks that fail: links that lose, double, delay and reorder, or go down; connections that are reset at each of
-- their steps; ports and descriptors that have run out; peers that never read. See doc/reliability-networks.md.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local helper = require "spec.helper"
local hosts = require "spec.hosts"
local process = require "spec.process"

local need = helper.need

-- A connection between two hosts, sock in both.
local function connect(a, b, address, options)
  options = options or {}
  local port = b("sock = assert(lsocket.bind(...)) return helper.port(sock)",
    { address = address, port = 0, rcvbuf = options.rcvbuf })
  a("sock = assert(lsocket.connect(...))",
    { address = address, port = port, sndbuf = options.sndbuf, usertimeout = options.usertimeout })
  b "sock = assert(helper.readable(sock):accept())"
  a "assert(helper.writable(sock):status())"
end

describe("a link that loses, doubles, delays and reorders", function()
  after_each(hosts.remove)

  local function make()
    local a, b = hosts.make(pending)
    local fate = { seed = tonumber(os.getenv "LS_SEED") or os.time(), loss = 0.02, twice = 0.03, late = 0.03 }
    hosts.bad_link(a, b, pending, fate)
    return a, b, "LS_SEED=" .. fate.seed
  end

  it("carries every byte of connections, whole and in order, and of datagrams those that come are whole", function()
    local a, b, seed = make()
    local size = helper.scale(1e6)
    for _, case in ipairs { { "poll", "10.23.0.2" }, { "stream", "fd23::2" } } do
      local how, address = case[1], case[2]
      connect(a, b, address)
      local code = "return transfer." .. how .. "(sock, ...)"
      a:begin(code, size, 1, 2)
      b:begin(code, size, 2, 1)
      assert.same({ seed, how, size, size }, { seed, how, a:finish(), b:finish() })
    end

    local count = 600
    local port = b "sock = assert(lsocket.bind('udp', '10.23.0.2', 0)) return helper.port(sock)"
    a("sock = assert(lsocket.connect('udp', '10.23.0.2', ...))", port)
    b:begin("return transfer.receive_datagrams(sock, ...)", count, 3)
    assert.equal("heard", a("return transfer.send_datagrams(sock, ...)", count, 3))
    local different, again, late = b:finish()
    assert.is_true(different > 0 and different <= count, seed)
    assert.is_true(again > 0 and late > 0 and different < count, "the link is a good one: " .. seed)
  end)
end)
