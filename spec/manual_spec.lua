-- Every entry of doc/manual.md has the same parts: a heading "### name", a signature, a first paragraph, errors if the
-- call can fail, and an example. That all names have an entry is left to public_spec.lua, that the examples run to
-- documents_spec.lua.
local PATH = "doc/manual.md"

-- ---- reading ----

-- The sections ("##") and entries ("###") in order: { level =, title =, anchor =, blocks... }. A block is a list of
-- lines with a kind: "paragraph", or of code the word behind its first fence, "text" or "lua".
local function read_sections()
  local sections, section, block, code = {}, {}, nil, false
  local function begin_block(kind)
    block = { kind = kind }
    section[#section + 1] = block
  end
  for line in io.lines(PATH) do
    local level, title = line:match "^(##+) (.*)$"
    local fence = line:match "^```(%w*)$"
    if fence then
      code = not code
      if code then begin_block(fence) else block = nil end
    elseif code then
      table.insert(block, line)
    elseif level then
      local anchor = title:lower():gsub("[^%w _-]", ""):gsub(" ", "-")
      section, block = { level = #level, title = title, anchor = anchor }, nil
      sections[#sections + 1] = section
    elseif line == "" then
      block = nil
    else
      if not block then begin_block "paragraph" end
      table.insert(block, line)
    end
  end
  return sections
end

local function text_of(block)
  return table.concat(block, block.kind == "paragraph" and " " or "\n")
end

-- ---- the parts ----

-- The first block that is of a kind and whose text matches.
local function find(section, kind, pattern)
  for _, block in ipairs(section) do
    if block.kind == kind and text_of(block):find(pattern) then return block end
  end
end

local entries, by_anchor = {}, {}
for _, section in ipairs(read_sections()) do
  by_anchor[section.anchor] = section
  if section.level == 3 then entries[#entries + 1] = section end
end

local function has_example(section)
  return find(section, "lua", "^%-%- example\n")
end

-- "See the example of [`name`](#anchor)."
local function links_to_example(entry)
  local paragraph = find(entry, "paragraph", "See the examples? of ")
  local links = paragraph and text_of(paragraph):match "See the examples? of (.*)" or ""
  for anchor in links:gmatch "%]%(#([^)]+)%)" do
    if by_anchor[anchor] and has_example(by_anchor[anchor]) then return true end
  end
  return false
end

local function can_fail(entry)
  return text_of(entry[1]):find("nil, message, name", 1, true)
end

-- What an entry lacks, if the function returns false.
local parts = {
  { "a signature directly below its heading", function(entry)
    return entry[1] and entry[1].kind == "text"
  end },
  { "its name at the start of every line of the signature", function(entry)
    for _, line in ipairs(entry[1]) do
      if line:sub(1, #entry.title) ~= entry.title then return false end
    end
    return #entry[1] > 0
  end },
  { "a sentence directly below its signature", function(entry)
    return entry[2] and entry[2].kind == "paragraph" and text_of(entry[2]):find "^[^|*-]"
      and not text_of(entry[2]):find "^Errors"
  end },
  { "a paragraph that begins \"Errors: \", as it can fail", function(entry)
    return not can_fail(entry) or find(entry, "paragraph", "^Errors[ %a]*: ")
  end },
  { "an example, or \"See the example of [name](#name)\"", function(entry)
    return has_example(entry) or links_to_example(entry)
  end },
}

-- ---- the specs ----

describe("the manual's entry", function()
  for _, entry in ipairs(entries) do
    it(entry.title .. " has all parts", function()
      for _, part in ipairs(parts) do
        assert.is_truthy(part[2](entry), entry.title .. " lacks " .. part[1])
      end
    end)
  end
end)

describe("the manual", function()
  it("has entries", function()
    assert.is_true(#entries > 100)
  end)
end)
