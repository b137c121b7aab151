/* SPDX-License-Identifier: MIT
 * Fused and unfused networks: the same bits when nothing is rounded between ops, and no further
 * apart than their stores explain when something is. And which tensors are stored, in what format:
 * half means half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "graph/policy.h"
#include "unit/model/support.h"

enum { BATCH = 2 };

typedef struct setting {
    mpno_fno_config config;
    mpno_format arithmetic;
    int64_t grid[3];
    const char *policy;
    mpno_format half;
} setting;

typedef struct outcome {
    double loss, *output, *gradients; /* gradients: of the weights, then of the input */
    size_t n_output, n_gradients;
    int n_narrow;         /* tensors stored in the half format, repeated ones not counted */
    int n_narrow_forward; /* the same of a network made for inference */
    size_t bytes;         /* of the arena */
    double flops;         /* of a step */
} outcome;

static int count_narrow(const mpno_network *network, mpno_format half) {
    int n = 0;
    for (int i = 0; i < mpno_network_n_tensors(network); i++) {
        const mpno_tensor_line line = mpno_network_tensor(network, i);
        n += line.format == half && strstr(line.name, " again") == NULL;
    }
    return n;
}

typedef enum how { FUSED, APART, KEPT, AGAIN, UNFUSED } how;

static outcome compute(const setting *s, how made) {
    mpno_ctx *ctx = make_ctx(1);
    mpno_model *model = make_model(ctx, &s->config, s->arithmetic);
    const int64_t values = BATCH * points_of(s->config.ndim, s->grid) * 2;
    void *x = make_data(s->arithmetic, values, 0), *y = make_data(s->arithmetic, values, 1);
    mpno_network_opts opts = make_opts(s->config.ndim, s->grid, BATCH, false, s->policy, s->half);
    outcome o = {.n_output = (size_t)values};
    mpno_step_result result;
    opts.unfused = made == UNFUSED;
    opts.apart = made == APART;
    if (made == KEPT) opts.recompute = MPNO_RECOMPUTE_NONE;
    if (made == AGAIN) opts.recompute = MPNO_RECOMPUTE_FULL;
    mpno_network *network = make_network(ctx, model, &opts);
    void *output = malloc((size_t)values * mpno_format_bytes(s->arithmetic));
    assert_int_equal(mpno_network_forward(network, BATCH, x, output), MPNO_OK);
    o.n_narrow_forward = count_narrow(network, s->half);
    mpno_network_destroy(&network);
    opts.training = opts.input_gradient = true;
    network = make_network(ctx, model, &opts);
    assert_int_equal(mpno_network_step(network, BATCH, x, y, 1024.0, &result), MPNO_OK);
    assert_false(result.overflow);
    o.n_narrow = count_narrow(network, s->half);
    o.flops = mpno_network_get_cost(network).flops;
    o.bytes = mpno_network_get_cost(network).activation_bytes;
    o.loss = result.loss;
    o.output = malloc((size_t)values * sizeof(double));
    mpno_cast(o.output, MPNO_F64, output, s->arithmetic, (size_t)values);
    o.gradients = all_gradients(model, network, &o.n_gradients);
    o.gradients = realloc(o.gradients, (o.n_gradients + (size_t)values) * sizeof(double));
    assert_non_null(o.gradients);
    mpno_cast(o.gradients + o.n_gradients, MPNO_F64, mpno_network_input_gradient(network),
              s->arithmetic, (size_t)values);
    o.n_gradients += (size_t)values;
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    free(x), free(y), free(output);
    drop_ctx(ctx);
    return o;
}

static void drop_outcome(outcome *o) {
    free(o->output), free(o->gradients);
}

static bool same_bits(const outcome *a, const outcome *b) {
    return a->loss == b->loss && a->n_gradients == b->n_gradients &&
           memcmp(a->output, b->output, a->n_output * sizeof(double)) == 0 &&
           memcmp(a->gradients, b->gradients, a->n_gradients * sizeof(double)) == 0;
}

