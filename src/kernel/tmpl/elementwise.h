/* SPDX-License-Identifier: MIT
 * add, negate, the product of complex rows and the two kernels with one number per channel, three
 * of them with operands of 16 bits too, widened in registers. A
 * value's result does not depend on its place in the block. Error: add u; channel_affine and
 * channel_combine 2 u and 3 u, multiply_complex 2 u and with accumulate 3 u of the sum of
 * magnitudes. dst may be x (and y). Parameters: kernels_f32.h. */

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

/* Operands as they are stored, of a constant format: the vector from element i on, or its first n
 * elements. */
#define OWN (sizeof(T) == 4 ? MPNO_F32 : MPNO_F64)
KERNEL_INLINE const unsigned char *K(place)(const void *x, int64_t i, const mpno_format format) {
    return (const unsigned char *)x + i * (int64_t)(format == OWN ? sizeof(T) : 2);
}
KERNEL_INLINE VT K(widened)(const void *x, int64_t i, const mpno_format format) {
    return K(widen)(K(place)(x, i, format), format);
}
KERNEL_INLINE VT K(widened_part)(const void *x, int64_t i, int64_t n, const mpno_format format) {
    if (format == OWN) return V(load_part)((const T *)x + i, n);
    _Alignas(64) unsigned char part[LANES * 2] = {0};
    memcpy(part, K(place)(x, i, format), (size_t)n * 2);
    return K(widen)(part, format);
}

KERNEL_INLINE void K(add_as)(T *dst, const void *a, const mpno_format a_format, const void *b,
                             const mpno_format b_format, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        V(store)(dst + i, V(add)(K(widened)(a, i, a_format), K(widened)(b, i, b_format)));
    if (i < n) {
        const VT x = K(widened_part)(a, i, n - i, a_format),
                 y = K(widened_part)(b, i, n - i, b_format);
        V(store_part)(dst + i, V(add)(x, y), n - i);
    }
}

static void K(add)(void *dst, const void *a, const void *b, int64_t n) {
    K(add_as)(dst, a, OWN, b, OWN, n);
}

