-- What the kernel says about this process: its descriptors, memory and signals, read from /proc.
-- Used by the specs and by the programs in spec/child; what to make of the figures is left to them.
local process = {}

process.windows = package.config:sub(1, 1) == "\\"
local windows = process.windows
local counts = windows and require "counts"

-- The text of a file; nil where there is none. What Wine has in /proc is its own, not the program's.
function process.read(path)
  local file = not (windows and path:find "^/proc/") and io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

function process.pid()
  if windows then return (tostring(process):match "%x+$") end -- for names that no other process uses
  return (assert(process.read "/proc/self/stat", "no /proc"):match "^%d+")
end

-- Descriptor -> what it leads to, such as "socket:[4711]", but for the pipe through which the list itself comes: its
-- far end may or may not be closed by then.
function process.descriptors(pid)
  local list = {}
  pid = pid or process.pid()
  local pipe = assert(io.popen("readlink /proc/self/fd/1; ls -l /proc/" .. pid .. "/fd 2> /dev/null"))
  local own = pipe:read()
  for line in pipe:lines() do
    local fd, target = line:match " (%d+) %-> (.+)$"
    if fd and target ~= own then list[tonumber(fd)] = target end
  end
  pipe:close()
  return list
end

-- Closes whatever is garbage. What LuaJIT has compiled keeps the functions that were called there, such as the iterator
-- of a file, until all of it is thrown away: at any time, if it is not done here.
function process.sweep()
  if jit then jit.flush() end
  collectgarbage()
end

-- The same, and frees what that leaves.
function process.collect()
  process.sweep()
  collectgarbage()
end

-- What a function such as io.open gives, and its descriptor: the one that leads elsewhere than before. What is garbage
-- is closed first, as its descriptor could be that one.
function process.open(open, ...)
  process.collect()
  local before = process.descriptors()
  local file = assert(open(...))
  for fd, target in pairs(process.descriptors()) do
    if before[fd] ~= target then return file, fd end
  end
  error("nothing was opened", 2)
end

-- How many descriptors are open. Each is asked for by itself, as to list them takes other processes.
function process.opened()
  if windows then return counts.handles() end
  local count = 0
  for fd = 0, tonumber(process.status "FDSize") - 1 do
    local file = io.open("/proc/self/fdinfo/" .. fd) -- its own descriptor is not there yet while the system looks
    if file then
      count = count + 1
      file:close()
    end
  end
  return count
end

-- The same after whatever is garbage has been closed.
function process.count()
  process.sweep()
  return process.opened()
end

-- How many descriptors lookups have: an eventfd or two ends of a pipe each. Files and sockets are the resolver's, which
-- opens and closes them when it likes.
function process.bells()
  local count = 0
  collectgarbage()
  collectgarbage()
  for _, target in pairs(process.descriptors()) do
    if target:find "eventfd" or target:find "^pipe:" then count = count + 1 end
  end
  return count
end

-- A line of /proc/self/status: "VmRSS" -> "5120 kB", "SigIgn" -> "0000000000000000"
function process.status(field, pid)
  return (assert(process.read("/proc/" .. (pid or "self") .. "/status"), "no /proc"):match(field .. ":%s*([^\n]*)"))
end

-- Memory in KiB that this process has written to, once there is no garbage left. Pages of files (of libc, say) are not
-- counted where the kernel can tell: how many of them are mapped at once is its own affair.
function process.memory()
  process.collect()
  if windows then return counts.memory() / 1024 end
  local rollup = process.read "/proc/self/smaps_rollup"
  return tonumber((rollup and rollup:match "Anonymous:%s*(%d+)" or process.status "VmRSS"):match "%d+")
end

-- How many threads it has.
function process.threads()
  return tonumber(process.status "Threads")
end

-- Which signals are ignored and which are caught.
function process.signals()
  return process.status "SigIgn" .. " " .. process.status "SigCgt"
end

-- The number of an interface that has an IPv6 address.
function process.interface(name)
  local index = assert(process.read "/proc/net/if_inet6", "no /proc"):match("%x+ (%x+) %x+ %x+ %x+ +" .. name .. "\n")
  return tonumber(index, 16)
end

return process
