/* A Lua module with what specs of forks need, compiled by spec/forking.lua. It declares what it uses of Lua itself,
   which is the same in every version, and so needs no headers. */
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct lua_State lua_State;
typedef int (*lua_CFunction)(lua_State *L);
double luaL_checknumber(lua_State *L, int arg);
void lua_pushnumber(lua_State *L, double number);
void lua_pushcclosure(lua_State *L, lua_CFunction function, int upvalues);
void lua_createtable(lua_State *L, int array, int fields);
void lua_setfield(lua_State *L, int index, const char *name);

enum { PATIENCE = 60 /* seconds, after which a child is killed */ };

/* fork() -> pid | 0 | -1 */
static int forking_fork(lua_State *L) {
    pid_t pid = fork();
    if (pid == 0) alarm(PATIENCE);
    lua_pushnumber(L, pid);
    return 1;
}

/* wait(pid) -> status, 128 + signal where one has ended it */
static int forking_wait(lua_State *L) {
    int status = 0;
    waitpid((pid_t)luaL_checknumber(L, 1), &status, 0);
    lua_pushnumber(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 1;
}

/* exit(status): at once, without finalizers and without writing what is buffered */
static int forking_exit(lua_State *L) {
    _exit((int)luaL_checknumber(L, 1));
    return 0;
}

/* close(fd): behind the back of whoever owns it */
static int forking_close(lua_State *L) {
    lua_pushnumber(L, close((int)luaL_checknumber(L, 1)));
    return 1;
}

/* dup(fd) -> fd */
static int forking_dup(lua_State *L) {
    lua_pushnumber(L, dup((int)luaL_checknumber(L, 1)));
    return 1;
}

/* dup2(from, to) -> fd */
static int forking_dup2(lua_State *L) {
    lua_pushnumber(L, dup2((int)luaL_checknumber(L, 1), (int)luaL_checknumber(L, 2)));
    return 1;
}

static void set(lua_State *L, const char *name, lua_CFunction function) {
    lua_pushcclosure(L, function, 0);
    lua_setfield(L, -2, name);
}

int luaopen_forking(lua_State *L);

int luaopen_forking(lua_State *L) {
    lua_createtable(L, 0, 6);
    set(L, "fork", forking_fork);
    set(L, "wait", forking_wait);
    set(L, "exit", forking_exit);
    set(L, "close", forking_close);
    set(L, "dup", forking_dup);
    set(L, "dup2", forking_dup2);
    return 1;
}
