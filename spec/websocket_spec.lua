-- samples/websocket.lua and its modules: byte by byte, with npm's ws, and in check-all with a browser.
local browser = require "spec.browser"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local sample = require "spec.sample"

local bits, base64, sha1, is_utf8 = sample.require("websocket.bits", "websocket.base64", "websocket.sha1",
  "websocket.utf8")

after_each(helper.remove_paths)

local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
local FINAL = 128

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

describe("samples/websocket/", function()
  it("has SHA-1", function()
    for text, expected in pairs {
      [""] = "da39a3ee5e6b4b0d3255bfef95601890afd80709", abc = "a9993e364706816aba3e25717850c26c9cd0d89d",
      ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"] = "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
      [("a"):rep(1000)] = "291e9a6c66994949b57ba5e650361e98fc36b1ba",
    } do
      assert.equal(expected, hex(sha1(text)))
    end
  end)

  it("has base64", function()
    for text, expected in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      ["\255\254\253\0"] = "//79AA==" } do
      assert.equal(expected, base64(text))
    end
  end)

  it("knows UTF-8", function()
    for _, text in ipairs { "", "abc", "\194\128", "\223\191", "\224\160\128", "\237\159\191", "\238\128\128",
      "\239\191\191", "\240\144\128\128", "\244\143\191\191", "h\195\169llo, \228\184\150\231\149\140" } do
      assert.is_true(is_utf8(text), hex(text))
    end
    for _, text in ipairs { "\128", "\192\128", "\193\191", "\194", "\194a", "\224\159\191", "\224\160", "\237\160\128",
      "\240\143\191\191", "\240\144\128", "\244\144\128\128", "\245\128\128\128", "\255", "\195\194\169\169",
      "\226\194\130\172", "a\194" } do
      assert.is_false(is_utf8(text), hex(text))
    end
  end)
end)

-- A frame as clients send it.
local function frame(first, data, key)
  key = key or "\1\2\3\4"
  local length, masked = #data, {}
  local head = length < 126 and string.char(128 + length)
    or length < 65536 and "\254" .. bits.to_bytes(length, 2) or "\255" .. bits.to_bytes(length, 8)
  for i = 1, length do
    local place = (i - 1) % 4 + 1
    masked[i] = string.char(bits.xors[key:byte(place)][data:byte(i)])
  end
  return string.char(first) .. head .. key .. table.concat(masked)
end

local HANDSHAKE = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
  .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

