# lsocket: sockets for Lua that never block. "make help" lists the targets.

# ---- what can be given ----
# LUA: an interpreter (lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit, or a path); without it the first one found.
# LUA_INCDIR LUA_VERSION: its headers and version, where tools/lua-headers cannot find them.
# CC CFLAGS LIBFLAG LS_CFLAGS DEBUG=1: the compiler and its flags; LS_CFLAGS switches features, see src/config.h.
# BUILD: where the objects and the module go.  PREFIX DESTDIR INST_LIBDIR INST_LUADIR: where install puts things.

LUAS := lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit
LUA ?= $(firstword $(foreach lua,lua5.4 lua5.5 lua5.3 lua5.2 lua5.1 luajit lua,$(shell command -v $(lua))))
NAME := $(notdir $(LUA))
BUILD ?= build/$(NAME)

PREFIX ?= /usr/local
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_VERSION)

ifdef DEBUG
CFLAGS ?= -O0 -g
else
CFLAGS ?= -O2
endif
ifeq ($(shell uname -s),Darwin)
LIBFLAG ?= -bundle -undefined dynamic_lookup
else
LIBFLAG ?= -shared
endif
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
            -Wconversion -Wcast-align -Wundef -Wformat=2 -Wredundant-decls -Wold-style-definition
override CFLAGS += -std=c99 -pedantic -pthread -fPIC -fvisibility=hidden -fno-plt $(WARNINGS)

