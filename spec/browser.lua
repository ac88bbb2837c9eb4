-- A browser, Chromium without a window, for the specs of samples that browsers talk to. It starts slowly, and is for
-- make check-all alone.
local helper = require "spec.helper"

local browser = {}

-- As a child it gets neither the sanitizer nor the libraries of this process.
local CLEAN = "env -u LD_PRELOAD -u LUA_CPATH "

function browser.need(pending)
  if not os.getenv "LS_BROWSER" then pending "the browser is for make check-all" end
  helper.need.tool(pending, CLEAN .. "chromium --version")
end

-- A folder that is the browser's home, with nothing in it. Remove it with browser.leave.
function browser.home()
  local folder = helper.path()
  assert(helper.run("mkdir " .. folder) == "")
  return folder
end

function browser.leave(folder)
  os.execute("rm -rf " .. helper.quote(folder))
end

-- The browser that lives there trusts a root from now on; path: the file with its certificate.
function browser.trust(folder, path)
  local database = helper.quote("sql:" .. folder .. "/.pki/nssdb")
  local output, status = helper.run(("mkdir -p %s/.pki/nssdb && certutil -d %s -N --empty-password && "
    .. "certutil -d %s -A -t C,, -n root -i %s"):format(folder, database, database, helper.quote(path)))
  assert(status == 0, output)
end

-- Loads a page and lets its scripts run: the document as it is then, and what the browser has printed beside. Its
-- clock stands still while anything is fetched, and for nothing else. Every name under .example is this machine.
function browser.load(folder, address)
  local complaints = helper.path()
  local seen = helper.run(("HOME=%s timeout 60 %schromium --headless --no-sandbox --disable-gpu "
    .. "--host-resolver-rules='MAP *.example 127.0.0.1' --virtual-time-budget=5000 --dump-dom %s 2> %s")
    :format(folder, CLEAN, helper.quote(address), complaints))
  return seen, (helper.run("cat " .. complaints))
end

return browser
