/* SPDX-License-Identifier: MIT
 * Codecs from and to T, see kernel/codec.h. Parameters, all undefined at the end: T, the C type; U,
 * the unsigned integer of its size; U_FRACTION, U_BIAS, its fraction bits and bias; K(name), the
 * name of a function of this instance. */

enum { K(PIECE) = 64 }; /* values in work: a multiple of a block */

KERNEL_INLINE U K(bits)(T x) {
    U bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

KERNEL_INLINE T K(of_bits)(U bits) {
    T x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

KERNEL_INLINE U K(choose)(bool first, U a, U b) {
    const U mask = 0 - (U)first;
    return (a & mask) | (b & ~mask);
}

/* Where the numbers of a format stand among those of T. */
typedef struct K(grid) {
    int drop;               /* fraction bits of T that the format has not */
    U largest, past;        /* bits of the largest number; of what is stored for more */
    bool same_range;        /* its smallest normal is T's: no rounding of its own below */
    T normal, quanta, unit; /* the smallest normal; 1 / unit; the spacing below it */
} K(grid);

static K(grid) K(grid_of)(const mpno_codec *codec) {
    const mpno_format_facts *f = mpno_format_get(codec->format);
    const int last = f->min_exponent - f->significand + 1;
    const bool saturates =
        codec->scaling != MPNO_SCALING_NONE || codec->rounding == MPNO_ROUND_TOWARD_ZERO;
    K(grid)
    g = {.drop = U_FRACTION - (f->significand - 1), .same_range = f->min_exponent == 1 - U_BIAS};
    const U ones = (((U)1 << U_FRACTION) - 1) & ~(((U)1 << g.drop) - 1);
    g.largest = (U)(f->max_exponent + U_BIAS) << U_FRACTION | ones;
    if (codec->format == MPNO_F8E4M3) g.largest -= (U)1 << g.drop; /* the place of its NaN */
    g.past = saturates ? g.largest : K(bits)((T)INFINITY);
    g.normal = K(of_bits)((U)(f->min_exponent + U_BIAS) << U_FRACTION);
    g.quanta = g.same_range ? 1 : K(of_bits)((U)(U_BIAS - last) << U_FRACTION);
    g.unit = g.same_range ? 1 : K(of_bits)((U)(U_BIAS + last) << U_FRACTION);
    return g;
}

/* From here on T has no fractions: a sum is rounded to an integer, to nearest even. */
static const T K(turn) = (T)((uint64_t)1 << U_FRACTION);

/* To a number of the grid. random: uniform in all its bits. */
KERNEL_INLINE T K(round)(T x, const K(grid) g, const mpno_rounding rounding, U random) {
    const U bits = K(bits)(x), a = bits << 1 >> 1, mask = ((U)1 << g.drop) - 1;
    const U infinity = (U)(2 * U_BIAS + 1) << U_FRACTION;
    const U add = rounding == MPNO_ROUND_NEAREST_EVEN ? (mask >> 1) + (a >> g.drop & 1 & mask)
                  : rounding == MPNO_ROUND_STOCHASTIC ? random & mask
                                                      : 0;
    U rounded = (a + add) & ~mask;
    /* Below the smallest normal the spacing stays: count in units. */
    const bool below = K(of_bits)(a) < g.normal;
    const T y = K(of_bits)(K(choose)(below, a, 0)) * g.quanta;
    const T whole = (T)(int32_t)y, rest = y - whole;
    const T chance = (T)(int32_t)(random >> (8 * sizeof(U) - 24)) * (T)0x1p-24;
    const T counted = rounding == MPNO_ROUND_NEAREST_EVEN ? (y + K(turn)) - K(turn)
                      : rounding == MPNO_ROUND_STOCHASTIC ? whole + (T)(chance < rest)
                                                          : whole;
    const U small = K(bits)(counted * g.unit);
    rounded = K(choose)(below & !g.same_range, small, rounded);
    rounded = K(choose)(rounded > g.largest, g.past, rounded);
    return K(of_bits)((bits ^ a) | K(choose)(a >= infinity, a, rounded));
}

/* Random bits for element `index`. */
KERNEL_INLINE U K(random)(const uint32_t key[2], uint32_t index) {
    const uint32_t low = mixed(index, key[0], key[1]);
    return sizeof(U) == 4 ? (U)low
                          : (U)((uint64_t)mixed(index, key[1], ~key[0]) << 32 | (uint64_t)low);
}

/* v[n] = x[n] factor, rounded. */
KERNEL_INLINE void K(round_all)(T *restrict v, const T *restrict x, T factor, const K(grid) g,
                                const mpno_rounding rounding, const uint32_t key[2], uint32_t first,
                                int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const U random =
            rounding == MPNO_ROUND_STOCHASTIC ? K(random)(key, first + (uint32_t)i) : 0;
        v[i] = K(round)(x[i] * factor, g, rounding, random);
    }
}

KERNEL_INLINE void K(round_piece)(T *v, const T *x, T factor, const K(grid) * g,
                                  const mpno_codec *codec, uint64_t first, int64_t n) {
    const uint32_t high = (uint32_t)(first >> 32) * 0x9e3779b9u;
    const uint32_t key[2] = {codec->key[0] ^ high, codec->key[1]};
    switch (codec->rounding) {
        case MPNO_ROUND_STOCHASTIC:
            K(round_all)(v, x, factor, *g, MPNO_ROUND_STOCHASTIC, key, (uint32_t)first, n);
            break;
        case MPNO_ROUND_TOWARD_ZERO:
            K(round_all)(v, x, factor, *g, MPNO_ROUND_TOWARD_ZERO, key, (uint32_t)first, n);
            break;
        default:
            K(round_all)(v, x, factor, *g, MPNO_ROUND_NEAREST_EVEN, key, (uint32_t)first, n);
            break;
    }
}

/* Largest magnitude, as bits. */
KERNEL_INLINE U K(largest)(const T *x, int64_t n) {
    U most = 0;
    for (int64_t i = 0; i < n; i++) {
        const U a = K(bits)(x[i]) << 1 >> 1;
        most = a > most ? a : most;
    }
    return most;
}

KERNEL_INLINE int K(is_finite)(U magnitude) {
    return magnitude < (U)(2 * U_BIAS + 1) << U_FRACTION;
}

/* ---- patterns ---- */

/* Bytes apart from their making: compilers else take as many values at once as a vector has bytes,
 * more than a block has. */
KERNEL_INLINE void K(encode_8)(unsigned char *restrict dst, const T *restrict x, const layout l,
                               int64_t n) {
    uint32_t code[K(PIECE)];
    for (int64_t i = 0; i < n; i++) code[i] = pattern_of((float)x[i], l);
    for (int64_t i = 0; i < n; i++) dst[i] = (unsigned char)code[i];
}

KERNEL_INLINE void K(encode_16)(unsigned char *restrict dst, const T *restrict x, const layout l,
                                int64_t n) {
    uint16_t code[K(PIECE)];
    for (int64_t i = 0; i < n; i++) code[i] = (uint16_t)pattern_of((float)x[i], l);
    memcpy(dst, code, (size_t)n * sizeof *code);
}

KERNEL_INLINE void K(encode_32)(unsigned char *restrict dst, const T *restrict x, int64_t n) {
    float code[K(PIECE)];
    for (int64_t i = 0; i < n; i++) code[i] = (float)x[i];
    memcpy(dst, code, (size_t)n * sizeof *code);
}

KERNEL_INLINE void K(encode)(unsigned char *dst, mpno_format format, const T *x, int64_t n) {
    switch (format) {
        case MPNO_F8E4M3:
            K(encode_8)(dst, x, layout_of(MPNO_F8E4M3), n);
            break;
        case MPNO_F8E5M2:
            K(encode_8)(dst, x, layout_of(MPNO_F8E5M2), n);
            break;
        case MPNO_F16:
            K(encode_16)(dst, x, layout_of(MPNO_F16), n);
            break;
        case MPNO_BF16:
            K(encode_16)(dst, x, layout_of(MPNO_BF16), n);
            break;
        default:
            K(encode_32)(dst, x, n);
            break;
    }
}

KERNEL_INLINE void K(decode_8)(T *restrict x, const unsigned char *restrict src, const layout l,
                               T factor, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (T)value_of(src[i], l) * factor;
}

KERNEL_INLINE void K(decode_16)(T *restrict x, const unsigned char *restrict src, const layout l,
                                T factor, int64_t n) {
    uint16_t code[K(PIECE)];
    memcpy(code, src, (size_t)n * sizeof *code);
    for (int64_t i = 0; i < n; i++) x[i] = (T)value_of(code[i], l) * factor;
}

KERNEL_INLINE void K(decode_32)(T *restrict x, const unsigned char *restrict src, T factor,
                                int64_t n) {
    float code[K(PIECE)];
    memcpy(code, src, (size_t)n * sizeof *code);
    for (int64_t i = 0; i < n; i++) x[i] = (T)code[i] * factor;
}

KERNEL_INLINE void K(decode)(T *x, mpno_format format, const unsigned char *src, T factor,
                             int64_t n) {
    switch (format) {
        case MPNO_F8E4M3:
            K(decode_8)(x, src, layout_of(MPNO_F8E4M3), factor, n);
            break;
        case MPNO_F8E5M2:
            K(decode_8)(x, src, layout_of(MPNO_F8E5M2), factor, n);
            break;
        case MPNO_F16:
            K(decode_16)(x, src, layout_of(MPNO_F16), factor, n);
            break;
        case MPNO_BF16:
            K(decode_16)(x, src, layout_of(MPNO_BF16), factor, n);
            break;
        default:
            K(decode_32)(x, src, factor, n);
            break;
    }
}

/* ---- scales ---- */

/* Values from element `at` on that are handled together, not blocks, and their scales: one, or of
 * CHANNEL one each. */
typedef struct K(piece) {
    int64_t n;
    unsigned char *scale; /* NULL: none */
    _Atomic uint32_t *most;
} K(piece);

static K(piece) K(piece_at)(const mpno_codec *c, int64_t at, int64_t left) {
    K(piece) p = {.n = left < K(PIECE) ? left : K(PIECE)};
    int64_t most = p.n, number = 0;
    switch (c->scaling) {
        case MPNO_SCALING_NONE:
            return p;
        case MPNO_SCALING_CHANNEL:
            number = at % c->row;
            most = c->row - number;
            break;
        case MPNO_SCALING_SHELL:
            number = at / c->inner % c->count;
            if (c->shell != NULL) number = c->shell[number];
            most = c->inner - at % c->inner;
            break;
        default:
            break;
    }
    p.scale = c->scales + number;
    p.most = c->most != NULL ? c->most + number : NULL;
    if (most < p.n) p.n = most;
    return p;
}

/* A maximum is the same in every order. What is not finite says nothing about a scale. */
static void K(note)(_Atomic uint32_t *most, T x) {
    const uint32_t bits = bits_of((float)x) & 0x7fffffffu;
    uint32_t known = atomic_load_explicit(most, memory_order_relaxed);
    if (bits >= 0x7f800000u) return;
    while (bits > known && !atomic_compare_exchange_weak_explicit(
                               most, &known, bits, memory_order_relaxed, memory_order_relaxed)) {
    }
}

KERNEL_INLINE void K(divide_each)(T *restrict v, const T *restrict x,
                                  const unsigned char *restrict scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) v[i] = x[i] * (T)power(127 - scale[i]);
}

