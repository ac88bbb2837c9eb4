-- lsocket.mime: what it makes of texts, and that LuaSocket's mime.core makes the same of random ones.
local mime = require "lsocket.mime"
local helper = require "spec.helper"

local has_theirs, theirs = pcall(require, "mime.core")

describe("lsocket.mime", function()
  it("encodes base64", function()
    for text, expected in pairs { f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", ["\255\254\253"] = "//79",
      ["\0"] = "AA==", ["\251\240"] = "+/A=" } do
      assert.same({ expected, nil }, { mime.b64(text) })
      assert.same({ text, nil }, { mime.unb64(expected) })
    end
  end)

  it("holds what is not certain", function()
    assert.same({ "Zm9v", "ba" }, { mime.b64("foob", "a") })
    assert.same({ "foo", "Zg" }, { mime.unb64("Zm9v\r\n", "Z g") })
    assert.same({ "a", " \r" }, { mime.qp("a", " \r") })
    assert.same({ "a", "=4" }, { mime.unqp("a", "=4") })
  end)

  it("returns nil at the end where nothing is left", function()
    for _, name in ipairs { "b64", "unb64", "qp", "unqp" } do
      assert.same({ n = 2 }, helper.pack(mime[name]()))
      assert.same({ n = 2 }, helper.pack(mime[name]("")))
      assert.same({ n = 2 }, helper.pack(mime[name](nil, "x")))
    end
  end)

  it("encodes quoted-printable", function()
    assert.same({ "a=3Db=20\r\n=C3=A4=20c=\r\n", nil }, { mime.qp("a=b \r\n\195\164 c") })
    assert.equal("a=0D=0Ab", (mime.qp("a\r\nb", nil, "=0D=0A")))
    assert.equal("a=0Db=0Ac=20=\r\n", (mime.qp "a\rb\nc "))
  end)

  it("decodes quoted-printable", function()
    assert.same({ "a=b \r\n\195\164 c", nil }, { mime.unqp("a=3Db=20\r\n=c3=A4 =\r\nc") })
    assert.equal("a=xyb", (mime.unqp "a=xyb"))
    assert.equal("ab", (mime.unqp "a\rx\nb\200"))
    assert.equal("\0", (mime.unqp "=00")) -- LuaSocket loses what begins with a zero
  end)

  it("breaks lines", function()
    assert.same({ "abc\r\nde", 1 }, { mime.wrp(3, "abcde", 3) })
    assert.same({ "a\r\nb", 1 }, { mime.wrp(1, "a\nb", 2) })
    assert.same({ "\r\n", 76 }, { mime.wrp(3) })
    assert.same({ nil, 76 }, { mime.wrp(76) })
    assert.same({ "ab=\r\n=C3d", 1 }, { mime.qpwrp(5, "ab=C3d", 5) })
    assert.same({ "=\r\n", 76 }, { mime.qpwrp(3) })
  end)

  it("makes one marker of each end of a line", function()
    assert.same({ "a|b|c|d|||e", 0 }, { mime.eol(0, "a\rb\nc\r\nd\n\n\re", "|") })
    assert.same({ "a\r\n", 13 }, { mime.eol(0, "a\r") })
    assert.same({ "b", 0 }, { mime.eol(13, "\nb") })
    assert.same({ nil, 0 }, { mime.eol(13) })
  end)

  it("doubles dots that begin a line", function()
    assert.same({ "..a\r\n..b.\r\n", 2 }, { mime.dot(2, ".a\r\n.b.\r\n") })
    assert.same({ ".a", 0 }, { mime.dot(0, ".a") })
    assert.same({ nil, 2 }, { mime.dot(0) })
  end)

  it("refuses wrong arguments", function()
    helper.raises("string expected", mime.b64, {})
    helper.raises("string expected", mime.unqp, "x", {})
    helper.raises("number expected", mime.wrp, "x", "y")
    helper.raises("number expected", mime.dot)
    helper.raises("string expected", mime.qp, "x", nil, {})
  end)
end)

-- A text of bytes that matter to the filters, more often than of others.
local function random_text(length)
  local pieces = { "\r\n", "\r", "\n", " ", "\t", "=", ".", "=3D", "=\r\n", "a", "Zm9v", "+/", "\0", "\200" }
  local text = {}
  for i = 1, length do
    text[i] = math.random(3) == 1 and string.char(math.random(0, 255)) or pieces[math.random(#pieces)]
  end
  return table.concat(text)
end

-- The text in pieces, some of which are empty.
local function cut(text)
  local pieces = {}
  while text ~= "" do
    local length = math.random(0, 7)
    pieces[#pieces + 1] = text:sub(1, length)
    text = text:sub(length + 1)
  end
  return pieces
end

describe("lsocket.mime, beside LuaSocket's mime.core,", function()
  local function need()
    if not has_theirs then pending "needs LuaSocket" end
  end

  -- What a filter makes of pieces: each of its results, with what it holds between them.
  local function filter(fn, state, pieces, ...)
    local results = {}
    for _, piece in ipairs(pieces) do
      local text
      text, state = fn(state, piece, ...)
      results[#results + 1] = { text, state }
    end
    local text, left = fn(state, nil, ...)
    if text ~= "\0" then results[#results + 1] = { text or "nil", left } end
    return results
  end

  for name, case in pairs { b64 = { "" }, unb64 = { "" }, qp = { "" }, ["qp "] = { "", "=0D=0A" }, unqp = { "" },
    wrp = { 76 }, ["wrp "] = { 5, 5 }, qpwrp = { 76 }, ["qpwrp "] = { 7, 7 }, eol = { 0 }, ["eol "] = { 0, "\n" },
    dot = { 2 } } do
    it("does the same, however a text is cut: " .. name, function()
      need()
      local ours, others = mime[name:match "%w+"], theirs[name:match "%w+"]
      for _ = 1, helper.scale(300) do
        local pieces = cut(random_text(math.random(0, 60)))
        assert.same(filter(others, case[1], pieces, case[2]), filter(ours, case[1], pieces, case[2]))
      end
    end)
  end
end)
