/* Any calls in any order on a live state: api.lua decodes the input into them. Here is what it runs in, and what is
   looked at when the state has been closed: descriptors, Lua's memory, malloc's. No call waits, and only what is open
   may be closed. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <sanitizer/allocator_interface.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LUA_MOST = 64 << 20, OWN_MOST = 64 };

int luaopen_lsocket(lua_State *L);

static size_t lua_bytes;
static atomic_int threads;    /* that were ever started */
static int own[OWN_MOST];     /* descriptors that are not the library's */
static int own_count;
static char *text;
static size_t text_length;

/* ---- in the place of the C library's functions, by the linker's --wrap ---- */

/* A signal ends each wait: told that the time is over, the library would wait for the rest of 1e300 seconds. */
static int without_waiting(int ready, int timeout) {
    if (ready != 0 || timeout == 0) return ready;
    errno = EINTR;
    return -1;
}

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout) {
    return without_waiting(__real_poll(fds, count, 0), timeout);
}

int __real_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout) {
    return without_waiting(__real_epoll_wait(epoll, events, room, 0), timeout);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
    fuzz_require(fcntl(fd, F_GETFD) >= 0, "what is closed is open");
    fuzz_require(fd > STDERR_FILENO, "and nobody else's");
    return __real_close(fd);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    threads++;
    return __real_pthread_create(thread, attributes, run, argument);
}

/* ---- what api.lua has beside the library: the table "fuzz" ---- */

static Input input;

/* byte() -> the next byte of the input, or nil */
static int lua_byte(lua_State *L) {
    if (input.left == 0) return 0;
    lua_pushinteger(L, (lua_Integer)fuzz_byte(&input));
    return 1;
}

/* bytes() -> a string of the input */
static int lua_piece(lua_State *L) {
    size_t size;
    const char *bytes = fuzz_bytes(&input, 255, &size);
    lua_pushlstring(L, bytes, size);
    return 1;
}

static void take_ownership(int fd) {
    fuzz_require(own_count < OWN_MOST, "there is room to remember descriptors");
    own[own_count++] = fd;
}

/* open(kind) -> a descriptor that is not the library's: of a socket, a pipe or a file; nil: there are too many */
static int lua_open(lua_State *L) {
    int fds[2];
    if (own_count + 2 > OWN_MOST) return 0;
    switch (luaL_checkinteger(L, 1) % 4) {
    case 0:
        if (pipe(fds) != 0) return 0;
        break;
    case 1:
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return 0;
        break;
    case 2:
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0) return 0;
        break;
    default:
        fds[0] = open("/dev/zero", O_RDWR);
        fds[1] = open("/proc/self/stat", O_RDONLY);
    }
    take_ownership(fds[0]);
    take_ownership(fds[1]);
    lua_pushinteger(L, fds[0]);
    lua_pushinteger(L, fds[1]);
    return 2;
}

/* owned(fd): the library has given it away; room() must have allowed it */
static int lua_owned(lua_State *L) {
    take_ownership((int)luaL_checkinteger(L, 1));
    return 0;
}

/* given(fd): the library owns it now */
static int lua_given(lua_State *L) {
    int fd = (int)luaL_checkinteger(L, 1), i;
    for (i = 0; i < own_count; i++)
        if (own[i] == fd) own[i] = own[--own_count];
    return 0;
}

static int lua_room(lua_State *L) {
    lua_pushboolean(L, own_count + 2 < OWN_MOST);
    return 1;
}

/* wrong(text): the library has broken its contract */
static int lua_wrong(lua_State *L) {
    fuzz_require(0, luaL_checkstring(L, 1));
    return 0;
}

static const luaL_Reg functions[] = {
    { "byte", lua_byte }, { "bytes", lua_piece }, { "open", lua_open }, { "owned", lua_owned },
    { "given", lua_given }, { "room", lua_room }, { "wrong", lua_wrong }, { NULL, NULL },
};

/* ---- a run ---- */

static void *allocate(void *nothing, void *block, size_t before, size_t size) {
    void *moved = NULL;
    (void)nothing;
    if (!block) before = 0;
    if (size == 0) free(block);
    else if (lua_bytes - before + size <= LUA_MOST) moved = realloc(block, size);
    if (size == 0 || moved) lua_bytes += size - before;
    return moved;
}

static void run(const uint8_t *data, size_t size) {
    static const luaL_Reg libraries[] = {
        { "_G", luaopen_base }, { LUA_TABLIBNAME, luaopen_table }, { LUA_STRLIBNAME, luaopen_string },
        { LUA_MATHLIBNAME, luaopen_math }, { LUA_IOLIBNAME, luaopen_io },
        { LUA_COLIBNAME, luaopen_coroutine }, { LUA_DBLIBNAME, luaopen_debug },
        { "lsocket", luaopen_lsocket },
    };
    lua_State *L = lua_newstate(allocate, NULL);
    size_t i;
    input.data = data;
    input.left = size;
    for (i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    luaL_newlib(L, functions);
    lua_setglobal(L, "fuzz");
    if (luaL_loadbuffer(L, text, text_length, "@spec/fuzz/api.lua") || lua_pcall(L, 0, 0, 0))
        fuzz_require(strstr(lua_tostring(L, -1), "not enough memory") != NULL, lua_tostring(L, -1));
    lua_close(L);
    for (i = 0; i < (size_t)own_count; i++) __real_close(own[i]);
    own_count = 0;
    fuzz_require(lua_bytes == 0, "Lua has given back all memory");
}

/* malloc's bytes that the run has left behind; 0, too, where threads had a part in it: what they keep is theirs. */
static size_t leave(const uint8_t *data, size_t size) {
    size_t before = __sanitizer_get_current_allocated_bytes(), after;
    int before_threads = threads;
    run(data, size);
    after = __sanitizer_get_current_allocated_bytes();
    return threads == before_threads && after > before ? after - before : 0;
}

static void read_text(const char *path) {
    FILE *file = fopen(path, "r");
    fuzz_require(file != NULL, "it runs in the project's folder");
    text = malloc(1 << 20);
    text_length = fread(text, 1, 1 << 20, file);
    fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct rlimit files = { 200, 200 };
    (void)argc;
    (void)argv;
    setrlimit(RLIMIT_NOFILE, &files); /* so that all are counted, and there may be none left */
    read_text("spec/fuzz/api.lua");
    mkdir("build/fuzz/sockets", 0700);
    return 0;
}

/* What the C library allocates the first time, and keeps, is there the second time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int descriptors = fuzz_descriptors();
    if (leave(data, size) > 0 && leave(data, size) > 0)
        fuzz_require(leave(data, size) == 0, "malloc has got back all memory");
    unlink("build/fuzz/sockets/a");
    unlink("build/fuzz/sockets/b");
    fuzz_require_descriptors(descriptors);
    return 0;
}