KERNEL_INLINE void K(multiply_each)(T *restrict x, const unsigned char *restrict scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] *= (T)power(scale[i] - 127);
}

/* Notes the largest magnitudes. */
static void K(watch)(const mpno_codec *c, const K(piece) * p, const T *x) {
    if (p->most == NULL) return;
    if (c->scaling != MPNO_SCALING_CHANNEL) {
        K(note)(p->most, K(of_bits)(K(largest)(x, p->n)));
    } else {
        for (int64_t i = 0; i < p->n; i++) K(note)(p->most + i, x[i]);
    }
}

static int64_t K(index_of)(const mpno_codec *c, const void *at) {
    if (c->base == NULL) return 0;
    return ((const char *)at - (const char *)c->base) / (int64_t)mpno_format_bytes(c->format);
}

/* ---- blocks ---- */

/* Where the blocks from an element on are. */
typedef struct K(block) {
    int64_t channel, n; /* of the row; values of the block */
    unsigned char *scale;
} K(block);

static K(block) K(block_at)(const mpno_codec *c, int64_t at) {
    const int64_t row = at / c->row, channel = at - row * c->row,
                  blocks = (c->row + MPNO_CODEC_BLOCK - 1) / MPNO_CODEC_BLOCK;
    return (K(block)){.channel = channel,
                      .scale = c->scales + row * blocks + channel / MPNO_CODEC_BLOCK};
}

