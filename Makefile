# lsocket: sockets for Lua that never block. "make help" lists the targets.

# ---- what can be given ----
# LUA: an interpreter (lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit, or a path); without it the first one found.
# LUA_INCDIR LUA_VERSION: its headers and version, where tools/lua-headers cannot find them.
# CC CFLAGS LIBFLAG LS_CFLAGS DEBUG=1: the compiler and its flags; LS_CFLAGS switches features, see src/config.h.
# TARGET=windows: for Windows, by mingw, which is CC; LUA_DLL: the library of Lua that the module is linked with.
# TLS=0: without lsocket.tls. OPENSSL_INCDIR OPENSSL_LIBDIR: where OpenSSL 3 is, where pkg-config does not know it.
# BUILD: where the objects and the module go.
# PREFIX DESTDIR INST_LIBDIR INST_LUADIR INST_TYPESDIR: where install puts the module, lib/ and types/.

GIVEN := $(LUA)
ifndef LUA
LUA := $(shell . tools/luas; \
    for lua in lua5.4 lua5.5 lua5.3 lua5.2 lua5.1 luajit lua; do command -v $$lua && break; done)
endif
NAME := $(notdir $(LUA))
BUILD ?= build/$(NAME)

PREFIX ?= /usr/local
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_VERSION)
INST_TYPESDIR ?= $(PREFIX)/share/lsocket/types

ifdef DEBUG
CFLAGS ?= -O0 -g
else
CFLAGS ?= -O2
endif
# The flags of a module that is loaded, what it is linked with, and where it is.
SHARED := -pthread -fPIC -fvisibility=hidden -fno-plt
LIBS :=
SO := so
ifeq ($(TARGET),windows)
SHARED := -Isrc/net/win/posix -D_WIN32_WINNT=0x0A00
LIBS := $(LUA_DLL) -lws2_32 -liphlpapi -lntdll
SO := dll
TLS ?= $(if $(OPENSSL_INCDIR),1,0)
TLS_LIBS := $(LUA_DLL) -lws2_32 -lcrypt32
endif
ifeq ($(shell uname -s),Darwin)
LIBFLAG ?= -bundle -undefined dynamic_lookup
else
LIBFLAG ?= -shared
endif
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
            -Wconversion -Wcast-align -Wundef -Wformat=2 -Wredundant-decls -Wold-style-definition
override CFLAGS += -std=c99 -pedantic $(SHARED) $(WARNINGS)

SOURCES := $(wildcard src/*.c src/net/*.c)
HEADERS := $(wildcard src/*.h src/net/*.h src/tls/*.h)
TLS_SOURCES := $(wildcard src/tls/*.c)
# A file in src/net/win/ takes the place of one in src/net/, and one in src/tls/win/ that of one in src/tls/.
ifeq ($(TARGET),windows)
INSTEAD := $(wildcard src/net/win/*.c)
SOURCES := $(filter-out $(INSTEAD:src/net/win/%=src/net/%),$(SOURCES)) $(INSTEAD)
TLS_INSTEAD := $(wildcard src/tls/win/*.c)
TLS_SOURCES := $(filter-out $(TLS_INSTEAD:src/tls/win/%=src/tls/%),$(TLS_SOURCES)) $(TLS_INSTEAD)
HEADERS += $(wildcard src/net/win/*.h src/net/win/posix/*.h src/net/win/posix/*/*.h)
endif
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
MODULE := $(BUILD)/lsocket.$(SO)
TLS_OBJECTS := $(TLS_SOURCES:src/%.c=$(BUILD)/%.o)
TLS_MODULE := $(BUILD)/lsocket/tls.$(SO)
LUA_FILES := $(patsubst lib/%,%,$(shell find lib -name '*.lua'))
TYPE_FILES := $(patsubst types/%,%,$(shell find types -name '*.lua'))

# The headers are looked for only where something is compiled or installed, and once.
ifndef LUA_INCDIR
FOUND = $(eval FOUND := $(shell CC="$(CC)" tools/lua-headers "$(or $(LUA),lua)"))$(FOUND)
LUA_INCDIR = $(or $(firstword $(FOUND)),$(error no Lua to build for; make demo and make test install one))
endif
LUA_VERSION ?= $(or $(word 2,$(FOUND)),$(error give LUA_VERSION= beside LUA_INCDIR=))

