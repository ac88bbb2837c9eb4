-- samples/socks5.lua: byte by byte, and with curl.
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local sample = require "spec.sample"

local GREETING, GREETED = "\5\1\0", "\5\0"

local function two_bytes(port) return string.char(math.floor(port / 256), port % 256) end
local function request(kind, address, port) return "\5\1\0" .. string.char(kind) .. address .. two_bytes(port) end
local function by_name(name, port) return request(3, string.char(#name) .. name, port) end

local V4, V6 = "\127\0\0\1", ("\0"):rep(15) .. "\1"

-- Asks the proxy for something: the connection and the reply's code.
local function ask(port, text)
  local client = sample.connect(port)
  client:write(GREETING)
  assert.equal(GREETED, client:readexactly(2))
  client:write(text)
  local head = client:readexactly(4)
  if not head then return client, nil end
  assert.truthy(head:find "^\5.%z[\1\4]$")
  assert(client:readexactly(head:byte(4) == 1 and 6 or 18))
  return client, head:byte(2)
end

-- A server that sends back what it is sent, in capitals, when it has all: fn(port).
local function with_server(address, fn)
  local here = assert(loop.serve(address, 0, function(client)
    local text = client:read "a"
    if text then client:write(text:upper()) end
  end))
  fn(here:info "socket".port)
  here:close(1)
end

describe("samples/socks5.lua", function()
  it("connects by address and by name, and passes on both ends", function()
    sample.talk(function(port)
      with_server("127.0.0.1", function(target)
        for _, text in ipairs { request(1, V4, target), by_name("127.0.0.1", target), by_name("localhost", target) } do
          local client, code = ask(port, text)
          assert.equal(0, code)
          local data = ("some text"):rep(100000)
          local writer = loop.spawn(function()
            client:write(data)
            client:shutdown "w"
          end)
          assert.is_true(client:read "a" == data:upper())
          writer:join()
          client:close()
        end
      end)
    end, "socks5", 0)
  end)

  it("connects to IPv6", function()
    helper.need.ipv6(pending)
    sample.talk(function(port)
      with_server("::1", function(target)
        for _, text in ipairs { request(4, V6, target), by_name("::1", target) } do
          local client, code = ask(port, text)
          assert.equal(0, code)
          client:write "hello"
          client:shutdown "w"
          assert.equal("HELLO", client:read "a")
          client:close()
        end
      end)
    end, "socks5", 0)
  end)

  it("says what has failed", function()
    helper.need.sandbox(pending)
    local refusing, keeper = helper.refusing_port()
    sample.talk(function(port)
      for code, list in pairs {
        [3] = { request(1, "\192\0\2\1", 80) }, [4] = { by_name("nobody.example", 80), by_name("/tmp/x", 80),
          by_name("@x", 80), by_name("", 80), by_name("a\0b", 80) },
        [5] = { request(1, V4, refusing), by_name("127.0.0.1", refusing) },
        [7] = { "\5\2\0\1" .. V4 .. "\0\80", "\5\3\0\1" .. V4 .. "\0\80" }, [8] = { "\5\1\0\2" .. V4 .. "\0\80" },
      } do
        for _, text in ipairs(list) do
          local client, got = ask(port, text)
          assert.equal(code, got, text)
          assert.is_nil(client:readsome())
          client:close()
        end
      end
    end, "socks5", 0)
    assert.truthy(keeper)
  end)

  it("takes nothing else", function()
    sample.talk(function(port)
      for text, answer in pairs { ["\4\1\0\80\127\0\0\1\0"] = "", ["GET / HTTP/1.1\r\n\r\n"] = "", ["\5\0"] = "\5\255",
        ["\5\2\1\2"] = "\5\255", ["\5\1\0\4\1\0\1"] = "\5\0", ["\5\1"] = "" } do
        local client = sample.connect(port)
        client:write(text)
        client:shutdown "w"
        assert.equal(answer, client:read "a")
        client:close()
      end
    end, "socks5", 0)
  end)

  it("passes on a failure as a reset, and cuts off what does not move", function()
    sample.talk(function(port)
      for i = 1, 2 do
        local here = assert(loop.listen("127.0.0.1", 0))
        local client, code = ask(port, request(1, V4, here:info "socket".port))
        local server = assert(here:accept())
        assert.equal(0, code)
        server:write "half"
        assert.equal("half", client:readexactly(4))
        if i == 1 then
          server:setopt("linger", 0)
          server:close()
        end
        local data, _, name = client:readsome()
        assert.same({ nil, "ECONNRESET" }, { data, name })
        client:close()
        server:close()
        here:close()
      end
    end, "socks5", 0, 0.2)
  end)

  it("serves curl", function()
    local curl = "env -u LD_PRELOAD curl -sS --max-time 20 --noproxy ''"
    helper.need.tool(pending, curl .. " --version")
    sample.serving(function(web)
      sample.with(function(port)
        local function fetch(option, host)
          return (helper.run(("%s %s 127.0.0.1:%d http://%s:%d/bytes/100000 | wc -c")
            :format(curl, option, port, host, web)))
        end
        assert.equal("100000", fetch("--socks5-hostname", "localhost"):match "%d+")
        assert.equal("100000", fetch("--socks5-hostname", "127.0.0.1"):match "%d+")
        assert.equal("100000", fetch("--socks5", "localhost"):match "%d+")
        local refused = helper.run(curl .. " --socks5-hostname 127.0.0.1:" .. port .. " http://nobody.example/")
        assert.truthy(refused:find "nobody.example")
      end, "socks5", 0)
    end, "", "samples/httpd", 0)
  end)
end)
