/* SPDX-License-Identifier: MIT
 * Theorems 3.1 and 3.2 of the paper (arXiv 2307.15034) as statements that can be run: of functions
 * whose Fourier coefficients are known in closed form, how far the sum over a grid is from the
 * integral (Disc), how far rounding moves that sum (Prec), and bounds of both with every constant
 * written down. Proofs: docs/theory/theorems.md (T1 to T5) and docs/theory/frequency.md. */
#ifndef MPNO_CERTIFY_THEOREMS_H
#define MPNO_CERTIFY_THEOREMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"
#include "mpno/format.h"

enum { MPNO_THEOREM_AXES = 3 };

/* One-dimensional bounds of |v_k - v^_k|, v_k the mean over n points of v(x) exp(-2 pi i k x), v^_k
 * the integral, v of period 1 and |k| <= n/2; moduli of v are at most 1. On more axes the bounds of
 * all axes add up (T1). */
double mpno_disc_hoelder(int64_t n, int64_t k, double constant, double exponent); /* T2 */
double mpno_disc_variation(int64_t n, int64_t k, double variation);               /* T3 */
double mpno_disc_bent(int64_t n, int64_t k, double variation); /* T4: of the derivative */
/* T5. |v^_k| <= constant ratio^|k_1| .. ratio^|k_d|; here on all axes at once. */
double mpno_disc_analytic(int ndim, int64_t n, const int64_t *k, double constant, double ratio);

/* Products over the axes of one function from [0, 1) to [0, 1], of period 1. */
typedef enum mpno_theorem_function {
    MPNO_THEOREM_ANALYTIC, /* 0.16 / (1.36 - 1.2 cos 2 pi x) */
    MPNO_THEOREM_HAT,      /* up to 1 at 0.3, down to 0 at 1: Lipschitz */
    MPNO_THEOREM_HOELDER,  /* (1 + sum of 2^(-j/2) cos(2 pi 2^j x) / sum) / 2, 30 terms: Hoelder 1/2
                            */
    MPNO_THEOREM_SAWTOOTH, /* x, jumping where the period ends: of bounded variation */
    MPNO_N_THEOREM_FUNCTIONS
} mpno_theorem_function;
const char *mpno_theorem_name(mpno_theorem_function function);  /* "analytic" .. */
const char *mpno_theorem_class(mpno_theorem_function function); /* "Lipschitz" .. */
bool mpno_theorem_parse(const char *name, mpno_theorem_function *out);
/* The Fourier coefficient of the product. */
void mpno_theorem_coefficient(mpno_theorem_function function, int ndim, const int64_t *k,
                              double out[2]);

/* A function on n points an axis, 2 <= n < 2^24. E_ARGUMENT: others. */
typedef struct mpno_theorem_grid mpno_theorem_grid;
MPNO_WARN_UNUSED mpno_status mpno_theorem_grid_create(mpno_ctx *ctx, mpno_theorem_function function,
                                                      int ndim, int64_t n, mpno_theorem_grid **out);
void mpno_theorem_grid_destroy(mpno_theorem_grid **grid); /* accepts NULL */

/* At one frequency, |k_j| <= n/2. */
typedef struct mpno_disc {
    double sampled[2], exact[2]; /* v_k and v^_k */
    double measured;             /* Disc, their distance */
    double own;                  /* what f64 may have added to it */
    double of_class;             /* bound for all functions of the class with these constants */
    double bound;                /* the same, or a lower one that holds for this function (T4) */
    double paper; /* sqrt(d) (|k| + L) M / n, the form of Theorem 3.1 with its unnamed
                     constant set to 1; NAN: no Lipschitz function */
} mpno_disc;
mpno_disc mpno_theorem_disc(const mpno_theorem_grid *grid, const int64_t *k);

/* What a format does to v_k: samples and roots of unity are rounded, the sum is exact (Prec); only
 * samples; samples, roots and the results of every butterfly (NAN: not asked for; INFINITY: a sum
 * left the range). */
typedef struct mpno_prec {
    double measured, bound;
    double samples, samples_bound;
    double butterflies, butterflies_bound;
} mpno_prec;
/* k: [n_k][MPNO_THEOREM_AXES]. butterflies: of n a power of two and 16-bit formats, else left out.
 */
MPNO_WARN_UNUSED mpno_status mpno_theorem_prec(const mpno_theorem_grid *grid, mpno_format format,
                                               bool butterflies, int64_t n_k, const int64_t *k,
                                               mpno_prec *out);

#endif
