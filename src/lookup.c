/* Names to addresses and back, with the system's resolver: resolve, which may block, and lookup, which does not. */
#include "err.h"
#include "lsocket.h"
#include "net/gai.h"
#include "net/query.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

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

static int check_family(lua_State *L, int arg) {
    static const char *const names[] = { "inet", "inet6", NULL };
    if (lua_isnoneornil(L, arg)) return AF_UNSPEC;
    return luaL_checkoption(L, arg, NULL, names) == 0 ? AF_INET : AF_INET6;
}

/* Pushes the list that has one address alone. */
static int push_single(lua_State *L, const ls_Addr *addr, int family) {
    if (family != AF_UNSPEC && family != addr->u.sa.sa_family) return ls_fail(L, LS_EAI(EAI_NONAME));
    lua_newtable(L);
    ls_value_pushrecord(L, addr, 1);
    lua_rawseti(L, -2, 1);
    return 1;
}

/* lsocket.resolve(name [, family]) -> { { family = , addr = }, ... } | nil, message, name;  family: "inet", "inet6" */
static int core_resolve(lua_State *L) {
    size_t len;
    const char *name = ls_value_address(L, 1, &len);
    int family = check_family(L, 2), err;
    ls_Owner *owner;
    struct addrinfo *list;
    ls_Addr addr;
    err = ls_addr_isunix(name, len) ? LS_EAI(EAI_NONAME) : ls_addr_parse(name, len, 0, &addr);
    if (err == 0) return push_single(L, &addr, family);
    if (err != LS_ADDR_NAME) return ls_fail(L, err);
    owner = ls_state_own(L, release_list);
    err = ls_gai_lookup(name, len, family, 0, &list);
    if (err) return ls_fail(L, err);
    owner->thing = list;
    push_list(L, list, push_room(L, list));
    ls_state_release(owner);
    return 1;
}

/* ---- lookup ---- */

typedef struct Lookup {
    const void *magic;
    ls_Query *query; /* NULL: it was cancelled */
    int fd;          /* -1: it has none, or nobody has asked for it */
    int wanted;      /* LS_QUERY_... */
} Lookup;

static const char magics[LS_STATE_MAGICS];

static Lookup *check_self(lua_State *L) {
    Lookup *l = ls_state_object(L, 1, sizeof *l, &magics[LS_STATE_ALIVE]);
    if (!l) l = ls_state_finalized(L, 1, sizeof *l, &magics[LS_STATE_GONE], LS_STATE_LOOKUP);
    if (!l) ls_value_wrongtype(L, 1, "lookup");
    return l;
}

/* ---- what is asked ---- */

enum { NAME = 2, ADDRESS, FAMILY, CANONICAL }; /* where the named arguments are put */
static const char *const arguments[] = { "name", "address", "family", "canonical", NULL };

static int is_argument(const char *name) {
    int i;
    for (i = 0; arguments[i]; i++)
        if (strcmp(arguments[i], name) == 0) return 1;
    return 0;
}

/* Puts the fields of the table, argument 1, behind it. */
static void spread(lua_State *L) {
    int i;
    lua_settop(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
        if (!is_argument(name)) ls_value_refuse(L, 1, name, "no such argument");
    }
    for (i = 0; arguments[i]; i++) {
        lua_pushstring(L, arguments[i]);
        lua_rawget(L, 1);
    }
}

static void check_named(lua_State *L, int index, const char *problem) {
    if (problem) ls_value_refuse(L, 1, arguments[index - NAME], problem);
}

/* AF_UNSPEC: there is no such family. */
static int named_family(lua_State *L) {
    const char *name = lua_type(L, FAMILY) == LUA_TSTRING ? lua_tostring(L, FAMILY) : "";
    return strcmp(name, "inet") == 0 ? AF_INET : strcmp(name, "inet6") == 0 ? AF_INET6 : AF_UNSPEC;
}

