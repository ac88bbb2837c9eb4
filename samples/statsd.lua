-- A relay for statsd metrics (UDP): adds up what the programs of this machine send, and passes the sums on.
-- Usage: lua samples/statsd.lua host port [seconds [address [port]]]    such as metrics.example 8125 10 127.0.0.1 8125
local loop = require "lsocket.loop"
local lsocket = require "lsocket"

io.stdout:setvbuf("line")
local function fail(message)
  io.stderr:write("statsd: ", message or "usage: statsd.lua host port [seconds [address [port]]]", "\n")
  os.exit(1)
end

local host, port, interval = arg[1] or fail(), tonumber(arg[2]) or fail(), tonumber(arg[3] or 10)
if not interval or interval <= 0 then fail() end
local own, number = arg[4] or "127.0.0.1", arg[5] or 8125
local MOST, NAMES, LENGTH = 1432, 4096, 200 -- bytes of a datagram; names in a report, and the bytes of one
local metrics, count = {}, 0 -- what has come since the last report: name and kind -> metric
local add, report = {}, {}   -- of each kind: adds a value to a metric; a metric as lines
local function text(name, value, kind) return ("%s:%.14g|%s"):format(name, value, kind) end
function add.c(metric, value, rate) metric.sum = metric.sum + value / rate end
function report.c(name, metric) return text(name, metric.sum, "c") end
function add.g(metric, value, _, sign) -- a sign says that it is a change
  if sign == "" then metric.sum, metric.start = 0, text(metric.name, 0, "g") .. "\n" end
  metric.sum = metric.sum + value
end
function report.g(name, metric) return ("%s%s:%+.14g|g"):format(metric.start or "", name, metric.sum) end
function add.ms(metric, value, rate)
  metric.sum, metric.count = metric.sum + value / rate, metric.count + 1 / rate
  metric.lower, metric.upper = math.min(metric.lower or value, value), math.max(metric.upper or value, value)
end
function report.ms(name, metric)
  return table.concat({ text(name .. ".count", metric.count, "c"), text(name .. ".lower", metric.lower, "g"),
    text(name .. ".mean", metric.sum / metric.count, "g"), text(name .. ".upper", metric.upper, "g") }, "\n")
end

-- Takes a line, such as requests:1|c|@0.1 or temperature:-2|g.
local function take(line)
  local name, sign, digits, kind, rest = line:match("^([^:|%c]+):([+-]?)(%d[%d.eE+-]*)|(%l+)(.-)\r?$")
  local value, rate = tonumber(digits), rest == "" and 1 or tonumber((rest or ""):match("^|@([%d.]+)$"))
  local is_right = value and value < math.huge and add[kind] and rate and rate > 0 and rate <= 1
    and not (kind == "ms" and sign == "-") and #name <= LENGTH and count < NAMES
  if not is_right then name, sign, value, kind, rate = "statsd.bad_lines_seen", "", 1, "c", 1 end
  local key = name .. "|" .. kind
  if not metrics[key] then metrics[key], count = { name = name, kind = kind, sum = 0, count = 0 }, count + 1 end
  add[kind](metrics[key], sign == "-" and -value or value, rate, sign)
end

-- Sends all metrics, many in a datagram. One that fails, as after nobody has listened to the last one, is lost.
local function pass_on(upstream)
  local batch, reported, packet, problem = lsocket.batch(count + 1, MOST), metrics, "", nil
  metrics, count = {}, 0
  for _, metric in pairs(reported) do
    local lines = report[metric.kind](metric.name, metric) .. "\n"
    if #packet + #lines > MOST then packet = batch:add(packet) and "" end
    packet = packet .. lines
  end
  if packet ~= "" then batch:add(packet) end
  while #batch > 0 do problem = select(2, upstream:sendmany(batch)) or problem end
  if problem then io.stderr:write(("statsd: %s port %d: %s\n"):format(host, port, problem)) end
end

-- A new socket, whose methods wait. A port that is none raises.
local function open(make, address, at)
  local ok, sock, message = pcall(make, "udp", address, at)
  return loop.wrap(ok and sock or fail(ok and ("%s port %s: %s"):format(address, at, message) or nil))
end

loop.run(function()
  local list, message = loop.resolve(host)
  local upstream = open(lsocket.connect, list and list[1].addr or fail(host .. ": " .. message), port)
  local sock = open(lsocket.bind, own, number)
  print(("listening on %s port %d"):format(own, sock:info("socket").port))
  loop.spawn(function()
    while loop.sleep(interval) do pass_on(upstream) end
  end)
  local data = sock:recv()
  while data do
    for line in data:gmatch("[^\n]+") do take(line) end
    data = sock:recv()
  end
end)
