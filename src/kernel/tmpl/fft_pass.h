/* SPDX-License-Identifier: MIT
 * One pass of a mixed-radix transform over rows of channels (parameters: fft_all.h; contract: kernel/fft_kernels.h).
 * Rows are whole blocks of channels, so the order of the points costs nothing: no shuffles, no digit reversal. */

/* radix and twiddled are constants at every call: all loops over j unroll and the points live in registers. */
FFT_INLINE void NAME(pass_small)(const mpno_fft_pass *pass, T *out, int64_t out_stride, const T *in, int64_t in_stride,
                                 int64_t width, bool swap, const int radix, const bool twiddled) {
    const int64_t ido = twiddled ? pass->ido : 1, in_step = ido * in_stride, out_step = ido * pass->l1 * out_stride;
    const int64_t to_re = swap ? width : 0, to_im = swap ? 0 : width;
    for (int64_t k = 0; k < pass->l1; k++) {
        const T *w = pass->twiddles;
        for (int64_t i = 0; i < ido; i++, w += 2 * (radix - 1)) {
            const T *src = in + (i + ido * radix * k) * in_stride;
            T *dst = out + (i + ido * k) * out_stride;
            for (int64_t c = 0; c < width; c += LANES) {
                V re[8], im[8];
                for (int j = 0; j < radix; j++) {
                    re[j] = NAME(get)(src + j * in_step + to_re + c);
                    im[j] = NAME(get)(src + j * in_step + to_im + c);
                }
                switch (radix) {
                    case 2: NAME(butterfly2)(re, im); break;
                    case 3: NAME(butterfly3)(re, im); break;
                    case 4: NAME(butterfly4)(re, im); break;
                    case 5: NAME(butterfly5)(re, im); break;
                    case 7: NAME(butterfly7)(re, im); break;
                    default: NAME(butterfly8)(re, im); break;
                }
                NAME(put)(dst + to_re + c, re[0]);
                NAME(put)(dst + to_im + c, im[0]);
                for (int j = 1; j < radix; j++) {
                    V r = re[j], m = im[j];
                    if (twiddled) {
                        V wr = NAME(all)(w[2 * j - 2]), wi = NAME(all)(w[2 * j - 1]);
                        r = NAME(fma)(re[j], wr, -(im[j] * wi));
                        m = NAME(fma)(re[j], wi, im[j] * wr);
                    }
                    NAME(put)(dst + j * out_step + to_re + c, r);
                    NAME(put)(dst + j * out_step + to_im + c, m);
                }
            }
        }
    }
}

/* Any odd radix up to MPNO_FFT_MAX_RADIX, folded b <-> radix - b; the points live in L1. */
static void NAME(pass_odd)(const mpno_fft_pass *pass, T *out, int64_t out_stride, const T *in, int64_t in_stride,
                           int64_t width, bool swap) {
    const int radix = pass->radix, half = radix / 2;
    const int64_t ido = pass->ido, in_step = ido * in_stride, out_step = ido * pass->l1 * out_stride;
    const int64_t to_re = swap ? width : 0, to_im = swap ? 0 : width;
    const T *roots = pass->roots;
    V pr[MPNO_FFT_MAX_RADIX / 2 + 1], pi[MPNO_FFT_MAX_RADIX / 2 + 1];
    V mr[MPNO_FFT_MAX_RADIX / 2 + 1], mi[MPNO_FFT_MAX_RADIX / 2 + 1];
    for (int64_t k = 0; k < pass->l1; k++) {
        for (int64_t i = 0; i < ido; i++) {
            const T *src = in + (i + ido * radix * k) * in_stride;
            const T *w = (const T *)pass->twiddles + 2 * (radix - 1) * i;
            T *dst = out + (i + ido * k) * out_stride;
            for (int64_t c = 0; c < width; c += LANES) {
                V r0 = NAME(get)(src + to_re + c), i0 = NAME(get)(src + to_im + c), sum_re = r0, sum_im = i0;
                for (int b = 1; b <= half; b++) {
                    const T *x = src + b * in_step + c, *y = src + (radix - b) * in_step + c;
                    pr[b] = NAME(get)(x + to_re) + NAME(get)(y + to_re);
                    pi[b] = NAME(get)(x + to_im) + NAME(get)(y + to_im);
                    mr[b] = NAME(get)(x + to_re) - NAME(get)(y + to_re);
                    mi[b] = NAME(get)(x + to_im) - NAME(get)(y + to_im);
                    sum_re += pr[b];
                    sum_im += pi[b];
                }
                NAME(put)(dst + to_re + c, sum_re);
                NAME(put)(dst + to_im + c, sum_im);
                for (int j = 1; j <= half; j++) {
                    V cr = r0, ci = i0, sr = NAME(nothing)(), si = NAME(nothing)();
                    for (int b = 1, m = j; b <= half; b++, m = m + j >= radix ? m + j - radix : m + j) {
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
                        NAME(put)(dst + f * out_step + to_re + c, r);
                        NAME(put)(dst + f * out_step + to_im + c, m);
                    }
                }
            }
        }
    }
}

static void NAME(pass)(const mpno_fft_pass *pass, void *out, int64_t out_stride, const void *in, int64_t in_stride,
                       int64_t width, bool swap) {
    switch (pass->ido > 1 ? pass->radix : -pass->radix) {
        case 2: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 2, true); break;
        case 3: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 3, true); break;
        case 4: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 4, true); break;
        case 5: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 5, true); break;
        case 7: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 7, true); break;
        case 8: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 8, true); break;
        case -2: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 2, false); break;
        case -3: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 3, false); break;
        case -4: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 4, false); break;
        case -5: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 5, false); break;
        case -7: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 7, false); break;
        case -8: NAME(pass_small)(pass, out, out_stride, in, in_stride, width, swap, 8, false); break;
        default: NAME(pass_odd)(pass, out, out_stride, in, in_stride, width, swap); break;
    }
}

static void NAME(multiply)(void *out, int64_t out_stride, const void *in, int64_t in_stride, const void *factors,
                           int64_t rows, int64_t width, bool swap_in, bool swap_out) {
    const int64_t in_re = swap_in ? width : 0, in_im = swap_in ? 0 : width;
    const int64_t out_re = swap_out ? width : 0, out_im = swap_out ? 0 : width;
    for (int64_t r = 0; r < rows; r++) {
        const T *src = (const T *)in + r * in_stride, *w = (const T *)factors + 2 * r;
        T *dst = (T *)out + r * out_stride;
        V wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
        for (int64_t c = 0; c < width; c += LANES) {
            V re = NAME(get)(src + in_re + c), im = NAME(get)(src + in_im + c);
            NAME(put)(dst + out_re + c, NAME(fma)(re, wr, -(im * wi)));
            NAME(put)(dst + out_im + c, NAME(fma)(re, wi, im * wr));
        }
    }
}
