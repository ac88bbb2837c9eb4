/* A layer under a stream socket: what stands between the bytes of the program and those of the kernel, such as TLS. It
   is written in C, in this library or in another one, which gets what it needs by ls_LayerCore. The core goes through
   the layer where bytes go in or out, and works on the descriptor everywhere else. */
#ifndef LS_LAYER_H
#define LS_LAYER_H

#include "compat.h"

#include <sys/uio.h>

typedef struct ls_Layer ls_Layer;
struct ls_Socket;
struct ls_Owner;

/* Failures of a layer's own are this and what is added to it, above errno and LS_EAI. */
enum { LS_LAYER_CODE = 0x20000 };

/* What a layer can do. Functions that return an int return 0, EAGAIN, an errno, or LS_LAYER_CODE + n; out-parameters
   hold results only where it is 0. None blocks, and none calls Lua: no error is raised, no collector runs. */
typedef struct ls_LayerType {
    /* Up to size bytes for the program, *n of them. *n is 0 at the end, or where size is 0. Fewer than size: only the
       kernel can have more, or ready says that there is something else. peek: the bytes stay there. */
    int (*receive)(ls_Layer *layer, int peek, void *data, size_t size, size_t *n);

    /* Takes bytes from the front of the pieces, *n of them, at least one: they leave in order, now or later, and need
       not be given again. EAGAIN: nothing can be taken before more has left. There is at least one byte. */
    int (*send)(ls_Layer *layer, const struct iovec *pieces, unsigned count, size_t *n);

    /* Sends what was taken and has not left. 0: nothing waits any more. Called after each other function, so it must be
       cheap where nothing waits. */
    int (*flush)(ls_Layer *layer);

    /* how: SHUT_RD, SHUT_WR, SHUT_RDWR. EAGAIN: call it again. */
    int (*shutdown)(ls_Layer *layer, int how);

    /* Goes on until the layer can receive and send. EAGAIN: *direction is "r" or "w", what the kernel is to be waited
       for, or a word of the layer's own. NULL: the layer needs none. */
    int (*handshake)(ls_Layer *layer, const char **direction);

    /* Would receive, without the kernel, return anything but EAGAIN: bytes, the end, or a failure? Then select and
       pollers report the socket readable. *pending: how many bytes are known to be there. Must be cheap, and must not
       ask the kernel. */
    int (*ready)(ls_Layer *layer, size_t *pending);

    /* Releases everything but the ls_Layer itself; the descriptor is closed after. polite: one attempt to send what
       waits, and to say goodbye. Else, in a finalizer or in the child of a fork, nothing may be sent. */
    void (*close)(ls_Layer *layer, int polite);

    /* The message and the name of a failure of the layer's own; they stay valid until its next call. */
    void (*explain)(const ls_Layer *layer, int code, const char **text, const char **name);
} ls_LayerType;

/* A place in a ring of layers; or with NULL, the ring itself. */
typedef struct ls_LayerRing {
    struct ls_LayerRing *before, *next;
    ls_Layer *layer;
} ls_LayerRing;

/* What those who wait must know: the layers of a Lua state that are ready, and those that have something to send. */
typedef struct ls_LayerRings {
    size_t busy; /* how many places there are in both */
    ls_LayerRing ready, unsent;
} ls_LayerRings;

enum { LS_LAYER_RINGS = 1 }; /* their place in the table of layers */

/* The first field of each layer's own struct. It is the core's; a layer reads fd, and its own type. */
struct ls_Layer {
    ls_LayerRing ready, unsent; /* its places in the rings; by itself: it is not there */
    const ls_LayerType *type;   /* NULL: closed */
    struct ls_Socket *socket;
    ls_LayerRings *rings;
    int fd;
    int process; /* which one has attached it: no other one says goodbye */
    int lent;    /* within a wait: the kernel has been asked for room for it */
};

/* ---- what a library with a layer gets ---- */

#define LS_LAYER_KEY "lsocket.layer" /* of the registry: a light userdata, which leads to an ls_LayerCore */
enum { LS_LAYER_VERSION = 1 };       /* changes with anything in this file */

/* Only functions that were registered by extend or enroll may call those that take a lua_State and are marked (*):
   they need the core's state table, which is the first upvalue of such a function. */
