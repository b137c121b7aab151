/* SPDX-License-Identifier: MIT
 * Precision is data: storage over (tensor role, layer), arithmetic over (op, layer). */
#ifndef MPNO_GRAPH_POLICY_H
#define MPNO_GRAPH_POLICY_H

#include <stdbool.h>

#include "core/context.h"
#include "mpno/format.h"

typedef enum mpno_role {
#define X(name, column, text) MPNO_ROLE_##name,
#include "graph/roles.def"
#undef X
    MPNO_ROLE_COUNT
} mpno_role;

const char *mpno_role_text(mpno_role role, bool gradient); /* "activation", "activation gradient" */

typedef struct mpno_arithmetic {
    mpno_format multiply, accumulate;
    mpno_rounding rounding;
} mpno_arithmetic;

/* A policy with its formats filled in. */
typedef struct mpno_policy {
    const char *name;
    bool tanh;        /* the policy asks for the tanh stabiliser */
    mpno_format base; /* the arithmetic format: f32 or f64 */
    mpno_format pointwise, transform_in, spectrum, transform_out;
    /* BF16: the CPU multiplies bf16 faster than f32, so that products of what is stored as bf16
     * take their operands as bf16. Else base. */
    mpno_format products;
    /* f16, bf16: every result of a butterfly is rounded to it, in forward transforms where
     * transform_in is half, in inverse ones where transform_out is. Else base. */
    mpno_format transforms;
} mpno_policy;

/* E_ARGUMENT for an unknown name (with the nearest one) or a half format that is not 16 bits wide.
 */
MPNO_WARN_UNUSED mpno_status mpno_policy_make(mpno_ctx *ctx, const char *name, mpno_format base,
                                              mpno_format half, mpno_policy *out);
/* Sets policy->transforms: f16 or bf16, or f32 for base. E_ARGUMENT for other formats. */
MPNO_WARN_UNUSED mpno_status mpno_policy_set_transforms(mpno_ctx *ctx, mpno_format arithmetic,
                                                        mpno_policy *policy);
int mpno_policy_count(void);
const char *mpno_policy_name(int index); /* rows of policies.def */

/* The two tables. Rows of today's policies treat all layers alike; callers say the layer so that a
 * planner may not. */
mpno_format mpno_policy_storage(const mpno_policy *policy, mpno_role role, int layer);
mpno_arithmetic mpno_policy_arithmetic(const mpno_policy *policy, const char *op, int layer);

#endif
