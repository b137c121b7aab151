/* SPDX-License-Identifier: MIT
 * One pass of a mixed-radix transform over rows of channels (parameters: fft_all.h; contract:
 * kernel/fft_kernels.h). Rows are whole blocks of channels, so the order of the points costs
 * nothing: no shuffles, no digit reversal. */

/* radix and twiddled are constants at every call: all loops over j unroll and the points live in
 * registers. */
FFT_INLINE void NAME(pass_small)(const mpno_fft_pass *pass, const mpno_fft_rows *out,
                                 const mpno_fft_rows *in, int64_t width, const int radix,
                                 const bool twiddled) {
    const int64_t ido = twiddled ? pass->ido : 1;
    const int64_t in_step = ido * in->stride, out_step = ido * pass->l1 * out->stride;
    for (int64_t c = 0; c < width; c += LANES) {
        for (int64_t k = 0; k < pass->l1; k++) {
            const T *w = pass->twiddles;
            for (int64_t i = 0; i < ido; i++, w += 2 * (radix - 1)) {
                const T *src = NAME(row)(in, i + ido * radix * k) + c, *src_im = src + in->plane;
                T *dst = NAME(row)(out, i + ido * k) + c, *dst_im = dst + out->plane;
                V re[16], im[16];
                for (int j = 0; j < radix; j++) {
                    re[j] = NAME(get)(src + j * in_step);
                    im[j] = NAME(get)(src_im + j * in_step);
                }
                NAME(butterfly)(re, im, radix);
                NAME(put)(dst, re[0]);
                NAME(put)(dst_im, im[0]);
                for (int j = 1; j < radix; j++) {
                    V r = re[j], m = im[j];
                    if (twiddled) {
                        V wr = NAME(all)(w[2 * j - 2]), wi = NAME(all)(w[2 * j - 1]);
                        r = NAME(fma)(re[j], wr, -(im[j] * wi));
                        m = NAME(fma)(re[j], wi, im[j] * wr);
                    }
                    NAME(put)(dst + j * out_step, r);
                    NAME(put)(dst_im + j * out_step, m);
                }
            }
        }
    }
}

FFT_INLINE void NAME(pass_radix)(const mpno_fft_pass *pass, const mpno_fft_rows *out,
                                 const mpno_fft_rows *in, int64_t width, const int radix) {
    if (pass->ido > 1) {
        NAME(pass_small)(pass, out, in, width, radix, true);
    } else {
        NAME(pass_small)(pass, out, in, width, radix, false);
    }
}

static void NAME(multiply)(const mpno_fft_rows *out, const mpno_fft_rows *in, const void *factors,
                           int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const T *src = NAME(row)(in, r), *w = (const T *)factors + 2 * r;
        T *dst = NAME(row)(out, r);
        V wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
        for (int64_t c = 0; c < width; c += LANES) {
            V re = NAME(get)(src + c), im = NAME(get)(src + in->plane + c);
            NAME(put)(dst + c, NAME(fma)(re, wr, -(im * wi)));
            NAME(put)(dst + out->plane + c, NAME(fma)(re, wi, im * wr));
        }
    }
}
