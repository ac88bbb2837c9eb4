-- So many connections with TLS that are open at once, both ends in one process: each says something before the others
-- come and once more when all are there. The limit of descriptors is set by whoever starts it. Prints how many there
-- were, and how many bytes of memory both ends of one take.
local loop = require "lsocket.loop"
local certs = require "spec.tls.certs"
local process = require "spec.process"

local count, AT_ONCE = tonumber(arg[1]), 50

local function echo(client)
  local line = client:read()
  while line and client:write(line, "\n") do line = client:read() end
end

local function ask(client, text)
  assert(client:write(text, "\n"))
  assert(client:read() == text)
end

loop.run(function()
  local context = certs.client { sessions = 0 }
  local server = assert(loop.serve("127.0.0.1", 0, echo, { tls = certs.server("good", { tickets = 0 }) }))
  local port = server:info("socket").port
  local clients, left = {}, 0
  local function connect()
    while left > 0 do
      left = left - 1
      local client = assert(loop.connect("127.0.0.1", port, { tls = context }))
      ask(client, "first")
      clients[#clients + 1] = client
    end
  end
  left = 1
  connect() -- what is made once is made before memory is looked at
  local before = process.memory()
  left = count - 1
  loop.group(function(group)
    for _ = 1, AT_ONCE do group:spawn(connect) end
  end)
  local bytes = (process.memory() - before) * 1024 / (count - 1)
  assert(server:count() == count)
  for i, client in ipairs(clients) do ask(client, "again " .. i) end
  for _, client in ipairs(clients) do client:close() end
  assert(server:close(30))
  print(("%d connections, %.0f bytes"):format(#clients, bytes))
end)
