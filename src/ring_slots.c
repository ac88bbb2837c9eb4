/* What a ring knows of the descriptors that have requests, and the queue of what these have come to. */
#include "ring_slots.h"

#if LS_HAVE_IO_URING
#include "net/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 100 /* to end a request, of a tenth of a second at most: it takes one */ };

static int number_of(const ls_RingSlots *r, const ls_RingSlot *slot) { return (int)(slot - r->slots); }

/* ---- the object ---- */

void ls_ringslots_settables(lua_State *L, int index) {
    lua_newtable(L);
    lua_newtable(L);
    lua_rawseti(L, -2, LS_RING_OBJECTS);
    ls_setusertable(L, index);
}

void ls_ringslots_close(ls_RingSlots *r) {
    const void *magic = r->magic;
    unsigned taken = r->taken + 1;
    size_t i;
    for (i = 0; i < r->count; i++)
        if (r->ends[i].kind == LS_RING_IN_ACCEPT && r->ends[i].result >= 0) ls_fd_close(r->ends[i].result);
    if (r->ring) ls_ring_close(r->ring);
    free(r->numbers);
    free(r->slots);
    free(r->ends);
    memset(r, 0, sizeof *r);
    r->magic = magic;
    r->taken = taken;
}

/* ---- slots ---- */

/* An array with room for so many elements, zeros behind; NULL: there is no memory for it, and the old one stays. */
static void *grown(void *array, size_t *room, size_t wanted, size_t size) {
    size_t more = *room ? *room : 64;
    char *at;
    if (wanted <= *room) return array;
    while (more < wanted) more *= 2;
    at = realloc(array, more * size);
    if (!at) return NULL;
    memset(at + *room * size, 0, (more - *room) * size);
    *room = more;
    return at;
}

/* Makes slots where none is free. */
static int make_slots(ls_RingSlots *r) {
    size_t i = r->room;
    ls_RingSlot *slots;
    if (r->room > 0 && r->free_slot >= 0) return 0;
    slots = grown(r->slots, &r->room, r->room + 1, sizeof *slots);
    if (!slots) return ENOMEM;
    r->slots = slots;
    for (r->free_slot = -1; i < r->room; i++) {
        slots[i].next = r->free_slot;
        r->free_slot = (int)i;
    }
    return 0;
}

/* Makes room for the descriptor, and for a slot. */
static int make_room(ls_RingSlots *r, int fd) {
    int *numbers;
    if ((size_t)fd >= r->descriptors && !ls_fd_isopen(fd)) return EBADF; /* so no number that is none takes memory */
    numbers = grown(r->numbers, &r->descriptors, (size_t)fd + 1, sizeof *numbers);
    if (!numbers) return ENOMEM;
    r->numbers = numbers;
    return make_slots(r);
}

/* Is the value of this slot the one at that place of the stack? */
static int has_value(lua_State *L, const ls_RingSlots *r, const ls_RingSlot *slot, int value) {
    int same;
    ls_getusertable(L, 1);
    lua_rawgeti(L, -1, number_of(r, slot) + 1);
    same = lua_rawequal(L, -1, value);
    lua_pop(L, 2);
    return same;
}

/* Gives a slot its object, argument 2, and the value at that place of the stack. */
static void set_slot(lua_State *L, ls_RingSlots *r, int number, const void *object, int value) {
    r->slots[number].object = r->slots[number].value = NULL; /* where this raises */
    ls_getusertable(L, 1);
    lua_rawgeti(L, -1, LS_RING_OBJECTS);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, number + 1);
    lua_pushvalue(L, value);
    lua_rawseti(L, -3, number + 1);
    lua_pop(L, 2);
    r->slots[number].object = object;
    r->slots[number].value = lua_topointer(L, value);
}

int ls_ringslots_findslowly(lua_State *L, ls_RingSlots *r, int fd, const void *object, ls_RingSlot **slot) {
    int value = lua_isnoneornil(L, 3) ? 2 : 3, err, number;
    if (*slot && (*slot)->object == object && has_value(L, r, *slot, value)) return 0;
    if (*slot && ls_ringslots_isbusy(*slot)) return EBUSY;
    err = *slot ? 0 : make_room(r, fd);
    if (err) return err;
    number = *slot ? number_of(r, *slot) : r->free_slot;
    set_slot(L, r, number, object, value);
    if (!*slot) r->free_slot = r->slots[number].next;
    r->numbers[fd] = number + 1;
    *slot = &r->slots[number];
    (*slot)->fd = fd;
    return 0;
}

