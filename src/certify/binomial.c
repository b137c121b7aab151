/* SPDX-License-Identifier: MIT
 * Binomial tails by the recurrence of their terms. Terms are formed as multiples of the greatest
 * one, downwards and upwards from it, and the tail is a quotient of two sums of them: nothing is
 * subtracted, nothing overflows, no logarithm of a factorial is needed, and 5 roundings a step are
 * all there is to bound (docs/theory/population.md, N4). */
#include "certify/binomial.h"

#include <float.h>
#include <math.h>

#include "certify/upwards.h"

double mpno_binomial_tail(int64_t n, double p, int64_t k) {
    if (k <= 0) return 1;
    if (k > n) return 0;
    const double q = 1 - p, places = floor((double)(n + 1) * p);
    const int64_t mode = places < (double)n ? (int64_t)places : n;
    double all = 1, tail = mode >= k ? 1 : 0, term = 1;
    for (int64_t j = mode; j < n && term >= DBL_MIN; j++) {
        term *= (double)(n - j) * p / ((double)(j + 1) * q);
        all += term;
        if (j + 1 >= k) tail += term;
    }
    term = 1;
    for (int64_t j = mode; j > 0 && term >= DBL_MIN; j--) {
        term *= (double)j * q / ((double)(n - j + 1) * p);
        all += term;
        if (j - 1 >= k) tail += term;
    }
    tail += 4 * (double)n * DBL_MIN; /* terms that were left out */
    tail = mpno_up(tail / all, 13 * n + 3);
    return tail < 1 ? tail : 1;
}

int64_t mpno_binomial_rank(int64_t n, double p, double risk) {
    int64_t above = 0, rank = n + 1; /* tail(above) > risk >= tail(rank) */
    while (rank - above > 1) {
        const int64_t middle = above + (rank - above) / 2;
        if (mpno_binomial_tail(n, p, middle) <= risk)
            rank = middle;
        else
            above = middle;
    }
    return rank;
}
