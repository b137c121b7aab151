/* SPDX-License-Identifier: MIT
 * The transform as a small matrix product, folded by the symmetries of cosine and sine in registers
 * (parameters: fft_all.h; contract: kernel/fft_kernels.h): with few kept modes this is fewer
 * operations than a fast transform, and a line is read or written once for each group of
 * frequencies.
 *
 * N even: the samples h, N/2 - h, N/2 + h, N - h have an even part, which meets the cosines, and an
 * odd part, which meets the sines, each as the sum (a) or the difference (b) of its two halves,
 * for even or odd k. N odd: h and N - h have one even and one odd part.
 * h = 0 and, 4 h = N, the quarter are shorter; the tables have exact zeros there. */

/* sum[j] += table[j] a, or b for every other j. count is a constant at every call. */
FFT_INLINE void NAME(direct_add)(V *sum, const T *table, const int count, V a, V b) {
    FFT_UNROLL
    for (int j = 0; j < count; j++)
        sum[j] = NAME(fma)(NAME(all)(table[j]), j % 2 != 0 ? b : a, sum[j]);
}

/* One vector of `count` frequencies: the even part, from an even k on, or the odd part, from an odd
 * k on. */
FFT_INLINE void NAME(direct_sweep)(T *dst, int64_t k_stride, const T *table, const int count,
                                   const bool odd, const bool four, const T *x, int64_t stride,
                                   int64_t n, const char *next) {
    V sum[MPNO_FFT_DIRECT_GROUP];
    const V x0 = VERB(load)(x), xm = four ? VERB(load)(x + n / 2 * stride) : NAME(nothing)();
    const V plus = x0 + xm, minus = x0 - xm;
    FFT_UNROLL
    for (int j = 0; j < count; j++)
        sum[j] = odd ? NAME(nothing)() : four && j % 2 != 0 ? minus : plus;
    const T *p0 = x + stride, *p3 = x + (n - 1) * stride;
    const T *p1 = four ? x + (n / 2 + 1) * stride : x, *p2 = four ? x + (n / 2 - 1) * stride : x;
    for (int64_t h = 1; (four ? 4 : 2) * h < n; h++) {
        const V y0 = VERB(load)(p0), y3 = VERB(load)(p3);
        V a = odd ? y0 - y3 : y0 + y3, b = a;
        if (four) {
            const V y1 = VERB(load)(p1), y2 = VERB(load)(p2);
            const V other = odd ? y2 - y1 : y2 + y1;
            b = a - other;
            a += other;
        }
        NAME(direct_add)(sum, table, count, a, b);
        if (next != NULL) { /* as much as was read */
            for (size_t byte = 0; byte < (four ? 4 : 2) * sizeof(V); byte += 64)
                __builtin_prefetch(next + byte);
            next += (four ? 4 : 2) * sizeof(V);
        }
        table += count;
        p0 += stride;
        p1 += stride;
        p2 -= stride;
        p3 -= stride;
    }
    if (four && n % 4 == 0) {
        const V y1 = VERB(load)(x + n / 4 * stride), y3 = VERB(load)(x + (n - n / 4) * stride);
        const V pair = odd ? y1 - y3 : y1 + y3;
        NAME(direct_add)(sum, table, count, pair, pair);
    }
    FFT_UNROLL
    for (int j = 0; j < count; j++) NAME(put)(dst + j * k_stride, sum[j]);
}

typedef struct NAME(direct_lines) {
    const T *x;
    int64_t stride, n, length, rows, k_stride;
    const char *next; /* memory that is read next, NULL: unknown */
} NAME(direct_lines);

/* All vectors of a row; count and odd are constants at every call. */
FFT_INLINE void NAME(direct_group)(const NAME(direct_lines) * l, T *dst, const T *table,
                                   const int count, const bool odd) {
    const char *next = l->next;
    for (int64_t c = 0; c < l->length; c += LANES) {
        if (l->n % 2 == 0) {
            NAME(direct_sweep)
            (dst + c, l->k_stride, table, count, odd, true, l->x + c, l->stride, l->n, next);
        } else {
            NAME(direct_sweep)
            (dst + c, l->k_stride, table, count, odd, false, l->x + c, l->stride, l->n, next);
        }
        if (next != NULL) next += (size_t)(l->rows * (l->n % 2 == 0 ? 4 : 2)) * sizeof(V);
    }
}

