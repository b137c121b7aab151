/* SPDX-License-Identifier: MIT
 * Real lines of N = 2 M points through complex transforms of M (parameters: fft_all.h; contract: kernel/fft_kernels.h).
 * With E, O the transforms of even and odd samples, Z = E + i O; E = (Z[k] + conj Z[M-k]) / 2, O = (Z[k] - conj Z[M-k]) / 2i
 * and X[k] = E + w^k O. Backwards, with Y the Hermitian spectrum whose transform is x (Y[k] = X[k] / 2 and its mirror
 * image, real at k = 0 and N / 2): Z[k] = Y[k] + conj Y[M-k] + i w^-k (Y[k] - conj Y[M-k]). */

static void NAME(split)(void *out, int64_t out_stride, const void *z, int64_t z_stride, int64_t m, const void *twiddles,
                        int64_t rows, int64_t width) {
    const V half = NAME(all)((T)0.5);
    for (int64_t k = 0; k < rows; k++) {
        const T *a = (const T *)z + (k % m) * z_stride, *b = (const T *)z + ((m - k) % m) * z_stride;
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = (T *)out + k * out_stride;
        V wr = NAME(all)(w[0]) * half, wi = NAME(all)(w[1]) * half;
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(get)(a + c), ai = NAME(get)(a + width + c), br = NAME(get)(b + c), bi = NAME(get)(b + width + c);
            V er = ar + br, ei = ai - bi, or = ai + bi, oi = br - ar; /* twice E and O */
            NAME(put)(dst + c, NAME(fma)(or, wr, NAME(fma)(er, half, -(oi * wi))));
            NAME(put)(dst + width + c, NAME(fma)(or, wi, NAME(fma)(ei, half, oi * wr)));
        }
    }
}

static void NAME(join)(void *z, int64_t z_stride, int64_t m, const void *in, int64_t in_stride, int64_t rows,
                       const void *twiddles, int64_t width) {
    for (int64_t k = 0; k < m; k++) {
        const int64_t mirror = m - k;
        const T *a = (const T *)in + k * in_stride, *b = (const T *)in + mirror * in_stride;
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = (T *)z + k * z_stride;
        /* Y = X / 2 inside, Re X at the ends; what is not kept is 0. */
        const V ha = NAME(all)((T)(k >= rows ? 0 : k == 0 ? 1 : 0.5)), hai = NAME(all)((T)(k >= rows || k == 0 ? 0 : 0.5));
        const V hb = NAME(all)((T)(mirror >= rows ? 0 : mirror == m ? 1 : 0.5));
        const V hbi = NAME(all)((T)(mirror >= rows || mirror == m ? 0 : 0.5));
        const V wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(nothing)(), ai = ar, br = ar, bi = ar;
            if (k < rows) {
                ar = NAME(get)(a + c) * ha;
                ai = NAME(get)(a + width + c) * hai;
            }
            if (mirror < rows) {
                br = NAME(get)(b + c) * hb;
                bi = NAME(get)(b + width + c) * hbi;
            }
            V er = ar + br, ei = ai - bi, dr = ar - br, di = ai + bi;
            /* i conj(w) (dr + i di) = (wi dr - wr di) + i (wr dr + wi di) */
            NAME(put)(dst + c, NAME(fma)(wi, dr, NAME(fma)(-wr, di, er)));
            NAME(put)(dst + width + c, NAME(fma)(wr, dr, NAME(fma)(wi, di, ei)));
        }
    }
}