-- A connection that is a WebSocket.
local function open(port)
  local client = sample.connect(port)
  client:write(HANDSHAKE)
  local head = client:readuntil "\r\n\r\n"
  assert.truthy(head:find "^HTTP/1.1 101 ")
  assert.truthy((head .. "\r\n"):find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", 1, true))
  return client
end

-- The next frame of the server: its first byte and its data; nil at the end.
local function read_frame(client)
  local head = client:readexactly(2)
  if not head then return nil end
  local first, length = head:byte(1, 2)
  if length > 125 then length = bits.from_bytes(client:readexactly(length == 126 and 2 or 8)) end
  return first, client:readexactly(length)
end

local function check_close(client, code, what)
  local first, data = read_frame(client)
  assert.same({ FINAL + CLOSE, code }, { first, data and #data > 0 and bits.from_bytes(data) or nil }, what)
  assert.is_nil(client:readsome())
  client:close()
end

describe("samples/websocket.lua", function()
  it("sends back messages of every length, also in pieces and with pings between them", function()
    sample.talk(function(port)
      local client = open(port)
      for _, length in ipairs { 0, 1, 2, 3, 4, 5, 125, 126, 127, 65535, 65536, 200001 } do
        local data = ("\0\1\254\255x"):rep(math.ceil(length / 5)):sub(1, length)
        client:write(frame(FINAL + BINARY, data, "\255\0\170\85"))
        assert.same({ FINAL + BINARY, data }, { read_frame(client) })
      end
      client:write(frame(TEXT, "h\195"), frame(FINAL + PING, "are you there?"), frame(CONTINUATION, ""),
        frame(CONTINUATION, "\169l"), frame(FINAL + PONG, "unasked"), frame(FINAL + CONTINUATION, "lo"))
      assert.same({ FINAL + PONG, "are you there?" }, { read_frame(client) })
      assert.same({ FINAL + TEXT, "h\195\169llo" }, { read_frame(client) })
      for byte in frame(FINAL + TEXT, "byte by byte"):gmatch "." do
        client:write(byte)
        loop.sleep(0)
      end
      assert.same({ FINAL + TEXT, "byte by byte" }, { read_frame(client) })
      client:write(frame(FINAL + CLOSE, bits.to_bytes(3000, 2) .. "goodbye"))
      check_close(client, 3000)
    end, "websocket", 0)
  end)

  it("answers the end with the end", function()
    sample.talk(function(port)
      for _, code in ipairs { 1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999 } do
        local client = open(port)
        client:write(frame(FINAL + CLOSE, bits.to_bytes(code, 2)), frame(FINAL + TEXT, "too late"))
        check_close(client, code)
      end
      local client = open(port)
      client:write(frame(FINAL + CLOSE, ""))
      check_close(client, nil)
    end, "websocket", 0)
  end)

  it("refuses what breaks the protocol, and says why", function()
    local cases = {
      [1002] = {
        "\129\1a", frame(FINAL + 64 + TEXT, "a"), frame(FINAL + 16 + TEXT, "a"), frame(FINAL + 3, ""),
        frame(FINAL + 11, ""), frame(TEXT, "a") .. frame(FINAL + 11, ""), frame(FINAL + CONTINUATION, "a"),
        frame(TEXT, "a") .. frame(FINAL + TEXT, "b"), frame(PING, ""), frame(FINAL + PING, ("a"):rep(126)),
        "\129\254\0\5", "\129\255\0\0\0\0\0\0\255\255", "\130\255" .. ("\255"):rep(8),
        frame(FINAL + CLOSE, "a"),
        frame(FINAL + CLOSE, bits.to_bytes(999, 2)), frame(FINAL + CLOSE, bits.to_bytes(1004, 2)),
        frame(FINAL + CLOSE, bits.to_bytes(1005, 2)), frame(FINAL + CLOSE, bits.to_bytes(1006, 2)),
        frame(FINAL + CLOSE, bits.to_bytes(1015, 2)), frame(FINAL + CLOSE, bits.to_bytes(2999, 2)),
        frame(FINAL + CLOSE, bits.to_bytes(5000, 2)),
      },
      [1007] = {
        frame(FINAL + TEXT, "\237\160\128"), frame(TEXT, "\195") .. frame(FINAL + CONTINUATION, "a"),
        frame(FINAL + CLOSE, bits.to_bytes(1000, 2) .. "\255"),
      },
      [1009] = {
        "\130\255" .. bits.to_bytes(16777217, 8), "\130\255\127" .. ("\255"):rep(7),
        frame(BINARY, "abc") .. "\0\255" .. bits.to_bytes(16777214, 8),
      },
    }
    sample.talk(function(port)
      for code, list in pairs(cases) do
        for i, bytes in ipairs(list) do
          local client = open(port)
          client:write(bytes, ("x"):rep(100000)) -- what comes behind it must not destroy the answer
          check_close(client, code, code .. ": " .. i .. ": " .. hex(bytes:sub(1, 20)))
        end
      end
    end, "websocket", 0)
  end)

  it("takes no other requests", function()
    sample.talk(function(port)
      for from, to in pairs { ["Version: 13"] = "Version: 8", ["Upgrade: WebSocket"] = "Upgrade: h2c",
        ["GET "] = "POST ", ["Connection: keep%-alive, Upgrade"] = "Connection: keep-alive",
        ["dGhlIHNhbXBsZSBub25jZQ=="] = "c2hvcnQ=", ["HTTP/1.1"] = "HTTP/1.0", ["/echo"] = "/none" } do
        local client = sample.connect(port)
        local text = HANDSHAKE:gsub(from, to)
        client:write(text)
        local line = client:read()
        assert.truthy(line:find "^HTTP/1.1 4", from .. ": " .. line)
        client:close()
      end
    end, "websocket", 0)
  end)

  it("asks a silent client for a sign of life, and lets it go without", function()
    sample.talk(function(port)
      local client = open(port)
      for _ = 1, 3 do
        assert.same({ FINAL + PING, "" }, { read_frame(client) })
        client:write(frame(FINAL + PONG, ""))
      end
      assert.same({ FINAL + PING, "" }, { read_frame(client) })
      assert.equal(FINAL + CLOSE, (read_frame(client)))
      assert.is_nil(client:readsome())
      client:close()
    end, "websocket", 0, 0.1)
  end)

  it("serves npm's ws", function()
    local node = "env -u LD_PRELOAD node"
    helper.need.tool(pending, node .. " -e 'require(\"./build/ws/node_modules/ws\")'")
    sample.talk(function(port)
      assert.equal("all is well\n", (helper.run("timeout 60 " .. node .. " spec/child/websocket.js " .. port)))
    end, "websocket", 0)
  end)

  it("serves a browser", function()
    browser.need(pending)
    local home = browser.home()
    finally(function() browser.leave(home) end)
    sample.talk(function(port)
      helper.eventually("the page shows what came back", function() -- the browser waits for no WebSocket
        local seen = browser.load(home, ("http://127.0.0.1:%d/"):format(port))
        return seen:find("open\necho: h\195\169llo, \228\184\150\231\149\140\n", 1, true)
      end)
    end, "websocket", 0)
  end)
end)
