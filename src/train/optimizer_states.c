/* SPDX-License-Identifier: MIT
 * Arrays of optimisers in narrow formats, see optimizer_states.h. */
#include "train/optimizer_states.h"

#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"

mpno_format mpno_state_format(mpno_format wanted, const char *name, mpno_format arithmetic) {
    const bool square = strcmp(name, "exp_avg_sq") == 0 || strcmp(name, "max_exp_avg_sq") == 0;
    if (wanted == MPNO_F32) return arithmetic;
    return square && mpno_format_bytes(wanted) == 1 ? MPNO_BF16 : wanted;
}

static size_t n_scales(mpno_format format, size_t n) {
    return mpno_format_bytes(format) == 1 ? (n + MPNO_CODEC_BLOCK - 1) / MPNO_CODEC_BLOCK : 0;
}

size_t mpno_state_bytes(mpno_format format, size_t n) {
    return n * mpno_format_bytes(format) + n_scales(format, n);
}

mpno_status mpno_state_create(mpno_ctx *ctx, mpno_format format, mpno_format arithmetic, size_t n,
                              mpno_optimizer_state *out) {
    mpno_optimizer_state s = {.format = format,
                              .coded = format != arithmetic,
                              .kernels = mpno_codec_kernels_get(ctx->isa, arithmetic)};
    MPNO_TRY(mpno_alloc(ctx, mpno_state_bytes(format, n), &s.data));
    s.codec = (mpno_codec){.format = format,
                           .rounding = MPNO_ROUND_STOCHASTIC,
                           .base = s.data,
                           .row = MPNO_CODEC_BLOCK,
                           .scales = (unsigned char *)s.data + n * mpno_format_bytes(format),
                           .n_scales = (int64_t)n_scales(format, n)};
    if (n_scales(format, n) > 0) s.codec.scaling = MPNO_SCALING_BLOCK;
    *out = s;
    return MPNO_OK;
}

void mpno_state_destroy(mpno_ctx *ctx, mpno_optimizer_state *state) {
    mpno_free(ctx, state->data);
}

static void *place(const mpno_optimizer_state *s, size_t first) {
    return (char *)s->data + first * mpno_format_bytes(s->format);
}

void mpno_state_load(const mpno_optimizer_state *s, size_t first, void *dst, size_t n) {
    s->kernels->load(&s->codec, dst, place(s, first), (int64_t)n);
}

void mpno_state_store(const mpno_optimizer_state *s, size_t first, const void *src, size_t n) {
    (void)s->kernels->store(&s->codec, place(s, first), src, (int64_t)n);
}

void mpno_state_seed(mpno_optimizer_state *s, uint64_t seed, int64_t step, int number) {
    mpno_rng_key(seed, (uint64_t)step, (uint32_t)number, MPNO_STREAM_MOMENTS, s->codec.key);
}
