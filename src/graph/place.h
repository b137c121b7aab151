/* SPDX-License-Identifier: MIT
 * Offsets for items that live during intervals of time, in one arena (dynamic storage allocation).
 */
#ifndef MPNO_GRAPH_PLACE_H
#define MPNO_GRAPH_PLACE_H

#include "core/context.h"

typedef struct mpno_place_item {
    size_t bytes;
    int first, last; /* steps at which it is alive, both included */
    size_t offset;   /* result, a multiple of 64 */
} mpno_place_item;

/* Fills the offsets. *total: bytes of the arena; *lower_bound: the largest sum of bytes alive at
 * one step. */
MPNO_WARN_UNUSED mpno_status mpno_place(mpno_ctx *ctx, mpno_place_item *items, int n, size_t *total,
                                        size_t *lower_bound);
/* That alone, without the search for places. */
size_t mpno_place_lower_bound(const mpno_place_item *items, int n);

#endif
