-- Random numbers of our own, so that a seed gives the same program on every Lua.
local PRIME, FACTOR = 2147483647, 16807

-- random(n) -> an integer from 1 to n;  random(list) -> one of its elements
return function(seed)
  local state = seed % (PRIME - 1) + 1

  local function integer(n)
    state = state * FACTOR % PRIME
    return state % n + 1
  end
  for _ = 1, 10 do integer(1) end -- seeds that are neighbours begin alike

  return function(what)
    if type(what) == "table" then return what[integer(#what)] end
    return integer(what)
  end
end
