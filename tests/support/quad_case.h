/* SPDX-License-Identifier: MIT
 * Random small networks for comparisons with the oracle (quad_network.h): configuration, weights,
 * input and precision policy are functions of a seed. Functions assert rather than return a status.
 */
#ifndef TESTS_SUPPORT_QUAD_CASE_H
#define TESTS_SUPPORT_QUAD_CASE_H

#include "data/normalizer.h"
#include "mpno/network.h"
#include "support/quad_network.h"

typedef struct quad_case {
    mpno_fno_config config;
    mpno_model *model;
    quad_opts opts;
    quad_domain domain; /* of the output */
    size_t n_in, n_out; /* numbers of a sample */
    double *input;      /* of the model's arithmetic format */
    double *embedding;  /* likewise; NULL: not asked for */
    bool normalized;
    mpno_normalizer x, y; /* the normalisers that opts says number by number */
    /* of a network in low precision */
    const char *policy, *exceptions;
    mpno_format half;
    double *rooms[4];
} quad_case;

/* exceptions of storage and normalisers are drawn too. */
void quad_case_draw(mpno_ctx *ctx, uint64_t seed, mpno_format arithmetic, quad_case *drawn);
void quad_case_drop(quad_case *drawn);
/* For messages: "seed 7: 2-D 5x8, ..". Borrowed until the next call. */
const char *quad_case_text(const quad_case *drawn, uint64_t seed);

/* Of its network in this precision, without exceptions of storage; and of the one in low precision
 * that was drawn. */
mpno_network_opts quad_case_opts(const quad_case *drawn, const char *policy);
mpno_network_opts quad_case_low_opts(const quad_case *drawn);
/* The case's network in this precision answers its input (normalisers included): answer [n_out].
 * False where numbers leave a format's range. */
bool quad_case_answer(mpno_ctx *ctx, const quad_case *drawn, const char *policy, double *answer);

#endif
