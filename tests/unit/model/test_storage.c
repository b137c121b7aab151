/* SPDX-License-Identifier: MIT
 * Networks that store tensors otherwise than a policy's row says: formats by role and layer, 8 bits
 * with scales, stochastic rounding. Errors are as large as the formats promise, bits depend on the
 * seed but not on threads, scales that last follow the data, memory is what the plan says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "unit/model/support.h"

enum { BATCH = 3, SIDE = 16, CHANNELS = 2, N_VALUES = BATCH * SIDE * SIDE * CHANNELS };
#define EVERYTHING                                                                           \
    "activation=f8e4m3, transform input=f8e4m3, transform columns=f8e4m3, spectrum=f8e4m3, " \
    "transform output=f8e4m3, weight copy=f8e4m3, spectral weight copy=f8e4m3"

typedef struct outcome {
    double loss, *gradients;
    float output[N_VALUES];
    size_t n_gradients;
} outcome;

typedef struct job {
    const char *policy;
    mpno_storage_opts storage;
    int n_threads, steps;
    uint64_t seed;
    bool plain; /* fields are stored before a transform */
} job;

static mpno_network_opts opts_of(const job *j, bool training) {
    const int64_t grid[] = {SIDE, SIDE};
    mpno_network_opts opts = make_opts(2, grid, BATCH, training, j->policy, MPNO_F16);
    opts.storage = j->storage;
    return opts;
}

/* Gradients of the last step, which forgets the one before; predictions. 40 channels: whole blocks
 * and parts of one. */
static outcome compute(const job *j) {
    outcome o = {0};
    mpno_step_result result;
    mpno_ctx *ctx = make_ctx(j->n_threads);
    mpno_fno_config config = small_config(2);
    config.hidden_channels = 40;
    if (j->plain) config.norm = MPNO_NORM_GROUP;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    float *x = make_data(MPNO_F32, N_VALUES, 1), *y = make_data(MPNO_F32, N_VALUES, 2);
    for (int training = 0; training < 2; training++) {
        const mpno_network_opts opts = opts_of(j, training == 1);
        mpno_network *network = make_network(ctx, model, &opts);
        for (int s = 0; s < j->steps; s++) {
            mpno_network_set_rounding(network, j->seed, (uint64_t)s);
            if (training == 0) {
                assert_int_equal(mpno_network_forward(network, BATCH, x, o.output), MPNO_OK);
            } else {
                assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
            }
        }
        if (training == 1) {
            o.loss = result.loss;
            o.gradients = all_gradients(model, network, &o.n_gradients);
        }
        mpno_network_destroy(&network);
    }
    free(x), free(y);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
    return o;
}

static bool same(const outcome *a, const outcome *b) {
    return a->loss == b->loss && memcmp(a->output, b->output, sizeof a->output) == 0 &&
           memcmp(a->gradients, b->gradients, a->n_gradients * sizeof(double)) == 0;
}

/* |a - b| / |b| over all gradients. */
static double distance(const outcome *a, const outcome *b) {
    double square = 0, norm = 0;
    for (size_t i = 0; i < a->n_gradients; i++) {
        square += (a->gradients[i] - b->gradients[i]) * (a->gradients[i] - b->gradients[i]);
        norm += b->gradients[i] * b->gradients[i];
    }
    return sqrt(square / norm);
}

static const job full = {.policy = "full", .n_threads = 2, .steps = 2, .seed = 1};

/* The gradients are off by at most some units of the format, as one value is by half a one; less
 * where what is rounded is a small part of what it is added to. With scales of any kind that holds
 * for 8 bits. */
