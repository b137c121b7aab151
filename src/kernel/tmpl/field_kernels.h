/* SPDX-License-Identifier: MIT
 * Bodies of field_kernels.h for one arithmetic type.
 * Parameters   T          float or double
 *              NAME(x)    the name of x for this T
 * Sums are f64 in a fixed order. Included by portable/field_kernels.c once per T. */

static void NAME(grid_embed)(void *dst, const void *x, int64_t first, int64_t rows,
                             int64_t channels, const mpno_grid *grid, const mpno_box *box) {
    const int64_t planes = grid->planes > 1 ? grid->planes : 1;
    T *to = dst;
    const T *from = x;
    for (int64_t r = 0; r < rows; r++, to += channels + grid->ndim, from += channels) {
        for (int64_t c = 0; c < channels; c++) to[c] = from[c];
        int64_t point = (first + r) / planes;
        const bool real = (first + r) % planes == 0;
        for (int d = grid->ndim - 1; d >= 0; d--) {
            const double share = (double)(point % grid->size[d]) / (double)grid->size[d];
            to[channels + d] =
                (T)(real ? box->start[d] + (box->stop[d] - box->start[d]) * share : 0.0);
            point /= grid->size[d];
        }
    }
}

static void NAME(dropout)(void *dst, const void *x, int64_t n, const mpno_drop *drop) {
    T *to = dst;
    const T *from = x, factor = (T)(1.0 / (1.0 - drop->rate));
    const uint32_t below = (uint32_t)(drop->rate * 0x1p32);
    uint32_t words[4] = {0};
    for (int64_t i = 0; i < n; i++) {
        const uint64_t number = drop->first + (uint64_t)i;
        if (i == 0 || number % 4 == 0) drop_words(drop, number / 4, words);
        to[i] = words[number % 4] < below ? (T)0 : from[i] * factor;
    }
}

static void NAME(times_i)(void *dst, const void *x, int64_t rows, int64_t channels, int sign) {
    T *to = dst;
    const T *from = x;
    for (int64_t r = 0; r + 1 < rows; r += 2)
        for (int64_t c = 0; c < channels; c++) {
            const T re = from[r * channels + c], im = from[(r + 1) * channels + c];
            to[r * channels + c] = sign < 0 ? im : -im;
            to[(r + 1) * channels + c] = sign < 0 ? -re : re;
        }
}

static void NAME(mode_scale)(void *dst, const void *x, const void *w, int64_t batch,
                             int64_t channels, int conjugate) {
    T *to = dst;
    const T *from = x, *wr = w, *wi = wr + channels, sign = conjugate ? -1 : 1;
    for (int64_t b = 0; b < batch; b++, to += 2 * channels, from += 2 * channels)
        for (int64_t c = 0; c < channels; c++) {
            const T re = from[c], im = from[channels + c];
            to[c] = re * wr[c] - sign * im * wi[c];
            to[channels + c] = im * wr[c] + sign * re * wi[c];
        }
}

static void NAME(mode_scale_dw)(void *dst, const void *x, const void *dy, int64_t batch,
                                int64_t channels) {
    T *to = dst;
    for (int64_t c = 0; c < channels; c++) {
        double re = 0, im = 0;
        for (int64_t b = 0; b < batch; b++) {
            const T *xb = (const T *)x + 2 * b * channels + c;
            const T *db = (const T *)dy + 2 * b * channels + c;
            re += (double)xb[0] * (double)db[0] + (double)xb[channels] * (double)db[channels];
            im += (double)xb[0] * (double)db[channels] - (double)xb[channels] * (double)db[0];
        }
        to[c] = (T)re;
        to[channels + c] = (T)im;
    }
}

