/* SPDX-License-Identifier: MIT
 * An adversarial search of whole networks against their POINT certificates. From random small
 * networks (shape, weights, input, precision policy; the policy stays) one number of input or
 * weights at a time is changed - sign, a bit of the mantissa, power of two, zero, another number -
 * as long as the true distance, which an oracle with twice the digits knows, comes nearer to an end
 * of its interval. It may never pass one. Two kinds: answers in low precision, whose intervals are
 * narrow, so that what is climbed is the place between middle and end; and answers in f64, whose
 * upper bound is little more than the bound of rounding itself, so that it is error over upper
 * bound. MPNO_TEST_TRIALS=N takes N times as many searches; with MPNO_TEST_VERBOSE set it prints
 * each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/certify/point_case.h"

enum { SEARCHES = 42, STEPS = 40, MOST_NUMBERS = 400 };

static int n_searches(void) {
    const char *times = getenv("MPNO_TEST_TRIALS");
    return SEARCHES * (times == NULL ? 1 : atoi(times));
}

/* Numbers that may be changed: the input, the embedding and the weights. */
typedef struct part {
    double *values;
    size_t count;
    int param; /* -1: none */
    bool positive;
} part;

enum { MOST_PARTS = 256 };
typedef enum point_goal { TO_UPPER, TO_LOWER, UPPER_OF_F64 } point_goal;

typedef struct attack {
    mpno_ctx *ctx;
    uint64_t seed;
    point_goal goal;
    quad_case q;
    part parts[MOST_PARTS];
    int n_parts;
    size_t numbers;
} attack;

typedef struct record {
    double upper, lower, place; /* greatest error / upper bound, lower bound / error, and place */
    double upper_f64, shadow;   /* error / upper bound of f64 answers, shadow's error / B */
    int evaluated, refused;
} record;

/* ---- starts ---- */

static void add_part(attack *a, double *values, size_t count, int param, bool positive) {
    assert_true(a->n_parts < MOST_PARTS);
    a->parts[a->n_parts++] = (part){values, count, param, positive};
    a->numbers += count;
}

static void take_parts(attack *a) {
    const quad_case *q = &a->q;
    add_part(a, q->input, q->n_in, -1, false);
    if (q->embedding != NULL)
        add_part(a, q->embedding, (size_t)q->config.ada_in_features, -1, false);
    for (int p = 0; p < mpno_model_n_params(q->model); p++) {
        const mpno_param_info info = mpno_model_param_info(q->model, p);
        if (info.kind == MPNO_PARAM_COUNTER) continue;
        double *values = malloc(info.count * sizeof *values);
        assert_non_null(values);
        mpno_model_get_param(q->model, p, values);
        add_part(a, values, info.count, p,
                 strstr(info.name, "running_var") != NULL || strstr(info.name, ".gain") != NULL);
    }
}

static void close_attack(attack *a) {
    for (int i = 0; i < a->n_parts; i++)
        if (a->parts[i].param >= 0) free(a->parts[i].values);
    quad_case_drop(&a->q);
}

/* The next small network from this seed on. */
static void open_attack(attack *a, mpno_ctx *ctx, uint64_t *seed, point_goal goal) {
    for (;; ++*seed) {
        *a = (attack){.ctx = ctx, .seed = *seed, .goal = goal};
        quad_case_draw(ctx, *seed, goal == UPPER_OF_F64 ? MPNO_F64 : MPNO_F32, &a->q);
        if (goal == UPPER_OF_F64) a->q.policy = "full", a->q.exceptions = NULL;
        take_parts(a);
        if (a->numbers <= MOST_NUMBERS) break;
        close_attack(a);
    }
    ++*seed;
}

static void set_weights(const attack *a, int i) {
    if (a->parts[i].param >= 0)
        mpno_model_set_param(a->q.model, a->parts[i].param, a->parts[i].values);
}

/* As drawn, or all numbers of a part made alike: signs, ties of f32, few bits. */
static void restart(attack *a, mpno_rng *rng) {
    for (int i = 0; i < a->n_parts; i++) {
        part *p = &a->parts[i];
        const uint64_t style = mpno_rng_below(rng, 6);
        if (p->positive || style > 2) continue;
        double sum = 0;
        for (size_t k = 0; k < p->count; k++) sum += fabs(p->values[k]);
        const double mean = sum / (double)p->count;
        for (size_t k = 0; k < p->count && isfinite(mean); k++) {
            const double sign = p->values[k] < 0 ? -1 : 1;
            if (style == 0) p->values[k] = (double)(float)(sign * mean);
            if (style == 1)
                p->values[k] = sign * exp2(nearbyint(log2(mean + 0x1p-20))) *
                               (1 + (double)(2 * mpno_rng_below(rng, 2048) + 1) * 0x1p-12);
            if (style == 2) p->values[k] = (double)(float)(nearbyint(8 * p->values[k]) / 8);
        }
        set_weights(a, i);
    }
}

/* ---- steps ---- */

/* How near the distance of this norm is to the end that is climbed to: 1 is there. */
static double place_of(point_goal goal, double distance, mpno_interval bounds, double off) {
    if (goal == UPPER_OF_F64) return distance / bounds.upper;
    if (goal == TO_UPPER) return 1 - (bounds.upper - distance) / off;
    return bounds.lower > 0 ? 1 - (distance - bounds.lower) / off : -1;
}

