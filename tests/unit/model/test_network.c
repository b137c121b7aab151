/* SPDX-License-Identifier: MIT
 * Networks: the promises of mpno/network.h. Same bits for any number of threads and any company in
 * the batch, no allocation while running, nothing left behind when creation fails, values that are
 * not finite reported by layer and tensor, weights that mean the same on every grid, plans that
 * tell the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/model/support.h"

/* ---- bits ---- */

typedef struct outcome {
    double loss;
    void *output, *input_gradient;
    double *gradients;
    size_t output_bytes, input_bytes, n_gradients;
} outcome;

typedef struct bits_case {
    int ndim;
    int64_t grid[3];
    const char *policy;
    mpno_norm norm;
    bool unfused;
} bits_case;

static outcome compute(const bits_case *c, int n_threads) {
    mpno_ctx *ctx = make_ctx(n_threads);
    mpno_fno_config config = small_config(c->ndim);
    config.norm = c->norm;
    config.norm_groups = 2;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    const int64_t batch = 3, values = batch * points_of(c->ndim, c->grid) * 2;
    void *x = make_data(MPNO_F32, values, 0), *y = make_data(MPNO_F32, values, 1);
    mpno_network_opts opts = make_opts(c->ndim, c->grid, batch, false, c->policy, MPNO_F16);
    opts.unfused = c->unfused;
    outcome o = {.output_bytes = (size_t)values * 4, .input_bytes = (size_t)values * 4};
    o.output = malloc(o.output_bytes), o.input_gradient = malloc(o.input_bytes);
    mpno_network *network = make_network(ctx, model, &opts);
    assert_int_equal(mpno_network_forward(network, batch, x, o.output), MPNO_OK);
    mpno_network_destroy(&network);
    mpno_step_result result;
    opts.training = opts.input_gradient = true;
    network = make_network(ctx, model, &opts);
    assert_int_equal(mpno_network_step(network, batch, x, y, 8.0, &result), MPNO_OK);
    assert_false(result.overflow);
    o.loss = result.loss;
    o.gradients = all_gradients(model, network, &o.n_gradients);
    memcpy(o.input_gradient, mpno_network_input_gradient(network), o.input_bytes);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    free(x), free(y);
    drop_ctx(ctx);
    return o;
}

static void drop_outcome(outcome *o) {
    free(o->output), free(o->input_gradient), free(o->gradients);
}

static void assert_same_bits(const outcome *a, const outcome *b) {
    assert_true(a->loss == b->loss && a->loss > 0);
    assert_memory_equal(a->output, b->output, a->output_bytes);
    assert_memory_equal(a->input_gradient, b->input_gradient, a->input_bytes);
    assert_memory_equal(a->gradients, b->gradients, a->n_gradients * sizeof(double));
}

/* Grids below, at and above a tile (64 points) and a chunk (4096 points). */
static const bits_case bits_cases[] = {{2, {8, 8}, "full", MPNO_NORM_NONE, false},
                                       {2, {9, 13}, "full", MPNO_NORM_GROUP, false},
                                       {2, {80, 64}, "full", MPNO_NORM_INSTANCE, false},
                                       {1, {4100}, "mixed", MPNO_NORM_GROUP, false},
                                       {3, {5, 6, 7}, "half", MPNO_NORM_NONE, false},
                                       {2, {80, 64}, "amp", MPNO_NORM_GROUP, true},
                                       {1, {5}, "fft32", MPNO_NORM_INSTANCE, false},
                                       {3, {17, 16, 16}, "mixed", MPNO_NORM_NONE, false}};

static void threads_do_not_change_bits(void **state) {
    (void)state;
    static const int threads[] = {2, 3, 5, 8};
    for (size_t i = 0; i < sizeof bits_cases / sizeof bits_cases[0]; i++) {
        outcome one = compute(&bits_cases[i], 1);
        for (int t = 0; t < 4; t++) {
            outcome many = compute(&bits_cases[i], threads[t]);
            assert_same_bits(&one, &many);
            drop_outcome(&many);
        }
        drop_outcome(&one);
    }
}

/* A sample alone, in a full batch, in a batch smaller than the capacity: the same output. A step
 * after other steps: the same step. */
