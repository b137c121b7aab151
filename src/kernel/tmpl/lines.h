/* SPDX-License-Identifier: MIT
 * line_take, line_give and rotate: lines to their columns and back by products that are folded in
 * registers, see kernel.h and transform/columns/lines.c. line_take holds the sums of a group of
 * frequencies at one or two vectors of channels and goes through the samples; line_give holds those
 * of a block of samples and goes through the frequencies. A value's result depends neither on its
 * channel nor on how many there are.
 * Error: chains of (fused) multiply-adds as in gemm.h; a factor that is a sum of four samples has
 * two roundings, four sums that are added to a sample two as well. rotate is two multiply-adds on
 * what was there: without FMA a term meets at most three roundings. Parameters: kernels_f32.h;
 * VEC_LINE_VECTORS of the vocabulary: vectors of channels at a time in f32; VEC_MASKS: parts of
 * vectors are loaded as fast as whole ones, and need no code of their own. */

#ifndef LINE_GROUP
#define LINE_GROUP MPNO_LINE_GROUP
#define LINE_VECTORS (sizeof(T) == 4 ? VEC_LINE_VECTORS : 1) /* f64 needs less code, not speed */
#ifdef __clang__
#define LINE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LINE_UNROLL _Pragma("GCC unroll 12")
#endif
#endif

/* Vector v of `vectors`; of the last one only `last` elements are touched unless `whole`. */
KERNEL_INLINE VT K(line_load)(const T *p, int64_t v, const int vectors, const int whole,
                              int64_t last) {
    return whole || v < vectors - 1 ? V(load)(p + v * LANES) : V(load_part)(p + v * LANES, last);
}

KERNEL_INLINE void K(line_store)(T *p, VT x, int64_t v, const int vectors, const int whole,
                                 int64_t last) {
    if (whole || v < vectors - 1) {
        V(store)(p + v * LANES, x);
    } else {
        V(store_part)(p + v * LANES, x, last);
    }
}

/* ---- line_take ---- */

/* sum[j] += table[j] a, or b for every other j. */
KERNEL_INLINE void K(line_add)(VT (*sum)[VEC_LINE_VECTORS], const T *table, const int count,
                               const int vectors, const VT *a, const VT *b) {
    LINE_UNROLL
    for (int j = 0; j < count; j++) {
        const VT factor = V(set1)(table[j]);
        LINE_UNROLL
        for (int v = 0; v < vectors; v++)
            sum[j][v] = V(fma)(factor, j % 2 != 0 ? b[v] : a[v], sum[j][v]);
    }
}

/* One group of `count` frequencies, of which `used` go to rows of dst, of cosines from an even k on
 * or of sines from an odd k on. All but pointers, table, c, last and used are constants at every
 * call. */
KERNEL_INLINE void K(take_group)(const mpno_folded_line *line, const int count, const int ways,
                                 const int sine, const int vectors, const int whole, int64_t c,
                                 int64_t last, int64_t used, const T *table, T *dst) {
    const int64_t step = line->channels;
    const T *x[4] = {NULL};
    VT sum[LINE_GROUP][VEC_LINE_VECTORS], a[VEC_LINE_VECTORS], b[VEC_LINE_VECTORS];
    for (int i = 0; i < ways; i++) x[i] = (const T *)line->row[i] + c;
    LINE_UNROLL
    for (int j = 0; j < count; j++)
        for (int v = 0; v < vectors; v++) sum[j][v] = V(set1)(0);
    if (!sine && line->alone[0] != NULL) {
        for (int v = 0; v < vectors; v++) {
            a[v] = b[v] = K(line_load)((const T *)line->alone[0] + c, v, vectors, whole, last);
            if (ways < 4) continue;
            const VT other = K(line_load)((const T *)line->alone[1] + c, v, vectors, whole, last);
            b[v] = V(sub)(a[v], other);
            a[v] = V(add)(a[v], other);
        }
        K(line_add)(sum, table, count, vectors, a, b);
        table += count;
    }
    for (int64_t r = 0; r < line->rows; r++, table += count) {
        for (int v = 0; v < vectors; v++) {
            const VT x0 = K(line_load)(x[0], v, vectors, whole, last),
                     x1 = K(line_load)(x[1], v, vectors, whole, last);
            if (ways == 4) {
                const VT x2 = K(line_load)(x[2], v, vectors, whole, last),
                         x3 = K(line_load)(x[3], v, vectors, whole, last);
                const VT outer = sine ? V(sub)(x0, x3) : V(add)(x0, x3),
                         inner = sine ? V(sub)(x1, x2) : V(add)(x1, x2);
                a[v] = V(add)(outer, inner);
                b[v] = V(sub)(outer, inner);
            } else {
                a[v] = b[v] = sine ? V(sub)(x0, x1) : V(add)(x0, x1);
            }
        }
        K(line_add)(sum, table, count, vectors, a, b);
        x[0] += step, x[1] -= step;
        if (ways == 4) x[2] += step, x[3] -= step;
    }
    if (ways == 4 && line->quarter) {
        for (int v = 0; v < vectors; v++) {
            const VT x0 = K(line_load)(x[0], v, vectors, whole, last),
                     x3 = K(line_load)(x[3], v, vectors, whole, last);
            a[v] = b[v] = sine ? V(sub)(x0, x3) : V(add)(x0, x3);
        }
        K(line_add)(sum, table, count, vectors, a, b);
    }
    LINE_UNROLL
    for (int j = 0; j < count; j++) {
        if (j >= used) break;
        for (int v = 0; v < vectors; v++) {
            const int full = whole || last == LANES;
            K(line_store)(dst + j * step + c, sum[j][v], v, vectors, full, last);
        }
    }
}

