/* SPDX-License-Identifier: MIT
 * OpenBLAS: cblas_?gemm on the rows of each thread; a mode at a time, complex numbers as pairs. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "gemm_peer.h"

#ifdef MPNO_BENCH_OPENBLAS
#include <cblas.h>

struct gemm_blas {
    gemm_problem p;
    const void *a, *b; /* the problem's, or of pairs */
    void *pairs_a, *pairs_b, *c;
};

static bool is_wide(const gemm_problem *p) {
    return p->format == MPNO_F64;
}

static const void *at(const gemm_problem *p, const void *data, int64_t i) {
    return (const char *)data + (size_t)i * (is_wide(p) ? sizeof(double) : sizeof(float));
}

/* [blocks][2][n] <-> [blocks][n] pairs */
static void turn(const gemm_problem *p, const void *from, void *to, int64_t blocks, int64_t n,
                 bool to_pairs) {
    const size_t element = is_wide(p) ? sizeof(double) : sizeof(float);
    for (int64_t i = 0; i < blocks * 2 * n; i++) {
        const int64_t pair = i / (2 * n) * 2 * n + i % n * 2 + i / n % 2;
        const int64_t source = to_pairs ? i : pair, target = to_pairs ? pair : i;
        memcpy((char *)to + (size_t)target * element, (const char *)from + (size_t)source * element,
               element);
    }
}

static void multiply_rows(const gemm_blas *s, int64_t first, int64_t rows) {
    const gemm_problem *p = &s->p;
    const CBLAS_TRANSPOSE of_b = p->layout == GEMM_NT ? CblasTrans : CblasNoTrans;
    const void *a = at(p, s->a, first * p->k);
    void *c = (void *)(uintptr_t)at(p, s->c, first * p->n);
    const blasint m = (blasint)rows, n = (blasint)p->n, k = (blasint)p->k;
    const blasint ldb = p->layout == GEMM_NT ? k : n;
    if (is_wide(p))
        cblas_dgemm(CblasRowMajor, CblasNoTrans, of_b, m, n, k, 1, a, k, s->b, ldb, 0, c, n);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, of_b, m, n, k, 1, a, k, s->b, ldb, 0, c, n);
}

static void add_rows(const gemm_blas *s, int thread, int64_t first, int64_t rows) {
    const gemm_problem *p = &s->p;
    const void *a = at(p, s->a, first * p->k), *b = at(p, s->b, first * p->n);
    void *c = (void *)(uintptr_t)at(p, s->c, thread * p->k * p->n);
    const blasint m = (blasint)rows, n = (blasint)p->n, k = (blasint)p->k;
    if (is_wide(p))
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, n, m, 1, a, k, b, n, 1, c, n);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, n, m, 1, a, k, b, n, 1, c, n);
}

static void multiply_mode(const gemm_blas *s, int64_t mode) {
    const gemm_problem *p = &s->p;
    const bool back = p->layout == GEMM_MODES_TN;
    const CBLAS_TRANSPOSE of_a = back ? CblasConjTrans : CblasNoTrans;
    const int64_t of = back ? p->m * p->n : p->k * p->n, to = back ? p->k * p->n : p->m * p->n;
    const void *a = at(p, s->a, 2 * mode * p->m * p->k), *b = at(p, s->b, 2 * mode * of);
    void *c = (void *)(uintptr_t)at(p, s->c, 2 * mode * to);
    const blasint rows = (blasint)(back ? p->k : p->m), n = (blasint)p->n;
    const blasint terms = (blasint)(back ? p->m : p->k), lda = (blasint)p->k;
    const double one[] = {1, 0}, zero[] = {0, 0};
    const float one_f[] = {1, 0}, zero_f[] = {0, 0};
    if (is_wide(p))
        cblas_zgemm(CblasRowMajor, of_a, CblasNoTrans, rows, n, terms, one, a, lda, b, n, zero, c,
                    n);
    else
        cblas_cgemm(CblasRowMajor, of_a, CblasNoTrans, rows, n, terms, one_f, a, lda, b, n, zero_f,
                    c, n);
}

