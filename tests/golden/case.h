/* SPDX-License-Identifier: MIT
 * One reference case in memory: NAME.txt (index) over NAME.bin (raw little-endian numbers). */
#ifndef TESTS_GOLDEN_CASE_H
#define TESTS_GOLDEN_CASE_H

#include "core/context.h"
#include "mpno/model.h"

typedef struct golden_tensor {
    char kind[16], name[80]; /* "param", "fno_blocks.convs.0.bias" */
    int ndim;
    int64_t shape[8];
    double *values; /* owned; complex: re, im pairs */
    size_t n;       /* numbers */
} golden_tensor;

typedef struct golden_case {
    char name[64];
    mpno_fno_config config;
    int64_t output_grid[MPNO_MAX_AXES];
    bool training; /* batch norm used the statistics of the batch */
    bool is_f64;   /* the outputs are stored in f64 */
    golden_tensor *tensors;
    size_t n;
    struct {
        char name[32];
        double value;
    } scalars[16];
    int n_scalars;
    double learning_rate, weight_decay, eps; /* of a training case */
} golden_case;

/* An option of the constructor that mpno does not have is E_UNSUPPORTED and named. */
MPNO_WARN_UNUSED mpno_status golden_read(mpno_ctx *ctx, const char *path, golden_case *out);
void golden_free(mpno_ctx *ctx, golden_case *c);
const double *golden_scalar(const golden_case *c, const char *name); /* NULL: none */

#endif
