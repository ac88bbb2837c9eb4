/* Signals as objects that can be waited for. What happens when a signal comes is left to net/signal.c. */
#include "err.h"
#include "lsocket.h"
#include "net/signal.h"
#include "net/signame.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

typedef struct Signals {
    const void *magic;
    ls_Signals *signals; /* NULL: closed */
} Signals;

static const char magics[LS_STATE_MAGICS];

static Signals *check_self(lua_State *L) {
    Signals *s = ls_state_object(L, 1, sizeof *s, &magics[LS_STATE_ALIVE]);
    if (!s) s = ls_state_finalized(L, 1, sizeof *s, &magics[LS_STATE_GONE], LS_STATE_SIGNALS);
    if (!s) ls_value_wrongtype(L, 1, "signals");
    return s;
}

static int check_signal(lua_State *L, int arg) {
    size_t len;
    const char *name;
    int number;
    if (lua_type(L, arg) != LUA_TSTRING) ls_value_wrongtype(L, arg, "string");
    name = lua_tolstring(L, arg, &len);
    number = ls_signame_number(name, len);
    if (!number) {
        const char *hint = strncmp(name, "SIG", 3) == 0 ? ": leave out SIG" : "";
        luaL_argerror(L, arg, lua_pushfstring(L, "no signal is called '%s'%s", name, hint));
    }
    if (!ls_signame_allowed(number)) luaL_argerror(L, arg, lua_pushfstring(L, "%s cannot be listened to", name));
    return number;
}

/* lsocket.signals(name, ...) -> signals | nil, message, name;  name: "TERM", "INT", "RTMIN+1" */
static int core_signals(lua_State *L) {
    int count = lua_gettop(L), arg = 1, err;
    Signals *s;
    sigset_t set;
    sigemptyset(&set);
    do sigaddset(&set, check_signal(L, arg));
    while (++arg <= count);
    s = ls_newuserdata(L, sizeof *s);
    s->magic = &magics[LS_STATE_ALIVE];
    s->signals = NULL;
    lua_rawgeti(L, LS_STATE, LS_STATE_SIGNALS);
    lua_setmetatable(L, -2);
    err = ls_signal_open(&set, &s->signals);
    return err ? ls_fail(L, err) : 1;
}

/* signals:next() -> name | false: none has come | nil, message, name
   It is taken when the string is there, so none is lost where memory ends; a finalizer may have taken it meanwhile. */
static int signals_next(lua_State *L) {
    const Signals *s = check_self(L);
    char name[LS_SIGNAME_ROOM];
    int number;
    do {
        if (!s->signals) return ls_fail(L, EBADF);
        number = ls_signal_waiting(s->signals);
        if (!number) {
            lua_pushboolean(L, 0);
            return 1;
        }
        ls_signame_text(number, name);
        lua_pushstring(L, name);
    } while (!s->signals || !ls_signal_take(s->signals, number));
    return 1;
}

/* signals:getfd() -> descriptor;  readable while there is a next one; -1 when closed */
static int signals_getfd(lua_State *L) {
    const Signals *s = check_self(L);
    lua_pushinteger(L, s->signals ? ls_signal_getfd(s->signals) : -1);
    return 1;
}

static void shut(Signals *s) {
    ls_Signals *signals = s->signals;
    s->signals = NULL;
    if (signals) ls_signal_close(signals);
}

/* signals:close() -> true;  harmless when it is closed */
static int signals_close(lua_State *L) {
    Signals *s = check_self(L);
    if (s->signals) ls_state_forget(L, ls_signal_getfd(s->signals), 1);
    shut(s);
    return ls_succeed(L);
}

static int signals_gc(lua_State *L) {
    Signals *s = check_self(L);
    shut(s);
    s->magic = &magics[LS_STATE_GONE];
    return 0;
}

static int signals_tostring(lua_State *L) {
    lua_pushfstring(L, "signals: %p", (void *)check_self(L));
    return 1;
}

static const luaL_Reg methods[] = {
    { "next", signals_next }, { "getfd", signals_getfd }, { "close", signals_close }, { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", signals_gc },
    { "__close", signals_close },
    { "__tostring", signals_tostring },
    { NULL, NULL },
};

static const luaL_Reg functions[] = { { "signals", core_signals }, { NULL, NULL } };

void ls_signals_open(lua_State *L) {
    ls_state_class(L, LS_STATE_SIGNALS, "signals", methods, metamethods);
    ls_state_register(L, functions);
}
