/* lsocket.tobytes and lsocket.toaddress: addresses as protocols carry them, which is without port and zone. */
#include "err.h"
#include "lsocket.h"
#include "state.h"
#include "value.h"

#include <errno.h>

/* lsocket.tobytes(address) -> 4 or 16 bytes | nil, message, name */
static int core_tobytes(lua_State *L) {
    unsigned char bytes[LS_ADDR_BYTES];
    size_t len;
    const char *text = ls_value_address(L, 1, &len);
    ls_Addr addr;
    int err = ls_addr_isunix(text, len) ? EAFNOSUPPORT : ls_addr_numeric(text, len, 0, &addr);
    if (err) return ls_fail(L, err);
    len = ls_addr_bytes(&addr, bytes);
    lua_pushlstring(L, (const char *)bytes, len);
    return 1;
}

/* lsocket.toaddress(bytes) -> address | nil, message, name */
static int core_toaddress(lua_State *L) {
    size_t len;
    const char *bytes;
    ls_Addr addr;
    luaL_checktype(L, 1, LUA_TSTRING);
    bytes = lua_tolstring(L, 1, &len);
    if (ls_addr_frombytes(&addr, bytes, len) != 0) return ls_fail_text(L, EINVAL, "an address has 4 or 16 bytes");
    ls_value_pushtext(L, &addr, 0);
    return 1;
}

static const luaL_Reg functions[] = {
    { "tobytes", core_tobytes }, { "toaddress", core_toaddress }, { NULL, NULL },
};

void ls_address_open(lua_State *L) {
    ls_state_register(L, functions);
}