# Where OpenSSL is, asked of pkg-config when its module is built.
ifdef OPENSSL_INCDIR
OPENSSL_CFLAGS ?= -I$(OPENSSL_INCDIR)
endif
ifdef OPENSSL_LIBDIR
OPENSSL_LIBS ?= -L$(OPENSSL_LIBDIR) -lssl -lcrypto
endif
OPENSSL_CFLAGS ?= $(shell pkg-config --cflags openssl 2> /dev/null)
OPENSSL_LIBS ?= $(or $(shell pkg-config --libs openssl 2> /dev/null),-lssl -lcrypto)

.PHONY: all
all: $(MODULE) tls-if-possible

# ---- building ----

$(MODULE): $(OBJECTS)
	$(CC) $(CFLAGS) $(LIBFLAG) $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

.PHONY: objects
objects: $(OBJECTS)

# lsocket.tls, where OpenSSL's headers are; without them the rest is built, and a line says what is missing.
.PHONY: tls-if-possible tls
tls-if-possible: $(MODULE)
ifneq ($(TLS),0)
	@if CC='$(CC)' OPENSSL_CFLAGS='$(OPENSSL_CFLAGS)' tools/openssl-headers; then \
	    $(MAKE) --no-print-directory tls; fi
endif

tls: $(TLS_MODULE)

$(TLS_MODULE): $(TLS_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LIBFLAG) $(LDFLAGS) -o $@ $(TLS_OBJECTS) $(OPENSSL_LIBS) $(TLS_LIBS)

$(TLS_OBJECTS): CPPFLAGS_TLS = $(OPENSSL_CFLAGS)

$(BUILD)/%.o: src/%.c $(HEADERS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LS_CFLAGS) $(CPPFLAGS_TLS) -I$(LUA_INCDIR) -c -o $@ $<

