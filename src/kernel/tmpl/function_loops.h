/* SPDX-License-Identifier: MIT
 * Loops over n values, in place or not, for the vocabulary of f32 included before:
 *     FUNCTION(type, name, of)       name(dst, x, n):      dst = of(x)
 *     GRADIENT(type, name, slope)    name(dst, x, dy, n):  dst = dy slope(x)
 * type: what the table's pointers point to, float or void. The file that includes it clears both.
 */
#define FUNCTION(type, name, of)                                                                \
    static void name(type *dst_, const type *x_, int64_t n) {                                   \
        const float *x = x_;                                                                    \
        float *dst = dst_;                                                                      \
        int64_t i = 0;                                                                          \
        for (; i + VF32_LANES <= n; i += VF32_LANES) vf32_store(dst + i, of(vf32_load(x + i))); \
        if (i < n) vf32_store_part(dst + i, of(vf32_load_part(x + i, n - i)), n - i);           \
    }
#define GRADIENT(type, name, slope)                                                           \
    static void name(type *dst_, const type *x_, const type *dy_, int64_t n) {                \
        const float *x = x_, *dy = dy_;                                                       \
        float *dst = dst_;                                                                    \
        int64_t i = 0;                                                                        \
        for (; i + VF32_LANES <= n; i += VF32_LANES)                                          \
            vf32_store(dst + i, vf32_mul(vf32_load(dy + i), slope(vf32_load(x + i))));        \
        if (i < n) {                                                                          \
            const vf32 factor = slope(vf32_load_part(x + i, n - i));                          \
            vf32_store_part(dst + i, vf32_mul(vf32_load_part(dy + i, n - i), factor), n - i); \
        }                                                                                     \
    }
