/* What malloc has given out and not got back, for the soak: no memory that is free inside of the process is counted. */
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#define HAVE_MALLINFO2 1
#include <malloc.h>
#else
#define HAVE_MALLINFO2 0
#endif

int luaopen_heap(lua_State *L);

/* heap() -> bytes | nil: not to be known here;  gives free memory back to the system first */
static int heap(lua_State *L) {
#if HAVE_MALLINFO2
    struct mallinfo2 info;
    malloc_trim(0);
    info = mallinfo2();
    lua_pushnumber(L, (lua_Number)(info.uordblks + info.hblkhd));
#else
    lua_pushnil(L);
#endif
    return 1;
}

int luaopen_heap(lua_State *L) {
    lua_pushcfunction(L, heap);
    return 1;
}
