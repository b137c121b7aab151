/* SPDX-License-Identifier: MIT
 * Reference runner: golden [--f64] FILE.txt...
 * Runs forward, and gradients where the file has them, of reference cases made by the real PyTorch
 * library (layout: README.md beside this file), with compat: neuralop, and gradients a second and a
 * third time with less and more made again in the backward pass. One line a case; exit 1 when
 * one is out of tolerance or asks for an option that is not there yet. Error of a tensor: max
 * |difference| / max(rms of the reference, 1e-3 x largest rms of the case's gradients). MPNO_ISA
 * caps the kernels. Tolerances: f64 files 1e-11; f32 files: outputs 5e-5 in f32 and 2e-5 in f64
 * (upstream's own f32 noise), gradients 3e-4. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fields.h"
#include "golden/case.h"
#include "mpno/network.h"
#include "mpno/optimizer.h"

typedef struct runner {
    mpno_ctx *ctx;
    golden_case *c;
    mpno_format arithmetic;
    mpno_model *model;
    int64_t grid[MPNO_MAX_AXES], batch;
    void *embedding; /* of norm ada_in: one vector for all samples, as upstream has it */
    double output_error, gradient_error, loss_error;
    char worst[96]; /* name of the gradient with the largest error */
} runner;

static double rms(const double *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i] * v[i];
    return n == 0 ? 0 : sqrt(sum / (double)n);
}

static double largest_difference(const double *a, const double *b, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs(a[i] - b[i]);
        if (!(d <= most)) most = d; /* a NaN wins */
    }
    return most;
}

/* Points of a tensor [batch][channels][grid..], and the numbers of each: 2 of complex data. */
static int64_t points_of(const golden_tensor *t) {
    int64_t points = 1;
    for (int d = 2; d < t->ndim; d++) points *= t->shape[d];
    return points;
}
static int64_t planes_of(const runner *r) {
    return r->c->config.complex_data ? 2 : 1;
}

/* Number k (0: real) of a value: where it stands outside, [batch][channels][points](re, im), and
 * inside, [batch][points](re, im)[channels]. */
typedef struct place {
    size_t outside, inside;
} place;

static place place_of(const runner *r, const golden_tensor *t, int64_t b, int64_t c, int64_t p,
                      int64_t k) {
    const int64_t channels = t->shape[1], points = points_of(t), planes = planes_of(r);
    return (place){(size_t)(((b * channels + c) * points + p) * planes + k),
                   (size_t)(((b * points + p) * planes + k) * channels + c)};
}

static void to_channels_last(const runner *r, const golden_tensor *t, void *out) {
    for (int64_t b = 0; b < r->batch; b++)
        for (int64_t c = 0; c < t->shape[1]; c++)
            for (int64_t p = 0; p < points_of(t); p++)
                for (int64_t k = 0; k < planes_of(r); k++) {
                    const place at = place_of(r, t, b, c, p, k);
                    if (r->arithmetic == MPNO_F64)
                        ((double *)out)[at.inside] = t->values[at.outside];
                    else
                        ((float *)out)[at.inside] = (float)t->values[at.outside];
                }
}

/* like: a tensor of this shape */
static void to_channels_first(const runner *r, const golden_tensor *like, const void *in,
                              double *out) {
    for (int64_t b = 0; b < r->batch; b++)
        for (int64_t c = 0; c < like->shape[1]; c++)
            for (int64_t p = 0; p < points_of(like); p++)
                for (int64_t k = 0; k < planes_of(r); k++) {
                    const place at = place_of(r, like, b, c, p, k);
                    out[at.outside] = r->arithmetic == MPNO_F64
                                          ? ((const double *)in)[at.inside]
                                          : (double)((const float *)in)[at.inside];
                }
}

static const golden_tensor *find(const runner *r, const char *kind, const char *name) {
    for (size_t i = 0; i < r->c->n; i++)
        if (strcmp(r->c->tensors[i].kind, kind) == 0 && strcmp(r->c->tensors[i].name, name) == 0)
            return &r->c->tensors[i];
    return NULL;
}