SOURCES := $(wildcard src/*.c src/net/*.c)
HEADERS := $(wildcard src/*.h src/net/*.h)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
MODULE := $(BUILD)/lsocket.so
LUA_FILES := $(wildcard lib/lsocket/*.lua)

# The headers are looked for only where something is compiled or installed, and once.
ifndef LUA_INCDIR
FOUND = $(eval FOUND := $(shell CC="$(CC)" tools/lua-headers "$(or $(LUA),lua)"))$(FOUND)
LUA_INCDIR = $(or $(firstword $(FOUND)),$(error no Lua to build for; make demo and make test install one))
endif
LUA_VERSION ?= $(or $(word 2,$(FOUND)),$(error give LUA_VERSION= beside LUA_INCDIR=))

.PHONY: all
all: $(MODULE)

# ---- building ----

$(MODULE): $(OBJECTS)
	$(CC) $(CFLAGS) $(LIBFLAG) $(LDFLAGS) -o $@ $(OBJECTS)

$(BUILD)/%.o: src/%.c $(HEADERS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LS_CFLAGS) -I$(LUA_INCDIR) -c -o $@ $<

# Objects are made anew when the compiler, its flags or the headers' place are others.
COMMAND = $(CC) $(CFLAGS) $(LS_CFLAGS) -I$(LUA_INCDIR) $(LIBFLAG) $(LDFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(COMMAND)' | cmp -s - $@ || echo '$(COMMAND)' > $@
.PHONY: always

.PHONY: all-luas
all-luas:
	@for lua in $(LUAS); do \
	    if command -v $$lua > /dev/null; then $(MAKE) --no-print-directory LUA=$$lua || exit 1; fi; \
	done

.PHONY: install
install: $(MODULE)
	mkdir -p $(DESTDIR)$(INST_LIBDIR) $(if $(LUA_FILES),$(DESTDIR)$(INST_LUADIR)/lsocket)
	install -m 755 $(MODULE) $(DESTDIR)$(INST_LIBDIR)/lsocket.so
	$(if $(LUA_FILES),install -m 644 $(LUA_FILES) $(DESTDIR)$(INST_LUADIR)/lsocket/)

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(INST_LIBDIR)/lsocket.so $(LUA_FILES:lib/%=$(DESTDIR)$(INST_LUADIR)/%)
	$(if $(LUA_FILES),rmdir $(DESTDIR)$(INST_LUADIR)/lsocket)

.PHONY: clean
clean:
	rm -rf build

# ---- trying and testing; each installs what it needs ----

.PHONY: demo
demo:
	@tools/install demo
	@$(MAKE) --no-print-directory -s
	@$(MAKE) --no-print-directory run-demo

.PHONY: run-demo
run-demo:
	@LUA_CPATH='$(BUILD)/?.so' $(LUA) samples/demo.lua

.PHONY: test
test:
	@tools/install test
	@tools/test

.PHONY: check
check:
	@tools/install check
	@tools/check

# The same and what it leaves out: each check on each Lua. Takes an hour.
.PHONY: check-all
check-all:
	@tools/install check
	@tools/check all

# What "make check" does of it and much more: several hundred seeds, on every Lua. Takes half an hour.
.PHONY: torture
torture:
	@tools/install check
	@for lua in $(LUAS); do \
	    command -v $$lua > /dev/null || continue; \
	    for mode in names alloc faults "random 1 300"; do tools/torture $$lua $$mode || exit 1; done; \
	done

# How much of src/ the tests reach, and what they do not; see doc/reliability-coverage.md.
.PHONY: coverage
coverage:
	@tools/install check
	@tools/coverage

# 32 bits, the other order of bytes, another C library; see doc/reliability-machines.md. Takes half an hour where
# qemu-user has to be used.
.PHONY: machines
machines:
	@tools/install machines
	@for machine in musl i386 s390x; do tools/machines $$machine; done

# Everything at once, at random, for so many seconds.
.PHONY: soak
soak: SECONDS ?= 3600
soak:
	@tools/install test
	@$(MAKE) --no-print-directory -s
	@tools/soak $(LUA) $(SECONDS)

# What "make check" does of it for 30 s each: all targets side by side, for so many seconds.
.PHONY: fuzz
fuzz: SECONDS ?= 600
fuzz:
	@tools/install check
	@tools/fuzz all $(SECONDS)

.PHONY: lint
lint:
	@tools/install check
	@tools/lint

# ---- measuring ----

.PHONY: bench
bench:
	@bench/run

# The C that the library is compared with: a file with a main is a program, the others are one Lua module.
BENCH_C := $(wildcard bench/c/*.c)
BENCH_MAINS := $(if $(BENCH_C),$(shell grep -l '^int main' $(BENCH_C)))
BENCH_PROGRAMS := $(BENCH_MAINS:bench/c/%.c=build/bench/%)

.PHONY: bench-c
bench-c: $(MODULE) $(BUILD)/cref.so $(BENCH_PROGRAMS)

$(BUILD)/cref.so: $(filter-out $(BENCH_MAINS),$(BENCH_C)) bench/c/cref.h $(BUILD)/flags
	$(CC) $(CFLAGS) -D_GNU_SOURCE -I$(LUA_INCDIR) $(LIBFLAG) $(LDFLAGS) -o $@ $(filter %.c,$^)

build/bench/%: bench/c/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -D_GNU_SOURCE $(LDFLAGS) -o $@ $<

# For scripts that compile with the same warnings.
.PHONY: warnings
warnings:
	@echo $(WARNINGS)

.PHONY: help
help:
	@echo 'make            build for the Lua that is found; LUA=lua5.3 for another: build/<name>/lsocket.so'
	@echo 'make all-luas   build for every Lua that is installed'
	@echo 'make demo       see it work'
	@echo 'make test       run every spec on every Lua'
	@echo 'make check      the slower checks: lint, sanitizers, valgrind, fallbacks, samples'
	@echo 'make check-all  each of them on each Lua: an hour'
	@echo 'make coverage   how much of src/ the tests reach, and what they do not: 3 minutes'
	@echo 'make torture    let everything fail that can, on every Lua: half an hour'
	@echo 'make machines   the specs with 32 bits and with the bytes the other way round, the C tests with musl'
	@echo 'make soak       use everything at once for an hour (SECONDS=3600), and look for leaks'
	@echo 'make fuzz       random input, under sanitizers: SECONDS=600 of it; see doc/reliability.md'
	@echo 'make bench      compare it with C and with other libraries: bench/results; see doc/performance.md'
	@echo 'make install    PREFIX= DESTDIR=; make uninstall takes it away again'
	@echo 'make clean'
