/* SPDX-License-Identifier: MIT
 * Norms of differences from the oracle's results, see quad_network.h, with the oracle's precision.
 * Source: include/mpno/loss.h, absolute losses. */
#include <stdlib.h>

#include "support/quad_network.h"
#include "support/quad_real.h"

typedef struct difference {
    const quad_domain *domain;
    const quad *e; /* [points][planes][channels] */
    int64_t row;   /* planes x channels */
} difference;

/* Derivative along axis d at a point that lies `at` along it, of number `i` of its row. */
static quad derivative(const difference *f, int d, int64_t point, int64_t at, int64_t i) {
    static const int inner[] = {-11, 18, -9, 2};
    const quad_domain *domain = f->domain;
    const int64_t n = domain->grid[d];
    const quad length = domain->measure[d] == 0 ? 1 : (quad)domain->measure[d],
               h = length / (quad)n;
    int64_t stride = 1;
    for (int j = d + 1; j < domain->ndim; j++) stride *= domain->grid[j];
    const int64_t line = point - at * stride;
    quad sum = 0;
    if (domain->one_sided[d] && (at == 0 || at == n - 1)) {
        for (int k = 0; k < 4; k++) {
            const int64_t place = at == 0 ? k : n - 1 - k;
            sum += (at == 0 ? inner[k] : -inner[k]) * f->e[(line + place * stride) * f->row + i];
        }
        return sum / (6 * h);
    }
    const int64_t after = (at + 1) % n, before = (at + n - 1) % n;
    sum = f->e[(line + after * stride) * f->row + i] - f->e[(line + before * stride) * f->row + i];
    return sum / (2 * h);
}

static quad_norms norms_of(const difference *f, int64_t points) {
    const quad_domain *domain = f->domain;
    quad squares = 0, slopes = 0, most = 0, volume = 1;
    for (int d = 0; d < domain->ndim; d++)
        volume *= (domain->measure[d] == 0 ? 1 : (quad)domain->measure[d]) / (quad)domain->grid[d];
    for (int64_t p = 0; p < points; p++)
        for (int64_t i = 0; i < f->row; i++) {
            const quad size = QUAD(fabs)(f->e[p * f->row + i]);
            int64_t rest = p;
            squares += size * size;
            if (size > most) most = size;
            for (int d = domain->ndim - 1; d >= 0; d--) {
                const quad slope = derivative(f, d, p, rest % domain->grid[d], i);
                slopes += slope * slope;
                rest /= domain->grid[d];
            }
        }
    const quad l2 = QUAD(sqrt)(volume * squares), h1 = QUAD(sqrt)(volume * (squares + slopes));
    return (quad_norms){(double)l2, (double)h1, (double)most};
}

quad_norms quad_distance(const quad_domain *domain, const quad_number *exact,
                         const double *answer) {
    int64_t points = 1;
    for (int d = 0; d < domain->ndim; d++) points *= domain->grid[d];
    const int64_t row = domain->planes * domain->channels;
    quad *e = calloc((size_t)(points * row), sizeof *e);
    if (e == NULL) abort(); /* a test without memory cannot go on */
    for (int64_t i = 0; i < points * row; i++) {
        const quad y = (quad)exact[i].high + (quad)exact[i].low;
        e[i] = answer == NULL ? y : (quad)answer[i] - y;
    }
    const difference f = {domain, e, row};
    const quad_norms norms = norms_of(&f, points);
    free(e);
    return norms;
}
