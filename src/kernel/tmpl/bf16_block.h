/* SPDX-License-Identifier: MIT
 * The block of a bf16 product, see bf16_pairs.h: C[16 rows][16 cols] = A B (+ start) for rows in
 * {1, 2} strips of A and `cols` strips of B; of the last of these `last` columns. */
#ifndef MPNO_KERNEL_TMPL_BF16_BLOCK_H
#define MPNO_KERNEL_TMPL_BF16_BLOCK_H

#include <stdint.h>

typedef struct bf16_block {
    const uint16_t *a;
    int64_t a_strip; /* elements between the strips */
    int64_t cols;    /* strips of B */
    int64_t last;    /* columns of the last one, 1 to 16; less than 16 where TAKES_PART */
    const uint16_t *b;
    int64_t b_strip;
    int64_t depth; /* tiles of each strip */
    int64_t pairs; /* of terms that are not padding */
    float *c;
    int64_t ldc;
    const float *start; /* what the sums begin with, a row (ld_start 0) or C itself; NULL: 0 */
    int64_t ld_start;
} bf16_block;

#endif