#define FFT_GROUP_CASE(count)                          \
    case count:                                        \
        NAME(direct_group)(l, dst, table, count, odd); \
        break;

FFT_INLINE void NAME(direct_part)(NAME(direct_lines) * l, T *dst, const T *table, int64_t first,
                                  int64_t last, int64_t group, const bool odd) {
    for (int64_t k = first; k <= last; k += group) {
        const int64_t count = last + 1 - k < group ? last + 1 - k : group;
        switch (count) {
            FFT_GROUP_CASE(1)
            FFT_GROUP_CASE(2)
            FFT_GROUP_CASE(3)
            FFT_GROUP_CASE(4)
            FFT_GROUP_CASE(5)
            FFT_GROUP_CASE(6)
            FFT_GROUP_CASE(7)
            FFT_GROUP_CASE(8)
            FFT_GROUP_CASE(9)
            FFT_GROUP_CASE(10)
            FFT_GROUP_CASE(11)
            FFT_GROUP_CASE(12)
            default:
                break;
        }
        dst += count * l->k_stride;
        table += count * l->rows;
        l->next = NULL; /* it was fetched */
    }
}

#undef FFT_GROUP_CASE

static void NAME(direct_forward)(const mpno_fft_direct *direct, void *even, void *odd,
                                 int64_t k_stride, const void *x, int64_t stride, int64_t length,
                                 const void *next) {
    const int64_t n = direct->n, rows = n % 2 == 0 ? n / 4 : n / 2;
    NAME(direct_lines) l = {x, stride, n, length, rows, k_stride, next};
    NAME(direct_part)(&l, even, direct->even, 0, direct->last, direct->group, false);
    NAME(zero)(odd, k_stride, 1, length); /* sin 0 */
    NAME(direct_part)
    (&l, (T *)odd + k_stride, direct->odd, 1, direct->last, direct->group, true);
}

/* ---- the transpose ---- */

#define FFT_BLOCK MPNO_FFT_DIRECT_BLOCK
#define FFT_VECTORS \
    (sizeof(V) == 64 ? 2 : 1) /* 4 FFT_BLOCK sums of each: AVX-512 has 32 registers */

/* What an inverse transform reads and writes at one vector of channels. */
typedef struct NAME(direct_target) {
    const T *even, *odd;
    int64_t k_stride, last;
    unsigned char *x; /* rows of a storage format */
    size_t stride;    /* bytes */
    int64_t n;
    const char *next; /* memory that is written next, NULL: unknown */
    MASK bad;         /* of narrow formats: lanes in which a stored value is not finite */
} NAME(direct_target);

