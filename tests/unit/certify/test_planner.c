/* SPDX-License-Identifier: MIT
 * The choice of formats against trying every one: least memory and least cost of random problems of
 * a few sites, budgets at which there is just one answer or none, and cases by hand. */
#include "unit/data/support.h"

#include <math.h>

#include "certify/planner.h"
#include "core/memory.h"
#include "core/rng.h"

enum { SITES = 6, TENSORS = 12, STEPS = 9 };

typedef struct example {
    mpno_planner_site sites[SITES];
    mpno_planner_tensor tensors[TENSORS];
    size_t scratch[STEPS];
    mpno_planner_problem problem;
} example;

static int below(mpno_rng *rng, int n) {
    return (int)(mpno_rng_u32(rng) % (uint32_t)n);
}

/* Few sizes, so that tensors often take the place of others. */
static void make_tensor(example *e, mpno_rng *rng, int i) {
    mpno_planner_tensor *t = &e->tensors[i];
    const size_t size = (size_t)(1 + below(rng, 3)) * 400;
    *t = (mpno_planner_tensor){.site = below(rng, e->problem.n_sites + 1) - 1, .takes = -1};
    t->first = below(rng, STEPS);
    t->last = t->first + below(rng, STEPS - t->first < 4 ? STEPS - t->first : 4);
    for (int c = 0; c < MPNO_PLANNER_CHOICES; c++) t->bytes[c] = size >> c;
    t->n_shares = below(rng, 3);
    for (int k = 0; k < t->n_shares; k++) {
        t->by[k] = below(rng, e->problem.n_sites);
        for (int c = 0; c < MPNO_PLANNER_CHOICES; c++)
            t->share[k][c] = c == 0 ? 1 : t->share[k][c - 1] * (0.5 + 0.5 * mpno_rng_uniform(rng));
    }
    for (int other = 0; other < i && t->takes < 0; other++) {
        bool taken = e->tensors[other].last != t->first || e->tensors[other].first == t->first;
        for (int k = 0; k < i; k++) taken = taken || e->tensors[k].takes == other;
        if (!taken) t->takes = other;
    }
}

static void make_example(example *e, mpno_rng *rng) {
    e->problem = (mpno_planner_problem){.n_sites = 1 + below(rng, SITES),
                                        .n_choices = 2 + below(rng, MPNO_PLANNER_CHOICES - 1),
                                        .n_tensors = 1 + below(rng, TENSORS),
                                        .n_steps = STEPS,
                                        .sites = e->sites,
                                        .tensors = e->tensors,
                                        .scratch = e->scratch};
    for (int i = 0; i < e->problem.n_sites; i++) {
        const double square = exp(-8 * mpno_rng_uniform(rng));
        for (int c = 0; c < MPNO_PLANNER_CHOICES; c++) {
            e->sites[i].square[c] = c == 0 ? 0 : square * pow(16, c) * mpno_rng_uniform(rng);
            if (c > 0 && below(rng, 8) == 0) e->sites[i].square[c] = INFINITY;
            e->sites[i].cost[c] = (double)below(rng, 100);
        }
    }
    for (int i = 0; i < e->problem.n_tensors; i++) make_tensor(e, rng, i);
    for (int s = 0; s < STEPS; s++) e->scratch[s] = (size_t)below(rng, 500);
}

/* All choices one after the other; false: that was the last. */
static bool next(const mpno_planner_problem *p, int *choice) {
    for (int i = 0; i < p->n_sites; i++) {
        if (++choice[i] < p->n_choices) return true;
        choice[i] = 0;
    }
    return false;
}

static double square_of(const mpno_planner_problem *p, const int *choice) {
    double sum = 0;
    for (int i = 0; i < p->n_sites; i++) sum += p->sites[i].square[choice[i]];
    return sum;
}

