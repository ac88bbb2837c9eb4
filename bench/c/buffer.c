/* Lines of a stream, each made a Lua string: what reading lines costs where no function is called for each. */
#include "cref.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Makes a string of each line, and drops it. What is left, the beginning of a line, goes to the front. */
static size_t make_strings(lua_State *L, char *data, size_t count, int *lines) {
    char *from = data, *end;
    while ((end = memchr(from, '\n', count - (size_t)(from - data))) != NULL) {
        lua_pushlstring(L, from, (size_t)(end - from) - (end > from && end[-1] == '\r'));
        lua_pop(L, 1);
        from = end + 1;
        --*lines;
    }
    count -= (size_t)(from - data);
    memmove(data, from, count);
    return count;
}

/* cref.lines(fd, lines): receives so many lines, at most 64 KiB a call */
static int cref_lines(lua_State *L) {
    char data[2 * 65536];
    int fd = cref_int(L, 1), lines = cref_int(L, 2);
    size_t count = 0;
    while (lines > 0) {
        ssize_t n = recv(fd, data + count, 65536, 0);
        if (n < 0 && errno != EAGAIN) return cref_fail(L, "recv");
        if (n > 0) count = make_strings(L, data, count + (size_t)n, &lines);
    }
    return 0;
}

/* The bare binding: the least that a C function can do which is called for each line. It knows no objects, no limit and
   no failures, and has one place for the bytes of all. */
static struct {
    char *from;
    size_t count;
    char data[2 * 65536];
} bare;

/* cref.pour(fd): receives at most 64 KiB behind what is left */
static int cref_pour(lua_State *L) {
    ssize_t n;
    if (bare.count > 0) memmove(bare.data, bare.from, bare.count);
    bare.from = bare.data;
    n = recv((int)lua_tonumber(L, 1), bare.data + bare.count, 65536, 0);
    if (n > 0) bare.count += (size_t)n;
    return 0;
}

/* cref.line() -> string | nothing: there is no whole one */
static int cref_line(lua_State *L) {
    char *from = bare.from, *end = memchr(from, '\n', bare.count);
    if (!end) return 0;
    lua_pushlstring(L, from, (size_t)(end - from) - (end > from && end[-1] == '\r'));
    bare.from = end + 1;
    bare.count -= (size_t)(bare.from - from);
    return 1;
}

const luaL_Reg cref_buffer[] = {
    { "lines", cref_lines }, { "pour", cref_pour }, { "line", cref_line }, { NULL, NULL },
};
