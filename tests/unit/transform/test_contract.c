/* SPDX-License-Identifier: MIT
 * Contractions: paths against all paths there are and against those of opt_einsum, results and
 * gradients against the definition, bits for numbers of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "transform/contract/contraction.h"

static mpno_ctx *ctx;

static int set_up(void **state) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    (void)state;
    opts.isa = getenv("MPNO_ISA");
    return mpno_ctx_create(&opts, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    (void)state;
    const size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

static mpno_rng rng;
static int up_to(int most) {
    return (int)(mpno_rng_uniform(&rng) * (most + 1));
}

/* Every label in two tensors at least, the result counted; single: some in one operand alone. */
static mpno_contract_problem random_problem(int n_operands, int n_labels, int most, bool single) {
    mpno_contract_problem p = {.n_operands = n_operands, .element_bytes = 8};
    for (int l = 0; l < n_labels; l++) {
        p.size[l] = 1 + up_to(most - 1);
        const int a = up_to(n_operands - 1), b = up_to(n_operands - 1), c = up_to(n_operands - 1);
        p.operand[a] |= 1u << l;
        if (up_to(2) == 0) p.operand[c] |= 1u << l;
        if (up_to(2) == 0)
            p.output |= 1u << l;
        else
            p.operand[b] |= 1u << l;
        int in = p.output >> l & 1;
        for (int i = 0; i < n_operands; i++) in += p.operand[i] >> l & 1;
        if (in < 2 && !single) p.output |= 1u << l;
    }
    return p;
}

/* ---- paths ---- */

/* The cheapest of all paths that go on from these tensors, in the order of their steps. */
static void try_all(const mpno_contract_problem *p, mpno_contract_path *path, int *alive, int n,
                    double least[MPNO_CONTRACT_GOALS]) {
    if (n == 1) {
        const mpno_contract_cost cost = mpno_contract_cost_of(p, path);
        least[MPNO_CONTRACT_FLOPS] = fmin(least[MPNO_CONTRACT_FLOPS], cost.flops);
        least[MPNO_CONTRACT_BYTES] = fmin(least[MPNO_CONTRACT_BYTES], cost.peak_bytes);
        least[MPNO_CONTRACT_ERROR] = fmin(least[MPNO_CONTRACT_ERROR], cost.error);
        return;
    }
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n; k++) {
            int rest[MPNO_CONTRACT_OPERANDS], m = 0;
            for (int j = 0; j < n; j++)
                if (j != i && j != k) rest[m++] = alive[j];
            rest[m++] = p->n_operands + path->n_steps;
            path->step[path->n_steps].a = alive[i], path->step[path->n_steps++].b = alive[k];
            try_all(p, path, rest, m, least);
            path->n_steps--;
        }
}

static double goal_of(const mpno_contract_cost *cost, mpno_contract_goal goal) {
    return goal == MPNO_CONTRACT_FLOPS   ? cost->flops
           : goal == MPNO_CONTRACT_BYTES ? cost->peak_bytes
                                         : cost->error;
}

static void the_best_of_all_paths(void **state) {
    (void)state;
    rng = mpno_rng_make(3, MPNO_STREAM_TEST, 0);
    for (int round = 0; round < 400; round++) {
        const int n = 2 + up_to(round < 20 ? 4 : 3);
        const mpno_contract_problem p = random_problem(n, 3 + up_to(6), 9, true);
        double least[] = {INFINITY, INFINITY, INFINITY};
        int alive[] = {0, 1, 2, 3, 4, 5};
        mpno_contract_path path = {0};
        try_all(&p, &path, alive, n, least);
        for (int goal = 0; goal < MPNO_CONTRACT_GOALS; goal++) {
            assert_int_equal(mpno_contract_find(ctx, &p, (mpno_contract_goal)goal, &path), MPNO_OK);
            assert_int_equal(path.n_steps, n - 1);
            const mpno_contract_cost cost = mpno_contract_cost_of(&p, &path);
            const double got = goal_of(&cost, (mpno_contract_goal)goal);
            if (!(fabs(got - least[goal]) <= 1e-12 * least[goal]))
                fail_msg("round %d, goal %d: %g, %g is possible", round, goal, got, least[goal]);
        }
    }
}

static uint32_t letters(const char **at) {
    uint32_t labels = 0;
    for (; **at >= 'a' && **at <= 'z'; ++*at) labels |= 1u << (**at - 'a');
    return labels;
}