static double cost_of(const mpno_planner_problem *p, const int *choice) {
    double sum = 0;
    for (int i = 0; i < p->n_sites; i++) sum += p->sites[i].cost[choice[i]];
    return sum;
}

/* Written anew: every tensor is laid over the steps, but not over what it replaces. */
static size_t most_bytes(const mpno_planner_problem *p, const int *choice) {
    size_t at[STEPS], size[TENSORS], most = 0;
    for (int s = 0; s < p->n_steps; s++) at[s] = p->scratch[s];
    for (int i = 0; i < p->n_tensors; i++) {
        const mpno_planner_tensor *t = &p->tensors[i];
        size[i] = t->bytes[t->site < 0 ? 0 : choice[t->site]];
        for (int k = 0; k < t->n_shares; k++)
            size[i] = (size_t)ceil(t->share[k][choice[t->by[k]]] * (double)size[i]);
        for (int s = t->first; s <= t->last; s++) at[s] += size[i];
        if (t->takes >= 0 && size[t->takes] == size[i]) at[t->first] -= size[i];
    }
    for (int s = 0; s < p->n_steps; s++) most = at[s] > most ? at[s] : most;
    return most;
}

static bool close_to(double a, double b) {
    return fabs(a - b) <= 1e-12 * fabs(b);
}

static void no_choice_is_better_than_the_one_found(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = mpno_rng_make(8, MPNO_STREAM_TEST, 0);
    int narrow = 0;
    for (int trial = 0; trial < 400; trial++) {
        example e;
        make_example(&e, &rng);
        const double budget = exp(6 - 14 * mpno_rng_uniform(&rng));
        int choice[SITES] = {0}, found[SITES], cheap[SITES];
        size_t bytes = SIZE_MAX;
        double square = INFINITY, cost = INFINITY, of_cost = INFINITY;
        do {
            const double sum = square_of(&e.problem, choice), price = cost_of(&e.problem, choice);
            const size_t most = most_bytes(&e.problem, choice);
            if (!(sum <= budget)) continue;
            if (most < bytes || (most == bytes && sum < square)) bytes = most, square = sum;
            if (price < cost || (price == cost && sum < of_cost)) cost = price, of_cost = sum;
        } while (next(&e.problem, choice));
        mpno_planner_answer answer = {.choice = found};
        assert_ok(ctx, mpno_planner_least_memory(ctx, &e.problem, budget, &answer));
        assert_true(answer.bytes == bytes && most_bytes(&e.problem, found) == bytes);
        assert_true(close_to(answer.square, square));
        assert_true(close_to(answer.square, square_of(&e.problem, found)));
        assert_true(answer.cost == cost_of(&e.problem, found));
        narrow += answer.square > 0;
        answer.choice = cheap;
        assert_ok(ctx, mpno_planner_least_cost(ctx, &e.problem, budget, &answer));
        assert_true(answer.cost == cost && cost_of(&e.problem, cheap) == cost);
        assert_true(close_to(answer.square, of_cost) && answer.square <= budget);
        assert_true(answer.bytes == most_bytes(&e.problem, cheap));
    }
    assert_true(narrow > 100); /* budgets that something fits into */
}

/* Two steps: a and b in the first one, b and c in the second, where c takes the place of b. */
static void what_the_fullest_step_has_is_what_counts(void **state) {
    mpno_ctx *ctx = *state;
    mpno_planner_site sites[3] = {{.square = {0, 1}}, {.square = {0, 4}}, {.square = {0, 16}}};
    mpno_planner_tensor tensors[3] = {
        {.site = 0, .bytes = {100, 50}, .first = 0, .last = 0, .takes = -1},
        {.site = 1, .bytes = {200, 100}, .first = 0, .last = 1, .takes = -1},
        {.site = 2, .bytes = {200, 100}, .first = 1, .last = 1, .takes = 1}};
    const size_t scratch[2] = {0, 7};
    const mpno_planner_problem p = {3, 2, 3, 2, sites, tensors, scratch};
    int choice[3];
    mpno_planner_answer a = {.choice = choice};
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 0, &a));
    assert_true(a.bytes == 300 && a.square == 0);
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 1, &a)); /* 50 + 200 */
    assert_true(a.bytes == 250 && choice[0] == 1 && choice[1] == 0 && choice[2] == 0);
    /* b alone would leave 200 in the first step, but c could not take its place: 307 */
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 5, &a));
    assert_true(a.bytes == 250 && a.square == 1);
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 20, &a)); /* a may stay */
    assert_true(a.bytes == 200 && choice[0] == 0 && choice[1] == 1 && choice[2] == 1);
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 21, &a));
    assert_true(a.bytes == 150 && a.square == 21);
}