/* The next one, of at most `left` values; true when it is a whole block. */
KERNEL_INLINE bool K(begin_block)(const mpno_codec *c, K(block) * b, int64_t left) {
    b->n = MPNO_CODEC_BLOCK - b->channel % MPNO_CODEC_BLOCK;
    if (c->row - b->channel < b->n) b->n = c->row - b->channel;
    if (left < b->n) b->n = left;
    return b->n == MPNO_CODEC_BLOCK;
}

KERNEL_INLINE void K(end_block)(const mpno_codec *c, K(block) * b) {
    b->channel += b->n;
    b->scale++;
    if (b->channel == c->row) b->channel = 0;
}

KERNEL_INLINE int K(store_block)(const mpno_codec *c, const K(grid) * grid, unsigned char *dst,
                                 const T *src, unsigned char *scale, uint64_t first, int64_t n) {
    _Alignas(64) T v[MPNO_CODEC_BLOCK];
    const U most = K(largest)(src, n); /* what is finite saturates */
    *scale = scale_of(bits_of((float)K(of_bits)(most)), bits_of((float)K(of_bits)(grid->largest)));
    K(round_piece)(v, src, (T)power(127 - *scale), grid, c, first, n);
    K(encode)(dst, c->format, v, n);
    return !K(is_finite)(most);
}

