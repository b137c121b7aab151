/* SPDX-License-Identifier: MIT
 * Numbers first .. end - 1 handed out in order to slots of many threads, each slot holding one at a
 * time, and up to which number all were given back. Without locks: any thread may call at any time,
 * but a slot belongs to one thread. */
#ifndef MPNO_PDE_QUEUE_H
#define MPNO_PDE_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/context.h"

typedef struct mpno_queue {
    _Atomic int64_t next;
    int64_t end;
    int n_slots;
    _Atomic int64_t *held; /* owned: of each slot a number that is not above the one it holds */
} mpno_queue;

MPNO_WARN_UNUSED mpno_status mpno_queue_create(mpno_ctx *ctx, int64_t first, int64_t end,
                                               int n_slots, mpno_queue *out);
void mpno_queue_destroy(mpno_ctx *ctx, mpno_queue *queue);
/* The next number; false: none is left. */
bool mpno_queue_take(mpno_queue *queue, int slot, int64_t *out);
void mpno_queue_give(mpno_queue *queue, int slot);
/* All numbers below the result were given back, and what their threads wrote before is seen. */
int64_t mpno_queue_complete(mpno_queue *queue);

#endif
