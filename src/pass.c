/* What unix domain sockets bring beside data: descriptors, and who the peer is. */
#include "err.h"
#include "lsocket.h"
#include "net/cmsg.h"
#include "net/fd.h"
#include "net/unix.h"
#include "socket.h"
#include "state.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>

/* The system would send and receive without the descriptors, and say nothing. */
static int check_unix(const ls_Socket *s) {
    if (s->fd < 0) return EBADF;
    return s->family == AF_UNIX ? 0 : EOPNOTSUPP;
}

/* The same for what passes bytes beside. */
static int check_plain(const ls_Socket *s) {
    int err = check_unix(s);
    return err ? err : ls_socket_refuse(s);
}

/* ---- sending ---- */

/* The descriptor of an element; raises where it is nothing that has one. */
static int descriptor_of(lua_State *L, int element) {
    int fd = ls_value_file(L, 3 + element);
    ls_Socket *s = ls_socket_test(L, 3 + element);
    if (s) ls_socket_share(s);
    if (fd == LS_VALUE_NOFILE) fd = ls_socket_descriptor(L, 3 + element);
    if (fd == LS_SOCKET_NONE)
        luaL_argerror(L, 3, lua_pushfstring(L, "element %d: socket, file or descriptor expected, got %s", element,
                                            luaL_typename(L, 3 + element)));
    return fd;
}

/* Is it an object whose getfd will be called, a method of the program's? */
static int is_foreign(lua_State *L, int index) {
    return (lua_istable(L, index) || lua_isuserdata(L, index)) && !ls_socket_test(L, index) &&
           ls_value_file(L, index) == LS_VALUE_NOFILE;
}

/* Pushes the elements of the array, argument 3, and answers how many there are. A getfd method may do with the array
   what it likes then. *foreign: is one of them such an object? */
static int push_elements(lua_State *L, int *foreign) {
    int count;
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    luaL_checkstack(L, LS_CMSG_DESCRIPTORS + LUA_MINSTACK, "too many descriptors");
    for (count = *foreign = 0; count <= LS_CMSG_DESCRIPTORS; count++) {
        lua_rawgeti(L, 3, count + 1);
        if (lua_isnil(L, -1)) break;
        if (is_foreign(L, -1)) *foreign = 1;
    }
    return count;
}

/* Copies of descriptors, ours to close. */
typedef struct Copies {
    size_t count;
    int fds[LS_CMSG_DESCRIPTORS];
} Copies;

static void release_copies(void *copies) {
    Copies *c = copies;
    while (c->count > 0) ls_fd_close(c->fds[--c->count]);
    free(c);
}

/* Pushes the owner of no copies so far. */
static Copies *push_copies(lua_State *L) {
    ls_Owner *owner = ls_state_own(L, release_copies);
    Copies *copies = malloc(sizeof *copies);
    if (!copies) luaL_error(L, "not enough memory");
    copies->count = 0;
    owner->thing = copies;
    return copies;
}

/* Has the element a layer, which would stay here? */
static int is_layered(lua_State *L, int element) {
    const ls_Socket *s = ls_socket_test(L, 3 + element);
    return s && ls_socket_layer(s);
}

/* What a getfd method closes must not be sent, nor what gets its number then: what has been read is kept by a copy, if
   there are such methods. 0 or an errno; copies: NULL if there are none. */
static int read_descriptors(lua_State *L, int count, int fds[LS_CMSG_DESCRIPTORS], Copies *copies) {
    int i, err = 0;
    if (count > LS_CMSG_DESCRIPTORS) return EINVAL; /* what Linux answers, too */
    for (i = 0; i < count; i++) {
        fds[i] = descriptor_of(L, i + 1);
        if (fds[i] < 0) err = EBADF;
        else if (is_layered(L, i + 1)) err = EOPNOTSUPP;
        if (!copies || err) continue;
        err = ls_fd_dup(fds[i], &copies->fds[i]);
        if (!err) fds[i] = copies->fds[copies->count++];
    }
    return err;
}