FFT_INLINE void NAME(direct_ahead)(NAME(direct_target) * t, size_t bytes) {
    if (t->next == NULL) return;
    for (size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(t->next + byte);
    t->next += bytes;
}

/* Vector v of sample n. */
FFT_INLINE void NAME(direct_write)(NAME(direct_target) * t, int64_t n, int v, mpno_format format,
                                   V x, V *check) {
    unsigned char *dst = t->x + (size_t)n * t->stride + (size_t)(v * LANES) * NAME(bytes)(format);
    if (NAME(bytes)(format) == sizeof(T)) {
        VERB(store)((T *)(void *)dst, x);
        *check = NAME(fma)(x, NAME(nothing)(), *check); /* NaN once x is not finite */
    } else {
        NAME(stow)(dst, format, x, &t->bad);
    }
}

/* Rows h .. h + count - 1, `vectors` of channels (both constants): x = sum of cosines (a, b) and
 * sines (d, e), a and d of even k, b and e of odd k when the samples come in fours. */
FFT_INLINE const T *NAME(direct_block)(NAME(direct_target) * t, int64_t h, const T *table,
                                       const int count, const int vectors, const bool four,
                                       mpno_format format, V *check) {
    V a[FFT_BLOCK][2], b[FFT_BLOCK][2], d[FFT_BLOCK][2], e[FFT_BLOCK][2];
    for (int i = 0; i < count; i++) {
        for (int v = 0; v < vectors; v++) {
            a[i][v] = NAME(get)(t->even + v * LANES);
            b[i][v] = d[i][v] = e[i][v] = NAME(nothing)();
        }
    }
    const T *even = t->even, *odd = t->odd;
    for (int64_t k = 1; k <= t->last; k += 2) {
        for (int second = 0; second < 2; second++) {
            if (second && k == t->last) break;
            even += t->k_stride;
            odd += t->k_stride;
            V c[2], s[2];
            for (int v = 0; v < vectors; v++) {
                c[v] = NAME(get)(even + v * LANES);
                s[v] = NAME(get)(odd + v * LANES);
            }
            for (int i = 0; i < count; i++, table += 2) {
                const V cosine = NAME(all)(table[0]), sine = NAME(all)(table[1]);
                for (int v = 0; v < vectors; v++) {
                    V *to = four && !second ? &b[i][v] : &a[i][v];
                    *to = NAME(fma)(cosine, c[v], *to);
                    to = four && !second ? &e[i][v] : &d[i][v];
                    *to = NAME(fma)(sine, s[v], *to);
                }
            }
        }
    }
    const int64_t n = t->n;
    for (int i = 0; i < count; i++) {
        for (int v = 0; v < vectors; v++) {
            V bad = NAME(nothing)(); /* of its own: a chain through all rows would take longer */
            V e0 = a[i][v], o0 = d[i][v];
            if (four) {
                e0 += b[i][v];
                o0 += e[i][v];
            }
            NAME(direct_write)(t, h + i, v, format, e0 + o0, &bad);
            NAME(direct_write)(t, n - h - i, v, format, e0 - o0, &bad);
            if (four) {
                const V e1 = a[i][v] - b[i][v], o1 = e[i][v] - d[i][v];
                NAME(direct_write)(t, n / 2 - h - i, v, format, e1 + o1, &bad);
                NAME(direct_write)(t, n / 2 + h + i, v, format, e1 - o1, &bad);
            }
            check[v] += bad;
        }
    }
    return table;
}

/* h = 0: sums of all even parts, for N/2 with alternating signs. */
FFT_INLINE void NAME(direct_ends)(NAME(direct_target) * t, const int vectors, mpno_format format,
                                  V *check) {
    for (int v = 0; v < vectors; v++) {
        V a = NAME(get)(t->even + v * LANES), b = NAME(nothing)();
        for (int64_t k = 1; k <= t->last; k++) {
            const V c = NAME(get)(t->even + k * t->k_stride + v * LANES);
            if (k % 2 != 0) {
                b += c;
            } else {
                a += c;
            }
        }
        NAME(direct_write)(t, 0, v, format, a + b, &check[v]);
        if (t->n % 2 == 0) NAME(direct_write)(t, t->n / 2, v, format, a - b, &check[v]);
    }
}

/* All samples at `vectors` vectors of channels; vectors and format are constants at every call. */
FFT_INLINE void NAME(direct_samples)(NAME(direct_target) * t, const T *table, const int vectors,
                                     mpno_format format, V *check) {
    const int64_t n = t->n;
    const size_t written = FFT_BLOCK * (size_t)(vectors * LANES) * NAME(bytes)(format);
    int64_t h = 1;
    NAME(direct_ends)(t, vectors, format, check);
    if (n % 2 != 0) {
        for (; 2 * (h + FFT_BLOCK - 1) < n; h += FFT_BLOCK) {
            NAME(direct_ahead)(t, 2 * written);
            table = NAME(direct_block)(t, h, table, FFT_BLOCK, vectors, false, format, check);
        }
        for (; 2 * h < n; h++)
            table = NAME(direct_block)(t, h, table, 1, vectors, false, format, check);
        return;
    }
    for (; 4 * (h + FFT_BLOCK - 1) < n; h += FFT_BLOCK) {
        NAME(direct_ahead)(t, 4 * written);
        table = NAME(direct_block)(t, h, table, FFT_BLOCK, vectors, true, format, check);
    }
    for (; 4 * h < n; h++) table = NAME(direct_block)(t, h, table, 1, vectors, true, format, check);
    if (n % 4 == 0) NAME(direct_block)(t, h, table, 1, vectors, false, format, check);
}

FFT_INLINE int NAME(direct_format)(const T *table, NAME(direct_target) t, int64_t length,
                                   mpno_format format) {
    const int64_t step = FFT_VECTORS * LANES;
    V check[2] = {NAME(nothing)(), NAME(nothing)()};
    int64_t c = 0;
    for (; c + step <= length; c += step) {
        NAME(direct_samples)(&t, table, FFT_VECTORS, format, check);
        t.even += step;
        t.odd += step;
        t.x += (size_t)step * NAME(bytes)(format);
    }
    if (c < length) NAME(direct_samples)(&t, table, 1, format, check);
    const V sum = check[0] + check[1], one = NAME(all)(1);
    return VERB(any)(VERB(mask_or)(t.bad, VERB(mask_not)(VERB(less)(sum, one))));
}

static int NAME(direct_inverse)(const mpno_fft_direct *direct, const mpno_fft_view *view,
                                const void *even, const void *odd, int64_t k_stride) {
    const NAME(direct_target) t = {.even = even,
                                   .odd = odd,
                                   .k_stride = k_stride,
                                   .last = direct->last,
                                   .x = view->data,
                                   .stride = (size_t)view->row_stride * NAME(bytes)(view->format),
                                   .n = direct->n,
                                   .next = view->next,
                                   .bad = NAME(none)()};
    if (sizeof(T) == 4 && view->format == MPNO_F16)
        return NAME(direct_format)(direct->even, t, view->n, MPNO_F16);
    if (sizeof(T) == 4 && view->format == MPNO_BF16)
        return NAME(direct_format)(direct->even, t, view->n, MPNO_BF16);
    return NAME(direct_format)(direct->even, t, view->n, sizeof(T) == 4 ? MPNO_F32 : MPNO_F64);
}

#undef FFT_BLOCK
#undef FFT_VECTORS

static void NAME(combine)(const mpno_fft_rows *out, const mpno_fft_rows *even,
                          const mpno_fft_rows *odd, int64_t first, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
        const int64_t k = first + r;
        const T *e = NAME(row)(even, k < 0 ? -k : k), *o = NAME(row)(odd, k < 0 ? -k : k);
        T *dst = NAME(row)(out, r);
        const V sign = NAME(all)((T)(k < 0 ? -1 : 1)); /* its product is exact */
        for (int64_t c = 0; c < width; c += LANES) {
            NAME(put)(dst + c, NAME(get)(e + c) - sign * NAME(get)(o + odd->plane + c));
            NAME(put)
            (dst + out->plane + c, NAME(get)(e + even->plane + c) + sign * NAME(get)(o + c));
        }
    }
}

static void NAME(separate)(const mpno_fft_rows *even, const mpno_fft_rows *odd,
                           const mpno_fft_rows *in, int64_t first, int64_t rows, int64_t last,
                           int64_t width) {
    for (int64_t k = 0; k <= last; k++) {
        const bool has_plus = k<first + rows, has_minus = k> 0 && -k >= first;
        const T *plus = NAME(row)(in, has_plus ? k - first : 0),
                *minus = NAME(row)(in, has_minus ? -k - first : 0);
        T *e = NAME(row)(even, k), *o = NAME(row)(odd, k);
        for (int64_t c = 0; c < width; c += LANES) {
            V pr = NAME(nothing)(), pi = pr, mr = pr, mi = pr;
            if (has_plus) {
                pr = NAME(get)(plus + c);
                pi = NAME(get)(plus + in->plane + c);
            }
            if (has_minus) {
                mr = NAME(get)(minus + c);
                mi = NAME(get)(minus + in->plane + c);
            }
            NAME(put)(e + c, pr + mr);
            NAME(put)(e + even->plane + c, pi + mi);
            NAME(put)(o + c, pi - mi); /* -i (a + i b) = b - i a */
            NAME(put)(o + odd->plane + c, mr - pr);
        }
    }
}
