/* SPDX-License-Identifier: MIT
 * Best fit by decreasing size: each item goes into the smallest gap between the placed items it
 * overlaps in time. Problems here have up to a few hundred items; the excess over the lower bound
 * is printed by `mpno plan`. */
#include "graph/place.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/memory.h"

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

/* The start of the smallest gap of at least `bytes` between `n` neighbours sorted by offset. */
static size_t best_gap(const entry *neighbours, int n, size_t bytes) {
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (int i = 0; i < n; i++) {
        const mpno_place_item *other = neighbours[i].item;
        if (other->offset > end) {
            const size_t gap = other->offset - end;
            if (gap >= bytes && gap < best_size) best = end, best_size = gap;
        }
        const size_t stop = other->offset + mpno_aligned(other->bytes);
        if (stop > end) end = stop;
    }
    return best != SIZE_MAX ? best : end;
}

static size_t largest_live_set(const mpno_place_item *items, int n) {
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

mpno_status mpno_place(mpno_ctx *ctx, mpno_place_item *items, int n, size_t *total,
                       size_t *lower_bound) {
    entry *order;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)n + 1, sizeof *order, &order));
    entry *neighbours = order + n;
    for (int i = 0; i < n; i++) order[i] = (entry){&items[i], i};
    qsort(order, (size_t)n, sizeof *order, larger_first);
    *total = 0;
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
        const size_t stop = item->offset + mpno_aligned(item->bytes);
        if (stop > *total) *total = stop;
    }
    *lower_bound = largest_live_set(items, n);
    mpno_free(ctx, order);
    return MPNO_OK;
}
