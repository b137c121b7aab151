/* SPDX-License-Identifier: MIT
 * Looking at what a network stores: every tensor is seen and counted, without a change of any
 * result; the shadow comparison finds the noise that one rounding makes, what underflows, nothing
 * where nothing differs, and shells that sum to the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "model/network.h"
#include "model/shadow.h"
#include "model/tally.h"
#include "unit/model/support.h"

enum { BATCH = 3 };
static const int64_t grid[] = {16, 12};

typedef struct rig {
    mpno_ctx *ctx;
    mpno_model *model;
    void *x, *y;
} rig;

static rig open_rig(int n_threads) {
    rig r = {.ctx = make_ctx(n_threads)};
    const mpno_fno_config config = small_config(2);
    const int64_t values = BATCH * points_of(2, grid) * 2;
    r.model = make_model(r.ctx, &config, MPNO_F32);
    r.x = make_data(MPNO_F32, values, 1);
    r.y = make_data(MPNO_F32, values, 2);
    return r;
}

static void close_rig(rig *r) {
    mpno_model_destroy(&r->model);
    free(r->x);
    free(r->y);
    drop_ctx(r->ctx);
}

static mpno_network *network_of(const rig *r, bool training, const char *policy, mpno_format half) {
    const mpno_network_opts opts = make_opts(2, grid, BATCH, training, policy, half);
    return make_network(r->ctx, r->model, &opts);
}

static int find_edge(const mpno_network *network, const char *layer, const char *name) {
    const mpno_graph *graph = mpno_network_graph(network);
    for (int e = 0; e < graph->n_edges; e++)
        if (strcmp(graph->layers[graph->edges[e].layer], layer) == 0 &&
            strcmp(graph->edges[e].name, name) == 0)
            return e;
    fail_msg("no edge %s of %s", name, layer);
    return -1;
}

static void every_tensor_is_counted_and_nothing_changes(void **state) {
    (void)state;
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        rig r = open_rig(n_threads);
        mpno_network *network = network_of(&r, true, "mixed", MPNO_F16);
        const mpno_exec *exec = mpno_network_exec(network);
        mpno_step_result plain, watched;
        size_t n;
        assert_int_equal(mpno_network_step(network, BATCH, r.x, r.y, 64, &plain), MPNO_OK);
        double *before = all_gradients(r.model, network, &n);
        mpno_tally tally;
        assert_int_equal(mpno_tally_create(network, n_threads, r.ctx, &tally), MPNO_OK);
        const mpno_observer observer = mpno_tally_observer(&tally);
        mpno_network_observe(network, &observer);
        assert_int_equal(mpno_network_step(network, BATCH, r.x, r.y, 64, &watched), MPNO_OK);
        mpno_network_observe(network, NULL);
        double *after = all_gradients(r.model, network, &n);
        assert_memory_equal(before, after, n * sizeof *before);
        assert_true(plain.loss == watched.loss);
        for (int i = 0; i < mpno_exec_n_tensors(exec); i++) {
            const mpno_exec_tensor t = mpno_exec_tensor_at(exec, i);
            const mpno_census *c = &tally.edges[t.edge];
            assert_int_equal(c->values, t.bytes / mpno_format_bytes(t.format));
            assert_int_equal(tally.formats[t.edge], t.format);
            assert_int_equal(c->not_finite, 0);
            assert_true(mpno_census_largest(c, t.format) > 0);
        }
        mpno_tally_start(&tally); /* nobody looks any more */
        assert_int_equal(mpno_network_step(network, BATCH, r.x, r.y, 64, &watched), MPNO_OK);
        for (int e = 0; e < tally.n_edges; e++) assert_int_equal(tally.edges[e].values, 0);
        free(before);
        free(after);
        mpno_tally_clear(&tally);
        mpno_network_destroy(&network);
        close_rig(&r);
    }
}

