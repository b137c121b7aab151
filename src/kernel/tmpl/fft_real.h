/* SPDX-License-Identifier: MIT
 * Real lines of N = 2 M points through complex transforms of M (parameters: fft_all.h; contract:
 * kernel/fft_kernels.h). With E, O the transforms of even and odd samples and Z = E + i O:
 *
 *   E = (Z[k] + conj Z[M-k]) / 2,  O = (Z[k] - conj Z[M-k]) / 2i,  X[k] = E + w^k O
 *
 * Backwards, with Y the Hermitian spectrum whose inverse transform is x (Y[k] = X[k] / 2 and its
 * mirror image; real at k = 0 and N / 2):
 *
 *   Z[k] = P + S,  P = Y[k] + conj Y[M-k],  S = i w^-k (Y[k] - conj Y[M-k])
 *
 * The mirror images come with k: X[M-k] = conj(E - w^k O), Z[M-k] = conj(P - S). */

static void NAME(split)(const mpno_fft_rows *out, const mpno_fft_rows *z, int64_t m,
                        const void *twiddles, int64_t rows, int64_t width) {
    const V half = NAME(all)((T)0.5);
    for (int64_t k = 0; k < rows && 2 * k <= m; k++) {
        const int64_t mirror = m - k;
        const bool both = mirror < rows && mirror != k;
        const T *a = NAME(row)(z, k), *b = NAME(row)(z, k == 0 ? 0 : mirror);
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = NAME(row)(out, k), *dst_mirror = NAME(row)(out, both ? mirror : k);
        const V wr = NAME(all)(w[0]) * half, wi = NAME(all)(w[1]) * half;
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(get)(a + c), ai = NAME(get)(a + z->plane + c);
            V br = NAME(get)(b + c), bi = NAME(get)(b + z->plane + c);
            V er = (ar + br) * half, ei = (ai - bi) * half, or = ai + bi, oi = br - ar;
            if (both) {
                V tr = NAME(fma)(or, wr, -(oi * wi)), ti = NAME(fma)(or, wi, oi * wr);
                NAME(put)(dst_mirror + c, er - tr);
                NAME(put)(dst_mirror + out->plane + c, ti - ei);
                NAME(put)(dst + c, er + tr);
                NAME(put)(dst + out->plane + c, ei + ti);
            } else {
                NAME(put)(dst + c, NAME(fma)(or, wr, NAME(fma)(oi, -wi, er)));
                NAME(put)(dst + out->plane + c, NAME(fma)(or, wi, NAME(fma)(oi, wr, ei)));
            }
        }
    }
}

static void NAME(join)(const mpno_fft_rows *z, int64_t m, const mpno_fft_rows *in, int64_t rows,
                       const void *twiddles, int64_t width) {
    for (int64_t k = 0; 2 * k <= m; k++) {
        const int64_t mirror = m - k;
        const bool has_a = k < rows, has_b = mirror < rows, both = k != 0 && mirror != k;
        const T *a = NAME(row)(in, has_a ? k : 0), *b = NAME(row)(in, has_b ? mirror : 0);
        const T *w = (const T *)twiddles + 2 * k;
        T *dst = NAME(row)(z, k), *dst_mirror = NAME(row)(z, both ? mirror : k);
        /* Y = X / 2 inside, Re X at the ends; what is not kept is 0. */
        const V re = NAME(all)((T)(k == 0 ? 1 : 0.5)), im = NAME(all)((T)(k == 0 ? 0 : 0.5));
        const V wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
        for (int64_t c = 0; c < width; c += LANES) {
            V ar = NAME(nothing)(), ai = ar, br = ar, bi = ar;
            if (has_a) {
                ar = NAME(get)(a + c) * re;
                ai = NAME(get)(a + in->plane + c) * im;
            }
            if (has_b) {
                br = NAME(get)(b + c) * re;
                bi = NAME(get)(b + in->plane + c) * im;
            }
            V pr = ar + br, pi = ai - bi, dr = ar - br, di = ai + bi;
            /* i conj(w) (dr + i di) = (wi dr - wr di) + i (wr dr + wi di) */
            V sr = NAME(fma)(wi, dr, -(wr * di)), si = NAME(fma)(wr, dr, wi * di);
            NAME(put)(dst + c, pr + sr);
            NAME(put)(dst + z->plane + c, pi + si);
            if (both) {
                NAME(put)(dst_mirror + c, pr - sr);
                NAME(put)(dst_mirror + z->plane + c, si - pi);
            }
        }
    }
}
