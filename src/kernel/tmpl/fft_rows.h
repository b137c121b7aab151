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

/* A view that has a codec, or a format that is known to codecs alone, and room for its own. */
FFT_INLINE const mpno_codec *NAME(codec_of)(const mpno_fft_view *view, mpno_codec *own) {
    if (view->codec != NULL || mpno_format_is_plain(view->format)) return view->codec;
    *own = mpno_codec_plain(view->format);
    return own;
}

FFT_INLINE unsigned char *NAME(coded_at)(const mpno_fft_view *view, int64_t row, int plane) {
    return (unsigned char *)view->data +
           (size_t)(row * view->row_stride + plane * view->plane_stride) *
               mpno_format_bytes(view->format);
}

/* row = what a row keeps of factor row. */
FFT_INLINE void NAME(take_row)(T *row, int64_t n, T factor) {
    const V by = NAME(all)(factor);
    int64_t c = 0;
    for (; c + LANES <= n; c += LANES) VERB(store)(row + c, ROUND(by * VERB(load)(row + c)));
    if (c < n) VERB(store_part)(row + c, ROUND(by * VERB(load_part)(row + c, n - c)), n - c);
}

static void NAME(load_coded)(const mpno_codec *codec, const mpno_fft_rows *dst,
                             const mpno_fft_view *view, int64_t rows, int64_t width, T scale) {
    const mpno_codec_kernels *codecs = mpno_codec_kernels_get(FFT_ISA, ARITHMETIC);
    for (int64_t r = 0; r < rows; r++) {
        for (int p = 0; p < view->planes; p++) {
            T *row = NAME(row)(dst, r) + p * dst->plane;
            codecs->load(codec, row, NAME(coded_at)(view, r, p), view->n);
            if (scale != 1 || ROUNDS) NAME(take_row)(row, view->n, scale);
            for (int64_t c = view->n; c < width; c++) row[c] = 0;
        }
    }
}

/* dst = factor src; whole vectors are written, so that what reads them next does not wait.
 */
FFT_INLINE void NAME(scale_row)(T *dst, const T *src, int64_t n, T factor) {
    const V by = NAME(all)(factor);
    int64_t c = 0;
    for (; c + LANES <= n; c += LANES) VERB(store)(dst + c, by * VERB(load)(src + c));
    if (c < n) VERB(store)(dst + c, by * VERB(load_part)(src + c, n - c));
}

/* Pieces of a whole number of blocks, wider than a strip. */
static int NAME(store_coded)(const mpno_codec *codec, const mpno_fft_view *view,
                             const mpno_fft_rows *src, int64_t rows, T scale) {
    enum { PIECE = 8 * MPNO_CODEC_BLOCK };
    const mpno_codec_kernels *codecs = mpno_codec_kernels_get(FFT_ISA, ARITHMETIC);
    const int64_t bytes = (int64_t)mpno_format_bytes(view->format);
    int bad = 0;
    for (int64_t r = 0; r < rows; r++) {
        for (int p = 0; p < view->planes; p++) {
            const T *row = NAME(row)(src, r) + p * src->plane;
            unsigned char *dst = NAME(coded_at)(view, r, p);
            for (int64_t c = 0, n; c < view->n; c += n) {
                _Alignas(64) T scaled[PIECE];
                n = view->n - c < PIECE ? view->n - c : PIECE;
                if (scale != 1) NAME(scale_row)(scaled, row + c, n, scale);
                bad |= codecs->store(codec, dst + c * bytes, scale != 1 ? scaled : row + c, n);
            }
        }
    }
    return bad;
}

static void NAME(load)(const mpno_fft_rows *dst, const mpno_fft_view *view, int64_t rows,
                       int64_t width, double scale) {
    mpno_codec own;
    const mpno_codec *codec = NAME(codec_of)(view, &own);
    if (codec != NULL) {
        NAME(load_coded)(codec, dst, view, rows, width, (T)scale);
        return;
    }
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
    mpno_codec own;
    const mpno_codec *codec = NAME(codec_of)(view, &own);
    if (codec != NULL) return NAME(store_coded)(codec, view, src, rows, (T)scale);
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