KERNEL_INLINE void K(take_part)(const mpno_folded_line *line, const int ways, const int sine,
                                const int vectors, const int whole, int64_t c, int64_t last,
                                const T *table, T *dst) {
    const int64_t frequencies = line->keep - sine;
    for (int64_t k = 0; k < frequencies; k += LINE_GROUP) {
        const int64_t used = frequencies - k < LINE_GROUP ? frequencies - k : LINE_GROUP;
        const int64_t count = (used + 1) / 2 * 2;
        switch (count) {
#define LINE_CASE(n)                                                                   \
    case n:                                                                            \
        K(take_group)(line, n, ways, sine, vectors, whole, c, last, used, table, dst); \
        break;
            LINE_CASE(2)
            LINE_CASE(4)
            LINE_CASE(6)
            LINE_CASE(8)
            LINE_CASE(10)
            LINE_CASE(12)
#undef LINE_CASE
            default:
                break;
        }
        table += count * (sine ? line->sine_rows : line->cosine_rows);
        dst += count * line->channels;
    }
}

KERNEL_INLINE void K(take_vectors)(const mpno_folded_line *line, const int vectors, const int whole,
                                   int64_t c, int64_t last, const T *table, T *dst) {
    const T *sines = table + (line->keep + 1) / 2 * 2 * line->cosine_rows;
    T *to = dst + (line->keep + 1) * line->channels;
    if (line->ways == 4) {
        K(take_part)(line, 4, 0, vectors, whole, c, last, table, dst);
        K(take_part)(line, 4, 1, vectors, whole, c, last, sines, to);
    } else {
        K(take_part)(line, 2, 0, vectors, whole, c, last, table, dst);
        K(take_part)(line, 2, 1, vectors, whole, c, last, sines, to);
    }
}

static void K(line_take)(const mpno_folded_line *line, const void *table, void *columns) {
    const int64_t channels = line->channels, step = LINE_VECTORS * LANES;
    T *zero = (T *)columns + line->keep * channels; /* sin 0 */
    int64_t c = 0;
    for (; c + step <= channels; c += step)
        K(take_vectors)(line, LINE_VECTORS, !VEC_MASKS, c, LANES, table, columns);
    for (int64_t last; c < channels; c += last) {
        last = channels - c < LANES ? channels - c : LANES;
        K(take_vectors)(line, 1, 0, c, last, table, columns);
    }
    for (c = 0; c < channels; c++) zero[c] = 0;
}

/* ---- line_give ---- */

/* The samples that a block makes: fours or pairs, the two that are h = 0 and N/2 (or the one that
 * has no partner), N/4 and 3N/4. */
enum { K(GIVE_ROWS), K(GIVE_ALONE), K(GIVE_QUARTER) };

/* Rows h .. h + count - 1 as x[0] .. x[3] name the first; table: [K][block][2]. All but pointers,
 * table and `last` are constants at every call. */
