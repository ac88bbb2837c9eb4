/* What the library keeps for one Lua state: a table that is the first upvalue of every function it registers.
   No other memory of the library outlives a call, and nothing is shared between states. */
#ifndef LS_STATE_H
#define LS_STATE_H

#include "compat.h"

#define LS_STATE lua_upvalueindex(1)

/* The magics of a type of object: the addresses of two bytes, which are nobody else's. */
enum { LS_STATE_ALIVE, LS_STATE_GONE, LS_STATE_MAGICS };

enum { /* its fields */
    LS_STATE_SOCKET = 1, /* the metatable of sockets */
    LS_STATE_OWNER,      /* the metatable of owners */
    LS_STATE_RECEIVE,    /* a block to receive large pieces into */
    LS_STATE_SEND,       /* a block to put large datagrams together in */
    LS_STATE_SELECT,     /* a block for select's descriptors */
    LS_STATE_POLLER,     /* the metatable of pollers */
    LS_STATE_POLLERS,    /* weak keys: every poller there is */
    LS_STATE_FORGET,     /* the function behind ls_state_forget */
    LS_STATE_BATCH,      /* the metatable of batches */
    LS_STATE_LOOKUP,     /* the metatable of lookups */
    LS_STATE_SIGNALS,    /* the metatable of signals */
    LS_STATE_BUFFER,     /* the metatable of buffers */
    LS_STATE_SHARED,     /* what buffers have in common */
    LS_STATE_BARE,       /* iterators over the lines of a buffer: without their ends */
    LS_STATE_KEPT,       /* with them */
    LS_STATE_LAYERS,     /* weak keys: [socket] = its layer; [1] = the rings that they stand in */
    LS_STATE_LAYER,      /* the metatable of layers */
    LS_STATE_RING,       /* the metatable of rings */
    LS_STATE_RINGS,      /* weak keys: every ring there is */
    LS_STATE_SIZE = LS_STATE_RINGS
};

/* The userdata at this place of the stack, if it is an object of the library: one of at least that size, which begins
   with that pointer. The length is asked first: it is 0 for a light userdata, which points anywhere. Else NULL. */
LS_HOT void *ls_state_object(lua_State *L, int index, size_t size, const void *magic) {
    void *object = lua_touserdata(L, index);
    return LS_LIKELY(object && lua_rawlen(L, index) >= size && *(const void *const *)object == magic) ? object : NULL;
}

/* The same for one that was finalized, and has another magic since; as its memory may have come back as another
   library's userdata, its metatable, the given field, must tell so, too. */
void *ls_state_finalized(lua_State *L, int index, size_t size, const void *magic, int field);

/* While the library opens, the state table is at this place of the stack; all ls_*_open functions rely on it. */
enum { LS_OPEN_STATE = 1 };

/* Pushes the new state table; the stack must be empty. */
void ls_state_open(lua_State *L);

/* Sets functions in the table on top. Only while the library opens. */
void ls_state_register(lua_State *L, const luaL_Reg *functions);

/* Makes the metatable of a type of object, in the given field. Only while the library opens. */
void ls_state_class(lua_State *L, int field, const char *type, const luaL_Reg *methods, const luaL_Reg *metamethods);

/* Takes the object at this place of the stack, which is about to give up the descriptor, out of pollers and rings. */
void ls_state_forget(lua_State *L, int fd, int index);

/* Pushes a table by weak keys that is in the registry, under that address. A program that opens the library again has
   one for all of it. */
void ls_state_pushlist(lua_State *L, const void *key);

/* Lends the state's block of the given field, at least size bytes, and pushes it. While it is lent, whoever asks again
   (a finalizer that the collector runs in mid-call, say) gets another one. An error in between loses nothing. */
void *ls_state_lend(lua_State *L, int field, size_t size);

/* Takes back the block at this place of the stack. */
void ls_state_giveback(lua_State *L, int field, int index);

/* Something of the C library's that must be released, owned by a userdata while Lua may throw. */
typedef struct ls_Owner {
    void *thing;
    void (*release)(void *thing);
} ls_Owner;

/* Pushes an owner of nothing: set thing after. */
ls_Owner *ls_state_own(lua_State *L, void (*release)(void *thing));
void ls_state_release(ls_Owner *owner);

#endif
