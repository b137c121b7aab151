/* SPDX-License-Identifier: MIT
 * Ranges of ops that change the grid of a field (S13). */
#include <math.h>

#include "certify/range/range.h"

/* Zeros around a field, or a part of it: the squares add up to no more than before. */
static void other_grid(mpno_range_walk *w, const mpno_node *node, bool zeros) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double from = mpno_range_points(w->graph, node->in[0]),
                 to = mpno_range_points(w->graph, node->out[0]);
    for (int64_t c = 0; c < y->channels; c++) {
        mpno_range_set(y, c, zeros ? fmin(x->low[c], 0) : x->low[c],
                       zeros ? fmax(x->high[c], 0) : x->high[c], x->rms[c] * sqrt(from / to));
    }
}

mpno_status mpno_range_pad(mpno_range_walk *w, const mpno_node *node) {
    other_grid(w, node, true);
    return MPNO_OK;
}

mpno_status mpno_range_crop(mpno_range_walk *w, const mpno_node *node) {
    other_grid(w, node, false);
    return MPNO_OK;
}

/* Largest sums of magnitudes over the rows and the columns of a matrix [to][from]: the norms that
 * belong to the largest number and to the sum. That of the squares is at most the root of their
 * product. */
static void norms(const double *matrix, int64_t to, int64_t from, double *rows, double *columns) {
    *rows = *columns = 0;
    for (int64_t i = 0; i < to; i++) {
        double sum = 0;
        for (int64_t j = 0; j < from; j++) sum += fabs(matrix[i * from + j]);
        *rows = fmax(*rows, sum);
    }
    for (int64_t j = 0; j < from; j++) {
        double sum = 0;
        for (int64_t i = 0; i < to; i++) sum += fabs(matrix[i * from + j]);
        *columns = fmax(*columns, sum);
    }
}

mpno_status mpno_range_interpolate(mpno_range_walk *w, const mpno_node *node) {
    const mpno_lines *lines = node->attr.lines;
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    double most = 1, squares = 1;
    for (int d = 0; d < lines->ndim; d++) {
        double rows, columns;
        if (lines->matrix[d] == NULL) continue;
        norms(lines->matrix[d], lines->to[d], lines->from[d], &rows, &columns);
        most *= rows * (1 + 4 * mpno_range_unit(w)); /* f64 sums, rounded once */
        squares *= rows * columns * (double)lines->from[d] / (double)lines->to[d] *
                   (1 + 8 * mpno_range_unit(w));
    }
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = most * x->most[c];
        y->rms[c] = sqrt(squares) * x->rms[c];
    }
    return MPNO_OK;
}
