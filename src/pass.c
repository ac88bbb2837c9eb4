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

/* The system would send and receive without the descriptors, and say nothing. */
static int check_unix(const ls_Socket *s) {
    if (s->fd < 0) return EBADF;
    return s->family == AF_UNIX ? 0 : EOPNOTSUPP;
}

/* ---- sending ---- */

/* The descriptor of the element on top; raises where it is nothing that has one. */
static int descriptor_of(lua_State *L, int element) {
    int fd = ls_value_file(L, -1);
    if (fd == LS_VALUE_NOFILE) fd = ls_socket_descriptor(L, -1);
    if (fd == LS_SOCKET_NONE)
        luaL_argerror(L, 3, lua_pushfstring(L, "element %d: socket, file or descriptor expected, got %s", element,
                                            luaL_typename(L, -1)));
    return fd;
}

/* Reads the array, argument 3. Its elements stay on the stack: a getfd method may do with the array what it likes. */
static int read_descriptors(lua_State *L, int fds[LS_CMSG_DESCRIPTORS], size_t *count) {
    int i, closed = 0;
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    luaL_checkstack(L, LS_CMSG_DESCRIPTORS + LUA_MINSTACK, "too many descriptors");
    for (i = 0; lua_rawgeti(L, 3, i + 1), !lua_isnil(L, -1); i++) {
        if (i == LS_CMSG_DESCRIPTORS) return EINVAL; /* what Linux answers, too */
        fds[i] = descriptor_of(L, i + 1);
        if (fds[i] < 0) closed = 1;
    }
    *count = (size_t)i;
    return closed ? EBADF : 0;
}

/* sock:sendfds(data, objects) -> count | false | nil, message, name;  objects: an array of what has a descriptor */
static int sock_sendfds(lua_State *L) {
    const ls_Socket *s = ls_socket_self(L);
    int fds[LS_CMSG_DESCRIPTORS], err, listed;
    size_t size, count, n;
    const char *data = luaL_checklstring(L, 2, &size);
    listed = read_descriptors(L, fds, &count);
    if (size == 0 && ls_socket_isstream(s)) luaL_argerror(L, 2, "empty: on a stream, descriptors go with a byte");
    err = check_unix(s);
    if (!err) err = listed;
    if (!err) err = ls_cmsg_sendfds(s->fd, data, size, fds, count, &n);
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
    int lent = size > sizeof local, results, err = check_unix(s);
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
