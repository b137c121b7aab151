/* SPDX-License-Identifier: MIT
 * The transform as a small matrix product, folded by the symmetries of cosine and sine (parameters:
 * fft_all.h; contract: kernel/fft_kernels.h): with few kept modes this is fewer operations than a
 * fast transform, in one pass. */

FFT_INLINE V NAME(view_fetch)(const mpno_fft_view *view, mpno_format format, int64_t row,
                              int64_t c) {
    const unsigned char *src =
        NAME(view_at)(view, format, row, 0) + (size_t)c * NAME(bytes)(format);
    if (c + LANES <= view->n) return NAME(fetch)(src, format);
    return c < view->n ? NAME(fetch_part)(src, format, view->n - c) : NAME(nothing)();
}

FFT_INLINE void NAME(view_stow)(const mpno_fft_view *view, mpno_format format, int64_t row,
                                int64_t c, V x, MASK *bad) {
    unsigned char *dst =
        (unsigned char *)NAME(view_at)(view, format, row, 0) + (size_t)c * NAME(bytes)(format);
    if (c + LANES <= view->n) {
        NAME(stow)(dst, format, x, bad);
    } else if (c < view->n) {
        NAME(stow_part)(dst, format, x, view->n - c, bad);
    }
}

/* Four classes (n even): h = 0 pairs n = 0 and N/2, 4 h = N pairs N/4 and 3N/4, the others take
 * four samples. */
FFT_INLINE void NAME(fold_even)(const mpno_fft_folded *folded, const mpno_fft_view *view, int64_t n,
                                int64_t width, mpno_format format) {
    for (int64_t h = 0; 4 * h <= n; h++) {
        T *row = (T *)folded->data + h * folded->row_stride;
        const int64_t step = folded->class_stride;
        for (int64_t c = 0; c < width; c += LANES) {
            T *dst = row + c;
            V x0 = NAME(view_fetch)(view, format, h, c),
              x1 = NAME(view_fetch)(view, format, n / 2 + h, c);
            if (h == 0) {
                NAME(put)(dst, x0 + x1);
                NAME(put)(dst + step, x0 - x1);
            } else if (4 * h == n) { /* the even part for odd k and the odd part for even k meet
                                        zeros of the table */
                NAME(put)(dst, x0 + x1);
                NAME(put)(dst + step, x0 + x1);
                NAME(put)(dst + 2 * step, x0 - x1);
                NAME(put)(dst + 3 * step, x0 - x1);
            } else {
                V x2 = NAME(view_fetch)(view, format, n / 2 - h, c),
                  x3 = NAME(view_fetch)(view, format, n - h, c);
                V e0 = x0 + x3, e1 = x2 + x1, o0 = x0 - x3, o1 = x2 - x1;
                NAME(put)(dst, e0 + e1);
                NAME(put)(dst + step, e0 - e1);
                NAME(put)(dst + 2 * step, o0 - o1);
                NAME(put)(dst + 3 * step, o0 + o1);
            }
        }
    }
}

FFT_INLINE void NAME(fold_odd)(const mpno_fft_folded *folded, const mpno_fft_view *view, int64_t n,
                               int64_t width, mpno_format format) {
    for (int64_t h = 0; 2 * h < n; h++) {
        T *row = (T *)folded->data + h * folded->row_stride;
        for (int64_t c = 0; c < width; c += LANES) {
            V x = NAME(view_fetch)(view, format, h, c);
            V y = h == 0 ? NAME(nothing)() : NAME(view_fetch)(view, format, n - h, c);
            NAME(put)(row + c, x + y);
            NAME(put)(row + folded->class_stride + c, x - y);
        }
    }
}

FFT_INLINE void NAME(fold_format)(const mpno_fft_folded *folded, const mpno_fft_view *view,
                                  int64_t n, int64_t width, mpno_format format) {
    if (n % 2 == 0) {
        NAME(fold_even)(folded, view, n, width, format);
    } else {
        NAME(fold_odd)(folded, view, n, width, format);
    }
}

