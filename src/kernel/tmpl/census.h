/* SPDX-License-Identifier: MIT
 * Template of the counting loop, plain C, vectorised by the compiler. Parameters, undefined at the
 * end:
 *   W      unsigned integer of the format's width
 *   COUNT  unsigned integer in which a block is counted: as wide as W, so that a vector holds as
 * many counts as values, but no block may be longer than it can count BLOCK  values of a block FN
 * name of a function of this width: FN(count) */

/* 1 where m < bound, else 0, m and bound below the sign's bit: the sign of the difference. Without
 * a comparison the loop below becomes vectors; gcc 12 leaves it as it stands with them. */
KERNEL_INLINE W FN(below)(W m, W bound) {
    return (W)((W)(m - bound) >> (8 * sizeof(W) - 1));
}

/* Four sums and a maximum of one block. */
static void FN(block)(const W *restrict x, int64_t n, W normal, W largest,
                      mpno_census *restrict census) {
    const W size = (W)((W)((W)1 << (8 * sizeof(W) - 1)) - 1), beyond = (W)(largest + 1);
    COUNT zeros = 0, small = 0, low = 0, finite = 0;
    W most = 0;
    for (int64_t i = 0; i < n; i++) {
        const W m = x[i] & size, is_finite = FN(below)(m, beyond);
        const W counted = (W)(m & (W)(0 - is_finite));
        zeros = (COUNT)(zeros + FN(below)(m, 1));
        small = (COUNT)(small + FN(below)(m, normal));
        low = (COUNT)(low + FN(below)(m, largest));
        finite = (COUNT)(finite + is_finite);
        most = counted > most ? counted : most;
    }
    census->zeros += (int64_t)zeros;
    census->subnormals += (int64_t)small - (int64_t)zeros;
    census->saturated += (int64_t)finite - (int64_t)low;
    census->not_finite += n - (int64_t)finite;
    if (most > census->largest) census->largest = most;
}

static void FN(count)(const void *x, int64_t n, const mpno_magnitudes *m, mpno_census *census) {
    const W normal = (W)m->normal, largest = (W)m->largest;
    for (int64_t i = 0; i < n; i += BLOCK)
        FN(block)((const W *)x + i, n - i < BLOCK ? n - i : BLOCK, normal, largest, census);
    census->values += n;
}

#undef W
#undef COUNT
#undef BLOCK
#undef FN
