/* SPDX-License-Identifier: MIT
 * A counter, and the number that each slot holds. A slot first says that it holds what the counter
 * shows, then takes a number, which cannot be smaller: whoever reads the counter before the slots
 * finds each number below it that was not given back in a slot, as that number or a smaller one. */
#include "pde/queue.h"

#include "core/memory.h"

mpno_status mpno_queue_create(mpno_ctx *ctx, int64_t first, int64_t end, int n_slots,
                              mpno_queue *out) {
    *out = (mpno_queue){.end = end, .n_slots = n_slots};
    atomic_init(&out->next, first);
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n_slots, sizeof *out->held, &out->held));
    for (int i = 0; i < n_slots; i++) atomic_init(&out->held[i], INT64_MAX);
    return MPNO_OK;
}

void mpno_queue_destroy(mpno_ctx *ctx, mpno_queue *queue) {
    mpno_free(ctx, queue->held);
    queue->held = NULL;
}

bool mpno_queue_take(mpno_queue *queue, int slot, int64_t *out) {
    int64_t number = atomic_load(&queue->next);
    atomic_store(&queue->held[slot], number);
    while (number < queue->end &&
           !atomic_compare_exchange_weak(&queue->next, &number, number + 1)) {
    }
    const bool taken = number < queue->end;
    atomic_store(&queue->held[slot], taken ? number : INT64_MAX);
    *out = number;
    return taken;
}

void mpno_queue_give(mpno_queue *queue, int slot) {
    atomic_store(&queue->held[slot], INT64_MAX);
}

int64_t mpno_queue_complete(mpno_queue *queue) {
    int64_t complete = atomic_load(&queue->next);
    for (int i = 0; i < queue->n_slots; i++) {
        const int64_t held = atomic_load(&queue->held[i]);
        if (held < complete) complete = held;
    }
    return complete;
}
