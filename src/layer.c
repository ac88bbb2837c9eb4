/* What all layers have in common: the rings that they stand in, their end and their failures. */
#include "layer.h"

#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int is_alone(const ls_LayerRing *place) { return place->next == place; }

static void leave(ls_LayerRings *rings, ls_LayerRing *place) {
    if (is_alone(place)) return;
    place->before->next = place->next;
    place->next->before = place->before;
    place->before = place->next = place;
    rings->busy--;
}

static void enter(ls_LayerRings *rings, ls_LayerRing *ring, ls_LayerRing *place) {
    if (!is_alone(place)) return;
    place->before = ring->before;
    place->next = ring;
    ring->before->next = place;
    ring->before = place;
    rings->busy++;
}

static void place_in(ls_LayerRings *rings, ls_LayerRing *ring, ls_LayerRing *place, int belongs) {
    if (belongs) enter(rings, ring, place);
    else leave(rings, place);
}

int ls_layer_flush(ls_Layer *layer) {
    int err = layer->type->flush(layer);
    place_in(layer->rings, &layer->rings->unsent, &layer->unsent, err == EAGAIN);
    return err;
}

void ls_layer_refresh(ls_Layer *layer) {
    size_t pending;
    if (!layer->type) return;
    ls_layer_flush(layer); /* what fails there, receiving reports: it is ready */
    place_in(layer->rings, &layer->rings->ready, &layer->ready, layer->type->ready(layer, &pending));
}

/* What a child of a fork has inherited, the parent sends. */
void ls_layer_flushall(ls_LayerRings *rings) {
    ls_Layer *layer = ls_layer_firstunsent(rings), *next;
    int process = layer ? (int)getpid() : 0;
    for (; layer; layer = next) {
        next = ls_layer_nextunsent(layer);
        if (layer->process == process) ls_layer_refresh(layer);
        else leave(rings, &layer->unsent);
    }
}

void ls_layer_requeue(ls_Layer *layer) {
    leave(layer->rings, &layer->ready);
    enter(layer->rings, &layer->rings->ready, &layer->ready);
}

void ls_layer_close(ls_Layer *layer, int polite) {
    const ls_LayerType *type = layer->type;
    leave(layer->rings, &layer->ready);
    leave(layer->rings, &layer->unsent);
    layer->type = NULL;
    layer->socket = NULL;
    if (type) type->close(layer, polite);
}

/* The texts are the layer's, which a finalizer may close as soon as anything is pushed. */
static int fail_copied(lua_State *L, const char *text, const char *name) {
    char message[512], symbol[64];
    snprintf(message, sizeof message, "%s", text);
    snprintf(symbol, sizeof symbol, "%s", name);
    return ls_fail_named(L, message, symbol);
}

int ls_layer_fail(lua_State *L, const ls_Layer *layer, int err) {
    const char *text, *name;
    if (err < LS_LAYER_CODE) return ls_fail_io(L, err);
    if (!layer || !layer->type) return ls_fail(L, EBADF); /* a finalizer has closed it */
    layer->type->explain(layer, err, &text, &name);
    return fail_copied(L, text, name);
}
