-- A client of Redis, which sends all its commands at once and then prints their answers.
-- Usage: lua samples/redis.lua host port command...        lua samples/redis.lua localhost 6379 "get colour" "ping"
local loop = require "lsocket.loop"

-- A command as the server wants it: an array of strings, in which any byte may be.
local function encode(command)
  local pieces, count = {}, 0
  for word in command:gmatch("%S+") do
    count = count + 1
    pieces[count] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  return "*" .. count .. "\r\n" .. table.concat(pieces)
end

-- Answers: a string, a number, a list, false (nothing is there) or { error = }.
local room = 67108864 -- bytes that all of them together may take

local function check(is_good, text)
  if not is_good then error(("what is this? %q"):format(text:sub(1, 40)), 0) end
end

local function read_bytes(redis, count)
  local data, message = redis:read(count + 2)
  if not data or #data < count + 2 then error(message or "the answer is cut off", 0) end
  check(data:sub(-2) == "\r\n", data:sub(-2))
  return data:sub(1, -3)
end

local function read_answer(redis, depth)
  local line, message = redis:read("L")
  if not line then error(message or "the server has closed the connection", 0) end
  room = room - #line - 16 -- an element of a list takes some, too
  local kind, text = line:match("^([-+:$*])(.*)\r\n$")
  check(kind and room >= 0, line)
  if kind == "+" then return text end
  if kind == "-" then return { error = text } end
  check(text:find("^%-?%d+$"), line)
  local number = tonumber(text)
  if kind == ":" or number == -1 then return kind == ":" and number end
  check(number >= 0 and number <= room and depth <= 8, line)
  room = room - (kind == "$" and number or 0)
  if kind == "$" then return read_bytes(redis, number) end
  local list = {}
  for i = 1, number do list[i] = read_answer(redis, depth + 1) end
  return list
end

-- Reads the answers while it sends: a server whose answers nobody reads would stop to read, too.
local function pipeline(redis, commands)
  loop.spawn(redis.write, redis, table.concat(commands)) -- if it fails, so does the reading
  local answers = {}
  for i = 1, #commands do answers[i] = read_answer(redis, 0) end
  return answers
end

local function show(value, indent)
  if value == false then value = "(nothing)" end
  if type(value) ~= "table" then return print(indent .. value) end
  if value.error then return print(indent .. "error: " .. value.error) end
  print(indent .. #value .. ":")
  for _, element in ipairs(value) do show(element, indent .. "  ") end
end

local function give_up(message)
  io.stderr:write("redis: ", message or "usage: redis.lua host port command...", "\n")
  os.exit(1)
end

local commands = {}
for i = 3, #arg do commands[i - 2] = arg[i]:find("%S") and encode(arg[i]) or give_up() end
if not commands[1] then give_up() end

loop.run(function()
  local ok, redis, problem = loop.pcall(loop.deadline, 10, loop.connect, arg[1], arg[2])
  if not ok or not redis then give_up(ok and problem or nil) end -- connect raises where the port is none
  local fine, answers = loop.pcall(loop.deadline, 10, pipeline, redis, commands)
  if not fine then give_up(answers) end
  for _, answer in ipairs(answers) do show(answer, "") end
  redis:close()
end)