static void company_does_not_change_bits(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "mixed"};
    static const int64_t grid[] = {9, 12};
    for (int i = 0; i < 2; i++) {
        mpno_ctx *ctx = make_ctx(2);
        mpno_fno_config config = small_config(2);
        config.norm = MPNO_NORM_GROUP;
        mpno_model *model = make_model(ctx, &config, MPNO_F32);
        const int64_t values = 9 * 12 * 2;
        const size_t bytes = (size_t)values * sizeof(float);
        char *x = make_data(MPNO_F32, 7 * values, 0), *y = make_data(MPNO_F32, 7 * values, 1);
        char *all = malloc(7 * bytes), *few = malloc(7 * bytes);
        mpno_network_opts opts = make_opts(2, grid, 7, false, policies[i], MPNO_F16);
        mpno_network *network = make_network(ctx, model, &opts);
        assert_int_equal(mpno_network_forward(network, 7, x, all), MPNO_OK);
        for (int64_t batch = 1; batch <= 3; batch++)
            for (int64_t first = 0; first + batch <= 7; first += 2) {
                memset(few, 0x5a, 7 * bytes);
                assert_int_equal(
                    mpno_network_forward(network, batch, x + (size_t)first * bytes, few), MPNO_OK);
                assert_memory_equal(few, all + (size_t)first * bytes, (size_t)batch * bytes);
                assert_int_equal((unsigned char)few[(size_t)batch * bytes], 0x5a);
            }
        mpno_network_destroy(&network);
        opts.training = true;
        size_t n;
        mpno_step_result small, large, again;
        mpno_network *tight;
        network = make_network(ctx, model, &opts);
        opts.capacity = 3;
        tight = make_network(ctx, model, &opts);
        assert_int_equal(mpno_network_step(tight, 3, x, y, 16.0, &small), MPNO_OK);
        assert_int_equal(mpno_network_step(network, 7, y, x, 2.0, &large), MPNO_OK);
        assert_int_equal(mpno_network_step(network, 3, x, y, 16.0, &again), MPNO_OK);
        assert_true(small.loss == again.loss && small.loss != large.loss);
        double *a = all_gradients(model, tight, &n), *b = all_gradients(model, network, &n);
        assert_memory_equal(a, b, n * sizeof *a);
        free(a), free(b), free(x), free(y), free(all), free(few);
        mpno_network_destroy(&network), mpno_network_destroy(&tight);
        mpno_model_destroy(&model);
        drop_ctx(ctx);
    }
}

/* ---- memory ---- */

static void running_allocates_nothing(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "amp", "half", "fft32", "mixed"};
    static const int64_t grid[] = {10, 7};
    mpno_ctx *ctx = make_ctx(2);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    float *x = make_data(MPNO_F32, 2 * 70 * 2, 0), *y = make_data(MPNO_F32, 2 * 70 * 2, 1);
    for (int i = 0; i < 5; i++)
        for (int training = 0; training < 2; training++) {
            const mpno_network_opts opts =
                make_opts(2, grid, 2, training != 0, policies[i], MPNO_BF16);
            mpno_network *network = make_network(ctx, model, &opts);
            mpno_step_result result;
            const size_t before = mpno_ctx_bytes(ctx);
            mpno_alloc_fail_after(ctx, 0);
            for (int k = 0; k < 3; k++) {
                assert_int_equal(training ? mpno_network_step(network, 2, x, y, 4.0, &result)
                                          : mpno_network_forward(network, 2, x, y),
                                 MPNO_OK);
                mpno_network_refresh_weights(network);
            }
            mpno_alloc_fail_after(ctx, -1);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
            mpno_network_destroy(&network);
        }
    free(x), free(y);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

