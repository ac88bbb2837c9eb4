-- Sends a mail by SMTP (RFC 5321), with STARTTLS (RFC 3207): a server that does not offer it gets no mail.
-- Usage: lua samples/smtp.lua [-c file] host[:port] from to < message        port 25
-- -c: a file of certificates to trust in place of the system's
local loop = require "lsocket.loop"

local PATIENCE = 60  -- seconds to wait for anything
local LINES = 100    -- of one answer

local function fail(message)
  io.stderr:write("smtp: ", message or "usage: smtp.lua [-c file] host[:port] from to < message", "\n")
  os.exit(1)
end

-- An answer's lines: "250-first", "250 last". It must begin with one of the digits that are wanted.
local function expect(mail, wanted)
  local lines = {}
  repeat
    local line, problem = mail:read()
    if not line or not line:find "^%d%d%d" or #lines == LINES then error(problem or "this is no answer", 0) end
    lines[#lines + 1] = line
  until line:sub(4, 4) ~= "-"
  if not lines[1]:find("^[" .. wanted .. "]") then error(lines[#lines], 0) end
  return lines
end

local function command(mail, wanted, ...)
  mail:write(table.concat { ... }, "\r\n") -- if it fails, so does the reading
  return expect(mail, wanted)
end

local function offers(lines, what)
  for _, line in ipairs(lines) do
    if line:sub(5):upper() == what then return true end
  end
end

-- What the server says in the clear, before the handshake, may be anybody's: so it is asked again.
local function secure(mail, context, host)
  if not offers(command(mail, "2", "EHLO localhost"), "STARTTLS") then error("the server offers no STARTTLS", 0) end
  command(mail, "2", "STARTTLS")
  local ok, problem = mail:starttls(context, host)
  if not ok then error(problem, 0) end
  command(mail, "2", "EHLO localhost")
end

-- Lines end in "\r\n", and one that begins with a dot gets another one.
local function encoded(message)
  local lines = ("\n" .. message):gsub("\r?\n", "\r\n"):gsub("\n%.", "\n.."):gsub("([^\n])$", "%1\r\n")
  return lines:sub(3)
end

local function send(context, host, port, from, to, message)
  local mail, problem = loop.connect(host, port, { timeout = PATIENCE })
  if not mail then error(problem, 0) end
  expect(mail, "2")
  secure(mail, context, host)
  command(mail, "2", "MAIL FROM:<", from, ">")
  command(mail, "2", "RCPT TO:<", to, ">")
  command(mail, "3", "DATA")
  print(command(mail, "2", encoded(message), ".")[1])
  command(mail, "2", "QUIT")
  mail:close()
end

local file = arg[1] == "-c" and table.remove(arg, 1) and table.remove(arg, 1) or nil
local host, port = (arg[1] or ""):match "^%[?([^%]]-)%]?:?(%d*)$"
if not arg[3] or arg[4] or arg[2]:find "[%c<>]" or arg[3]:find "[%c<>]" then fail() end
local tls = require "lsocket.tls" -- which not every build has
local context, problem = tls.client { cafile = file }
if not context then fail(problem) end
local ok, message = pcall(loop.run, send, context, host, port ~= "" and port or 25, arg[2], arg[3], io.read "*a")
if not ok then fail((tostring(message):match "^[^\n]*")) end
