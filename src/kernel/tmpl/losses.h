/* SPDX-License-Identifier: MIT
 * Losses of one sample and their gradients, for one arithmetic type (definitions: mpno/loss.h).
 * Parameters   T          float or double
 *              NAME(x)    the name of x for this T
 * Sums are f64: one accumulator per place in a block of rows, added up per channel at the end, an
 * order that depends on nothing but the shape. Included by portable/field_kernels.c once per T. */

/* to[rows][width] = e of a block, or y alone when p is NULL. */
static void NAME(values)(double *to, const T *p, const T *y, const loss_block *b) {
    for (int64_t r = 0; r < b->runs; r++, to += b->length) {
        const T *pr = p != NULL ? p + b->at + r * b->pitch : NULL, *yr = y + b->at + r * b->pitch;
        for (int64_t i = 0; pr != NULL && i < b->length; i++) to[i] = (double)pr[i] - (double)yr[i];
        for (int64_t i = 0; pr == NULL && i < b->length; i++) to[i] = (double)yr[i];
    }
}

/* to[n] += sum_i weight_i e(at + step_i). */
static void NAME(add_stencil)(double *to, const T *p, const T *y, int64_t at, int64_t n,
                              const mpno_stencil *s) {
    for (int t = 0; t < s->n; t++) {
        const double w = s->weight[t];
        const T *pr = p != NULL ? p + at + s->step[t] : NULL, *yr = y + at + s->step[t];
        for (int64_t i = 0; pr != NULL && i < n; i++) to[i] += w * ((double)pr[i] - (double)yr[i]);
        for (int64_t i = 0; pr == NULL && i < n; i++) to[i] += w * (double)yr[i];
    }
}

/* Adds the differences of a block along one axis, run by run of rows that share a stencil. */
static void NAME(add_axis)(double *to, const T *p, const T *y, const loss_block *b,
                           const loss_axis *axis) {
    const int64_t end = b->row + b->rows;
    int64_t row = b->row, k = row / axis->inner % axis->rows.n, next = row - row % axis->inner;
    while (row < end) { /* next: first row of step k */
        const mpno_stencil *s = &axis->rows.middle;
        int64_t steps = 1;
        if (k < axis->rows.edge)
            s = &axis->rows.first[k];
        else if (k >= axis->rows.n - axis->rows.edge)
            s = &axis->rows.last[axis->rows.n - 1 - k];
        else
            steps = axis->rows.n - axis->rows.edge - k;
        next += steps * axis->inner;
        k = k + steps == axis->rows.n ? 0 : k + steps;
        const int64_t stop = next < end ? next : end, rows = stop - row;
        if (b->width == b->pitch)
            NAME(add_stencil)(to, p, y, b->at + (row - b->row) * b->pitch, rows * b->width, s);
        for (int64_t r = row; b->width != b->pitch && r < stop; r++) NAME(add_stencil)
        (to + (r - row) * b->width, p, y, b->at + (r - b->row) * b->pitch, b->width, s);
        to += rows * b->width;
        row = stop;
    }
}

/* Of the channels of a chunk: the sum of |e| for L1, else of squares (with differences for H1). */
static void NAME(measure)(mpno_loss kind, double *total, const T *p, const T *y,
                          const loss_chunk *chunk) {
    double sum[LOSS_BLOCK] = {0}, e[LOSS_BLOCK];
    for (loss_block b = first_block(chunk); b.rows > 0; next_block(chunk, &b)) {
        const int64_t n = b.rows * b.width;
        NAME(values)(e, p, y, &b);
        if (kind == MPNO_LOSS_L1) {
            moduli(e, chunk, &b);
            for (int64_t i = 0; i < n; i++) sum[i] += e[i];
            continue;
        }
        for (int64_t i = 0; i < n; i++) sum[i] += e[i] * e[i];
        for (int d = 0; kind == MPNO_LOSS_H1 && d < chunk->ndim; d++) {
            memset(e, 0, (size_t)n * sizeof *e);
            NAME(add_axis)(e, p, y, &b, &chunk->axis[d]);
            for (int64_t i = 0; i < n; i++) sum[i] += e[i] * e[i];
        }
    }
    gather(total, sum, chunk);
}

static void NAME(loss)(const mpno_objective *o, double *out, const void *prediction,
                       const void *target, const mpno_grid *grid, int64_t channels) {
    const int stride = 1 + o->n_terms;
    loss_chunk chunk;
    start_chunks(&chunk, o, grid, channels, false);
    while (next_chunk(&chunk)) {
        double error[LOSS_CHANNELS], size[LOSS_CHANNELS] = {0};
        double *to = out + chunk.channel * stride;
        for (int64_t c = 0; c < chunk.width; c++) to[c * stride] = 0;
        for (int t = 0; t < o->n_terms; t++) {
            const mpno_loss_term *term = &o->term[t];
            NAME(measure)(term->kind, error, prediction, target, &chunk);
            if (!term->absolute && term->kind != MPNO_LOSS_MSE)
                NAME(measure)(term->kind, size, NULL, target, &chunk);
            for (int64_t c = 0; c < chunk.width; c++) {
                const loss_value v = finish(term, error[c], size[c], &chunk);
                const double weight = term_weight(o, t, chunk.channel + c);
                to[c * stride] += weight * v.value;
                to[c * stride + 1 + t] = weight * v.factor;
            }
        }
    }
}

/* e[n] <- half the derivative of a term's measure by the errors of a block (L1: all of it). */
static void NAME(slope)(mpno_loss kind, double *e, const T *p, const T *y, const loss_block *b,
                        const loss_chunk *chunk) {
    NAME(values)(e, p, y, b);
    for (int d = 0; kind == MPNO_LOSS_H1 && d < chunk->ndim; d++)
        NAME(add_axis)(e, p, y, b, &chunk->axis[d]);
    if (kind == MPNO_LOSS_L1) directions(e, chunk, b);
}

/* to <- sum, rounded to T. Gives 1 when a value is not finite. */
static int NAME(put)(T *to, const double *sum, const loss_block *b) {
    int nonfinite = 0;
    for (int64_t r = 0; r < b->runs; r++, to += b->pitch, sum += b->length) {
        for (int64_t i = 0; i < b->length; i++) to[i] = (T)sum[i];
        for (int64_t i = 0; i < b->length; i++) nonfinite |= !isfinite(to[i]);
    }
    return nonfinite;
}

static int NAME(loss_grad)(const mpno_objective *o, void *dprediction, const void *prediction,
                           const void *target, const double *loss, double scale,
                           const mpno_grid *grid, int64_t channels) {
    int nonfinite = 0;
    loss_chunk chunk;
    start_chunks(&chunk, o, grid, channels, true);
    while (next_chunk(&chunk)) {
        double factor[MPNO_MAX_LOSS_TERMS][LOSS_BLOCK];
        spread_factors(factor, o, loss, scale, &chunk);
        for (loss_block b = first_block(&chunk); b.rows > 0; next_block(&chunk, &b)) {
            double e[LOSS_BLOCK], sum[LOSS_BLOCK] = {0};
            const int64_t n = b.rows * b.width;
            for (int t = 0; t < o->n_terms; t++) {
                NAME(slope)(o->term[t].kind, e, prediction, target, &b, &chunk);
                for (int64_t i = 0; i < n; i++) sum[i] += factor[t][i] * e[i];
            }
            nonfinite |= NAME(put)((T *)dprediction + b.at, sum, &b);
        }
    }
    return nonfinite;
}
