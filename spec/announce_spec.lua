-- samples/announce.lua: it finds its likes on every interface and every link, and notices when they go.
local lsocket = require "lsocket"
local groups = require "spec.groups"
local helper = require "spec.helper"
local hosts = require "spec.hosts"

local need = helper.need

local function free_port()
  local sock, port = helper.bind("udp", "0.0.0.0", 0)
  sock:close()
  return port
end

-- Where the output of a program goes, a line at a time, while its input is a pipe from here.
local function fifo()
  local path = helper.path()
  assert(helper.run("mkfifo " .. path))
  return path
end

local function program(...)
  return helper.command("samples/announce", ...)
end

-- Runs the sample as "sample": the program, its output, a socket that hears what is announced, one that announces.
local function overhear()
  local group, path = groups.ipv4(), fifo()
  local ears, port = helper.bind { type = "udp", address = "0.0.0.0", port = 0, reuseaddr = true }
  assert(ears:join(group, "veth0"))
  local sample = assert(io.popen(program("sample", group, port) .. " > " .. path, "w"))
  local output = assert(io.open(path))
  assert.equal("hello sample", helper.readable(ears):recv())
  return sample, output, ears, assert(lsocket.connect("mcast", group .. "%veth0", port))
end

describe("announce.lua", function()
  after_each(hosts.remove)

  it("meets its likes on one machine, and sees them go", function()
    need.groups(pending)
    helper.need.sandbox(pending)
    for group, address in pairs { [groups.ipv4()] = "^%+ second at 1%d+%.%d+%.0%.1$",
      [groups.ipv6(2)] = "^%+ second at fe80::1%d%%veth%d$" } do
      local port, path = free_port(), fifo()
      local first = assert(io.popen(program("first", group, port) .. " > " .. path, "w"))
      local output = assert(io.open(path))
      local second = assert(io.popen(program("second", group, port) .. " > /dev/null", "w"))
      assert.truthy(output:read():find(address))
      second:close()
      assert.equal("- second", output:read())
      first:close() -- the end of its input
      assert.is_nil(output:read())
      output:close()
    end
  end)

  it("is not misled by what is no announcement, and tells a newcomer that it is there", function()
    need.groups(pending)
    helper.need.sandbox(pending)
    local sample, output, ears, mouth = overhear()
    local long = ("x"):rep(60000)
    for _, text in ipairs { "", "hello", "hello a b", "hello \27[2J", "hello sample", "bye nobody", long } do
      mouth:send(text)
      assert.equal(text, helper.readable(ears):recv())
    end
    mouth:send "hello spec"
    assert.equal("hello spec", helper.readable(ears):recv())
    assert.equal("here sample", helper.readable(ears):recv())
    assert.equal("+ spec at 10.11.0.1", output:read())
    sample:close()
    assert.equal("bye sample", helper.readable(ears):recv())
    output:close()
  end)

  it("answers a flood once a second, and knows so many names and no more", function()
    need.groups(pending)
    helper.need.sandbox(pending)
    local sample, output, ears, mouth = overhear()
    local answers = 0
    local function say(text)
      mouth:send(text)
      while true do
        local heard = helper.readable(ears):recv()
        if heard == text then return end
        assert.equal("here sample", heard)
        answers = answers + 1
      end
    end
    local before = helper.now()
    for i = 1, 1000 do
      say("hello name" .. i)
      assert.equal("+ name" .. i, output:read():match "^%S+ %S+")
    end
    assert.is_true(answers <= helper.now() - before + 1, answers)
    say("here " .. ("x"):rep(100))
    say "here one.more"
    say "bye name1"
    assert.equal("- name1", output:read())
    say "here one.more"
    assert.equal("+ one.more", output:read():match "^%S+ %S+")
    sample:close()
    output:close()
    mouth:close()
    ears:close()
  end)

  it("meets its likes over links", function()
    need.groups(pending)
    local a, b = hosts.make(pending)
    for _, row in ipairs { { "239.255.16.2", "^%+ far at 10%.2[12]%.0%.2$" },
      { "ff02::16:2", "^%+ far at fe80::2%%link[12]$" } } do
      local group, path = row[1], fifo()
      a("near = assert(io.popen(..., 'w'))", program("near", group, 16002) .. " > " .. path)
      local output = assert(io.open(path))
      b("far = assert(io.popen(..., 'w'))", program("far", group, 16002) .. " > /dev/null")
      assert.truthy(output:read():find(row[2]))
      b "far:close()"
      assert.equal("- far", output:read())
      a "near:close()"
      output:close()
    end
  end)

  it("says how it is used", function()
    for _, name in ipairs { "", "two words", "\27[2J" } do
      local output, status = helper.run(program(name) .. " < /dev/null")
      assert.equal(1, status)
      assert.truthy(output:find("usage: announce.lua name [group] [port]", 1, true))
    end
  end)
end)
