-- Queues of tasks that wait for other tasks, and turns: what one task at a time may do.
--
-- Whoever stands in a queue waits in it: the fields ahead and behind of the tasks make the list, as a task waits in one
-- queue at most. Entering and leaving cost the same however long the queue is. What a task is handed while it stands in
-- a queue is in its field given until it runs, and the queue in giver. A turn is held by a task, which has it in its
-- field turn, and is given on when it is over or the task ends.
local waits = require "lsocket.loop.waits"

local rings = require "lsocket.loop.rings"
local this, wait, wake = waits.this, waits.wait, waits.wake

local queues = {}

local queueing = {}

function queueing.enter(task, queue)
  local last = queue.last
  task.behind = false -- what may fail for want of memory comes before what others see
  task.ahead = last
  queue.last = task
  if last then last.behind = task else queue.first = task end
  return true
end

function queueing.leave(task, queue)
  local ahead, behind = task.ahead, task.behind
  if ahead == nil then return end -- it could not enter
  if ahead then ahead.behind = behind else queue.first = behind end
  if behind then behind.ahead = ahead else queue.last = ahead end
  task.behind, task.ahead = nil, nil -- from right to left: what has no ahead has left
end

-- A wait that ends when the task is woken, and not before.
local firmly = { enter = queueing.enter, leave = queueing.leave, firm = true }

function queues.new()
  return { first = false, last = false }
end

-- Waits at the end of a queue: what it is woken with | false: so many seconds have passed | nil, message, name
-- how: what the one who wakes it may look at
function queues.wait(queue, seconds, how)
  return wait(queueing, queue, how, seconds)
end

-- The same, and neither a cancel nor a deadline ends it.
function queues.wait_firmly(queue)
  return waits.wait_firmly(firmly, queue)
end

-- Wakes the first one of a queue; false: nobody is there.
function queues.wake_first(queue)
  return queue.first and wake(queue.first, true)
end

-- Wakes a whole queue with that.
function queues.wake_all(queue, what)
  while queue.first do wake(queue.first, what) end
end

-- Waits at the end of a queue until it is handed something: true, that | nil, message, name
function queues.receive(queue)
  local task = this()
  if task.giver == nil then task.giver, task.given = false, false end -- that there is room for them
  local ok, message, name = wait(queueing, queue)
  if not ok then return nil, message, name end
  local given = task.given
  task.giver, task.given = false, false
  return true, given
end

-- Wakes the first one of a queue with something in its hand. If it never runs again, queue.take_back(queue.owner, what)
-- is called.
function queues.hand(queue, what)
  local task = queue.first
  wake(task, true)
  task.giver, task.given = queue, what
end

-- Wakes a whole queue with nil, message, name.
function queues.fail(queue, message, name)
  while queue.first do wake(queue.first, nil, message, name) end
end

-- Tells a whole queue that what it waits for will not be.
function queues.dismiss(queue)
  while queue.first do waits.dismiss(queue.first) end
end

-- ---- turns ----

local function hold(holder, task)
  task.turn = holder
  holder.holder = task
end
queues.hold = hold

-- The task's turn is over; the next one in the queue has it before it runs. Harmless where it has none.
local function pass_on(holder, task)
  if holder.holder ~= task then return end
  task.turn, holder.holder = false, false
  local following = holder.queue and holder.queue.first
  if not following then return end
  wake(following, true)
  hold(holder, following)
end
queues.pass_on = pass_on
rings.set { hold = hold, pass_on = pass_on }

-- An error that nothing could foresee, as of a debug hook, has cut off what the task held the turn for. (A finalizer or
-- a hook that writes in the middle of a write comes here, too; but there a wait raises.)
local function resume_turn()
  local ok, message, name = waits.pause()
  if ok then return true end
  return nil, message, name
end

-- Waits until no other task has the holder's turn. A task that has waited for it has it from then on; one that found it
-- free has it when it holds it: true | false: so many seconds have passed | nil, message, name
-- holder: a table, whose fields holder and queue are made when they are needed.
function queues.await_turn(holder, seconds)
  local task, keeper = this(), holder.holder
  if not keeper then return true end
  if keeper == task then return resume_turn() end
  holder.queue = holder.queue or queues.new()
  return queues.wait(holder.queue, seconds)
end

-- A task that has a turn, or something in its hand, has ended, in whatever way.
function queues.forget(task)
  if task.turn then pass_on(task.turn, task) end
  local giver = task.giver
  if not giver then return end
  task.giver = false
  giver.take_back(giver.owner, task.given)
end

-- An error has cut the loop off, perhaps where a task that does not wait any more was leaving a queue.
function queues.recover(task)
  if task.ahead ~= nil and not task.wait then queueing.leave(task, task.what) end
  task.behind = task.ahead ~= nil and task.behind or nil
end

function queues.invariant(task)
  local turn = task.turn
  assert(not turn or turn.holder == task, "a turn is another task's")
  local queue = (task.wait == queueing or task.wait == firmly) and task.what
  if not queue then return assert(not task.ahead and not task.behind, "a task stands in a queue and does not wait") end
  assert((task.ahead or queue.last and queue.first == task) and (task.behind or queue.last == task),
    "a queue does not know who stands in it")
end

return queues
