-- doc/howto.md: its contents, its links, and its blocks for the shell. documents_spec runs those that are Lua.
local helper = require "spec.helper"
local process = require "spec.process"

local PATH = "doc/howto.md"

-- A document's lines outside of code, and its code: { kind =, number =, text = }
local function parts_of(path)
  local prose, blocks, block, number = {}, {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local kind = line:match "^```(.*)$"
    if kind and block then
      block.text = table.concat(block, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif kind then
      block = { kind = kind, number = number }
    else
      table.insert(block or prose, line)
    end
  end
  assert(not block, "a block has no end: " .. path)
  return prose, blocks
end

-- Where GitHub, and what follows it, puts a heading.
local function anchor(title)
  return "#" .. title:lower():gsub("[^%w _-]", ""):gsub(" ", "-")
end

local function exists(path)
  local file = io.open(path) -- folders can be opened, too
  if file then file:close() end
  return file ~= nil
end

local function anchors_of(path)
  local found = { [""] = true }
  for _, line in ipairs((parts_of(path))) do
    local title = line:match "^##* (.*)$"
    if title then found[anchor(title)] = true end
  end
  return found
end

local prose, blocks = parts_of(PATH)

describe("the questions and answers", function()
  it("have contents that list each question, in order", function()
    local listed, questions = {}, {}
    for _, line in ipairs(prose) do
      local title = line:match "^## (.*)$"
      if title then questions[#questions + 1] = ("- [%s](%s)"):format(title, anchor(title)) end
      if line:find "^%- %[.*%]%(#" and #questions == 0 then listed[#listed + 1] = line end
    end
    assert.truthy(#questions > 20)
    assert.same(questions, listed)
  end)

  it("have links to what there is", function()
    local anchors, wrong = {}, {}
    for shown, file, place in table.concat(prose, "\n"):gmatch "(%b[])%(([^)#]*)(#?[^)]*)%)" do
      local path = file == "" and PATH or file:find "^%.%./" and file:sub(4) or "doc/" .. file
      if path:find "%.md$" then
        anchors[path] = anchors[path] or anchors_of(path)
        if not anchors[path][place] then wrong[#wrong + 1] = shown .. " " .. file .. place end
      elseif place ~= "" or not exists(path) then
        wrong[#wrong + 1] = shown .. " " .. file .. place
      end
    end
    assert.same({}, wrong)
  end)

  it("have no other code than Lua and what runs below", function()
    local kinds = {}
    for _, block in ipairs(blocks) do kinds[block.kind] = (kinds[block.kind] or 0) + 1 end
    assert.truthy(kinds.lua > 20)
    kinds.lua = nil
    assert.same({ sh = 5 }, kinds)
    for _, line in ipairs(prose) do assert.falsy(line:find "^    ", line) end
  end)
end)

describe("the texts that are explained", function()
  it("are those of the loop, or of Lua", function()
    local sources, count = { "attempt to yield across a C-call boundary" }, 0
    for path in helper.run "find lib -name '*.lua'":gmatch "[^\n]+" do sources[#sources + 1] = process.read(path) end
    local all = table.concat(sources)
    for _, line in ipairs(prose) do
      local text = line:match "^| `(%l[^`]*)`"
      if text and text:find " %l+ %l+ " then
        assert.truthy(all:find(text, 1, true), text)
        count = count + 1
      end
    end
    assert.equal(5, count)
  end)
end)

describe("the questions' commands", function()
  -- The one block for the shell in which this stands.
  local function block_with(text)
    local found
    for _, block in ipairs(blocks) do
      if block.kind == "sh" and block.text:find(text, 1, true) then
        assert(not found, "two blocks have " .. text)
        found = block
      end
    end
    return assert(found, "no block has " .. text)
  end

  -- What it prints; it must succeed.
  local function run(script)
    local output, status = helper.run("timeout 20 sh -euc " .. helper.quote(script))
    assert.equal(0, status, output)
    return output
  end

  it("raise the number of descriptors", function()
    local output = run("ulimit -S -n 64\n" .. block_with("ulimit").text .. "ulimit -n; ulimit -H -n")
    local before, after, most = output:match "^(%d+)\n(%w+)\n(%w+)\n$"
    assert.same({ "64", most }, { before, after })
  end)

  it("tell the limit of the backlog", function()
    helper.need.proc(pending)
    assert.truthy(run(block_with("somaxconn").text):find "^%d+\n$")
  end)

  it("make a certificate, which is its own root", function()
    helper.need.tool(pending, "openssl version | grep '^OpenSSL 3'")
    local check = "openssl verify -CAfile server.pem -verify_hostname localhost server.pem"
    local output = run("cd $(mktemp -d)\n" .. block_with("openssl").text .. check .. "; rm server.pem; rmdir $PWD")
    assert.truthy(output:find "server.pem: OK\n$", output)
  end)

  it("list what a process has open", function()
    helper.need.proc(pending)
    local file = assert(io.open(PATH))
    assert.truthy(run("pid=" .. process.pid() .. "\n" .. block_with("/proc/$pid").text):find(PATH, 1, true))
    file:close()
  end)

  it("set a serial line, of which a terminal has what matters", function()
    helper.need.tool(pending, "script -qec 'stty -F /dev/tty' /dev/null < /dev/null")
    local command = block_with("stty").text:gsub("/dev/ttyUSB0", "/dev/tty")
    local output = run("script -qec " .. helper.quote(command .. "stty -F /dev/tty -a") .. " /dev/null < /dev/null")
    assert.truthy(output:find "speed 115200 baud" and output:find "%-echo " and output:find "[^-]clocal")
  end)
end)