/* "EQUATION;SIZES;PATH;PATH", see tests/data/make_contraction_paths.py. */
static void read_shape(const char *at, mpno_contract_problem *p, mpno_contract_path *paths) {
    *p = (mpno_contract_problem){.element_bytes = 8};
    for (bool more = true; more; at++) {
        assert_true(p->n_operands < MPNO_CONTRACT_OPERANDS);
        p->operand[p->n_operands++] = letters(&at);
        more = *at == ',';
    }
    at++; /* of "->" */
    p->output = letters(&at);
    for (int l = 0; *at == (l == 0 ? ';' : ','); l++)
        p->size[l] = strtoll(at + 1, (char **)&at, 10);
    for (int i = 0; i < 2; i++) {
        paths[i].n_steps = 0;
        assert_int_equal(*at, ';');
        while (*at == ';' || *at == ' ') {
            const int step = paths[i].n_steps++;
            paths[i].step[step].a = (int)strtol(at + 1, (char **)&at, 10);
            paths[i].step[step].b = (int)strtol(at + 1, (char **)&at, 10);
            if (*at == ';') break;
        }
        assert_int_equal(paths[i].n_steps, p->n_operands - 1);
    }
}

/* Never more operations than opt_einsum's default path, never more memory than its greedy one. */
static void not_worse_than_opt_einsum(void **state) {
    (void)state;
    FILE *file = fopen("tests/data/contraction_paths.txt", "r");
    char line[400];
    int shapes = 0, fewer = 0, less = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') continue;
        mpno_contract_problem p;
        mpno_contract_path theirs[2], ours;
        read_shape(line, &p, theirs);
        const double flops = mpno_contract_cost_of(&p, &theirs[0]).flops,
                     bytes = mpno_contract_cost_of(&p, &theirs[1]).peak_bytes;
        assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &ours), MPNO_OK);
        const double our_flops = mpno_contract_cost_of(&p, &ours).flops;
        assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_BYTES, &ours), MPNO_OK);
        const double our_bytes = mpno_contract_cost_of(&p, &ours).peak_bytes;
        if (!(our_flops <= flops * (1 + 1e-12) && our_bytes <= bytes * (1 + 1e-12)))
            fail_msg("%s: %g flops against %g, %g bytes against %g", line, our_flops, flops,
                     our_bytes, bytes);
        shapes++;
        fewer += our_flops < 0.99 * flops, less += our_bytes < 0.99 * bytes;
    }
    fclose(file);
    assert_int_equal(shapes, 40);
    assert_true(fewer > 0 && less > 0); /* or the comparison would show nothing */
    print_message("fewer operations on %d, less memory on %d of %d shapes\n", fewer, less, shapes);
}

static void paths_refuse(void **state) {
    (void)state;
    mpno_contract_path path;
    mpno_contract_problem p = {.n_operands = 13};
    assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &path), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "13 tensors"));
    p = (mpno_contract_problem){.n_operands = 2, .operand = {1, 1}, .output = 2, .size = {2, 2}};
    assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &path), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "no operand has"));
}

static void a_path_prints(void **state) {
    (void)state;
    char text[200];
    mpno_contract_path path;
    const mpno_contract_problem p = {.n_operands = 3,
                                     .operand = {3, 6, 12},
                                     .output = 9,
                                     .size = {10, 1000, 2, 1000},
                                     .element_bytes = 8};
    assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &path), MPNO_OK);
    assert_string_equal(mpno_contract_text(&p, &path, text, sizeof text),
                        "ab,bc,cd->ad: ab,bc->ac; ac,cd->ad; 0.32 MFLOP, 0.07645 MiB, 2006 u");
    assert_int_equal(strlen(mpno_contract_text(&p, &path, text, 20)), 19);
}

/* ---- results ---- */

typedef struct tensor {
    double *data;
    mpno_contract_view view;
    size_t count;
} tensor;

/* Somewhere in an array, labels in a random order, with gaps; the planes apart or inside. */
static tensor make_tensor(const mpno_contract_problem *p, uint32_t labels) {
    tensor t = {0};
    int order[MPNO_CONTRACT_LABELS], n = 0;
    for (int l = 0; l < MPNO_CONTRACT_LABELS; l++)
        if (labels >> l & 1) {
            const int at = up_to(n);
            for (int i = n++; i > at; i--) order[i] = order[i - 1];
            order[at] = l;
        }
    const int inside = up_to(n);
    int64_t stride = 1;
    for (int i = 0; i <= n; i++) {
        if (i == inside) t.view.plane = stride, stride *= 2;
        if (i < n) t.view.stride[order[i]] = stride, stride *= p->size[order[i]] + (up_to(3) == 0);
    }
    t.view.offset = up_to(2);
    t.count = (size_t)(stride + t.view.offset);
    t.data = malloc(t.count * sizeof *t.data);
    assert_non_null(t.data);
    for (size_t i = 0; i < t.count; i++) t.data[i] = mpno_rng_normal(&rng);
    return t;
}