static void errors_are_those_of_the_formats(void **state) {
    static const struct {
        const char *exceptions;
        mpno_scaling scaling;
        double unit;
    } cases[] = {{"spectrum=f8e4m3", MPNO_SCALING_AUTO, 0x1p-4},
                 {"spectrum=f8e4m3", MPNO_SCALING_TENSOR, 0x1p-4},
                 {"spectrum=f8e4m3", MPNO_SCALING_CHANNEL, 0x1p-4},
                 {"spectrum=f8e4m3", MPNO_SCALING_SHELL, 0x1p-4},
                 {"spectrum=f8e5m2, transform columns=f8e5m2", MPNO_SCALING_BLOCK, 0x1p-3},
                 {"activation=f8e4m3", MPNO_SCALING_AUTO, 0x1p-4},
                 {"spectral weight copy=f8e4m3", MPNO_SCALING_AUTO, 0x1p-4},
                 {"spectral weight copy=f8e4m3", MPNO_SCALING_SHELL, 0x1p-4},
                 {"weight copy=f8e4m3", MPNO_SCALING_CHANNEL, 0x1p-4},
                 {EVERYTHING, MPNO_SCALING_AUTO, 0x1p-4},
                 {"spectrum=tf32", MPNO_SCALING_AUTO, 0x1p-11},
                 {"spectrum=e6m9", MPNO_SCALING_AUTO, 0x1p-10},
                 {"spectrum=f16", MPNO_SCALING_BLOCK, 0x1p-11},
                 {"spectrum gradient=bf16", MPNO_SCALING_AUTO, 0x1p-8}};
    (void)state;
    outcome exact[2];
    for (int plain = 0; plain < 2; plain++) {
        job j = full;
        j.plain = plain == 1;
        exact[plain] = compute(&j);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j = full;
        j.plain = i % 2 == 1;
        j.storage = (mpno_storage_opts){cases[i].exceptions, MPNO_ROUND_NEAREST_EVEN,
                                        cases[i].scaling, false};
        outcome o = compute(&j);
        const double d = distance(&o, &exact[i % 2]) / cases[i].unit;
        if (!(d > 0.002 && d < 4))
            fail_msg("%s, scaling %d: off by %g units", cases[i].exceptions, (int)cases[i].scaling,
                     d);
        free(o.gradients);
    }
    free(exact[0].gradients), free(exact[1].gradients);
}

/* The second block alone: what comes before it stays as it was, bit for bit. */
static void layers_are_told_apart(void **state) {
    job j = full;
    (void)state;
    outcome exact = compute(&j);
    j.storage.exceptions = "spectrum=f8e4m3, spectrum=f32";
    outcome taken_back = compute(&j);
    assert_true(same(&exact, &taken_back));
    j.storage.exceptions = "block 0/spectrum=f8e4m3";
    outcome first = compute(&j);
    j.storage.exceptions = "block 1/spectrum=f8e4m3";
    outcome second = compute(&j);
    j.storage.exceptions = "spectrum=f8e4m3, block 0/spectrum=f32";
    outcome other_way = compute(&j);
    assert_false(same(&exact, &first) || same(&exact, &second) || same(&first, &second));
    assert_true(same(&second, &other_way));
    free(exact.gradients), free(first.gradients), free(second.gradients);
    free(taken_back.gradients), free(other_way.gradients);
}

static void bits_do_not_depend_on_threads(void **state) {
    (void)state;
    for (int scaling = MPNO_SCALING_NONE; scaling <= MPNO_SCALING_AUTO; scaling++) {
        const bool last = scaling == MPNO_SCALING_AUTO;
        job j = full;
        j.storage = (mpno_storage_opts){scaling == MPNO_SCALING_NONE ? "spectrum=bf16" : EVERYTHING,
                                        last ? MPNO_ROUND_TOWARD_ZERO : MPNO_ROUND_STOCHASTIC,
                                        (mpno_scaling)scaling, false};
        j.n_threads = 1;
        outcome one = compute(&j);
        for (j.n_threads = 2; j.n_threads <= 5; j.n_threads += 3) {
            outcome many = compute(&j);
            assert_true(same(&one, &many));
            free(many.gradients);
        }
        j.seed = 2;
        outcome other = compute(&j);
        assert_int_equal(same(&one, &other), last);
        free(one.gradients), free(other.gradients);
    }
}

