/* SPDX-License-Identifier: MIT
 * Rows of first differences and of their normal matrix: see differences.h. */
#include "kernel/differences.h"

static void add(mpno_stencil *s, int64_t step, double weight) {
    for (int i = 0; i < s->n; i++)
        if (s->step[i] == step) {
            s->weight[i] += weight;
            return;
        }
    s->step[s->n] = step;
    s->weight[s->n++] = weight;
}

static mpno_stencil periodic_row(const mpno_axis *axis, int64_t k, bool squared) {
    const double slope = 0.5 / axis->h, scale = squared ? -slope * slope : slope;
    const int64_t n = axis->n, reach = squared ? 2 : 1;
    mpno_stencil s = {0};
    if (squared) add(&s, 0, -2 * scale);
    add(&s, (k + reach) % n - k, scale);
    add(&s, (k + (n - 1) * reach) % n - k, squared ? scale : -scale);
    return s;
}

static mpno_stencil one_sided_row(const mpno_axis *axis, int64_t k) {
    static const double end[] = {-11, 18, -9, 2};
    mpno_stencil s = {0};
    if (k > 0 && k + 1 < axis->n) {
        add(&s, 1, 0.5 / axis->h);
        add(&s, -1, -0.5 / axis->h);
        return s;
    }
    const int sign = k == 0 ? 1 : -1;
    for (int i = 0; i < 4; i++) add(&s, sign * i, sign * end[i] / (6 * axis->h));
    return s;
}

/* Row k of D'D = sum over the rows m of D that see k of D_mk D_m; those are the two ends and its
 * neighbours. */
static mpno_stencil one_sided_squared_row(const mpno_axis *axis, int64_t k) {
    const int64_t n = axis->n, rows[] = {0, n - 1, k - 1, k + 1};
    mpno_stencil s = {0};
    for (int r = 0; r < 4; r++) {
        const int64_t m = rows[r];
        if (m < 0 || m >= n || (r >= 2 && (m == 0 || m == n - 1))) continue;
        const mpno_stencil row = one_sided_row(axis, m);
        double at_k = 0;
        for (int i = 0; i < row.n; i++)
            if (m + row.step[i] == k) at_k = row.weight[i];
        for (int i = 0; at_k != 0 && i < row.n; i++)
            add(&s, m + row.step[i] - k, at_k * row.weight[i]);
    }
    return s;
}

static mpno_stencil make_row(const mpno_axis *axis, int64_t k, bool squared) {
    mpno_stencil s = !axis->one_sided ? periodic_row(axis, k, squared)
                     : squared        ? one_sided_squared_row(axis, k)
                                      : one_sided_row(axis, k);
    for (int i = 0; i < s.n; i++) s.step[i] *= axis->stride;
    return s;
}

void mpno_differences_make(mpno_differences *rows, const mpno_axis *axis, bool squared) {
    rows->n = axis->n;
    rows->edge = !squared ? 1 : axis->one_sided ? MPNO_DIFFERENCES_EDGE : 2;
    for (int64_t i = 0; i < rows->edge && i < axis->n; i++) {
        rows->first[i] = make_row(axis, i, squared);
        rows->last[i] = make_row(axis, axis->n - 1 - i, squared);
    }
    if (axis->n > 2 * rows->edge) rows->middle = make_row(axis, rows->edge, squared);
}