static int64_t place_at(const tensor *t, uint32_t labels, const int64_t *index) {
    int64_t at = t->view.offset;
    for (int l = 0; l < MPNO_CONTRACT_LABELS; l++)
        if (labels >> l & 1) at += index[l] * t->view.stride[l];
    return at;
}

static bool next_index(const mpno_contract_problem *p, int64_t *index) {
    for (int l = 0; l < MPNO_CONTRACT_LABELS; l++) {
        if (p->size[l] == 0) continue;
        if (++index[l] < p->size[l]) return true;
        index[l] = 0;
    }
    return false;
}

/* to = sum of the product of all tensors but `to`, conjugated where `to` is an operand and they are
 * too; tensor n_operands is the result. sums: the same of magnitudes. */
static void by_definition(const mpno_contract_problem *p, const tensor *tensors, int to,
                          double *out, double *sums) {
    int64_t index[MPNO_CONTRACT_LABELS] = {0};
    const int n = p->n_operands;
    do {
        double re = 1, im = 0, size = 1;
        for (int i = 0; i <= n; i++) {
            const uint32_t labels = i < n ? p->operand[i] : p->output;
            if (i == to || (i == n && to == n)) continue;
            const int64_t at = place_at(&tensors[i], labels, index);
            const double x = tensors[i].data[at], y = (to < n && i < n ? -1 : 1) *
                                                      tensors[i].data[at + tensors[i].view.plane];
            const double r = re * x - im * y;
            im = re * y + im * x, re = r;
            size *= fabs(x) + fabs(y);
        }
        const int64_t at = place_at(&tensors[to], to < n ? p->operand[to] : p->output, index);
        out[at] += re, out[at + tensors[to].view.plane] += im;
        sums[at] += size, sums[at + tensors[to].view.plane] += size;
    } while (next_index(p, index));
}

/* Elements that are no part of the view keep what they had. */
static void compare(const mpno_contract_problem *p, const tensor *tensors, int to,
                    const double *before, const double *got, double bound, const char *what) {
    const size_t count = tensors[to].count;
    double *want = calloc(2 * count, sizeof *want), *sums = want + count;
    assert_non_null(want);
    by_definition(p, tensors, to, want, sums);
    for (size_t i = 0; i < count; i++) {
        if (sums[i] == 0 && got[i] != before[i]) fail_msg("%s: wrote into a gap", what);
        if (sums[i] != 0 && !(fabs(got[i] - want[i]) <= bound * 0x1p-53 * sums[i]))
            fail_msg("%s: %.17g, expected %.17g", what, got[i], want[i]);
    }
    free(want);
}

static void check_contraction(const mpno_contract_problem *p, mpno_contract_goal goal,
                              int n_threads) {
    tensor tensors[MPNO_CONTRACT_OPERANDS + 1];
    mpno_contract_view views[MPNO_CONTRACT_OPERANDS + 1];
    const void *operands[MPNO_CONTRACT_OPERANDS];
    double *copies[MPNO_CONTRACT_OPERANDS + 1];
    void *gradients[MPNO_CONTRACT_OPERANDS];
    mpno_contract_path path;
    mpno_contraction c;
    char text[400];
    const int n = p->n_operands;
    for (int i = 0; i <= n; i++) {
        tensors[i] = make_tensor(p, i < n ? p->operand[i] : p->output);
        views[i] = tensors[i].view;
        copies[i] = malloc(tensors[i].count * sizeof *copies[i]);
        assert_non_null(copies[i]);
        memcpy(copies[i], tensors[i].data, tensors[i].count * sizeof *copies[i]);
        if (i < n) operands[i] = tensors[i].data, gradients[i] = copies[i];
    }
    assert_int_equal(mpno_contract_find(ctx, p, goal, &path), MPNO_OK);
    mpno_contract_text(p, &path, text, sizeof text);
    if (mpno_contraction_make(ctx, p, &path, views, &c) != MPNO_OK)
        fail_msg("%s: %s", text, mpno_ctx_error(ctx));
    mpno_contract_run run = {.kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
                             .fields = mpno_field_kernels_get(MPNO_F64),
                             .n_threads = n_threads,
                             .scratch = aligned_alloc(64, mpno_contraction_scratch(&c, 8, true))};
    assert_non_null(run.scratch);
    const double bound = mpno_contract_cost_of(p, &path).error + 64;
    mpno_contraction_run(&c, &run, operands, copies[n]);
    compare(p, tensors, n, tensors[n].data, copies[n], bound, text);
    const bool without = up_to(1);
    if (without) gradients[0] = NULL;
    mpno_contraction_gradients(&c, &run, operands, tensors[n].data, gradients);
    for (int i = without; i < n; i++) {
        double sum = 1; /* length of the longest sums there can be */
        for (int l = 0; l < MPNO_CONTRACT_LABELS; l++)
            if (p->size[l] > 1) sum *= (double)p->size[l];
        compare(p, tensors, i, tensors[i].data, copies[i], 4 * sum + 64, text);
    }
    for (int i = 0; i <= n; i++) free(tensors[i].data), free(copies[i]);
    free(run.scratch);
}