/* A quarter of f32's bytes, and a byte of scale for each 32 channels that are begun of a row. */
static void memory_is_that_of_the_formats(void **state) {
    mpno_ctx *ctx = make_ctx(2);
    mpno_fno_config config = small_config(2);
    config.hidden_channels = 40;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    job j = full;
    mpno_network *networks[2];
    int narrow = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        const mpno_network_opts opts = opts_of(&j, true);
        networks[i] = make_network(ctx, model, &opts);
        j.storage = (mpno_storage_opts){"spectrum=f8e4m3, transform columns=f8e4m3",
                                        MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_AUTO, false};
    }
    const int n = mpno_network_n_tensors(networks[0]);
    assert_int_equal(mpno_network_n_tensors(networks[1]), n);
    for (int i = 0; i < n; i++) {
        const mpno_tensor_line wide = mpno_network_tensor(networks[0], i),
                               other = mpno_network_tensor(networks[1], i);
        assert_string_equal(wide.name, other.name);
        if (other.format == MPNO_F8E4M3) {
            assert_int_equal(other.bytes, wide.bytes / 4 / 40 * 42);
            assert_int_equal(other.scaling, MPNO_SCALING_BLOCK);
            narrow++;
        } else {
            assert_int_equal(other.bytes, wide.bytes);
            assert_int_equal(other.scaling, MPNO_SCALING_NONE);
        }
    }
    assert_true(narrow >= 4);
    for (int i = 0; i < 2; i++) mpno_network_destroy(&networks[i]);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* The loss of step number `steps` with inputs a million times as large from step 1 on. */
static double loss_after(int steps, bool forget, bool just_in_time) {
    mpno_ctx *ctx = make_ctx(2);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    float *x = make_data(MPNO_F32, N_VALUES, 1), *y = make_data(MPNO_F32, N_VALUES, 2);
    job j = full;
    j.storage = (mpno_storage_opts){"transform columns=f8e4m3", MPNO_ROUND_NEAREST_EVEN,
                                    MPNO_SCALING_TENSOR, just_in_time};
    const mpno_network_opts opts = opts_of(&j, true);
    mpno_network *network = make_network(ctx, model, &opts);
    mpno_step_result result = {0};
    for (int s = 0; s <= steps; s++) {
        for (int i = 0; i < N_VALUES && s == 1; i++) x[i] *= 1e6f;
        if (s == 1 && forget) mpno_network_forget_scales(network);
        assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
    }
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    free(x), free(y);
    drop_ctx(ctx);
    return result.loss;
}

/* Scales that last are a step behind the data, those of a tensor behind another one two; but not
 * when they were forgotten. */
static void lasting_scales_follow_the_data(void **state) {
    const double late = loss_after(1, false, false), settled = loss_after(5, false, false);
    (void)state;
    assert_true(settled == loss_after(1, false, true));
    assert_true(settled == loss_after(6, false, false));
    assert_true(fabs(late / settled - 1) > 10 * fabs(loss_after(1, true, false) / settled - 1));
}

static void wrong_exceptions_are_named(void **state) {
    static const struct {
        const char *exceptions, *says;
    } cases[] = {{"spectra=f16", "'spectra' is no role"},
                 {"spectrum", "is not ROLE: FORMAT"},
                 {"spectrum=f15", "'f15' is no format"},
                 {"spectrum=f64", "'f64' is no format"},
                 {"spectrum=", "'' is no format"},
                 {"output=f16", "always stored in the arithmetic format"},
                 {"sums=f16", "always stored in the arithmetic format"},
                 {"weight copy gradient=f16", "always stored in the arithmetic format"},
                 {"block 7/spectrum=f16", "no layer 'block 7'"},
                 {"a layer with a long name/spectrum=f16", "is no layer"}};
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j = full;
        mpno_network *network = NULL;
        j.storage.exceptions = cases[i].exceptions;
        const mpno_network_opts opts = opts_of(&j, false);
        assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_E_CONFIG);
        if (strstr(mpno_ctx_error(ctx), cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].exceptions, mpno_ctx_error(ctx));
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_the_formats),
        cmocka_unit_test(layers_are_told_apart),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(memory_is_that_of_the_formats),
        cmocka_unit_test(lasting_scales_follow_the_data),
        cmocka_unit_test(wrong_exceptions_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