static mpno_status set_params(runner *r, const char *kind) {
    for (int p = 0; p < mpno_model_n_params(r->model); p++) {
        const mpno_param_info info = mpno_model_param_info(r->model, p);
        const golden_tensor *t = find(r, kind, info.name);
        MPNO_CHECK(r->ctx, t != NULL, MPNO_E_FORMAT, "the case has no %s %s", kind, info.name);
        MPNO_CHECK(r->ctx, t->n == info.count, MPNO_E_FORMAT, "%s has %zu numbers, expected %zu",
                   info.name, t->n, info.count);
        mpno_model_set_param(r->model, p, t->values);
    }
    return MPNO_OK;
}

static mpno_network_opts network_opts(const runner *r) {
    mpno_network_opts o = MPNO_NETWORK_OPTS_INIT;
    memcpy(o.grid, r->grid, sizeof o.grid);
    memcpy(o.output_grid, r->c->output_grid, sizeof o.output_grid);
    o.capacity = r->batch;
    o.statistics = r->c->training ? MPNO_STATISTICS_BATCH : MPNO_STATISTICS_RUNNING;
    return o;
}

static mpno_status make_network(const runner *r, const mpno_network_opts *opts,
                                mpno_network **net) {
    MPNO_TRY(mpno_network_create(r->model, opts, net));
    if (r->embedding != NULL) mpno_network_set_embedding(*net, r->embedding);
    return MPNO_OK;
}

static mpno_status run_forward(runner *r, const void *x) {
    const golden_tensor *reference = find(r, "output", "y");
    mpno_network *net;
    mpno_network_opts opts = network_opts(r);
    if (reference == NULL) return MPNO_OK;
    MPNO_TRY(make_network(r, &opts, &net));
    double *y = calloc(reference->n, sizeof *y), *got = calloc(reference->n, sizeof *got);
    const mpno_status status = mpno_network_forward(net, r->batch, x, y);
    if (status == MPNO_OK) {
        to_channels_first(r, reference, y, got);
        r->output_error = largest_difference(got, reference->values, reference->n) /
                          rms(reference->values, reference->n);
    }
    free(y);
    free(got);
    mpno_network_destroy(&net);
    return status;
}

static double largest_gradient_rms(const runner *r, const char *kind) {
    double most = 0;
    for (size_t i = 0; i < r->c->n; i++)
        if (strcmp(r->c->tensors[i].kind, kind) == 0) {
            const double v = rms(r->c->tensors[i].values, r->c->tensors[i].n);
            if (v > most) most = v;
        }
    return most;
}

/* A bias in front of a norm that takes its mean away has no effect: its gradient is 0, and both
 * sides hold rounding alone. That of sum_n (p x_n + q dy_n + r), whose parts exceed their sum: an
 * instance norm divides by the deviation of one channel, here down to 1/30 of its mean, which comes
 * in squared; so such gradients are compared with 30^2 times the floor of the others. */
static const double noise = 1e-9, noise_factor = 900;

static void compare_gradient(runner *r, const golden_tensor *t, const double *got, double floor) {
    const double scale = rms(t->values, t->n);
    if (scale < noise * floor) floor *= noise_factor;
    const double error = largest_difference(got, t->values, t->n) / (scale > floor ? scale : floor);
    if (error <= r->gradient_error) return;
    r->gradient_error = error;
    snprintf(r->worst, sizeof r->worst, "%s %s", t->kind, t->name);
}

/* What a step made of the running statistics. */
static void compare_statistics(runner *r) {
    for (size_t i = 0; i < r->c->n; i++) {
        const golden_tensor *t = &r->c->tensors[i];
        if (strcmp(t->kind, "after") != 0) continue;
        double *got = calloc(t->n, sizeof *got);
        const int p = mpno_model_find_param(r->model, t->name);
        if (p >= 0) mpno_model_get_param(r->model, p, got);
        compare_gradient(r, t, got, 0);
        free(got);
    }
}

/* The same step with more or less made again in the backward pass: the same gradients, bit for bit.
 */
static mpno_status compare_recomputed(runner *r, const mpno_network_opts *of, mpno_recompute how,
                                      const void *x, const void *target, const mpno_network *net) {
    mpno_network_opts opts = *of;
    mpno_network *other;
    mpno_step_result result;
    opts.recompute = how;
    MPNO_TRY(set_params(r, "param"));
    MPNO_TRY(make_network(r, &opts, &other));
    mpno_status status = mpno_network_step(other, r->batch, x, target, 1.0, &result);
    for (int p = 0; p < mpno_model_n_params(r->model) && status == MPNO_OK; p++) {
        const mpno_param_info info = mpno_model_param_info(r->model, p);
        double *a = calloc(2 * info.count, sizeof *a), *b = a + info.count;
        mpno_network_get_gradient(net, p, a);
        mpno_network_get_gradient(other, p, b);
        if (memcmp(a, b, info.count * sizeof *a) != 0) {
            r->gradient_error = INFINITY;
            snprintf(r->worst, sizeof r->worst, "other bits where more is made again: %.48s",
                     info.name);
        }
        free(a);
    }
    mpno_network_destroy(&other);
    return status;
}

