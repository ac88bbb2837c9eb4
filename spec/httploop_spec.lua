-- samples/loop_http_server.lua and loop_http_client.lua, run as programs: with raw sockets, curl, Python, each other.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"

local NUL = "\0"

-- Starts the server with so many seconds for a client, calls a function with its port and process, and ends it.
local function with_server(fn, seconds)
  local command = helper.command("samples/loop_http_server", 0, seconds or helper.patience)
  local pipe = assert(io.popen("echo $$; exec " .. command .. " 2>&1"))
  local pid = pipe:read "*l"
  local port = assert((pipe:read "*l" or ""):match "Listening on 127.0.0.1 port (%d+)")
  local ok, problem = pcall(fn, tonumber(port), pid)
  os.execute("kill " .. pid)
  local said = pipe:read "*a"
  pipe:close()
  assert(ok, problem)
  assert.equal("", said)
end

local function in_loop(fn, ...)
  return loop.run(loop.deadline, helper.patience, fn, ...)
end

-- Sends bytes as they are, and reads all until the server closes the connection.
local function exchange(port, data, and_close)
  return in_loop(function()
    local client = assert(loop.connect("127.0.0.1", port))
    client:write(data)
    if and_close then client:shutdown "w" end
    local answer = client:read "a"
    client:close()
    return answer
  end)
end

