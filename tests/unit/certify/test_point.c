/* SPDX-License-Identifier: MIT
 * POINT certificates of random small networks in every precision, against the oracle that has twice
 * the digits of the shadow run: every interval must contain the true distance and size, and no
 * shadow may be farther from the exact answer than its bound says. The bounds are some 1e4 to 1e8
 * times too large for the shadow run's error, which hides mistakes of small terms: those are for
 * the tests of single ops. MPNO_TEST_TRIALS=N takes N times as many cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/certify/point_case.h"

enum { CASES = 1000 };

static int n_cases(void) {
    const char *times = getenv("MPNO_TEST_TRIALS");
    return CASES * (times == NULL ? 1 : atoi(times));
}

/* What the cases came to. */
typedef struct outcome {
    int certified, unanswered, unbounded;
    double *slack;  /* of each case: B over the shadow's error, in L2 */
    double *excess; /* of each: upper bound over distance, less 1, in L2 */
} outcome;

static void check(const quad_case *q, const char *text, const mpno_point *point,
                  const mpno_certifier *certifier, const double *answer, outcome *o) {
    const point_truth truth = point_check(q, text, point, certifier, answer);
    const double shadow = truth.shadow[MPNO_DISTANCE_L2];
    if (getenv("MPNO_TEST_VERBOSE") != NULL && point->shadow[0] < 100 * shadow)
        print_message("%s: bound %.3g, shadow off by %.3g\n", text, point->shadow[0], shadow);
    o->slack[o->certified] = point->shadow[MPNO_DISTANCE_L2] / shadow;
    o->excess[o->certified] =
        point->distance[MPNO_DISTANCE_L2].upper / truth.distance[MPNO_DISTANCE_L2] - 1;
}

static void certify(mpno_ctx *ctx, uint64_t seed, const quad_case *q, outcome *o) {
    mpno_point point;
    const char *text = quad_case_text(q, seed);
    double *answer = calloc(q->n_out, sizeof *answer);
    assert_non_null(answer);
    if (!quad_case_answer(ctx, q, q->policy, answer)) {
        o->unanswered++; /* out of a format's range */
    } else {
        mpno_certifier *certifier = point_certifier(ctx, q);
        const mpno_status status = mpno_certifier_run(certifier, q->input, answer, &point);
        if (status == MPNO_OK) {
            check(q, text, &point, certifier, answer, o);
            o->certified++;
        } else if (status == MPNO_E_NUMERIC) {
            o->unbounded++;
        } else {
            fail_msg("%s: %s", text, mpno_ctx_error(ctx));
        }
        mpno_certifier_destroy(&certifier);
    }
    free(answer);
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void intervals_contain_the_exact_distances(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const int n = n_cases();
    outcome o = {.slack = calloc((size_t)n, sizeof(double)),
                 .excess = calloc((size_t)n, sizeof(double))};
    assert_true(o.slack != NULL && o.excess != NULL);
    for (uint64_t seed = 1000; o.certified < n; seed++) {
        quad_case q;
        quad_case_draw(ctx, seed, MPNO_F32, &q);
        certify(ctx, seed, &q, &o);
        quad_case_drop(&q);
        /* most networks are of ordinary size: a certifier that gives up is none */
        assert_true(o.unanswered + o.unbounded < n / 2);
    }
    qsort(o.slack, (size_t)n, sizeof *o.slack, by_size);
    qsort(o.excess, (size_t)n, sizeof *o.excess, by_size);
    print_message("%s, %d cases (%d overflowed, %d without a bound)\n", quad_arithmetic(), n,
                  o.unanswered, o.unbounded);
    print_message("bound over the shadow's error: least %.2g, median %.2g, largest %.2g\n",
                  o.slack[0], o.slack[n / 2], o.slack[n - 1]);
    print_message("upper bound over distance, less 1: median %.2g, 95 %% %.2g, largest %.2g\n",
                  o.excess[n / 2], o.excess[n * 95 / 100], o.excess[n - 1]);
    free(o.slack), free(o.excess);
    drop_ctx(ctx);
}

/* A precision schedule may change the stabiliser, and what then has no gains any more is what was
 * trained with them. */
static void stabilisers_that_were_changed(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    outcome o = {.slack = calloc(16, sizeof(double)), .excess = calloc(16, sizeof(double))};
    assert_true(o.slack != NULL && o.excess != NULL);
    for (uint64_t seed = 0; o.certified + o.unbounded < 4; seed++) {
        quad_case q;
        quad_case_draw(ctx, seed, MPNO_F32, &q);
        const bool gains = q.config.stabilizer == MPNO_STABILIZER_LEARNED_TANH;
        if (gains) {
            mpno_model_set_stabilizer(q.model, MPNO_STABILIZER_TANH);
            mpno_model_set_stabilizer_blend(q.model, 0.25);
            certify(ctx, seed, &q, &o);
        }
        quad_case_drop(&q);
    }
    assert_true(o.certified > 0);
    free(o.slack), free(o.excess);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stabilisers_that_were_changed),
                                       cmocka_unit_test(intervals_contain_the_exact_distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
