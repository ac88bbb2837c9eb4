/* What the files in Lua compile to: thousands of states load them, and to compile is most of what that takes. */
#define _GNU_SOURCE
#include "chunks.h"
#include "inject.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

typedef struct Chunk {
    char *path, *code;
    size_t size;
} Chunk;

static Chunk chunks[100];
static size_t count;

static const Chunk *find(const char *path) {
    size_t i;
    for (i = 0; i < count; i++)
        if (strcmp(chunks[i].path, path) == 0) return chunks + i;
    return NULL;
}

static int append(lua_State *L, const void *code, size_t size, void *context) {
    Chunk *chunk = context;
    (void)L;
    chunk->code = realloc(chunk->code, chunk->size + size);
    memcpy(chunk->code + chunk->size, code, size);
    chunk->size += size;
    return 0;
}

/* The function on top is what a file compiles to. It is kept as long as the program runs. */
static void keep(lua_State *L, const char *path) {
    Chunk chunk = { NULL, NULL, 0 };
    alloc_ignore(1);
    chunk.path = strdup(path);
#if LUA_VERSION_NUM >= 503
    lua_dump(L, append, &chunk, 0);
#else
    lua_dump(L, append, &chunk);
#endif
    chunks[count++] = chunk;
    alloc_ignore(0);
}

int chunks_load(lua_State *L, const char *path) {
    const Chunk *chunk = find(path);
    int status;
    if (chunk) return luaL_loadbuffer(L, chunk->code, chunk->size, path);
    status = luaL_loadfile(L, path);
    if (status == 0 && count < sizeof chunks / sizeof *chunks) keep(L, path);
    return status;
}

/* dofile(path) -> the file's one result */
static int do_file(lua_State *L) {
    if (chunks_load(L, luaL_checkstring(L, 1)) != 0) return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

/* (name) -> the module's chunk;  name: of one in lib/ */
static int search(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *path;
    if (strncmp(name, "lsocket", 7) != 0) return 0;
    path = lua_pushfstring(L, "lib/%s.lua", luaL_gsub(L, name, ".", "/"));
    if (chunks_load(L, path) != 0) return lua_error(L);
    return 1;
}

void chunks_open(lua_State *L) {
    lua_pushcfunction(L, do_file);
    lua_setglobal(L, "dofile");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, LUA_VERSION_NUM >= 502 ? "searchers" : "loaders");
    lua_pushcfunction(L, search);
    lua_rawseti(L, -2, 2); /* after what is loaded beforehand */
    lua_pop(L, 2);
}
