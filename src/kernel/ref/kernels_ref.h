/* SPDX-License-Identifier: MIT
 * Bodies of the reference kernels, included once per arithmetic.
 * Parameters: T the C type; K(name) the name of a function of this instance; T_FORMAT its
 * mpno_format. */

static void K(load)(void *dst, const void *src, mpno_format format, int64_t n) {
    mpno_cast(dst, T_FORMAT, src, format, (size_t)n);
}

static int K(store)(void *dst, mpno_format format, const void *src, int64_t n) {
    int bad = 0;
    const size_t bytes = mpno_format_bytes(format);
    mpno_cast(dst, format, src, T_FORMAT, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        double stored;
        mpno_cast(&stored, MPNO_F64, (const unsigned char *)dst + (size_t)i * bytes, format, 1);
        if (!isfinite(stored)) bad = 1;
    }
    return bad;
}

static void K(gemm)(int64_t m, int64_t n, int64_t k, const void *a_, int64_t lda, const void *b_,
                    int64_t ldb, void *c_, int64_t ldc, int accumulate) {
    const T *a = a_, *b = b_;
    T *c = c_;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = accumulate ? (double)c[i * ldc + j] : 0.0;
            for (int64_t p = 0; p < k; p++) sum += (double)a[i * lda + p] * (double)b[p * ldb + j];
            c[i * ldc + j] = (T)sum;
        }
    }
}

static void K(gemm_tn)(int64_t m, int64_t n, int64_t k, const void *a_, int64_t lda, const void *b_,
                       int64_t ldb, void *c_, int64_t ldc) {
    const T *a = a_, *b = b_;
    T *c = c_;
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = (double)c[i * ldc + j];
            for (int64_t p = 0; p < m; p++) sum += (double)a[p * lda + i] * (double)b[p * ldb + j];
            c[i * ldc + j] = (T)sum;
        }
    }
}

static int K(gemm_complex)(int64_t m, int64_t n, int64_t k, const mpno_planes *a_,
                           const mpno_planes *b_, const mpno_planes *c_, int accumulate) {
    int bad = 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            const T *a = (const T *)a_->data + i * a_->row, *b = (const T *)b_->data + j;
            T *c = (T *)c_->data + i * c_->row + j;
            double re = accumulate ? (double)c[0] : 0.0;
            double im = accumulate ? (double)c[c_->plane] : 0.0;
            for (int64_t p = 0; p < k; p++, a += a_->step, b += b_->row) {
                re += (double)a[0] * (double)b[0] - (double)a[a_->plane] * (double)b[b_->plane];
                im += (double)a[a_->plane] * (double)b[0] + (double)a[0] * (double)b[b_->plane];
            }
            c[0] = (T)re;
            c[c_->plane] = (T)im;
            if (!isfinite(c[0]) || !isfinite(c[c_->plane])) bad = 1;
        }
    }
    return bad;
}

static void K(multiply_complex)(int64_t m, int64_t n, const mpno_planes *a_, const mpno_planes *b_,
                                const mpno_planes *c_, int accumulate) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            const T *a = (const T *)a_->data + i * a_->row + j,
                    *b = (const T *)b_->data + i * b_->row + j;
            T *c = (T *)c_->data + i * c_->row + j;
            const double re = (double)a[0] * (double)b[0] -
                              (double)a[a_->plane] * (double)b[b_->plane],
                         im = (double)a[a_->plane] * (double)b[0] +
                              (double)a[0] * (double)b[b_->plane];
            c[0] = (T)(accumulate ? (double)c[0] + re : re);
            c[c_->plane] = (T)(accumulate ? (double)c[c_->plane] + im : im);
        }
    }
}

static void K(transpose)(void *dst, int64_t ld_dst, const void *src, int64_t ld_src, int64_t rows,
                         int64_t cols) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            ((T *)dst)[j * ld_dst + i] = ((const T *)src)[i * ld_src + j];
}

/* The plain order is a layout too. */
static void K(pack)(void *packed, int64_t n, int64_t k, const void *b, int64_t ldb) {
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++) ((T *)packed)[p * n + j] = ((const T *)b)[p * ldb + j];
}

static void K(gemm_packed)(int64_t m, int64_t n, int64_t k, const void *a_, int64_t lda,
                           const void *packed, const void *bias_, void *c_, int64_t ldc) {
    const T *a = a_, *b = packed, *bias = bias_;
    T *c = c_;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = bias != NULL ? (double)bias[j] : 0.0;
            for (int64_t p = 0; p < k; p++) sum += (double)a[i * lda + p] * (double)b[p * n + j];
            c[i * ldc + j] = (T)sum;
        }
    }
}

static void K(gelu)(void *dst_, const void *x_, int64_t n) {
    const T *x = x_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = (T)gelu_of((double)x[i]);
}

