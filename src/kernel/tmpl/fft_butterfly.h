/* SPDX-License-Identifier: MIT
 * Small transforms in registers, in place: x[j] <- sum_b x[b] exp(-2 pi i b j / R) for R = 2, 3, 4,
 * 5, 7, 8, 16 (parameters: fft_all.h). Odd radices fold b <-> R - b: sums carry the cosines,
 * differences the sines. */

FFT_INLINE void NAME(butterfly2)(V *re, V *im) {
    V r = re[1], i = im[1];
    re[1] = re[0] - r;
    im[1] = im[0] - i;
    re[0] += r;
    im[0] += i;
}

FFT_INLINE void NAME(butterfly4)(V *re, V *im) {
    V r0 = re[0] + re[2], i0 = im[0] + im[2], r1 = re[0] - re[2], i1 = im[0] - im[2];
    V r2 = re[1] + re[3], i2 = im[1] + im[3], r3 = re[1] - re[3], i3 = im[1] - im[3];
    re[0] = r0 + r2;
    im[0] = i0 + i2;
    re[2] = r0 - r2;
    im[2] = i0 - i2;
    re[1] = r1 + i3; /* - i (r3 + i i3) = i3 - i r3 */
    im[1] = i1 - r3;
    re[3] = r1 - i3;
    im[3] = i1 + r3;
}

FFT_INLINE void NAME(butterfly8)(V *re, V *im) {
    const V h = NAME(all)((T)0.70710678118654752440084436210484904);
    V er[4] = {re[0], re[2], re[4], re[6]}, ei[4] = {im[0], im[2], im[4], im[6]};
    V or [4] = {re[1], re[3], re[5], re[7]}, oi[4] = {im[1], im[3], im[5], im[7]};
    NAME(butterfly4)(er, ei);
    NAME(butterfly4)(or, oi);
    /* odd half times exp(-2 pi i j / 8) */
    V r = (or [1] + oi[1]) * h, i = (oi[1] - or [1]) * h;
    or [1] = r;
    oi[1] = i;
    r = oi[2];
    i = - or [2];
    or [2] = r;
    oi[2] = i;
    r = (oi[3] - or [3]) * h;
    i = -(or [3] + oi[3]) * h;
    or [3] = r;
    oi[3] = i;
    for (int j = 0; j < 4; j++) {
        re[j] = er[j] + or [j];
        im[j] = ei[j] + oi[j];
        re[j + 4] = er[j] - or [j];
        im[j + 4] = ei[j] - oi[j];
    }
}

/* Four by four: x[4 a + b] over a, times exp(-2 pi i b j / 16), over b. */
FFT_INLINE void NAME(butterfly16)(V *re, V *im) {
    const T c1 = (T)0.92387953251128675612818318939678829,
            c2 = (T)0.70710678118654752440084436210484904;
    const T s1 = (T)0.38268343236508977172845998403039887;
    const T cosine[10] = {1, c1, c2, s1, 0, -s1, -c2, -c1, -1, -c1};
    const T sine[10] = {0, s1, c2, c1, 1, c1, c2, s1, 0, -s1};
    V yr[4][4], yi[4][4];
    for (int b = 0; b < 4; b++) {
        for (int a = 0; a < 4; a++) {
            yr[b][a] = re[4 * a + b];
            yi[b][a] = im[4 * a + b];
        }
        NAME(butterfly4)(yr[b], yi[b]);
    }
    for (int j = 0; j < 4; j++) {
        V zr[4], zi[4];
        for (int b = 0; b < 4; b++) {
            const V r = yr[b][j], i = yi[b][j];
            const V c = NAME(all)(cosine[b * j]), s = NAME(all)(sine[b * j]);
            const bool turned = b * j > 0;
            zr[b] = turned ? NAME(fma)(r, c, i * s) : r;
            zi[b] = turned ? NAME(fma)(i, c, -(r * s)) : i;
        }
        NAME(butterfly4)(zr, zi);
        for (int k = 0; k < 4; k++) {
            re[j + 4 * k] = zr[k];
            im[j + 4 * k] = zi[k];
        }
    }
}

