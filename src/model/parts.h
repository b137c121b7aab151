/* SPDX-License-Identifier: MIT
 * What is left to mpno of how a batch runs: how many samples at once (MPNO_MICRO_BATCH_AUTO), and
 * whether products are kept for the backward pass (MPNO_RECOMPUTE_AUTO). A
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
    bool narrow;    /* weights are stored so, and widened for each part */
    int64_t pieces; /* of a sample that threads can take at once */
    int n_threads;
    size_t second_cache; /* bytes of that of a core, 0: not known */
    size_t third_cache;  /* mpno_third_cache_share() */
} mpno_parts_question;

/* Samples of a part, 1 .. batch: the batch halved, and halved again. */
int64_t mpno_parts_samples(const mpno_parts_question *question);
/* Bytes of the third cache that a network may count on, 0: not known. What it keeps for the
 * backward pass pays where all of it stays there. */
size_t mpno_third_cache_share(void);

#endif
