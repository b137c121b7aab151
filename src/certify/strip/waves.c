/* SPDX-License-Identifier: MIT
 * See waves.h. */
#include "certify/strip/waves.h"

#include <math.h>
#include <string.h>

#include "certify/upwards.h"

static const double TWO_PI = 6.2831853071795865;

/* -------- one axis -------- */

/* Of one axis of n points, |k| < n / 2: q^|k|, and what is added to it when all k + n m count. */
typedef struct axis_terms {
    double own, others;
} axis_terms;

static axis_terms axis_at(int64_t n, int64_t k, double radius) {
    const double a = (double)(k < 0 ? -k : k), rate = -TWO_PI * radius;
    return (axis_terms){exp(rate * a), (exp(rate * ((double)n - a)) + exp(rate * ((double)n + a))) /
                                           -expm1(rate * (double)n)};
}

/* prod (own + others) - prod own, without cancellation. */
static double product_less(int n, const axis_terms *axes) {
    double whole = 1, sum = 0;
    for (int j = 0; j < n; j++) {
        double term = whole * axes[j].others;
        for (int i = j + 1; i < n; i++) term *= axes[i].own;
        sum += term;
        whole *= axes[j].own + axes[j].others;
    }
    return MPNO_ENLARGED * sum;
}

double mpno_waves_alias(const mpno_waves *w, const int64_t *frequency, double radius) {
    axis_terms axes[MPNO_FFT_MAX_DIMS];
    for (int d = 0; d < w->ndim; d++) axes[d] = axis_at(w->size[d], frequency[d], radius);
    return product_less(w->ndim, axes);
}

/* -------- tables -------- */

/* The same summed over |k_j| <= ball by e^(2 pi to |k|). */
static double alias_in_ball(const mpno_waves *w, int ball, double from, double to) {
    axis_terms axes[MPNO_FFT_MAX_DIMS] = {{0, 0}};
    for (int d = 0; d < w->ndim; d++)
        for (int k = -ball; k <= ball; k++) {
            const axis_terms one = axis_at(w->size[d], k, from);
            const double larger = exp(TWO_PI * to * fabs((double)k));
            axes[d].own += one.own * larger, axes[d].others += one.others * larger;
        }
    return product_less(w->ndim, axes);
}

/* How many k of whole numbers have |k| = s, s = 0 .. ball; the product of as many series. */
static void count_shells(int ndim, int ball, double *count) {
    for (int s = 0; s <= ball; s++) count[s] = s == 0;
    for (int d = 0; d < ndim; d++)
        for (int s = ball; s >= 0; s--) /* c'(s) = c(s) + 2 (c(s - 1) + c(s - 2) + ..) */
            for (int t = 0; t < s; t++) count[s] += 2 * count[t];
}

/* Sum of e^(-2 pi apart |k|) over |k| > ball: the whole series less what is in the ball, which
 * loses no more than a share of the whole. */
static double tail(const mpno_waves *w, int ball, const double *count, double apart) {
    const double x = exp(-TWO_PI * apart);
    double whole = 1, inside = 0;
    for (int d = 0; d < w->ndim; d++) whole *= (1 + x) / -expm1(-TWO_PI * apart);
    for (int s = ball; s >= 0; s--) inside += count[s] * exp(-TWO_PI * apart * s);
    return fmax(0, whole - inside) + 1e-11 * whole;
}

static void fill_ball(mpno_waves *w, int b) {
    enum { MOST = 512 }; /* waves beyond count as the others that are not seen */
    double count[MOST + 1];
    const int ball = w->ball[b] <= MOST ? w->ball[b] : MOST;
    w->ball[b] = ball;
    count_shells(w->ndim, ball, count);
    for (int j = 0; j < MPNO_RADII; j++) {
        const double rate = TWO_PI * w->radius[j];
        double all = 0, imag = 0;
        for (int s = 0; s <= ball; s++) {
            const double grown = exp(rate * s), bent = sinh(rate * s);
            all += count[s] * grown * grown, imag += count[s] * bent * bent;
        }
        w->noise[b][j] = MPNO_ENLARGED * sqrt(all);
        w->noise_imag[b][j] = MPNO_ENLARGED * sqrt(imag);
        for (int i = j + 1; i < MPNO_RADII; i++)
            w->beyond[b][i][j] =
                MPNO_ENLARGED * (alias_in_ball(w, ball, w->radius[i], w->radius[j]) +
                                 tail(w, ball, count, w->radius[i] - w->radius[j]));
    }
}

void mpno_waves_make(int ndim, const int64_t *size, mpno_waves *w) {
    static const double share[MPNO_BALLS] = {1, 0.6, 0.3};
    int64_t least = size[0];
    memset(w, 0, sizeof *w);
    w->ndim = ndim;
    w->n_shells = 1;
    for (int d = 0; d < ndim; d++) {
        w->size[d] = size[d];
        w->n_shells += (int)(size[d] / 2);
        least = size[d] < least ? size[d] : least;
    }
    const double first = 0.15 / (double)least, last = 0.6;
    for (int i = 0; i < MPNO_RADII; i++)
        w->radius[i] = first * pow(last / first, (double)i / (MPNO_RADII - 1));
    for (int b = 0; b < MPNO_BALLS; b++) {
        w->ball[b] = (int)floor(share[b] * (double)((least - 1) / 2));
        fill_ball(w, b);
    }
}

/* -------- modes -------- */

void mpno_waves_frequency(const mpno_fft *fft, int64_t mode, int64_t *frequency) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    for (int d = p->ndim - 1; d >= 0; d--) {
        const bool halved = p->kind == MPNO_FFT_REAL && d == p->ndim - 1;
        frequency[d] = mode % p->keep[d] - (halved ? 0 : p->keep[d] / 2);
        mode /= p->keep[d];
    }
}

void mpno_waves_shells(const mpno_fft *fft, mpno_mode_shell *shells) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    const int last = p->ndim - 1;
    for (int64_t m = 0; m < mpno_fft_modes(fft); m++) {
        int64_t k[MPNO_FFT_MAX_DIMS], shell = 0;
        mpno_waves_frequency(fft, m, k);
        for (int d = 0; d < p->ndim; d++) shell += k[d] < 0 ? -k[d] : k[d];
        const bool twice = p->kind == MPNO_FFT_REAL && k[last] > 0 && 2 * k[last] != p->size[last];
        shells[m] = (mpno_mode_shell){(int)shell, twice ? 2 : 1};
    }
}

void mpno_waves_sum(const mpno_mode_shell *shells, int64_t n, int64_t channels, int n_shells,
                    const double *modes, double *sums) {
    memset(sums, 0, (size_t)(n_shells * (channels + 2)) * sizeof *sums);
    for (int64_t m = 0; m < n; m++) {
        const double *re = modes + 2 * m * channels, *im = re + channels;
        double *to = sums + shells[m].shell * (channels + 2), square = 0;
        for (int64_t c = 0; c < channels; c++) {
            const double one = re[c] * re[c] + im[c] * im[c];
            to[c] += shells[m].weight * sqrt(one);
            square += one;
        }
        to[channels] += shells[m].weight * sqrt(square);
        to[channels + 1] += shells[m].weight * square;
    }
    for (int64_t i = 0; i < n_shells * (channels + 2); i++) sums[i] *= MPNO_ENLARGED;
}
