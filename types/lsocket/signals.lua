---@meta

---Signals that are listened to.
---@class lsocket.Signals
local Signals = {}

---The next signal that has arrived. One that arrived several times is reported once.
---@return lsocket.Signal | false | nil name  false: there is none
---@return string? message     the system's text
---@return string? symbol      "EBADF": it is closed
function Signals:next() end

---@return integer descriptor  readable while there is something to report; -1 when closed
function Signals:getfd() end

---Stops listening; harmless when it is closed.
---@return true
function Signals:close() end
