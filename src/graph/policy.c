/* SPDX-License-Identifier: MIT
 * Look-ups in policies.def and roles.def. */
#include "graph/policy.h"

#include <string.h>

#include "core/value.h"
#include "kernel/bf16_kernels.h"
#include "number/format.h"

typedef struct policy_row {
    const char *name;
    bool pointwise, transform_in, spectrum, transform_out, tanh;
} policy_row;

enum { FULL = 0, HALF = 1, NONE = 0, TANH = 1 };

static const policy_row rows[] = {
#define X(name, pointwise, transform_in, spectrum, transform_out, stabilizer) \
    {#name, pointwise, transform_in, spectrum, transform_out, stabilizer},
#include "graph/policies.def"
#undef X
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

int mpno_policy_count(void) {
    return N_ROWS;
}

const char *mpno_policy_name(int index) {
    return rows[index].name;
}

const char *mpno_role_text(mpno_role role, bool gradient) {
    static const char *const plain[] = {
#define X(name, column, text) text,
#include "graph/roles.def"
#undef X
    };
    static const char *const gradients[] = {
#define X(name, column, text) text " gradient",
#include "graph/roles.def"
#undef X
    };
    return gradient ? gradients[role] : plain[role];
}

mpno_status mpno_policy_make(mpno_ctx *ctx, const char *name, mpno_format base, mpno_format half,
                             mpno_policy *out) {
    MPNO_CHECK(ctx, base == MPNO_F32 || base == MPNO_F64, MPNO_E_ARGUMENT,
               "arithmetic is f32 or f64, not %s", mpno_format_get(base)->name);
    MPNO_CHECK(ctx, half == MPNO_F16 || half == MPNO_BF16, MPNO_E_ARGUMENT,
               "the half format is f16 or bf16, not %s", mpno_format_get(half)->name);
    const bool native =
        base == MPNO_F32 && half == MPNO_BF16 && mpno_bf16_kernels_get(ctx->isa)->native;
    const char *names[N_ROWS];
    for (int i = 0; i < N_ROWS; i++) {
        names[i] = rows[i].name;
        if (strcmp(rows[i].name, name) != 0) continue;
        const policy_row *row = &rows[i];
        *out = (mpno_policy){.name = row->name,
                             .tanh = row->tanh,
                             .base = base,
                             .pointwise = row->pointwise ? half : base,
                             .transform_in = row->transform_in ? half : base,
                             .spectrum = row->spectrum ? half : base,
                             .transform_out = row->transform_out ? half : base,
                             .products = native ? MPNO_BF16 : base,
                             .transforms = base};
        return MPNO_OK;
    }
    const char *near = mpno_nearest_name(name, names, N_ROWS);
    return mpno_fail(ctx, MPNO_E_ARGUMENT,
                     "unknown precision policy \"%s\"%s%s%s; known: full, amp, half, fft32, mixed",
                     name, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?" : "");
}

mpno_status mpno_policy_set_transforms(mpno_ctx *ctx, mpno_format arithmetic, mpno_policy *policy) {
    const bool narrow = arithmetic == MPNO_F16 || arithmetic == MPNO_BF16;
    MPNO_CHECK(ctx, narrow || arithmetic == MPNO_F32, MPNO_E_ARGUMENT,
               "the arithmetic of transforms is f16, bf16 or f32 (the network's own), not %s",
               mpno_format_get(arithmetic)->name);
    policy->transforms = narrow ? arithmetic : policy->base;
    return MPNO_OK;
}

mpno_format mpno_policy_storage(const mpno_policy *policy, mpno_role role, int layer) {
    (void)layer;
    const mpno_format full = policy->base, pointwise = policy->pointwise,
                      transform_in = policy->transform_in, spectrum = policy->spectrum,
                      transform_out = policy->transform_out;
    switch (role) {
#define X(name, column, text) \
    case MPNO_ROLE_##name:    \
        return column;
#include "graph/roles.def"
#undef X
        case MPNO_ROLE_COUNT:
            break;
    }
    return full;
}

mpno_arithmetic mpno_policy_arithmetic(const mpno_policy *policy, const char *op, int layer) {
    static const char *const pointwise[] = {"linear", "linear_dx", "linear_dw", "gelu",
                                            "gelu_grad"};
    mpno_arithmetic arithmetic = {policy->base, policy->base, MPNO_ROUND_NEAREST_EVEN};
    const bool forward = strcmp(op, "fft_forward") == 0, inverse = strcmp(op, "fft_inverse") == 0;
    if ((forward && mpno_policy_storage(policy, MPNO_ROLE_TRANSFORM_IN, layer) != policy->base) ||
        (inverse && mpno_policy_storage(policy, MPNO_ROLE_TRANSFORM_OUT, layer) != policy->base))
        arithmetic.multiply = arithmetic.accumulate = policy->transforms;
    for (size_t i = 0; i < sizeof pointwise / sizeof pointwise[0]; i++)
        if (policy->products == MPNO_BF16 && policy->pointwise == MPNO_BF16 &&
            strcmp(op, pointwise[i]) == 0)
            arithmetic.multiply = MPNO_BF16;
    return arithmetic;
}
