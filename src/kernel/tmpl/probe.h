/* SPDX-License-Identifier: MIT
 * Bodies of the probe kernels. Parameters: the vocabulary of a vec_*.h. Twelve chains of
 * multiply-adds are in flight: two pipes of latency 4 or 5 need 8 or 10. */

enum { PROBE_CHAINS = 6 };

static float probe_total(const vf32 *a, const vf32 *b) {
    float lanes[VF32_LANES], sum = 0;
    for (int i = 0; i < PROBE_CHAINS; i++) {
        vf32_store(lanes, vf32_add(a[i], b[i]));
        for (int l = 0; l < VF32_LANES; l++) sum += lanes[l];
    }
    return sum;
}

/* x <- x / 2 + 1 stays between 1 and 2: no denormal numbers, which would take other time. */
static float probe_multiply_add(int64_t rounds) {
    const vf32 half = vf32_set1(0.5f), one = vf32_set1(1);
    vf32 a[PROBE_CHAINS], b[PROBE_CHAINS];
    for (int i = 0; i < PROBE_CHAINS; i++) {
        a[i] = vf32_set1(1 + 0.01f * (float)i);
        b[i] = vf32_set1(2 - 0.01f * (float)i);
    }
    for (int64_t r = 0; r < rounds; r++) {
        KERNEL_UNROLL
        for (int i = 0; i < PROBE_CHAINS; i++) {
            a[i] = vf32_fma(a[i], half, one);
            b[i] = vf32_fma(b[i], half, one);
        }
    }
    return probe_total(a, b);
}

static float probe_read(const float *x, int64_t n) {
    vf32 a[PROBE_CHAINS], b[PROBE_CHAINS];
    for (int i = 0; i < PROBE_CHAINS; i++) a[i] = b[i] = vf32_set1(0);
    for (int64_t p = 0; p < n; p += 8 * VF32_LANES) {
        KERNEL_UNROLL
        for (int i = 0; i < 4; i++) {
            a[i] = vf32_add(a[i], vf32_load(x + p + 2 * i * VF32_LANES));
            b[i] = vf32_add(b[i], vf32_load(x + p + (2 * i + 1) * VF32_LANES));
        }
    }
    return probe_total(a, b);
}

#define PROBE_TABLE                                                                               \
    {                                                                                             \
        .multiply_add = probe_multiply_add, .flops_per_round = 2 * 2 * PROBE_CHAINS * VF32_LANES, \
        .read = probe_read,                                                                       \
    }
