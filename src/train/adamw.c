/* SPDX-License-Identifier: MIT
 * AdamW on a model's master weights: state, scalars of a step, threads. The loop itself is
 * kernel/tmpl/adamw.h. Weights are cut into chunks of fixed size, so that threads only decide who
 * computes what. */
#include "mpno/optimizer.h"

#include <math.h>
#include <stddef.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/adamw_kernels.h"
#include "model/model.h"
#include "model/network.h"

enum { CHUNK = 16384, ALIGN_COUNT = 64 }; /* numbers */

/* Numbers first .. first + count - 1 of a parameter. */
typedef struct chunk {
    int param;
    size_t first, count;
} chunk;

struct mpno_adamw {
    mpno_model *model; /* borrowed */
    mpno_adamw_opts opts;
    int64_t steps;
    size_t *offset;   /* of a parameter's moments, in numbers */
    size_t total;     /* numbers of one moment */
    void *moments[2]; /* owned, of the arithmetic format, in the layout of the weights */
    chunk *chunks;
    int64_t n_chunks;
};

/* What the tasks of one step share. */
typedef struct step {
    mpno_adamw *adamw;
    mpno_network *network;
    const mpno_adamw_kernels *kernels;
    mpno_adamw_scalars scalars;
} step;

static void *at(void *data, mpno_format format, size_t index) {
    return (char *)data + index * mpno_format_bytes(format);
}

static bool by_modulus(const mpno_adamw *adamw, const mpno_raw_param *raw) {
    return raw->is_complex && adamw->opts.convention == MPNO_ADAMW_NEURALOP;
}

/* Chunks of complex weights are whole [2][plane] blocks where one v serves both planes. */
static size_t chunk_size(const mpno_adamw *adamw, const mpno_raw_param *raw) {
    if (!by_modulus(adamw, raw)) return CHUNK;
    const size_t block = 2 * (size_t)raw->plane;
    return block >= CHUNK ? block : CHUNK / block * block;
}

static mpno_status make_chunks(mpno_adamw *adamw) {
    const mpno_model *model = adamw->model;
    const int n = mpno_model_n_params(model);
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        int64_t count = 0;
        for (int p = 0; p < n; p++) {
            const mpno_raw_param raw = mpno_model_raw(model, p);
            const size_t size = chunk_size(adamw, &raw);
            for (size_t first = 0; first < raw.count; first += size, count++) {
                if (pass == 0) continue;
                const size_t left = raw.count - first;
                adamw->chunks[count] = (chunk){p, first, left < size ? left : size};
            }
        }
        adamw->n_chunks = count;
        if (pass == 0) {
            MPNO_TRY(
                mpno_alloc_array(model->ctx, (size_t)count, sizeof *adamw->chunks, &adamw->chunks));
        }
    }
    return MPNO_OK;
}

static mpno_status make_moments(mpno_adamw *adamw) {
    const mpno_model *model = adamw->model;
    const int n = mpno_model_n_params(model);
    MPNO_TRY(mpno_alloc_array(model->ctx, (size_t)n, sizeof *adamw->offset, &adamw->offset));
    for (int p = 0; p < n; p++) {
        const size_t count = mpno_model_raw(model, p).count;
        adamw->offset[p] = adamw->total;
        adamw->total += (count + ALIGN_COUNT - 1) / ALIGN_COUNT * ALIGN_COUNT;
    }
    for (int k = 0; k < 2; k++) {
        MPNO_TRY(mpno_alloc_array(model->ctx, adamw->total, mpno_format_bytes(model->arithmetic),
                                  &adamw->moments[k]));
    }
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_adamw_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_adamw_opts.size is %zu, expected %zu: start from MPNO_ADAMW_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx, opts->convention == MPNO_ADAMW_TORCH || opts->convention == MPNO_ADAMW_NEURALOP,
               MPNO_E_ARGUMENT, "AdamW's convention is %d, expected torch or neuralop",
               (int)opts->convention);
    MPNO_CHECK(ctx, opts->beta1 >= 0 && opts->beta1 < 1 && opts->beta2 >= 0 && opts->beta2 < 1,
               MPNO_E_ARGUMENT, "AdamW's betas are %g and %g, expected values in [0, 1)",
               opts->beta1, opts->beta2);
    MPNO_CHECK(ctx, opts->eps > 0 && opts->weight_decay >= 0, MPNO_E_ARGUMENT,
               "AdamW's eps is %g and weight decay %g, expected eps > 0 and decay >= 0", opts->eps,
               opts->weight_decay);
    return MPNO_OK;
}

