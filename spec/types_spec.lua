-- The annotations in types/ are well-formed: each file is Lua, each line is one that editors understand, each type is
-- known, and each function has its own parameters. That they are complete is left to public_spec.lua.
local lfs = require "lfs"

-- ---- the files ----

local function files_in(folder, list)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:find "%.lua$" then
      list[#list + 1] = path
    elseif not name:find "^%." then
      files_in(path, list)
    end
  end
  return list
end

local files = files_in("types", {})
table.sort(files)

-- Calls a function for each line of a file that matches a pattern, with its place and its captures.
local function each(pattern, fn)
  for _, path in ipairs(files) do
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      if line:find(pattern) then fn(("%s:%d: %s"):format(path, number, line), line:match(pattern)) end
    end
  end
end

-- ---- types: each function takes a text from a position on, and returns where that part of it ends ----

local builtin = { any = true, boolean = true, ["false"] = true, ["function"] = true, integer = true, ["nil"] = true,
  number = true, self = true, string = true, table = true, ["true"] = true, userdata = true, ["file*"] = true }
local known -- the names of classes and aliases

local function expect(text, at, pattern, what)
  local _, last = text:find("^%s*" .. pattern, at)
  return last and last + 1 or error(("no %s at '%s'"):format(what, text:sub(at)), 0)
end

local function follows(text, at, pattern)
  local _, last = text:find("^%s*" .. pattern, at)
  return last and last + 1
end

local parse_type

-- Types with commas between them, each perhaps with a name in front, up to a closing bracket.
local function parse_list(text, at, closing)
  while not follows(text, at, closing) do
    local named = follows(text, at, "[%w_.]+%??%s*:") or follows(text, at, "%.%.%.%s*:")
    local alone = not named and (follows(text, at, "self%f[,)]") or follows(text, at, "%.%.%."))
    at = alone or parse_type(text, named or at)
    at = follows(text, at, ",") or (follows(text, at, closing) and at) or expect(text, at, closing, closing)
  end
  return expect(text, at, closing, closing)
end

local function parse_results(text, at)
  repeat
    at = follows(text, at, "%.%.%.") or parse_type(text, at)
    local comma = follows(text, at, ",")
    at = comma or at
  until not comma
  return at
end

local function parse_function(text, at)
  at = parse_list(text, at, "%)")
  local colon = follows(text, at, ":")
  return colon and parse_results(text, colon) or at
end

local function parse_name(text, at)
  local name = text:match("^%s*([%a_][%w_.]*%*?)", at) or error(("no type at '%s'"):format(text:sub(at)), 0)
  if not builtin[name] and not known[name] then error("unknown type " .. name, 0) end
  at = follows(text, at, "[%a_][%w_.]*%*?")
  local arguments = follows(text, at, "<")
  return arguments and parse_list(text, arguments, ">") or at
end

local function parse_one(text, at)
  local list, opened = follows(text, at, "fun%("), follows(text, at, "%(")
  if list then
    at = parse_function(text, list)
  elseif opened then
    at = expect(text, parse_type(text, opened), "%)", "closing parenthesis")
  else
    local table_at = follows(text, at, "{")
    at = table_at and parse_list(text, table_at, "}") or follows(text, at, '"[^"]*"') or parse_name(text, at)
  end
  while text:find("^%[%]", at) or text:find("^%?", at) do at = at + (text:sub(at, at) == "?" and 1 or 2) end
  return at
end

function parse_type(text, at)
  repeat
    at = parse_one(text, at)
    local bar = follows(text, at, "|")
    at = bar or at
  until not bar
  return at
end

-- A type from a position on, behind which a space or nothing stands.
local function check_type(text, at)
  local last = parse_type(text, at)
  if not text:find("^%s", last) and last <= #text then error("what is '" .. text:sub(last) .. "'?", 0) end
  return last
end

-- ---- lines ----

local function named(text) -- NAME TYPE
  check_type(text, follows(text, 1, "[%a_][%w_]*%??%s+") or expect(text, 1, "%.%.%.%s+", "name"))
end

-- What may follow each word.
local tags = {
  meta = function(text) expect(text, 1, "[%w_.]*$", "module's name") end,
  class = function(text)
    local parent = follows(text, 1, "[%w_.]+:%s+")
    if parent then check_type(text, parent) else expect(text, 1, "[%w_.]+$", "class") end
  end,
  alias = function(text)
    local at = expect(text, 1, "[%w_.]+", "name")
    if at <= #text then check_type(text, at) end
  end,
  field = function(text)
    local key = follows(text, 1, "%[")
    if not key then return named(text) end
    check_type(text, expect(text, parse_type(text, key), "%]", "closing bracket"))
  end,
  param = named,
  type = function(text) check_type(text, 1) end,
  overload = function(text)
    assert(text:find "^fun%(", "no function")
    assert(check_type(text, 1) > #text, "more than a function")
  end,
  ["return"] = function(text) check_type(text, 1) end,
}

setup(function()
  known = {}
  each("^%-%-%-@class ([%w_.]+)", function(_, name) known[name] = true end)
  each("^%-%-%-@alias ([%w_.]+)", function(_, name) known[name] = true end)
end)

describe("the annotations", function()
  it("are of ten files, each of which is Lua", function()
    assert.equal(10, #files)
    for _, path in ipairs(files) do assert(loadfile(path)) end
  end)

  it("have lines that are well-formed, of types that are known", function()
    each("^%-%-%-@(%S+) ?(.*)$", function(place, tag, text)
      local ok, problem = pcall(assert(tags[tag], place), text)
      assert(ok, place .. "\n" .. tostring(problem))
    end)
  end)

  it("give alternatives that are types", function()
    each("^%-%-%-(|.*)$", function(place, text)
      local ok, problem = pcall(check_type, text, 2)
      assert(ok, place .. "\n" .. tostring(problem))
    end)
  end)

  it("describe the parameters of the function that follows, all of them in their order", function()
    local described = {}
    each("^(.*)$", function(place, line)
      local name, parameters = line:match "^%-%-%-@param ([%w_.]+)", line:match "^function [%w_.:]+(%b())"
      if name then described[#described + 1] = name end
      if parameters then
        assert.equal(parameters, "(" .. table.concat(described, ", ") .. ")", place)
        described = {}
      elseif not line:find "^%-%-" then
        assert.same({}, described, place)
      end
    end)
  end)
end)

describe("the check of the annotations", function()
  it("takes no type that is none", function()
    local wrong = { "", "nothing", "string |", "fun(", "fun(a: )", "(string", "string[", "string)", "{ a: string",
      "string,", '"open', "table<string" }
    for _, text in ipairs(wrong) do
      assert.is_false(pcall(check_type, text, 1), text)
    end
  end)
end)