static void K(gelu_grad)(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const T *x = x_, *dy = dy_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = (T)((double)dy[i] * gelu_slope((double)x[i]));
}

static void K(tanh)(void *dst_, const void *x_, int64_t n) {
    const T *x = x_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = (T)tanh((double)x[i]);
}

static void K(tanh_grad)(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const T *x = x_, *dy = dy_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = (T)((double)dy[i] * tanh_slope((double)x[i]));
}

static void K(add)(void *dst_, const void *a_, const void *b_, int64_t n) {
    const T *a = a_, *b = b_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = (T)((double)a[i] + (double)b[i]);
}

static void K(negate)(void *dst_, const void *x_, int64_t n) {
    const T *x = x_;
    T *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = -x[i];
}

/* Element (row, j) of a line_take table for cosines (sines 0) or sines. */
static double K(take_factor)(const mpno_folded_line *l, const T *table, int sine, int64_t row,
                             int64_t j) {
    const int64_t all = l->keep - sine, first = j / MPNO_LINE_GROUP * MPNO_LINE_GROUP;
    const int64_t group =
        all - first < MPNO_LINE_GROUP ? (all - first + 1) / 2 * 2 : MPNO_LINE_GROUP;
    const int64_t rows = sine ? l->sine_rows : l->cosine_rows;
    if (sine) table += (l->keep + 1) / 2 * 2 * l->cosine_rows;
    return (double)table[first * rows + row * group + j - first];
}

/* Sign of sample i of a four or pair where it meets the cosine or sine of frequency k. */
static int K(line_sign)(const mpno_folded_line *l, int i, int sine, int64_t k) {
    static const int fours[2][2][4] = {{{1, 1, 1, 1}, {1, -1, -1, 1}},
                                       {{1, -1, 1, -1}, {1, 1, -1, -1}}};
    return l->ways == 4 ? fours[sine][k % 2][i] : sine && i == 1 ? -1 : 1;
}

static const T *K(line_sample)(const mpno_folded_line *l, int i, int64_t r) {
    return (const T *)l->row[i] + (i % 2 == 0 ? r : -r) * l->channels;
}

static void K(line_take)(const mpno_folded_line *l, const void *table_, void *columns_) {
    const T *table = table_;
    T *columns = columns_;
    for (int64_t j = 0; j < 2 * l->keep; j++) {
        const int sine = j >= l->keep;
        const int64_t k = sine ? j - l->keep : j, alone = !sine && l->alone[0] != NULL;
        for (int64_t c = 0; c < l->channels; c++) {
            double sum = 0;
            for (int i = 0; alone && i < l->ways / 2; i++)
                sum += K(take_factor)(l, table, 0, 0, k) * (i == 1 && k % 2 != 0 ? -1 : 1) *
                       (double)((const T *)l->alone[i])[c];
            for (int64_t r = 0; (k > 0 || !sine) && r < l->rows + l->quarter; r++)
                for (int i = 0; i < l->ways; i++) {
                    if (r == l->rows && (i == 1 || i == 2)) continue;
                    const int sign = r < l->rows      ? K(line_sign)(l, i, sine, k)
                                     : sine && i == 3 ? -1
                                                      : 1;
                    sum += sign * K(take_factor)(l, table, sine, alone + r, k - sine) *
                           (double)K(line_sample)(l, i, r)[c];
                }
            columns[j * l->channels + c] = (T)sum;
        }
    }
}

/* sum over k of what sample i (of a four or pair) takes from the columns; table [K][block][2]. */
static double K(give_sum)(const mpno_folded_line *l, const T *table, int64_t block,
                          const int *signs, const T *columns) {
    double sum = 0;
    for (int64_t k = 0; k < l->keep; k++)
        for (int sine = 0; sine < 2; sine++)
            if (k > 0 || !sine)
                sum += signs[2 * sine + k % 2] * (double)table[2 * k * block + sine] *
                       (double)columns[(sine * l->keep + k) * l->channels];
    return sum;
}

static void K(line_give)(const mpno_folded_line *l, const void *table_, const void *columns_) {
    const T *table = table_, *columns = columns_;
    const int64_t block = l->ways == 4 ? MPNO_LINE_FOURS : MPNO_LINE_PAIRS;
    for (int i = 0; i < 2 && l->alone[i] != NULL; i++)
        for (int64_t c = 0; c < l->channels; c++) {
            const int signs[4] = {1, i == 1 ? -1 : 1, 0, 0};
            ((T *)l->alone[i])[c] = (T)K(give_sum)(l, table, 1, signs, columns + c);
        }
    if (l->alone[0] != NULL) table += 2 * l->keep;
    for (int64_t r = 0; r < l->rows; r++)
        for (int i = 0; i < l->ways; i++)
            for (int64_t c = 0; c < l->channels; c++) {
                int signs[4];
                for (int s = 0; s < 4; s++) signs[s] = K(line_sign)(l, i, s / 2, s % 2);
                const T *at = table + (r / block * block * l->keep + r % block) * 2;
                ((T *)(uintptr_t)K(line_sample)(l, i, r))[c] =
                    (T)K(give_sum)(l, at, block, signs, columns + c);
            }
    table += 2 * ((l->rows + block - 1) / block * block) * l->keep;
    for (int i = 0; l->quarter && i < 4; i += 3)
        for (int64_t c = 0; c < l->channels; c++) {
            const int signs[4] = {1, 0, 0, i == 3 ? -1 : 1};
            ((T *)(uintptr_t)K(line_sample)(l, i, l->rows))[c] =
                (T)K(give_sum)(l, table, 1, signs, columns + c);
        }
}