typedef struct ls_LayerCore {
    int version;

    /* Adds methods to sockets, or functions to the table below the top. The value on top, the library's own, becomes
       the second upvalue of each, and is popped. */
    void (*extend)(lua_State *L, const luaL_Reg *methods);
    void (*enroll)(lua_State *L, const luaL_Reg *functions);

    /* (*) The socket at this place of the stack, or NULL. See socket.h for its fields; no function there may be used.
       fd: -1 where it is closed; type: SOCK_STREAM, 0 for a pipe; flags: LS_SOCKET_BOUND where it listens. */
    struct ls_Socket *(*test)(lua_State *L, int index);

    /* The layer of a socket if it is of that type, or of any where type is NULL; else NULL. */
    ls_Layer *(*of)(const struct ls_Socket *s, const ls_LayerType *type);

    /* (*) Puts a layer under the open stream socket at this place of the stack, which has none: size bytes, zeros
       behind the ls_Layer. From then on the socket's calls go through it. Raises where memory is lacking. */
    ls_Layer *(*attach)(lua_State *L, int index, size_t size, const ls_LayerType *type);

    /* After any call that the layer got without the core, by its own methods: calls flush and ready. */
    void (*refresh)(ls_Layer *layer);

    /* A method: sock:handshake() -> true | false, direction | nil, message, name;  EOPNOTSUPP without a layer. For
       extend. */
    int (*handshake)(lua_State *L);

    /* Results, each returns how many values it has pushed: true; nil, message, name of an errno; the same with a text;
       with text and name; of a code of this layer, too, and false for EAGAIN. */
    int (*succeed)(lua_State *L);
    int (*fail)(lua_State *L, int err);
    int (*fail_text)(lua_State *L, int err, const char *text);
    int (*fail_named)(lua_State *L, const char *text, const char *name);
    int (*fail_layer)(lua_State *L, const ls_Layer *layer, int err);

    /* (*) Pushes an owner of something that is to be released where Lua throws, too; releases it. See state.h. */
    struct ls_Owner *(*own)(lua_State *L, void (*release)(void *thing));
    void (*release)(struct ls_Owner *owner);

    /* Raises "... expected, got ..." for the argument. */
    int (*wrongtype)(lua_State *L, int arg, const char *expected);

    /* The kernel: 0 or an errno. Repeated after a signal, without SIGPIPE. receive: *n is 0 at the end; send takes at
       most 1024 pieces. */
    int (*receive)(int fd, void *data, size_t size, size_t *n);
    int (*send)(int fd, struct iovec *pieces, unsigned short count, size_t *n);
    int (*shutdown)(int fd, int how);
} ls_LayerCore;

/* ---- for the core ---- */

/* After each call: has it send what it can, and stand in the rings where it belongs. */
void ls_layer_refresh(ls_Layer *layer);

/* Calls flush: what that returns. */
int ls_layer_flush(ls_Layer *layer);

/* The same for all that have something to send, while the program waits. */
void ls_layer_flushall(ls_LayerRings *rings);

/* Puts one that is ready behind the others that are. */
void ls_layer_requeue(ls_Layer *layer);

/* Calls close, once, and leaves the ring. */
void ls_layer_close(ls_Layer *layer, int polite);

/* Pushes the result of a failed call: false for EAGAIN, else nil, message, name. */
int ls_layer_fail(lua_State *L, const ls_Layer *layer, int err);

LS_HOT int ls_layer_isready(const ls_Layer *layer) { return layer->ready.next != &layer->ready; }

LS_HOT int ls_layer_isunsent(const ls_Layer *layer) { return layer->unsent.next != &layer->unsent; }

/* To walk along a ring: its first layer, and the one behind another one; NULL: there is none. */
LS_HOT ls_Layer *ls_layer_firstready(const ls_LayerRings *rings) { return rings->ready.next->layer; }
LS_HOT ls_Layer *ls_layer_nextready(const ls_Layer *layer) { return layer->ready.next->layer; }
LS_HOT ls_Layer *ls_layer_firstunsent(const ls_LayerRings *rings) { return rings->unsent.next->layer; }
LS_HOT ls_Layer *ls_layer_nextunsent(const ls_Layer *layer) { return layer->unsent.next->layer; }

#endif
