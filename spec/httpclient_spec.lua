-- samples/fetch.lua, and the modules of samples/http/ that it is made of.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local loop = require "lsocket.loop"
local process = require "spec.process"
local sample = require "spec.sample"

local in_loop, require_sample = sample.in_loop, sample.require

describe("samples/http/url.lua", function()
  local url = require_sample "http.url"

  it("takes addresses apart, and no others", function()
    local function check(text, host, port, target)
      local page = assert(url.parse(text), text)
      assert.same({ host, port, target }, { page.host, page.port, page.target })
    end
    check("http://x", "x", 80, "/")
    check("HTTP://x.example:8080?a#b", "x.example", 8080, "/?a")
    check("http://[::1]:1/a/b?c=d/e", "::1", 1, "/a/b?c=d/e")
    check("https://x", "x", 443, "/")
    check("http://[fe80::1%25eth0]/", "fe80::1%eth0", 80, "/")
    for _, text in ipairs { "", "x", "http:", "http://", "http:///a", "http://::1/", "http://x:y/", "http://x:70000/",
      "http://x/a b", "http://x/\na", "http://user@x/", "https://", "httpsx://x/", "ftp://x/" } do
      assert.is_nil(url.parse(text), text)
    end
  end)

  it("follows references", function()
    local page = url.parse "http://x:1/a/b?c"
    for reference, expected in pairs { ["/d"] = "/d", d = "/a/d", ["?d"] = "/a/b?d", [""] = "/a/b?c", ["#d"] = "/a/b?c",
      ["../d"] = "/d", ["../../d"] = "/d", ["./"] = "/a/", [".."] = "/", ["d/../e/./f?../g"] = "/a/e/f?../g",
      ["d:e"] = "none", ["/a b"] = "none", ["d/"] = "/a/d/", ["http://y"] = "y/", ["//y:2/z"] = "y:2/z" } do
      local found = url.resolve(page, reference)
      local place = found and found.authority:gsub("^x:1$", "") .. found.target
      assert.equal(reference .. " " .. expected, reference .. " " .. (place or "none"))
    end
  end)
end)

