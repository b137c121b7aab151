/* SPDX-License-Identifier: MIT
 * What every option of the FNO must keep: gradients that agree with central differences, the same
 * bits for any number of threads, finite results under every policy, plans that tell the memory,
 * no allocation while running and none left behind when one fails. (Fused or not: test_lowering.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/model/options.h"

/* ---- gradients ---- */

static double loss_of(const rig *r, mpno_network *network) {
    mpno_step_result result;
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r->x, r->y, 1.0, &result), MPNO_OK);
    return result.loss;
}

/* d loss / d t at t = 0 with values + t direction, by central differences of step h: their error is
 * h^2/6 of the third derivative, some 1e-9, and rounding's, 1e-16/h = 1e-11 of the loss. */
static double slope(const rig *r, mpno_network *network, int param, double *at, size_t n,
                    const double *direction) {
    const double h = 1e-5;
    double *moved = malloc(n * sizeof *moved), loss[2];
    assert_non_null(moved);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++) moved[i] = at[i] + (side ? h : -h) * direction[i];
        if (param >= 0) {
            mpno_model_set_param(r->model, param, moved);
            loss[side] = loss_of(r, network);
        } else {
            rig other = *r;
            other.x = moved;
            loss[side] = loss_of(&other, network);
        }
    }
    if (param >= 0) mpno_model_set_param(r->model, param, at);
    free(moved);
    return (loss[1] - loss[0]) / (2 * h);
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* One tensor's gradient along a random direction. scale: of all gradients. rounding: of a
 * difference of losses of some units, 4 ulp of them over 2 h; it shows where gradients are small, as
 * those of tensor trains are at first. */
static void check_gradient(const rig *r, mpno_network *network, const char *name, int param,
                           double *at, size_t n, const double *gradient, double scale) {
    double *direction = make_data(MPNO_F64, (int64_t)n, 40 + (uint32_t)param);
    const double expected = slope(r, network, param, at, n, direction);
    const double found = dot(gradient, direction, n);
    const double size = sqrt(dot(gradient, gradient, n)) + 1e-3 * scale;
    const double rounding = 4 * 0x1p-50 / 2e-5;
    if (!(fabs(found - expected) <= 1e-6 * size + rounding))
        fail_msg("%s, %d axes, %s: %.10g, but differences say %.10g", r->with->name,
                 mpno_model_config(r->model)->ndim, name, found, expected);
    free(direction);
}

static void check_gradients(const rig *r) {
    mpno_network *network = rig_network(r, true);
    const int n_params = mpno_model_n_params(r->model);
    double **gradients = calloc((size_t)n_params, sizeof *gradients), scale = 0;
    double *of_input = malloc((size_t)r->n_in * sizeof *of_input);
    assert_true(gradients != NULL && of_input != NULL);
    loss_of(r, network);
    memcpy(of_input, mpno_network_input_gradient(network), (size_t)r->n_in * sizeof *of_input);
    for (int p = 0; p < n_params; p++) {
        const size_t n = mpno_model_param_info(r->model, p).count;
        gradients[p] = malloc(n * sizeof **gradients);
        mpno_network_get_gradient(network, p, gradients[p]);
        if (mpno_model_param_info(r->model, p).kind == MPNO_PARAM_WEIGHT)
            scale = fmax(scale, sqrt(dot(gradients[p], gradients[p], n)));
    }
    check_gradient(r, network, "input", -1, r->x, (size_t)r->n_in, of_input, scale);
    for (int p = 0; p < n_params; p++) {
        const mpno_param_info info = mpno_model_param_info(r->model, p);
        double *at = malloc(info.count * sizeof *at);
        mpno_model_get_param(r->model, p, at);
        if (info.kind == MPNO_PARAM_WEIGHT)
            check_gradient(r, network, info.name, p, at, info.count, gradients[p], scale);
        free(at), free(gradients[p]);
    }
    free(gradients), free(of_input);
    mpno_network_destroy(&network);
}

