---@meta

---Waits for any of very many objects, which it keeps alive. `#poller` is how many are registered.
---Sockets that are closed leave it by themselves.
---@class lsocket.Poller
local Poller = {}

---Registers an object.
---@param object lsocket.Selectable     a socket, a descriptor, or anything with a method getfd
---@param events "r" | "w" | "rw"       readable, writable, both
---@param value any                     what wait gives back for it: the object by default
---@return true?
---@return string? message              the system's text
---@return string? name                 "EEXIST": it or its number is registered already; "EBADF": it is closed
function Poller:add(object, events, value) end

---Changes what is asked about an object, and the value if one is given.
---@param object lsocket.Selectable
---@param events "r" | "w" | "rw"
---@param value any
---@return true?
---@return string? message  the system's text
---@return string? name     "ENOENT": it is not registered
function Poller:modify(object, events, value) end

---Takes an object out.
---@param object lsocket.Selectable
---@return true?
---@return string? message  the system's text
---@return string? name     "ENOENT": it is not registered
function Poller:remove(object) end

---Waits until something is ready, or the time is over. Tables that are given are refilled.
---@param timeout number?               seconds, rounded up to a millisecond; negative or absent: for ever
---@param readable any[]?               refilled and returned; a new one without it
---@param writable any[]?               refilled and returned; a new one without it
---@return any[] | false | nil readable the values of what is readable; false: the time is over
---@return any[] | string | nil writable  the values of what is writable; or a message
---@return string? name                 the error's symbol: "EINTR" after a signal
function Poller:wait(timeout, readable, writable) end

---@return integer? descriptor  readable while something waits to be told; -1 when closed
---@return string? message      the system's text
---@return string? name         "EOPNOTSUPP": the backend has none
function Poller:getfd() end

---Ends the poller; what was registered stays open.
---@return true
function Poller:close() end
