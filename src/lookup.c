/* lsocket.resolve: names to addresses, with the system's resolver, which may block. */
#include "err.h"
#include "lsocket.h"
#include "net/gai.h"
#include "state.h"
#include "value.h"

static void release_list(void *list) {
    freeaddrinfo(list);
}

static int is_first(const struct addrinfo *list, const struct addrinfo *item) {
    ls_Addr wanted, addr;
    ls_addr_copy(&wanted, item->ai_addr, item->ai_family);
    for (; list != item; list = list->ai_next) {
        ls_addr_copy(&addr, list->ai_addr, list->ai_family);
        if (ls_addr_equal(&addr, &wanted)) return 0;
    }
    return 1;
}

static void push_list(lua_State *L, const struct addrinfo *list) {
    const struct addrinfo *item;
    ls_Addr addr;
    int n = 0;
    lua_newtable(L);
    for (item = list; item; item = item->ai_next) {
        if ((item->ai_family != AF_INET && item->ai_family != AF_INET6) || !is_first(list, item)) continue;
        ls_addr_copy(&addr, item->ai_addr, item->ai_family);
        ls_value_pushrecord(L, &addr, 1);
        lua_rawseti(L, -2, ++n);
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
    push_list(L, list);
    ls_state_release(owner);
    return 1;
}

static const luaL_Reg functions[] = { { "resolve", core_resolve }, { NULL, NULL } };

void ls_lookup_open(lua_State *L) {
    ls_state_register(L, functions);
}