static void gradients_are_those_of_differences(void **state) {
    (void)state;
    static const int64_t grids[][3] = {{12}, {8, 6}, {4, 5, 6}};
    for (int i = 0; i < 3 * N_OPTIONS; i++) {
        const option *with = &options[i / 3];
        if (i % 3 + 1 > with->n_axes) continue;
        rig r = make_rig(with, i % 3 + 1, grids[i % 3], MPNO_F64, "full", MPNO_F16, 1);
        r.opts.objective.term[0].kind = i % 2 ? MPNO_LOSS_H1 : MPNO_LOSS_L2;
        check_gradients(&r);
        drop_rig(&r);
    }
}

/* ---- bits ---- */

typedef struct outcome {
    double loss;
    char *bytes; /* output, input gradient, gradients, weights after the step */
    size_t n, activation_bytes;
} outcome;

static void append(outcome *o, const void *data, size_t n) {
    o->bytes = realloc(o->bytes, o->n + n);
    assert_non_null(o->bytes);
    memcpy(o->bytes + o->n, data, n);
    o->n += n;
}

static outcome compute(const rig *r) {
    const size_t wide = mpno_format_bytes(r->arithmetic);
    void *output = malloc((size_t)r->n_out * wide);
    outcome o = {0};
    mpno_network *network = rig_network(r, false);
    if (mpno_network_forward(network, OPTION_BATCH, r->x, output) != MPNO_OK)
        fail_msg("%s, %s: %s", r->with->name, r->opts.policy, mpno_ctx_error(r->ctx));
    append(&o, output, (size_t)r->n_out * wide);
    mpno_network_destroy(&network);
    network = rig_network(r, true);
    mpno_step_result result;
    if (mpno_network_step(network, OPTION_BATCH, r->x, r->y, 8.0, &result) != MPNO_OK)
        fail_msg("%s, %s: %s", r->with->name, r->opts.policy, mpno_ctx_error(r->ctx));
    if (result.overflow)
        fail_msg("%s, %d axes, %s: overflow", r->with->name, mpno_model_config(r->model)->ndim,
                 r->opts.policy);
    o.loss = result.loss;
    o.activation_bytes = mpno_network_get_cost(network).activation_bytes;
    append(&o, mpno_network_input_gradient(network), (size_t)r->n_in * wide);
    for (int p = 0; p < mpno_model_n_params(r->model); p++) {
        const mpno_param_info info = mpno_model_param_info(r->model, p);
        double *values = malloc(info.count * sizeof *values);
        mpno_network_get_gradient(network, p, values);
        append(&o, values, info.count * sizeof *values);
        mpno_model_get_param(r->model, p, values);
        append(&o, values, info.count * sizeof *values);
        free(values);
    }
    mpno_network_destroy(&network);
    free(output);
    return o;
}

/* More than one tile on a line, and sizes that fill none. */
static const int64_t bit_grids[][3] = {{150}, {12, 11}, {6, 5, 7}};

static void threads_do_not_change_bits(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 5};
    for (int i = 0; i < 3 * N_OPTIONS; i++) {
        const option *with = &options[i / 3];
        outcome first = {0};
        if (i % 3 + 1 > with->n_axes) continue;
        for (int t = 0; t < 3; t++) {
            rig r = make_rig(with, i % 3 + 1, bit_grids[i % 3], MPNO_F32, i % 2 ? "mixed" : "full",
                             MPNO_BF16, threads[t]);
            outcome o = compute(&r);
            if (t > 0 &&
                (o.n != first.n || memcmp(o.bytes, first.bytes, o.n) != 0 || o.loss != first.loss))
                fail_msg("%s, %d axes: other bits on %d threads", with->name, i % 3 + 1,
                         threads[t]);
            drop_rig(&r);
            if (t > 0)
                free(o.bytes);
            else
                first = o;
        }
        free(first.bytes);
    }
}

