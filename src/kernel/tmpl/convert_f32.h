/* SPDX-License-Identifier: MIT
 * From which magnitude of an f32 a stored value is not finite: half a unit in the last place above
 * the largest number. And rows that the vocabulary stores faster than vector by vector
 * (VEC_NARROWS_BF16). */

static float store_limit_f32(mpno_format format) {
    switch (format) {
        case MPNO_F16:
            return 65520.0f;
        case MPNO_BF16:
            return 0x1.ffp127f;
        default:
            return INFINITY;
    }
}

/* Values from the first on that are stored this way, perhaps none; sets *bad where one is not
 * finite. */
KERNEL_INLINE int64_t store_rows_f32(unsigned char *dst, const mpno_format format, const float *src,
                                     int64_t n, bool *bad) {
#if VEC_NARROWS_BF16
    if (format == MPNO_BF16) return vf32_narrow_bf16(dst, src, n, bad);
#endif
    (void)dst, (void)format, (void)src, (void)n, (void)bad;
    return 0;
}