KERNEL_INLINE void K(give_block)(const mpno_folded_line *line, T *const *x, const int kind,
                                 const int count, const int block, const int ways,
                                 const int vectors, const int whole, int64_t c, int64_t last,
                                 const T *table, const T *columns) {
    const int64_t step = line->channels;
    const T *even = columns + c, *odd = even + line->keep * step;
    VT a[MPNO_LINE_PAIRS][VEC_LINE_VECTORS], b[MPNO_LINE_PAIRS][VEC_LINE_VECTORS],
        d[MPNO_LINE_PAIRS][VEC_LINE_VECTORS], e[MPNO_LINE_PAIRS][VEC_LINE_VECTORS];
    LINE_UNROLL
    for (int i = 0; i < count; i++)
        for (int v = 0; v < vectors; v++) {
            a[i][v] = V(mul)(V(set1)(table[2 * i]), K(line_load)(even, v, vectors, whole, last));
            b[i][v] = d[i][v] = e[i][v] = V(set1)(0);
        }
    for (int64_t k = 1; k < line->keep; k += 2) {
        LINE_UNROLL
        for (int second = 0; second < 2; second++) {
            if (second && k + 1 == line->keep) break;
            VT cosines[VEC_LINE_VECTORS], sines[VEC_LINE_VECTORS];
            even += step, odd += step, table += 2 * block;
            for (int v = 0; v < vectors; v++) {
                cosines[v] = K(line_load)(even, v, vectors, whole, last);
                sines[v] = K(line_load)(odd, v, vectors, whole, last);
            }
            LINE_UNROLL
            for (int i = 0; i < count; i++) {
                const VT cosine = V(set1)(table[2 * i]), sine = V(set1)(table[2 * i + 1]);
                for (int v = 0; v < vectors; v++) {
                    VT *to = ways == 4 && !second ? &b[i][v] : &a[i][v];
                    *to = V(fma)(cosine, cosines[v], *to);
                    if (kind == K(GIVE_ALONE)) continue;
                    to = ways == 4 && !second ? &e[i][v] : &d[i][v];
                    *to = V(fma)(sine, sines[v], *to);
                }
            }
        }
    }
    LINE_UNROLL
    for (int i = 0; i < count; i++)
        for (int v = 0; v < vectors; v++) {
            T *to[4] = {NULL};
            for (int j = 0; j < (kind == K(GIVE_ROWS) ? ways : 2); j++)
                if (x[j] != NULL) to[j] = x[j] + c + (j % 2 == 0 ? i : -i) * step;
            if (ways == 4 && kind == K(GIVE_ROWS)) {
                const VT e0 = V(add)(a[i][v], b[i][v]), e1 = V(sub)(a[i][v], b[i][v]);
                const VT o0 = V(add)(d[i][v], e[i][v]), o1 = V(sub)(d[i][v], e[i][v]);
                K(line_store)(to[0], V(add)(e0, o0), v, vectors, whole, last);
                K(line_store)(to[1], V(sub)(e1, o1), v, vectors, whole, last);
                K(line_store)(to[2], V(add)(e1, o1), v, vectors, whole, last);
                K(line_store)(to[3], V(sub)(e0, o0), v, vectors, whole, last);
            } else if (kind == K(GIVE_ALONE) && ways == 2) {
                K(line_store)(to[0], a[i][v], v, vectors, whole, last);
            } else {
                const VT other = ways == 2 ? d[i][v] : kind == K(GIVE_ALONE) ? b[i][v] : e[i][v];
                K(line_store)(to[0], V(add)(a[i][v], other), v, vectors, whole, last);
                K(line_store)(to[1], V(sub)(a[i][v], other), v, vectors, whole, last);
            }
        }
}

/* A block at all channels: its part of the table is read again, the columns stay in the cache. */
KERNEL_INLINE void K(give_channels)(const mpno_folded_line *line, T *const *x, const int kind,
                                    const int count, const int block, const int ways,
                                    const T *table, const T *columns) {
    const int64_t channels = line->channels, step = LINE_VECTORS * LANES;
    int64_t c = 0;
    for (; c + step <= channels; c += step) K(give_block)
    (line, x, kind, count, block, ways, LINE_VECTORS, 1, c, LANES, table, columns);
    for (int64_t last; c < channels; c += last) {
        last = channels - c < LANES ? channels - c : LANES;
        K(give_block)(line, x, kind, count, block, ways, 1, 0, c, last, table, columns);
    }
}