static mpno_status run_gradients(runner *r, const char *kind, mpno_loss loss, const void *x,
                                 const void *target) {
    const double floor = 1e-3 * largest_gradient_rms(r, kind);
    mpno_network *net;
    mpno_network_opts opts = network_opts(r);
    mpno_step_result result;
    if (floor == 0) return MPNO_OK; /* the case has none of this loss */
    opts.training = opts.input_gradient = true;
    opts.objective.term[0].kind = loss;
    MPNO_TRY(set_params(r, "param"));
    MPNO_TRY(make_network(r, &opts, &net));
    mpno_status status = mpno_network_step(net, r->batch, x, target, 1.0, &result);
    if (status == MPNO_OK) compare_statistics(r);
    for (size_t i = 0; i < r->c->n && status == MPNO_OK; i++) {
        const golden_tensor *t = &r->c->tensors[i];
        if (strcmp(t->kind, kind) != 0) continue;
        double *got = calloc(t->n, sizeof *got);
        const int p = mpno_model_find_param(r->model, t->name);
        if (p >= 0)
            mpno_network_get_gradient(net, p, got);
        else
            to_channels_first(r, t, mpno_network_input_gradient(net), got);
        compare_gradient(r, t, got, floor);
        free(got);
    }
    const double *reference = golden_scalar(r->c, loss == MPNO_LOSS_L2 ? "loss_l2" : "loss_h1");
    if (reference != NULL && status == MPNO_OK) {
        const double error = fabs(result.loss - *reference) / fabs(*reference);
        if (!(error <= r->loss_error)) r->loss_error = error;
    }
    if (status == MPNO_OK)
        status = compare_recomputed(r, &opts, MPNO_RECOMPUTE_NONE, x, target, net);
    if (status == MPNO_OK)
        status = compare_recomputed(r, &opts, MPNO_RECOMPUTE_FULL, x, target, net);
    mpno_network_destroy(&net);
    return status;
}

/* adamw_steps: five steps of the library's own AdamW on the H1 loss, from param0 to param5. */
static mpno_status run_training(runner *r, const void *x, const void *target) {
    mpno_optimizer_opts a = MPNO_OPTIMIZER_OPTS_INIT;
    mpno_optimizer *adamw;
    mpno_network *net;
    mpno_network_opts opts = network_opts(r);
    a.convention = MPNO_CONVENTION_NEURALOP;
    a.eps = r->c->eps;
    a.weight_decay = r->c->weight_decay;
    opts.training = true;
    MPNO_TRY(mpno_network_create(r->model, &opts, &net));
    MPNO_TRY(mpno_optimizer_create(r->model, &a, &adamw));
    mpno_status status = MPNO_OK;
    for (int step = 0; step < 5 && status == MPNO_OK; step++) {
        mpno_step_result result;
        char name[32];
        status = mpno_network_step(net, r->batch, x, target, 1.0, &result);
        snprintf(name, sizeof name, "loss_step%d", step);
        const double *reference = golden_scalar(r->c, name);
        const double error =
            reference == NULL ? INFINITY : fabs(result.loss - *reference) / fabs(*reference);
        if (!(error <= r->loss_error)) r->loss_error = error;
        mpno_optimizer_step(adamw, net, r->c->learning_rate, 1.0);
    }
    const double floor = 1e-3 * largest_gradient_rms(r, "param5");
    for (int p = 0; p < mpno_model_n_params(r->model) && status == MPNO_OK; p++) {
        const golden_tensor *t = find(r, "param5", mpno_model_param_info(r->model, p).name);
        MPNO_CHECK(r->ctx, t != NULL, MPNO_E_FORMAT, "the case lacks a param5");
        double *got = calloc(t->n, sizeof *got);
        mpno_model_get_param(r->model, p, got);
        compare_gradient(r, t, got, floor);
        free(got);
    }
    mpno_optimizer_destroy(&adamw);
    mpno_network_destroy(&net);
    return status;
}

