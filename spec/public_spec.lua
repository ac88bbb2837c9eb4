-- The public names are the same in the module, the manual, the annotations and the specs. What each function does is
-- left to the other specs, that the documents' code runs to documents_spec.lua.
local lsocket = require "lsocket"
local loop = require "lsocket.loop"
local stream = require "lsocket.stream"
local luasocket = require "lsocket.luasocket"
local helper = require "spec.helper"
local lfs = require "lfs"

-- What TLS adds to the interface is there as soon as it is loaded.
local has_tls, tls = pcall(require, "lsocket.tls")

local SELF = "public_spec.lua"
local root = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") or ""

-- ---- reading ----

local function read(path)
  local file = assert(io.open(root .. path))
  local text = file:read("*a")
  file:close()
  return text
end

local function lines_of(text)
  return text:gmatch("([^\n]*)\n")
end

local a_ring = lsocket.ring() -- or nil: not every system has one

-- A set of names as one sorted text: a difference shows at once. What rings have is in it where there is one.
local function sorted(names)
  local list = {}
  for name in pairs(names) do
    if a_ring or not name:find "^ring:" then list[#list + 1] = name end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

-- ---- the names, from where they are ----

-- One of each kind that the loop has, which have ended.
local function loop_objects()
  return loop.run(function()
    local server = assert(loop.listen("127.0.0.1", 0))
    server:close()
    local group = loop.group(function(group) return group end)
    return { loop.spawn(function() end), server, group, loop.queue(), loop.semaphore(1), loop.event() }
  end)
end

-- "lsocket.bind", "socket:recv" and so on: what the modules and their objects really have.
local function real_names()
  local names = {}
  for module, table in pairs { lsocket = lsocket, loop = loop, stream = stream, tls = has_tls and tls or nil } do
    for name in pairs(table) do names[module .. "." .. name] = true end
  end
  names["luasocket.install"] = true -- the others are LuaSocket's, and in its manual
  assert(luasocket.install)
  local objects = { assert(lsocket.bind("udp", "127.0.0.1", 0)), assert(lsocket.poller()), lsocket.batch(1),
    lsocket.buffer(), assert(lsocket.lookup "127.0.0.1"), assert(lsocket.signals "USR1"), assert(loop.signals "USR1") }
  for _, object in ipairs(loop_objects()) do objects[#objects + 1] = object end
  objects[#objects + 1] = stream.new((assert(lsocket.pair())))
  objects[#objects + 1] = a_ring
  if has_tls then objects[#objects + 1] = assert(tls.client { verify = false }) end
  for _, object in ipairs(objects) do
    local metatable = getmetatable(object)
    local kind = metatable.__type:match "%l+$" -- "TLS context"
    for name in pairs(metatable.__index) do names[kind .. ":" .. name] = true end
    if object.close then object:close() end
  end
  return names
end

-- The manual's headings, each with the lines of the signature that stands below it.
local function documented()
  local signatures, name, inside = {}, nil, false
  for line in lines_of(read("doc/manual.md")) do
    local heading = line:match("^### (.+)$")
    if heading then
      assert(not signatures[heading], "documented twice: " .. heading)
      name, signatures[heading] = heading, {}
    elseif line:find("^```") then
      inside = name and line == "```text"
      if not inside then name = nil end
    elseif inside then
      table.insert(signatures[name], line)
    end
  end
  return signatures
end

-- The annotated functions with their parameters, those of overloads too, as one text, and the constants.
local function annotated()
  local names, further = {}, ""
  local text = read "types/lsocket.lua"
  for _, part in ipairs { "buffer", "signals", "loop", "luasocket", "poller", "ring", "stream", "tls" } do
    text = text .. read("types/lsocket/" .. part .. ".lua")
  end
  for line in lines_of(text) do
    local class, separator, name, parameters = line:match("^function (%a+)([.:])([%w_]+)(%b()) end$")
    if class then
      names[class:lower() .. separator .. name] = parameters .. further
      further = ""
    else
      for parameter in (line:match("^%-%-%-@overload fun(%b())") or ""):gmatch("(%w+)%??:") do
        further = further .. " " .. parameter
      end
      name = line:match("^lsocket%.([%w_]+) = ")
      if name then names["lsocket." .. name] = "" end
    end
  end
  return names
end

local function other_specs()
  local texts = {}
  for name in lfs.dir(root .. "spec") do
    if name:find("_spec%.lua$") and name ~= SELF then texts[#texts + 1] = read("spec/" .. name) end
  end
  return table.concat(texts, "\n")
end

-- Those of the names that a spec other than this one uses.
local function exercised(names)
  local used, text = {}, other_specs()
  for name in pairs(names) do
    local base = name:match("[%w_]+$")
    local module = name:match("^%w+")
    local patterns = name:find(":", 1, true) and { ":" .. base .. "%f[^%w_]%s*[%(\"{]" }
      or { "%f[%w_]" .. module .. "%." .. base .. "%f[^%w_]", "%f[%w_]ls%." .. base .. "%f[^%w_]" }
    for _, pattern in ipairs(patterns) do
      if text:find(pattern) then used[name] = true end
    end
  end
  return used
end

-- ---- the specs ----

describe("the public interface", function()
  local names = real_names()

  it("has a version", function()
    assert.equal("2.0.0", lsocket._VERSION)
  end)

  it("is what the manual documents", function()
    helper.need.tls(pending)
    assert.equal(sorted(names), sorted(documented()))
  end)

  it("is what the annotations say", function()
    helper.need.tls(pending)
    assert.equal(sorted(names), sorted(annotated()))
  end)

  it("is used by the specs", function()
    assert.equal(sorted(names), sorted(exercised(names)))
  end)
end)

describe("the manual", function()
  it("has a signature for every heading", function()
    for name, signature in pairs(documented()) do
      assert.is_true(#signature > 0, name .. " has no signature")
      for _, line in ipairs(signature) do
        assert.equal(name, line:sub(1, #name), "signature of " .. name)
      end
    end
  end)

  it("names the parameters as the annotations do", function()
    local parameters = annotated()
    for name, signature in pairs(documented()) do
      local wanted = {}
      for parameter in (parameters[name] or ""):gmatch("[%w_]+") do wanted[parameter] = true end
      -- Every word between a signature's parentheses must be a parameter: "path" is an address, "-1" a value.
      for _, line in ipairs(signature) do
        local inside = line:match("^[%w_.:]+(%b())") or ""
        for word in inside:gsub('"%a+"', ""):gmatch("%a[%w_]*") do
          assert.is_true(wanted[word] or word == "path", ("%s: no parameter %s"):format(name, word))
        end
      end
    end
  end)

  it("links to sections that exist", function()
    local text = read("doc/manual.md")
    local sections = {}
    for title in text:gmatch("\n##+ ([^\n]+)") do
      sections[title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")] = true
    end
    for target in text:gmatch("%]%(#([^)]+)%)") do
      assert.is_true(sections[target], "no section " .. target)
    end
  end)
end)
