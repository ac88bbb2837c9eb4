-- Contexts: LuaSec's parameters, as those of lsocket.tls. A parameter that cannot be kept fails by its name; so do
-- versions and options that would make the connection weaker than lsocket.tls allows.
local check = require "lsocket.loop.check"
local lists = require "lsocket.luasocket.ssl.options"
local tls = require "lsocket.tls"

local contexts = {}

local Context = { __name = "SSL context" }
Context.__index = Context

-- ---- the parameters ----

-- A list of words, of which LuaSec takes a single one as well. One that stands elsewhere in the table, as after a hole,
-- must not be missed in silence.
local function words(value, name)
  if value == nil or value == false then return {} end
  if type(value) ~= "table" then value = { value } end
  local count = 0
  for _, word in pairs(value) do
    if type(word) ~= "string" then check.fail(1, "newcontext", name .. ": string expected, got " .. type(word)) end
    count = count + 1
  end
  for i = 1, count do
    if value[i] == nil then check.fail(1, "newcontext", name .. ": array of strings expected") end
  end
  return value
end

local versions = { any = {}, sslv23 = {}, tlsv1_2 = { "1.2", "1.2" }, tlsv1_3 = { "1.3", "1.3" } }

-- Each of these reads one parameter into the options of lsocket.tls: nothing, or what is wrong with it.
local readers = {}

function readers.protocol(params, options)
  local range = versions[params.protocol]
  if not range then return ("invalid protocol (%s)"):format(params.protocol) end
  options.min, options.max = range[1], range[2]
end

local verifying = {
  none = {}, peer = { verify = true }, client_once = { verify = true }, fail_if_no_peer_cert = { require = true },
}

-- A client verifies with "peer"; a server asks for a certificate then, and insists with "fail_if_no_peer_cert".
function readers.verify(params, options)
  local wanted = {}
  for _, word in ipairs(words(params.verify, "verify")) do
    local meaning = verifying[word]
    if not meaning then return ("invalid verify option (%s)"):format(word) end
    for name in pairs(meaning) do wanted[name] = true end
  end
  if params.mode == "client" then
    options.verify = wanted.verify or false
  elseif wanted.verify then
    options.clients = wanted.require and "require" or "request"
  end
end

function readers.options(params, options)
  for _, word in ipairs(words(params.options, "options")) do
    local keep = lists[word]
    if keep == nil then return ("invalid option (%s)"):format(word) end
    if not (keep and keep(options, params.mode)) then return ("option not supported (%s)"):format(word) end
  end
end

-- Reads a certificate with its key. Without a key a password is none of TLS: a request of ssl.https may have one.
local function certificate_of(row, into)
  local password = row.password
  into.certfile = row.certificate or nil
  if not row.key then return end
  if password and type(password) ~= "string" and type(password) ~= "function" then return "invalid password type" end
  if not row.certificate then return "a key without a certificate is not supported" end
  into.keyfile, into.password = row.key, type(password) == "string" and password or nil
end