static void set_embedding(runner *r) {
    const golden_tensor *t = find(r, "input", "embedding");
    if (t == NULL) return;
    r->embedding = calloc((size_t)r->batch * t->n, sizeof(double));
    for (size_t i = 0; i < (size_t)r->batch * t->n; i++) {
        if (r->arithmetic == MPNO_F64)
            ((double *)r->embedding)[i] = t->values[i % t->n];
        else
            ((float *)r->embedding)[i] = (float)t->values[i % t->n];
    }
}

static mpno_status run_case(runner *r) {
    const golden_tensor *x = find(r, "input", "x"), *target = find(r, "input", "target");
    MPNO_CHECK(r->ctx, r->c->config.ndim > 0, MPNO_E_UNSUPPORTED,
               "a case without a model is not run here");
    MPNO_CHECK(r->ctx, x != NULL && x->ndim == 2 + r->c->config.ndim, MPNO_E_FORMAT,
               "the case has no input x of %d axes", 2 + r->c->config.ndim);
    r->batch = x->shape[0];
    for (int d = 0; d < r->c->config.ndim; d++) r->grid[d] = x->shape[2 + d];
    const bool training = find(r, "param0", "lifting.fcs.0.weight") != NULL;
    MPNO_TRY(mpno_model_create(r->ctx, &r->c->config, r->arithmetic, 0, &r->model));
    MPNO_TRY(set_params(r, training ? "param0" : "param"));
    set_embedding(r);
    void *x_data = calloc(x->n, sizeof(double)),
         *y_data = calloc(target != NULL ? target->n : 1, sizeof(double));
    to_channels_last(r, x, x_data);
    if (target != NULL) to_channels_last(r, target, y_data);
    mpno_status status = run_forward(r, x_data);
    if (status == MPNO_OK && training) status = run_training(r, x_data, y_data);
    if (status == MPNO_OK && target != NULL)
        status = run_gradients(r, "grad_l2", MPNO_LOSS_L2, x_data, y_data);
    if (status == MPNO_OK && target != NULL)
        status = run_gradients(r, "grad_h1", MPNO_LOSS_H1, x_data, y_data);
    free(x_data);
    free(y_data);
    return status;
}

static bool run_file(mpno_ctx *ctx, const char *path, bool force_f64) {
    golden_case c;
    runner r = {.ctx = ctx, .c = &c};
    mpno_status status = golden_read(ctx, path, &c);
    if (status == MPNO_OK) {
        r.arithmetic = c.is_f64 || force_f64 ? MPNO_F64 : MPNO_F32;
        status = run_case(&r);
    }
    const double for_output = c.is_f64 ? 1e-11 : r.arithmetic == MPNO_F64 ? 2e-5 : 5e-5;
    const double for_gradient = c.is_f64 ? 1e-11 : 3e-4;
    const bool pass = status == MPNO_OK && r.output_error <= for_output &&
                      r.gradient_error <= for_gradient && r.loss_error <= for_output;
    if (status == MPNO_OK)
        printf("%s %-28s %s  output %.1e  gradients %.1e%s%s%s  loss %.1e\n",
               pass ? "pass" : "FAIL", c.name, r.arithmetic == MPNO_F64 ? "f64" : "f32",
               r.output_error, r.gradient_error, r.worst[0] ? " (" : "", r.worst,
               r.worst[0] ? ")" : "", r.loss_error);
    else
        printf("FAIL %-28s %s: %s\n", c.name, mpno_status_text(status), mpno_ctx_error(ctx));
    mpno_model_destroy(&r.model);
    free(r.embedding);
    golden_free(ctx, &c);
    return pass;
}

int main(int argc, char **argv) {
    bool force_f64 = false;
    int n = 0, passed = 0;
    mpno_ctx *ctx;
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    opts.isa = getenv("MPNO_ISA");
    if (mpno_ctx_create(&opts, &ctx) != MPNO_OK) return 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--f64") == 0)
            force_f64 = true;
        else
            n++, passed += run_file(ctx, argv[i], force_f64);
    }
    mpno_ctx_destroy(&ctx);
    if (n == 0) fprintf(stderr, "usage: golden [--f64] FILE.txt...\n");
    printf("%d tests, %d passed, %d failed\n", n, passed, n - passed);
    return n > 0 && passed == n ? 0 : 1;
}
