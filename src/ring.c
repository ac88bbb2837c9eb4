/* The ring: requests to receive and to send, and what they have come to. What it knows of descriptors is in
   ring_slots.c; how the kernel gets requests is left to net/ring.c. */
#include "err.h"
#include "lsocket.h"
#include "net/fd.h"
#include "net/poll.h"
#include "net/ring.h"
#include "ring_slots.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <string.h>

#if LS_HAVE_IO_URING

typedef ls_RingSlots Ring;
typedef ls_RingSlot Slot;
typedef ls_RingEnd End;

static const char magics[LS_STATE_MAGICS];

/* ---- the object ---- */

static Ring *check_slowly(lua_State *L) {
    Ring *r = ls_state_finalized(L, 1, sizeof *r, &magics[LS_STATE_GONE], LS_STATE_RING);
    if (!r) ls_value_wrongtype(L, 1, "ring");
    return r;
}

LS_HOT Ring *check_self(lua_State *L) {
    Ring *r = ls_state_object(L, 1, sizeof *r, &magics[LS_STATE_ALIVE]);
    return LS_LIKELY(r != NULL) ? r : check_slowly(L);
}

static int fail(lua_State *L, int err) {
    return err == EEXIST ? ls_fail_text(L, err, "another thread has opened the ring") : ls_fail(L, err);
}

/* lsocket.ring() -> ring | nil, message, name */
static int core_ring(lua_State *L) {
    Ring *r = ls_newuserdatawithtable(L, sizeof *r);
    int err;
    memset(r, 0, sizeof *r);
    r->magic = &magics[LS_STATE_ALIVE];
    ls_ringslots_settables(L, lua_gettop(L));
    lua_rawgeti(L, LS_STATE, LS_STATE_RING);
    lua_setmetatable(L, -2);
    lua_rawgeti(L, LS_STATE, LS_STATE_RINGS);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    err = ls_ring_open(&r->ring);
    return err ? ls_fail(L, err) : 1;
}

/* ---- requests ---- */

/* Argument 2 is no plain socket: EOPNOTSUPP, EBADF. */
static int refuse(lua_State *L) {
    const ls_Socket *s = ls_socket_test(L, 2);
    if (!s) return ls_value_wrongtype(L, 2, "socket");
    return s->fd < 0 ? EBADF : EOPNOTSUPP;
}

/* What requests of sockets begin with: the slot. 0 or an errno. */
LS_HOT int begin(lua_State *L, Ring *r, Slot **slot) {
    ls_Socket *s = ls_socket_find(L, 2);
    if (!LS_LIKELY(s != NULL)) return refuse(L);
    if (!LS_LIKELY(r->ring && s->fd >= 0)) return EBADF;
    if (!LS_LIKELY(s->type == SOCK_STREAM)) return EOPNOTSUPP;
    s->flags |= LS_SOCKET_WATCHED;
    return ls_ringslots_find(L, r, s->fd, s, slot);
}

/* What a request that is no send ends with, which was begun but for err. */
LS_HOT int begun(lua_State *L, Ring *r, Slot *slot, int err) {
    if (LS_LIKELY(!err)) {
        slot->runs |= LS_POLL_READ;
        r->pending++;
        return ls_succeed(L);
    }
    slot->in = 0;
    return fail(L, err);
}

/* ring:receive(sock [, value [, size]]) -> true | nil, message, name */
static int ring_receive(lua_State *L) {
    Ring *r = check_self(L);
    size_t size = ls_value_size(L, 4, LS_RING_RECEIVE);
    Slot *slot;
    int err;
    luaL_argcheck(L, size > 0, 4, "size must be positive");
    err = begin(L, r, &slot);
    if (!err && slot->in) err = EBUSY;
    if (!LS_LIKELY(!err)) return fail(L, err);
    slot->in = LS_RING_IN_RECEIVE;
    return begun(L, r, slot, ls_ring_receive(r->ring, slot->fd, ls_ringslots_id(r, slot, 0), size));
}

