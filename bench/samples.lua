-- Reads samples, the lines that bench/lib.lua describes, and sums them up for the report and the charts.
local unpack = table.unpack or unpack -- luacheck: ignore

local samples = {}

-- ---- reading ----

-- An array that is a set and a dictionary, too: list:at(key) gives what stands under a key, made at first asking.
local List = {}
List.__index = List

local function list(make)
   return setmetatable({ keys = {}, make = make or list }, List)
end

function List:at(key)
   if not self.keys[key] then
      self.keys[key] = self.make()
      self.keys[key].name = key
      table.insert(self, self.keys[key])
   end
   return self.keys[key]
end

function List:get(key)
   return self.keys[key]
end

-- Rounds of all runs have numbers of their own.
local RUN = 1000000

local function parse(line, run)
   local fields = {}
   for field in (line .. "\t"):gmatch "([^\t]*)\t" do table.insert(fields, field) end
   assert(#fields >= 8, "no sample: " .. line)
   local workload, case, interpreter, library, round, operations, wall, cpu, extra = unpack(fields)
   local sample = { run = run, round = run * RUN + tonumber(round), operations = tonumber(operations),
      wall = tonumber(wall), cpu = tonumber(cpu), extra = {} }
   for name, value in (extra or ""):gmatch "(%w+)=(%S+)" do sample.extra[name] = tonumber(value) or value end
   return sample, workload, case, interpreter, library
end

-- workload -> case -> interpreter -> library -> samples; and the remarks, each once. "# run N" begins another run.
local function read(path)
   local data, remarks, seen, run = list(), {}, {}, 1
   for line in io.lines(path) do
      run = tonumber(line:match "^# run (%d+)") or run
      if line:sub(1, 1) ~= "#" then
         local sample, workload, case, interpreter, library = parse(line, run)
         table.insert(data:at(workload):at(case):at(interpreter):at(library), sample)
      elseif not seen[line] then
         seen[line] = true
         table.insert(remarks, (line:gsub("^#%s*", "")))
      end
   end
   return data, remarks
end

-- ---- computing ----

-- The value below which that part of the sorted ones lies.
local function quantile(sorted, part)
   local at = 1 + part * (#sorted - 1)
   local low = math.floor(at)
   return sorted[low] + (at - low) * ((sorted[low + 1] or sorted[low]) - sorted[low])
end

-- Of { value =, run = }: the median, the quartiles, and the median of each run.
local function spread(values)
   local all, runs = {}, list()
   for _, one in ipairs(values) do
      table.insert(all, one.value)
      table.insert(runs:at(one.run), one.value)
   end
   if #all == 0 then return nil end
   table.sort(all)
   local s = { median = quantile(all, 0.5), low = quantile(all, 0.25), high = quantile(all, 0.75), runs = {} }
   for i, run in ipairs(runs) do
      table.sort(run)
      s.runs[i] = quantile(run, 0.5)
   end
   return s
end

-- What measure gives for each sample.
local function map(from, measure)
   local values = {}
   for _, sample in ipairs(from) do
      local value = measure(sample)
      if value then table.insert(values, { value = value, run = sample.run }) end
   end
   return values
end

function samples.speed(sample) return sample.wall > 0 and sample.operations / sample.wall or nil end
function samples.cpu(sample) return sample.cpu > 0 and sample.cpu / sample.operations or nil end

-- The spread of the quotients of two libraries' values in the same rounds: the one way in which libraries are compared.
function samples.quotient(of, by, measure)
   local by_round = {}
   for _, sample in ipairs(by or {}) do by_round[sample.round] = measure(sample) end
   return spread(map(of or {}, function(sample)
      local mine, other = measure(sample), by_round[sample.round]
      return mine and other and mine / other
   end))
end

-- ---- leaving out rounds in which the machine was another one ----

local FAR = 1.5

-- The rounds in which C's own speed was farther from its median than that, in the same process and run; and C's rounds.
local function disturbed(of_c)
   local groups, rounds, count = {}, {}, 0
   for _, sample in ipairs(of_c) do
      local key = sample.run .. (sample.extra.group or "")
      groups[key] = groups[key] or {}
      if samples.speed(sample) then table.insert(groups[key], sample) end
   end
   for _, group in pairs(groups) do
      local usual = spread(map(group, samples.speed))
      for _, sample in ipairs(group) do
         local factor = samples.speed(sample) / usual.median
         if factor > FAR or factor < 1 / FAR then rounds[sample.round], count = true, count + 1 end
      end
   end
   return rounds, count
end

local function without(libraries, rounds)
   for _, one in ipairs(libraries) do
      for i = #one, 1, -1 do
         if rounds[one[i].round] then table.remove(one, i) end
      end
   end
end

-- ---- all of it ----

-- What is known of a library in a case: medians, and the spreads of what C does in the same time, and needs.
local function summarize(of, of_c)
   local speed, cpu = spread(map(of, samples.speed)), spread(map(of, samples.cpu))
   local s = { speed = speed and speed.median, cpu = cpu and cpu.median, extra = {},
      ratio = samples.quotient(of, of_c, samples.speed), cpu_ratio = samples.quotient(of, of_c, samples.cpu) }
   for _, sample in ipairs(of) do
      for name, value in pairs(sample.extra) do s.extra[name] = value end
   end
   for name, value in pairs(s.extra) do
      local numbers = spread(map(of, function(sample) return tonumber(sample.extra[name]) end))
      s.extra[name] = numbers and numbers.median or value
   end
   return s
end

-- Fields of a case's interpreter beside its libraries, which have their summaries: how many rounds of C's there were,
-- and how many of those were left out.
function samples.read(path)
   local data, remarks = read(path)
   for _, workload in ipairs(data) do
      for _, case in ipairs(workload) do
         for _, libraries in ipairs(case) do
            local of_c = libraries:get "C" or {}
            libraries.rounds = #map(of_c, samples.speed)
            local rounds
            rounds, libraries.disturbed = disturbed(of_c)
            without(libraries, rounds)
            for _, one in ipairs(libraries) do one.summary = summarize(one, of_c) end
         end
      end
   end
   return data, remarks
end

return samples