/* What is known of a tensor before it runs: all of one size, all zero, all too large. */
static void counts_are_those_of_the_values(void **state) {
    (void)state;
    static const struct {
        double bias;
        int64_t zeros, saturated, not_finite, subnormals;
    } cases[] = {{0, 1, 0, 0, 0}, {65504, 0, 1, 0, 0}, {1e6, 0, 0, 1, 0}, {0x1p-20, 0, 0, 0, 1}};
    rig r = open_rig(1);
    set_named(r.model, "lifting.fcs.1.weight", 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set_named(r.model, "lifting.fcs.1.bias", cases[i].bias);
        mpno_network *network = network_of(&r, false, "amp", MPNO_F16);
        mpno_tally tally;
        assert_int_equal(mpno_tally_create(network, 1, r.ctx, &tally), MPNO_OK);
        const mpno_observer observer = mpno_tally_observer(&tally);
        int bad;
        mpno_network_observe(network, &observer);
        assert_int_equal(mpno_network_rehearse(network, BATCH, r.x, r.y, 1, &bad), MPNO_OK);
        const int lifted = find_edge(network, "lifting", "lifted");
        const mpno_census *c = &tally.edges[lifted];
        const int64_t all = BATCH * points_of(2, grid) * 8;
        assert_int_equal(c->values, all);
        assert_int_equal(c->zeros, cases[i].zeros * all);
        assert_int_equal(c->saturated, cases[i].saturated * all);
        assert_int_equal(c->not_finite, cases[i].not_finite * all);
        assert_int_equal(c->subnormals, cases[i].subnormals * all);
        if (cases[i].not_finite) assert_int_equal(bad, lifted);
        mpno_tally_clear(&tally);
        mpno_network_destroy(&network);
    }
    close_rig(&r);
}

static void compare(const rig *r, bool training, const char *policy, mpno_format half,
                    mpno_network **here, mpno_shadow *shadow) {
    *here = network_of(r, training, policy, half);
    mpno_network *full = network_of(r, training, "full", half);
    void *room = malloc((size_t)(BATCH * points_of(2, grid) * 2) * sizeof(float));
    assert_non_null(room);
    assert_int_equal(mpno_shadow_run(*here, full, BATCH, r->x, training ? r->y : room, 1, shadow),
                     MPNO_OK);
    mpno_network_destroy(&full);
    free(room);
}

static void equal_networks_differ_in_nothing(void **state) {
    (void)state;
    rig r = open_rig(2);
    mpno_network *here;
    mpno_shadow shadow;
    int compared = 0;
    compare(&r, true, "full", MPNO_F16, &here, &shadow);
    for (int e = 0; e < shadow.n_edges; e++) {
        compared += shadow.edges[e].values > 0;
        assert_true(shadow.edges[e].noise == 0 && shadow.edges[e].lost == 0);
    }
    assert_int_equal(compared, mpno_network_n_tensors(here));
    assert_true(isinf(mpno_shadow_decibel(1, 0)));
    mpno_shadow_clear(&shadow);
    mpno_network_destroy(&here);
    close_rig(&r);
}

/* Under `half` the first columns are one rounding away from those of `full`. The square of a
 * rounding error is u^2 x^2 times 1/3 just above a power of two, 1/12 just below the next. */
static void noise_is_that_of_one_rounding(void **state) {
    (void)state;
    static const mpno_format halves[] = {MPNO_F16, MPNO_BF16};
    rig r = open_rig(2);
    for (int f = 0; f < 2; f++) {
        mpno_network *here;
        mpno_shadow shadow;
        compare(&r, false, "half", halves[f], &here, &shadow);
        const mpno_shadow_line *line = &shadow.edges[find_edge(here, "block 0", "columns")];
        const double u = mpno_format_unit(halves[f]);
        assert_int_equal(line->values, BATCH * grid[0] * 2 * 3 * 8);
        assert_int_equal(line->broken, 0);
        assert_true(line->noise > u * u * line->signal / 12);
        assert_true(line->noise < u * u * line->signal / 3);
        assert_int_equal(shadow.edges[find_edge(here, "lifting", "lifted")].noise == 0, 1);
        mpno_shadow_clear(&shadow);
        mpno_network_destroy(&here);
    }
    close_rig(&r);
}

/* 4 x 4 modes of real data: k = -2 .. 1 times 0 .. 2. */
static void shells_sum_to_the_spectrum(void **state) {
    (void)state;
    rig r = open_rig(1);
    mpno_network *here;
    mpno_shadow shadow;
    compare(&r, true, "mixed", MPNO_F16, &here, &shadow);
    static const char *const names[] = {"spectrum", "contracted spectrum", "d(spectrum)",
                                        "d(contracted spectrum)"};
    for (int i = 0; i < 4; i++) {
        const mpno_shadow_line *line = &shadow.edges[find_edge(here, "block 1", names[i])];
        double signal = 0, noise = 0;
        assert_int_equal(line->n_shells, 4); /* 0, 1, 2, sqrt(8) */
        for (int s = 0; s < 4; s++) {
            assert_true(line->shells[s].signal > 0 && line->shells[s].noise > 0);
            signal += line->shells[s].signal;
            noise += line->shells[s].noise;
        }
        assert_true(fabs(signal / line->signal - 1) < 1e-12);
        assert_true(fabs(noise / line->noise - 1) < 1e-12);
    }
    mpno_shadow_clear(&shadow);
    mpno_network_destroy(&here);
    close_rig(&r);
}

