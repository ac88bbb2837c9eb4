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

const luaL_Reg cref_buffer[] = { { "lines", cref_lines }, { NULL, NULL } };