mpno_status mpno_adamw_create(mpno_model *model, const mpno_adamw_opts *opts, mpno_adamw **out) {
    const mpno_adamw_opts defaults = MPNO_ADAMW_OPTS_INIT;
    mpno_ctx *ctx = model->ctx;
    mpno_adamw *adamw = NULL;
    *out = NULL;
    if (!opts) opts = &defaults;
    MPNO_TRY(check_opts(ctx, opts));
    MPNO_TRY(mpno_alloc(ctx, sizeof *adamw, &adamw));
    adamw->model = model;
    adamw->opts = *opts;
    mpno_status status = make_moments(adamw);
    if (status == MPNO_OK) status = make_chunks(adamw);
    if (status != MPNO_OK) {
        mpno_adamw_destroy(&adamw);
        return status;
    }
    *out = adamw;
    return MPNO_OK;
}

void mpno_adamw_destroy(mpno_adamw **adamw) {
    if (!adamw || !*adamw) return;
    mpno_ctx *ctx = (*adamw)->model->ctx;
    for (int k = 0; k < 2; k++) mpno_free(ctx, (*adamw)->moments[k]);
    mpno_free(ctx, (*adamw)->offset);
    mpno_free(ctx, (*adamw)->chunks);
    mpno_free(ctx, *adamw);
    *adamw = NULL;
}

static void update_chunk(void *argument, int64_t task, int thread) {
    const step *s = argument;
    const mpno_adamw *adamw = s->adamw;
    const chunk *c = &adamw->chunks[task];
    const mpno_format format = adamw->model->arithmetic;
    const mpno_raw_param raw = mpno_model_raw(adamw->model, c->param);
    const size_t moment = adamw->offset[c->param] + c->first;
    void *p = at(raw.data, format, c->first);
    void *m = at(adamw->moments[0], format, moment), *v = at(adamw->moments[1], format, moment);
    const void *g = at(mpno_network_raw_gradient(s->network, c->param), format, c->first);
    (void)thread;
    if (by_modulus(adamw, &raw)) {
        const int64_t blocks = (int64_t)c->count / (2 * raw.plane);
        s->kernels->update_modulus(p, m, v, g, blocks, raw.plane, &s->scalars);
    } else {
        s->kernels->update(p, m, v, g, (int64_t)c->count, &s->scalars);
    }
}

static mpno_adamw_scalars scalars_of(const mpno_adamw *adamw, double rate, double loss_scale) {
    const mpno_adamw_opts *o = &adamw->opts;
    const double t = (double)adamw->steps;
    const double correction1 = 1 - pow(o->beta1, t), correction2 = 1 - pow(o->beta2, t);
    const double decay = 1 - rate * o->weight_decay;
    const bool torch = o->convention == MPNO_ADAMW_TORCH;
    return (mpno_adamw_scalars){
        .unscale = 1 / loss_scale,
        .before = torch ? decay : 1,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .step = torch ? rate / correction1 : rate * sqrt(correction2) / correction1,
        .root = torch ? 1 / sqrt(correction2) : 1,
        .eps = o->eps,
        .after = torch ? 1 : decay};
}

void mpno_adamw_step(mpno_adamw *adamw, mpno_network *network, double learning_rate,
                     double loss_scale) {
    const mpno_ctx *ctx = adamw->model->ctx;
    adamw->steps++;
    step s = {.adamw = adamw,
              .network = network,
              .kernels = mpno_adamw_kernels_get(ctx->isa, adamw->model->arithmetic),
              .scalars = scalars_of(adamw, learning_rate, loss_scale)};
    mpno_parallel(ctx->n_threads, adamw->n_chunks, update_chunk, &s);
    mpno_network_refresh_weights(network);
}

int64_t mpno_adamw_steps(const mpno_adamw *adamw) {
    return adamw->steps;
}

void mpno_adamw_set_steps(mpno_adamw *adamw, int64_t steps) {
    adamw->steps = steps;
}

size_t mpno_adamw_bytes(const mpno_adamw *adamw) {
    return 2 * adamw->total * mpno_format_bytes(adamw->model->arithmetic);
}

void mpno_adamw_get_moment(const mpno_adamw *adamw, int moment, int param, double *values) {
    const mpno_format format = adamw->model->arithmetic;
    mpno_param_export(&adamw->model->params[param], format,
                      at(adamw->moments[moment], format, adamw->offset[param]), values);
}

void mpno_adamw_set_moment(mpno_adamw *adamw, int moment, int param, const double *values) {
    const mpno_format format = adamw->model->arithmetic;
    mpno_param_import(&adamw->model->params[param], format,
                      at(adamw->moments[moment], format, adamw->offset[param]), values);
}
