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

/* What transforms read, write and hold in between: overflow there is what the paper sees first. */
bool mpno_role_transformed(mpno_role role);
const char *mpno_role_text(mpno_role role, bool gradient); /* "activation", "activation gradient" */

const char *mpno_scaling_text(mpno_scaling scaling); /* "none", "tensor", .., "block" */

typedef struct mpno_arithmetic {
    mpno_format multiply, accumulate;
    mpno_rounding rounding;
} mpno_arithmetic;

/* "block 2/spectrum gradient": f8e4m3. */
typedef struct mpno_override {
    char layer[16]; /* "": all */
    mpno_role role;
    bool plain, gradient; /* of which of the two it speaks */
    mpno_format format;
} mpno_override;
#define MPNO_MAX_OVERRIDES 32

/* How one tensor is stored. */
typedef struct mpno_storage {
    mpno_format format;
    mpno_rounding rounding;
    mpno_scaling scaling;
} mpno_storage;

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
    mpno_rounding rounding; /* of what is stored narrower than base */
    mpno_scaling scaling;
    mpno_override override[MPNO_MAX_OVERRIDES];
    int n_overrides;
} mpno_policy;

/* E_ARGUMENT for an unknown name (with the nearest one) or a half format that is not 16 bits wide.
 */
MPNO_WARN_UNUSED mpno_status mpno_policy_make(mpno_ctx *ctx, const char *name, mpno_format base,
                                              mpno_format half, mpno_policy *out);
/* Sets policy->transforms: f16 or bf16, or f32 for base. E_ARGUMENT for other formats. */
MPNO_WARN_UNUSED mpno_status mpno_policy_set_transforms(mpno_ctx *ctx, mpno_format arithmetic,
                                                        mpno_policy *policy);
/* Adds exceptions to the storage table: "ROLE=FORMAT, LAYER/ROLE=FORMAT, ..", the later ones first;
 * a role without "gradient" means both. Rounding and scaling are of everything narrow; scales are
 * for formats that have not the range of f32. text may be NULL. E_CONFIG names what is wrong. */
MPNO_WARN_UNUSED mpno_status mpno_policy_override(mpno_ctx *ctx, mpno_policy *policy,
                                                  const char *text, mpno_rounding rounding,
                                                  mpno_scaling scaling);
int mpno_policy_count(void);
const char *mpno_policy_name(int index); /* rows of policies.def */

/* The two tables. Rows of policies.def treat all layers alike, overrides need not. layer: its name.
 */
mpno_storage mpno_policy_storage(const mpno_policy *policy, mpno_role role, bool gradient,
                                 const char *layer);
mpno_arithmetic mpno_policy_arithmetic(const mpno_policy *policy, const char *op, int layer);

#endif
