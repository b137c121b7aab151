/* SPDX-License-Identifier: MIT
 * add, negate, the product of complex rows and the two kernels with one number per channel. A
 * value's result does not depend on its place in the block. Error: add u; channel_affine and
 * channel_combine 2 u and 3 u, multiply_complex 2 u and with accumulate 3 u of the sum of
 * magnitudes. dst may be x (and y). Parameters: kernels_f32.h. */

static void K(add)(void *dst_, const void *a_, const void *b_, int64_t n) {
    const T *a = a_, *b = b_;
    T *dst = dst_;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) V(store)(dst + i, V(add)(V(load)(a + i), V(load)(b + i)));
    if (i < n) {
        const VT sum = V(add)(V(load_part)(a + i, n - i), V(load_part)(b + i, n - i));
        V(store_part)(dst + i, sum, n - i);
    }
}

static void K(negate)(void *dst_, const void *x_, int64_t n) {
    const T *x = x_;
    T *dst = dst_;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) V(store)(dst + i, V(neg)(V(load)(x + i)));
    if (i < n) V(store_part)(dst + i, V(neg)(V(load_part)(x + i, n - i)), n - i);
}

/* n < LANES: a part of a vector. */
KERNEL_INLINE VT K(load_some)(const T *x, int64_t n) {
    return n < LANES ? V(load_part)(x, n) : V(load)(x);
}
KERNEL_INLINE void K(store_some)(T *x, VT v, int64_t n) {
    if (n < LANES)
        V(store_part)(x, v, n);
    else
        V(store)(x, v);
}

/* n values; the planes of each operand lie so far apart. */
KERNEL_INLINE void K(multiply_some)(const T *a, int64_t a_plane, const T *b, int64_t b_plane, T *c,
                                    int64_t c_plane, int64_t n, const int accumulate) {
    const VT a_re = K(load_some)(a, n), a_im = K(load_some)(a + a_plane, n);
    const VT b_re = K(load_some)(b, n), b_im = K(load_some)(b + b_plane, n);
    VT re, im;
    if (accumulate) {
        re = V(fma)(a_re, b_re, K(load_some)(c, n));
        im = V(fma)(a_im, b_re, K(load_some)(c + c_plane, n));
    } else {
        re = V(mul)(a_re, b_re);
        im = V(mul)(a_im, b_re);
    }
    K(store_some)(c, V(fnma)(a_im, b_im, re), n);
    K(store_some)(c + c_plane, V(fma)(a_re, b_im, im), n);
}

static void K(multiply_complex)(int64_t m, int64_t n, const mpno_planes *a, const mpno_planes *b,
                                const mpno_planes *c, int accumulate) {
    for (int64_t r = 0; r < m; r++) {
        const T *x = (const T *)a->data + r * a->row, *y = (const T *)b->data + r * b->row;
        T *z = (T *)c->data + r * c->row;
        int64_t i = 0;
        if (accumulate)
            for (; i + LANES <= n; i += LANES)
                K(multiply_some)(x + i, a->plane, y + i, b->plane, z + i, c->plane, LANES, 1);
        else
            for (; i + LANES <= n; i += LANES)
                K(multiply_some)(x + i, a->plane, y + i, b->plane, z + i, c->plane, LANES, 0);
        if (i < n)
            K(multiply_some)(x + i, a->plane, y + i, b->plane, z + i, c->plane, n - i, accumulate);
    }
}

/* scaled, shifted: whether scale and shift are there; constants at every call. */
KERNEL_INLINE void K(affine_rows)(T *dst, const T *x, const T *scale, const T *shift, int64_t rows,
                                  int64_t channels, const int scaled, const int shifted) {
    for (int64_t r = 0; r < rows; r++, dst += channels, x += channels) {
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            VT v = V(load)(x + c);
            if (scaled && shifted) {
                v = V(fma)(v, V(load)(scale + c), V(load)(shift + c));
            } else if (scaled) {
                v = V(mul)(v, V(load)(scale + c));
            } else if (shifted) {
                v = V(add)(v, V(load)(shift + c));
            }
            V(store)(dst + c, v);
        }
        if (c < channels) {
            const int64_t n = channels - c;
            VT v = V(load_part)(x + c, n);
            if (scaled && shifted) {
                v = V(fma)(v, V(load_part)(scale + c, n), V(load_part)(shift + c, n));
            } else if (scaled) {
                v = V(mul)(v, V(load_part)(scale + c, n));
            } else if (shifted) {
                v = V(add)(v, V(load_part)(shift + c, n));
            }
            V(store_part)(dst + c, v, n);
        }
    }
}

static void K(affine_any)(T *dst, const T *x, const T *scale, const T *shift, int64_t rows,
                          int64_t channels) {
    if (scale && shift) {
        K(affine_rows)(dst, x, scale, shift, rows, channels, 1, 1);
    } else if (scale) {
        K(affine_rows)(dst, x, scale, shift, rows, channels, 1, 0);
    } else if (shift) {
        K(affine_rows)(dst, x, scale, shift, rows, channels, 0, 1);
    } else {
        K(affine_rows)(dst, x, scale, shift, rows, channels, 0, 0);
    }
}

/* Where rows end in half a vector, two of them at a time: 24 channels are three vectors then. */
static void K(channel_affine)(void *dst_, const void *x_, const void *scale, const void *shift,
                              int64_t rows, int64_t channels) {
    enum { MOST = 4 * LANES };
    const T *x = x_;
    T *dst = dst_;
    if (rows > 1 && channels <= MOST && channels % LANES != 0 && 2 * channels % LANES == 0) {
        const int64_t even = rows / 2 * 2;
        const size_t row = (size_t)channels * sizeof(T);
        T twice[2][2 * MOST];
        for (int i = 0; i < 2; i++) {
            if (scale) memcpy(twice[0] + i * channels, scale, row);
            if (shift) memcpy(twice[1] + i * channels, shift, row);
        }
        K(affine_any)
        (dst, x, scale ? twice[0] : NULL, shift ? twice[1] : NULL, even / 2, 2 * channels);
        dst += even * channels;
        x += even * channels;
        rows -= even;
    }
    K(affine_any)(dst, x, scale, shift, rows, channels);
}

static void K(channel_combine)(void *dst_, const void *x_, const void *p_, const void *y_,
                               const void *q_, const void *r_, int64_t rows, int64_t channels) {
    const T *x = x_, *p = p_, *y = y_, *q = q_, *r = r_;
    T *dst = dst_;
    for (int64_t row = 0; row < rows; row++, dst += channels, x += channels, y += channels) {
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            const VT rest = V(fma)(V(load)(q + c), V(load)(y + c), V(load)(r + c));
            V(store)(dst + c, V(fma)(V(load)(p + c), V(load)(x + c), rest));
        }
        if (c < channels) {
            const int64_t n = channels - c;
            const VT rest =
                V(fma)(V(load_part)(q + c, n), V(load_part)(y + c, n), V(load_part)(r + c, n));
            const VT v = V(fma)(V(load_part)(p + c, n), V(load_part)(x + c, n), rest);
            V(store_part)(dst + c, v, n);
        }
    }
}
