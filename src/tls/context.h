/* The context object: what a program makes once, and starts connections with. */
#ifndef LT_CONTEXT_H
#define LT_CONTEXT_H

#include "connection.h"
#include "options.h"

typedef struct lt_Context {
    const void *magic; /* tells a context from any other userdata */
    lt_Setup *setup;   /* NULL: it is not made yet, or collected */
    lt_Options options;
} lt_Context;

/* tls.client, tls.server */
int lt_context_client(lua_State *L);
int lt_context_server(lua_State *L);

/* Makes the metatable, by the core. Only while the library opens, with its table at this place of the stack. */
void lt_context_open(lua_State *L, const ls_LayerCore *core, int own);

/* The argument; raises where it is no context. */
lt_Context *lt_context_check(lua_State *L, int arg);

#endif
