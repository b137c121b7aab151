/* SPDX-License-Identifier: MIT
 * A batch that runs in parts: the bits of the batch that runs whole, for every option of the FNO,
 * policy and size of the parts, in less memory; what cannot run so is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "model/network.h"
#include "model/parts.h"
#include "unit/model/options.h"

enum { BATCH = 7 };

typedef struct outcome {
    double loss, *gradients;
    void *output;
    size_t n_gradients, output_bytes, arena;
} outcome;

/* Predictions of a batch, then loss and gradients of a step. */
static outcome compute(const rig *r, int64_t batch, int64_t micro_batch) {
    mpno_network_opts opts = r->opts;
    outcome o = {.output_bytes = (size_t)r->n_out * mpno_format_bytes(r->arithmetic)};
    mpno_step_result result;
    opts.capacity = batch;
    opts.micro_batch = micro_batch;
    o.output = malloc(o.output_bytes);
    for (int training = 0; training < 2; training++) {
        opts.training = training == 1;
        mpno_network *network = make_network(r->ctx, r->model, &opts);
        mpno_network_set_embedding(network, r->embedding);
        mpno_network_set_dropout(network, 5, 7);
        if (training == 0) {
            assert_int_equal(mpno_network_forward(network, batch, r->x, o.output), MPNO_OK);
        } else {
            for (int i = 0; i < 2; i++) /* the second step knows nothing of the first */
                assert_int_equal(mpno_network_step(network, batch, r->x, r->y, 8.0, &result),
                                 MPNO_OK);
            assert_false(result.overflow);
            o.loss = result.loss;
            o.gradients = all_gradients(r->model, network, &o.n_gradients);
            o.arena = mpno_network_get_cost(network).activation_bytes;
        }
        mpno_network_destroy(&network);
    }
    return o;
}

static void drop_outcome(outcome *o) {
    free(o->gradients), free(o->output);
}

static bool same_bits(const outcome *a, const outcome *b) {
    return a->loss == b->loss && memcmp(a->output, b->output, a->output_bytes) == 0 &&
           memcmp(a->gradients, b->gradients, a->n_gradients * sizeof(double)) == 0;
}

static const int64_t grids[][3] = {{150}, {12, 11}, {6, 5, 7}};

static void every_option_has_the_bits_of_the_whole_batch(void **state) {
    (void)state;
    int tried = 0;
    for (int i = 0; i < 3 * N_OPTIONS; i++) {
        const option *with = &options[i / 3];
        rig r = make_rig(with, 1 + i % 3, grids[i % 3], i % 4 == 3 ? MPNO_F64 : MPNO_F32,
                         i % 2 ? "mixed" : "full", MPNO_BF16, 2);
        if (mpno_model_config(r.model)->norm != MPNO_NORM_BATCH ||
            with->statistics == MPNO_STATISTICS_RUNNING) {
            outcome whole = compute(&r, OPTION_BATCH, 0);
            for (int64_t parts = 1; parts < OPTION_BATCH; parts++, tried++) {
                outcome some = compute(&r, OPTION_BATCH, parts);
                if (!same_bits(&whole, &some))
                    fail_msg("%s, %d axes, %s: other bits by %lld samples", with->name, 1 + i % 3,
                             r.opts.policy, (long long)parts);
                drop_outcome(&some);
            }
            drop_outcome(&whole);
        }
        drop_rig(&r);
    }
    assert_true(tried > 90);
}

static void set_large(mpno_fno_config *c) {
    set_group_norm(c);
    c->lifting_channel_ratio = c->projection_channel_ratio = 8;
}
static rig large_rig(const char *policy, mpno_format half, int n_threads) {
    static const option plain = {"group norm", set_large, 3, false, MPNO_STATISTICS_AUTO};
    static const int64_t grid[] = {70, 64}; /* more than one chunk */
    rig r = make_rig(&plain, 2, grid, MPNO_F32, policy, half, n_threads);
    free(r.x), free(r.y);
    r.n_in = r.n_out = BATCH * 2 * 70 * 64;
    r.x = make_data(MPNO_F32, r.n_in, 0), r.y = make_data(MPNO_F32, r.n_out, 1);
    return r;
}

/* Parts of 1, 3 and 6 of 7 samples: the last one is smaller; and what a part saves. */
static void every_policy_and_part_has_the_bits_of_the_whole_batch(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "amp", "half", "fft32", "mixed", "mixed"};
    static const int64_t parts[] = {1, 3, 6, BATCH, BATCH + 1};
    for (int i = 0; i < 6; i++) {
        rig r = large_rig(policies[i], i % 2 ? MPNO_BF16 : MPNO_F16, 2);
        outcome whole = compute(&r, BATCH, 0);
        for (int k = 0; k < 5; k++) {
            outcome some = compute(&r, BATCH, parts[k]);
            if (!same_bits(&whole, &some))
                fail_msg("%s: other bits by %lld samples", policies[i], (long long)parts[k]);
            const double share = (double)parts[k] / BATCH;
            if (share < 1)
                assert_true((double)some.arena < (share + 0.15) * (double)whole.arena);
            else
                assert_int_equal(some.arena, whole.arena);
            drop_outcome(&some);
        }
        drop_outcome(&whole);
        drop_rig(&r);
    }
}

