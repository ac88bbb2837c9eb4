-- The scenario of what stands between tasks.

-- Values and permits go from task to task, in groups.
local function hand_over(loop)
  local queue, semaphore, event, sum = loop.queue(1), loop.semaphore(1), loop.event(), 0
  loop.group(function(group)
    for _ = 1, 2 do
      group:spawn(function()
        event:wait()
        local value = queue:get()
        while value do
          assert(semaphore:acquire())
          sum = sum + value
          semaphore:release()
          value = queue:get()
        end
      end)
    end
    loop.sleep(0)
    event:set()
    for i = 1, 5 do assert(queue:put(i)) end
    queue:close()
  end)
  assert(sum == 15, "another sum")
  local winner = loop.race(function() return loop.sleep(60) end, function()
    loop.group(function(group) group:spawn(loop.sleep, 60) group:cancel() end)
    return "quick"
  end)
  assert(winner == "quick", "another winner")
  assert(loop.select(0) == false, "nothing is selected")
  assert(loop.running(), "no task runs")
end

return function(add)
  add("between tasks", function(t)
    t.silent "epoll_ctl(DEL)"
    t.in_loop(hand_over)
  end)
end
