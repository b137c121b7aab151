/* SPDX-License-Identifier: MIT
 * Projection of weights onto budgets of spectral norms, see lipschitz.h. */
#include "train/lipschitz.h"

#include <math.h>
#include <string.h>

#include "certify/spectral_norm.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"

enum { STEPS = 5 }; /* 1.027 for 32 x 32 */

struct mpno_lipschitz {
    mpno_ctx *ctx;
    mpno_model *model;
    double spectral, linear; /* INFINITY: none */
    int64_t every;
    int n_threads;
    double *scratch; /* owned: [threads][room] */
    size_t room;
    bool *changed; /* owned: [threads] */
};

/* -------- what a budget is of -------- */

static bool is_gate(const mpno_param *p) {
    return p->weight.role == MPNO_ROLE_WEIGHT_VECTOR && strstr(p->name, "_skips.") != NULL;
}

/* Of each matrix of the parameter; the offsets of a convolution share one. */
static double budget_of(const mpno_param *p, double spectral, double linear) {
    const bool matrix = p->weight.role == MPNO_ROLE_WEIGHT_LINEAR && p->ndim > 1;
    if (p->kind != MPNO_PARAM_WEIGHT) return INFINITY;
    if (p->weight.role == MPNO_ROLE_WEIGHT_SPECTRAL) return spectral;
    if (matrix) return linear / (double)p->weight.blocks;
    return is_gate(p) ? linear : INFINITY;
}

static double given(double budget) {
    return isnan(budget) ? INFINITY : budget;
}

/* Doubles of scratch of a thread. */
static size_t room_of(const mpno_model *model, double spectral, double linear) {
    size_t most = 0;
    for (int i = 0; i < model->n_params; i++) {
        const mpno_param *p = &model->params[i];
        if (!(budget_of(p, spectral, linear) < INFINITY) || is_gate(p)) continue;
        const mpno_matrices m = mpno_param_matrices(model, i);
        const size_t bytes = mpno_aligned(mpno_spectral_norms_scratch(&m, 1));
        most = bytes > most ? bytes : most;
    }
    return most / sizeof(double);
}

static bool is_set(const mpno_settings *s) {
    return !isnan(s->regularizer.lipschitz_spectral) || !isnan(s->regularizer.lipschitz_linear);
}

size_t mpno_lipschitz_need(const mpno_model *model, const mpno_settings *s, int n_threads) {
    const double spectral = given(s->regularizer.lipschitz_spectral),
                 linear = given(s->regularizer.lipschitz_linear);
    return is_set(s) ? (size_t)n_threads * room_of(model, spectral, linear) * sizeof(double) : 0;
}

mpno_status mpno_lipschitz_create(mpno_model *model, const mpno_settings *s, mpno_lipschitz **out) {
    mpno_lipschitz *l;
    *out = NULL;
    if (!is_set(s)) return MPNO_OK;
    MPNO_TRY(mpno_alloc(model->ctx, sizeof *l, &l));
    *l = (mpno_lipschitz){.ctx = model->ctx,
                          .model = model,
                          .spectral = given(s->regularizer.lipschitz_spectral),
                          .linear = given(s->regularizer.lipschitz_linear),
                          .every = s->regularizer.lipschitz_every,
                          .n_threads = model->ctx->n_threads};
    l->room = room_of(model, l->spectral, l->linear);
    const size_t threads = (size_t)l->n_threads;
    mpno_status status =
        mpno_alloc_array(l->ctx, threads * l->room, sizeof *l->scratch, &l->scratch);
    if (status == MPNO_OK)
        status = mpno_alloc_array(l->ctx, threads, sizeof *l->changed, &l->changed);
    if (status != MPNO_OK) mpno_lipschitz_destroy(&l);
    *out = l;
    return status;
}

void mpno_lipschitz_destroy(mpno_lipschitz **lipschitz) {
    if (lipschitz == NULL || *lipschitz == NULL) return;
    mpno_lipschitz *l = *lipschitz;
    mpno_free(l->ctx, l->scratch);
    mpno_free(l->ctx, l->changed);
    mpno_free(l->ctx, l);
    *lipschitz = NULL;
}