-- The names in a certificate, for which a server chooses it.
local function names_in(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local facts
  facts, message = tls.certificate(file:read "*a")
  file:close()
  if not facts then return nil, ("%s: %s"):format(path, message) end
  return facts.names
end

local function several_of(rows, options)
  options.certificates = {}
  for i, row in ipairs(rows) do
    local into = {}
    local text = certificate_of(row, into)
    if text or not into.certfile then return text or "certificates: a certificate is missing" end
    into.names, text = names_in(into.certfile)
    if not into.names then return text end
    options.certificates[i] = into
  end
end

local function check_rows(rows)
  local kind = type(rows)
  for i = 1, kind == "table" and #rows or 0 do
    if type(rows[i]) ~= "table" then kind = type(rows[i]) end
  end
  if kind ~= "table" then check.fail(1, "newcontext", "certificates: array of tables expected, got " .. kind) end
end

function readers.certificates(params, options)
  local rows = params.certificates
  if not rows then return certificate_of(params, options) end
  check_rows(rows)
  if #rows == 1 then return certificate_of(rows[1], options) end
  if params.mode == "client" then return "more than one certificate of a client is not supported" end
  return several_of(rows, options)
end

-- A server that asks for no certificate needs no roots.
function readers.roots(params, options)
  if params.mode == "server" and not options.clients then return end
  options.cafile, options.capath = params.cafile or nil, params.capath or nil
end

function readers.alpn(params, options)
  local alpn = params.alpn
  if alpn == nil or alpn == false then return end
  if type(alpn) == "function" and params.mode == "server" then return end
  if type(alpn) == "string" and params.mode == "client" then alpn = { alpn } end
  if type(alpn) ~= "table" then return "invalid ALPN parameter" end
  if #alpn == 0 then return "invalid ALPN list (empty)" end
  options.alpn = alpn
end

-- There is no key exchange in finite fields, for which parameters would be needed.
function readers.exchange(params, options)
  if params.dhparam and type(params.dhparam) ~= "function" then return "invalid DH parameter type" end
  options.ciphers, options.ciphersuites = params.ciphers or nil, params.ciphersuites or nil
  options.groups = params.curveslist or params.curve or nil
end

local function is_verifying(options)
  return options.verify or options.clients
end

local verify_options = { crl_check = true, crl_check_chain = true, lsec_continue = true, lsec_ignore_purpose = true }

local function continues(params)
  for _, word in ipairs(words(params.verifyext, "verifyext")) do
    if word == "lsec_continue" then return true end
  end
  return false
end

-- With "lsec_continue" the other end's certificate does not matter to the handshake: nothing is verified, and
-- getpeerverification says so.
function readers.verifyext(params, options)
  for _, word in ipairs(words(params.verifyext, "verifyext")) do
    if not verify_options[word] then return ("invalid verify option (%s)"):format(word) end
  end
  if continues(params) then
    options.clients = nil
    if params.mode == "client" then options.verify = false end
  end
  if is_verifying(options) and params.verifyext then
    return ("verify option not supported (%s)"):format(words(params.verifyext, "verifyext")[1])
  end
end

-- How long a chain may be is of no importance where nothing is verified.
function readers.unsupported(params, options)
  if params.dane then return "parameter not supported (dane)" end
  if params.depth and is_verifying(options) then return "parameter not supported (depth)" end
end

local order = {
  "protocol", "verify", "verifyext", "options", "certificates", "roots", "alpn", "exchange", "unsupported",
}

-- ---- making ----

-- Calls a function of lsocket.tls: what it would raise because of a parameter is a failure, too.
function contexts.call(fn, ...)
  local called, result, message, name = pcall(fn, ...)
  if called then return result, message, name end
  return nil, tostring(result):match "%((.*)%)$" or tostring(result), "EINVAL"
end

local function build(mode, options)
  return contexts.call(tls[mode], options)
end

-- A password that is a function is asked for where a key needs it.
local function make(mode, options, password)
  local context, message, name = build(mode, options)
  if name ~= "ETLS_PASSWORD" or type(password) ~= "function" then return context, message end
  options.password = password()
  context, message = build(mode, options)
  return context, message
end

-- contexts.new(params) -> context | nil, text
function contexts.new(params)
  if type(params) ~= "table" then check.fail(1, "newcontext", "table expected, got " .. type(params)) end
  for _, name in ipairs { "protocol", "mode" } do
    if type(params[name]) ~= "string" then
      check.fail(1, "newcontext", ("%s: string expected, got %s"):format(name, type(params[name])))
    end
  end
  local mode, options = params.mode, {}
  if mode ~= "client" and mode ~= "server" then return nil, ("invalid mode (%s)"):format(mode) end
  for _, name in ipairs(order) do
    local text = readers[name](params, options)
    if text then return nil, text end
  end
  local context, text = make(mode, options, params.password)
  if not context then return nil, text end
  return setmetatable({
    context = context, mode = mode, options = options, verify = options.verify, continues = continues(params),
    choose = type(params.alpn) == "function" and params.alpn, -- which protocol: a server's function
    asking = false, chosen = false, -- variants, made when they are needed first
  }, Context)
end

-- ---- variants ----

-- Makes the same context with one option more.
local function vary(self, name, value)
  local options = {}
  for key, option in pairs(self.options) do options[key] = option end
  options[name] = value
  return build(self.mode, options)
end

-- Makes the one that stops at the client's hello: context | nil, text
function Context:ask()
  local text
  if not self.asking then self.asking, text = vary(self, "ask", true) end
  return self.asking, text
end

-- Makes the one for the protocols that the function chooses from those of a client: context | nil, text
function Context:for_protocols(offered)
  if not self.choose or not offered or #offered == 0 then return self.context end
  local wanted = self.choose(offered)
  if type(wanted) == "string" then wanted = { wanted } end
  if type(wanted) ~= "table" or #wanted == 0 then return self.context end
  self.chosen = self.chosen or {}
  local key = table.concat(wanted, "\0")
  local text
  if not self.chosen[key] then self.chosen[key], text = vary(self, "alpn", wanted) end
  return self.chosen[key], text
end

-- contexts.setcipher(context, ciphers) -> true | false, text
function contexts.setcipher(self, ciphers)
  local context, text = vary(self, "ciphers", ciphers)
  if not context then return false, text end
  self.context, self.options.ciphers, self.asking, self.chosen = context, ciphers, false, false
  return true
end

function Context.__tostring(self)
  return ("SSL context: %s"):format(tostring(self.context):match ": (.*)$")
end

function contexts.is(value)
  return getmetatable(value) == Context
end

return contexts