/* Without narrow formats a store is exact. */
static void full_is_the_same_fused_or_not(void **state) {
    (void)state;
    for (int i = 0; i < 3 * 2 * N_OPTIONS; i++) {
        const int ndim = 1 + i % 3;
        rig r = make_rig(&options[i / 6], ndim, bit_grids[ndim - 1],
                         i / 3 % 2 ? MPNO_F64 : MPNO_F32, "full", MPNO_F16, 1);
        rig other =
            make_rig(&options[i / 6], ndim, bit_grids[ndim - 1], r.arithmetic, "full", MPNO_F16, 1);
        other.opts.unfused = true;
        outcome fused = compute(&r), unfused = compute(&other);
        if (fused.n != unfused.n || memcmp(fused.bytes, unfused.bytes, fused.n) != 0 ||
            fused.loss != unfused.loss)
            fail_msg("%s, %d axes: other bits unfused", r.with->name, ndim);
        free(fused.bytes), free(unfused.bytes);
        drop_rig(&r), drop_rig(&other);
    }
}

/* Layers made again: the same operations on the same operands, in no more memory, and in less of
 * it all in all; dropped values are the same, running statistics move once. */
static void layers_made_again_are_the_same(void **state) {
    (void)state;
    double kept_bytes = 0, again_bytes = 0;
    for (int i = 0; i < 3 * 3 * N_OPTIONS; i++) {
        static const char *const policies[] = {"full", "mixed", "amp"};
        const int ndim = 1 + i % 3;
        rig r = make_deep_rig(&options[i / 9], 4, ndim, bit_grids[ndim - 1], MPNO_F32,
                              policies[i / 3 % 3], i % 2 ? MPNO_F16 : MPNO_BF16, 2);
        rig other = make_deep_rig(&options[i / 9], 4, ndim, bit_grids[ndim - 1], MPNO_F32,
                                  policies[i / 3 % 3], i % 2 ? MPNO_F16 : MPNO_BF16, 2);
        other.opts.recompute = MPNO_RECOMPUTE_FULL;
        outcome kept = compute(&r), again = compute(&other);
        if (kept.n != again.n || memcmp(kept.bytes, again.bytes, kept.n) != 0 ||
            kept.loss != again.loss)
            fail_msg("%s, %d axes, %s: other bits with layers made again", r.with->name, ndim,
                     r.opts.policy);
        if (again.activation_bytes > kept.activation_bytes)
            fail_msg("%s, %d axes, %s: %zu bytes, %zu with layers made again", r.with->name, ndim,
                     r.opts.policy, kept.activation_bytes, again.activation_bytes);
        kept_bytes += (double)kept.activation_bytes;
        again_bytes += (double)again.activation_bytes;
        free(kept.bytes), free(again.bytes);
        drop_rig(&r), drop_rig(&other);
    }
    if (again_bytes > 0.95 * kept_bytes)
        fail_msg("%g bytes in all, %g with layers made again", kept_bytes, again_bytes);
}

static void every_policy_is_finite(void **state) {
    (void)state;
    static const char *const policies[] = {"amp", "half", "fft32", "mixed"};
    for (int i = 0; i < 4 * 2 * N_OPTIONS; i++) {
        const int ndim = 1 + i % 3 % options[i / 8].n_axes;
        rig r = make_rig(&options[i / 8], ndim, bit_grids[ndim - 1], MPNO_F32, policies[i / 2 % 4],
                         i % 2 ? MPNO_F16 : MPNO_BF16, 1);
        outcome o = compute(&r);
        const float *output = (const float *)(const void *)o.bytes;
        for (int64_t k = 0; k < r.n_out; k++) assert_true(isfinite(output[k]));
        assert_true(isfinite(o.loss) && o.loss > 0);
        free(o.bytes);
        drop_rig(&r);
    }
}

/* ---- memory ---- */

