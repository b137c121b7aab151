/* SPDX-License-Identifier: MIT
 * Chooses a table of codecs by the cap that the context gives, and makes scales. */
#include "kernel/codec.h"

#include <string.h>

#include "kernel/codec_tables.h"
#include "kernel/tmpl/codec_bits.h"
#include "number/format.h"

const mpno_codec_kernels *mpno_codec_kernels_get(mpno_isa isa, mpno_format arithmetic) {
    if (arithmetic != MPNO_F32 && arithmetic != MPNO_F64) return NULL;
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_codec_avx512[arithmetic];
    if (isa >= MPNO_ISA_AVX2) return &mpno_codec_avx2[arithmetic];
#else
    (void)isa;
#endif
    return &mpno_codec_portable[arithmetic];
}

mpno_codec mpno_codec_plain(mpno_format format) {
    return (mpno_codec){.format = format};
}

unsigned char mpno_codec_scale(mpno_format format, float most) {
    return scale_of(bits_of(most) & 0x7fffffffu, bits_of((float)mpno_format_max(format)));
}

int64_t mpno_codec_scales(mpno_scaling scaling, int64_t row, int64_t rows, int64_t shells) {
    switch (scaling) {
        case MPNO_SCALING_TENSOR:
            return 1;
        case MPNO_SCALING_CHANNEL:
            return row;
        case MPNO_SCALING_SHELL:
            return shells;
        case MPNO_SCALING_BLOCK:
            return rows * ((row + MPNO_CODEC_BLOCK - 1) / MPNO_CODEC_BLOCK);
        default:
            return 0;
    }
}

void mpno_codec_clear(const mpno_codec *codec, int64_t rows) {
    if (codec->scaling == MPNO_SCALING_BLOCK)
        memset(codec->scales, 127, (size_t)mpno_codec_scales(codec->scaling, codec->row, rows, 0));
}

bool mpno_codec_renew(mpno_codec *codec) {
    bool changed = false;
    for (int64_t i = 0; i < codec->n_scales && codec->most != NULL; i++) {
        const uint32_t bits = atomic_exchange_explicit(&codec->most[i], 0, memory_order_relaxed);
        float most;
        memcpy(&most, &bits, sizeof most);
        if (bits == 0) continue;
        const unsigned char scale = mpno_codec_scale(codec->format, 2 * most);
        changed = changed || scale != codec->scales[i];
        codec->scales[i] = scale;
    }
    return changed;
}
