/* SPDX-License-Identifier: MIT
 * Look-ups in policies.def and roles.def. */
#include "graph/policy.h"

#include <stdio.h>
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

bool mpno_role_transformed(mpno_role role) {
    return role == MPNO_ROLE_TRANSFORM_IN || role == MPNO_ROLE_COLUMNS ||
           role == MPNO_ROLE_SPECTRUM || role == MPNO_ROLE_TRANSFORM_OUT;
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

const char *mpno_scaling_text(mpno_scaling scaling) {
    static const char *const texts[] = {"none", "tensor", "channel", "shell", "block", "auto"};
    return texts[scaling];
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
                             .transforms = base,
                             .scaling = MPNO_SCALING_AUTO};
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

/* ---- exceptions ---- */

static bool role_of(const char *name, size_t length, mpno_override *out) {
    for (int r = 0; r < MPNO_ROLE_COUNT; r++) {
        for (int gradient = 0; gradient < 2; gradient++) {
            const char *text = mpno_role_text((mpno_role)r, gradient);
            if (strlen(text) != length || strncmp(text, name, length) != 0) continue;
            out->role = (mpno_role)r;
            out->plain = !gradient, out->gradient = true;
            return true;
        }
    }
    return false;
}

/* What the library keeps in the arithmetic format itself. */
static bool is_fixed(const mpno_override *o) {
    const bool weight = o->role == MPNO_ROLE_WEIGHT_LINEAR || o->role == MPNO_ROLE_WEIGHT_SPECTRAL;
    return o->role == MPNO_ROLE_INPUT || o->role == MPNO_ROLE_OUTPUT || o->role == MPNO_ROLE_SUMS ||
           o->role == MPNO_ROLE_WEIGHT_VECTOR || o->role == MPNO_ROLE_WEIGHT_FACTOR ||
           (weight && !o->plain);
}

/* One of the list, without spaces around it. */
static mpno_status add_override(mpno_ctx *ctx, mpno_policy *policy, const char *text, int length) {
    const char *equals = text + strcspn(text, "=:,");
    MPNO_CHECK(ctx, equals < text + length && *equals != ',', MPNO_E_CONFIG,
               "precision.storage: '%.*s' is not ROLE: FORMAT, such as spectrum: f8e4m3", length,
               text);
    const char *slash = memchr(text, '/', (size_t)(equals - text));
    const char *role = slash != NULL ? slash + 1 : text;
    mpno_override o = {.plain = false};
    char format[24];
    int role_length = (int)(equals - role), format_length = length - (int)(equals + 1 - text);
    while (role_length > 0 && role[role_length - 1] == ' ') role_length--;
    const char *name = equals + 1;
    while (format_length > 0 && *name == ' ') name++, format_length--;
    MPNO_CHECK(
        ctx, role_of(role, (size_t)role_length, &o), MPNO_E_CONFIG,
        "precision.storage: '%.*s' is no role; known: activation, transform input, spectrum, "
        "transform columns, transform output (and \"gradient\" behind each), weight copy, "
        "spectral weight copy",
        role_length, role);
    MPNO_CHECK(ctx, !is_fixed(&o), MPNO_E_CONFIG,
               "precision.storage: '%.*s' is always stored in the arithmetic format", role_length,
               role);
    const size_t layer = slash != NULL ? (size_t)(slash - text) : 0;
    MPNO_CHECK(ctx, layer < sizeof o.layer, MPNO_E_CONFIG,
               "precision.storage: '%.*s' is no layer, expected one such as \"block 2\"",
               (int)layer, text);
    memcpy(o.layer, text, layer);
    (void)snprintf(format, sizeof format, "%.*s", format_length, name);
    MPNO_CHECK(ctx,
               format_length < (int)sizeof format && mpno_format_parse(format, &o.format) &&
                   o.format != MPNO_F64 && (o.format != MPNO_F32 || policy->base == MPNO_F32),
               MPNO_E_CONFIG,
               "precision.storage: '%.*s' is no format; known: f32, tf32, bf16, f16, f8e4m3, "
               "f8e5m2, and eXmY with 2 to 8 exponent and 1 to 23 fraction bits such as e6m9",
               format_length, name);
    MPNO_CHECK(ctx, policy->n_overrides < MPNO_MAX_OVERRIDES, MPNO_E_CONFIG,
               "precision.storage: more than %d entries", MPNO_MAX_OVERRIDES);
    policy->override[policy->n_overrides++] = o;
    /* Products of bf16 are for what is stored so. */
    if (o.role == MPNO_ROLE_ACTIVATION || o.role == MPNO_ROLE_WEIGHT_LINEAR)
        policy->products = policy->base;
    return MPNO_OK;
}

mpno_status mpno_policy_override(mpno_ctx *ctx, mpno_policy *policy, const char *text,
                                 mpno_rounding rounding, mpno_scaling scaling) {
    policy->rounding = rounding;
    policy->scaling = scaling;
    if (rounding != MPNO_ROUND_NEAREST_EVEN) policy->products = policy->base;
    while (text != NULL && *text != '\0') {
        text += strspn(text, " ,{}");
        int length = (int)strcspn(text, ",}");
        const char *next = text + length;
        while (length > 0 && text[length - 1] == ' ') length--;
        if (length > 0) MPNO_TRY(add_override(ctx, policy, text, length));
        text = next;
    }
    return MPNO_OK;
}

/* ---- the tables ---- */

static mpno_format format_of(const mpno_policy *policy, mpno_role role) {
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

mpno_storage mpno_policy_storage(const mpno_policy *policy, mpno_role role, bool gradient,
                                 const char *layer) {
    mpno_storage s = {.format = format_of(policy, role)};
    for (int i = 0; i < policy->n_overrides; i++) {
        const mpno_override *o = &policy->override[i];
        if (o->role != role || !(gradient ? o->gradient : o->plain)) continue;
        if (o->layer[0] == '\0' || strcmp(o->layer, layer) == 0) s.format = o->format;
    }
    if (s.format == MPNO_F64 || s.format == MPNO_F32) return s;
    const bool narrow = mpno_format_get(s.format)->max_exponent < 127;
    s.rounding = policy->rounding;
    if (policy->scaling != MPNO_SCALING_AUTO)
        s.scaling = narrow ? policy->scaling : MPNO_SCALING_NONE;
    else if (mpno_format_bytes(s.format) == 1)
        s.scaling = MPNO_SCALING_BLOCK;
    return s;
}

/* By the row of the policy: exceptions to storage leave arithmetic alone. */
mpno_arithmetic mpno_policy_arithmetic(const mpno_policy *policy, const char *op, int layer) {
    static const char *const pointwise[] = {"linear",    "linear_dx", "linear_dw", "gelu",
                                            "gelu_grad", "tanh",      "tanh_grad"};
    mpno_arithmetic arithmetic = {policy->base, policy->base, MPNO_ROUND_NEAREST_EVEN};
    const bool forward = strcmp(op, "fft_forward") == 0, inverse = strcmp(op, "fft_inverse") == 0;
    (void)layer;
    if ((forward && policy->transform_in != policy->base) ||
        (inverse && policy->transform_out != policy->base))
        arithmetic.multiply = arithmetic.accumulate = policy->transforms;
    for (size_t i = 0; i < sizeof pointwise / sizeof pointwise[0]; i++)
        if (policy->products == MPNO_BF16 && policy->pointwise == MPNO_BF16 &&
            strcmp(op, pointwise[i]) == 0)
            arithmetic.multiply = MPNO_BF16;
    return arithmetic;
}
