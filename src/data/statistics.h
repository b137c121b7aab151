/* SPDX-License-Identifier: MIT
 * Sum, least, greatest, mean and deviation of a tensor's values, read in slabs, so that a file may
 * be larger than memory. NaNs and infinities are counted and left out of everything else. */
#ifndef MPNO_DATA_STATISTICS_H
#define MPNO_DATA_STATISTICS_H

#include "data/tensors.h"

typedef struct mpno_statistics {
    int64_t count;      /* values; a complex number is one */
    int64_t nan, inf;   /* values that are not numbers, and infinities */
    int64_t first_bad;  /* place of the first of them in C order, -1: none */
    bool exact;         /* the sum is an integer, kept in `integer` */
    int64_t integer;    /* sum of integers and truths that fits */
    double sum, sum_im; /* of the finite values; error about 2^-52 of the sum of magnitudes */
    double min, max;    /* 0 when there is no finite value, or for complex numbers */
    double mean, std;   /* population's; of complex numbers: of the magnitude |z - mean| */
    double mean_im;
} mpno_statistics;

/* Of tensor `t` of a file that was listed as `list` with the reader that its extension says. */
MPNO_WARN_UNUSED mpno_status mpno_statistics_of(mpno_ctx *ctx, const char *path,
                                                const mpno_tensor_file *list,
                                                const mpno_named_tensor *t, mpno_statistics *out);

#endif