static void NAME(apply_matrix)(void *dst, const void *x, const double *matrix, int transposed,
                               int64_t outer, int64_t m, int64_t n, int64_t inner) {
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < m; i++) {
            T *to = (T *)dst + (o * m + i) * inner;
            for (int64_t c0 = 0; c0 < inner; c0 += REDUCE_BLOCK) {
                const int64_t width = inner - c0 < REDUCE_BLOCK ? inner - c0 : REDUCE_BLOCK;
                double sum[REDUCE_BLOCK] = {0};
                for (int64_t j = 0; j < n; j++) {
                    const double w = transposed ? matrix[j * m + i] : matrix[i * n + j];
                    const T *from = (const T *)x + (o * n + j) * inner + c0;
                    for (int64_t c = 0; w != 0 && c < width; c++) sum[c] += w * (double)from[c];
                }
                for (int64_t c = 0; c < width; c++) to[c0 + c] = (T)sum[c];
            }
        }
}

static void NAME(take_channels)(void *dst, const void *x, int64_t rows, int64_t channels,
                                int64_t count) {
    T *to = dst;
    const T *from = x;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < count; c++) to[r * count + c] = from[r * channels + c];
}

static void NAME(transpose)(void *dst, const void *src, int64_t rows, int64_t cols) {
    T *to = dst;
    const T *from = src;
    enum { BLOCK = 16 }; /* both sides stay in L1 */
    for (int64_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (int64_t c0 = 0; c0 < cols; c0 += BLOCK)
            for (int64_t r = r0; r < rows && r < r0 + BLOCK; r++)
                for (int64_t c = c0; c < cols && c < c0 + BLOCK; c++)
                    to[c * rows + r] = from[r * cols + c];
}

static int NAME(reduce)(void *dst, const void *partials, int64_t samples, int64_t chunks,
                        int64_t count, int64_t stride) {
    T *to = dst;
    const T *from = partials;
    int nonfinite = 0;
    for (int64_t i0 = 0; i0 < count;
         i0 += REDUCE_BLOCK) { /* partials are read in long runs, sums stay in L1 */
        const int64_t n = count - i0 < REDUCE_BLOCK ? count - i0 : REDUCE_BLOCK;
        double total[REDUCE_BLOCK] = {0};
        for (int64_t s = 0; s < samples; s++) {
            double sample[REDUCE_BLOCK] = {0};
            for (int64_t k = 0; k < chunks; k++)
                for (int64_t i = 0; i < n; i++)
                    sample[i] += (double)from[(s * chunks + k) * stride + i0 + i];
            for (int64_t i = 0; i < n; i++) total[i] += sample[i];
        }
        for (int64_t i = 0; i < n; i++) {
            to[i0 + i] = (T)total[i];
            nonfinite |= !isfinite(to[i0 + i]);
        }
    }
    return nonfinite;
}

static int NAME(narrow)(void *dst, const double *src, int64_t count) {
    T *to = dst;
    int nonfinite = 0;
    for (int64_t i = 0; i < count; i++) {
        to[i] = (T)src[i];
        nonfinite |= !isfinite(to[i]);
    }
    return nonfinite;
}

static void NAME(norm_coefficients)(void *scale, void *shift, const double *sums, const void *gamma,
                                    const void *beta, const mpno_norm_shape *shape) {
    T *a = scale, *b = shift;
    const T *g = gamma, *h = beta;
    const int64_t width = shape->channels / shape->groups;
    for (int64_t c0 = 0; c0 < shape->channels; c0 += width) {
        const norm_moments m = group_moments(sums + 2 * c0, width, shape);
        for (int64_t c = c0; c < c0 + width; c++) {
            const double factor = m.rstd * (g != NULL ? (double)g[c] : 1.0);
            a[c] = (T)factor;
            b[c] = (T)((h != NULL ? (double)h[c] : 0.0) - m.mean * factor);
        }
    }
}

static void NAME(norm_grad_coefficients)(void *p, void *q, void *r, const double *sums,
                                         const double *grads, const void *gamma,
                                         const mpno_norm_shape *shape) {
    T *to_p = p, *to_q = q, *to_r = r;
    const T *g = gamma;
    const int64_t width = shape->channels / shape->groups;
    const double n = (double)(shape->points * width);
    for (int64_t c0 = 0; c0 < shape->channels; c0 += width) {
        const norm_moments m = group_moments(sums + 2 * c0, width, shape);
        double s1 = 0, s2 = 0; /* means of gamma dy and of gamma dy xhat */
        for (int64_t c = c0; c < c0 + width; c++) {
            const double weight = g != NULL ? (double)g[c] : 1.0;
            s1 += weight * grads[c];
            s2 += weight * (grads[shape->channels + c] - m.mean * grads[c]) * m.rstd;
        }
        s1 /= n, s2 /= n;
        for (int64_t c = c0; c < c0 + width; c++) {
            to_p[c] = (T)(-m.rstd * m.rstd * s2);
            to_q[c] = (T)(m.rstd * (g != NULL ? (double)g[c] : 1.0));
            to_r[c] = (T)(-m.rstd * s1 + m.rstd * m.rstd * m.mean * s2);
        }
    }
}

static int NAME(norm_weight_grads)(void *dgamma, void *dbeta, const double *sums,
                                   const double *grads, int64_t batch,
                                   const mpno_norm_shape *shape) {
    T *to_gamma = dgamma, *to_beta = dbeta;
    int nonfinite = 0;
    const int64_t channels = shape->channels, width = channels / shape->groups;
    for (int64_t c0 = 0; c0 < channels; c0 += width) {
        for (int64_t c = c0; c < c0 + width; c++) {
            double by_gamma = 0, by_beta = 0;
            for (int64_t s = 0; s < batch; s++) {
                const norm_moments m = group_moments(sums + 2 * (s * channels + c0), width, shape);
                const double *g = grads + 2 * s * channels;
                by_gamma += (g[channels + c] - m.mean * g[c]) * m.rstd;
                by_beta += g[c];
            }
            to_gamma[c] = (T)by_gamma;
            to_beta[c] = (T)by_beta;
            nonfinite |= !isfinite(to_gamma[c]) || !isfinite(to_beta[c]);
        }
    }
    return nonfinite;
}

static void NAME(moments_of)(double *dst, const void *mean, const void *variance, int64_t batch,
                             int64_t points, int64_t channels) {
    const T *m = mean, *v = variance;
    for (int64_t s = 0; s < batch; s++)
        for (int64_t c = 0; c < channels; c++) {
            const double mu = (double)m[c];
            dst[2 * (s * channels + c)] = mu * (double)points;
            dst[2 * (s * channels + c) + 1] = ((double)v[c] + mu * mu) * (double)points;
        }
}

static void NAME(move)(void *x, const void *to, double rate, int64_t n) {
    T *at = x;
    const T *target = to;
    for (int64_t i = 0; i < n; i++)
        at[i] = (T)((double)at[i] + rate * ((double)target[i] - (double)at[i]));
}

static void NAME(count_one)(void *x) {
    *(T *)x += 1;
}

static int NAME(statistics_of)(void *mean, void *variance, const double *sums, int64_t batch,
                               int64_t points, int64_t channels) {
    T *to_mean = mean, *to_variance = variance;
    int nonfinite = 0;
    for (int64_t c = 0; c < channels; c++) {
        const double n = (double)points * (double)batch, mu = sums[2 * c] / (double)points;
        const double biased = sums[2 * c + 1] / (double)points - mu * mu;
        to_mean[c] = (T)mu;
        to_variance[c] = (T)((biased > 0 ? biased : 0) * (n > 1 ? n / (n - 1) : 1));
        nonfinite |= !isfinite(to_mean[c]) || !isfinite(to_variance[c]);
    }
    return nonfinite;
}

/* Difference (or the value of y alone, when p is NULL) at point i of channel c. */
static inline double NAME(error_at)(const T *p, const T *y, int64_t i) {
    return p != NULL ? (double)p[i] - (double)y[i] : (double)y[i];
}

/* 2 h D e at node k of the line of n nodes, `step` values apart, whose first is value `first`. */
static inline double NAME(slope)(const T *p, const T *y, int64_t first, int64_t step, int64_t k,
                                 int64_t n, bool one_sided) {
    if (one_sided && (k == 0 || k == n - 1)) {
        const int64_t at = first + k * step, inward = k == 0 ? step : -step;
        double sum = 0;
        for (int i = 0; i < 4; i++) sum += edge_row[i] * NAME(error_at)(p, y, at + i * inward);
        return k == 0 ? sum : -sum;
    }
    const int64_t next = k + 1 == n ? 0 : k + 1, last = k == 0 ? n - 1 : k - 1;
    return NAME(error_at)(p, y, first + next * step) - NAME(error_at)(p, y, first + last * step);
}

/* (2 h)^2 D' D e at node k of a line: each row of D that reads node k, times its coefficient. */
static inline double NAME(slope_adjoint)(const T *p, const T *y, int64_t first, int64_t step,
                                         int64_t k, int64_t n, bool one_sided) {
    if (!one_sided) {
        const double e = NAME(error_at)(p, y, first + k * step);
        const int64_t next = (k + 2) % n, last = (k + 2 * n - 2) % n;
        return 2 * e - NAME(error_at)(p, y, first + next * step) -
               NAME(error_at)(p, y, first + last * step);
    }
    double sum = 0;
    if (k > 1) sum += NAME(slope)(p, y, first, step, k - 1, n, true);
    if (k < n - 2) sum -= NAME(slope)(p, y, first, step, k + 1, n, true);
    if (k < 4) sum += edge_row[k] * NAME(slope)(p, y, first, step, 0, n, true);
    if (n - 1 - k < 4) sum -= edge_row[n - 1 - k] * NAME(slope)(p, y, first, step, n - 1, n, true);
    return sum;
}

/* |e|^2 (+ sum_j |D_j e|^2 for H1; the sum of |e| for L1) of one channel of one sample. */
static double NAME(size_of)(const mpno_objective *o, mpno_loss kind, const T *p, const T *y,
                            const mpno_grid *grid, int64_t channels) {
    double total = 0;
    for (int64_t i = 0; i < grid->points; i++) {
        const double e = NAME(error_at)(p, y, i * channels);
        total += kind == MPNO_LOSS_L1 ? fabs(e) : e * e;
    }
    if (kind != MPNO_LOSS_H1) return total;
    int64_t stride = grid->points;
    for (int d = 0; d < grid->ndim; d++) {
        const int64_t n = grid->size[d], block = stride;
        stride /= n;
        double sum = 0;
        for (int64_t base = 0; base < grid->points; base += block)
            for (int64_t k = 0; k < n; k++)
                for (int64_t i = base; i < base + stride; i++) {
                    const double e =
                        NAME(slope)(p, y, i * channels, stride * channels, k, n, o->one_sided[d]);
                    sum += e * e;
                }
        total += sum * slope_factor(o, grid, d);
    }
    return total;
}

/* Value and factor of one term for one channel, without weights. */
static void NAME(loss_term)(const mpno_objective *o, const mpno_loss_term *term, double *out,
                            double *factor, const T *p, const T *y, const mpno_grid *grid,
                            int64_t channels) {
    const double error = NAME(size_of)(o, term->kind, p, y, grid, channels);
    const double cell = cell_volume(o, grid);
    if (term->kind == MPNO_LOSS_MSE) {
        *out = error / (double)grid->points;
        *factor = 2.0 / (double)grid->points;
        return;
    }
    const double size =
        term->absolute ? 1.0 / cell : NAME(size_of)(o, term->kind, NULL, y, grid, channels);
    const double below =
        (term->kind == MPNO_LOSS_L1 ? size : sqrt(size)) + (term->absolute ? 0.0 : 1e-8);
    if (term->kind == MPNO_LOSS_L1) {
        *out = error / below;
        *factor = 1.0 / below;
    } else {
        *out = sqrt(error) / below;
        *factor = error > 0 ? 1.0 / (sqrt(error) * below) : 0.0;
    }
}

static void NAME(loss)(const mpno_objective *o, double *out, const void *prediction,
                       const void *target, const mpno_grid *grid, int64_t channels) {
    for (int64_t c = 0; c < channels; c++, out += 1 + o->n_terms) {
        const T *p = (const T *)prediction + c, *y = (const T *)target + c;
        out[0] = 0;
        for (int t = 0; t < o->n_terms; t++) {
            const double weight =
                o->term[t].weight * (o->channel_weights != NULL ? o->channel_weights[c] : 1.0);
            double value;
            NAME(loss_term)(o, &o->term[t], &value, &out[1 + t], p, y, grid, channels);
            out[0] += weight * value;
            out[1 + t] *= weight;
        }
    }
}

/* Half the derivative of a term's squared size by the error at point i (L1: its sign). index: of
 * the point, by axes. */
static double NAME(direction)(const mpno_objective *o, mpno_loss kind, const T *p, const T *y,
                              int64_t i, const int64_t *index, const mpno_grid *grid,
                              int64_t channels) {
    const double e = NAME(error_at)(p, y, i * channels);
    if (kind == MPNO_LOSS_L1) return (double)((e > 0) - (e < 0));
    double sum = e;
    int64_t stride = grid->points;
    for (int d = 0; kind == MPNO_LOSS_H1 && d < grid->ndim; d++) {
        const int64_t n = grid->size[d];
        stride /= n;
        sum += NAME(slope_adjoint)(p, y, (i - index[d] * stride) * channels, stride * channels,
                                   index[d], n, o->one_sided[d]) *
               slope_factor(o, grid, d);
    }
    return sum;
}

static int NAME(loss_grad)(const mpno_objective *o, void *dprediction, const void *prediction,
                           const void *target, const double *loss, double scale,
                           const mpno_grid *grid, int64_t channels) {
    const int64_t planes = grid->planes > 1 ? grid->planes : 1;
    int nonfinite = 0;
    for (int64_t c = 0; c < channels; c++, loss += 1 + o->n_terms) {
        const T *p = (const T *)prediction + c, *y = (const T *)target + c;
        T *to = (T *)dprediction + c;
        int64_t index[MPNO_GRID_MAX_DIMS] = {0};
        for (int64_t i = 0; i < grid->points; i++) {
            double sum = 0;
            for (int t = 0; t < o->n_terms; t++)
                sum += scale * loss[1 + t] *
                       NAME(direction)(o, o->term[t].kind, p, y, i, index, grid, channels);
            to[i * channels] = (T)sum;
            nonfinite |= !isfinite(to[i * channels]);
            if ((i + 1) % planes != 0) continue;
            for (int d = grid->ndim - 1; d >= 0 && ++index[d] == grid->size[d]; d--) index[d] = 0;
        }
    }
    return nonfinite;
}

static const mpno_field_kernels NAME(table) = {
    .grid_embed = NAME(grid_embed),
    .take_channels = NAME(take_channels),
    .dropout = NAME(dropout),
    .times_i = NAME(times_i),
    .mode_scale = NAME(mode_scale),
    .mode_scale_dw = NAME(mode_scale_dw),
    .apply_matrix = NAME(apply_matrix),
    .transpose = NAME(transpose),
    .reduce = NAME(reduce),
    .reduce_samples = reduce_samples,
    .narrow = NAME(narrow),
    .norm_coefficients = NAME(norm_coefficients),
    .norm_grad_coefficients = NAME(norm_grad_coefficients),
    .norm_weight_grads = NAME(norm_weight_grads),
    .average_samples = average_samples,
    .moments_of = NAME(moments_of),
    .move = NAME(move),
    .count_one = NAME(count_one),
    .statistics_of = NAME(statistics_of),
    .loss = NAME(loss),
    .loss_grad = NAME(loss_grad),
};
