/* SPDX-License-Identifier: MIT
 * Sums of a field from its columns by Parseval's theorem (contract: kernel/fft_kernels.h), in f64
 * whatever the arithmetic, terms in the order of the rows. Includes after the f64 instance of
 * fft_all.h. */

#define SUM_VECTORS (MPNO_FFT_SUM_CHANNELS / VF64_LANES)

/* Channels from c on of a row, 0 behind the last. */
FFT_INLINE vf64 sums_fetch(const mpno_fft_view *view, mpno_format format, int64_t row, int64_t c) {
    const unsigned char *src = view_at_f64(view, format, row, 0) + (size_t)c * bytes_f64(format);
    if (c + VF64_LANES <= view->n) return fetch_f64(src, format);
    return c < view->n ? fetch_part_f64(src, format, view->n - c) : nothing_f64();
}

FFT_INLINE void column_sums_format(const mpno_fft_view *view, int64_t lines, int64_t kept,
                                   int64_t n, double *sums, mpno_format format) {
    vf64 sum[SUM_VECTORS], ends[SUM_VECTORS], inner[SUM_VECTORS];
    for (int v = 0; v < SUM_VECTORS; v++) sum[v] = ends[v] = inner[v] = nothing_f64();
    mpno_fft_view imaginary = *view;
    imaginary.data = (unsigned char *)view->data + (size_t)view->plane_stride * bytes_f64(format);
    for (int64_t line = 0; line < lines; line++) {
        for (int64_t k = 0; k < kept; k++) {
            const int64_t row = line * kept + k;
            for (int v = 0; v < SUM_VECTORS; v++) {
                const vf64 re = sums_fetch(view, format, row, v * VF64_LANES);
                if (k == 0) sum[v] += re;
                if (k == 0 || 2 * k == n) {
                    ends[v] = fma_f64(re, re, ends[v]);
                } else {
                    const vf64 im = sums_fetch(&imaginary, format, row, v * VF64_LANES);
                    inner[v] = fma_f64(im, im, fma_f64(re, re, inner[v]));
                }
            }
        }
    }
    _Alignas(64) double x[MPNO_FFT_SUM_CHANNELS], squares[MPNO_FFT_SUM_CHANNELS];
    const vf64 points = all_f64((double)n), half = all_f64(0.5 * (double)n);
    for (int v = 0; v < SUM_VECTORS; v++) {
        put_f64(x + v * VF64_LANES, points * sum[v]);
        put_f64(squares + v * VF64_LANES, fma_f64(half, inner[v], points * ends[v]));
    }
    for (int64_t c = 0; c < view->n; c++) {
        sums[2 * c] = x[c];
        sums[2 * c + 1] = squares[c];
    }
}

static void column_sums(const mpno_fft_view *view, int64_t lines, int64_t kept, int64_t n,
                        double *sums) {
    switch (view->format) {
        case MPNO_F64:
            column_sums_format(view, lines, kept, n, sums, MPNO_F64);
            break;
        case MPNO_F32:
            column_sums_format(view, lines, kept, n, sums, MPNO_F32);
            break;
        case MPNO_BF16:
            column_sums_format(view, lines, kept, n, sums, MPNO_BF16);
            break;
        case MPNO_F16:
            column_sums_format(view, lines, kept, n, sums, MPNO_F16);
            break;
        default: /* of plain formats only */
            break;
    }
}

#undef SUM_VECTORS
