-- A client of Redis, which sends all its commands at once and then prints their answers.
-- Usage: lua redis.lua host port command...       lua redis.lua localhost 6379 "set colour green" "get colour"
local loop = require "lsocket.loop"

-- A command as the server wants it: an array of strings, in which any byte may be.
local function encode(words)
  local pieces = { "*" .. #words .. "\r\n" }
  for _, word in ipairs(words) do table.insert(pieces, "$" .. #word .. "\r\n" .. word .. "\r\n") end
  return table.concat(pieces)
end

-- ---- answers: a string, a number, a list, false (nothing is there), { error = } | nil, message ----

local function nonsense(text)
  return nil, ("what is this? %q"):format(text:sub(1, 40))
end

local read_answer

local function read_bytes(redis, count)
  local data, message = redis:read(count + 2)
  if not data or #data < count + 2 then return nil, message or "the answer is cut off" end
  if data:sub(-2) ~= "\r\n" then return nonsense(data:sub(-2)) end
  return data:sub(1, -3)
end

local function read_list(redis, count, depth)
  local list = {}
  for i = 1, count do
    local value, message = read_answer(redis, depth)
    if value == nil then return nil, message end
    list[i] = value
  end
  return list
end

function read_answer(redis, depth)
  local line, message = redis:read("L")
  if not line then return nil, message or "the server has closed the connection" end
  local kind, text = line:match("^([-+:$*])(.*)\r\n$")
  if kind == "+" then return text end
  if kind == "-" then return { error = text } end
  local number = kind and text:find("^%-?%d+$") and tonumber(text)
  if not number then return nonsense(line) end
  if kind == ":" then return number end
  if number == -1 then return false end
  if number < 0 or number > 2^29 or depth > 8 then return nonsense(line) end
  if kind == "$" then return read_bytes(redis, number) end
  return read_list(redis, number, depth + 1)
end

-- Sends commands, and reads their answers meanwhile: a server whose answers nobody reads would stop to read, too.
local function pipeline(redis, commands)
  local encoded = {}
  for i, words in ipairs(commands) do encoded[i] = encode(words) end
  loop.spawn(redis.write, redis, table.concat(encoded)) -- if it fails, so does the reading
  return read_list(redis, #commands, 0)
end

-- ---- the program ----

local function show(value, indent)
  if type(value) ~= "table" then return print(indent .. (value == false and "(nothing)" or tostring(value))) end
  if value.error then return print(indent .. "error: " .. value.error) end
  print(indent .. #value .. ":")
  for _, element in ipairs(value) do show(element, indent .. "  ") end
end

local function give_up(message)
  io.stderr:write("redis: ", message, "\n")
  os.exit(1)
end

local commands = {}
for i = 3, #arg do
  commands[i - 2] = {}
  for word in arg[i]:gmatch("%S+") do table.insert(commands[i - 2], word) end
end
if not commands[1] then give_up("usage: redis.lua host port command...") end

loop.run(function()
  local redis, message = loop.deadline(10, loop.connect, arg[1], arg[2])
  if not redis then give_up(message) end
  local answers
  answers, message = loop.deadline(10, pipeline, redis, commands)
  redis:close()
  if not answers then give_up(message) end
  for _, answer in ipairs(answers) do show(answer, "") end
end)
