/* SPDX-License-Identifier: MIT
 * Eigenvectors of Hermitian matrices by cyclic Jacobi rotations: each makes one element off the
 * diagonal zero, until those left have 1e-15 of the whole (Golub & Van Loan, section 8.5). For
 * matrices of some hundred rows, where a decomposition is made once. */
#include <math.h>
#include <string.h>

#include "model/decompose.h"

enum { MOST_SWEEPS = 30 };

typedef struct rotation {
    double c, re, im; /* cosine; sine times a phase */
} rotation;

/* Columns p and q of [2][n][n]: x_p = c x_p - conj(s) x_q, x_q = s x_p + c x_q. */
static void turn_columns(int64_t n, double *m, int64_t p, int64_t q, const rotation *r) {
    for (int64_t i = 0; i < n; i++) {
        double *re = m + i * n, *im = re + n * n;
        const double pr = re[p], pi = im[p], qr = re[q], qi = im[q];
        re[p] = r->c * pr - (r->re * qr + r->im * qi);
        im[p] = r->c * pi - (r->re * qi - r->im * qr);
        re[q] = r->re * pr - r->im * pi + r->c * qr;
        im[q] = r->re * pi + r->im * pr + r->c * qi;
    }
}

/* Rows likewise, by the conjugates. */
static void turn_rows(int64_t n, double *m, int64_t p, int64_t q, const rotation *r) {
    double *pre = m + p * n, *pim = pre + n * n, *qre = m + q * n, *qim = qre + n * n;
    for (int64_t i = 0; i < n; i++) {
        const double pr = pre[i], pi = pim[i], qr = qre[i], qi = qim[i];
        pre[i] = r->c * pr - (r->re * qr - r->im * qi);
        pim[i] = r->c * pi - (r->re * qi + r->im * qr);
        qre[i] = r->re * pr + r->im * pi + r->c * qr;
        qim[i] = r->re * pi - r->im * pr + r->c * qi;
    }
}

/* The rotation that makes element (p, q) zero. */
static bool find_rotation(int64_t n, const double *m, int64_t p, int64_t q, double least,
                          rotation *r) {
    const double re = m[p * n + q], im = m[n * n + p * n + q], size = hypot(re, im);
    if (size <= least) return false;
    const double theta = (m[q * n + q] - m[p * n + p]) / (2 * size);
    const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(1 + theta * theta));
    r->c = 1 / sqrt(1 + t * t);
    r->re = r->c * t * re / size, r->im = r->c * t * im / size;
    return true;
}

static double norm_of(const double *m, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += m[i] * m[i];
    return sqrt(sum);
}

static void exchange_columns(int64_t n, double *m, int64_t p, int64_t q) {
    for (int64_t i = 0; i < 2 * n; i++) {
        const double kept = m[i * n + p];
        m[i * n + p] = m[i * n + q];
        m[i * n + q] = kept;
    }
}

void mpno_hermitian_vectors(int64_t n, double *matrix, double *vectors) {
    const double least = 1e-16 * norm_of(matrix, 2 * (size_t)(n * n)) / (double)n;
    bool turned = true;
    memset(vectors, 0, 2 * (size_t)(n * n) * sizeof *vectors);
    for (int64_t i = 0; i < n; i++) vectors[i * n + i] = 1;
    for (int sweep = 0; turned && sweep < MOST_SWEEPS; sweep++) {
        turned = false;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++) {
                rotation r;
                if (!find_rotation(n, matrix, p, q, least, &r)) continue;
                turn_columns(n, matrix, p, q, &r);
                turn_rows(n, matrix, p, q, &r);
                turn_columns(n, vectors, p, q, &r);
                turned = true;
            }
    }
    for (int64_t i = 0; i < n; i++) { /* the largest first */
        int64_t largest = i;
        for (int64_t k = i + 1; k < n; k++)
            if (matrix[k * n + k] > matrix[largest * n + largest]) largest = k;
        if (largest == i) continue;
        const double kept = matrix[i * n + i];
        matrix[i * n + i] = matrix[largest * n + largest];
        matrix[largest * n + largest] = kept;
        exchange_columns(n, vectors, i, largest);
    }
}