static void failing_allocations(void **state) {
    (void)state;
    static const int64_t grid[] = {6, 7};
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(2);
    config.n_layers = 1;
    config.norm = MPNO_NORM_GROUP;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    const size_t before = mpno_ctx_bytes(ctx);
    for (int training = 0; training < 2; training++) {
        mpno_network_opts opts = make_opts(2, grid, 2, training != 0, "mixed", MPNO_F16);
        mpno_status status = MPNO_E_MEMORY;
        opts.input_gradient = training != 0;
        for (int n = 0; status != MPNO_OK; n++) {
            mpno_network *network = (mpno_network *)&ctx;
            mpno_alloc_fail_after(ctx, n);
            status = mpno_network_create(model, &opts, &network);
            mpno_alloc_fail_after(ctx, -1);
            if (status == MPNO_OK) {
                assert_true(n > 50);
            } else {
                assert_int_equal(status, MPNO_E_MEMORY);
                assert_null(network);
                assert_non_null(strstr(mpno_ctx_error(ctx), "out of memory"));
            }
            mpno_network_destroy(&network);
            assert_int_equal(mpno_ctx_bytes(ctx), before);
        }
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* What making the memory adds to a plan is what the plan said: arena, gradients, weight copies and
 * two tables of pointers. */
static void plans_tell_the_memory(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "amp", "half", "fft32", "mixed"};
    static const int64_t grid[] = {24, 18};
    mpno_ctx *ctx = make_ctx(2);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    for (int i = 0; i < 20; i++) {
        mpno_network_opts opts = make_opts(2, grid, 5, i % 2 == 1, policies[i / 4], MPNO_F16);
        opts.unfused = i / 2 % 2 == 1;
        mpno_network *planned, *made;
        const size_t start = mpno_ctx_bytes(ctx);
        assert_int_equal(mpno_network_plan(model, &opts, &planned), MPNO_OK);
        const size_t plan_bytes = mpno_ctx_bytes(ctx) - start;
        made = make_network(ctx, model, &opts);
        const mpno_network_cost cost = mpno_network_get_cost(planned);
        const mpno_network_cost same = mpno_network_get_cost(made);
        assert_memory_equal(&cost, &same, sizeof cost);
        assert_int_equal(mpno_ctx_bytes(ctx) - start - 2 * plan_bytes,
                         cost.activation_bytes + cost.gradient_bytes + cost.weight_copy_bytes +
                             2 * (size_t)mpno_model_n_params(model) * sizeof(void *));
        assert_true(cost.lower_bound_bytes <= cost.activation_bytes);
        assert_true(cost.activation_bytes <= 2 * cost.lower_bound_bytes);
        assert_true(cost.useful_flops > 0 && cost.flops > 0);
        assert_int_equal(cost.gradient_bytes, opts.training ? 4 * mpno_model_n_weights(model) : 0);
        size_t parameters = 0, kept = 0;
        double flops = 0;
        for (int l = 0; l < mpno_network_n_layers(planned); l++) {
            const mpno_layer_line line = mpno_network_layer(planned, l);
            parameters += line.parameters;
            flops += line.flops;
            assert_true(line.bytes <= cost.lower_bound_bytes);
        }
        assert_int_equal(parameters, mpno_model_n_weights(model));
        assert_true(fabs(flops / cost.flops - 1) <= 1e-12);
        for (int t = 0; t < mpno_network_n_tensors(planned); t++)
            kept += mpno_network_tensor(planned, t).kept;
        assert_true(opts.training ? kept > 0 : kept == 0);
        mpno_network_destroy(&planned), mpno_network_destroy(&made);
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* ---- values that are not finite ---- */

typedef struct numeric {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    float *x, *y;
} numeric;

enum { NUMERIC_VALUES = 2 * 8 * 6 * 2 };

static numeric make_numeric(bool training, const char *policy, mpno_format half) {
    static const int64_t grid[] = {8, 6};
    numeric n = {.ctx = make_ctx(2)};
    const mpno_fno_config config = small_config(2);
    mpno_network_opts opts = make_opts(2, grid, 2, training, policy, half);
    opts.objective.term[0].kind = MPNO_LOSS_L2;
    n.model = make_model(n.ctx, &config, MPNO_F32);
    n.network = make_network(n.ctx, n.model, &opts);
    n.x = make_data(MPNO_F32, NUMERIC_VALUES, 0), n.y = make_data(MPNO_F32, NUMERIC_VALUES, 1);
    return n;
}

static void drop_numeric(numeric *n) {
    free(n->x), free(n->y);
    mpno_network_destroy(&n->network);
    mpno_model_destroy(&n->model);
    drop_ctx(n->ctx);
}

static void assert_says(const mpno_ctx *ctx, const char *words) {
    if (strstr(mpno_ctx_error(ctx), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, mpno_ctx_error(ctx));
}

static void forward_overflow_is_named(void **state) {
    (void)state;
    static const struct {
        const char *param, *policy, *layer, *tensor;
        double value;
    } cases[] = {
        {"lifting.fcs.1.weight", "amp", "lifting: lifted ", "(activation, stored as f16)", 6e4},
        {"fno_blocks.convs.0.bias", "mixed", "block 0: output columns ",
         "(transform columns, stored as f16)", 1e6},
        {"fno_blocks.convs.0.weight.tensor", "half", "block 0: contracted spectrum ",
         "(spectrum, stored as f16)", 6e4},
        {"fno_blocks.convs.1.weight.tensor", "fft32", "block 1: contracted spectrum ",
         "(spectrum, stored as f16)", 6e4},
        {"projection.fcs.1.bias", "full", "projection: prediction ", "(output, stored as f32)",
         3e38}};
    for (int i = 0; i < 5; i++)
        for (int training = 0; training < 2; training++) {
            numeric n = make_numeric(training != 0, cases[i].policy, MPNO_F16);
            mpno_step_result result = {0};
            float *out = malloc(NUMERIC_VALUES * sizeof *out);
            if (strcmp(cases[i].policy, "full") == 0)
                set_named(n.model, "projection.fcs.1.weight", 3e38);
            set_named(n.model, "lifting.fcs.0.bias", 10); /* no sum of GELUs is small */
            set_named(n.model, "projection.fcs.0.bias", 10);
            set_named(n.model, cases[i].param, cases[i].value);
            for (int k = 0; k < NUMERIC_VALUES; k++) n.x[k] = 3.0f + 0.1f * (float)(k % 7);
            mpno_network_refresh_weights(n.network);
            assert_int_equal(training ? mpno_network_step(n.network, 2, n.x, n.y, 1e4, &result)
                                      : mpno_network_forward(n.network, 2, n.x, out),
                             MPNO_E_NUMERIC);
            assert_false(result.overflow);
            assert_says(n.ctx, cases[i].layer);
            assert_says(n.ctx, cases[i].tensor);
            assert_says(n.ctx, "is not finite in the forward pass under policy");
            /* Good weights again: what was found is forgotten. */
            set_named(n.model, cases[i].param, 0.0);
            set_named(n.model, "projection.fcs.1.weight", 0.01);
            mpno_network_refresh_weights(n.network);
            assert_int_equal(training ? mpno_network_step(n.network, 2, n.x, n.y, 1.0, &result)
                                      : mpno_network_forward(n.network, 2, n.x, out),
                             MPNO_OK);
            free(out);
            drop_numeric(&n);
        }
}

static void backward_overflow_is_a_result(void **state) {
    (void)state;
    static const char *const policies[] = {"amp", "half", "mixed"};
    for (int i = 0; i < 3; i++) {
        numeric n = make_numeric(true, policies[i], MPNO_F16);
        mpno_step_result result;
        assert_int_equal(mpno_network_step(n.network, 2, n.x, n.y, 1e12, &result), MPNO_OK);
        assert_true(result.overflow);
        assert_true(isfinite(result.loss) && result.loss > 0);
        assert_int_equal(mpno_network_step(n.network, 2, n.x, n.y, 64.0, &result), MPNO_OK);
        assert_false(result.overflow);
        /* A tiny target makes the relative loss steep: too steep for f16 without any scale. */
        for (int k = 0; k < NUMERIC_VALUES; k++) n.y[k] *= 1e-12f;
        assert_int_equal(mpno_network_step(n.network, 2, n.x, n.y, 1.0, &result), MPNO_E_NUMERIC);
        assert_false(result.overflow);
        assert_says(n.ctx, "gradient, stored as f16) is not finite in the backward pass");
        assert_says(n.ctx, policies[i]);
        drop_numeric(&n);
    }
    numeric n = make_numeric(true, "full", MPNO_F16);
    mpno_step_result result;
    assert_int_equal(mpno_network_step(n.network, 2, n.x, n.y, 1e300, &result), MPNO_OK);
    assert_true(result.overflow);
    drop_numeric(&n);
}

/* Models in which one weight's gradient overflows long before any tensor does, so that only the op
 * that makes it can tell: its source decides which op that is. */
typedef enum culprit {
    ANYTHING,
    SUM_OVER_POINTS,
    SPECTRAL_PRODUCT,
    NORM_WEIGHTS,
    N_CULPRITS
} culprit;

static mpno_model *make_culprit(mpno_ctx *ctx, culprit which) {
    mpno_fno_config config = small_config(2);
    config.n_layers = 1;
    if (which == SPECTRAL_PRODUCT) config.fno_skip = MPNO_SKIP_NONE, config.use_channel_mlp = false;
    if (which == NORM_WEIGHTS) config.norm = MPNO_NORM_GROUP;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    if (which == SUM_OVER_POINTS) { /* the last bias alone has a gradient */
        set_named(model, "projection.fcs.0.weight", 0);
        set_named(model, "projection.fcs.0.bias", 0);
        set_named(model, "projection.fcs.1.weight", 0);
    }
    if (which == SPECTRAL_PRODUCT) { /* a huge spectrum times zero: huge in the gradient only */
        set_named(model, "lifting.fcs.1.bias", 1e20);
        set_named(model, "fno_blocks.convs.0.weight.tensor", 0);
    }
    if (which == NORM_WEIGHTS) { /* nothing upstream, a steep map downstream */
        set_named(model, "fno_blocks.norm.1.weight", 0);
        set_named(model, "projection.fcs.0.weight", 1e10);
    }
    return model;
}

/* A step that says nothing of overflow has gradients that are finite. */
static void no_overflow_is_silent(void **state) {
    (void)state;
    static const int64_t grid[] = {8, 6};
    mpno_ctx *ctx = make_ctx(1);
    float *x = make_data(MPNO_F32, NUMERIC_VALUES, 0), *y = make_data(MPNO_F32, NUMERIC_VALUES, 1);
    for (int i = 0; i < NUMERIC_VALUES; i++) y[i] = -5; /* all gradients of one sign: sums grow */
    for (int which = ANYTHING; which < N_CULPRITS; which++) {
        mpno_model *model = make_culprit(ctx, (culprit)which);
        mpno_network_opts opts = make_opts(2, grid, 2, true, "full", MPNO_F16);
        opts.objective.term[0].kind = MPNO_LOSS_L2;
        mpno_network *network = make_network(ctx, model, &opts);
        int quiet = 0, loud = 0;
        for (int power = 150; power > 40; power--) {
            mpno_step_result result;
            size_t n;
            assert_int_equal(mpno_network_step(network, 2, x, y, ldexp(1.0, power), &result),
                             MPNO_OK);
            double *g = all_gradients(model, network, &n);
            bool finite = true;
            for (size_t i = 0; i < n; i++) finite &= isfinite(g[i]) != 0;
            if (!finite && !result.overflow) fail_msg("culprit %d, loss scale 2^%d", which, power);
            quiet += !result.overflow, loud += result.overflow;
            free(g);
        }
        assert_true(quiet > 10 && loud > 10);
        mpno_network_destroy(&network);
        mpno_model_destroy(&model);
    }
    free(x), free(y);
    drop_ctx(ctx);
}

/* Wherever a NaN or an infinity stands in the data, in whichever sample, it is reported. */
static void data_that_are_not_finite(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "half", "mixed"};
    static const float bad[] = {NAN, INFINITY};
    for (int i = 0; i < 12; i++) {
        numeric n = make_numeric(i % 2 == 1, policies[i / 4], MPNO_F16);
        mpno_step_result result;
        const int at = i % 3 * (NUMERIC_VALUES - 1) / 2;
        n.x[at] = bad[i / 2 % 2];
        float *out = malloc(NUMERIC_VALUES * sizeof *out);
        assert_int_equal(i % 2 ? mpno_network_step(n.network, 2, n.x, n.y, 2.0, &result)
                               : mpno_network_forward(n.network, 2, n.x, out),
                         MPNO_E_NUMERIC);
        assert_says(n.ctx, "lifting: ");
        n.x[at] = 0;
        n.y[at] = bad[i / 2 % 2];
        if (i % 2 == 1) {
            assert_int_equal(mpno_network_step(n.network, 2, n.x, n.y, 2.0, &result),
                             MPNO_E_NUMERIC);
            assert_says(n.ctx, "loss: loss (sums");
        }
        free(out);
        drop_numeric(&n);
    }
}

/* ---- wrong use ---- */

static void refuse(mpno_model *model, mpno_ctx *ctx, const mpno_network_opts *opts,
                   mpno_status code, const char *sentence) {
    const size_t before = mpno_ctx_bytes(ctx);
    mpno_network *network = (mpno_network *)&before;
    assert_int_equal(mpno_network_create(model, opts, &network), code);
    assert_null(network);
    assert_says(ctx, sentence);
    assert_int_equal(mpno_ctx_bytes(ctx), before);
}

static void wrong_options(void **state) {
    (void)state;
    static const int64_t grid[] = {8, 8};
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    const mpno_network_opts good = make_opts(2, grid, 2, false, "full", MPNO_F16);
    mpno_network_opts opts;
#define REFUSE(change, sentence) \
    opts = good, change, refuse(model, ctx, &opts, MPNO_E_ARGUMENT, sentence)
    REFUSE(opts.size = 8, "mpno_network_opts: size is 8");
    REFUSE(opts.grid[1] = 0, "grid size 1 is 0");
    REFUSE(opts.grid[0] = -4, "grid size 0 is -4");
    REFUSE((opts.grid[0] = opts.grid[1] = (int64_t)1 << 24), "more than 2^40 points");
    REFUSE(opts.capacity = 0, "capacity is 0");
    REFUSE(opts.capacity = -1, "capacity is -1");
    REFUSE(opts.policy = "ful", "did you mean \"full\"?");
    REFUSE(opts.half_format = MPNO_F32, "the half format is f16 or bf16, not f32");
#undef REFUSE
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

static void wrong_calls(void **state) {
    (void)state;
    static const int64_t grid[] = {8, 6};
    numeric n = make_numeric(false, "full", MPNO_F16);
    mpno_step_result result;
    static const int64_t batches[] = {0, -1, 3};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mpno_network_forward(n.network, batches[i], n.x, n.y), MPNO_E_ARGUMENT);
        assert_says(n.ctx, "to a network of capacity 2");
    }
    assert_int_equal(mpno_network_step(n.network, 1, n.x, n.y, 1, &result), MPNO_E_ARGUMENT);
    assert_says(n.ctx, "made for inference; create it with training = true");
    assert_null(mpno_network_input_gradient(n.network));
    mpno_network *planned;
    for (int training = 0; training < 2; training++) {
        const mpno_network_opts opts = make_opts(2, grid, 2, training != 0, "full", MPNO_F16);
        assert_int_equal(mpno_network_plan(n.model, &opts, &planned), MPNO_OK);
        assert_int_equal(mpno_network_forward(planned, 1, n.x, n.y), MPNO_E_ARGUMENT);
        assert_says(n.ctx, "only planned; make it with mpno_network_create");
        assert_int_equal(mpno_network_step(planned, 1, n.x, n.y, 1, &result), MPNO_E_ARGUMENT);
        assert_says(n.ctx, "only planned");
        mpno_network_destroy(&planned);
        assert_null(planned);
    }
    mpno_network_destroy(&planned);
    mpno_network_destroy(NULL);
    drop_numeric(&n);
    n = make_numeric(true, "full", MPNO_F16);
    assert_int_equal(mpno_network_forward(n.network, 1, n.x, n.y), MPNO_E_ARGUMENT);
    assert_says(n.ctx, "made for training; use mpno_network_step");
    assert_int_equal(mpno_network_step(n.network, 3, n.x, n.y, 1, &result), MPNO_E_ARGUMENT);
    drop_numeric(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(company_does_not_change_bits),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(plans_tell_the_memory),
        cmocka_unit_test(forward_overflow_is_named),
        cmocka_unit_test(backward_overflow_is_a_result),
        cmocka_unit_test(data_that_are_not_finite),
        cmocka_unit_test(no_overflow_is_silent),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
