-- Joins a group without naming an interface, in whatever network it finds; says whether it became that interface.
local lsocket = require "lsocket"
local groups = require "spec.groups"

local group, interface = arg[1], arg[2]
local listed = ("%02X%02X%02X%02X"):format(group:match "(%d+)%.(%d+)%.(%d+)%.(%d+)")
listed = listed:gsub("(..)(..)(..)(..)", "%4%3%2%1")
local sock = assert(lsocket.bind("udp", "0.0.0.0", 0))
assert(sock:join(group))
print("joined on " .. interface .. ": " .. tostring(groups.joined(interface, listed)))
assert(sock:leave(group))
print("left: " .. tostring(not groups.joined(interface, listed)))