/* Without narrow formats a store is exact: a value loaded, recomputed or passed on is the same, and
 * sums go over the same tiles in the same order. */
static void full_is_the_same_fused_or_not(void **state) {
    (void)state;
    for (int i = 0; i < 3 * 4 * 5 * 2; i++) {
        setting s = {.config = small_config(1 + i / 7 % 3),
                     .arithmetic = i / 60 == 0 ? MPNO_F32 : MPNO_F64,
                     .grid = {9, 8, 3},
                     .policy = "full",
                     .half = MPNO_F16};
        if (s.config.ndim == 1) s.grid[0] = 150; /* more than one tile */
        s.config.norm = (mpno_norm)(i % 3);
        s.config.norm_groups = 2;
        s.config.fno_skip = (mpno_skip)(i / 3 % 4);
        s.config.use_channel_mlp = i / 12 % 5 != 4;
        s.config.channel_mlp_skip = (mpno_skip)(i / 12 % 5 % 4);
        s.config.stabilizer = (mpno_stabilizer)(i % 2);
        outcome fused = compute(&s, FUSED), unfused = compute(&s, UNFUSED);
        outcome kept = compute(&s, KEPT), again = compute(&s, AGAIN);
        if (!same_bits(&fused, &unfused) || !same_bits(&fused, &kept) || !same_bits(&fused, &again))
            fail_msg("norm %d, skips %d and %d, mlp %d, %s", s.config.norm, s.config.fno_skip,
                     s.config.channel_mlp_skip, s.config.use_channel_mlp,
                     mpno_format_get(s.arithmetic)->name);
        /* Nothing recomputed: more memory than with everything, fewer operations. */
        assert_true(kept.flops < fused.flops && fused.bytes < kept.bytes);
        assert_true(fused.flops <= again.flops && again.bytes <= fused.bytes);
        drop_outcome(&fused), drop_outcome(&unfused), drop_outcome(&kept), drop_outcome(&again);
    }
}

/* Samples of a batch whose fields are more than caches hold: their columns are made again. */
enum { MANY = 20000 };

static double planned_bytes(const setting *s, how made) {
    mpno_ctx *ctx = make_ctx(1);
    mpno_model *model = make_model(ctx, &s->config, s->arithmetic);
    mpno_network_opts opts = make_opts(s->config.ndim, s->grid, MANY, true, s->policy, s->half);
    opts.apart = made == APART;
    mpno_network *network;
    assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
    const double bytes = (double)mpno_network_get_cost(network).activation_bytes;
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
    return bytes;
}

/* A tensor in the place of one that was read for the last time: the same bits, in less memory. */
static void places_are_taken_without_harm(void **state) {
    (void)state;
    static const char *const policies[] = {"full", "amp", "half", "fft32", "mixed"};
    double shared_bytes = 0, apart_bytes = 0;
    for (int i = 0; i < 5 * 3 * 3; i++) {
        setting s = {.config = small_config(2),
                     .arithmetic = MPNO_F32,
                     .grid = {21, 16}, /* more than one tile, the last one not full */
                     .policy = policies[i % 5],
                     .half = i % 2 ? MPNO_BF16 : MPNO_F16};
        s.config.norm = (mpno_norm)(i / 5 % 3);
        s.config.norm_groups = 2;
        s.config.n_layers = 3;
        s.config.fno_skip = (mpno_skip)(i / 15 + 1);
        s.config.channel_mlp_skip = (mpno_skip)(i / 15);
        outcome shared = compute(&s, FUSED), apart = compute(&s, APART);
        if (!same_bits(&shared, &apart))
            fail_msg("%s, norm %d, skip %d", s.policy, s.config.norm, s.config.fno_skip);
        assert_true(shared.bytes <= apart.bytes);
        shared_bytes += planned_bytes(&s, FUSED), apart_bytes += planned_bytes(&s, APART);
        drop_outcome(&shared), drop_outcome(&apart);
    }
    if (shared_bytes > 0.97 * apart_bytes)
        fail_msg("%g bytes in all, %g with places apart", shared_bytes, apart_bytes);
}