# Objects are made anew when the compiler, its flags or the headers' place are others.
COMMAND = $(CC) $(CFLAGS) $(LS_CFLAGS) -I$(LUA_INCDIR) $(LIBFLAG) $(LDFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(COMMAND)' | cmp -s - $@ || echo '$(COMMAND)' > $@
.PHONY: always

.PHONY: all-luas
all-luas:
	@. tools/luas; for lua in $$luas; do $(MAKE) --no-print-directory LUA=$$lua || exit 1; done

.PHONY: install
install: all
	mkdir -p $(DESTDIR)$(INST_LIBDIR) $(sort $(dir $(INSTALLED)))
	install -m 755 $(MODULE) $(DESTDIR)$(INST_LIBDIR)/lsocket.so
	if [ '$(TLS)' != 0 ] && [ -f $(TLS_MODULE) ]; then $(MAKE) --no-print-directory install-tls; fi
	for file in $(LUA_FILES); do install -m 644 lib/$$file $(DESTDIR)$(INST_LUADIR)/$$file || exit 1; done
	for file in $(TYPE_FILES); do install -m 644 types/$$file $(DESTDIR)$(INST_TYPESDIR)/$$file || exit 1; done

.PHONY: install-tls
install-tls: $(TLS_MODULE)
	mkdir -p $(DESTDIR)$(INST_LIBDIR)/lsocket
	install -m 755 $(TLS_MODULE) $(DESTDIR)$(INST_LIBDIR)/lsocket/tls.so

INSTALLED = $(LUA_FILES:%=$(DESTDIR)$(INST_LUADIR)/%) $(TYPE_FILES:%=$(DESTDIR)$(INST_TYPESDIR)/%)
TYPE_DIRS = $(patsubst types%,$(DESTDIR)$(INST_TYPESDIR)%,$(shell find types -depth -type d)) \
    $(dir $(DESTDIR)$(INST_TYPESDIR))

# The types serve every Lua: the first uninstall takes them away. A folder that holds anything else stays.
.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(INST_LIBDIR)/lsocket.so $(DESTDIR)$(INST_LIBDIR)/lsocket/tls.so $(INSTALLED)
	rmdir $(DESTDIR)$(INST_LIBDIR)/lsocket 2> /dev/null || true
	cd $(DESTDIR)$(INST_LUADIR) && rmdir $(shell cd lib && find lsocket -depth -type d)
	rmdir $(TYPE_DIRS) 2> /dev/null || true

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
	@. tools/luas; LUA_PATH='lib/?.lua' LUA_CPATH='$(BUILD)/?.so' $(LUA) samples/demo.lua

# LUA=lua5.4: on that Lua alone. SPEC=loop: only the specs whose names match it.
.PHONY: test
test:
	@tools/install test
	@SPEC='$(SPEC)' tools/test $(GIVEN)

# The specs whose names match SPEC, on one Lua. Installs nothing if busted is there.
.PHONY: spec
spec:
	@command -v busted > /dev/null || tools/install test
	@SPEC='$(SPEC)' tools/test '$(LUA)'

.PHONY: check
check:
	@tools/install check
	@tools/check

# The same and what it leaves out: each check on each Lua. Takes an hour.
.PHONY: check-all
check-all:
	@tools/install check
	@tools/install browser
	@tools/install go
	@tools/install servers
	@tools/check all

# What "make check" does of it and much more: several hundred seeds, on every Lua. Takes half an hour.
.PHONY: torture
torture:
	@tools/install check
	@. tools/luas; for lua in $$luas; do \
	    for mode in names alloc faults "random 1 300"; do tools/torture $$lua $$mode || exit 1; done; \
	done

# How much of src/ the tests reach, and what they do not; see doc/reliability-coverage.md.
.PHONY: coverage
coverage:
	@tools/install check
	@tools/coverage

# 32 bits, the other order of bytes, another C library, another system; see doc/reliability-machines.md. Takes half an
# hour where qemu-user has to be used.
.PHONY: machines
machines:
	@tools/install machines
	@for machine in macos-arm64 macos-x86_64 musl-aarch64 musl-arm musl-riscv64 musl windows i386 s390x; do \
	    tools/machines $$machine; \
	done

# The specs for Windows, under Wine; see doc/windows.md.
.PHONY: windows
windows:
	@tools/install machines
	@tools/machines windows

# Everything at once, at random, for so many seconds.
.PHONY: soak
soak: SECONDS ?= 3600
soak:
	@tools/install test
	@$(MAKE) --no-print-directory -s
	@tools/soak $(LUA) $(SECONDS)

# Random programs on the loop for so many seconds; "make check" does it for 30 s on some Luas.
.PHONY: model
model: SECONDS ?= 3600
model:
	@tools/install test
	@$(MAKE) --no-print-directory -s
	@tools/model $(LUA) SECONDS=$(SECONDS)

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
bench-c: $(MODULE) $(BUILD)/cref.so $(BENCH_PROGRAMS) bench-tls

.PHONY: bench-tls
bench-tls: tls-if-possible
	@if [ -f $(TLS_MODULE) ]; then $(MAKE) --no-print-directory $(BUILD)/ctls.so; fi

$(BUILD)/ctls.so: bench/c/tls/ctls.c $(BUILD)/flags
	$(CC) $(CFLAGS) -D_GNU_SOURCE $(OPENSSL_CFLAGS) -I$(LUA_INCDIR) $(LIBFLAG) $(LDFLAGS) -o $@ $< $(OPENSSL_LIBS)

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
	@echo 'make TLS=0      without lsocket.tls, which needs OpenSSL 3: build/<name>/lsocket/tls.so'
	@echo 'make all-luas   build for every Lua that is installed'
	@echo 'make demo       see it work'
	@echo 'make test       run every spec on every Lua; LUA=lua5.4 for one Lua, SPEC=loop for the specs whose names match'
	@echo 'make spec       the same on one Lua; installs nothing if busted is there: make spec LUA=lua5.3 SPEC=poller'
	@echo 'make check      the slower checks: lint, sanitizers, valgrind, fallbacks'
	@echo 'make check-all  each of them on each Lua: an hour'
	@echo 'make coverage   how much of src/ the tests reach, and what they do not: 3 minutes'
	@echo 'make torture    let everything fail that can, on every Lua: half an hour'
	@echo 'make machines   the specs on i386 and s390x, whose bytes lie the other way round; C tests with musl; macOS'
	@echo 'make windows    the module for Windows, by mingw, and its specs under Wine'
	@echo 'make soak       use everything at once for an hour (SECONDS=3600), and look for leaks'
	@echo 'make model      play random programs on the loop for an hour, and look whether it is as it must be'
	@echo 'make fuzz       random input, under sanitizers: SECONDS=600 of it; see doc/reliability.md'
	@echo 'make bench      compare it with C and with other libraries: bench/results; see doc/performance.md'
	@echo 'make install    PREFIX= DESTDIR=; make uninstall takes it away again'
	@echo 'make clean'