/* What is decided of these options; texts are gone. */
static mpno_network_opts decided(const rig *r, const mpno_network_opts *opts) {
    mpno_network *network;
    assert_int_equal(mpno_network_plan(r->model, opts, &network), MPNO_OK);
    const mpno_network_opts found = *mpno_network_get_opts(network);
    mpno_network_destroy(&network);
    return found;
}

static int64_t samples_at_once(const rig *r, const mpno_network_opts *opts) {
    return decided(r, opts).micro_batch;
}

/* What is left to mpno runs in parts, with the same bits in less memory; and whole where results
 * would be others. */
static void what_is_chosen_has_the_bits_of_the_whole_batch(void **state) {
    (void)state;
    rig r = large_rig("mixed", MPNO_F16, 1);
    mpno_network_opts opts = r.opts;
    opts.capacity = BATCH, opts.training = true, opts.micro_batch = MPNO_MICRO_BATCH_AUTO;
    assert_in_range(samples_at_once(&r, &opts), 1, BATCH - 1);
    outcome whole = compute(&r, BATCH, 0), some = compute(&r, BATCH, MPNO_MICRO_BATCH_AUTO);
    assert_true(same_bits(&whole, &some));
    assert_true(some.arena < whole.arena * 3 / 4);
    drop_outcome(&whole), drop_outcome(&some);
    const mpno_network_opts parts = opts;
    opts.input_gradient = true;
    assert_int_equal(samples_at_once(&r, &opts), BATCH);
    opts = parts, opts.keep_spectra = true;
    assert_int_equal(samples_at_once(&r, &opts), BATCH);
    opts = parts, opts.storage.rounding = MPNO_ROUND_STOCHASTIC;
    assert_int_equal(samples_at_once(&r, &opts), BATCH);
    opts = parts, opts.storage.exceptions = "spectrum=f8e4m3",
    opts.storage.scaling = MPNO_SCALING_TENSOR;
    assert_int_equal(samples_at_once(&r, &opts), BATCH);
    opts.storage.scaling = MPNO_SCALING_BLOCK;
    assert_in_range(samples_at_once(&r, &opts), 1, BATCH - 1);
    drop_rig(&r);
    r = make_rig(&options[1], 2, grids[1], MPNO_F32, "full", MPNO_F16, 1);
    opts = r.opts;
    opts.capacity = 4096, opts.training = true, opts.micro_batch = MPNO_MICRO_BATCH_AUTO;
    assert_int_equal(mpno_model_config(r.model)->norm, MPNO_NORM_BATCH);
    assert_int_equal(samples_at_once(&r, &opts), 4096);
    opts.statistics = MPNO_STATISTICS_RUNNING;
    assert_in_range(samples_at_once(&r, &opts), 1, 4095);
    drop_rig(&r);
}

static mpno_recompute recompute_of(const rig *r, int64_t size) {
    mpno_network_opts opts = r->opts;
    opts.capacity = BATCH, opts.training = true, opts.recompute = MPNO_RECOMPUTE_AUTO;
    opts.grid[0] = size;
    return decided(r, &opts).recompute;
}

/* Where all that is kept stays in a cache, and nothing is stored narrow, so that bits stay. */
static void products_are_kept_where_that_pays(void **state) {
    (void)state;
    const bool cache = mpno_third_cache_share() > (size_t)4 << 20;
    rig r = large_rig("full", MPNO_F16, 2);
    assert_int_equal(recompute_of(&r, 16), cache ? MPNO_RECOMPUTE_NONE : MPNO_RECOMPUTE_CHEAP);
    assert_int_equal(recompute_of(&r, 70 * 64), MPNO_RECOMPUTE_CHEAP);
    r.opts.recompute = MPNO_RECOMPUTE_CHEAP;
    outcome cheap = compute(&r, BATCH, 0);
    r.opts.recompute = MPNO_RECOMPUTE_AUTO;
    outcome chosen = compute(&r, BATCH, 1);
    assert_true(same_bits(&cheap, &chosen));
    drop_outcome(&cheap), drop_outcome(&chosen);
    drop_rig(&r);
    r = large_rig("mixed", MPNO_BF16, 2);
    assert_int_equal(recompute_of(&r, 16), MPNO_RECOMPUTE_CHEAP);
    drop_rig(&r);
}

