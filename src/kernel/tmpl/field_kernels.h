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

static void NAME(squash)(void *dst, const void *x, mpno_squash kind, int64_t n) {
    T *to = dst;
    const T *from = x;
    for (int64_t i = 0; i < n; i++) to[i] = (T)squash_of(kind, (double)from[i]);
}

static void NAME(squash_grad)(void *dst, const void *x, const void *dy, mpno_squash kind,
                              int64_t n) {
    T *to = dst;
    const T *from = x, *slope = dy;
    for (int64_t i = 0; i < n; i++)
        to[i] = (T)((double)slope[i] * squash_slope(kind, (double)from[i]));
}

static void NAME(scale)(void *dst, const void *x, double factor, int64_t n) {
    T *to = dst;
    const T *from = x;
    for (int64_t i = 0; i < n; i++) to[i] = (T)factor * from[i];
}

static double NAME(value)(const void *x) {
    return (double)*(const T *)x;
}

static void NAME(sigma_clip)(void *dst, const void *x, const mpno_sigma *sigma, int64_t n) {
    T *to = dst;
    const T *from = x, low = (T)sigma->low, high = (T)sigma->high;
    for (int64_t i = 0; i < n; i++) to[i] = from[i] < low ? low : from[i] > high ? high : from[i];
}

static void NAME(sigma_clip_sums)(double *sums, const void *dy, const void *x,
                                  const mpno_sigma *sigma, int64_t rows, int64_t channels) {
    const T *at = x, *slope = dy, low = (T)sigma->low, high = (T)sigma->high;
    for (int64_t i = 0; i < rows * channels; i++) {
        if (at[i] < low) sums[i % channels] += (double)slope[i];
        if (at[i] > high) sums[channels + i % channels] += (double)slope[i];
    }
}