/* { name = [, family =] [, canonical =] } or { address = } */
static void read_named(lua_State *L, ls_Question *q) {
    int reverse, text, i;
    spread(L);
    reverse = !lua_isnil(L, ADDRESS);
    text = reverse ? ADDRESS : NAME;
    for (i = NAME; i <= CANONICAL; i++)
        if (reverse && i != ADDRESS && !lua_isnil(L, i)) check_named(L, i, "of no use with an address");
    check_named(L, text, ls_value_readaddress(L, text, &q->text, &q->len));
    if (lua_toboolean(L, CANONICAL)) q->wanted = LS_QUERY_CANONICAL;
    if (!lua_isnil(L, CANONICAL) && !lua_isboolean(L, CANONICAL)) check_named(L, CANONICAL, "boolean expected");
    if (reverse) q->wanted = LS_QUERY_NAME;
    if (lua_isnil(L, FAMILY)) return;
    q->family = named_family(L);
    if (q->family == AF_UNSPEC) check_named(L, FAMILY, "inet or inet6 expected");
}

/* (name [, family]) */
static void read_question(lua_State *L, ls_Question *q) {
    q->text = ls_value_address(L, 1, &q->len);
    q->family = check_family(L, 2);
}

/* lsocket.lookup(name [, family]) -> lookup | nil, message, name;  or lookup{ name = value, ... } */
static int core_lookup(lua_State *L) {
    ls_Question question = { NULL, 0, AF_UNSPEC, LS_QUERY_ADDRESSES };
    Lookup *l;
    int err;
    if (lua_istable(L, 1)) read_named(L, &question);
    else read_question(L, &question);
    l = ls_newuserdata(L, sizeof *l);
    l->magic = &magics[LS_STATE_ALIVE];
    l->query = NULL;
    l->fd = -1;
    l->wanted = question.wanted;
    lua_rawgeti(L, LS_STATE, LS_STATE_LOOKUP);
    lua_setmetatable(L, -2);
    err = ls_query_start(&question, &l->query);
    return err ? ls_fail(L, err) : 1;
}

/* Copies the name that was found before Lua is called, as push_list does; "": there is none. */
static void copy_name(const struct addrinfo *list, char name[NI_MAXHOST]) {
    size_t len = list->ai_canonname ? strnlen(list->ai_canonname, NI_MAXHOST - 1) : 0;
    if (len > 0) memcpy(name, list->ai_canonname, len);
    name[len] = '\0';
}

/* lookup:result() -> { { family = , addr = }, ... } | false | nil, message, name;  always the same, once it is there.
   The list has the field canonical where that was asked for; of an address the result is its name. */
static int lookup_result(lua_State *L) {
    const Lookup *l = check_self(L);
    const struct addrinfo *list;
    char name[NI_MAXHOST];
    ls_Addr *addrs;
    int err = l->query ? ls_query_answer(l->query, &list) : ECANCELED;
    if (err == LS_QUERY_RUNNING) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (err) return ls_fail(L, err);
    copy_name(list, name);
    if (l->wanted == LS_QUERY_NAME) {
        lua_pushstring(L, name);
        return 1;
    }
    addrs = push_room(L, list);
    if (!l->query) return ls_fail(L, ECANCELED); /* that ran a finalizer, which has cancelled the lookup */
    push_list(L, list, addrs);
    if (name[0] == '\0') return 1;
    lua_pushstring(L, name);
    lua_setfield(L, -2, "canonical");
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

/* With all that it holds: what was cancelled leaves nothing to the collector. */
static void drop(Lookup *l) {
    if (l->query) ls_query_drop(l->query);
    l->query = NULL;
    l->fd = -1;
}

/* lookup:cancel() -> true;  harmless when it is done or cancelled */
static int lookup_cancel(lua_State *L) {
    Lookup *l = check_self(L);
    if (l->fd >= 0) ls_state_forget(L, l->fd, 1);
    drop(l);
    return ls_succeed(L);
}

static int lookup_gc(lua_State *L) {
    Lookup *l = check_self(L);
    drop(l);
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
