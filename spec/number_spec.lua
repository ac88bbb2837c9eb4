-- Numbers of descriptors in a poller: one object for each, and those that are closed behind its back, which may live on
-- in a copy or be of another file by then. The same on every backend that this platform has.
local lsocket = require "lsocket"
local helper = require "spec.helper"
local pollers = require "spec.pollers"

local fails = helper.fails
local pair, wait = pollers.pair, pollers.wait

-- Until the poller tells that the object is readable.
local function await(poller, value)
  helper.eventually("an event", function()
    local readable = wait(poller)
    return readable[1] == value
  end)
end

local function describe_backend(backend)
  local function open() return assert(lsocket.poller(backend)) end

  describe("a poller with " .. backend, function()
    after_each(pollers.let_go)

    it("registers one object for a number, in every order", function()
      local client = pair()
      local fd = client:getfd()
      local function foreign() return { getfd = function() return fd end } end
      local kinds = { client, fd, foreign(), foreign() }
      for _, first in ipairs(kinds) do
        for _, second in ipairs(kinds) do
          local poller = open()
          assert.is_true(poller:add(first, "w", "first"))
          fails("EEXIST", poller:add(second, "r", "second"))
          fails("EEXIST", poller:add(second, "w"))
          assert.equal(1, #poller)
          assert.same({ "first" }, (select(2, wait(poller))))
          fails("EEXIST", poller:add(second, "w")) -- also after it was told
          if second ~= first then
            fails("ENOENT", poller:modify(second, "r"))
            fails("ENOENT", poller:remove(second))
          end
          assert.is_true(poller:remove(first))
          assert.is_true(poller:add(second, "w"))
          assert.same({ second }, (select(2, wait(poller))))
        end
      end
      local copy, poller = assert(client:dup()), open() -- which has another number
      assert.is_true(poller:add(client, "w"))
      assert.is_true(poller:add(copy, "w"))
      assert.equal(2, #(select(2, wait(poller))))
    end)

    it("refuses another object of a number that is registered, and keeps the first", function()
      helper.settle()
      local poller, client, server = open(), pair()
      local twin = assert(lsocket.fromfd(client:getfd()))
      assert.is_true(poller:add(client, "r"))
      fails("EEXIST", poller:add(twin, "rw", "twin"))
      server:send "x"
      assert.same({ client }, (wait(poller)))
      client:close()
      assert.equal(0, #poller)
      twin:setfd(-1)
    end)

    -- A number that is closed behind the poller's back while a copy of it lives, which epoll goes on to tell of.
    local function closed_with_copy(wrap)
      local poller, client, server = open(), pair()
      local object = wrap(client:getfd())
      local copy = assert(client:dup())
      pollers.hold(copy)
      assert.is_true(poller:add(object, "rw"))
      server:send "x"
      await(poller, object)
      client:close()
      return poller, object, server, copy
    end

    local wraps = {
      function(fd) return fd end,
      function(fd) return { getfd = function() return fd end } end,
    }

    it("tells nothing of a number that was closed while a copy of it lives", function()
      for _, wrap in ipairs(wraps) do
        local poller, object, server = closed_with_copy(wrap)
        local other = assert(lsocket.bind("udp", "127.0.0.1", 0)) -- has the number now
        local start = helper.now()
        assert.is_false(poller:wait(0.05))
        assert.is_true(helper.now() - start >= 0.049)
        assert.equal(0, #poller)
        server:send "y"
        assert.is_false(poller:wait(0))
        fails("ENOENT", poller:remove(object))
        assert.is_true(poller:add(other, "w"))
        assert.same({ other }, (select(2, wait(poller))))
        other:close()
      end
    end)

    it("tells nothing of it where nobody has the number again, and still of others", function()
      for _, wrap in ipairs(wraps) do
        local poller, _, server = closed_with_copy(wrap)
        local start = helper.now()
        assert.is_false(poller:wait(0.05))
        assert.is_true(helper.now() - start >= 0.049)
        assert.equal(0, #poller)
        assert.is_false(poller:wait(0))
        poller:add(server, "w")
        for _ = 1, 3 do assert.same({ server }, (select(2, wait(poller)))) end
      end
    end)

    it("does not wait for ever when all that it knew has been closed", function()
      local poller = closed_with_copy(wraps[1])
      assert.same({ n = 3, nil, "nothing to wait for and no timeout set", "EINVAL" }, helper.pack(poller:wait()))
      fails("EBADF", poller:add(1000000, "r"))
    end)

    it("registers a number anew that was closed while a copy of it lives", function()
      for _, wrap in ipairs(wraps) do
        for _, same in ipairs { true, false } do
          local poller, object, server, copy = closed_with_copy(wrap)
          local new = assert(lsocket.bind("udp", "127.0.0.1", 0))
          assert.is_true(poller:add(same and object or new, "w", "new"))
          assert.equal(1, #poller)
          for _ = 1, 3 do assert.same({ {}, { "new" } }, { wait(poller) }) end
          assert.is_true(poller:modify(same and object or new, "r"))
          poller:wait(0) -- of the old one it may be told once more
          assert.is_false(poller:wait(0))
          assert.equal(1, #poller)
          new:close()
          server:close()
          copy:close()
        end
      end
    end)

    it("tells a foreign object again and again, as a socket", function()
      local poller, client, server = open(), pair()
      local object = { getfd = function() return client:getfd() end }
      poller:add(object, "r")
      assert.is_false(poller:wait(0))
      server:send "x"
      for _ = 1, 5 do assert.same({ object }, (wait(poller))) end
      client:recv()
      assert.is_false(poller:wait(0))
      poller:modify(object, "rw")
      for _ = 1, 5 do assert.same({ {}, { object } }, { wait(poller) }) end
      server:send "x"
      await(poller, object)
      poller:modify(object, "r")
      for _ = 1, 5 do assert.same({ { object }, {} }, { wait(poller) }) end
      server:close()
      assert.is_true(poller:remove(object))
      assert.is_false(poller:wait(0))
    end)
  end)
end

for _, backend in ipairs(helper.backends) do
  if lsocket.poller(backend) then describe_backend(backend) end
end
