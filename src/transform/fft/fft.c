/* SPDX-License-Identifier: MIT
 * Plans of fft.h: checks, choice of a method per axis and direction, description. */
#include "transform/fft/fft.h"

#include <math.h>
#include <stdio.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/plan.h"

#define MAX_SIZE ((int64_t)1 << 28) /* of one dimension: table indices stay far from overflow */
#define MAX_POINTS ((int64_t)1 << 40)

static mpno_status check(mpno_ctx *ctx, const mpno_fft_problem *p) {
    MPNO_CHECK(ctx, p->ndim >= 1 && p->ndim <= MPNO_FFT_MAX_DIMS, MPNO_E_ARGUMENT,
               "fft: ndim is %d; give 1 to %d dimensions", p->ndim, MPNO_FFT_MAX_DIMS);
    MPNO_CHECK(ctx, p->kind == MPNO_FFT_REAL || p->kind == MPNO_FFT_COMPLEX, MPNO_E_ARGUMENT,
               "fft: kind is %d; give MPNO_FFT_REAL or MPNO_FFT_COMPLEX", (int)p->kind);
    MPNO_CHECK(ctx, mpno_fft_kernels_get(ctx->isa, p->arithmetic) != NULL, MPNO_E_ARGUMENT,
               "fft: arithmetic is format %d; give MPNO_F32, MPNO_F64, MPNO_F16 or MPNO_BF16",
               (int)p->arithmetic);
    int64_t points = 1;
    for (int d = 0; d < p->ndim; d++) {
        int64_t n = p->size[d], k = p->keep[d];
        bool half = p->kind == MPNO_FFT_REAL && d + 1 == p->ndim;
        MPNO_CHECK(ctx, n >= 1 && n <= MAX_SIZE, MPNO_E_SHAPE,
                   "fft: size[%d] is %lld; a size is 1 to %lld", d, (long long)n,
                   (long long)MAX_SIZE);
        int64_t most = half ? n / 2 + 1 : n;
        MPNO_CHECK(ctx, k >= 1 && k <= most, MPNO_E_SHAPE,
                   "fft: keep[%d] is %lld; of size[%d] = %lld%s between 1 and %lld frequencies can "
                   "be kept",
                   d, (long long)k, d, (long long)n, half ? " (last dimension of real data)" : "",
                   (long long)most);
        MPNO_CHECK(ctx, n <= MAX_POINTS / points, MPNO_E_SHAPE,
                   "fft: more than 2^40 points; give a smaller grid");
        points *= n;
    }
    return MPNO_OK;
}

static mpno_status plan_axes(mpno_ctx *ctx, mpno_fft *fft) {
    const mpno_fft_problem *p = &fft->problem;
    for (int d = 0; d < p->ndim; d++) {
        int64_t n = p->size[d], k = p->keep[d];
        if (mpno_fft_is_last_real(fft, d)) {
            MPNO_TRY(mpno_real_line_create(ctx, p->arithmetic, n, k, false, p->accurate,
                                           &fft->real_forward));
            MPNO_TRY(mpno_real_line_create(ctx, p->arithmetic, n, k, true, p->accurate,
                                           &fft->real_inverse));
        } else {
            MPNO_TRY(mpno_line_create(ctx, p->arithmetic, n, -(k / 2), k, false, p->accurate,
                                      &fft->forward[d]));
            MPNO_TRY(mpno_line_create(ctx, p->arithmetic, n, -(k / 2), k, true, p->accurate,
                                      &fft->inverse[d]));
        }
    }
    return MPNO_OK;
}

static void count_flops(mpno_fft *fft) {
    const mpno_fft_problem *p = &fft->problem;
    double before = 1;
    for (int d = 0; d < p->ndim; d++) {
        double line =
            mpno_fft_is_last_real(fft, d) ? fft->real_forward.flops : fft->forward[d].flops;
        fft->flops += line * before * (double)fft->columns[d];
        before *= (double)p->size[d];
    }
}

