/* SPDX-License-Identifier: MIT
 * Rows between storage and scratch, and within scratch (parameters: fft_all.h; contracts:
 * kernel/fft_kernels.h). */

FFT_INLINE const unsigned char *NAME(view_at)(const mpno_fft_view *view, mpno_format format,
                                              int64_t row, int plane) {
    return (const unsigned char *)view->data +
           (size_t)(row * view->row_stride + plane * view->plane_stride) * NAME(bytes)(format);
}

/* Rows far apart are no stream that the processor would fetch ahead by itself: fetches row
 * `row` + FFT_AHEAD of `rows`. */
FFT_INLINE void NAME(fetch_ahead)(const mpno_fft_view *view, mpno_format format, int64_t row,
                                  int64_t rows, int plane) {
    if (row + FFT_AHEAD >= rows) return;
    const unsigned char *at = NAME(view_at)(view, format, row + FFT_AHEAD, plane);
    for (size_t byte = 0; byte < (size_t)view->n * NAME(bytes)(format); byte += 64)
        __builtin_prefetch(at + byte);
}

FFT_INLINE void NAME(load_format)(const mpno_fft_rows *dst, const mpno_fft_view *view, int64_t rows,
                                  int64_t width, T scale, mpno_format format) {
    size_t bytes = NAME(bytes)(format);
    V factor = NAME(all)(scale);
    const int64_t whole = view->n / LANES * LANES;
    const bool far = view->row_stride > 2 * view->planes * view->n;
    for (int64_t r = 0; r < rows; r++) {
        for (int p = 0; p < view->planes; p++) {
            const unsigned char *src = NAME(view_at)(view, format, r, p);
            T *row = NAME(row)(dst, r) + p * dst->plane;
            if (far) NAME(fetch_ahead)(view, format, r, rows, p);
            int64_t c = 0;
            for (; c < whole; c += LANES)
                VERB(store)(row + c, ROUND(factor * NAME(fetch)(src + (size_t)c * bytes, format)));
            if (c < view->n) {
                const V last = NAME(fetch_part)(src + (size_t)c * bytes, format, view->n - c);
                VERB(store_part)
                (row + c, ROUND(factor * last), width - c < LANES ? width - c : LANES);
                c += LANES;
            }
            for (; c + LANES <= width; c += LANES) VERB(store)(row + c, NAME(nothing)());
            if (c < width) VERB(store_part)(row + c, NAME(nothing)(), width - c);
        }
    }
}

static void NAME(load)(const mpno_fft_rows *dst, const mpno_fft_view *view, int64_t rows,
                       int64_t width, double scale) {
    switch (view->format) {
        case MPNO_F64:
            NAME(load_format)(dst, view, rows, width, (T)scale, MPNO_F64);
            break;
        case MPNO_BF16:
            NAME(load_format)(dst, view, rows, width, (T)scale, MPNO_BF16);
            break;
        case MPNO_F16:
            NAME(load_format)(dst, view, rows, width, (T)scale, MPNO_F16);
            break;
        default:
            NAME(load_format)(dst, view, rows, width, (T)scale, MPNO_F32);
            break;
    }
}

FFT_INLINE int NAME(store_format)(const mpno_fft_view *view, const mpno_fft_rows *src, int64_t rows,
                                  T scale, mpno_format format) {
    size_t bytes = NAME(bytes)(format);
    V factor = NAME(all)(scale);
    const int64_t whole = view->n / LANES * LANES;
    const bool far = view->row_stride > 2 * view->planes * view->n;
    MASK bad = NAME(none)();
    for (int64_t r = 0; r < rows; r++) {
        for (int p = 0; p < view->planes; p++) {
            unsigned char *dst = (unsigned char *)NAME(view_at)(view, format, r, p);
            const T *row = NAME(row)(src, r) + p * src->plane;
            if (far) NAME(fetch_ahead)(view, format, r, rows, p);
            int64_t c = 0;
            for (; c < whole; c += LANES) {
                NAME(stow)(dst + (size_t)c * bytes, format, factor * VERB(load)(row + c), &bad);
            }
            if (c < view->n) {
                const V last = VERB(load_part)(row + c, view->n - c);
                NAME(stow_part)
                (dst + (size_t)c * bytes, format, factor * last, view->n - c, &bad);
            }
        }
    }
    return VERB(any)(bad);
}

static int NAME(store)(const mpno_fft_view *view, const mpno_fft_rows *src, int64_t rows,
                       double scale) {
    switch (view->format) {
        case MPNO_F64:
            return NAME(store_format)(view, src, rows, (T)scale, MPNO_F64);
        case MPNO_BF16:
            return NAME(store_format)(view, src, rows, (T)scale, MPNO_BF16);
        case MPNO_F16:
            return NAME(store_format)(view, src, rows, (T)scale, MPNO_F16);
        default:
            return NAME(store_format)(view, src, rows, (T)scale, MPNO_F32);
    }
}

static void NAME(copy)(const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t rows,
                       int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        T *to = NAME(row)(out, r);
        const T *from = NAME(row)(in, r);
        for (int64_t c = 0; c < width; c += LANES) {
            NAME(put)(to + c, NAME(get)(from + c));
            NAME(put)(to + out->plane + c, NAME(get)(from + in->plane + c));
        }
    }
}

static void NAME(zero)(void *dst, int64_t stride, int64_t rows, int64_t length) {
    for (int64_t r = 0; r < rows; r++) {
        T *to = (T *)dst + r * stride;
        for (int64_t c = 0; c < length; c += LANES) NAME(put)(to + c, NAME(nothing)());
    }
}