-- The status of each answer; 200 as its body, which must have a Content-Length.
local function answers(text)
  local list, at = {}, 1
  while at <= #text do
    local head, body = text:match("^(HTTP/1.1 .-\r\n\r\n)()", at)
    assert(head, "no answer: " .. text:sub(at, at + 60))
    local status = head:match "^HTTP/1.1 (%d%d%d)"
    local length = tonumber(head:match "Content%-Length: (%d+)" or 0)
    list[#list + 1] = status == "200" and text:sub(body, body + length - 1) or status
    at = body + length
  end
  return table.concat(list, " | ")
end

local function request(method, target, ...)
  return table.concat({ method .. " " .. target .. " HTTP/1.1", "Host: x", ... }, "\r\n") .. "\r\n\r\n"
end

local last = request("POST", "/echo", "Content-Length: 4", "Connection: close") .. "last"

local function shell(command)
  local pipe = io.popen(command .. " 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local CURL = "env -u LD_PRELOAD curl" -- which hangs under another program's sanitizer

local function curl(options)
  return shell(CURL .. " -sS --noproxy '*' --max-time " .. helper.patience .. " " .. options)
end

describe("samples/loop_http_server.lua", function()
  it("answers what comes in one packet, and in single bytes, in order", function()
    with_server(function(port)
      local all = request("POST", "/echo", "Content-Length: 3") .. "one" .. "\r\n" .. request("GET", "/none")
        .. request("POST", "/echo", "transfer-encoding: Chunked", "Trailer: a")
        .. "3;a=b\r\ntwo\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n" .. request("GET", "/echo")
        .. request("POST", "/echo", "Content-Length: 0") .. last .. request("GET", "/late")
      assert.equal("one | 404 | two! | 405 |  | last", answers(exchange(port, all)))
      local split = in_loop(function()
        local client = assert(loop.connect("127.0.0.1", port))
        local writer = loop.spawn(function()
          for byte in all:gmatch "." do
            client:write(byte)
            loop.sleep(0)
          end
        end)
        local text = client:read "a"
        writer:join()
        client:close()
        return text
      end)
      assert.equal("one | 404 | two! | 405 |  | last", answers(split))
    end)
  end)

  it("answers a thousand requests that were all sent before", function()
    with_server(function(port)
      local all = request("GET", "/"):rep(1000) .. last
      assert.equal(("Hello, world!\n | "):rep(1000) .. "last", answers(exchange(port, all)))
    end)
  end)

  it("keeps the connection, or closes it, as the client says", function()
    with_server(function(port)
      local hello = "Hello, world!\n"
      assert.equal(hello, answers(exchange(port, request("GET", "/", "Connection: x , Close") .. last)))
      assert.equal(hello, answers(exchange(port, "GET / HTTP/1.0\r\n\r\n" .. last)))
      local old = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
      assert.equal(hello .. " | last", answers(exchange(port, old .. last)))
      assert.equal(hello, answers(exchange(port, request("GET", "/"), true)))
      local body = exchange(port, "GET /chunks/70000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):match "\r\n\r\n(.*)"
      assert.equal(70000, #body)
    end)
  end)

  it("sends headers alone for HEAD", function()
    with_server(function(port)
      for _, page in ipairs { "/", "/bytes/1000000", "/chunks/5", "/none" } do
        local text = exchange(port, request("HEAD", page, "Connection: close"))
        assert.equal(text:find("\r\n\r\n", 1, true) + 3, #text)
        assert.equal(page == "/chunks/5", not text:find "Content%-Length: %d+")
      end
    end)
  end)

  local bad = {
    ["a length beside a coding"] = { "400", "POST", "/echo", "Content-Length: 5", "Transfer-Encoding: chunked" },
    ["a coding beside a length"] = { "400", "POST", "/echo", "Transfer-Encoding: chunked", "Content-Length: 5" },
    ["two lengths"] = { "400", "POST", "/echo", "Content-Length: 5", "Content-Length: 6" },
    ["one length twice"] = { "400", "POST", "/echo", "Content-Length: 5", "content-length: 5" },
    ["a list of lengths"] = { "400", "POST", "/echo", "Content-Length: 5, 5" },
    ["a length with a sign"] = { "400", "POST", "/echo", "Content-Length: +5" },
    ["a negative length"] = { "400", "POST", "/echo", "Content-Length: -5" },
    ["a length in hexadecimal"] = { "400", "POST", "/echo", "Content-Length: 0x5" },
    ["an empty length"] = { "400", "POST", "/echo", "Content-Length:" },
    ["an unknown coding"] = { "501", "POST", "/echo", "Transfer-Encoding: gzip, chunked" },
    ["a coding twice"] = { "501", "POST", "/echo", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked" },
    ["a coding with a vertical tab"] = { "400", "POST", "/echo", "Transfer-Encoding: \11chunked" },
    ["another expectation"] = { "417", "POST", "/echo", "Content-Length: 5", "Expect: 200-ok" },
    ["a folded line"] = { "400", "GET", "/", "A: b", " c" },
    ["a folded line with a tab"] = { "400", "GET", "/", "A: b", "\tc" },
    ["a space before the colon"] = { "400", "POST", "/echo", "Content-Length : 5" },
    ["a tab before the colon"] = { "400", "POST", "/echo", "Transfer-Encoding\t: chunked" },
    ["a field without a colon"] = { "400", "GET", "/", "nonsense" },
    ["a field without a name"] = { "400", "GET", "/", ": b" },
    ["a bare CR in a value"] = { "400", "GET", "/", "A: b\rContent-Length: 5" },
    ["a bare LF in a value"] = { "400", "GET", "/", "A: b\nContent-Length: 5" },
    ["a NUL in a value"] = { "400", "GET", "/", "A: b" .. NUL },
    ["a second Host"] = { "400", "GET", "/", "Host: y" },
    ["a space in the target"] = { "400", "GET", "/ /" },
    ["a tab in the target"] = { "400", "GET", "/\t" },
    ["a method that is no token"] = { "400", "G:T", "/" },
    ["a long target"] = { "431", "GET", "/" .. ("a"):rep(20000) },
    ["a long field"] = { "431", "GET", "/", "A: " .. ("a"):rep(20000) },
    ["many fields"] = { "431", "GET", "/", ("A: b\r\n"):rep(5000) .. "B: c" },
    ["a long body"] = { "413", "POST", "/echo", "Content-Length: 1048577" },
    ["a body beyond all numbers"] = { "413", "POST", "/echo", "Content-Length: " .. ("9"):rep(400) },
  }

  it("refuses what could be read in two ways, and what is too large", function()
    with_server(function(port)
      for name, case in pairs(bad) do
        local text = request(case[2], case[3], (table.unpack or unpack)(case, 4)) .. "5\r\nhello\r\n0\r\n\r\n"
        assert.equal(name .. ": " .. case[1], name .. ": " .. answers(exchange(port, text .. last, true)))
      end
      for text, status in pairs {
        ["GET / HTTP/1.1\r\n\r\n"] = "400", ["GET /\r\n\r\n"] = "400", ["GET / HTTP/1.1\nHost: x\n\n"] = "400",
        ["GET / HTTP/2.0\r\nHost: x\r\n\r\n"] = "505", ["\r\n\r\n\r\n"] = "400", ["GET  / HTTP/1.1\r\n\r\n"] = "400",
        ["POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"] = "400", ["\22\3\1\0\165\1\r\n"] = "400",
        ["GET / HTTP/1.1\r\nHo"] = "400", ["GET / HTTP/1.1 \r\nHost: x\r\n\r\n"] = "400",
      } do
        assert.equal(status, answers(exchange(port, text .. "\r\n" .. last, true)))
      end
    end)
  end)

  it("refuses at once what a pattern could match in many ways", function()
    with_server(function(port)
      local text = request("GET", "/", "A:" .. (" "):rep(8000) .. ("a"):rep(8000) .. NUL)
      in_loop(function() -- all of them in the time of one
        for _ = 1, helper.scale(40) do
          local client = assert(loop.connect("127.0.0.1", port))
          client:write(text)
          assert.equal("400", answers(assert(client:read "a")))
          client:close()
        end
      end)
    end)
  end)

  it("refuses malformed and endless chunks", function()
    with_server(function(port)
      for chunks, status in pairs {
        ["5 \r\nhello"] = "400", ["0x5\r\nhello"] = "400", ["+5\r\nhello"] = "400", [" 5\r\nhello"] = "400",
        ["-5\r\nhello"] = "400", ["5\nhello"] = "400", ["5x\r\nhello"] = "400", ["\r\nhello"] = "400",
        ["000000005\r\nhello"] = "400", ["5;a\rb\r\nhello"] = "400", ["5;a\nb\r\nhello"] = "400",
        ["4\r\nhello"] = "400", ["6\r\nhello"] = "400", ["5\r\nhello\n"] = "400", ["ffffffffffffffff\r\nhello"] = "400",
        ["0\r\nA : b"] = "400", ["5;" .. ("a"):rep(20000) .. "\r\nhello"] = "431",
        ["0\r\n" .. ("A: b\r\n"):rep(5000)] = "431", [("10000\r\n" .. ("a"):rep(65536) .. "\r\n"):rep(17)] = "413",
      } do
        local text = request("POST", "/echo", "Transfer-Encoding: chunked") .. chunks .. "\r\n0\r\n\r\n"
        assert.equal(chunks:sub(1, 20) .. status, chunks:sub(1, 20) .. answers(exchange(port, text .. last, true)))
      end
    end)
  end)

  it("ends clients that are slow: with a header, with a body, with taking an answer, and idle ones", function()
    with_server(function(port)
      in_loop(function()
        local tasks = {}
        local function try(first, drip)
          tasks[#tasks + 1] = loop.spawn(function()
            local client = assert(loop.connect("127.0.0.1", port))
            client:write(first)
            local writer = drip and loop.spawn(function()
              while loop.sleep(0.02) and client:write(drip) do end -- never quiet for long
            end)
            local text = client:read "a" or "reset"
            if writer then
              writer:cancel()
              writer:join()
            end
            client:close()
            return text
          end)
        end
        try("GET / HTTP/1.1\r\nHost: x\r\n", "A: b\r\n")
        try("GET", "T")
        try(request("POST", "/echo", "Content-Length: 100000"), "x")
        try(request("POST", "/echo", "Transfer-Encoding: chunked"), "1\r\nx\r\n")
        try("")
        local unread = assert(loop.connect("127.0.0.1", port))
        unread:write(request("GET", "/bytes/1000000000"))
        for i = 1, 4 do assert.equal("408", answers(tasks[i]:join())) end
        assert.equal("", tasks[5]:join())
        local count = 0
        loop.sleep(0.8) -- meanwhile it is given up
        local piece = unread:readsome()
        while piece do
          count = count + #piece
          piece = unread:readsome()
        end
        unread:close()
        assert.is_true(count < 1000000000)
      end)
    end, 0.5)
  end)

  it("sends and takes much without keeping it", function()
    helper.need.proc(pending)
    with_server(function(port, pid)
      local function memory() return tonumber(process.status("VmHWM", pid):match "%d+") end
      local total = helper.scale(200) * 1000000
      local function fetch(page, count)
        local length = 0
        in_loop(function()
          local client = assert(loop.connect("127.0.0.1", port))
          client:write(request("GET", page .. count, "Connection: close"))
          local piece = client:readsome()
          while piece do
            length = length + #piece
            piece = client:readsome()
          end
          client:close()
        end)
        assert.is_true(length > count)
      end
      fetch("/bytes/", 1000000)
      fetch("/chunks/", 1000000)
      local before = memory()
      fetch("/bytes/", total)
      fetch("/chunks/", total)
      if not helper.slow then assert.is_true(memory() - before < 2000, memory() - before .. " KiB more") end
    end)
  end)

  it("serves curl: keep-alive, HEAD, chunks both ways, 100-continue", function()
    helper.need.tool(pending, CURL .. " --version")
    with_server(function(port)
      local url = "http://127.0.0.1:" .. port
      local file = os.tmpname()
      local handle = assert(io.open(file, "wb"))
      local data = ("some text, "):rep(50000)
      assert(handle:write(data))
      handle:close()
      assert.equal("Hello, world!\n 1\nHello, world!\n 0\n",
        curl("-w ' %{num_connects}\\n' " .. url .. "/ " .. url .. "/"))
      assert.truthy(curl("-I " .. url .. "/bytes/123"):find "^HTTP/1.1 200 OK\r\n.*Content%-Length: 123\r\n")
      assert.equal(("0123456789abcdef"):rep(20000), curl(url .. "/chunks/320000"))
      assert.equal(data, curl("-H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' --data-binary @" .. file .. " "
        .. url .. "/echo"))
      local waited = curl("-v --expect100-timeout 60 -H 'Expect: 100-continue' -o /dev/null --data-binary @" .. file
        .. " " .. url .. "/echo")
      assert.truthy(waited:find("< HTTP/1.1 100 Continue", 1, true))
      assert.truthy(waited:find("< Content-Length: " .. #data, 1, true))
      assert.equal("413", curl("-o /dev/null -w '%{http_code}' --expect100-timeout 60 -H 'Expect: 100-continue' "
        .. "-H 'Content-Length: 9999999' --data-binary @" .. file .. " " .. url .. "/echo"))
      os.remove(file)
    end)
  end)

  it("serves Python's http.client", function()
    helper.need.tool(pending, helper.python "-c 'import http.client'")
    with_server(function(port)
      assert.equal("all is well\n", shell(helper.python("spec/child/httpclient.py " .. port)))
    end)
  end)
end)

describe("samples/loop_http_client.lua", function()
  local function fetch(...)
    return shell(helper.command("samples/loop_http_client", ...))
  end

  it("fetches several pages over one connection, and sends in chunks", function()
    with_server(function(port)
      local url = "http://127.0.0.1:" .. port
      local text = fetch(url, "/bytes/3", "/chunks/5", "/none")
      for part in ("Hello, world!\n,012,01234,Not Found\n"):gmatch "[^,]+" do
        assert.truthy(text:find(part, 1, true))
      end
      assert.equal(3, select(2, text:gsub("HTTP/1.1 200 OK\n", "")))
      local command = helper.command("samples/loop_http_client", "-u", url .. "/echo", "/echo")
      local sum = shell("head -c 500000 /dev/zero | " .. command .. " 2> /dev/null | tr '\\0' x")
      assert.equal(("x"):rep(1000000), sum)
    end)
  end)

  it("says what has gone wrong", function()
    local refusing, keeper = helper.refusing_port()
    assert.truthy(fetch("http://127.0.0.1:" .. refusing):find("Connection refused", 1, true))
    assert.truthy(keeper)
    for _, address in ipairs { "ftp://x/", "http://", "http://::1/" } do
      assert.truthy(fetch(address):find("usage: ", 1, true))
    end
    for _, answer in ipairs { "no HTTP\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfour", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n" } do
      local listener = assert(lsocket.bind("127.0.0.1", 0))
      local pipe = io.popen(helper.command("samples/loop_http_client",
        "http://127.0.0.1:" .. listener:info("socket").port) .. " 2>&1")
      local sock = assert(helper.readable(listener):accept())
      helper.readable(sock):recv()
      sock:send(answer)
      sock:shutdown "w"
      local text = pipe:read "*a"
      pipe:close()
      sock:close()
      listener:close()
      assert.truthy(text:find("loop_http_client: ", 1, true))
    end
  end)
end)
