/* SPDX-License-Identifier: MIT
 * The queue of numbers: in order, each once, and a count that stops before what is still held;
 * with threads that look at it all the time. */
#include "core/parallel.h"
#include "pde/queue.h"
#include "unit/pde/support.h"

static void counts_up_to_the_first_gap(void **state) {
    (void)state;
    mpno_queue q;
    int64_t n;
    assert_int_equal(mpno_queue_create(ctx, 5, 9, 3, &q), MPNO_OK);
    assert_int_equal(mpno_queue_complete(&q), 5);
    for (int slot = 0; slot < 3; slot++) {
        assert_true(mpno_queue_take(&q, slot, &n));
        assert_int_equal(n, 5 + slot);
    }
    mpno_queue_give(&q, 1);
    assert_int_equal(mpno_queue_complete(&q), 5);
    assert_true(mpno_queue_take(&q, 1, &n));
    assert_int_equal(n, 8);
    mpno_queue_give(&q, 0);
    assert_int_equal(mpno_queue_complete(&q), 7);
    mpno_queue_give(&q, 2);
    assert_int_equal(mpno_queue_complete(&q), 8);
    assert_false(mpno_queue_take(&q, 0, &n));
    assert_int_equal(mpno_queue_complete(&q), 8);
    mpno_queue_give(&q, 1);
    assert_int_equal(mpno_queue_complete(&q), 9);
    mpno_queue_destroy(ctx, &q);
}

enum { THREADS = 4, LANES = 3, COUNT = 20000 };

typedef struct crowd {
    mpno_queue queue;
    atomic_int done[COUNT];
    atomic_int wrong;
} crowd;

/* Takes into all lanes and gives back in another order; whatever is counted must be done. */
static void work(void *argument, int64_t task, int thread) {
    (void)thread;
    crowd *c = argument;
    int64_t held[LANES];
    for (int round = 0, left = LANES; left > 0; round++) {
        left = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const int slot = (int)task * LANES + lane;
            held[lane] = -1;
            if (!mpno_queue_take(&c->queue, slot, &held[lane])) held[lane] = -1;
            left += held[lane] >= 0;
        }
        for (int i = 0; i < LANES; i++) {
            const int lane = (i + round) % LANES;
            if (held[lane] < 0) continue;
            if (atomic_fetch_add(&c->done[held[lane]], 1) != 0) atomic_store(&c->wrong, 1);
            mpno_queue_give(&c->queue, (int)task * LANES + lane);
            const int64_t complete = mpno_queue_complete(&c->queue);
            const int64_t from = complete > 40 ? complete - 40 : 0;
            for (int64_t k = from; k < complete; k++) {
                if (atomic_load(&c->done[k]) != 1) atomic_store(&c->wrong, 1);
            }
        }
    }
}

static void threads_agree(void **state) {
    (void)state;
    static crowd c;
    assert_int_equal(mpno_queue_create(ctx, 0, COUNT, THREADS * LANES, &c.queue), MPNO_OK);
    mpno_parallel(THREADS, THREADS, work, &c);
    assert_int_equal(atomic_load(&c.wrong), 0);
    assert_int_equal(mpno_queue_complete(&c.queue), COUNT);
    for (int i = 0; i < COUNT; i++) assert_int_equal(atomic_load(&c.done[i]), 1);
    mpno_queue_destroy(ctx, &c.queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_up_to_the_first_gap),
        cmocka_unit_test(threads_agree),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
