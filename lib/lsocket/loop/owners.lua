-- Owners: what uses a socket in place of the program, a stream, a server or a wrapped socket. Two of them would take
-- from each other what they wait for. The stream of a connection that the loop has made is noted when the program asks
-- for its socket, and cannot have it otherwise.
local owners = {}

local known = setmetatable({}, { __mode = "k" })

function owners.note(sock, owner)
  known[sock] = owner
end

-- "a stream's", "a server's", "wrapped" or nil
function owners.of(sock)
  return known[sock]
end

return owners
