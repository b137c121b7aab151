/* SPDX-License-Identifier: MIT
 * Factorisation, twiddles and the order of passes (the pass itself: kernel/fft_kernels.h).
 * Source: decimation in frequency with self-sorting passes, as in Swarztrauber, "Vectorizing the
 * FFTs" (1982). */
#include "transform/fft/passes.h"

#include <math.h>

#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"
#include "transform/fft/rows.h"

bool mpno_passes_suit(int64_t n) {
    for (int64_t p = 2; p <= MPNO_FFT_MAX_RADIX; p++) {
        while (n % p == 0) n /= p;
    }
    return n == 1;
}

int64_t mpno_passes_good_size(int64_t n) {
    for (;; n++) {
        int64_t rest = n;
        for (int64_t p = 2; p <= 7; p++) {
            while (rest % p == 0) rest /= p;
        }
        if (rest == 1) return n;
    }
}

static int prime_factors(int64_t n, int *radix) {
    int count = 0;
    for (int64_t p = 2; n > 1; p += p == 2 ? 1 : 2) {
        if (p * p > n) p = n;
        for (; n % p == 0; n /= p) radix[count++] = (int)p;
    }
    return count;
}

int mpno_passes_factor(int64_t n, int largest, int *radix) {
    int count = 0, twos = 0;
    if (largest == 2) return prime_factors(n, radix);
    for (int64_t p = MPNO_FFT_MAX_RADIX; p >= 3; p -= 2) {
        while (n % p == 0 && (p < 9 || p % 3 != 0)) {
            radix[count++] = (int)p;
            n /= p;
        }
    }
    while (n % 2 == 0) {
        twos++;
        n /= 2;
    }
    /* As few passes as the largest radix allows, as equal as can be. */
    const int most = largest >= 16 ? 4 : 3, passes = (twos + most - 1) / most;
    for (int i = 0; i < passes; i++) {
        const bool one_more = i >= passes - twos % passes;
        radix[count++] = 1 << (twos / passes + one_more);
    }
    return count;
}

/* Real operations of one butterfly, without twiddles. */
static double butterfly_flops(int radix) {
    switch (radix) {
        case 2:
            return 4;
        case 3:
            return 20;
        case 4:
            return 16;
        case 8:
            return 56;
        case 16:
            return 176;
        default:
            return (radix / 2) * (4.0 * radix + 6.0);
    }
}

double mpno_passes_flops(int64_t n, int largest) {
    int radix[MPNO_FFT_MAX_PASSES], count = mpno_passes_factor(n, largest, radix);
    double flops = 0;
    for (int s = 0; s < count; s++) {
        double twiddles = s + 1 < count ? 6.0 * (radix[s] - 1) : 0;
        flops += (double)n / radix[s] * (butterfly_flops(radix[s]) + twiddles);
    }
    return flops;
}

double mpno_passes_cost(int64_t n, int largest) {
    int radix[MPNO_FFT_MAX_PASSES], count = mpno_passes_factor(n, largest, radix);
    return mpno_passes_flops(n, largest) + 8.0 * (double)n * count;
}

/* A pass is sqrt(radix) times a unitary map. Radix 2: one addition, u; 4, 8 and 16 are two to four
 * such; 8 has products with sqrt(1/2), 16 with roots. Odd r: a folded line as in direct.c. Then the
 * products with roots: sqrt(5) u each and sqrt(1/2) u of the roots themselves, none in the last
 * pass. */
double mpno_passes_growth(const mpno_passes *passes) {
    double growth = 0;
    for (int s = 0; s < passes->n_passes; s++) {
        const double r = passes->pass[s].radix, products = 3;
        if (passes->pass[s].radix % 2 == 0)
            growth += log2(r) + (r >= 8 ? products : 0);
        else
            growth += (r - 1) / 2 + 2 + 2 * sqrt((r - 1) / 2);
        if (passes->pass[s].ido > 1) growth += products;
    }
    return growth;
}

mpno_status mpno_passes_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, mpno_passes *out) {
    mpno_passes p = {.n = n};
    int radix[MPNO_FFT_MAX_PASSES];
    const mpno_fft_kernels *kernels = mpno_fft_kernels_get(ctx->isa, arithmetic);
    p.n_passes = mpno_passes_factor(n, kernels->largest_radix, radix);
    size_t count = 0, bytes = mpno_table_bytes(arithmetic);
    int64_t rest = n;
    for (int s = 0; s < p.n_passes; s++) {
        rest /= radix[s];
        count += 2 * (size_t)(rest * (radix[s] - 1)) + 2 * (size_t)radix[s];
    }
    MPNO_TRY(mpno_alloc_array(ctx, count, bytes, &p.tables));
    unsigned char *at = p.tables;
    int64_t l1 = 1;
    long double cosine, sine;
    for (int s = 0; s < p.n_passes; s++) {
        int r = radix[s];
        int64_t ido = n / l1 / r;
        p.pass[s] = (mpno_fft_pass){.radix = r, .l1 = l1, .ido = ido, .twiddles = at};
        for (int64_t i = 0; i < ido; i++) {
            for (int64_t j = 1; j < r; j++) {
                mpno_root(i * j, ido * r, &cosine, &sine);
                mpno_table_set(at, arithmetic, 2 * (i * (r - 1) + j - 1), cosine);
                mpno_table_set(at, arithmetic, 2 * (i * (r - 1) + j - 1) + 1, -sine);
            }
        }
        at += 2 * (size_t)(ido * (r - 1)) * bytes;
        p.pass[s].roots = at;
        for (int64_t m = 0; m < r; m++) {
            mpno_root(m, r, &cosine, &sine); /* within a butterfly: not rounded to 16 bits */
            mpno_table_set(at, kernels->arithmetic, 2 * m, cosine);
            mpno_table_set(at, kernels->arithmetic, 2 * m + 1, sine);
        }
        at += 2 * (size_t)r * bytes;
        l1 *= r;
    }
    *out = p;
    return MPNO_OK;
}

void mpno_passes_destroy(mpno_ctx *ctx, mpno_passes *passes) {
    mpno_free(ctx, passes->tables);
    memset(passes, 0, sizeof *passes);
}

void mpno_passes_run(const mpno_passes *passes, const mpno_fft_kernels *kernels,
                     const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t width, void *a,
                     void *b) {
    if (passes->n_passes == 0) {
        kernels->copy(out, in, 1, width);
        return;
    }
    mpno_fft_rows buffer[2] = {mpno_rows_dense(a, width), mpno_rows_dense(b, width)};
    for (int s = 0; s < passes->n_passes; s++) {
        kernels->pass(&passes->pass[s], s + 1 == passes->n_passes ? out : &buffer[s % 2], in,
                      width);
        in = &buffer[s % 2];
    }
}