describe("samples/http/client.lua", function()
  local client, server, url = require_sample("http.client", "http.server", "http.url")

  -- A server in this process, and a client with limits: fn(fetch, port), where fetch(path, options) gives the answer or
  -- nil, and the body or what is wrong.
  local function between(handler, limits, fn)
    in_loop(function()
      local here = assert(server.serve("127.0.0.1", 0, handler))
      local port = here:info "socket".port
      local session = client.new(limits)
      fn(function(path, options)
        local pieces = {}
        local page = assert(url.parse("http://127.0.0.1:" .. port .. path))
        local answer, problem = session:fetch(page, function(piece) table.insert(pieces, piece) end, options)
        return answer, problem or table.concat(pieces)
      end, port)
      session:close()
      here:close(0)
    end)
  end

  -- A handler whose pages are redirections: a page, a status and where it goes.
  local function redirecting(pages)
    return function(request)
      local page = pages[request.target]
      if page then return page[1], "moved", { Location = page[2] } end
      return 200, request.method .. " " .. request.target .. " " .. request.body
    end
  end

  it("follows redirections, with the method that they want", function()
    local pages = { ["/a/1"] = { 302, "2?x" }, ["/a/2?x"] = { 301, "/3" }, ["/post303"] = { 303, "/b" },
      ["/post302"] = { 302, "/b" }, ["/post307"] = { 307, "/b" }, ["/post308"] = { 308, "/b" },
      ["/304"] = { 304, "/b" } }
    between(redirecting(pages), {}, function(fetch)
      assert.equal("GET /3 ", select(2, fetch("/a/1")))
      for status, expected in pairs { [302] = "GET ", [303] = "GET ", [307] = "POST hello", [308] = "POST hello" } do
        assert.equal(expected, (select(2, fetch("/post" .. status, { body = "hello" })):gsub(" /b ", " ")))
      end
      assert.equal("304", fetch("/304").status)
    end)
  end)

  it("does not follow them without end, or where it cannot go", function()
    local pages = { ["/again"] = { 302, "/again" }, ["/ftp"] = { 302, "ftp://x/" } }
    for i = 1, 3 do pages["/" .. i] = { 302, "/" .. i + 1 } end
    between(redirecting(pages), { redirects = 3 }, function(fetch)
      assert.equal("GET /4 ", select(2, fetch("/1")))
      assert.same({ nil, "it redirects too often" }, { fetch("/again") })
      assert.same({ nil, "it redirects to ftp://x/" }, { fetch("/ftp") })
      assert.equal("GET /x ", select(2, fetch("/x")))
    end)
  end)

  it("takes so many bytes and no more", function()
    local function handle(request)
      local left = tonumber(request.query)
      local function pieces()
        left = left - 100
        return left >= 0 and ("x"):rep(100) or nil
      end
      return 200, pieces, request.path == "/sized" and { ["Content-Length"] = request.query } or nil
    end
    between(handle, { bytes = 1000 }, function(fetch)
      for _, path in ipairs { "/sized", "/chunked" } do
        assert.equal(1000, #select(2, fetch(path .. "?1000")))
        assert.same({ nil, "it is too long" }, { fetch(path .. "?1100") })
        assert.same({ nil, "it is too long" }, { fetch(path .. "?1000000000000") })
      end
    end)
  end)

  it("waits so long for anything, and so long for all of it", function()
    local function handle(request)
      if request.path == "/never" then loop.sleep(100) end
      return 200, function()
        if request.path == "/late" then loop.sleep(100) end
        loop.sleep(0.01)
        return "drip"
      end
    end
    for limit, paths in pairs { patience = { "/never", "/late" }, seconds = { "/never", "/late", "/drip" } } do
      between(handle, { [limit] = 0.1 }, function(fetch)
        for _, path in ipairs(paths) do assert.same({ nil, "nothing comes any more" }, { fetch(path) }) end
      end)
    end
  end)

  it("keeps its connection, and makes another one where the server has closed it", function()
    local seen = {}
    in_loop(function()
      local here = assert(loop.listen("127.0.0.1", 0))
      loop.spawn(function() -- answers two requests of each connection, and closes it without a word
        while true do
          local stream = here:accept()
          if not stream then return end
          table.insert(seen, 0)
          for _ = 1, 2 do
            local head = stream:readuntil "\r\n\r\n"
            seen[#seen] = seen[#seen] + 1
            stream:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            if head:find "/last" then here:close() end
          end
          stream:close()
        end
      end)
      local session = client.new()
      local page = url.parse("http://127.0.0.1:" .. here:info "socket".port)
      for i = 1, 6 do
        page.target = i == 6 and "/last" or "/"
        assert(session:fetch(page, function(piece) assert.equal("ok", piece) end))
      end
      session:close()
    end)
    assert.same({ 2, 2, 2 }, seen)
  end)

  it("takes an answer that comes while it still sends", function()
    in_loop(function()
      local here = assert(loop.serve("127.0.0.1", 0, function(stream)
        stream:readuntil "\r\n\r\n"
        stream:write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        loop.sleep(100)
      end))
      local session, said = client.new(), ""
      local page = url.parse("http://127.0.0.1:" .. here:info "socket".port)
      local much = { body = ("x"):rep(30000000) }
      local answer = assert(session:fetch(page, function(piece) said = said .. piece end, much))
      assert.same({ "413", "no" }, { answer.status, said })
      session:close()
      here:close(0)
    end)
  end)
end)

describe("samples/fetch.lua", function()
  local function fetch(...)
    return (helper.run(helper.command("samples/fetch", ...)))
  end

  -- What the program prints where a server answers so.
  local function fetch_from(answer, byte_by_byte)
    local listener = assert(lsocket.bind("127.0.0.1", 0))
    local pipe = io.popen(helper.command("samples/fetch", "http://127.0.0.1:" .. helper.port(listener)) .. " 2>&1")
    local sock = assert(helper.readable(listener):accept())
    sock:setopt("nodelay", true)
    helper.readable(sock):recv()
    for piece in answer:gmatch(byte_by_byte and "." or ".+") do helper.writable(sock):send(piece) end
    sock:shutdown "w"
    local text = pipe:read "*a"
    pipe:close()
    sock:close()
    listener:close()
    return text
  end

  it("fetches several pages over one connection, and sends", function()
    sample.serving(function(port)
      local url = "http://127.0.0.1:" .. port
      local text = fetch(url, "/bytes/3", "chunks/5", "/none")
      for part in ("Hello, world!\n,012,01234,Not Found\n"):gmatch "[^,]+" do
        assert.truthy(text:find(part, 1, true))
      end
      assert.equal(3, select(2, text:gsub("HTTP/1.1 200 OK\n", "")))
      local command = helper.command("samples/fetch", "-u", url .. "/echo", "/echo")
      local sum = helper.run("head -c 500000 /dev/zero | " .. command .. " 2> /dev/null | tr '\\0' x")
      assert.equal(("x"):rep(1000000), sum)
    end, "", "samples/httpd", 0)
  end)

  it("understands every kind of answer, also byte by byte", function()
    for answer, expected in pairs {
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n"
        .. "A\r\n, chunks!\n\r\n0\r\nTrailer: x\r\n\r\n"] = "HTTP/1.1 200 OK\nhello, chunks!\n",
      ["HTTP/1.0 200 OK\r\n\r\nuntil the end\n"] = "HTTP/1.0 200 OK\nuntil the end\n",
      ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\nand more"]
        = "HTTP/1.1 200 OK\nhello\n",
      ["HTTP/1.1 204 No Content\r\n\r\n"] = "HTTP/1.1 204 No Content\n",
    } do
      for _, byte_by_byte in ipairs { false, true } do
        assert.equal(expected, fetch_from(answer, byte_by_byte))
      end
    end
  end)

  it("says what has gone wrong", function()
    local refusing, keeper = helper.refusing_port()
    assert.truthy(fetch("http://127.0.0.1:" .. refusing):find("Connection refused", 1, true))
    assert.truthy(keeper)
    for _, address in ipairs { "ftp://x/", "http://", "http://::1/" } do
      assert.truthy(fetch(address):find("usage: ", 1, true))
    end
    for _, answer in ipairs { "no HTTP\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfour", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nConten", "220 mail.example ESMTP\r\n", "",
      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello" } do
      local said = fetch_from(answer)
      assert.truthy(said:find "fetch: 127.0.0.1:%d+/: it breaks off, or is no HTTP\n", said)
    end
    local said = fetch_from "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"
    assert.truthy(said:find "its coding is unknown\n$", said)
  end)

  it("fetches from Python's http.server", function()
    helper.need.tool(pending, helper.python "-c 'import http.server'")
    local pipe = assert(io.popen("echo $$; exec env "
      .. helper.python "-u -m http.server --bind 127.0.0.1 --directory spec 0 2>&1"))
    local pid, line = pipe:read "*l", pipe:read "*l"
    local url = "http://127.0.0.1:" .. line:match "port (%d+)"
    local text, status = fetch(url .. "/nsswitch.conf"), fetch(url .. "/none", "/nsswitch.conf")
    os.execute("kill " .. pid)
    pipe:close()
    assert.equal("HTTP/1.0 200 OK\n" .. process.read "spec/nsswitch.conf", text)
    assert.truthy(status:find "HTTP/1.0 404 File not found\n")
    assert.truthy(status:find "HTTP/1.0 200 OK\n")
  end)
end)
