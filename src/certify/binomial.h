/* SPDX-License-Identifier: MIT
 * Tails of binomial distributions, never too small. */
#ifndef MPNO_CERTIFY_BINOMIAL_H
#define MPNO_CERTIFY_BINOMIAL_H

#include <stdint.h>

/* Not below P(X >= k) of X = Bin(n, p), for 1 <= n <= 2^40 and 0 < p < 1, and at most
 * (1 + 1e-14 n) P + 1e-300 n: docs/theory/population.md, N4. Takes n steps. */
double mpno_binomial_tail(int64_t n, double p, int64_t k);
/* The least k with tail <= risk: 1 .. n, or n + 1 where there is none. */
int64_t mpno_binomial_rank(int64_t n, double p, double risk);

#endif
