/* SPDX-License-Identifier: MIT
 * Passes of every radix that results of T itself are computed with (parameters: fft_all.h). */

/* Any odd radix up to MPNO_FFT_MAX_RADIX, folded b <-> radix - b; the points live in L1. */
static void NAME(pass_odd)(const mpno_fft_pass *pass, const mpno_fft_rows *out,
                           const mpno_fft_rows *in, int64_t width) {
    const int radix = pass->radix, half = radix / 2;
    const int64_t ido = pass->ido, in_step = ido * in->stride;
    const int64_t out_step = ido * pass->l1 * out->stride;
    const int64_t in_plane = in->plane, out_plane = out->plane;
    const T *roots = pass->roots;
    V pr[MPNO_FFT_MAX_RADIX / 2 + 1], pi[MPNO_FFT_MAX_RADIX / 2 + 1];
    V mr[MPNO_FFT_MAX_RADIX / 2 + 1], mi[MPNO_FFT_MAX_RADIX / 2 + 1];
    for (int64_t k = 0; k < pass->l1; k++) {
        for (int64_t i = 0; i < ido; i++) {
            const T *src = NAME(row)(in, i + ido * radix * k);
            const T *w = (const T *)pass->twiddles + 2 * (radix - 1) * i;
            T *dst = NAME(row)(out, i + ido * k);
            for (int64_t c = 0; c < width; c += LANES) {
                V r0 = NAME(get)(src + c), i0 = NAME(get)(src + in_plane + c), sum_re = r0,
                  sum_im = i0;
                for (int b = 1; b <= half; b++) {
                    const T *x = src + b * in_step + c, *y = src + (radix - b) * in_step + c;
                    pr[b] = NAME(get)(x) + NAME(get)(y);
                    pi[b] = NAME(get)(x + in_plane) + NAME(get)(y + in_plane);
                    mr[b] = NAME(get)(x) - NAME(get)(y);
                    mi[b] = NAME(get)(x + in_plane) - NAME(get)(y + in_plane);
                    sum_re += pr[b];
                    sum_im += pi[b];
                }
                NAME(put)(dst + c, sum_re);
                NAME(put)(dst + out_plane + c, sum_im);
                for (int j = 1; j <= half; j++) {
                    V cr = r0, ci = i0, sr = NAME(nothing)(), si = NAME(nothing)();
                    for (int b = 1, m = j; b <= half;
                         b++, m = m + j >= radix ? m + j - radix : m + j) {
                        V cosine = NAME(all)(roots[2 * m]), sine = NAME(all)(roots[2 * m + 1]);
                        cr = NAME(fma)(cosine, pr[b], cr);
                        ci = NAME(fma)(cosine, pi[b], ci);
                        sr = NAME(fma)(sine, mr[b], sr);
                        si = NAME(fma)(sine, mi[b], si);
                    }
                    V re[2] = {cr + si, cr - si}, im[2] = {ci - sr, ci + sr};
                    for (int e = 0; e < 2; e++) {
                        int f = e == 0 ? j : radix - j;
                        V r = re[e], m = im[e];
                        if (ido > 1) {
                            V wr = NAME(all)(w[2 * f - 2]), wi = NAME(all)(w[2 * f - 1]);
                            r = NAME(fma)(re[e], wr, -(im[e] * wi));
                            m = NAME(fma)(re[e], wi, im[e] * wr);
                        }
                        NAME(put)(dst + f * out_step + c, r);
                        NAME(put)(dst + f * out_step + out_plane + c, m);
                    }
                }
            }
        }
    }
}

static void NAME(pass)(const mpno_fft_pass *pass, const mpno_fft_rows *out, const mpno_fft_rows *in,
                       int64_t width) {
    switch (pass->radix) {
        case 2: NAME(pass_radix)(pass, out, in, width, 2); break;
        case 3: NAME(pass_radix)(pass, out, in, width, 3); break;
        case 4: NAME(pass_radix)(pass, out, in, width, 4); break;
        case 5: NAME(pass_radix)(pass, out, in, width, 5); break;
        case 7: NAME(pass_radix)(pass, out, in, width, 7); break;
        case 8: NAME(pass_radix)(pass, out, in, width, 8); break;
        case 16: NAME(pass_radix)(pass, out, in, width, 16); break;
        default: NAME(pass_odd)(pass, out, in, width); break;
    }
}
