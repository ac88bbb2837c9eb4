-- What LuaSocket calls failures. All that it has no text of its own for is told as the system does.
local errors = {}

local texts = {
  EADDRINUSE = "address already in use", EISCONN = "already connected", EACCES = "permission denied",
  ECONNREFUSED = "connection refused", ECONNABORTED = "closed", ECONNRESET = "closed", EPIPE = "closed",
  ECANCELED = "closed", ETIMEDOUT = "timeout", ENAMETOOLONG = "path too long",
  EAI_AGAIN = "temporary failure in name resolution", EAI_BADFLAGS = "invalid value for ai_flags",
  EAI_FAIL = "non-recoverable failure in name resolution", EAI_FAMILY = "ai_family not supported",
  EAI_MEMORY = "memory allocation failure", EAI_NONAME = "host or service not provided, or not known",
  EAI_OVERFLOW = "argument buffer overflow", EAI_SERVICE = "service not supported for socket type",
  EAI_SOCKTYPE = "ai_socktype not supported",
}
errors.OTHER_FAMILY = "Address family for hostname not supported"
errors.UNKNOWN, errors.NO_SERVICE = texts.EAI_NONAME, texts.EAI_SERVICE

-- The text of a failure, of which lsocket tells message and name.
function errors.text(message, name)
  return texts[name] or message
end

-- The same of a call that sends or receives, to which a socket without a descriptor is a closed one.
function errors.transfer(message, name)
  if name == "EBADF" then return "closed" end
  return texts[name] or message
end

return errors