/* sock:sendfds(data, objects) -> count | false | nil, message, name;  objects: an array of what has a descriptor */
static int sock_sendfds(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    int fds[LS_CMSG_DESCRIPTORS], count, foreign, err, listed;
    size_t size, n;
    const char *data = luaL_checklstring(L, 2, &size);
    count = push_elements(L, &foreign);
    listed = read_descriptors(L, count, fds, foreign ? push_copies(L) : NULL);
    if (size == 0 && ls_socket_isstream(s)) luaL_argerror(L, 2, "empty: on a stream, descriptors go with a byte");
    err = check_plain(s);
    if (!err) err = listed;
    if (!err) err = ls_cmsg_sendfds(s->fd, data, size, fds, (size_t)count, &n);
    if (foreign) ls_state_release(lua_touserdata(L, -1));
    if (err) return ls_fail_io(L, err);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* ---- receiving ---- */

typedef struct Parcel {
    char *data;
    size_t size, n; /* n: how many bytes came, more than size where some were cut off */
    ls_Delivery delivery;
} Parcel;

static void push_objects(lua_State *L, ls_Delivery *d) {
    size_t i;
    lua_createtable(L, (int)d->count, 0);
    for (i = 0; i < d->count; i++) {
        ls_Socket *s = ls_socket_new(L);
        if (ls_socket_adopt(s, d->fds[i]) != 0) s->fd = d->fds[i]; /* of little use, but it can be passed on */
        d->fds[i] = -1;
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* parcel -> data, objects [, lost [, length]] */
static int unpack(lua_State *L) {
    Parcel *p = lua_touserdata(L, 1);
    ls_Delivery *d = &p->delivery;
    lua_pushlstring(L, p->data, p->n < p->size ? p->n : p->size);
    push_objects(L, d);
    if (p->n <= p->size && !d->lost && !d->surplus) return 2;
    if (d->lost) lua_pushboolean(L, 1);
    else lua_pushinteger(L, (lua_Integer)d->surplus);
    if (p->n <= p->size) return 3;
    lua_pushinteger(L, (lua_Integer)p->n);
    return 4;
}

/* Closes what has not become an object. */
static void drop(ls_Delivery *d) {
    size_t i;
    for (i = 0; i < d->count; i++)
        if (d->fds[i] >= 0) ls_fd_close(d->fds[i]);
}

/* Receives into the parcel and pushes the results. Making them may throw while descriptors are nobody's, and a userdata
   to own them would cost more than the call: so that happens in a protected call, which is made ready before. */
static int receive(lua_State *L, const ls_Socket *s, size_t room, size_t most, Parcel *p) {
    int top = lua_gettop(L), err;
    lua_pushvalue(L, LS_STATE);
    lua_pushcclosure(L, unpack, 1);
    lua_pushlightuserdata(L, p);
    err = ls_cmsg_recvfds(s->fd, ls_socket_isstream(s) ? 0 : LS_FD_DATAGRAM, p->data, room, most, &p->n, &p->delivery);
    if (err) return ls_fail_io(L, err);
    if (p->n == 0 && p->delivery.count + p->delivery.surplus == 0 && ls_socket_ended(s, p->size)) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_pcall(L, 1, LUA_MULTRET, 0) != 0) {
        drop(&p->delivery);
        lua_error(L);
    }
    return lua_gettop(L) - top;
}

/* sock:recvfds([size [, max]]) -> data, objects [, lost [, length]] | false | nil | nil, message, name;  lost: how many
   descriptors were closed, true where only the system knows;  length: of a datagram that was cut */
static int sock_recvfds(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    char local[LS_SOCKET_RECEIVE];
    size_t size = ls_value_size(L, 2, sizeof local), room = sizeof local, most = LS_CMSG_DESCRIPTORS;
    int lent = size > sizeof local, results, err = check_plain(s);
    Parcel parcel;
    if (!lua_isnoneornil(L, 3)) most = (size_t)ls_value_int(L, 3, "max", 0, LS_CMSG_DESCRIPTORS);
    if (err) return ls_fail(L, err);
    lua_settop(L, 3);
    parcel.data = local;
    if (lent) parcel.data = ls_state_lend(L, LS_STATE_RECEIVE, room = ls_socket_room(s, size));
    else if (ls_socket_isstream(s)) room = size;
    parcel.size = size < room ? size : room;
    results = receive(L, s, room, most, &parcel);
    if (lent) ls_state_giveback(L, LS_STATE_RECEIVE, 4);
    return results;
}

/* ---- the peer ---- */

/* sock:peercred() -> { pid = , uid = , gid = } | nil, message, name */
static int sock_peercred(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    ls_Credentials peer;
    int err = check_unix(s);
    if (!err) err = ls_unix_peercred(s->fd, &peer);
    if (err) return ls_fail(L, err);
    ls_value_pushcredentials(L, &peer);
    return 1;
}

static const luaL_Reg methods[] = {
    { "sendfds", sock_sendfds }, { "recvfds", sock_recvfds }, { "peercred", sock_peercred }, { NULL, NULL },
};

void ls_pass_open(lua_State *L) { ls_socket_extend(L, methods); }