void ls_ringslots_leave(lua_State *L, ls_RingSlots *r, int index, ls_RingSlot *slot) {
    int number = number_of(r, slot);
    ls_getusertable(L, index);
    lua_rawgeti(L, -1, LS_RING_OBJECTS);
    lua_pushnil(L);
    lua_rawseti(L, -2, number + 1);
    lua_pushnil(L);
    lua_rawseti(L, -3, number + 1);
    lua_pop(L, 2);
    if (slot->fd >= 0) r->numbers[slot->fd] = 0;
    slot->next = r->free_slot;
    r->free_slot = number;
}

ls_RingSlot *ls_ringslots_of(const ls_RingSlots *r, int fd, const void *object) {
    size_t i;
    if (fd >= 0) return ls_ringslots_at(r, fd);
    for (i = 0; i < r->count; i++) {
        ls_RingSlot *slot = &r->slots[r->ends[i].slot];
        if (slot->fd < 0 && slot->object == object) return slot;
    }
    return NULL;
}

/* ---- the queue ---- */

static ls_RingEnd *add_end(ls_RingSlots *r, ls_RingSlot *slot, int kind, int result) {
    ls_RingEnd *end = &r->ends[r->count++];
    end->slot = number_of(r, slot);
    end->kind = (unsigned char)kind;
    end->result = result;
    end->buffer = LS_RING_NOBUFFER;
    end->more = 0;
    slot->ends++;
    return end;
}

static void note_sent(ls_RingSlots *r, ls_RingSlot *slot, int result) {
    add_end(r, slot, LS_RING_OUT_SEND, result == slot->size ? LS_RING_SENT : result);
    ls_ring_givebackblock(r->ring, slot->block);
    slot->runs &= (unsigned char)~LS_POLL_WRITE;
}

static void note_other(ls_RingSlots *r, ls_RingSlot *slot, const ls_Done *done) {
    ls_RingEnd *end = add_end(r, slot, slot->in, done->result);
    end->buffer = done->buffer;
    end->more = slot->in == LS_RING_IN_ACCEPT && done->result >= 0;
    if (done->more) return;
    slot->runs &= (unsigned char)~LS_POLL_READ;
    if (end->more) add_end(r, slot, LS_RING_IN_ACCEPT, -ECANCELED);
}

/* What there is no room for stays in the kernel. */
static int note_all(ls_RingSlots *r) {
    ls_RingEnd *ends;
    ls_Done done;
    for (;;) {
        ls_RingSlot *slot;
        ends = grown(r->ends, &r->ends_room, r->count + 2, sizeof *ends); /* one to accept may end with two */
        if (!ends) return ENOMEM;
        r->ends = ends;
        if (!ls_ring_fetch(r->ring, &done)) return 0;
        slot = &r->slots[done.id >> 2];
        if (done.id & 2) note_sent(r, slot, done.result);
        else note_other(r, slot, &done);
    }
}

int ls_ringslots_turn(ls_RingSlots *r, double timeout) {
    int err = ls_ring_enter(r->ring, timeout), noted = note_all(r);
    return err ? err : noted;
}

static int cancel(const ls_RingSlots *r, const ls_RingSlot *slot, int out) {
    return ls_ring_cancel(r->ring, ls_ringslots_id(r, slot, out));
}

/* May the next try succeed? */
static int is_passing(int err) { return !err || err == EINTR || err == ENOMEM; }

int ls_ringslots_end(ls_RingSlots *r, const ls_RingSlot *slot, int events) {
    int tries, asked = 0, err = 0;
    if (!ls_ring_isours(r->ring)) return EBADF;
    if (slot->runs & events & LS_POLL_WRITE) ls_ringslots_turn(r, 0);
    for (tries = 0; slot->runs & events && is_passing(err) && tries < TRIES; tries++) {
        int wanted = slot->runs & events & ~asked;
        if (wanted & LS_POLL_READ && cancel(r, slot, 0) == 0) asked |= LS_POLL_READ;
        if (wanted & LS_POLL_WRITE && cancel(r, slot, 1) == 0) asked |= LS_POLL_WRITE;
        err = ls_ringslots_turn(r, 0.1);
    }
    if (!(slot->runs & events)) return 0;
    return err ? err : EAGAIN;
}

size_t ls_ringslots_findend(const ls_RingSlots *r, const ls_RingSlot *slot, int out) {
    int number = number_of(r, slot);
    size_t i;
    for (i = 0; i < r->count; i++) {
        const ls_RingEnd *end = &r->ends[i];
        if (end->slot == number && (end->kind == LS_RING_OUT_SEND) == out && !end->more) break;
    }
    return i;
}

void ls_ringslots_take(ls_RingSlots *r, size_t first, size_t count) {
    r->count -= count;
    if (r->count > first)
        memmove(r->ends + first, r->ends + first + count, (r->count - first) * sizeof *r->ends);
    r->taken++;
}
#endif
