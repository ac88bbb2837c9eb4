/* Names to addresses, with the system's resolver: resolve, which may block, and lookup, which does not. */
#include "err.h"
#include "lsocket.h"
#include "net/gai.h"
#include "net/query.h"
#include "state.h"
#include "value.h"

#include <errno.h>

/* ---- resolve ---- */

static void release_list(void *list) {
    freeaddrinfo(list);
}

/* Pushes room for the addresses of a list. */
static ls_Addr *push_room(lua_State *L, const struct addrinfo *list) {
    size_t count = 0;
    for (; list; list = list->ai_next) count++;
    return ls_newuserdata(L, (count + 1) * sizeof(ls_Addr));
}

static int is_among(const ls_Addr *addrs, int count, const ls_Addr *addr) {
    int i;
    for (i = 0; i < count; i++)
        if (ls_addr_equal(&addrs[i], addr)) return 1;
    return 0;
}

/* Pushes the table of what is in the list, each address once. The list itself is done with before Lua is called. */
static void push_list(lua_State *L, const struct addrinfo *list, ls_Addr *addrs) {
    int count = 0, i;
    for (; list; list = list->ai_next) {
        if (list->ai_family != AF_INET && list->ai_family != AF_INET6) continue;
        ls_addr_copy(&addrs[count], list->ai_addr, list->ai_family);
        if (!is_among(addrs, count, &addrs[count])) count++;
    }
    lua_createtable(L, count, 0);
    for (i = 0; i < count; i++) {
        ls_value_pushrecord(L, &addrs[i], 1);
        lua_rawseti(L, -2, i + 1);
    }
}

/* lsocket.resolve(name) -> { { family = , addr = }, ... } | nil, message, name */
static int core_resolve(lua_State *L) {
    size_t len;
    const char *name = ls_value_address(L, 1, &len);
    ls_Owner *owner;
    struct addrinfo *list;
    ls_Addr addr;
    int err = ls_addr_isunix(name, len) ? LS_EAI(EAI_NONAME) : ls_addr_parse(name, len, 0, &addr);
    if (err == 0) {
        lua_newtable(L);
        ls_value_pushrecord(L, &addr, 1);
        lua_rawseti(L, -2, 1);
        return 1;
    }
    if (err != LS_ADDR_NAME) return ls_fail(L, err);
    owner = ls_state_own(L, release_list);
    err = ls_gai_lookup(name, len, AF_UNSPEC, &list);
    if (err) return ls_fail(L, err);
    owner->thing = list;
    push_list(L, list, push_room(L, list));
    ls_state_release(owner);
    return 1;
}

/* ---- lookup ---- */

typedef struct Lookup {
    const void *magic;
    ls_Query *query; /* NULL: it was finalized */
    int fd;          /* -1: it has none, or nobody has asked for it */
} Lookup;

static const char magics[LS_STATE_MAGICS];

static Lookup *check_self(lua_State *L) {
    Lookup *l = ls_state_object(L, 1, sizeof *l, &magics[LS_STATE_ALIVE]);
    if (!l) l = ls_state_finalized(L, 1, sizeof *l, &magics[LS_STATE_GONE], LS_STATE_LOOKUP);
    if (!l) ls_value_wrongtype(L, 1, "lookup");
    return l;
}

static int check_family(lua_State *L, int arg) {
    static const char *const names[] = { "inet", "inet6", NULL };
    if (lua_isnoneornil(L, arg)) return AF_UNSPEC;
    return luaL_checkoption(L, arg, NULL, names) == 0 ? AF_INET : AF_INET6;
}

/* lsocket.lookup(name [, family]) -> lookup | nil, message, name;  family: "inet", "inet6" */
static int core_lookup(lua_State *L) {
    size_t len;
    const char *name = ls_value_address(L, 1, &len);
    int family = check_family(L, 2), err;
    Lookup *l = ls_newuserdata(L, sizeof *l);
    l->magic = &magics[LS_STATE_ALIVE];
    l->query = NULL;
    l->fd = -1;
    lua_rawgeti(L, LS_STATE, LS_STATE_LOOKUP);
    lua_setmetatable(L, -2);
    err = ls_query_start(name, len, family, &l->query);
    return err ? ls_fail(L, err) : 1;
}

/* lookup:result() -> { { family = , addr = }, ... } | false | nil, message, name;  always the same, once it is there */
static int lookup_result(lua_State *L) {
    const Lookup *l = check_self(L);
    const struct addrinfo *list;
    ls_Addr *addrs;
    int err = l->query ? ls_query_answer(l->query, &list) : ECANCELED;
    if (err == LS_QUERY_RUNNING) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (err) return ls_fail(L, err);
    addrs = push_room(L, list);
    if (!l->query) return ls_fail(L, ECANCELED); /* that ran a finalizer, which has finalized the lookup by hand */
    push_list(L, list, addrs);
    return 1;
}

/* lookup:getfd() -> descriptor | nil, message, name;  readable once the result is there; -1 when cancelled */
static int lookup_getfd(lua_State *L) {
    Lookup *l = check_self(L);
    int err = l->query ? ls_query_getfd(l->query, &l->fd) : 0;
    if (err) return ls_fail(L, err);
    lua_pushinteger(L, l->fd);
    return 1;
}

/* lookup:cancel() -> true;  harmless when it is done or cancelled */
static int lookup_cancel(lua_State *L) {
    Lookup *l = check_self(L);
    if (l->fd >= 0) ls_state_forget(L, l->fd, 1);
    l->fd = -1;
    if (l->query) ls_query_cancel(l->query);
    return ls_succeed(L);
}

static int lookup_gc(lua_State *L) {
    Lookup *l = check_self(L);
    if (l->query) ls_query_drop(l->query);
    l->query = NULL;
    l->fd = -1;
    l->magic = &magics[LS_STATE_GONE];
    return 0;
}

static int lookup_tostring(lua_State *L) {
    lua_pushfstring(L, "lookup: %p", (void *)check_self(L));
    return 1;
}

static const luaL_Reg methods[] = {
    { "result", lookup_result }, { "getfd", lookup_getfd }, { "cancel", lookup_cancel }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", lookup_gc },
    { "__close", lookup_cancel },
    { "__tostring", lookup_tostring },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "resolve", core_resolve }, { "lookup", core_lookup }, { NULL, NULL } };

void ls_lookup_open(lua_State *L) {
    ls_state_class(L, LS_STATE_LOOKUP, "lookup", methods, metamethods);
    ls_state_register(L, functions);
}
