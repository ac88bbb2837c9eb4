/* What the library keeps for one Lua state: the second upvalue of every function that it registers. Connections and
   setups hold it as well, as they may outlive the table in which it stands. */
#ifndef LT_SHARED_H
#define LT_SHARED_H

#include "../layer.h"

#include <openssl/bio.h>
#include <openssl/x509.h>

enum {
    LT_INPUT = 65536 + 1024, /* a receive of 64 KiB takes four records and what they have around them */
    LT_OUTPUT = 65536 + 4096
};

typedef struct lt_Shared {
    int holders;
    const ls_LayerCore *core;
    BIO_METHOD *method; /* bio.c's */
    X509_STORE *system; /* the system's roots, once they were needed */
    /* Blocks of the call that is going on. No two calls overlap, as none calls Lua. */
    char input[LT_INPUT], output[LT_OUTPUT];
} lt_Shared;

/* NULL where memory is lacking. */
lt_Shared *lt_shared_new(const ls_LayerCore *core);
lt_Shared *lt_shared_hold(lt_Shared *shared);
void lt_shared_release(lt_Shared *shared); /* NULL is harmless */

/* The table that is the second upvalue, and its fields. */
#define LT_OWN lua_upvalueindex(2)
enum {
    LT_OWN_PLACE = 1, /* the lt_Place */
    LT_OWN_CONTEXT,    /* the metatable of contexts */
    LT_OWN_SIZE = LT_OWN_CONTEXT
};

/* A userdata, the first thing to be made. While the Lua state closes, finalizers may still come after its own. */
typedef struct lt_Place {
    const ls_LayerCore *core;
    lt_Shared *shared; /* NULL then */
} lt_Place;
void lt_shared_open(lua_State *L, const ls_LayerCore *core, int own);

lt_Shared *lt_shared_get(lua_State *L);
const ls_LayerCore *lt_shared_core(lua_State *L);

#endif