#ifdef FAST_HERE
static bool K(has_fast)(const mpno_codec *c) {
    return c->rounding == MPNO_ROUND_NEAREST_EVEN &&
           (c->format == MPNO_F8E4M3 || c->format == MPNO_F8E5M2);
}
#endif

static int K(store_blocks)(const mpno_codec *c, unsigned char *dst, const T *src, int64_t first,
                           int64_t n) {
    K(block) b = K(block_at)(c, first);
    int bad = 0;
#ifdef FAST_HERE
    for (int64_t i = 0; i < n && K(has_fast)(c); i += b.n, K(end_block)(c, &b)) {
        (void)K(begin_block)(c, &b, n - i);
        bad |= fast_store_block(dst + i, b.scale, src + i, b.n, c->format);
    }
    if (K(has_fast)(c)) return bad;
#endif
    const K(grid) grid = K(grid_of)(c);
    const int64_t bytes = (int64_t)mpno_format_bytes(c->format);
    for (int64_t i = 0; i < n; i += b.n, K(end_block)(c, &b))
        bad |= K(begin_block)(c, &b, n - i)
                   ? K(store_block)(c, &grid, dst + i * bytes, src + i, b.scale,
                                    (uint64_t)(first + i), MPNO_CODEC_BLOCK)
                   : K(store_block)(c, &grid, dst + i * bytes, src + i, b.scale,
                                    (uint64_t)(first + i), b.n);
    return bad;
}

KERNEL_INLINE void K(load_block)(const mpno_codec *c, T *dst, const unsigned char *src,
                                 unsigned char scale, int64_t n) {
    K(decode)(dst, c->format, src, (T)power(scale - 127), n);
}

static void K(load_blocks)(const mpno_codec *c, T *dst, const unsigned char *src, int64_t first,
                           int64_t n) {
    const int64_t bytes = (int64_t)mpno_format_bytes(c->format);
    K(block) b = K(block_at)(c, first);
#ifdef FAST_HERE
    for (int64_t i = 0; i < n && bytes == 1; i += b.n, K(end_block)(c, &b)) {
        (void)K(begin_block)(c, &b, n - i);
        fast_load_block(dst + i, *b.scale, src + i, b.n, c->format);
    }
    if (bytes == 1) return;
#endif
    for (int64_t i = 0; i < n; i += b.n, K(end_block)(c, &b)) {
        if (K(begin_block)(c, &b, n - i)) {
            K(load_block)(c, dst + i, src + i * bytes, *b.scale, MPNO_CODEC_BLOCK);
        } else {
            K(load_block)(c, dst + i, src + i * bytes, *b.scale, b.n);
        }
    }
}

/* ---- the table ---- */

static int K(codec_store)(const mpno_codec *c, void *dst_, const void *src_, int64_t n) {
    const int64_t first = K(index_of)(c, dst_), bytes = (int64_t)mpno_format_bytes(c->format);
    unsigned char *dst = dst_;
    const T *src = src_;
    if (c->scaling == MPNO_SCALING_BLOCK) return K(store_blocks)(c, dst, src, first, n);
    const K(grid) grid = K(grid_of)(c);
    int bad = 0;
    for (int64_t i = 0; i < n;) {
        const K(piece) p = K(piece_at)(c, first + i, n - i);
        const bool each = c->scaling == MPNO_SCALING_CHANNEL;
        const T factor = p.scale != NULL && !each ? (T)power(127 - *p.scale) : 1;
        _Alignas(64) T v[K(PIECE)], divided[K(PIECE)];
        K(watch)(c, &p, src + i);
        if (each) K(divide_each)(divided, src + i, p.scale, p.n);
        K(round_piece)(v, each ? divided : src + i, factor, &grid, c, (uint64_t)(first + i), p.n);
        bad |= !K(is_finite)(K(largest)(v, p.n));
        K(encode)(dst + i * bytes, c->format, v, p.n);
        i += p.n;
    }
    return bad;
}

static void K(codec_load)(const mpno_codec *c, void *dst_, const void *src_, int64_t n) {
    const int64_t first = K(index_of)(c, src_), bytes = (int64_t)mpno_format_bytes(c->format);
    const unsigned char *src = src_;
    T *dst = dst_;
    if (c->scaling == MPNO_SCALING_BLOCK) {
        K(load_blocks)(c, dst, src, first, n);
        return;
    }
    for (int64_t i = 0; i < n;) {
        const K(piece) p = K(piece_at)(c, first + i, n - i);
        const bool each = c->scaling == MPNO_SCALING_CHANNEL;
        const T factor = p.scale != NULL && !each ? (T)power(*p.scale - 127) : 1;
        K(decode)(dst + i, c->format, src + i * bytes, factor, p.n);
        if (each) K(multiply_each)(dst + i, p.scale, p.n);
        i += p.n;
    }
}

#undef T
#undef U
#undef U_FRACTION
#undef U_BIAS
#undef K
