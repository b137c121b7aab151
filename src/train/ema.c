/* SPDX-License-Identifier: MIT
 * Averages of weights: see ema.h. */
#include "train/ema.h"

#include <stddef.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/update_kernels.h"
#include "model/model.h"

struct mpno_ema {
    mpno_model *model; /* borrowed */
    double decay;
    bool first;    /* the next update copies */
    void **values; /* owned, as are the arrays: per parameter, in the layout of the weights */
};

static size_t bytes_of(const mpno_ema *ema, int param) {
    return mpno_model_raw(ema->model, param).count * mpno_format_bytes(ema->model->arithmetic);
}

static mpno_status make_values(mpno_ema *ema) {
    mpno_ctx *ctx = ema->model->ctx;
    const int n = mpno_model_n_params(ema->model);
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, sizeof *ema->values, &ema->values));
    for (int p = 0; p < n; p++) {
        MPNO_TRY(mpno_alloc(ctx, bytes_of(ema, p), &ema->values[p]));
        memcpy(ema->values[p], mpno_model_raw(ema->model, p).data, bytes_of(ema, p));
    }
    return MPNO_OK;
}

mpno_status mpno_ema_create(mpno_model *model, double decay, mpno_ema **out) {
    mpno_ema *ema = NULL;
    *out = NULL;
    MPNO_CHECK(model->ctx, decay > 0 && decay < 1, MPNO_E_ARGUMENT,
               "the decay of averaged weights is %g, expected a value in (0, 1)", decay);
    MPNO_TRY(mpno_alloc(model->ctx, sizeof *ema, &ema));
    ema->model = model;
    ema->decay = decay;
    mpno_status status = make_values(ema);
    if (status != MPNO_OK) {
        mpno_ema_destroy(&ema);
        return status;
    }
    *out = ema;
    return MPNO_OK;
}

void mpno_ema_destroy(mpno_ema **ema) {
    if (!ema || !*ema) return;
    mpno_ctx *ctx = (*ema)->model->ctx;
    const int n = (*ema)->values ? mpno_model_n_params((*ema)->model) : 0;
    for (int p = 0; p < n; p++) mpno_free(ctx, (*ema)->values[p]);
    mpno_free(ctx, (*ema)->values);
    mpno_free(ctx, *ema);
    *ema = NULL;
}

static void update_param(void *argument, int64_t task, int thread) {
    const mpno_ema *ema = argument;
    const mpno_raw_param raw = mpno_model_raw(ema->model, (int)task);
    (void)thread;
    /* Running statistics are averages already: they are copied, as torch's AveragedModel does. */
    if (ema->first || ema->model->params[task].kind != MPNO_PARAM_WEIGHT) {
        memcpy(ema->values[task], raw.data, bytes_of(ema, (int)task));
    } else {
        mpno_update_kernels_get(ema->model->ctx->isa, ema->model->arithmetic)
            ->average(ema->values[task], raw.data, (int64_t)raw.count, 1 - ema->decay);
    }
}

void mpno_ema_update(mpno_ema *ema, int64_t steps) {
    ema->first = steps == 1;
    mpno_parallel(ema->model->ctx->n_threads, mpno_model_n_params(ema->model), update_param, ema);
}

static void swap_bytes(char *a, char *b, size_t n) {
    char piece[4096];
    for (size_t i = 0; i < n; i += sizeof piece) {
        const size_t part = n - i < sizeof piece ? n - i : sizeof piece;
        memcpy(piece, a + i, part);
        memcpy(a + i, b + i, part);
        memcpy(b + i, piece, part);
    }
}

void mpno_ema_swap(mpno_ema *ema) {
    for (int p = 0; p < mpno_model_n_params(ema->model); p++) {
        swap_bytes(mpno_model_raw(ema->model, p).data, ema->values[p], bytes_of(ema, p));
    }
}

void mpno_ema_get(const mpno_ema *ema, int param, double *values) {
    mpno_param_export(&ema->model->params[param], ema->model->arithmetic, ema->values[param],
                      values);
}

void mpno_ema_set(mpno_ema *ema, int param, const double *values) {
    mpno_param_import(&ema->model->params[param], ema->model->arithmetic, ema->values[param],
                      values);
}
