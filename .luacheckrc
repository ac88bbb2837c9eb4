std = "max"
max_line_length = 120
files["spec"].std = "max+busted"
files["spec/torture"].read_globals = { "torture" } -- main.c's
files["spec/fuzz"].read_globals = { "fuzz", "lsocket" } -- api.c's
files["spec/model/driver.lua"].globals = { "io.stderr" } -- which is closed, or quiet
files["types"].ignore = { "2..", "1.." } -- declarations only