/* ring:accept(listener [, value]) -> true | nil, message, name */
static int ring_accept(lua_State *L) {
    Ring *r = check_self(L);
    Slot *slot;
    int err = begin(L, r, &slot);
    if (!err && slot->in) err = EBUSY;
    if (err) return fail(L, err);
    slot->in = LS_RING_IN_ACCEPT;
    return begun(L, r, slot, ls_ring_accept(r->ring, slot->fd, ls_ringslots_id(r, slot, 0)));
}

/* The descriptor of argument 2, whatever it is. */
static int check_object(lua_State *L) {
    int fd = ls_socket_descriptor(L, 2);
    if (fd == LS_SOCKET_NONE) ls_value_wrongtype(L, 2, "socket, descriptor or object with getfd");
    return fd;
}

/* ring:poll(obj [, value [, events]]) -> true | nil, message, name;  events: "r" (default), "w", "rw" */
static int ring_poll(lua_State *L) {
    Ring *r = check_self(L);
    int events = lua_isnoneornil(L, 4) ? LS_POLL_READ : ls_value_events(L, 4), fd = check_object(L), err;
    ls_Socket *s = ls_socket_test(L, 2);
    Slot *slot;
    err = r->ring && fd >= 0 ? ls_ringslots_find(L, r, fd, s ? s : lua_topointer(L, 2), &slot) : EBADF;
    if (!err && slot->in) err = EBUSY;
    if (err) return fail(L, err);
    if (s) s->flags |= LS_SOCKET_WATCHED;
    slot->in = LS_RING_IN_POLL;
    events = (events & LS_POLL_READ ? POLLIN : 0) | (events & LS_POLL_WRITE ? POLLOUT : 0);
    return begun(L, r, slot, ls_ring_poll(r->ring, fd, ls_ringslots_id(r, slot, 0), events));
}

/* Makes strings of the pieces, which are the arguments from 4 on up to nil. How many bytes there are; what is too much
   counts as just that. */
LS_HOT size_t check_pieces(lua_State *L) {
    size_t len, size = 0;
    int i = 4;
    do {
        luaL_checklstring(L, i++, &len);
        size = len > LS_RING_SEND - size ? LS_RING_SEND + 1 : size + len;
    } while (size <= LS_RING_SEND && !lua_isnoneornil(L, i));
    return size;
}

LS_HOT void copy_pieces(lua_State *L, char *block) {
    size_t len;
    int i;
    for (i = 4; !lua_isnoneornil(L, i); i++) {
        const char *piece = lua_tolstring(L, i, &len);
        memcpy(block, piece, len);
        block += len;
    }
}

/* Copies the pieces to a block of the slot, which is sent. 0 or an errno. */
LS_HOT int send_pieces(lua_State *L, Ring *r, Slot *slot, size_t size) {
    int block = ls_ring_takeblock(r->ring), err;
    if (block < 0) return ls_ring_isours(r->ring) ? EAGAIN : EBADF;
    copy_pieces(L, ls_ring_block(r->ring, block));
    err = ls_ring_send(r->ring, slot->fd, ls_ringslots_id(r, slot, 1), block, size);
    if (err) {
        ls_ring_givebackblock(r->ring, block);
        return err;
    }
    slot->block = (short)block;
    slot->size = (unsigned short)size;
    slot->out = LS_RING_OUT_SEND;
    slot->runs |= LS_POLL_WRITE;
    r->pending++;
    return 0;
}

/* ring:send(sock, value, data, ...) -> true | false: nothing, or more than can be sent now | nil, message, name */
static int ring_send(lua_State *L) {
    Ring *r = check_self(L);
    size_t size = check_pieces(L);
    Slot *slot;
    int err = begin(L, r, &slot);
    if (!err && slot->out) err = EBUSY;
    if (!err) err = size > 0 && size <= LS_RING_SEND ? send_pieces(L, r, slot, size) : EAGAIN;
    if (LS_LIKELY(!err)) return ls_succeed(L);
    return err == EAGAIN ? ls_fail_io(L, err) : fail(L, err);
}

/* ---- what requests have come to ---- */