/* The limits are m -+ 2 s, with dm/dx = 1 / n and ds/dx = (x - m) / (n s). */
static void NAME(sigma_clip_dx)(void *dst, const void *dy, const void *x, const double *sums,
                                const mpno_sigma *sigma, int64_t n, int64_t channels) {
    T *to = dst;
    const T *at = x, *slope = dy, low = (T)sigma->low, high = (T)sigma->high;
    double below = 0, above = 0;
    for (int64_t c = 0; c < channels; c++) below += sums[c], above += sums[channels + c];
    const double s = sigma->deviation;
    const double p = s > 0 ? 2 * (above - below) / (sigma->n * s) : 0;
    const double r = (above + below) / sigma->n - p * sigma->mean;
    for (int64_t i = 0; i < n; i++) {
        const double inside = at[i] < low || at[i] > high ? 0 : (double)slope[i];
        to[i] = (T)(inside + p * (double)at[i] + r);
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

static void NAME(copy_strided)(void *dst, const int64_t *dst_stride, const void *src,
                               const int64_t *src_stride, const int64_t *size, int ndim) {
    T *to = dst;
    const T *from = src;
    if (ndim == 0) {
        *to = *from;
    } else if (ndim > 1) {
        for (int64_t i = 0; i < size[0]; i++)
            NAME(copy_strided)
            (to + i * dst_stride[0], dst_stride + 1, from + i * src_stride[0], src_stride + 1,
             size + 1, ndim - 1);
    } else if (dst_stride[0] == 1 && src_stride[0] == 1) {
        for (int64_t i = 0; i < size[0]; i++) to[i] = from[i];
    } else {
        for (int64_t i = 0; i < size[0]; i++) to[i * dst_stride[0]] = from[i * src_stride[0]];
    }
}

static void NAME(mode_scale_dw)(void *dst, const void *x, const void *dy, int64_t batch,
                                int64_t channels, double *chain) {
    T *to = dst;
    for (int64_t c = 0; c < channels; c++) {
        double re = chain != NULL ? chain[c] : 0, im = chain != NULL ? chain[channels + c] : 0;
        for (int64_t b = 0; b < batch; b++) {
            const T *xb = (const T *)x + 2 * b * channels + c;
            const T *db = (const T *)dy + 2 * b * channels + c;
            re += (double)xb[0] * (double)db[0] + (double)xb[channels] * (double)db[channels];
            im += (double)xb[0] * (double)db[channels] - (double)xb[channels] * (double)db[0];
        }
        to[c] = (T)re;
        to[channels + c] = (T)im;
        if (chain != NULL) chain[c] = re, chain[channels + c] = im;
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

static int NAME(reduce)(void *dst, const void *partials, int64_t samples, int64_t chunks,
                        int64_t count, int64_t stride, double *chain) {
    T *to = dst;
    const T *from = partials;
    int nonfinite = 0;
    for (int64_t i0 = 0; i0 < count;
         i0 += REDUCE_BLOCK) { /* partials are read in long runs, sums stay in L1 */
        const int64_t n = count - i0 < REDUCE_BLOCK ? count - i0 : REDUCE_BLOCK;
        double total[REDUCE_BLOCK] = {0};
        for (int64_t i = 0; chain != NULL && i < n; i++) total[i] = chain[i0 + i];
        for (int64_t s = 0; s < samples; s++) {
            double sample[REDUCE_BLOCK] = {0};
            for (int64_t k = 0; k < chunks; k++)
                for (int64_t i = 0; i < n; i++)
                    sample[i] += (double)from[(s * chunks + k) * stride + i0 + i];
            for (int64_t i = 0; i < n; i++) total[i] += sample[i];
        }
        for (int64_t i = 0; i < n; i++) {
            to[i0 + i] = (T)total[i];
            if (chain != NULL) chain[i0 + i] = total[i];
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
        s1 = shape->uncentred ? 0 : s1 / n, s2 /= n;
        for (int64_t c = c0; c < c0 + width; c++) {
            to_p[c] = (T)(-m.rstd * m.rstd * s2);
            to_q[c] = (T)(m.rstd * (g != NULL ? (double)g[c] : 1.0));
            to_r[c] = (T)(-m.rstd * s1 + m.rstd * m.rstd * m.mean * s2);
        }
    }
}

static int NAME(norm_weight_grads)(void *dgamma, void *dbeta, const double *sums,
                                   const double *grads, int64_t batch,
                                   const mpno_norm_shape *shape, double *gamma_chain,
                                   double *beta_chain) {
    T *to_gamma = dgamma, *to_beta = dbeta;
    int nonfinite = 0;
    const int64_t channels = shape->channels, width = channels / shape->groups;
    for (int64_t c0 = 0; c0 < channels; c0 += width) {
        for (int64_t c = c0; c < c0 + width; c++) {
            double by_gamma = gamma_chain != NULL ? gamma_chain[c] : 0;
            double by_beta = beta_chain != NULL ? beta_chain[c] : 0;
            for (int64_t s = 0; s < batch; s++) {
                const norm_moments m = group_moments(sums + 2 * (s * channels + c0), width, shape);
                const double *g = grads + 2 * s * channels;
                by_gamma += (g[channels + c] - m.mean * g[c]) * m.rstd;
                by_beta += g[c];
            }
            to_gamma[c] = (T)by_gamma;
            to_beta[c] = (T)by_beta;
            if (gamma_chain != NULL) gamma_chain[c] = by_gamma;
            if (beta_chain != NULL) beta_chain[c] = by_beta;
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

static const mpno_field_kernels NAME(table) = {
    .grid_embed = NAME(grid_embed),
    .take_channels = NAME(take_channels),
    .dropout = NAME(dropout),
    .times_i = NAME(times_i),
    .mode_scale = NAME(mode_scale),
    .mode_scale_dw = NAME(mode_scale_dw),
    .copy_strided = NAME(copy_strided),
    .apply_matrix = NAME(apply_matrix),
    .reduce = NAME(reduce),
    .reduce_samples = reduce_samples,
    .weigh_sums = weigh_sums,
    .narrow = NAME(narrow),
    .squash = NAME(squash),
    .squash_grad = NAME(squash_grad),
    .scale = NAME(scale),
    .value = NAME(value),
    .sigma_of = sigma_of,
    .sigma_clip = NAME(sigma_clip),
    .sigma_clip_sums = NAME(sigma_clip_sums),
    .sigma_clip_dx = NAME(sigma_clip_dx),
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
