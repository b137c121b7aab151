/* SPDX-License-Identifier: MIT
 * Best fit, the largest items first: each goes into the smallest gap between the placed items it
 * overlaps in time. Where that ends above the lower bound, the item that ends last is placed first
 * and all others again, some rounds, then from other orders too, and the best order is kept.
 * Problems here have up to a few hundred items; the excess over the lower bound is printed by `mpno
 * plan`. */
#include "graph/place.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { ROUNDS = 64 };

typedef struct entry {
    const mpno_place_item *item;
    int index;
} entry;

static int larger_first(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->item->bytes != y->item->bytes) return x->item->bytes < y->item->bytes ? 1 : -1;
    return x->index - y->index;
}

static int lower_offset_first(const void *a, const void *b) {
    const mpno_place_item *x = ((const entry *)a)->item, *y = ((const entry *)b)->item;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static size_t stop_of(const mpno_place_item *item) {
    return item->offset + mpno_aligned(item->bytes);
}

/* The start of the smallest gap of at least `bytes` between `n` neighbours sorted by offset. */
static size_t best_gap(const entry *neighbours, int n, size_t bytes) {
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        const mpno_place_item *other = neighbours[i].item;
        if (other->offset > end) {
            const size_t gap = other->offset - end;
            if (gap >= bytes && gap < best_size) best = end, best_size = gap;
        }
        if (stop_of(other) > end) end = stop_of(other);
    }
    return best != SIZE_MAX ? best : end;
}

size_t mpno_place_lower_bound(const mpno_place_item *items, int n) {
    size_t most = 0;
    for (int i = 0; i < n; i++) { /* the maximum is reached where some item begins */
        size_t alive = 0;
        for (int j = 0; j < n; j++)
            if (items[j].first <= items[i].first && items[i].first <= items[j].last)
                alive += mpno_aligned(items[j].bytes);
        if (alive > most) most = alive;
    }
    return most;
}

/* Places the items in the order given; gives the bytes of the arena. */
static size_t place_in_order(mpno_place_item *items, int n, const entry *order, entry *neighbours) {
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        mpno_place_item *item = &items[order[i].index];
        int n_neighbours = 0;
        for (int j = 0; j < i; j++) {
            const mpno_place_item *other = order[j].item;
            if (other->first <= item->last && item->first <= other->last)
                neighbours[n_neighbours++] = order[j];
        }
        qsort(neighbours, (size_t)n_neighbours, sizeof *neighbours, lower_offset_first);
        item->offset = best_gap(neighbours, n_neighbours, mpno_aligned(item->bytes));
        if (stop_of(item) > total) total = stop_of(item);
    }
    return total;
}

/* Moves the item that ends last to the front of the order. */
static void promote_last(int n, entry *order) {
    int last = 0;
    for (int i = 1; i < n; i++)
        if (stop_of(order[i].item) > stop_of(order[last].item)) last = i;
    const entry moved = order[last];
    memmove(order + 1, order, (size_t)last * sizeof *order);
    order[0] = moved;
}

/* The orders in which a search for a good one begins. */
static int longer_first(const void *a, const void *b) {
    const entry *x = a, *y = b;
    const double areas[] = {(double)x->item->bytes * (x->item->last - x->item->first + 1),
                            (double)y->item->bytes * (y->item->last - y->item->first + 1)};
    if (areas[0] != areas[1]) return areas[0] < areas[1] ? 1 : -1;
    return x->index - y->index;
}

static int earlier_first(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->item->first != y->item->first) return x->item->first - y->item->first;
    return larger_first(a, b);
}

typedef struct search {
    mpno_place_item *items;
    int n;
    entry *order, *neighbours, *best;
    size_t total, enough; /* bytes: of the best order; at which the search ends */
} search;

static void try_order(search *s) {
    const size_t bytes = place_in_order(s->items, s->n, s->order, s->neighbours);
    if (bytes >= s->total) return;
    s->total = bytes;
    memcpy(s->best, s->order, (size_t)s->n * sizeof *s->order);
}

mpno_status mpno_place(mpno_ctx *ctx, mpno_place_item *items, int n, size_t *total,
                       size_t *lower_bound) {
    int (*const begin[])(const void *, const void *) = {larger_first, longer_first, earlier_first};
    entry *room;
    MPNO_TRY(mpno_alloc_array(ctx, 3 * (size_t)n + 1, sizeof *room, &room));
    *lower_bound = mpno_place_lower_bound(items, n);
    search s = {items, n, room, room + n, room + 2 * (size_t)n, SIZE_MAX, 0};
    s.enough = *lower_bound + *lower_bound / 256;
    for (size_t k = 0; k < sizeof begin / sizeof begin[0] && s.total > s.enough; k++) {
        for (int i = 0; i < n; i++) s.order[i] = (entry){&items[i], i};
        qsort(s.order, (size_t)n, sizeof *s.order, begin[k]);
        try_order(&s);
        for (int round = 0; round < ROUNDS && s.total > s.enough; round++) {
            promote_last(n, s.order);
            try_order(&s);
        }
    }
    *total = place_in_order(items, n, s.best, s.neighbours);
    mpno_free(ctx, room);
    return MPNO_OK;
}