/* Pushes { message = , name = }. */
static void push_failure(lua_State *L, int err) {
    int top = lua_gettop(L);
    ls_fail(L, err);
    lua_createtable(L, 0, 2);
    lua_insert(L, top + 2);
    lua_setfield(L, top + 2, "name");
    lua_setfield(L, top + 2, "message");
    lua_remove(L, top + 1);
}

/* A finalizer may close the ring before the bytes are copied. */
static void push_bytes(lua_State *L, const Ring *r, const End *end) {
    char copy[LS_RING_RECEIVE];
    const char *bytes = ls_ring_buffer(r->ring, end->buffer);
    if (bytes && !LS_PUSH_COPIES_FIRST) bytes = memcpy(copy, bytes, (size_t)end->result);
    if (bytes) lua_pushlstring(L, bytes, (size_t)end->result);
    else push_failure(L, EBADF); /* a finalizer has forked */
}

LS_HOT int has_bytes(const End *end) { return end->buffer != LS_RING_NOBUFFER && end->result > 0; }

/* Pushes what wait gives for an end:
   receive: string | false: the end | true: there is something to receive | { message = , name = }
   poll: true | { message = , name = };  accept: a socket, which is born closed | { message = , name = }
   send: true: all | how many bytes | { message = , name = } */
LS_HOT void push_result(lua_State *L, const Ring *r, const End *end) {
    if (LS_LIKELY(end->kind == LS_RING_OUT_SEND && end->result == LS_RING_SENT)) lua_pushboolean(L, 1);
    else if (LS_LIKELY(has_bytes(end))) push_bytes(L, r, end);
    else if (end->kind == LS_RING_IN_RECEIVE && end->result == 0) lua_pushboolean(L, 0);
    else if (end->kind == LS_RING_IN_RECEIVE && end->result == -ENOBUFS) lua_pushboolean(L, 1);
    else if (end->result < 0) push_failure(L, -end->result);
    else if (end->kind == LS_RING_IN_ACCEPT) ls_socket_new(L);
    else if (end->kind == LS_RING_IN_POLL) lua_pushboolean(L, 1);
    else lua_pushinteger(L, end->result);
}

/* Gives a new socket its descriptor, which nobody wants where a finalizer has put something else in its place. */
static void hand_over(lua_State *L, const Ring *r, const End *end, int index) {
    const ls_Socket *listener = r->slots[end->slot].object;
    ls_Socket *s = ls_socket_find(L, index);
    if (!s || s->fd >= 0) {
        ls_fd_close(end->result);
        return;
    }
    s->fd = end->result;
    s->family = listener->family;
    s->type = listener->type;
}

/* An end has been given back: its buffer is the kernel's again, and its request is no more. */
LS_HOT void finish(lua_State *L, Ring *r, const End *end) {
    Slot *slot = &r->slots[end->slot];
    if (end->buffer != LS_RING_NOBUFFER) ls_ring_giveback(r->ring, end->buffer);
    slot->ends--;
    if (!end->more) {
        *(end->kind == LS_RING_OUT_SEND ? &slot->out : &slot->in) = 0;
        r->pending--;
    }
    if (!LS_LIKELY(slot->fd >= 0) && !ls_ringslots_isbusy(slot)) ls_ringslots_leave(L, r, 1, slot);
}

/* ---- waiting ---- */

/* How much there is in the arrays; other: of what was received, no bytes. */
typedef struct Told {
    int received, sent, other;
} Told;

/* Fills the arrays from 3 and from 5 on with all ends, given the table of values at 7. They stay in the queue, as this
   may raise: then the next wait gives them. It begins anew where a finalizer takes some. */
LS_HOT void fill(lua_State *L, const Ring *r, Told *told) {
    unsigned taken = r->taken;
    size_t i = 0;
    memset(told, 0, sizeof *told);
    while (i < r->count) {
        End end = r->ends[i++];
        int out = end.kind == LS_RING_OUT_SEND, array = out ? 5 : 3, *n = out ? &told->sent : &told->received;
        push_result(L, r, &end);
        if (LS_LIKELY(r->taken == taken)) {
            lua_rawseti(L, array + 1, *n + 1);
            lua_rawgeti(L, 7, end.slot + 1);
            lua_rawseti(L, array, ++*n);
            told->other += !out && !has_bytes(&end);
        } else {
            lua_settop(L, 7);
            taken = r->taken;
            i = 0;
            memset(told, 0, sizeof *told);
        }
    }
}