static void K(rotate)(void *dst_, const void *src_, const void *factors_, int conjugate,
                      int accumulate, int64_t rows, int64_t channels) {
    const T *src = src_, *factors = factors_;
    T *dst = dst_;
    for (int64_t i = 0; i < rows * channels; i++) {
        const int64_t row = i / channels;
        const double cosine = (double)factors[2 * row],
                     sine = (conjugate ? -1 : 1) * (double)factors[2 * row + 1];
        const double re = (double)src[i], im = (double)src[rows * channels + i];
        T *to_re = dst + i, *to_im = dst + rows * channels + i;
        *to_re = (T)((accumulate ? (double)*to_re : 0) + cosine * re - sine * im);
        *to_im = (T)((accumulate ? (double)*to_im : 0) + cosine * im + sine * re);
    }
}

static void K(channel_affine)(void *dst_, const void *x_, const void *scale_, const void *shift_,
                              int64_t rows, int64_t channels) {
    const T *x = x_, *scale = scale_, *shift = shift_;
    T *dst = dst_;
    for (int64_t i = 0; i < rows * channels; i++) {
        const int64_t c = i % channels;
        double value = (double)x[i];
        if (scale) value *= (double)scale[c];
        if (shift) value += (double)shift[c];
        dst[i] = (T)value;
    }
}

static double K(stored)(const void *x, mpno_format format, int64_t i) {
    double value;
    mpno_cast(&value, MPNO_F64, (const char *)x + (size_t)i * mpno_format_bytes(format), format, 1);
    return value;
}

static void K(add_stored)(void *dst, const void *a, mpno_format a_format, const void *b,
                          mpno_format b_format, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        ((T *)dst)[i] = (T)(K(stored)(a, a_format, i) + K(stored)(b, b_format, i));
}

static void K(affine_stored)(void *dst_, const void *x, mpno_format format, const void *scale_,
                             const void *shift_, int64_t rows, int64_t channels) {
    const T *scale = scale_, *shift = shift_;
    T *dst = dst_;
    for (int64_t i = 0; i < rows * channels; i++) {
        const double value = K(stored)(x, format, i);
        dst[i] = (T)(value * (scale ? (double)scale[i % channels] : 1) +
                     (shift ? (double)shift[i % channels] : 0));
    }
}

static void K(combine_stored)(void *dst_, const void *x, mpno_format x_format, const void *p_,
                              const void *y, mpno_format y_format, const void *q_, const void *r_,
                              int64_t rows, int64_t channels) {
    const T *p = p_, *q = q_, *r = r_;
    T *dst = dst_;
    for (int64_t i = 0; i < rows * channels; i++) {
        const int64_t c = i % channels;
        dst[i] = (T)((double)p[c] * K(stored)(x, x_format, i) +
                     (double)q[c] * K(stored)(y, y_format, i) + (double)r[c]);
    }
}

static void K(channel_combine)(void *dst_, const void *x_, const void *p_, const void *y_,
                               const void *q_, const void *r_, int64_t rows, int64_t channels) {
    const T *x = x_, *p = p_, *y = y_, *q = q_, *r = r_;
    T *dst = dst_;
    for (int64_t i = 0; i < rows * channels; i++) {
        const int64_t c = i % channels;
        dst[i] = (T)((double)p[c] * (double)x[i] + (double)q[c] * (double)y[i] + (double)r[c]);
    }
}

static void K(sum_rows)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    for (int64_t i = 0; i < rows * channels; i++) acc[i % channels] += (double)x[i];
}

static void K(dot_rows)(double *acc, const void *x_, const void *y_, int64_t rows,
                        int64_t channels) {
    const T *x = x_, *y = y_;
    for (int64_t i = 0; i < rows * channels; i++) acc[i % channels] += (double)x[i] * (double)y[i];
}

static void K(sum_squares)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    for (int64_t i = 0; i < rows * channels; i++) {
        acc[2 * (i % channels)] += (double)x[i];
        acc[2 * (i % channels) + 1] += (double)x[i] * (double)x[i];
    }
}