static double distance(const double *a, const double *b, size_t n) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += a[i] * a[i];
    }
    return sqrt(difference / size);
}

/* How far apart two lowerings may be, root mean square relative to the result.
 *   A store in a format of unit roundoff u moves a value by at most u of itself: an error e of its
 *   tensor t with |e| <= u |t|. Errors of different values are unrelated and centred, since nearest
 *   rounding is; their root mean square is sqrt(1/6) u = 0.41 u of the value (uniform in +-2^-p
 *   2^e, the value uniform between 2^e and 2^(e+1): u^2/3 times the mean of 1/m^2, m in 1 .. 2,
 * that is 1/2). The unfused network makes n more such stores. If a relative change of one tensor
 * changes the result by at most K times as much, then unrelated errors make sqrt(n) 0.41 u K. K =
 * 6: a network at its initial weights is well conditioned; linear maps of uniform weights shrink
 * their input, skips are one, and only the norms (1/deviation of a centred field), the relative
 * loss and cancellation in sums of gradients over points amplify. The bound is worth something when
 * the observed distance comes near it. At least once for each policy and format it must exceed 1/8
 * of it: then K twenty times smaller fails, and so does bf16 in the place of f16 (8 times coarser).
 */
static double allowed(int n_stores, double u) {
    const double K = 6;
    return K * sqrt(n_stores / 6.0) * u;
}

static void narrow_policies_differ_by_their_stores(void **state) {
    (void)state;
    static const char *const policies[] = {"amp", "half", "fft32", "mixed"};
    static const mpno_format halves[] = {MPNO_F16, MPNO_BF16};
    for (int p = 0; p < 8; p++) {
        const double u = mpno_format_unit(halves[p % 2]);
        double nearest = 0;
        for (int i = 0; i < 3 * 4; i++) {
            setting s = {.config = small_config(2),
                         .arithmetic = MPNO_F32,
                         .grid = {i % 2 ? 9 : 16, i % 2 ? 13 : 16},
                         .policy = policies[p / 2],
                         .half = halves[p % 2]};
            s.config.norm = (mpno_norm)(i % 3);
            s.config.norm_groups = 2;
            s.config.fno_skip = (mpno_skip)(i / 3);
            s.config.channel_mlp_skip = (mpno_skip)(3 - i / 3);
            s.config.stabilizer = (mpno_stabilizer)(i / 2 % 2);
            outcome fused = compute(&s, FUSED), unfused = compute(&s, UNFUSED);
            const int n = unfused.n_narrow - fused.n_narrow;
            const int n_forward = unfused.n_narrow_forward - fused.n_narrow_forward;
            if (n == 0) { /* the policy narrows only what both store */
                assert_string_equal(s.policy, "half");
                assert_true(same_bits(&fused, &unfused));
                nearest = 1;
            } else {
                const double output =
                    distance(fused.output, unfused.output, fused.n_output) / allowed(n_forward, u);
                const double gradient =
                    distance(fused.gradients, unfused.gradients, fused.n_gradients) / allowed(n, u);
                const double loss = fabs(fused.loss / unfused.loss - 1) / allowed(n_forward, u);
                if (!(output <= 1 && gradient <= 1 && loss <= 1))
                    fail_msg(
                        "%s %s norm %d skip %d: output %.2f, gradients %.2f, loss %.2f of what "
                        "the stores allow",
                        s.policy, mpno_format_get(s.half)->name, s.config.norm, s.config.fno_skip,
                        output, gradient, loss);
                nearest = fmax(nearest, fmin(output, gradient));
            }
            drop_outcome(&fused), drop_outcome(&unfused);
        }
        if (!(nearest > 0.125))
            fail_msg("%s %s: at most %.3f of what the stores allow", policies[p / 2],
                     mpno_format_get(halves[p % 2])->name, nearest);
    }
}