/* What fill has put there leaves the queue. Nothing here can raise or run a finalizer. */
LS_HOT void give_all(lua_State *L, Ring *r) {
    size_t i;
    int received = 0;
    for (i = 0; i < r->count; i++) {
        const End *end = &r->ends[i];
        if (end->kind != LS_RING_OUT_SEND) received++;
        if (!LS_LIKELY(end->kind != LS_RING_IN_ACCEPT) && end->result >= 0) {
            lua_rawgeti(L, 4, received);
            hand_over(L, r, end, -1);
            lua_pop(L, 1);
        }
        finish(L, r, end);
    }
    ls_ringslots_take(r, 0, r->count);
}

/* ring:wait(timeout, received, data, sent, counts) -> received, sent, other | nil, message, name: how many there are;
   how many of the former have received no bytes */
static int ring_wait(lua_State *L) {
    Ring *r = check_self(L);
    double timeout = ls_value_timeout(L, 2);
    int i, err;
    Told told;
    for (i = 3; i <= 6; i++) luaL_checktype(L, i, LUA_TTABLE);
    lua_settop(L, 6);
    if (!r->ring || !ls_ring_isours(r->ring)) return ls_fail(L, EBADF);
    if (r->pending == 0 && r->count == 0 && timeout < 0)
        return ls_fail_text(L, EINVAL, "nothing to wait for and no timeout set");
    err = ls_ringslots_turn(r, r->count > 0 ? 0 : timeout);
    if (err && r->count == 0) return fail(L, err);
    ls_getusertable(L, 1);
    fill(L, r, &told);
    give_all(L, r);
    for (i = 3; i <= 6; i++) ls_value_cut(L, i, i <= 4 ? told.received : told.sent);
    lua_pushinteger(L, told.received);
    lua_pushinteger(L, told.sent);
    lua_pushinteger(L, told.other);
    return 3;
}

/* here(thread, sock): is that the coroutine that runs, may it yield here, and does a ring send by that socket? Where
   Lua does not tell, it may not. For the loop. */
static int ring_here(lua_State *L) {
    const ls_Socket *s = ls_socket_find(L, 2);
    lua_pushboolean(L, s && s->type == SOCK_STREAM && lua_tothread(L, 1) == L && ls_isyieldable(L));
    return 1;
}

/* ring:submit() -> true | nil, message, name;  all requests begin now */
static int ring_submit(lua_State *L) {
    Ring *r = check_self(L);
    int err = r->ring && ls_ring_isours(r->ring) ? ls_ringslots_turn(r, 0) : EBADF;
    return err ? fail(L, err) : ls_succeed(L);
}

/* ---- ending ---- */

/* What argument 2 is known by, of which the descriptor may be closed. */
static const void *object_at_two(lua_State *L) {
    const ls_Socket *s = ls_socket_test(L, 2);
    return s ? s : lua_topointer(L, 2);
}

/* Gives back one end ahead of the others. */
static int give_one(lua_State *L, Ring *r, int fd, int out) {
    for (;;) {
        const Slot *slot = ls_ringslots_of(r, fd, object_at_two(L));
        size_t i = slot ? ls_ringslots_findend(r, slot, out) : r->count;
        unsigned taken = r->taken;
        End end;
        if (i == r->count) break;
        end = r->ends[i];
        push_result(L, r, &end);
        if (r->taken == taken) {
            finish(L, r, &end);
            ls_ringslots_take(r, i, 1);
            return 1;
        }
        lua_pop(L, 1); /* a finalizer has taken some */
    }
    lua_pushnil(L);
    return 1;
}