/* -1 where the network's numbers leave a format or there is no bound. */
static double evaluate(const attack *a, record *best) {
    const quad_case *q = &a->q;
    double *answer = calloc(q->n_out, sizeof *answer), place = -1;
    mpno_point point;
    assert_non_null(answer);
    mpno_certifier *certifier = NULL;
    if (quad_case_answer(a->ctx, q, q->policy, answer)) certifier = point_certifier(a->ctx, q);
    const mpno_status status = certifier != NULL
                                   ? mpno_certifier_run(certifier, q->input, answer, &point)
                                   : MPNO_E_NUMERIC;
    if (status == MPNO_OK) {
        const point_truth truth =
            point_check(q, quad_case_text(q, a->seed), &point, certifier, answer);
        for (int k = 0; k < MPNO_N_DISTANCES; k++) {
            const double distance = truth.distance[k];
            const mpno_interval d = point.distance[k];
            place = fmax(place, place_of(a->goal, distance, d, point.shadow[k]));
            best->shadow = fmax(best->shadow, truth.shadow[k] / point.shadow[k]);
            if (distance > 0) best->lower = fmax(best->lower, d.lower / distance);
            if (a->goal == UPPER_OF_F64)
                best->upper_f64 = fmax(best->upper_f64, distance / d.upper);
            else
                best->upper = fmax(best->upper, distance / d.upper);
        }
        if (a->goal != UPPER_OF_F64) best->place = fmax(best->place, place);
        best->evaluated++;
    } else if (status == MPNO_E_NUMERIC) {
        best->refused++;
    } else {
        fail_msg("%s: %s", quad_case_text(q, a->seed), mpno_ctx_error(a->ctx));
    }
    mpno_certifier_destroy(&certifier);
    free(answer);
    return place;
}

static double with_bit_turned(double x, bool wide, mpno_rng *rng) {
    if (wide) {
        int64_t bits;
        memcpy(&bits, &x, sizeof bits);
        bits ^= (int64_t)1 << mpno_rng_below(rng, 52);
        memcpy(&x, &bits, sizeof bits);
        return x;
    }
    float narrow = (float)x;
    int32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    bits ^= 1 << mpno_rng_below(rng, 23);
    memcpy(&narrow, &bits, sizeof bits);
    return (double)narrow;
}

/* Signs and zeros of what must be positive stay. */
static double changed(const attack *a, const part *p, double x, mpno_rng *rng) {
    const bool wide = mpno_model_arithmetic(a->q.model) == MPNO_F64;
    switch (mpno_rng_below(rng, p->positive ? 5 : 8)) {
        case 0:
            return 2 * x;
        case 1:
            return 0.5 * x;
        case 5:
            return -x;
        case 6:
            return 0;
        case 7:
            return p->values[mpno_rng_below(rng, p->count)];
        default:
            return with_bit_turned(x, wide, rng);
    }
}

/* Every second change is of the input, which has few numbers. */
static int some_part(const attack *a, mpno_rng *rng) {
    if (mpno_rng_below(rng, 2) == 0) return 0;
    int64_t at = (int64_t)mpno_rng_below(rng, a->numbers);
    for (int i = 0; i < a->n_parts; i++) {
        at -= (int64_t)a->parts[i].count;
        if (at < 0) return i;
    }
    return 0;
}

static double climb(attack *a, mpno_rng *rng, record *best) {
    double place = evaluate(a, best);
    for (int s = 0; s < STEPS; s++) {
        const int i = some_part(a, rng);
        const part *p = &a->parts[i];
        double *value = &p->values[mpno_rng_below(rng, p->count)];
        const double before = *value;
        *value = changed(a, p, before, rng);
        set_weights(a, i);
        const double now = evaluate(a, best);
        if (now >= place) {
            place = now;
        } else {
            *value = before;
            set_weights(a, i);
        }
    }
    return place;
}

static void no_search_leaves_an_interval(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_rng rng = mpno_rng_make(17, MPNO_STREAM_TEST, 8);
    record best = {0};
    uint64_t seed = 500000;
    const int n = n_searches();
    for (int i = 0; i < n; i++) {
        attack a;
        open_attack(&a, ctx, &seed, (point_goal)(i % 3));
        restart(&a, &rng);
        const double place = climb(&a, &rng, &best);
        if (getenv("MPNO_TEST_VERBOSE") != NULL)
            print_message("goal %d, place %.3g: %s\n", i % 3, place, quad_case_text(&a.q, a.seed));
        close_attack(&a);
    }
    print_message("%d searches, %d networks, %d without a bound or answer\n", n, best.evaluated,
                  best.refused);
    print_message(
        "low precision: error / upper bound at most 1 - %.2g, lower bound / error 1 - %.2g, "
        "%.2g of the way from the middle\n",
        1 - best.upper, 1 - best.lower, best.place);
    print_message("f64: error / upper bound at most %.2g; shadow's error / its bound %.2g\n",
                  best.upper_f64, best.shadow);
    assert_true(best.upper <= 1 && best.lower <= 1 && best.upper_f64 <= 1 && best.place <= 1);
    /* a search that certifies nothing, or that never meets a bound, shows nothing */
    assert_true(best.evaluated > 3 * best.refused);
    assert_true(best.upper_f64 > 0.001 && best.lower > 0.99);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_search_leaves_an_interval)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