/* With 16-bit arithmetic the graph has fields where the other has columns: the spectra, which both
 * have, are compared all the same. */
static void other_graphs_are_matched_by_name(void **state) {
    (void)state;
    rig r = open_rig(1);
    mpno_network_opts opts = make_opts(2, grid, BATCH, true, "half", MPNO_F16);
    opts.transform_arithmetic = MPNO_F16;
    mpno_network *here = make_network(r.ctx, r.model, &opts);
    mpno_network *full = network_of(&r, true, "full", MPNO_F16);
    mpno_shadow shadow;
    assert_int_equal(mpno_shadow_run(here, full, BATCH, r.x, r.y, 1, &shadow), MPNO_OK);
    static const char *const names[] = {"spectrum", "contracted spectrum", "d(spectrum)",
                                        "d(contracted spectrum)"};
    for (int i = 0; i < 8; i++) {
        const int e = find_edge(here, i % 2 ? "block 1" : "block 0", names[i / 2]);
        const mpno_shadow_line *line = &shadow.edges[e];
        assert_true(line->values > 0);
        const double decibel = mpno_shadow_decibel(line->signal, line->noise);
        if (!(decibel > 40 && decibel < 75)) fail_msg("%s: %g dB", names[i / 2], decibel);
    }
    mpno_shadow_clear(&shadow);
    mpno_network_destroy(&here);
    mpno_network_destroy(&full);
    close_rig(&r);
}

/* Values with scales are compared, not their bits: of 3 fraction bits, a relative error of up to
 * 2^-4, evenly spread, is 2^-4 / sqrt 3 to half of that. */
static void scaled_tensors_are_compared_as_values(void **state) {
    (void)state;
    rig r = open_rig(2);
    for (int scaling = MPNO_SCALING_TENSOR; scaling <= MPNO_SCALING_BLOCK; scaling++) {
        mpno_network_opts opts = make_opts(2, grid, BATCH, true, "full", MPNO_F16);
        opts.capacity = BATCH + 2; /* scales stand behind values of all of them */
        opts.storage =
            (mpno_storage_opts){.exceptions = "spectrum=f8e4m3", .scaling = (mpno_scaling)scaling};
        mpno_network *here = make_network(r.ctx, r.model, &opts),
                     *again = make_network(r.ctx, r.model, &opts),
                     *full = network_of(&r, true, "full", MPNO_F16);
        mpno_shadow shadow;
        assert_int_equal(mpno_shadow_run(here, full, BATCH, r.x, r.y, 1, &shadow), MPNO_OK);
        const int edge = find_edge(here, "block 0", "spectrum");
        const mpno_shadow_line *line = &shadow.edges[edge];
        assert_true(line->signal > 0 && line->noise > 0x1p-8 / 12 * line->signal);
        assert_true(line->noise < 0x1p-8 / 3 * line->signal);
        mpno_shadow_clear(&shadow);
        assert_int_equal(mpno_shadow_run(here, again, BATCH, r.x, r.y, 1, &shadow), MPNO_OK);
        assert_true(shadow.edges[edge].signal > 0 && shadow.edges[edge].noise == 0);
        mpno_shadow_clear(&shadow);
        mpno_network_destroy(&here);
        mpno_network_destroy(&again);
        mpno_network_destroy(&full);
    }
    close_rig(&r);
}

/* A constant of the size of a quarter of the least number of f16 becomes zero, in bf16 it does not.
 */
static void underflow_is_found(void **state) {
    (void)state;
    rig r = open_rig(1);
    set_named(r.model, "lifting.fcs.1.weight", 0);
    set_named(r.model, "lifting.fcs.1.bias", 0x1p-26);
    for (int f = 0; f < 2; f++) {
        mpno_network *here;
        mpno_shadow shadow;
        compare(&r, false, "amp", f ? MPNO_BF16 : MPNO_F16, &here, &shadow);
        const mpno_shadow_line *line = &shadow.edges[find_edge(here, "lifting", "lifted")];
        assert_int_equal(line->lost, f ? 0 : line->values);
        mpno_shadow_clear(&shadow);
        mpno_network_destroy(&here);
    }
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_counted_and_nothing_changes),
        cmocka_unit_test(counts_are_those_of_the_values),
        cmocka_unit_test(equal_networks_differ_in_nothing),
        cmocka_unit_test(noise_is_that_of_one_rounding),
        cmocka_unit_test(shells_sum_to_the_spectrum),
        cmocka_unit_test(scaled_tensors_are_compared_as_values),
        cmocka_unit_test(other_graphs_are_matched_by_name),
        cmocka_unit_test(underflow_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