mpno_status mpno_lipschitz_check(mpno_ctx *ctx, const mpno_settings *s) {
    const bool dense = s->model.factorization == MPNO_FACTORIZATION_DENSE && !s->model.separable;
    MPNO_CHECK(
        ctx, isnan(s->regularizer.lipschitz_spectral) || dense, MPNO_E_CONFIG,
        "regularizer.lipschitz_spectral scales the matrices of dense spectral weights, which "
        "this model has not: leave it out, or give model.factorization=dense and "
        "model.separable=false");
    MPNO_CHECK(ctx, !is_set(s) || isnan(s->opt.ema_decay) || s->regularizer.lipschitz_every == 1,
               MPNO_E_CONFIG,
               "opt.ema_decay averages the weights of every step, which are within the budget at "
               "every %lld-th only: give regularizer.lipschitz_every=1",
               (long long)s->regularizer.lipschitz_every);
    return MPNO_OK;
}

/* -------- projection -------- */

typedef struct job {
    mpno_lipschitz *l;
    mpno_matrices all;
    double budget;
} job;

/* Rounding products moves a matrix of N columns by sqrt(N) u of its norm at most, which the factor
 * leaves room for (L8). */
static void scale(const mpno_matrices *m, void *data, double factor) {
    const int64_t side = m->rows < m->cols ? m->rows : m->cols,
                  n = m->rows * m->cols * (m->is_complex ? 2 : 1);
    factor *= 1 - 2 * mpno_format_unit(m->format) * (2 + sqrt((double)side));
    for (int64_t i = 0; i < n; i++) {
        if (m->format == MPNO_F64)
            ((double *)data)[i] *= factor;
        else
            ((float *)data)[i] = (float)(factor * ((float *)data)[i]);
    }
}

static void project_block(void *argument, int64_t block, int thread) {
    const job *j = argument;
    mpno_lipschitz *l = j->l;
    mpno_matrices one = j->all;
    const int64_t n = one.rows * one.cols * (one.is_complex ? 2 : 1);
    char *data = (char *)(uintptr_t)one.data + (size_t)(block * n) * mpno_format_bytes(one.format);
    double sum = 0, bound;
    one.data = data, one.blocks = 1;
    for (int64_t i = 0; i < n; i++)
        sum += mpno_real_at(one.format, data, i) * mpno_real_at(one.format, data, i);
    if (sqrt(sum) * (1 + 1e-9) <= j->budget) return; /* the Frobenius norm is none the less */
    mpno_spectral_norms_into(&one, STEPS, 1, l->scratch + (size_t)thread * l->room, &bound);
    if (!(bound > j->budget) || !isfinite(bound)) return;
    scale(&one, data, j->budget / bound);
    l->changed[thread] = true;
}

static bool clamp(const mpno_matrices *m, void *data, double most) {
    bool changed = false;
    for (int64_t i = 0; i < m->cols; i++) {
        if (fabs(mpno_real_at(m->format, m->data, i)) <= most) continue;
        changed = true;
        if (m->format == MPNO_F64)
            ((double *)data)[i] = copysign(most, mpno_real_at(m->format, m->data, i));
        else /* toward zero: the budget need not be a float */
            ((float *)data)[i] = copysignf((float)(most * (1 - 0x1p-23)), ((float *)data)[i]);
    }
    return changed;
}

bool mpno_lipschitz_project(mpno_lipschitz *l) {
    bool changed = false;
    if (l == NULL) return false;
    for (int t = 0; t < l->n_threads; t++) l->changed[t] = false;
    for (int i = 0; i < l->model->n_params; i++) {
        const mpno_param *p = &l->model->params[i];
        job j = {l, mpno_param_matrices(l->model, i), budget_of(p, l->spectral, l->linear)};
        if (!(j.budget < INFINITY)) continue;
        if (is_gate(p))
            changed = clamp(&j.all, p->data, j.budget) || changed;
        else
            mpno_parallel(l->n_threads, j.all.blocks, project_block, &j);
    }
    for (int t = 0; t < l->n_threads; t++) changed = changed || l->changed[t];
    return changed;
}

bool mpno_lipschitz_step(mpno_lipschitz *l, int64_t steps) {
    return l != NULL && steps % l->every == 0 && mpno_lipschitz_project(l);
}
