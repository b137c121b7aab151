/* SPDX-License-Identifier: MIT
 * Vectors of T and their way from and to every storage format (parameters: fft_all.h), in the
 * vocabulary of vec_*.h. Scratch is aligned; storage has the alignment of its element only. */

FFT_INLINE V NAME(get)(const T *p) {
    return *(const V *)p;
}
FFT_INLINE void NAME(put)(T *p, V x) {
    *(V *)p = ROUND(x);
}
FFT_INLINE V NAME(all)(T x) {
    return VERB(set1)(x);
}
FFT_INLINE V NAME(fma)(V a, V b, V c) {
    return VERB(fma)(a, b, c);
}
FFT_INLINE V NAME(nothing)(void) {
    return VERB(set1)(0);
}

/* LANES values of storage, exactly. `format` is a constant at every call of these. */
FFT_INLINE V NAME(fetch)(const void *src, mpno_format format) {
    switch (format) {
        case MPNO_F64:
            return VERB(load_f64)(src);
        case MPNO_F16:
            return VERB(load_f16)(src);
        case MPNO_BF16:
            return VERB(load_bf16)(src);
        default:
            return VERB(load_f32)(src);
    }
}

/* From which magnitude a stored value is not finite. */
FFT_INLINE T NAME(limit)(mpno_format format) {
    return sizeof(T) == sizeof(float) ? (T)store_limit_f32(format) : (T)store_limit_f64(format);
}

/* Stores LANES values, to nearest even, and notes lanes that are not finite as stored: |x| is not
 * below limit. */
FFT_INLINE void NAME(stow)(void *dst, mpno_format format, V x, MASK *bad) {
    const V limit = NAME(all)(NAME(limit)(format));
    *bad = VERB(mask_or)(*bad, VERB(mask_not)(VERB(less)(VERB(abs)(x), limit)));
    switch (format) {
        case MPNO_F64:
            VERB(store_f64)(dst, x);
            break;
        case MPNO_F16:
            VERB(store_f16)(dst, x);
            break;
        case MPNO_BF16:
            VERB(store_bf16)(dst, x);
            break;
        default:
            VERB(store_f32)(dst, x);
            break;
    }
}

FFT_INLINE MASK NAME(none)(void) {
    return VERB(less)(NAME(nothing)(), NAME(nothing)());
}

FFT_INLINE size_t NAME(bytes)(mpno_format format) {
    return format == MPNO_F64 ? 8 : format == MPNO_F32 ? 4 : 2;
}

/* n < LANES values of `bytes` each, in pieces whose sizes the compiler knows: calls of memcpy took
 * longer than the rest of a row of 24 channels. */
FFT_INLINE void NAME(copy_part)(unsigned char *dst, const unsigned char *src, int64_t n,
                                const size_t bytes) {
    size_t at = 0;
    FFT_UNROLL
    for (int64_t count = LANES / 2; count > 0; count /= 2) {
        if ((n & count) == 0) continue;
        memcpy(dst + at, src + at, (size_t)count * bytes);
        at += (size_t)count * bytes;
    }
}

/* The first n < LANES values, the other lanes 0. */
FFT_INLINE V NAME(fetch_part)(const void *src, mpno_format format, int64_t n) {
    if (NAME(bytes)(format) == sizeof(T)) return VERB(load_part)((const T *)src, n);
#ifdef VEC_HAS_WORDS
    if (NAME(bytes)(format) == sizeof(uint16_t)) {
        const __m256i words = vec_load_words(src, n);
        return NAME(fetch)(&words, format);
    }
#endif
    _Alignas(64) unsigned char part[LANES * 8] = {0};
    NAME(copy_part)(part, src, n, NAME(bytes)(format));
    return NAME(fetch)(part, format);
}

FFT_INLINE void NAME(stow_part)(void *dst, mpno_format format, V x, int64_t n, MASK *bad) {
    if (NAME(bytes)(format) == sizeof(T)) {
        const V limit = NAME(all)(NAME(limit)(format));
        *bad = VERB(mask_or)(*bad, VERB(mask_not)(VERB(less)(VERB(abs)(x), limit)));
        VERB(store_part)((T *)dst, x, n);
        return;
    }
#ifdef VEC_HAS_WORDS
    if (NAME(bytes)(format) == sizeof(uint16_t)) {
        __m256i words = _mm256_setzero_si256();
        NAME(stow)(&words, format, x, bad);
        vec_store_words(dst, words, n);
        return;
    }
#endif
    _Alignas(64) unsigned char part[LANES * 8];
    NAME(stow)(part, format, x, bad);
    NAME(copy_part)(dst, part, n, NAME(bytes)(format));
}

FFT_INLINE T *NAME(row)(const mpno_fft_rows *rows, int64_t r) {
    return (T *)rows->data + r * rows->stride;
}
