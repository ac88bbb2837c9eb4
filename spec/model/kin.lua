-- The books of groups and races: whose tasks there are, and when they must end. A group here is a table: rec, whose
-- function it is; members, their recs; frames, the deadlines around it; over: they are to end; returned: its function
-- has, so that what cuts off rec ends it; failure, the rec that has failed first (unsure: perhaps after the end);
-- silent: of a race; winner.
local loop = require "lsocket.loop"

local kin = {}

local function is_cut_off(group)
  local rec = group.rec
  if rec.cancels > 0 then return true end
  for _, frame in ipairs(rec.frames) do
    if frame.due <= loop.now() + 0.0001 then return true end
  end
end

-- Is it to end, as far as the books know?
function kin.is_doomed(rec)
  if rec.member and rec.member.over then return true end
  for _, group in ipairs(rec.groups) do
    if group.over then return true end
  end
  return false
end

-- May it have been told so? A group that waits for its tasks may be cut off at a time that nobody else sees.
function kin.may_be_doomed(rec)
  if kin.is_doomed(rec) then return true end
  local group = rec.member
  return group and (group.returned and is_cut_off(group) or kin.may_be_doomed(group.rec)) or false
end

-- May it have ended without having begun?
function kin.may_be_skipped(rec)
  return not rec.begun and (rec.skipped or kin.may_be_doomed(rec))
end

function kin.new(rec, silent)
  local group = { rec = rec, members = {}, frames = {}, over = kin.is_doomed(rec), silent = silent }
  for i, frame in ipairs(rec.frames) do group.frames[i] = frame end
  return group
end

local function skip(rec)
  if rec.skipped then return end
  rec.skipped, rec.doomed = true, true
  rec.world:retire(rec)
end

-- The rec of a task that the group is about to have.
function kin.add(group, rec)
  rec.member = group
  for i, frame in ipairs(group.frames) do rec.frames[i] = frame end
  group.members[#group.members + 1] = rec
  if group.over then skip(rec) end
end

local function end_act(rec)
  if rec.act then rec.act.released = true end
end

-- A group is over, and those inside of it.
function kin.over(group)
  if group.over then return end
  group.over = true
  for _, rec in ipairs(group.members) do
    if not rec.begun then skip(rec) elseif not rec.gone then end_act(rec) end
    for _, inner in ipairs(rec.groups) do kin.over(inner) end
  end
  if not group.returned then end_act(group.rec) end
  local around = true
  for _, inner in ipairs(group.rec.groups) do
    if not around then kin.over(inner) end
    if inner == group then around = false end
  end
end

-- A task fails whose error nobody catches.
function kin.fails(rec)
  local group = rec.member
  if not group then return end
  local before = group.over or kin.may_be_doomed(rec)
  if before and group.silent then rec.heard = rec.heard + 1 end
  if group.over then return end
  group.failure, group.unsure = rec, before
  kin.over(group)
end

-- fn(rec) for each task of a rec's groups that has not ended.
function kin.each(rec, fn)
  for _, group in ipairs(rec.groups) do
    for _, member in ipairs(group.members) do
      if not member.gone then fn(member) end
    end
  end
end

-- A group has been left: its tasks have ended.
function kin.left(group)
  local world = group.rec.world
  for _, rec in ipairs(group.members) do
    if not rec.begun then
      local fine = group.over or group.cut or rec.skipped or kin.may_be_doomed(group.rec)
      if not fine then world:wrong("%s has not begun, and its group is left", rec.name) end
      skip(rec)
    elseif not rec.gone then
      world:wrong("%s goes on, and its group is left", rec.name)
    end
  end
end

return kin
