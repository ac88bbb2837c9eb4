/* What a ring knows of the descriptors that have requests, and the queue of what these have come to. */
#ifndef LS_RING_SLOTS_H
#define LS_RING_SLOTS_H

#include "compat.h"
#include "net/poll.h"
#include "net/ring.h"
#include "state.h"

#if LS_HAVE_IO_URING

enum { LS_RING_IN_RECEIVE = 1, LS_RING_IN_POLL, LS_RING_IN_ACCEPT, LS_RING_OUT_SEND }; /* kinds of requests */

/* A descriptor has one request at most of each direction. A request is there until its end was given back. */
typedef struct ls_RingSlot {
    const void *object, *value; /* their addresses; NULL: compare them in Lua */
    int fd;                     /* -1: it was closed, and the slot is free when nothing is left */
    int next;                   /* the next free one; -1: there is none */
    unsigned ends;              /* that were not given back yet */
    short block;                /* what is being sent */
    unsigned short size;        /* how many bytes */
    unsigned char in, out;      /* the kind of request; 0: there is none */
    unsigned char runs;         /* which of them the kernel has: LS_POLL_READ, LS_POLL_WRITE */
} ls_RingSlot;

/* What a request has come to. */
typedef struct ls_RingEnd {
    int slot;
    int result; /* as net/ring.h has it; of one that has sent everything: LS_RING_SENT */
    int buffer;
    unsigned char kind;
    unsigned char more; /* the request is there still: it accepts */
} ls_RingEnd;

enum { LS_RING_SENT = INT_MAX };

/* The object. Two tables of its own keep alive what requests are about, at the number of the slot + 1: the values that
   wait gives back, and the objects. The values are its user table, as wait needs no more; the objects are at
   LS_RING_OBJECTS in it. */
typedef struct ls_RingSlots {
    const void *magic;
    ls_Ring *ring;      /* NULL: closed */
    int *numbers;       /* by descriptor: of its slot, + 1; 0: it has none */
    size_t descriptors; /* room for */
    ls_RingSlot *slots;
    size_t room;
    int free_slot;
    unsigned pending; /* requests that are there */
    ls_RingEnd *ends; /* the queue */
    size_t ends_room, count;
    unsigned taken; /* how often something has left the queue */
} ls_RingSlots;

enum { LS_RING_OBJECTS = 0 };

LS_HOT ls_RingSlot *ls_ringslots_at(const ls_RingSlots *r, int fd) {
    int number = fd >= 0 && (size_t)fd < r->descriptors ? r->numbers[fd] : 0;
    return number ? &r->slots[number - 1] : NULL;
}

LS_HOT int ls_ringslots_isbusy(const ls_RingSlot *slot) { return slot->in || slot->out || slot->ends > 0; }

/* A request's id: the slot's number, its direction, whether it accepts. */
LS_HOT uint64_t ls_ringslots_id(const ls_RingSlots *r, const ls_RingSlot *slot, int out) {
    return (uint64_t)(slot - r->slots) << 2 | (unsigned)out << 1 | (!out && slot->in == LS_RING_IN_ACCEPT);
}

/* Gives the ring at that place of the stack new tables. */
void ls_ringslots_settables(lua_State *L, int index);

/* Closes everything: descriptors that were accepted, too. */
void ls_ringslots_close(ls_RingSlots *r);

/* The slot of the object with that address, argument 2, and the value, argument 3; makes one if there is none. The ring
   is argument 1. 0 or an errno: EBUSY, the descriptor has requests with other ones. */
int ls_ringslots_findslowly(lua_State *L, ls_RingSlots *r, int fd, const void *object, ls_RingSlot **slot);
LS_HOT int ls_ringslots_find(lua_State *L, ls_RingSlots *r, int fd, const void *object, ls_RingSlot **slot) {
    const void *value = lua_topointer(L, 3);
    *slot = ls_ringslots_at(r, fd);
    if (LS_LIKELY(*slot && value && (*slot)->value == value && (*slot)->object == object)) return 0;
    return ls_ringslots_findslowly(L, r, fd, object, slot);
}

/* Frees a slot that has nothing left, of the ring at that place of the stack. */
void ls_ringslots_leave(lua_State *L, ls_RingSlots *r, int index, ls_RingSlot *slot);

/* Begins all requests, waits, and puts into the queue what has ended. A request that accepts always ends with a failure
   there. 0 or an errno; ENOMEM: the rest waits in the kernel. */
int ls_ringslots_turn(ls_RingSlots *r, double timeout);

/* Has the requests of these directions end, and waits until they have. What can be sent at once is sent. */
int ls_ringslots_end(ls_RingSlots *r, const ls_RingSlot *slot, int events);

/* The slot of a descriptor, or, where that is negative, of an object that is closed, as long as an end of its requests
   is in the queue; or NULL. */
ls_RingSlot *ls_ringslots_of(const ls_RingSlots *r, int fd, const void *object);

/* Where in the queue that slot's request of a direction ends; r->count: nowhere. */
size_t ls_ringslots_findend(const ls_RingSlots *r, const ls_RingSlot *slot, int out);

/* Takes some out of the queue. */
void ls_ringslots_take(ls_RingSlots *r, size_t first, size_t count);

#endif
#endif
