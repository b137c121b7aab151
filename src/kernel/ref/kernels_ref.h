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
