-- lua tools/contents.lua [check]: makes the contents and the index of doc/manual.md anew from its headings, each name a
-- link. check: changes nothing, and fails where they are not what they should be.
local PATH = "doc/manual.md"
local FIRST, LAST = "<!-- contents -->\n", "<!-- end of contents -->\n"
local INDEX = "## Index\n"
local WIDTH = 118

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The headings outside of code, in order: { level =, title = }
local function headings_of(text)
  local list, code = {}, false
  for line in text:gmatch "[^\n]*" do
    if line:find "^```" then code = not code end
    local level, title = line:match "^(##+) (.*)$"
    if level and not code then list[#list + 1] = { level = #level, title = title } end
  end
  return list
end

-- Where GitHub, and what follows it, puts a heading.
local function anchor(title)
  return "#" .. title:lower():gsub("[^%w _-]", ""):gsub(" ", "-")
end

local function link(shown, title)
  return ("[%s](%s)"):format(shown, anchor(title))
end

-- Words, broken into lines; all but the first begin with the indent.
local function wrap(words, indent)
  local lines, line = {}, ""
  for _, word in ipairs(words) do
    if line ~= "" and #line + 1 + #word > WIDTH then
      lines[#lines + 1], line = line, indent .. word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- A section's own names stand alone, those that belong to other objects than its first one do not.
local function contents_of(headings)
  local items, item, own = {}, nil, nil
  for _, heading in ipairs(headings) do
    if heading.level == 2 then
      item, own = { "-", link(heading.title, heading.title) }, nil
      items[#items + 1] = item
    elseif heading.level == 3 then
      local of, name = heading.title:match "^(%l+)[.:]([%w_]+)$"
      own = own or of
      item[#item] = item[#item] .. (#item == 2 and ":" or ",")
      item[#item + 1] = link("`" .. (of == own and name or heading.title) .. "`", heading.title)
    end
  end
  for i, words in ipairs(items) do items[i] = wrap(words, "  ") end
  return table.concat(items, "\n") .. "\n"
end

-- By the name alone, then by what it belongs to.
local function index_of(headings)
  local names = {}
  for _, heading in ipairs(headings) do
    local of, name = heading.title:match "^(%l+)[.:]([%w_]+)$"
    if heading.level == 3 then names[#names + 1] = { name = assert(name), of = of, title = heading.title } end
  end
  table.sort(names, function(a, b)
    local one, other = a.name:lower(), b.name:lower()
    if one ~= other then return one < other end
    return a.of < b.of
  end)
  local lines, letter = {}, nil
  for _, entry in ipairs(names) do
    local first = entry.name:match "%w":upper()
    if first ~= letter then lines[#lines + 1] = { "-" } end
    letter = first
    local words = lines[#lines]
    if #words > 1 then words[#words] = words[#words] .. "," end
    words[#words + 1] = link("`" .. entry.title .. "`", entry.title)
  end
  for i, words in ipairs(lines) do lines[i] = wrap(words, "  ") end
  return table.concat(lines, "\n") .. "\n"
end

local function made_anew(text)
  local headings = headings_of(text)
  local _, before = assert(text:find(FIRST, 1, true))
  local after, index = assert(text:find(LAST, 1, true)), select(2, assert(text:find("\n" .. INDEX, 1, true)))
  return text:sub(1, before) .. contents_of(headings) .. text:sub(after, index) .. "\n" .. index_of(headings)
end

local text = read(PATH)
local new = made_anew(text)
if arg[1] == "check" then
  if new ~= text then print(PATH .. ": its contents or its index are not as tools/contents.lua makes them") end
  os.exit(new == text and 0 or 1)
end
local file = assert(io.open(PATH, "w"))
file:write(new)
file:close()