static void results_and_gradients(void **state) {
    (void)state;
    rng = mpno_rng_make(4, MPNO_STREAM_TEST, 0);
    for (int round = 0; round < 400; round++) {
        const int n = 2 + up_to(3);
        const mpno_contract_problem p = random_problem(n, 2 + up_to(4), round % 4 ? 5 : 12, false);
        check_contraction(&p, (mpno_contract_goal)(round % 3), 1 + up_to(2));
    }
}

/* Long sums of small results are taken in parts; results of few columns are turned. */
static void long_sums(void **state) {
    (void)state;
    static const mpno_contract_problem problems[] = {
        {.n_operands = 2, .operand = {0x0f, 0x1e}, .output = 0x11, .size = {9, 20, 7, 6, 5}},
        {.n_operands = 2, .operand = {0x0f, 0x1e}, .output = 0x13, .size = {2, 3, 30, 20, 4}},
        {.n_operands = 2, .operand = {0x07, 0x0c}, .output = 0x0b, .size = {50, 7, 6, 3}},
        {.n_operands = 3,
         .operand = {0x0f, 0x1e, 0x21},
         .output = 0x30,
         .size = {3, 9, 8, 9, 2, 2}}};
    rng = mpno_rng_make(5, MPNO_STREAM_TEST, 0);
    for (int round = 0; round < 40; round++) {
        mpno_contract_problem p = problems[round % 4];
        p.element_bytes = 16;
        check_contraction(&p, MPNO_CONTRACT_FLOPS, 1 + round % 3);
    }
}

/* The same bits by any number of threads. */
static void bits_for_threads(void **state) {
    (void)state;
    const mpno_contract_problem p = {.n_operands = 2,
                                     .operand = {0x0f, 0x1e},
                                     .output = 0x11,
                                     .size = {33, 20, 7, 6, 35},
                                     .element_bytes = 16};
    mpno_contract_path path;
    mpno_contraction c;
    tensor tensors[3];
    mpno_contract_view views[3];
    double *got[2][3];
    rng = mpno_rng_make(6, MPNO_STREAM_TEST, 0);
    for (int i = 0; i < 3; i++) {
        tensors[i] = make_tensor(&p, i < 2 ? p.operand[i] : p.output);
        views[i] = tensors[i].view;
    }
    assert_int_equal(mpno_contract_find(ctx, &p, MPNO_CONTRACT_FLOPS, &path), MPNO_OK);
    assert_int_equal(mpno_contraction_make(ctx, &p, &path, views, &c), MPNO_OK);
    for (int threads = 0; threads < 2; threads++) {
        mpno_contract_run run = {
            .kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
            .fields = mpno_field_kernels_get(MPNO_F64),
            .n_threads = threads == 0 ? 1 : 5,
            .scratch = aligned_alloc(64, mpno_contraction_scratch(&c, 8, true))};
        const void *operands[] = {tensors[0].data, tensors[1].data};
        assert_non_null(run.scratch);
        for (int i = 0; i < 3; i++) got[threads][i] = calloc(tensors[i].count, sizeof(double));
        void *const gradients[] = {got[threads][0], got[threads][1]};
        mpno_contraction_run(&c, &run, operands, got[threads][2]);
        mpno_contraction_gradients(&c, &run, operands, tensors[2].data, gradients);
        free(run.scratch);
    }
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(got[0][i], got[1][i], tensors[i].count * sizeof(double));
        free(got[0][i]), free(got[1][i]), free(tensors[i].data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_all_paths), cmocka_unit_test(not_worse_than_opt_einsum),
        cmocka_unit_test(paths_refuse),          cmocka_unit_test(a_path_prints),
        cmocka_unit_test(results_and_gradients), cmocka_unit_test(long_sums),
        cmocka_unit_test(bits_for_threads)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
