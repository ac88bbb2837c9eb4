-- socket:setopt and socket:getopt: each option of src/option.c is set and read back. Wrong arguments: value_spec.lua.
local lsocket = require "lsocket"
local helper = require "spec.helper"

local fails, raises = helper.fails, helper.raises

local function udp() return (helper.bind("udp", "127.0.0.1", 0)) end

-- name -> a value and another one; a platform may lack those that are marked.
local options = {
  rcvbuf = { 16384, 40000 },
  sndbuf = { 16384, 40000 },
  segment = { 0, 1200, optional = true },
  gro = { false, true, optional = true },
}

-- Has this platform the option?
local function has(name)
  return options[name].optional and udp():getopt(name) == nil and "no" or "yes"
end

for name, row in pairs(options) do
  describe("the option " .. name, function()
    it("gives back what was set", function()
      local sock = udp()
      if has(name) == "no" then
        fails("ENOPROTOOPT", sock:getopt(name))
        fails("ENOPROTOOPT", sock:setopt(name, row[1]))
        return
      end
      for _, value in ipairs { row[2], row[1], row[2] } do
        assert.same({ n = 1, true }, helper.pack(sock:setopt(name, value)))
        assert.same({ n = 1, value }, helper.pack(sock:getopt(name)))
      end
    end)

    it("fails on a closed socket", function()
      if has(name) == "no" then return end
      local sock = udp()
      sock:close()
      fails("EBADF", sock:getopt(name))
      fails("EBADF", sock:setopt(name, row[1]))
    end)

    it("has one type, and an error that names the argument for any other", function()
      local sock = udp()
      local wrong = type(row[1]) == "number" and { "x", true, {}, 1.5, -1, 2 ^ 31 } or { 0, 1, "true", {} }
      for _, value in ipairs(wrong) do
        raises("bad argument #2 to 'setopt'", function() sock:setopt(name, value) end)
      end
      raises("bad argument #2 to 'setopt'", function() sock:setopt(name) end)
    end)
  end)
end

describe("an option", function()
  it("that is unknown raises", function()
    local sock = udp()
    for _, name in ipairs { "nosuchoption", "", "GRO", "gro\0" } do
      if name ~= "gro\0" then
        raises("no option is called '" .. name .. "'", function() sock:getopt(name) end)
      end
      raises("bad argument #1 to 'setopt'", function() sock:setopt(name, 1) end)
    end
  end)

  it("of udp fails on a socket that is not", function()
    if has "gro" == "no" then return end
    local client = helper.tcp()
    for _, sock in ipairs { client, (assert(lsocket.bind("udp", helper.path()))) } do
      for _, name in ipairs { "gro", "segment" } do
        local value, _, symbol = sock:getopt(name)
        assert.is_nil(value)
        assert.is_true(symbol == "ENOPROTOOPT" or symbol == "EOPNOTSUPP")
        assert.is_nil((sock:setopt(name, options[name][2])))
      end
    end
    helper.remove_paths()
  end)

  it("is not taken for set where setting failed", function()
    local sock = assert(lsocket.connect("udp", "127.0.0.1", 9))
    raises("segment must be an integer from 0 to 65535", function() sock:setopt("segment", 65536) end)
    local batch = lsocket.batch(1)
    batch:add "x"
    assert.equal(1, sock:sendmany(batch))
  end)
end)

describe("rcvbuf", function()
  it("is what the socket has room for", function()
    local receiver, port = helper.bind("udp", "127.0.0.1", 0)
    local sender = assert(lsocket.connect("udp", "127.0.0.1", port))
    assert(receiver:setopt("rcvbuf", 4096))
    local data, got = ("x"):rep(2000), 0
    for _ = 1, 20 do sender:send(data) end
    while receiver:recv() do got = got + 1 end
    assert.is_true(got >= 1 and got < 20)
  end)
end)
