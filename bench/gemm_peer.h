/* SPDX-License-Identifier: MIT
 * Matrix products of `mpno-bench gemm`, and the libraries that compute them too where they were
 * found at build time. Each of them runs in as many calls as there are threads, one thread each, on
 * its part of the rows or modes: as our programs divide the work. */
#ifndef BENCH_GEMM_PEER_H
#define BENCH_GEMM_PEER_H

#include "core/context.h"
#include "mpno/format.h"

/* Row-major; T is f64 where that is the format, else f32, with values that bf16 holds where that is
 * the format.
 *   NN, NT  C[m][n] = A[m][k] B; B[k][n], NT: B[n][k]
 *   TN      C[k][n] += A[m][k]' B[m][n]; C [threads][k][n], a sum over the rows of each thread
 *   MODES   for each mode, complex: C[m][n] = A[m][k] B[k][n]; A [modes][m][2][k], B
 * [modes][2][k][n], C [modes][m][2][n], the real plane first MODES_TN  for each mode, complex:
 * C[k][n] = conj(A[m][k])' B[m][n]; A [modes][m][2][k], B [modes][m][2][n], C [modes][2][k][n] */
typedef enum gemm_layout { GEMM_NN, GEMM_NT, GEMM_TN, GEMM_MODES, GEMM_MODES_TN } gemm_layout;

typedef struct gemm_problem {
    gemm_layout layout;
    mpno_format format;
    int64_t m, n, k, modes; /* modes: 1 where there are none */
    int threads;
    const void *a, *b; /* borrowed */
} gemm_problem;

/* First row or mode of thread t's part, t <= threads. */
static inline int64_t gemm_part(const gemm_problem *p, int t) {
    return (p->layout >= GEMM_MODES ? p->modes : p->m) * t / p->threads;
}
/* Numbers of A, B and C. */
int64_t gemm_count_a(const gemm_problem *p);
int64_t gemm_count_b(const gemm_problem *p);
int64_t gemm_count_c(const gemm_problem *p);

/* create: *out is NULL where the library was not found, or has no such product. result: C in T. */
typedef struct gemm_blas gemm_blas;
MPNO_WARN_UNUSED mpno_status gemm_blas_create(mpno_ctx *ctx, const gemm_problem *problem,
                                              gemm_blas **out);
void gemm_blas_destroy(mpno_ctx *ctx, gemm_blas **blas);
void gemm_blas_run(void *blas);
void gemm_blas_result(const gemm_blas *blas, void *c);

typedef struct gemm_dnnl gemm_dnnl;
MPNO_WARN_UNUSED mpno_status gemm_dnnl_create(mpno_ctx *ctx, const gemm_problem *problem,
                                              gemm_dnnl **out);
void gemm_dnnl_destroy(mpno_ctx *ctx, gemm_dnnl **dnnl);
void gemm_dnnl_run(void *dnnl);
void gemm_dnnl_result(const gemm_dnnl *dnnl, void *c);

#endif
