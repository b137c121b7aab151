/* SPDX-License-Identifier: MIT
 * Vectors of T and their way from and to every storage format (parameters: fft_all.h), in the
 * vocabulary of vec_*.h. Scratch is aligned; storage has the alignment of its element only. */

FFT_INLINE V NAME(get)(const T *p) {
    return *(const V *)p;
}
FFT_INLINE void NAME(put)(T *p, V x) {
    *(V *)p = x;
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

/* Stores LANES values, to nearest even, and notes lanes that are not finite as stored: |x| is not
 * below limit. */
FFT_INLINE void NAME(stow)(void *dst, mpno_format format, V x, MASK *bad) {
    const V limit = NAME(all)(NAME(store_limit)(format));
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

/* The first n < LANES values, the other lanes 0. */
FFT_INLINE V NAME(fetch_part)(const void *src, mpno_format format, int64_t n) {
    _Alignas(64) unsigned char part[LANES * 8] = {0};
    memcpy(part, src, (size_t)n * NAME(bytes)(format));
    return NAME(fetch)(part, format);
}

FFT_INLINE void NAME(stow_part)(void *dst, mpno_format format, V x, int64_t n, MASK *bad) {
    _Alignas(64) unsigned char part[LANES * 8];
    NAME(stow)(part, format, x, bad);
    memcpy(dst, part, (size_t)n * NAME(bytes)(format));
}

FFT_INLINE T *NAME(row)(const mpno_fft_rows *rows, int64_t r) {
    return (T *)rows->data + r * rows->stride;
}