/* Cases of docs/performance.md, and what bounds each of them. */
static void parts_are_as_small_as_they_cost_little(void **state) {
    (void)state;
    enum { L2 = 1 << 20, L3 = 20 << 20 };
    static const struct {
        mpno_parts_question question;
        int64_t samples;
    } cases[] = {
        {{64, 1.03e9, 767524, true, false, 16, 2, L2, L3}, 32}, /* darcy16: threads */
        {{64, 1.03e9, 767524, true, false, 16, 1, L2, L3}, 16}, /* weights, from the second cache */
        {{64, 1.03e9, 767524, true, false, 16, 1, 0, L3}, 32},  /* from the third */
        {{64, 1.03e9, 767524, true, false, 16, 1, 0, 0}, 64},   /* from memory */
        {{64, 1.03e9, 767524, true, false, 16, 16, L2, L3}, 64}, /* many threads */
        {{8, 59.8e9, 19300000, true, false, 128, 2, L2, L3}, 4}, /* ns128-m16 */
        {{8, 66e9, 277000000, true, false, 128, 2, L2, L3}, 8},  /* ns128-m64 */
        {{64, 22.4e9, 2600000, true, false, 1, 2, L2, L3}, 8},   /* fno1d: four samples a thread */
        {{64, 22.4e9, 2600000, true, false, 1, 1, L2, L3}, 4},
        {{64, 22.4e9, 2600000, true, true, 1, 1, L2, L3}, 8}, /* narrow weights */
        {{64, 22.4e9, 2600000, true, false, 1, 4, L2, L3}, 16},
        {{8, 19.9e9, 19300000, false, false, 128, 2, L2, L3},
         2},                                              /* forward: weights are read once */
        {{7, 1e15, 1000, true, false, 64, 2, L2, L3}, 2}, /* eight parts would leave one empty */
        {{1, 1e15, 1000, true, false, 64, 2, L2, L3}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(mpno_parts_samples(&cases[i].question), cases[i].samples);
}

/* What goes wrong goes wrong in the same way: an overflow of gradients does not hide the loss of
 * the samples after it, nor that a later one is not finite in the forward pass. */
static void failures_are_those_of_the_whole_batch(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        rig r = large_rig("mixed", MPNO_F16, 1);
        mpno_network_opts opts = r.opts;
        mpno_step_result result[2];
        mpno_status status[2];
        const double scale = i == 0 ? 1 : 0x1p100;
        if (i != 1) ((float *)r.x)[r.n_in - 1] = INFINITY;
        opts.capacity = BATCH;
        opts.training = true;
        for (int k = 0; k < 2; k++) {
            opts.micro_batch = k == 0 ? 0 : 2;
            mpno_network *network = make_network(r.ctx, r.model, &opts);
            status[k] = mpno_network_step(network, BATCH, r.x, r.y, scale, &result[k]);
            if (i == 1) assert_true(result[k].overflow && result[k].loss > 0);
            mpno_network_destroy(&network);
        }
        assert_int_equal(status[0], i == 1 ? MPNO_OK : MPNO_E_NUMERIC);
        assert_int_equal(status[1], status[0]);
        if (i == 1) assert_true(result[0].loss == result[1].loss);
        drop_rig(&r);
    }
}

static void refusals_say_why(void **state) {
    (void)state;
    rig r = make_rig(&options[1], 2, grids[1], MPNO_F32, "full", MPNO_F16, 1);
    mpno_network *network;
    mpno_network_opts opts = r.opts;
    assert_int_equal(mpno_model_config(r.model)->norm, MPNO_NORM_BATCH);
    opts.capacity = 4, opts.micro_batch = 2, opts.training = true;
    assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(r.ctx), "batch norm"));
    opts.micro_batch = 4; /* the whole batch at once */
    assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_OK);
    mpno_network_destroy(&network);
    opts.micro_batch = -2;
    assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(r.ctx), "-2"));
    drop_rig(&r);
    r = make_rig(&options[0], 2, grids[1], MPNO_F32, "full", MPNO_F16, 1);
    opts.micro_batch = 2, opts.input_gradient = true;
    assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(r.ctx), "gradient of the input"));
    drop_rig(&r);
}

/* Costs are those of a batch, whatever runs at once. */
static void costs_are_those_of_a_batch(void **state) {
    (void)state;
    rig r = make_rig(&options[0], 2, grids[1], MPNO_F32, "full", MPNO_F16, 1);
    mpno_network_opts opts = r.opts;
    mpno_network_cost cost[2];
    opts.capacity = 8, opts.training = true;
    for (int i = 0; i < 2; i++) {
        mpno_network *network;
        opts.micro_batch = i == 0 ? 0 : 2;
        assert_int_equal(mpno_network_plan(r.model, &opts, &network), MPNO_OK);
        cost[i] = mpno_network_get_cost(network);
        mpno_network_destroy(&network);
    }
    assert_true(cost[0].flops == cost[1].flops && cost[0].useful_flops == cost[1].useful_flops);
    assert_true(cost[1].activation_bytes < cost[0].activation_bytes / 2);
    drop_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_the_bits_of_the_whole_batch),
        cmocka_unit_test(every_policy_and_part_has_the_bits_of_the_whole_batch),
        cmocka_unit_test(what_is_chosen_has_the_bits_of_the_whole_batch),
        cmocka_unit_test(parts_are_as_small_as_they_cost_little),
        cmocka_unit_test(products_are_kept_where_that_pays),
        cmocka_unit_test(failures_are_those_of_the_whole_batch),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(costs_are_those_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