/* ---- what is stored ---- */

/* The format that policies.def and roles.def promise for a line's role, gradient or not. */
static mpno_format promised(const mpno_policy *policy, const mpno_tensor_line *line, int *role) {
    for (*role = 0; *role < MPNO_ROLE_COUNT; ++*role) {
        if (strcmp(line->role, mpno_role_text((mpno_role)*role, false)) != 0 &&
            strcmp(line->role, mpno_role_text((mpno_role)*role, true)) != 0)
            continue;
        if (*role == MPNO_ROLE_SUMS) return MPNO_F64; /* sums are f64 whatever the policy */
        return mpno_policy_storage(policy, (mpno_role)*role, false, "").format;
    }
    fail_msg("unknown role %s", line->role);
    return MPNO_F64;
}

/* Complex fields are transformed whole, real ones by their columns. */
static void check_formats(bool complex_data, bool seen[MPNO_ROLE_COUNT]) {
    static const int64_t grid[] = {12, 11};
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(2);
    if (!complex_data) config.norm = MPNO_NORM_GROUP;
    config.complex_data = complex_data;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    for (int i = 0; i < mpno_policy_count() * 8; i++) {
        mpno_policy policy;
        mpno_network *network;
        mpno_network_opts opts = make_opts(2, grid, BATCH, i % 2 == 1, mpno_policy_name(i / 8),
                                           i / 4 % 2 ? MPNO_BF16 : MPNO_F16);
        opts.unfused = i / 2 % 2 == 1;
        assert_int_equal(mpno_policy_make(ctx, opts.policy, MPNO_F32, opts.half_format, &policy),
                         MPNO_OK);
        assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
        for (int t = 0; t < mpno_network_n_tensors(network); t++) {
            const mpno_tensor_line line = mpno_network_tensor(network, t);
            int role;
            const mpno_format expected = promised(&policy, &line, &role);
            if (line.format != expected)
                fail_msg("%s: %s %s is %s", opts.policy, line.layer, line.name,
                         mpno_format_get(line.format)->name);
            seen[role] = true;
        }
        size_t copies = 0;
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            const mpno_param_info info = mpno_model_param_info(model, p);
            const bool linear = strstr(info.name, ".fcs.") || strstr(info.name, "conv.weight");
            const mpno_format format = info.is_complex ? policy.spectrum
                                       : linear        ? policy.pointwise
                                                       : MPNO_F32;
            if (format != MPNO_F32) copies += info.count * mpno_format_bytes(format);
        }
        assert_int_equal(mpno_network_get_cost(network).weight_copy_bytes, copies);
        mpno_network_destroy(&network);
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

static void formats_are_those_of_the_policy(void **state) {
    (void)state;
    bool seen[MPNO_ROLE_COUNT] = {false};
    check_formats(false, seen);
    check_formats(true, seen);
    for (int r = MPNO_ROLE_OUTPUT; r <= MPNO_ROLE_SUMS; r++) assert_true(seen[r]);
}

/* Under mixed every tensor between the input and the output takes half of its bytes under full. */
static void half_means_half(void **state) {
    (void)state;
    static const int64_t grid[] = {12, 11};
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(2);
    config.stabilizer = MPNO_STABILIZER_TANH;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    for (int i = 0; i < 4; i++) {
        mpno_network_opts opts = make_opts(2, grid, 3, i % 2 == 1, "full", MPNO_F16);
        mpno_network *full, *mixed;
        opts.unfused = i / 2 == 1;
        assert_int_equal(mpno_network_plan(model, &opts, &full), MPNO_OK);
        opts.policy = "mixed";
        assert_int_equal(mpno_network_plan(model, &opts, &mixed), MPNO_OK);
        assert_int_equal(mpno_network_n_tensors(full), mpno_network_n_tensors(mixed));
        size_t wide = 0, narrow = 0;
        for (int t = 0; t < mpno_network_n_tensors(full); t++) {
            const mpno_tensor_line a = mpno_network_tensor(full, t);
            const mpno_tensor_line b = mpno_network_tensor(mixed, t);
            assert_string_equal(a.name, b.name);
            assert_string_equal(a.layer, b.layer);
            assert_int_equal(a.kept, b.kept);
            const bool stays = strstr(a.role, "output gradient") == a.role ||
                               strcmp(a.role, "output") == 0 || strcmp(a.role, "sums") == 0;
            assert_int_equal(a.bytes, stays ? b.bytes : 2 * b.bytes);
            wide += a.bytes, narrow += b.bytes;
        }
        assert_true(narrow < 0.6 * (double)wide);
        mpno_network_destroy(&full), mpno_network_destroy(&mixed);
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

static void check_lines(const mpno_network *network, bool kept_only, const char *const *expected,
                        int n) {
    int found = 0;
    for (int t = 0; t < mpno_network_n_tensors(network); t++) {
        const mpno_tensor_line line = mpno_network_tensor(network, t);
        char text[96];
        snprintf(text, sizeof text, "%s: %s", line.layer, line.name);
        if (kept_only && !line.kept) continue;
        assert_true(found < n);
        assert_string_equal(text, expected[found++]);
    }
    assert_int_equal(found, n);
}

/* The whole list of a two-layer FNO: two tensors a block between programs, and the spectra. Of
 * small fields the columns are kept. */
static void what_is_stored_and_kept(void **state) {
    (void)state;
    static const char *const inference[] = {"lifting: lifted",
                                            "block 0: columns",
                                            "block 0: spectrum",
                                            "block 0: contracted spectrum",
                                            "block 0: output columns",
                                            "block 0: sum",
                                            "block 1: columns",
                                            "block 1: spectrum",
                                            "block 1: contracted spectrum",
                                            "block 1: output columns"};
    static const char *const kept[] = {
        "lifting: lifted",        "block 0: spectrum", "block 0: contracted spectrum",
        "block 0: sum",           "block 1: spectrum", "block 1: contracted spectrum",
        "projection: prediction", "loss: loss"};
    static const char *const kept_of_small[] = {
        "lifting: lifted",   "block 0: spectrum",       "block 0: output columns", "block 0: sum",
        "block 1: spectrum", "block 1: output columns", "projection: prediction",  "loss: loss"};
    static const int64_t grid[] = {12, 11};
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    for (int p = 0; p < mpno_policy_count(); p++) {
        mpno_network_opts opts = make_opts(2, grid, MANY, false, mpno_policy_name(p), MPNO_F16);
        mpno_network *network, *unfused;
        assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
        check_lines(network, false, inference, sizeof inference / sizeof inference[0]);
        mpno_network_destroy(&network);
        opts.training = true;
        assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
        check_lines(network, true, kept, sizeof kept / sizeof kept[0]);
        mpno_network_destroy(&network);
        opts.capacity = 3;
        assert_int_equal(mpno_network_plan(model, &opts, &network), MPNO_OK);
        check_lines(network, true, kept_of_small, sizeof kept_of_small / sizeof kept_of_small[0]);
        opts.unfused = true;
        assert_int_equal(mpno_network_plan(model, &opts, &unfused), MPNO_OK);
        assert_true(2 * mpno_network_n_tensors(network) < mpno_network_n_tensors(unfused));
        assert_true(mpno_network_get_cost(network).activation_bytes <
                    mpno_network_get_cost(unfused).activation_bytes);
        mpno_network_destroy(&network), mpno_network_destroy(&unfused);
    }
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_is_the_same_fused_or_not),
        cmocka_unit_test(places_are_taken_without_harm),
        cmocka_unit_test(narrow_policies_differ_by_their_stores),
        cmocka_unit_test(formats_are_those_of_the_policy),
        cmocka_unit_test(half_means_half),
        cmocka_unit_test(what_is_stored_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