/* ring:cancel(obj, kind) -> what wait would give for it | nil: there is none | nil, message, name;  kind: "r", "w" */
static int ring_cancel(lua_State *L) {
    Ring *r = check_self(L);
    int fd = check_object(L), events = ls_value_events(L, 3), err;
    const Slot *slot;
    luaL_argcheck(L, events != (LS_POLL_READ | LS_POLL_WRITE), 3, "one direction at a time");
    slot = ls_ringslots_of(r, fd, object_at_two(L));
    err = slot ? ls_ringslots_end(r, slot, events) : 0;
    return err ? fail(L, err) : give_one(L, r, fd, events == LS_POLL_WRITE);
}

/* ring:busy(obj) -> is a request there that receives, accepts or polls?, one that sends? */
static int ring_busy(lua_State *L) {
    const Ring *r = check_self(L);
    const Slot *slot = ls_ringslots_at(r, check_object(L));
    lua_pushboolean(L, slot && slot->in);
    lua_pushboolean(L, slot && slot->out);
    return 2;
}

/* ring:remove(obj) -> true | false: it has a request;  forgets it */
static int ring_remove(lua_State *L) {
    Ring *r = check_self(L);
    Slot *slot = ls_ringslots_at(r, check_object(L));
    int busy = slot && ls_ringslots_isbusy(slot);
    if (slot && !busy) ls_ringslots_leave(L, r, 1, slot);
    lua_pushboolean(L, !busy);
    return 1;
}

/* Its requests end, and wait tells so. The number may be another one's at once. */
static void forget(lua_State *L, Ring *r, int ring, int fd) {
    Slot *slot = ls_ringslots_at(r, fd);
    if (!slot) return;
    ls_ringslots_end(r, slot, LS_POLL_READ | LS_POLL_WRITE);
    if (ls_ringslots_isbusy(slot)) {
        slot->fd = -1;
        r->numbers[fd] = 0;
    } else {
        ls_ringslots_leave(L, r, ring, slot);
    }
}

void ls_rings_forget(lua_State *L, int fd) {
    int top = lua_gettop(L);
    lua_rawgeti(L, LS_STATE, LS_STATE_RINGS);
    for (lua_pushnil(L); lua_next(L, top + 1); lua_settop(L, top + 2))
        forget(L, lua_touserdata(L, top + 2), top + 2, fd);
    lua_settop(L, top);
}

/* ---- the rest ---- */

/* ring:close() -> true;  what requests are about stays open */
static int ring_close(lua_State *L) {
    Ring *r = check_self(L);
    ls_ringslots_close(r);
    ls_ringslots_settables(L, 1);
    return ls_succeed(L);
}

static int ring_gc(lua_State *L) {
    Ring *r = check_self(L);
    ls_ringslots_close(r);
    r->magic = &magics[LS_STATE_GONE];
    return 0;
}

static int ring_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check_self(L)->pending);
    return 1;
}

static int ring_tostring(lua_State *L) {
    lua_pushfstring(L, "ring: %p", (void *)check_self(L));
    return 1;
}

static const luaL_Reg methods[] = {
    { "receive", ring_receive }, { "send", ring_send },     { "wait", ring_wait }, { "poll", ring_poll },
    { "accept", ring_accept },   { "cancel", ring_cancel }, { "busy", ring_busy }, { "remove", ring_remove },
    { "submit", ring_submit },   { "close", ring_close },   { NULL, NULL },
};

static const luaL_Reg metamethods[] = {
    { "__gc", ring_gc },
    { "__close", ring_close },
    { "__len", ring_len },
    { "__here", ring_here },
    { "__tostring", ring_tostring },
    { NULL, NULL },
};
#else
static int core_ring(lua_State *L) { return ls_fail(L, ENOSYS); }

static const luaL_Reg methods[] = { { NULL, NULL } }, metamethods[] = { { NULL, NULL } };

void ls_rings_forget(lua_State *L, int fd) {
    (void)L;
    (void)fd;
}
#endif

static const luaL_Reg functions[] = { { "ring", core_ring }, { NULL, NULL } };

static const char list_key; /* of the registry */

void ls_rings_open(lua_State *L) {
    ls_state_class(L, LS_STATE_RING, "ring", methods, metamethods);
    ls_state_pushlist(L, &list_key);
    lua_rawseti(L, LS_OPEN_STATE, LS_STATE_RINGS);
    ls_state_register(L, functions);
}