/* scaled, shifted: whether scale and shift are there; constants at every call. */
KERNEL_INLINE void K(affine_rows)(T *dst, const void *x, const mpno_format format, const T *scale,
                                  const T *shift, int64_t rows, int64_t channels, const int scaled,
                                  const int shifted) {
    for (int64_t r = 0; r < rows; r++, dst += channels) {
        const int64_t at = r * channels;
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            VT v = K(widened)(x, at + c, format);
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
            VT v = K(widened_part)(x, at + c, n, format);
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

KERNEL_INLINE void K(affine_any)(T *dst, const void *x, const mpno_format format, const T *scale,
                                 const T *shift, int64_t rows, int64_t channels) {
    if (scale && shift) {
        K(affine_rows)(dst, x, format, scale, shift, rows, channels, 1, 1);
    } else if (scale) {
        K(affine_rows)(dst, x, format, scale, shift, rows, channels, 1, 0);
    } else if (shift) {
        K(affine_rows)(dst, x, format, scale, shift, rows, channels, 0, 1);
    } else {
        K(affine_rows)(dst, x, format, scale, shift, rows, channels, 0, 0);
    }
}

/* Where rows end in half a vector, two of them at a time: 24 channels are three vectors then. */
KERNEL_INLINE void K(affine_as)(T *dst, const void *x, const mpno_format format, const T *scale,
                                const T *shift, int64_t rows, int64_t channels) {
    enum { MOST = 4 * LANES };
    if (rows > 1 && channels <= MOST && channels % LANES != 0 && 2 * channels % LANES == 0) {
        const int64_t even = rows / 2 * 2;
        const size_t row = (size_t)channels * sizeof(T);
        T twice[2][2 * MOST];
        for (int i = 0; i < 2; i++) {
            if (scale) memcpy(twice[0] + i * channels, scale, row);
            if (shift) memcpy(twice[1] + i * channels, shift, row);
        }
        K(affine_any)
        (dst, x, format, scale ? twice[0] : NULL, shift ? twice[1] : NULL, even / 2, 2 * channels);
        dst += even * channels;
        x = K(place)(x, even * channels, format);
        rows -= even;
    }
    K(affine_any)(dst, x, format, scale, shift, rows, channels);
}

static void K(channel_affine)(void *dst, const void *x, const void *scale, const void *shift,
                              int64_t rows, int64_t channels) {
    K(affine_as)(dst, x, OWN, scale, shift, rows, channels);
}

static void K(affine_stored)(void *dst, const void *x, mpno_format format, const void *scale,
                             const void *shift, int64_t rows, int64_t channels) {
    if (format == MPNO_F16) {
        K(affine_as)(dst, x, MPNO_F16, scale, shift, rows, channels);
    } else if (format == MPNO_BF16) {
        K(affine_as)(dst, x, MPNO_BF16, scale, shift, rows, channels);
    } else {
        K(affine_as)(dst, x, OWN, scale, shift, rows, channels);
    }
}

KERNEL_INLINE void K(combine_as)(T *dst, const void *x, const mpno_format x_format, const T *p,
                                 const void *y, const mpno_format y_format, const T *q, const T *r,
                                 int64_t rows, int64_t channels) {
    for (int64_t row = 0; row < rows; row++, dst += channels) {
        const int64_t at = row * channels;
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            const VT rest = V(fma)(V(load)(q + c), K(widened)(y, at + c, y_format), V(load)(r + c));
            V(store)(dst + c, V(fma)(V(load)(p + c), K(widened)(x, at + c, x_format), rest));
        }
        if (c < channels) {
            const int64_t n = channels - c;
            const VT rest = V(fma)(V(load_part)(q + c, n), K(widened_part)(y, at + c, n, y_format),
                                   V(load_part)(r + c, n));
            const VT v =
                V(fma)(V(load_part)(p + c, n), K(widened_part)(x, at + c, n, x_format), rest);
            V(store_part)(dst + c, v, n);
        }
    }
}

static void K(channel_combine)(void *dst, const void *x, const void *p, const void *y,
                               const void *q, const void *r, int64_t rows, int64_t channels) {
    K(combine_as)(dst, x, OWN, p, y, OWN, q, r, rows, channels);
}

/* Both, one or none of two operands of the type T, the others of the same 16-bit format. */
#define WITH_FORMATS(x_format, y_format, call)                       \
    do {                                                             \
        if (x_format == MPNO_F16 && y_format == MPNO_F16) {          \
            call(MPNO_F16, MPNO_F16);                                \
        } else if (x_format == MPNO_BF16 && y_format == MPNO_BF16) { \
            call(MPNO_BF16, MPNO_BF16);                              \
        } else if (x_format == MPNO_F16) {                           \
            call(MPNO_F16, OWN);                                     \
        } else if (x_format == MPNO_BF16) {                          \
            call(MPNO_BF16, OWN);                                    \
        } else if (y_format == MPNO_F16) {                           \
            call(OWN, MPNO_F16);                                     \
        } else if (y_format == MPNO_BF16) {                          \
            call(OWN, MPNO_BF16);                                    \
        } else {                                                     \
            call(OWN, OWN);                                          \
        }                                                            \
    } while (0)

static void K(combine_stored)(void *dst, const void *x, mpno_format x_format, const void *p,
                              const void *y, mpno_format y_format, const void *q, const void *r,
                              int64_t rows, int64_t channels) {
#define CALL(f, g) K(combine_as)(dst, x, f, p, y, g, q, r, rows, channels)
    WITH_FORMATS(x_format, y_format, CALL);
#undef CALL
}

static void K(add_stored)(void *dst, const void *a, mpno_format a_format, const void *b,
                          mpno_format b_format, int64_t n) {
#define CALL(f, g) K(add_as)(dst, a, f, b, g, n)
    WITH_FORMATS(a_format, b_format, CALL);
#undef CALL
}
#undef WITH_FORMATS
#undef OWN