static void NAME(fold)(const mpno_fft_folded *folded, const mpno_fft_view *view, int64_t n,
                       int64_t width) {
    switch (view->format) {
        case MPNO_F64:
            NAME(fold_format)(folded, view, n, width, MPNO_F64);
            break;
        case MPNO_F32:
            NAME(fold_format)(folded, view, n, width, MPNO_F32);
            break;
        case MPNO_BF16:
            NAME(fold_format)(folded, view, n, width, MPNO_BF16);
            break;
        default:
            NAME(fold_format)(folded, view, n, width, MPNO_F16);
            break;
    }
}

FFT_INLINE void NAME(unfold_even)(const mpno_fft_view *view, const mpno_fft_folded *folded,
                                  int64_t n, int64_t width, mpno_format format, MASK *bad) {
    for (int64_t h = 0; 4 * h <= n; h++) {
        const T *row = (const T *)folded->data + h * folded->row_stride;
        const int64_t step = folded->class_stride;
        for (int64_t c = 0; c < width; c += LANES) {
            const T *src = row + c;
            V a = NAME(get)(src), b = NAME(get)(src + step), e0 = a + b, e1 = a - b;
            if (h == 0) {
                NAME(view_stow)(view, format, 0, c, e0, bad);
                NAME(view_stow)(view, format, n / 2, c, e1, bad);
                continue;
            }
            V d = NAME(get)(src + 2 * step), f = NAME(get)(src + 3 * step), o0 = f + d, o1 = f - d;
            NAME(view_stow)(view, format, h, c, e0 + o0, bad);
            if (4 * h == n) {
                NAME(view_stow)(view, format, n - h, c, e0 - o0, bad);
            } else {
                NAME(view_stow)(view, format, n / 2 - h, c, e1 + o1, bad);
                NAME(view_stow)(view, format, n / 2 + h, c, e1 - o1, bad);
                NAME(view_stow)(view, format, n - h, c, e0 - o0, bad);
            }
        }
    }
}

FFT_INLINE void NAME(unfold_odd)(const mpno_fft_view *view, const mpno_fft_folded *folded,
                                 int64_t n, int64_t width, mpno_format format, MASK *bad) {
    for (int64_t h = 0; 2 * h < n; h++) {
        const T *row = (const T *)folded->data + h * folded->row_stride;
        for (int64_t c = 0; c < width; c += LANES) {
            V e = NAME(get)(row + c);
            if (h == 0) {
                NAME(view_stow)(view, format, 0, c, e, bad);
            } else {
                V o = NAME(get)(row + folded->class_stride + c);
                NAME(view_stow)(view, format, h, c, e + o, bad);
                NAME(view_stow)(view, format, n - h, c, e - o, bad);
            }
        }
    }
}

FFT_INLINE int NAME(unfold_format)(const mpno_fft_view *view, const mpno_fft_folded *folded,
                                   int64_t n, int64_t width, mpno_format format) {
    MASK bad = NAME(none)();
    if (n % 2 == 0) {
        NAME(unfold_even)(view, folded, n, width, format, &bad);
    } else {
        NAME(unfold_odd)(view, folded, n, width, format, &bad);
    }
    return VERB(any)(bad);
}

static int NAME(unfold)(const mpno_fft_view *view, const mpno_fft_folded *folded, int64_t n,
                        int64_t width) {
    switch (view->format) {
        case MPNO_F64:
            return NAME(unfold_format)(view, folded, n, width, MPNO_F64);
        case MPNO_F32:
            return NAME(unfold_format)(view, folded, n, width, MPNO_F32);
        case MPNO_BF16:
            return NAME(unfold_format)(view, folded, n, width, MPNO_BF16);
        default:
            return NAME(unfold_format)(view, folded, n, width, MPNO_F16);
    }
}

#define FFT_TILE \
    6 /* rows of output held in registers: 12 accumulators, 2 inputs, 1 factor of 16 registers */