static void run_part(void *argument, int64_t part, int thread) {
    const gemm_blas *s = argument;
    const int64_t first = gemm_part(&s->p, (int)part), last = gemm_part(&s->p, (int)part + 1);
    (void)thread;
    if (s->p.layout >= GEMM_MODES)
        for (int64_t mode = first; mode < last; mode++) multiply_mode(s, mode);
    else if (s->p.layout == GEMM_TN)
        add_rows(s, (int)part, first, last - first);
    else
        multiply_rows(s, first, last - first);
}

void gemm_blas_run(void *blas) {
    const gemm_blas *s = blas;
    mpno_parallel(s->p.threads, s->p.threads, run_part, blas);
}

void gemm_blas_result(const gemm_blas *s, void *c) {
    const gemm_problem *p = &s->p;
    const size_t element = is_wide(p) ? sizeof(double) : sizeof(float);
    if (p->layout == GEMM_MODES)
        turn(p, s->c, c, p->modes * p->m, p->n, false);
    else if (p->layout == GEMM_MODES_TN)
        turn(p, s->c, c, p->modes, p->k * p->n, false);
    else
        memcpy(c, s->c, (size_t)gemm_count_c(p) * element);
}

static mpno_status make_pairs(mpno_ctx *ctx, gemm_blas *s) {
    const gemm_problem *p = &s->p;
    const size_t element = is_wide(p) ? sizeof(double) : sizeof(float);
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)gemm_count_a(p), element, &s->pairs_a));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)gemm_count_b(p), element, &s->pairs_b));
    turn(p, p->a, s->pairs_a, p->modes * p->m, p->k, true);
    if (p->layout == GEMM_MODES)
        turn(p, p->b, s->pairs_b, p->modes, p->k * p->n, true);
    else
        turn(p, p->b, s->pairs_b, p->modes * p->m, p->n, true);
    s->a = s->pairs_a, s->b = s->pairs_b;
    return MPNO_OK;
}

mpno_status gemm_blas_create(mpno_ctx *ctx, const gemm_problem *problem, gemm_blas **out) {
    gemm_blas *s;
    *out = NULL;
    if (problem->format == MPNO_BF16) return MPNO_OK;
    openblas_set_num_threads(1);
    MPNO_TRY(mpno_alloc(ctx, sizeof *s, &s));
    s->p = *problem, s->a = problem->a, s->b = problem->b;
    mpno_status status = mpno_alloc_array(ctx, (size_t)gemm_count_c(problem),
                                          is_wide(problem) ? sizeof(double) : sizeof(float), &s->c);
    if (status == MPNO_OK && problem->layout >= GEMM_MODES) status = make_pairs(ctx, s);
    if (status != MPNO_OK) gemm_blas_destroy(ctx, &s);
    *out = s;
    return status;
}

void gemm_blas_destroy(mpno_ctx *ctx, gemm_blas **blas) {
    if (*blas == NULL) return;
    mpno_free(ctx, (*blas)->pairs_a);
    mpno_free(ctx, (*blas)->pairs_b);
    mpno_free(ctx, (*blas)->c);
    mpno_free(ctx, *blas);
    *blas = NULL;
}

#else

mpno_status gemm_blas_create(mpno_ctx *ctx, const gemm_problem *problem, gemm_blas **out) {
    (void)ctx, (void)problem;
    *out = NULL;
    return MPNO_OK;
}

void gemm_blas_destroy(mpno_ctx *ctx, gemm_blas **blas) {
    (void)ctx, (void)blas;
}

void gemm_blas_run(void *blas) {
    (void)blas;
}

void gemm_blas_result(const gemm_blas *blas, void *c) {
    (void)blas, (void)c;
}

#endif
