---@meta

---@class lsocket
local lsocket = {}

---What a request has come to that failed.
---@class lsocket.Failure
---@field message string  the system's text
---@field name string     the error's symbol

---Requests for Linux's io_uring, which the kernel gets all at once. `#ring` is how many are there.
---One thread may use it, and no forked child.
---@class lsocket.Ring
local Ring = {}

---Receives, once there are bytes: a string; false at the end; true where recv has to be called; or a failure.
---@param sock lsocket.Socket  a stream without TLS
---@param value any            what wait gives back for it: the socket by default
---@param size integer?        the most bytes; 4096 at most and by default
---@return true?
---@return string? message     the system's text
---@return string? name        "EBUSY": it has such a request; "EOPNOTSUPP": no plain stream
function Ring:receive(sock, value, size) end

---Sends a copy of the strings, all of it: true; how many bytes, where it was cancelled or failed; or a failure.
---@param sock lsocket.Socket  a stream without TLS
---@param value any            what wait gives back for it
---@param data string | number
---@param ... string | number | nil  up to the first nil
---@return boolean?            false: it is empty, more than 4096 bytes, or there is no room
---@return string? message     the system's text
---@return string? name        "EBUSY": it has such a request; "EOPNOTSUPP": no plain stream
function Ring:send(sock, value, data, ...) end

---Accepts one connection after another: sockets, and a failure at the end.
---@param sock lsocket.Socket  one that listens
---@param value any            what wait gives back for each: the listener by default
---@return true?
---@return string? message     the system's text
---@return string? name        "EBUSY": it has such a request
function Ring:accept(sock, value) end

---Waits until something is ready, once: true, or a failure.
---@param object lsocket.Selectable     a socket, a descriptor, or anything with a method getfd
---@param value any                     what wait gives back for it: the object by default
---@param events ("r" | "w" | "rw")?    readable by default
---@return true?
---@return string? message              the system's text
---@return string? name                 "EBUSY": it has such a request
function Ring:poll(object, value, events) end

---Begins all requests and waits until one has ended, or the time is over. The tables are refilled.
---@param timeout number?                  seconds; negative or nil: for ever
---@param received any[]                   the values of what has received, accepted or polled
---@param data (string | boolean | lsocket.Socket | lsocket.Failure)[]  what it came to
---@param sent any[]                       the values of what has sent
---@param counts (true | integer | lsocket.Failure)[]  what it came to
---@return integer? received               how many there are
---@return integer | string sent           the same; or a message
---@return integer | string | nil other    how many of data are no strings; or the error's symbol, as "EINTR"
function Ring:wait(timeout, received, data, sent, counts) end

---Begins all requests now.
---@return true?
---@return string? message  the system's text
---@return string? name     the error's symbol
function Ring:submit() end

---Ends a request: what wait would give back of it, or nil.
---@param object lsocket.Selectable
---@param kind "r" | "w"    the one that receives, accepts or polls; the one that sends
---@return string | boolean | integer | lsocket.Failure | nil what
---@return string? message  the system's text
---@return string? name     the error's symbol
function Ring:cancel(object, kind) end

---Which requests it has.
---@param object lsocket.Selectable
---@return boolean receives  or accepts, or polls
---@return boolean sends
function Ring:busy(object) end

---Forgets an object that has no request.
---@param object lsocket.Selectable
---@return boolean removed  false: it has one
function Ring:remove(object) end

---Ends all requests and closes the ring; what they were about stays open.
---@return true
function Ring:close() end

---Makes a ring.
---@return lsocket.Ring? ring  or nil
---@return string? message     the system's text
---@return string? name        "ENOSYS": there is none; "EPERM": it is forbidden; "ENOMEM"
function lsocket.ring() end