FFT_INLINE void NAME(butterfly3)(V *re, V *im) {
    const V c = NAME(all)((T)-0.5), s = NAME(all)((T)0.86602540378443864676372317075293618);
    V pr = re[1] + re[2], pi = im[1] + im[2], mr = re[1] - re[2], mi = im[1] - im[2];
    V tr = NAME(fma)(c, pr, re[0]), ti = NAME(fma)(c, pi, im[0]);
    re[0] += pr;
    im[0] += pi;
    re[1] = NAME(fma)(s, mi, tr);
    im[1] = NAME(fma)(-s, mr, ti);
    re[2] = NAME(fma)(-s, mi, tr);
    im[2] = NAME(fma)(s, mr, ti);
}

/* Radices 5 and 7: cosine[m], sine[m] of 2 pi m / R, m = 0 .. R-1. */
FFT_INLINE void NAME(butterfly_odd)(V *re, V *im, const int radix, const T *cosine, const T *sine) {
    V pr[4], pi[4], mr[4], mi[4];
    V sum_re = re[0], sum_im = im[0];
    for (int b = 1; b <= radix / 2; b++) {
        pr[b] = re[b] + re[radix - b];
        pi[b] = im[b] + im[radix - b];
        mr[b] = re[b] - re[radix - b];
        mi[b] = im[b] - im[radix - b];
        sum_re += pr[b];
        sum_im += pi[b];
    }
    V r0 = re[0], i0 = im[0];
    re[0] = sum_re;
    im[0] = sum_im;
    for (int j = 1; j <= radix / 2; j++) {
        V cr = r0, ci = i0, sr = NAME(all)(sine[j]) * mr[1], si = NAME(all)(sine[j]) * mi[1];
        for (int b = 1; b <= radix / 2; b++) {
            V c = NAME(all)(cosine[j * b % radix]);
            cr = NAME(fma)(c, pr[b], cr);
            ci = NAME(fma)(c, pi[b], ci);
        }
        for (int b = 2; b <= radix / 2; b++) {
            V s = NAME(all)(sine[j * b % radix]);
            sr = NAME(fma)(s, mr[b], sr);
            si = NAME(fma)(s, mi[b], si);
        }
        re[j] = cr + si; /* c - i s: real part + s im, imaginary part - s re */
        im[j] = ci - sr;
        re[radix - j] = cr - si;
        im[radix - j] = ci + sr;
    }
}

FFT_INLINE void NAME(butterfly5)(V *re, V *im) {
    const T c1 = (T)0.30901699437494742410229341718281906,
            c2 = (T)-0.80901699437494742410229341718281906;
    const T s1 = (T)0.95105651629515357211643933337938214,
            s2 = (T)0.58778525229247312916870595463907277;
    const T cosine[5] = {1, c1, c2, c2, c1}, sine[5] = {0, s1, s2, -s2, -s1};
    NAME(butterfly_odd)(re, im, 5, cosine, sine);
}

FFT_INLINE void NAME(butterfly7)(V *re, V *im) {
    const T c1 = (T)0.62348980185873353052500488400423981,
            c2 = (T)-0.22252093395631440428890256449679476;
    const T c3 = (T)-0.90096886790241912623610231950744505;
    const T s1 = (T)0.78183148246802980870844452667405775,
            s2 = (T)0.97492791218182360701813168299393122;
    const T s3 = (T)0.43388373911755812047576833284835875;
    const T cosine[7] = {1, c1, c2, c3, c3, c2, c1}, sine[7] = {0, s1, s2, s3, -s3, -s2, -s1};
    NAME(butterfly_odd)(re, im, 7, cosine, sine);
}

/* radix is a constant at every call. */
FFT_INLINE void NAME(butterfly)(V *re, V *im, const int radix) {
    switch (radix) {
        case 2:
            NAME(butterfly2)(re, im);
            break;
        case 3:
            NAME(butterfly3)(re, im);
            break;
        case 4:
            NAME(butterfly4)(re, im);
            break;
        case 5:
            NAME(butterfly5)(re, im);
            break;
        case 7:
            NAME(butterfly7)(re, im);
            break;
        case 16:
            NAME(butterfly16)(re, im);
            break;
        default:
            NAME(butterfly8)(re, im);
            break;
    }
}
