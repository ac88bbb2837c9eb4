-- Clients of servers with TLS that do what they like: tlsclients.lua COUNT SEED CERTFILE KEYFILE CAFILE. Some do all
-- that is right, others are cut off in their handshake, close it, are silent, or send something else. The loop looks
-- after each turn whether everything is as it must be. Prints how many of each there were, and the descriptors that
-- are left.
local loop = require "lsocket.loop"
local new_random = require "spec.model.random"
local process = require "spec.process"
local tls = require "lsocket.tls"
local turns = require "lsocket.loop.turns"

local count, seed, certfile, keyfile, cafile = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4], arg[5]
local AT_ONCE = 20
local seen = { answered = 0, refused = 0, handled = 0, failures = 0 }

local random = new_random(seed)

local client_context = assert(tls.client { cafile = cafile })
local server_context = assert(tls.server { certfile = certfile, keyfile = keyfile })

local function pause() loop.sleep(random(3) == 1 and random(3) / 1000 or 0) end

-- ---- the server's end ----

local function answer(client)
  seen.handled = seen.handled + 1
  assert(client:tls().server)
  local line = client:read()
  if line == "fail" then error("as it was told", 0) end
  if line then client:write("you said ", line, "\n") end
end

local function answer_later(client)
  if client:read() ~= "STARTTLS" then return end
  if not client:write "go ahead\n" then return end
  if client:starttls(server_context) then answer(client) end
end

-- The streams are there at once; two tasks come to the handshake, one of which may be cut off.
local function accept_all(server)
  while true do
    local client = server:accept()
    if not client then return end
    loop.spawn(function()
      local other = loop.spawn(function()
        if random(2) == 1 then return loop.deadline(random(4) / 1000, client.handshake, client) end
        return client:handshake()
      end)
      pause()
      if random(3) == 1 then other:cancel() end
      if loop.deadline(10, client.handshake, client) then loop.pcall(answer, client) end
      other:join()
      client:close()
    end)
  end
end

-- ---- clients ----

local function ask(client)
  local fails = random(4) == 1
  if not client:write(fails and "fail" or "hello", "\n") then return false end
  local line, _, name = client:read()
  if fails then return line == nil and (name or "ETLS_TRUNCATED") == "ETLS_TRUNCATED" end
  return line == "you said hello" and client:read() == nil and client:status() == true
end

local acts = {}

function acts.right(ports)
  local client = assert(loop.connect("127.0.0.1", ports[random(2)], { tls = client_context }))
  if not ask(client) then error(("seed %d: a client that did all that is right had no answer"):format(seed), 0) end
  seen.answered = seen.answered + 1
  client:close()
end

function acts.cut_off(ports)
  local options = { tls = client_context, timeout = random(3) / 1000 }
  local client, _, name = loop.connect("127.0.0.1", ports[random(2)], options)
  if client then return client:close() end
  assert(name == "ETIMEDOUT" or name == "ECANCELED", name)
end

function acts.wrong_name(ports)
  local _, _, name = loop.connect("127.0.0.1", ports[random(2)], { tls = client_context, tlsname = "other.example" })
  assert(name == "ETLS_NAME", name)
  seen.refused = seen.refused + 1
end

function acts.starttls(ports)
  local client = assert(loop.connect("127.0.0.1", ports[3]))
  client:write "STARTTLS\n"
  assert(client:read() == "go ahead")
  local seconds = random(2) == 1 and random(4) / 1000 or 10
  local ok = loop.deadline(seconds, client.starttls, client, client_context, "localhost")
  if ok and ask(client) then seen.answered = seen.answered + 1 end
  client:close()
end

function acts.strange(ports)
  local client = assert(loop.connect("127.0.0.1", ports[random(3)]))
  if random(2) == 1 then client:write(("\22\3\1\2\0\1\0\1\252\3\3"):sub(1, random(11))) end
  if random(2) == 1 then client:write(("STARTTLS\n"):rep(random(100))) end
  pause()
  if random(2) == 1 then client:setopt("linger", 0) end
  client:close()
end

local names = { "right", "right", "cut_off", "wrong_name", "starttls", "strange" }

local function play(ports)
  local act = acts[names[random(#names)]]
  if random(4) > 1 or act == acts.right then return act(ports) end
  local task = loop.spawn(act, ports)
  pause()
  task:cancel()
  loop.pcall(task.join, task) -- whatever the cancel has done to what it expected
end

-- ---- both ----

loop.onerror = function(_, trace)
  if not trace:find "^as it was told" then
    print(trace)
    os.exit(1)
  end
end

local function main()
  local options = { tls = server_context, handshake = 10, limit = 50, onfailure = function(_, name)
    assert(name)
    seen.failures = seen.failures + 1
  end }
  local servers = {
    assert(loop.serve("127.0.0.1", 0, answer, options)), assert(loop.listen("127.0.0.1", 0, { tls = server_context })),
    assert(loop.serve("127.0.0.1", 0, answer_later, { timeout = 10 })),
  }
  loop.spawn(accept_all, servers[2])
  local ports, left = {}, count
  for i, server in ipairs(servers) do ports[i] = server:info("socket").port end
  loop.group(function(group)
    for _ = 1, AT_ONCE do
      group:spawn(function()
        while left > 0 do
          left = left - 1
          play(ports)
        end
      end)
    end
  end)
  collectgarbage() -- what cancelled tasks have left open
  collectgarbage()
  for _, server in ipairs(servers) do assert(server:close(10)) end
end

turns.check(true)
loop.run(function() end)
local before = process.count()
loop.run(main)
assert(count < 100 or seen.answered > 0 and seen.refused > 0 and seen.failures > 0)
assert(seen.handled >= seen.answered)
print(("%d clients, %d descriptors more"):format(count, process.count() - before))