static void sites_without_tensors_stay_accurate(void **state) {
    mpno_ctx *ctx = *state;
    mpno_planner_site sites[2] = {{.square = {3, 1}}, {.square = {0, 1}}};
    mpno_planner_tensor tensor = {.site = 1, .bytes = {8, 4}, .takes = -1};
    const size_t scratch = 0;
    const mpno_planner_problem p = {2, 2, 1, 1, sites, &tensor, &scratch};
    int choice[2];
    mpno_planner_answer a = {.choice = choice};
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 2, &a));
    assert_true(choice[0] == 1 && choice[1] == 1 && a.bytes == 4 && a.square == 2);
}

static void what_cannot_be_is_refused(void **state) {
    mpno_ctx *ctx = *state;
    enum { MANY = 9 };
    mpno_planner_site sites[MANY];
    mpno_planner_tensor tensors[MANY];
    const size_t scratch = 0;
    int choice[MANY];
    for (int i = 0; i < MANY; i++) {
        sites[i] = (mpno_planner_site){.square = {1, 2, 3, 4}};
        tensors[i] = (mpno_planner_tensor){.site = i, .bytes = {8, 4, 4, 2}, .takes = -1};
    }
    mpno_planner_problem p = {MANY, 4, MANY, 1, sites, tensors, &scratch};
    mpno_planner_answer a = {.choice = choice};
    assert_fails(ctx, mpno_planner_least_memory(ctx, &p, 100, &a), MPNO_E_ARGUMENT,
                 "more than 8 sites are in memory at step 0");
    p.n_sites = p.n_tensors = 8;
    assert_ok(ctx, mpno_planner_least_memory(ctx, &p, 100, &a));
    assert_true(a.bytes == 16);
    assert_fails(ctx, mpno_planner_least_memory(ctx, &p, 7.9, &a), MPNO_E_ARGUMENT, "within 7.9");
    assert_fails(ctx, mpno_planner_least_cost(ctx, &p, 7.9, &a), MPNO_E_ARGUMENT, "within 7.9");
}

static void memory_that_runs_out_is_told_and_freed(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = mpno_rng_make(9, MPNO_STREAM_TEST, 0);
    example e;
    int choice[SITES], failures = 0;
    make_example(&e, &rng);
    mpno_planner_answer a = {.choice = choice};
    const size_t before = mpno_ctx_bytes(ctx);
    for (int which = 0; which < 2; which++)
        for (int64_t n = 0;; n++) {
            mpno_alloc_fail_after(ctx, n);
            const mpno_status status = which ? mpno_planner_least_cost(ctx, &e.problem, 1e9, &a)
                                             : mpno_planner_least_memory(ctx, &e.problem, 1e9, &a);
            mpno_alloc_fail_after(ctx, -1);
            assert_true(mpno_ctx_bytes(ctx) == before);
            if (status == MPNO_OK) break;
            assert_true(status == MPNO_E_MEMORY);
            failures++;
        }
    assert_true(failures > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_choice_is_better_than_the_one_found, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(what_the_fullest_step_has_is_what_counts, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(sites_without_tensors_stay_accurate, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, make_context, end_context),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_is_told_and_freed, make_context,
                                        end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