mpno_status mpno_fft_create(mpno_ctx *ctx, const mpno_fft_problem *problem, mpno_fft **out) {
    *out = NULL;
    MPNO_TRY(check(ctx, problem));
    mpno_fft *fft = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *fft, &fft));
    fft->problem = *problem;
    fft->kernels = mpno_fft_kernels_get(ctx->isa, problem->arithmetic);
    fft->modes = fft->points = 1;
    for (int d = problem->ndim - 1; d >= 0; d--) {
        fft->columns[d] = fft->modes;
        fft->modes *= problem->keep[d];
        fft->points *= problem->size[d];
    }
    mpno_status status = plan_axes(ctx, fft);
    if (status != MPNO_OK) {
        mpno_fft_destroy(ctx, &fft);
        return status;
    }
    count_flops(fft);
    *out = fft;
    return MPNO_OK;
}

void mpno_fft_destroy(mpno_ctx *ctx, mpno_fft **fft) {
    if (!fft || !*fft) return;
    for (int d = 0; d < MPNO_FFT_MAX_DIMS; d++) {
        mpno_line_destroy(ctx, &(*fft)->forward[d]);
        mpno_line_destroy(ctx, &(*fft)->inverse[d]);
    }
    mpno_real_line_destroy(ctx, &(*fft)->real_forward);
    mpno_real_line_destroy(ctx, &(*fft)->real_inverse);
    mpno_free(ctx, *fft);
    *fft = NULL;
}

const mpno_fft_problem *mpno_fft_get_problem(const mpno_fft *fft) {
    return &fft->problem;
}

int64_t mpno_fft_square(const mpno_fft *fft, int64_t m) {
    int64_t square = 0;
    for (int d = fft->problem.ndim - 1; d >= 0; m /= fft->problem.keep[d], d--) {
        const int64_t keep = fft->problem.keep[d],
                      k = m % keep - (mpno_fft_is_last_real(fft, d) ? 0 : keep / 2);
        square += k * k;
    }
    return square;
}

int64_t mpno_fft_modes(const mpno_fft *fft) {
    return fft->modes;
}
int64_t mpno_fft_points(const mpno_fft *fft) {
    return fft->points;
}
int64_t mpno_fft_lines(const mpno_fft *fft) {
    return fft->points / fft->problem.size[fft->problem.ndim - 1];
}
int64_t mpno_fft_columns(const mpno_fft *fft) {
    return mpno_fft_lines(fft) * fft->problem.keep[fft->problem.ndim - 1];
}
double mpno_fft_flops(const mpno_fft *fft) {
    return fft->flops;
}

double mpno_fft_growth(const mpno_fft *fft, bool inverse) {
    double growth = 0;
    for (int d = 0; d < fft->problem.ndim; d++) {
        if (mpno_fft_is_last_real(fft, d)) {
            growth += mpno_real_line_growth(inverse ? &fft->real_inverse : &fft->real_forward);
        } else {
            growth += mpno_line_growth(inverse ? &fft->inverse[d] : &fft->forward[d]);
        }
    }
    /* (1 + growth u) of the axes before: less than 1 % while growth < 80000 in f32 */
    return 1.01 * growth;
}

void mpno_fft_describe(const mpno_fft *fft, char *text, size_t n) {
    const mpno_fft_problem *p = &fft->problem;
    char line[1024];
    size_t used = 0;
    used += (size_t)snprintf(line, sizeof line, "%s %s", p->kind == MPNO_FFT_REAL ? "rfft" : "fft",
                             mpno_format_get(p->arithmetic)->name);
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%c%lld", d ? 'x' : ' ',
                                 (long long)p->size[d]);
    }
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%lld", d ? "x" : " keep ",
                                 (long long)p->keep[d]);
    }
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        char there[160], back[160];
        if (mpno_fft_is_last_real(fft, d)) {
            mpno_real_line_name(&fft->real_forward, there, sizeof there);
            mpno_real_line_name(&fft->real_inverse, back, sizeof back);
        } else {
            mpno_line_name(&fft->forward[d], there, sizeof there);
            mpno_line_name(&fft->inverse[d], back, sizeof back);
        }
        used += (size_t)snprintf(line + used, sizeof line - used, " (%lld: %s, back %s)",
                                 (long long)p->size[d], there, back);
    }
    if (n > 0) snprintf(text, n, "%s", line);
}
