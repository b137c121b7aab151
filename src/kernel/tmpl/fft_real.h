/* SPDX-License-Identifier: MIT
 * Real lines of N = 2 M points through complex transforms of M (parameters: fft_all.h; contract:
 * kernel/fft_kernels.h). With E, O the transforms of even and odd samples and Z = E + i O:
 *
 *   E = (Z[k] + conj Z[M-k]) / 2,  O = (Z[k] - conj Z[M-k]) / 2i,  X[k] = E + w^k O
 *
 * Backwards, with Y the Hermitian spectrum whose inverse transform is x (Y[k] = X[k] / 2 and its
 * mirror image; real at k = 0 and N / 2):
 *
 *   Z[k] = Y[k] + conj Y[M-k] + i w^-k (Y[k] - conj Y[M-k]) */

static void NAME(split)(const mpno_fft_rows *out, const mpno_fft_rows *z, int64_t m,
                        const void *twiddles, int64_t rows, int64_t width) {
    const V half = NAME(all)((T)0.5);
    for (int64_t k = 0; k < rows; k++) {
        const T *a = NAME(row)(z, k % m), *b = NAME(row)(z, (m - k) % m);
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = NAME(row)(out, k);
        V wr = NAME(all)(w[0]) * half, wi = NAME(all)(w[1]) * half;
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(get)(a + c), ai = NAME(get)(a + z->plane + c);
            V br = NAME(get)(b + c), bi = NAME(get)(b + z->plane + c);
            V er = ar + br, ei = ai - bi, or = ai + bi, oi = br - ar; /* twice E and O */
            NAME(put)(dst + c, NAME(fma)(or, wr, NAME(fma)(er, half, -(oi * wi))));
            NAME(put)(dst + out->plane + c, NAME(fma)(or, wi, NAME(fma)(ei, half, oi * wr)));
        }
    }
}

static void NAME(join)(const mpno_fft_rows *z, int64_t m, const mpno_fft_rows *in, int64_t rows,
                       const void *twiddles, int64_t width) {
    for (int64_t k = 0; k < m; k++) {
        const int64_t mirror = m - k;
        const T *a = NAME(row)(in, k < rows ? k : 0),
                *b = NAME(row)(in, mirror < rows ? mirror : 0);
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = NAME(row)(z, k);
        /* Y = X / 2 inside, Re X at the ends; what is not kept is 0. */
        const V ha = NAME(all)((T)(k >= rows ? 0
                                   : k == 0  ? 1
                                             : 0.5)),
                hai = NAME(all)((T)(k >= rows || k == 0 ? 0 : 0.5));
        const V hb = NAME(all)((T)(mirror >= rows ? 0 : mirror == m ? 1 : 0.5));
        const V hbi = NAME(all)((T)(mirror >= rows || mirror == m ? 0 : 0.5));
        const V wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(nothing)(), ai = ar, br = ar, bi = ar;
            if (k < rows) {
                ar = NAME(get)(a + c) * ha;
                ai = NAME(get)(a + in->plane + c) * hai;
            }
            if (mirror < rows) {
                br = NAME(get)(b + c) * hb;
                bi = NAME(get)(b + in->plane + c) * hbi;
            }
            V er = ar + br, ei = ai - bi, dr = ar - br, di = ai + bi;
            /* i conj(w) (dr + i di) = (wi dr - wr di) + i (wr dr + wi di) */
            NAME(put)(dst + c, NAME(fma)(wi, dr, NAME(fma)(-wr, di, er)));
            NAME(put)(dst + z->plane + c, NAME(fma)(wr, dr, NAME(fma)(wi, di, ei)));
        }
    }
}
