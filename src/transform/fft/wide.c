/* SPDX-License-Identifier: MIT
 * Mixed radix, decimation in time, as it is written down: speed counts for nothing, since a table
 * is made once (formula and error: wide.h). */
#include "transform/fft/wide.h"

#include <math.h>

#include "core/memory.h"
#include "transform/fft/roots.h"

enum { LARGEST_FACTOR = 7 };

typedef struct wide {
    int64_t m;
    const long double *roots; /* [m][2] of exp(-2 pi i j / m) */
} wide;

static int64_t smallest_factor(int64_t n) {
    int64_t p = 2;
    while (n % p != 0) p++;
    return p;
}

/* A number of n points: of every `stride`-th of in. */
static void transform(const wide *w, const long double *in, int64_t stride, long double *out,
                      int64_t n) {
    if (n == 1) {
        out[0] = in[0], out[1] = in[1];
        return;
    }
    const int64_t p = smallest_factor(n), q = n / p;
    for (int64_t r = 0; r < p; r++)
        transform(w, in + 2 * r * stride, stride * p, out + 2 * r * q, q);
    for (int64_t k = 0; k < q; k++) {
        long double part[2 * LARGEST_FACTOR];
        for (int64_t r = 0; r < p; r++) {
            part[2 * r] = out[2 * (r * q + k)];
            part[2 * r + 1] = out[2 * (r * q + k) + 1];
        }
        for (int64_t s = 0; s < p; s++) {
            long double re = part[0], im = part[1];
            for (int64_t r = 1; r < p; r++) {
                const long double *root = w->roots + 2 * (r * (k + s * q) % n * (w->m / n));
                re += part[2 * r] * root[0] - part[2 * r + 1] * root[1];
                im += part[2 * r] * root[1] + part[2 * r + 1] * root[0];
            }
            out[2 * (s * q + k)] = re;
            out[2 * (s * q + k) + 1] = im;
        }
    }
}

mpno_status mpno_wide_transform(mpno_ctx *ctx, int64_t m, const long double *in, long double *out) {
    int64_t rest = m;
    for (int64_t p = 2; p <= LARGEST_FACTOR; p++)
        while (rest > 0 && rest % p == 0) rest /= p;
    MPNO_CHECK(ctx, rest == 1, MPNO_E_ARGUMENT,
               "a transform in long double: m is %lld, expected a product of 2, 3, 5 and 7",
               (long long)m);
    long double *roots = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)m, sizeof *roots, &roots));
    for (int64_t j = 0; j < m; j++) {
        mpno_root(j, m, roots + 2 * j, roots + 2 * j + 1);
        roots[2 * j + 1] = -roots[2 * j + 1];
    }
    const wide w = {m, roots};
    transform(&w, in, 1, out, m);
    mpno_free(ctx, roots);
    return MPNO_OK;
}

/* A stage of p parts: of each result the products, sqrt(5), their roots, off by two half units in
 * each part, and p - 1 additions, of at most sqrt(p) times the norm of the parts; p results, where
 * the stage itself is sqrt(p) times a unitary map. */
double mpno_wide_growth(int64_t m) {
    double growth = 0;
    for (; m > 1; m /= smallest_factor(m)) {
        const double p = (double)smallest_factor(m);
        growth += sqrt(p) * (p + 5);
    }
    return growth;
}
