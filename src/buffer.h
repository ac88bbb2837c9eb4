/* The buffer object, for those files that receive into one: buffer.c and wish.c. */
#ifndef LS_BUFFER_H
#define LS_BUFFER_H

#include "net/bytes.h"
#include "socket.h"

typedef struct ls_Buffer {
    const void *magic;
    size_t max; /* of bytes in a record; 0: the buffer was finalized */
    struct Shared *shared;
    ls_Bytes bytes;
    uint64_t passed; /* bytes that __receive has returned without putting them here */
    unsigned calls, limit; /* how often __receive was called, and may be, until others have their turn */
} ls_Buffer;

enum { LS_BUFFER_RECEIVE = 65536 }; /* bytes that are received at once, unless others are wanted */

extern const char ls_buffer_magics[LS_STATE_MAGICS];
ls_Buffer *ls_buffer_checkslowly(lua_State *L);

/* The buffer at this place of the stack; NULL: it is none, or was finalized. */
LS_HOT ls_Buffer *ls_buffer_find(lua_State *L, int index) {
    return ls_state_object(L, index, sizeof(ls_Buffer), &ls_buffer_magics[LS_STATE_ALIVE]);
}

/* The first argument of every method; raises where it is no buffer. */
LS_HOT ls_Buffer *ls_buffer_check(lua_State *L) {
    ls_Buffer *b = ls_buffer_find(L, 1);
    return LS_LIKELY(b != NULL) ? b : ls_buffer_checkslowly(L);
}

/* The second one; raises where it is no socket. */
ls_Socket *ls_buffer_checksocket(lua_State *L);

/* Receives up to size bytes of a stream that has a layer: 0 or an errno. No Lua runs in between. */
int ls_buffer_fill(ls_Buffer *b, ls_Layer *layer, size_t size, size_t *n);

/* Pushes the first len bytes; pushcopy: as they are copied to a block of the state, which may run a finalizer. */
typedef size_t ls_Copier(char *to, const char *from, size_t len);
void ls_buffer_push(lua_State *L, const ls_Buffer *b, size_t len);
void ls_buffer_pushcopy(lua_State *L, const ls_Bytes *bytes, size_t len, ls_Copier *copier);

/* What lsocket.luasocket receives with: metamethods of buffers, in wish.c. */
int ls_wish_receive(lua_State *L);
int ls_wish_rest(lua_State *L);
int ls_wish_limit(lua_State *L);
int ls_wish_gone(lua_State *L);

/* What __receive of the buffer at this place does; pattern: the place of what is wanted. 0: there is no buffer. */
int ls_wish_receiveby(lua_State *L, int index, const ls_Socket *s, int pattern);

#endif