KERNEL_INLINE void K(give_ways)(const mpno_folded_line *line, const int ways, const T *table,
                                const T *columns) {
    const int block = ways == 4 ? MPNO_LINE_FOURS : MPNO_LINE_PAIRS;
    const int64_t step = line->channels;
    T *x[4] = {NULL};
    if (line->alone[0] != NULL) {
        T *const alone[4] = {line->alone[0], line->alone[1]};
        K(give_channels)(line, alone, K(GIVE_ALONE), 1, 1, ways, table, columns);
        table += 2 * line->keep;
    }
    for (int i = 0; i < ways; i++) x[i] = line->row[i];
    int64_t h = 0;
    for (; h + block <= line->rows; h += block, table += 2 * block * line->keep) {
        K(give_channels)(line, x, K(GIVE_ROWS), block, block, ways, table, columns);
        for (int i = 0; i < ways; i++) x[i] += (i % 2 == 0 ? block : -block) * step;
    }
    for (int64_t rest = 0; h + rest < line->rows; rest++) {
        K(give_channels)(line, x, K(GIVE_ROWS), 1, block, ways, table + 2 * rest, columns);
        for (int i = 0; i < ways; i++) x[i] += i % 2 == 0 ? step : -step;
    }
    if (ways == 4 && line->quarter) {
        T *const quarter[4] = {x[0], x[3]};
        if (h < line->rows) table += 2 * block * line->keep;
        K(give_channels)(line, quarter, K(GIVE_QUARTER), 1, 1, ways, table, columns);
    }
}

static void K(line_give)(const mpno_folded_line *line, const void *table, const void *columns) {
    if (line->ways == 4) {
        K(give_ways)(line, 4, table, columns);
    } else {
        K(give_ways)(line, 2, table, columns);
    }
}

/* ---- rotate ---- */

/* whole, accumulate: constants at every call. */
KERNEL_INLINE void K(rotate_vector)(const int whole, const int accumulate, T *re, T *im,
                                    const T *x_re, const T *x_im, VT cosine, VT sine, VT minus,
                                    int64_t last) {
    const VT a = K(line_load)(x_re, 0, 1, whole, last), b = K(line_load)(x_im, 0, 1, whole, last);
    VT y_re, y_im;
    if (accumulate) {
        y_re = V(fma)(cosine, a, K(line_load)(re, 0, 1, whole, last));
        y_im = V(fma)(cosine, b, K(line_load)(im, 0, 1, whole, last));
    } else {
        y_re = V(mul)(cosine, a);
        y_im = V(mul)(cosine, b);
    }
    K(line_store)(re, V(fma)(minus, b, y_re), 0, 1, whole, last);
    K(line_store)(im, V(fma)(sine, a, y_im), 0, 1, whole, last);
}

KERNEL_INLINE void K(rotate_rows)(const int accumulate, T *dst, const T *src, const T *factors,
                                  T sign, int64_t rows, int64_t channels) {
    const int64_t plane = rows * channels;
    for (int64_t r = 0; r < rows; r++, dst += channels, src += channels) {
        const VT cosine = V(set1)(factors[2 * r]), sine = V(set1)(sign * factors[2 * r + 1]);
        const VT minus = V(neg)(sine);
        int64_t c = 0;
        for (; c + LANES <= channels; c += LANES) K(rotate_vector)
        (1, accumulate, dst + c, dst + plane + c, src + c, src + plane + c, cosine, sine, minus,
         LANES);
        if (c < channels) K(rotate_vector)
        (0, accumulate, dst + c, dst + plane + c, src + c, src + plane + c, cosine, sine, minus,
         channels - c);
    }
}

static void K(rotate)(void *dst, const void *src, const void *factors, int conjugate,
                      int accumulate, int64_t rows, int64_t channels) {
    const T sign = (T)(conjugate ? -1 : 1); /* its product is exact */
    if (accumulate) {
        K(rotate_rows)(1, dst, src, factors, sign, rows, channels);
    } else {
        K(rotate_rows)(0, dst, src, factors, sign, rows, channels);
    }
}
