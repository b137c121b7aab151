/* SPDX-License-Identifier: MIT
 * The transform kernels of one ISA with 16-bit arithmetic: rows are f32, but every number that is
 * put into one is rounded to the format first, to nearest even - samples, the results of each
 * butterfly, and the twiddles of the tables. So a transform does what one does that has nothing
 * but that format between its butterflies, as the GPU library cuFFT and with it the paper (arXiv
 * 2307.15034). A butterfly itself is computed in f32 and rounds once; radices are prime, so that
 * none hides two.
 * Parameters  those of fft_all.h; STORED(x): storing and loading verbs of the format, VERB(x_f16)
 *             or VERB(x_bf16); all undefined again at the end. */

FFT_INLINE V NAME(round)(V x) {
    _Alignas(64) unsigned char narrow[LANES * 2];
    STORED(store)(narrow, x);
    return STORED(load)(narrow);
}
#define ROUND(x) NAME(round)(x)
#define ROUNDS 1

#include "kernel/tmpl/fft_vector.h"
#include "kernel/tmpl/fft_rows.h"
#include "kernel/tmpl/fft_butterfly.h"
#include "kernel/tmpl/fft_pass.h"
#include "kernel/tmpl/fft_real.h"

/* Any radix, sum by sum. */
static void NAME(pass_sums)(const mpno_fft_pass *pass, const mpno_fft_rows *out,
                            const mpno_fft_rows *in, int64_t width) {
    const int64_t radix = pass->radix, ido = pass->ido;
    const T *roots = pass->roots;
    for (int64_t k = 0; k < pass->l1; k++) {
        for (int64_t n = 0; n < ido * radix; n++) {
            const int64_t i = n / radix, j = n % radix;
            const T *w = (const T *)pass->twiddles + 2 * ((radix - 1) * i + j - 1);
            T *dst = NAME(row)(out, i + ido * (k + pass->l1 * j));
            for (int64_t c = 0; c < width; c += LANES) {
                V re = NAME(nothing)(), im = re;
                for (int64_t b = 0, m = 0; b < radix; b++, m = (m + j) % radix) {
                    const T *src = NAME(row)(in, i + ido * (b + radix * k)) + c;
                    const V x = NAME(get)(src), y = NAME(get)(src + in->plane);
                    const V cosine = NAME(all)(roots[2 * m]), sine = NAME(all)(roots[2 * m + 1]);
                    re = NAME(fma)(cosine, x, NAME(fma)(sine, y, re));
                    im = NAME(fma)(cosine, y, NAME(fma)(-sine, x, im));
                }
                if (ido > 1 && j > 0) {
                    const V r = re, wr = NAME(all)(w[0]), wi = NAME(all)(w[1]);
                    re = NAME(fma)(r, wr, -(im * wi));
                    im = NAME(fma)(r, wi, im * wr);
                }
                NAME(put)(dst + c, re);
                NAME(put)(dst + out->plane + c, im);
            }
        }
    }
}

static void NAME(pass)(const mpno_fft_pass *pass, const mpno_fft_rows *out, const mpno_fft_rows *in,
                       int64_t width) {
    switch (pass->radix) {
        case 2: NAME(pass_radix)(pass, out, in, width, 2); break;
        case 3: NAME(pass_radix)(pass, out, in, width, 3); break;
        case 5: NAME(pass_radix)(pass, out, in, width, 5); break;
        case 7: NAME(pass_radix)(pass, out, in, width, 7); break;
        default: NAME(pass_sums)(pass, out, in, width); break;
    }
}

#undef T
#undef V
#undef MASK
#undef VERB
#undef LANES
#undef NAME
#undef STORED
#undef ROUND
#undef ROUNDS
#undef ARITHMETIC
