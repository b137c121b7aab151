/* SPDX-License-Identifier: MIT
 * How many samples of a batch run at once where that is left to mpno (MPNO_MICRO_BATCH_AUTO). A
 * batch in parts needs less memory, and a field of few samples may stay in a cache; each part reads
 * the weights anew and, in training, reads, reads again and writes their gradients. Parts are taken
 * as small as this costs little beside their operations. */
#ifndef MPNO_MODEL_PARTS_H
#define MPNO_MODEL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mpno_parts_question {
    int64_t batch;
    double useful_flops; /* of the batch */
    size_t weight_bytes;
    bool training;
    int n_threads;
    size_t cache_bytes; /* of the second cache of a core; 0: not known */
} mpno_parts_question;

/* Samples of a part, 1 .. batch: the batch halved, and halved again. */
int64_t mpno_parts_samples(const mpno_parts_question *question);

#endif
