/* SPDX-License-Identifier: MIT
 * load and store: storage formats to and from T, to nearest even, bitwise what number/format.h
 * defines (a NaN may keep another payload). Formats that are not plain go through their codec.
 * Parameters: kernels_f32.h; and store_limit and store_rows of convert_f32.h or convert_f64.h. */

KERNEL_INLINE const mpno_codec_kernels *K(codecs)(void) {
    return mpno_codec_kernels_get(TABLE_ISA, sizeof(T) == 4 ? MPNO_F32 : MPNO_F64);
}

KERNEL_INLINE VT K(widen)(const unsigned char *src, const mpno_format format) {
    switch (format) {
        case MPNO_F64:
            return V(load_f64)(src);
        case MPNO_F16:
            return V(load_f16)(src);
        case MPNO_BF16:
            return V(load_bf16)(src);
        default:
            return V(load_f32)(src);
    }
}

KERNEL_INLINE void K(narrow)(unsigned char *dst, const mpno_format format, VT v) {
    switch (format) {
        case MPNO_F64:
            V(store_f64)(dst, v);
            break;
        case MPNO_F16:
            V(store_f16)(dst, v);
            break;
        case MPNO_BF16:
            V(store_bf16)(dst, v);
            break;
        default:
            V(store_f32)(dst, v);
            break;
    }
}

KERNEL_INLINE void K(load_as)(T *dst, const unsigned char *src, const mpno_format format,
                              const int64_t bytes, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) V(store)(dst + i, K(widen)(src + i * bytes, format));
    if (i < n) {
        _Alignas(64) unsigned char last[LANES * 8] = {0};
        memcpy(last, src + i * bytes, (size_t)((n - i) * bytes));
        V(store_part)(dst + i, K(widen)(last, format), n - i);
    }
}

static void K(load)(void *dst, const void *src, mpno_format format, int64_t n) {
    switch (format) {
        case MPNO_F64:
            K(load_as)(dst, src, MPNO_F64, 8, n);
            break;
        case MPNO_F32:
            K(load_as)(dst, src, MPNO_F32, 4, n);
            break;
        case MPNO_F16:
            K(load_as)(dst, src, MPNO_F16, 2, n);
            break;
        case MPNO_BF16:
            K(load_as)(dst, src, MPNO_BF16, 2, n);
            break;
        default: {
            const mpno_codec codec = mpno_codec_plain(format);
            K(codecs)()->load(&codec, dst, src, n);
        }
    }
}

KERNEL_INLINE int K(store_as)(unsigned char *dst, const mpno_format format, const int64_t bytes,
                              const T *src, int64_t n) {
    const VT limit = V(set1)(K(store_limit)(format));
    MASK bad = V(less)(limit, limit); /* none */
    bool rows_bad = false;
    int64_t i = K(store_rows)(dst, format, src, n, &rows_bad);
    for (; i + LANES <= n; i += LANES) {
        const VT v = V(load)(src + i);
        bad = V(mask_or)(bad, V(mask_not)(V(less)(V(abs)(v), limit))); /* NaN is not less */
        K(narrow)(dst + i * bytes, format, v);
    }
    if (i < n) {
        _Alignas(64) unsigned char last[LANES * 8];
        const VT v = V(load_part)(src + i, n - i);
        bad = V(mask_or)(bad, V(mask_not)(V(less)(V(abs)(v), limit)));
        K(narrow)(last, format, v);
        memcpy(dst + i * bytes, last, (size_t)((n - i) * bytes));
    }
    return rows_bad | V(any)(bad);
}

static int K(store)(void *dst, mpno_format format, const void *src, int64_t n) {
    switch (format) {
        case MPNO_F64:
            return K(store_as)(dst, MPNO_F64, 8, src, n);
        case MPNO_F32:
            return K(store_as)(dst, MPNO_F32, 4, src, n);
        case MPNO_F16:
            return K(store_as)(dst, MPNO_F16, 2, src, n);
        case MPNO_BF16:
            return K(store_as)(dst, MPNO_BF16, 2, src, n);
        default: {
            const mpno_codec codec = mpno_codec_plain(format);
            return K(codecs)()->store(&codec, dst, src, n);
        }
    }
}
