-- How the samples are used: what the header of each says is what it says when its arguments are wrong, and no two of
-- them have one port by default, unless they talk to each other. What they do is left to the specs of each.
local helper = require "spec.helper"
local process = require "spec.process"
local lfs = require "lfs"

local names = {}
for file in lfs.dir "samples" do names[#names + 1] = file:match "^(.*)%.lua$" end
table.sort(names)

local texts = {} -- what each sample is
for _, name in ipairs(names) do texts[name] = process.read("samples/" .. name .. ".lua") end

-- Arguments that are wrong. Some samples take any text, but need one.
local wrong = setmetatable({ nameserver = {}, pubsub = {}, redis = {}, registry = {} },
  { __index = function() return { "-h", "x", "y", "z" } end })

-- demo has no arguments, and those of unix_client are a path and lines, which may be any text.
local takes_all = { demo = true, unix_client = true }

-- The comment that a sample begins with.
local function header(name)
  return (texts[name] .. "\n"):match "^(.-\n)[^-]"
end

-- The arguments that its header gives a sample: "" where it has none.
local function documented(name)
  local usage = header(name):match("\n%-%- Usage: lua samples/" .. name .. "%.lua([^\n]*)\n")
  assert(usage, "no line '-- Usage: lua samples/" .. name .. ".lua ...'")
  return usage:gsub("   .*$", ""):match "^%s*(.-)$"
end

-- The first number that may be a port and is taken where an argument is not given.
local function default_port(name)
  return tonumber(texts[name]:match "or (%d%d%d%d%d?)%f[^%d]")
end

describe("the sample", function()
  for _, name in ipairs(names) do
    it(name .. " begins with how to run it from the repository's folder", function()
      local usage = documented(name)
      assert.equal(name == "demo", usage == "")
      for file in header(name):gmatch "%f[%w]lua (%S+%.lua)" do assert.equal("samples/" .. name .. ".lua", file) end
    end)

    it(name .. " names the port that it has by default", function()
      local port = default_port(name)
      if port then assert.truthy(header(name):find(port, 1, true), port) end
    end)

    it(name .. " says in one line how to use it where the arguments are wrong", function()
      if takes_all[name] then return end
      local command = helper.command("samples/" .. name, (table.unpack or unpack)(wrong[name]))
      local output, status = helper.run("timeout 20 " .. command .. " < /dev/null")
      assert.equal(("%s: usage: %s.lua %s\n"):format(name, name, documented(name)), output)
      assert.equal(1, status)
    end)
  end
end)

describe("the samples", function()
  it("have ports of their own, or talk to each other", function()
    local owners = {}
    for _, name in ipairs(names) do
      local port, family = default_port(name), name:match "^%a+"
      if port then
        assert.equal(family, owners[port] or family, "port " .. port)
        owners[port] = family
      end
    end
    assert.equal("tcp", owners[16001])
  end)

  it("leave no file behind where the arguments are wrong", function()
    local path = helper.path()
    finally(helper.remove_paths)
    local _, status = helper.run(helper.command("samples/unix_server", path, "soon"))
    assert.equal(1, status)
    assert.is_nil(lfs.attributes(path))
  end)
end)
