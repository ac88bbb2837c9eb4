-- How the benchmarks compare: what is made of samples. The measuring itself is left to bench/.
local root = debug.getinfo(1, "S").source:match "^@(.*)spec/[^/]*$" or ""
local samples = dofile(root .. "bench/samples.lua")

describe("samples of the benchmarks", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  -- Reads lines; a table of four numbers is a sample: library 1 is C, then round, operations, seconds.
  local function read(lines)
    local file = assert(io.open(path, "w"))
    for _, line in ipairs(lines) do
      if type(line) == "table" then
        line = table.concat({ "tcp", "echo", "lua5.4", line[1] == 1 and "C" or "lsocket", line[2], line[3], line[4],
          line[4], line[5] or "" }, "\t")
      end
      file:write(line, "\n")
    end
    file:close()
    local data, remarks = samples.read(path)
    return data:get "tcp":get "echo":get "lua5.4", remarks
  end

  local function near(expected, value) assert.is_true(math.abs(expected - value) < 1e-9, tostring(value)) end

  it("are compared within their rounds", function()
    local libraries = read { { 1, 1, 100, 1 }, { 2, 1, 50, 1 }, { 1, 2, 80, 1 }, { 2, 2, 60, 1 },
      { 1, 3, 120, 1 }, { 2, 3, 120, 1 } }
    local ratio = libraries:get "lsocket".summary.ratio
    near(0.75, ratio.median)
    near(0.625, ratio.low)
    near(0.875, ratio.high)
    near(1 / 0.75, libraries:get "lsocket".summary.cpu_ratio.median)
  end)

  it("are left out where C was not as usual", function()
    local libraries = read { { 1, 1, 100, 1 }, { 2, 1, 90, 1 }, { 1, 2, 100, 1 }, { 2, 2, 90, 1 },
      { 1, 3, 100, 1.6 }, { 2, 3, 500, 1 }, { 1, 4, 100, 0.6 }, { 2, 4, 500, 1 } }
    assert.are.equal(4, libraries.rounds)
    assert.are.equal(2, libraries.disturbed)
    assert.are.equal(2, #libraries:get "lsocket")
    near(0.9, libraries:get "lsocket".summary.ratio.high)
  end)

  it("are compared with the C of their own process", function()
    local libraries = read { { 1, 1, 100, 1, "group=a" }, { 1, 2, 100, 1, "group=a" }, { 1, 1001, 100, 9, "group=b" },
      { 1, 1002, 100, 9, "group=b" }, { 2, 1001, 100, 10, "group=b" }, { 2, 1002, 100, 10, "group=b" } }
    assert.are.equal(0, libraries.disturbed)
    near(0.9, libraries:get "lsocket".summary.ratio.median)
  end)

  it("keep their runs apart", function()
    local libraries, remarks = read { "# run 1", { 1, 1, 100, 1 }, { 2, 1, 90, 1 }, "# tcp: a remark", "# run 2",
      { 1, 1, 100, 1 }, { 2, 1, 70, 1 }, "# tcp: a remark" }
    local runs = libraries:get "lsocket".summary.ratio.runs
    near(0.9, runs[1])
    near(0.7, runs[2])
    local seen = 0
    for _, remark in ipairs(remarks) do if remark == "tcp: a remark" then seen = seen + 1 end end
    assert.are.equal(1, seen)
  end)
end)