/* m rows (a constant at every call) of `columns` vectors each. */
FFT_INLINE void NAME(matmul_tile)(T *dst, int64_t dst_stride, const T *table, const int m,
                                  int64_t k, const T *src, int64_t src_stride, const int columns) {
    V sum[FFT_TILE][2];
    for (int i = 0; i < m; i++) {
        for (int c = 0; c < columns; c++) sum[i][c] = NAME(nothing)();
    }
    for (int64_t j = 0; j < k; j++) {
        V x[2];
        for (int c = 0; c < columns; c++) x[c] = NAME(get)(src + j * src_stride + c * LANES);
        for (int i = 0; i < m; i++) {
            V t = NAME(all)(table[i * k + j]);
            for (int c = 0; c < columns; c++) sum[i][c] = NAME(fma)(t, x[c], sum[i][c]);
        }
    }
    for (int i = 0; i < m; i++) {
        for (int c = 0; c < columns; c++) NAME(put)(dst + i * dst_stride + c * LANES, sum[i][c]);
    }
}

FFT_INLINE void NAME(matmul_strip)(T *dst, int64_t dst_stride, const T *table, int64_t k,
                                   const T *src, int64_t src_stride, int64_t length,
                                   const int tile) {
    int64_t c = 0;
    for (; c + 2 * LANES <= length; c += 2 * LANES) {
        NAME(matmul_tile)(dst + c, dst_stride, table, tile, k, src + c, src_stride, 2);
    }
    if (c < length) NAME(matmul_tile)(dst + c, dst_stride, table, tile, k, src + c, src_stride, 1);
}

static void NAME(matmul)(void *dst_, int64_t dst_stride, const void *table_, int64_t m, int64_t k,
                         const void *src, int64_t src_stride, int64_t length) {
    T *dst = dst_;
    const T *table = table_;
    while (m > 0) {
        int64_t tiles = (m + FFT_TILE - 1) / FFT_TILE,
                tile = (m + tiles - 1) / tiles; /* as equal as can be */
        switch (tile) {
            case 1:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 1);
                break;
            case 2:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 2);
                break;
            case 3:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 3);
                break;
            case 4:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 4);
                break;
            case 5:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 5);
                break;
            default:
                NAME(matmul_strip)(dst, dst_stride, table, k, src, src_stride, length, 6);
                break;
        }
        dst += tile * dst_stride;
        table += tile * k;
        m -= tile;
    }
}

#undef FFT_TILE

static void NAME(combine)(const mpno_fft_rows *out, const mpno_fft_rows *even,
                          const mpno_fft_rows *odd, int64_t first, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const int64_t k = first + r;
        const T *e = NAME(row)(even, k < 0 ? -k : k), *o = NAME(row)(odd, k < 0 ? -k : k);
        T *dst = NAME(row)(out, r);
        const V sign = NAME(all)((T)(k < 0 ? -1 : 1)); /* its product is exact */
        for (int64_t c = 0; c < width; c += LANES) {
            NAME(put)(dst + c, NAME(get)(e + c) - sign * NAME(get)(o + odd->plane + c));
            NAME(put)
            (dst + out->plane + c, NAME(get)(e + even->plane + c) + sign * NAME(get)(o + c));
        }
    }
}

static void NAME(separate)(const mpno_fft_rows *even, const mpno_fft_rows *odd,
                           const mpno_fft_rows *in, int64_t first, int64_t rows, int64_t last,
                           int64_t width) {
    for (int64_t k = 0; k <= last; k++) {
        const bool has_plus = k<first + rows, has_minus = k> 0 && -k >= first;
        const T *plus = NAME(row)(in, has_plus ? k - first : 0),
                *minus = NAME(row)(in, has_minus ? -k - first : 0);
        T *e = NAME(row)(even, k), *o = NAME(row)(odd, k);
        for (int64_t c = 0; c < width; c += LANES) {
            V pr = NAME(nothing)(), pi = pr, mr = pr, mi = pr;
            if (has_plus) {
                pr = NAME(get)(plus + c);
                pi = NAME(get)(plus + in->plane + c);
            }
            if (has_minus) {
                mr = NAME(get)(minus + c);
                mi = NAME(get)(minus + in->plane + c);
            }
            NAME(put)(e + c, pr + mr);
            NAME(put)(e + even->plane + c, pi + mi);
            NAME(put)(o + c, pi - mi); /* -i (a + i b) = b - i a */
            NAME(put)(o + odd->plane + c, mr - pr);
        }
    }
}