/* What making the memory adds to a plan is what the plan said, and running adds nothing. */
static void check_memory(const rig *r, const mpno_network_opts *opts) {
    mpno_network *planned, *made;
    mpno_step_result result;
    float *output = malloc((size_t)r->n_out * sizeof *output);
    const size_t start = mpno_ctx_bytes(r->ctx);
    assert_int_equal(mpno_network_plan(r->model, opts, &planned), MPNO_OK);
    const size_t plan_bytes = mpno_ctx_bytes(r->ctx) - start;
    made = make_network(r->ctx, r->model, opts);
    const mpno_network_cost cost = mpno_network_get_cost(planned);
    const size_t tables = 2 * (size_t)mpno_model_n_params(r->model) * sizeof(void *);
    if (mpno_ctx_bytes(r->ctx) - start - 2 * plan_bytes !=
        cost.activation_bytes + cost.gradient_bytes + cost.weight_copy_bytes + tables)
        fail_msg("%s: the plan says %zu bytes of activations, %zu more were taken", r->with->name,
                 cost.activation_bytes, mpno_ctx_bytes(r->ctx) - start - 2 * plan_bytes);
    assert_true(cost.lower_bound_bytes <= cost.activation_bytes);
    size_t parameters = 0;
    for (int l = 0; l < mpno_network_n_layers(planned); l++)
        parameters += mpno_network_layer(planned, l).parameters;
    assert_true(parameters >= mpno_model_n_weights(r->model));
    const size_t before = mpno_ctx_bytes(r->ctx);
    mpno_network_set_embedding(made, r->embedding);
    mpno_alloc_fail_after(r->ctx, 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(opts->training
                             ? mpno_network_step(made, OPTION_BATCH, r->x, r->y, 4.0, &result)
                             : mpno_network_forward(made, OPTION_BATCH, r->x, output),
                         MPNO_OK);
    mpno_alloc_fail_after(r->ctx, -1);
    assert_int_equal(mpno_ctx_bytes(r->ctx), before);
    free(output);
    mpno_network_destroy(&planned), mpno_network_destroy(&made);
}

static void plans_tell_the_memory_and_running_takes_none(void **state) {
    (void)state;
    for (int i = 0; i < 8 * N_OPTIONS; i++) {
        const int ndim = 1 + i % 3 % options[i / 8].n_axes;
        rig r = make_rig(&options[i / 8], ndim, bit_grids[ndim - 1], MPNO_F32,
                         i % 2 ? "mixed" : "full", MPNO_BF16, 2);
        mpno_network_opts opts = r.opts;
        opts.training = i / 2 % 2 == 1;
        opts.unfused = i / 4 % 2 == 1;
        check_memory(&r, &opts);
        drop_rig(&r);
    }
}

static void failing_allocations_leave_nothing(void **state) {
    (void)state;
    static const int64_t grid[] = {6, 5};
    static const char *const names[] = {"all", "complex_data with all", "ada_in",
                                        "resolution_scaling_factor, upstream"};
    for (int i = 0; i < 5; i++) {
        int k = 0;
        while (strcmp(options[k].name, names[i % 4]) != 0) k++;
        rig r = make_rig(&options[k], 2, grid, MPNO_F32, "mixed", MPNO_F16, 1);
        mpno_network_opts opts = r.opts;
        const size_t before = mpno_ctx_bytes(r.ctx);
        mpno_status status = MPNO_E_MEMORY;
        opts.training = opts.input_gradient = true;
        opts.recompute = i < 4 ? MPNO_RECOMPUTE_CHEAP : MPNO_RECOMPUTE_FULL;
        for (int n = 0; status != MPNO_OK; n++) {
            mpno_network *network = NULL;
            mpno_alloc_fail_after(r.ctx, n);
            status = mpno_network_create(r.model, &opts, &network);
            mpno_alloc_fail_after(r.ctx, -1);
            assert_true(status == MPNO_OK ? n > 50 : status == MPNO_E_MEMORY && network == NULL);
            mpno_network_destroy(&network);
            assert_int_equal(mpno_ctx_bytes(r.ctx), before);
        }
        drop_rig(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(full_is_the_same_fused_or_not),
        cmocka_unit_test(layers_made_again_are_the_same),
        cmocka_unit_test(every_policy_is_finite),
        cmocka_unit_test(plans_tell_the_memory_and_running_takes_none),
        cmocka_unit_test(failing_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
