-- The options for TLS: which context, which name. lsocket.tls is required only where a program asks for TLS without a
-- context of its own.
local check = require "lsocket.loop.check"

local contexts = {}

local infos = setmetatable({}, { __mode = "k" }) -- [context] = what it says of itself, which no reload changes

local function info_of(context)
  local info = infos[context]
  if info then return info end
  info = context:info()
  infos[context] = { server = info.server, verify = info.verify, ask = info.ask }
  return info
end

-- Is it a context for this end, "client" or "server"?
local function is_for(value, role)
  return check.is_context(value) and info_of(value).server == (role == "server")
end

function contexts.check(value, arg, called)
  if not check.is_context(value) then check.fail(arg, called, "TLS context expected, got " .. type(value)) end
end

-- Options of serve alone, where it makes handshakes. Elsewhere they would be left out in silence.
local function refuse_greeting(options, arg, called, why)
  for _, name in ipairs { "handshake", "onfailure", "choose" } do
    if options and options[name] ~= nil then check.fail(arg, called, name .. ": " .. why) end
  end
end

-- Options of a function that has none for TLS: a stream without it would be taken for one with it.
function contexts.refuse(options, arg, called)
  refuse_greeting(options, arg, called, "an option of serve")
  for _, name in ipairs { "tls", "tlsname" } do
    if options and options[name] then check.fail(arg, called, name .. ": no option here: see stream:starttls") end
  end
end

-- The context of a server's options, or nil.
function contexts.of_server(options, arg, called)
  local context = options and options.tls
  if options and options.tlsname then check.fail(arg, called, "tlsname: an option of clients") end
  if called ~= "serve" then refuse_greeting(options, arg, called, "an option of serve") end
  if not context then
    refuse_greeting(options, arg, called, "tls is not set")
    return nil
  end
  if not is_for(context, "server") then check.fail(arg, called, "tls: server context expected") end
  if options.choose and not info_of(context).ask then check.fail(arg, called, "choose: the context has no ask") end
  return context
end

local usual -- the context of clients that ask for none of their own

-- The context of a client's option tls: context | nil, message, name
function contexts.of_client(tls)
  if tls ~= true then return tls end
  if usual then return usual end
  local loaded, module = pcall(require, "lsocket.tls")
  if not loaded then check.raise(module) end
  local context, message, name = module.client {}
  usual = context
  return context, message, name
end

local function is_path(host)
  return host:find "^[/@]" and true
end

-- What a name must be to be checked against a certificate.
local function check_name(name, arg, called, what)
  local wrong = type(name) ~= "string" or #name < 1 or #name > 254 or name:find "[^\33-\126]"
  if wrong or name:find "^%." or name:find "%.%." or name:find "%%" and not name:find "^%[?[%x.]*:[%x:.]*%%" then
    check.fail(arg, called, what .. ": a name in ASCII or an address expected")
  end
end

-- The name that a client's options want to be verified, or nil: tlsname, or else the host.
function contexts.name_of(host, options)
  local tls, name = options and options.tls, options and options.tlsname
  refuse_greeting(options, 3, "connect", "an option of serve")
  if name ~= nil then check_name(name, 3, "connect", "tlsname") end
  if not tls then
    if name ~= nil then check.fail(3, "connect", "tlsname: tls is not set") end
    return nil
  end
  if tls ~= true and not is_for(tls, "client") then check.fail(3, "connect", "tls: true or client context expected") end
  if name ~= nil then return name end
  if is_path(host) then
    if tls ~= true and not info_of(tls).verify then return nil end
    check.fail(3, "connect", "tlsname: a path has no name that could be verified")
  end
  check_name(host, 1, "connect", "tls")
  return host
end

return contexts
