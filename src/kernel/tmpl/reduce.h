/* SPDX-License-Identifier: MIT
 * Sums over the rows of a rows x channels block into f64, one chain of additions per channel in row
 * order, products rounded before they are added (for f32 they are exact): the same bits on every
 * ISA. Error: rows u64 sum |terms|. Up to four vectors of channels advance together, so that the
 * latency of one addition hides behind the others. Parameters: kernels_f32.h; LOAD_F64 reads
 * VF64_LANES elements of T as f64. */

#define SUM_VECTORS 4

/* `vectors`: a constant at every call. */
KERNEL_INLINE void K(sum_part)(const int vectors, double *acc, const T *x, int64_t rows,
                               int64_t channels) {
    vf64 sum[SUM_VECTORS];
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) sum[j] = vf64_load(acc + j * VF64_LANES);
    for (int64_t r = 0; r < rows; r++, x += channels) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            sum[j] = vf64_add(sum[j], LOAD_F64(x + j * VF64_LANES));
        }
    }
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) vf64_store(acc + j * VF64_LANES, sum[j]);
}

/* The vectors of channels that are left, at most SUM_VECTORS. */
static inline int K(vectors_left)(int64_t channels) {
    return channels >= SUM_VECTORS * VF64_LANES ? SUM_VECTORS : (int)(channels / VF64_LANES);
}

KERNEL_INLINE void K(sum_any)(int vectors, double *acc, const T *x, int64_t rows,
                              int64_t channels) {
    switch (vectors) {
        case 1:
            K(sum_part)(1, acc, x, rows, channels);
            break;
        case 2:
            K(sum_part)(2, acc, x, rows, channels);
            break;
        case 3:
            K(sum_part)(3, acc, x, rows, channels);
            break;
        default:
            K(sum_part)(SUM_VECTORS, acc, x, rows, channels);
            break;
    }
}

static void K(sum_rows)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    int64_t c = 0;
    for (int v; (v = K(vectors_left)(channels - c)) > 0; c += v * VF64_LANES)
        K(sum_any)(v, acc + c, x + c, rows, channels);
    for (; c < channels; c++) {
        double sum = acc[c];
        for (int64_t r = 0; r < rows; r++) sum += (double)x[r * channels + c];
        acc[c] = sum;
    }
}

KERNEL_INLINE void K(dot_part)(const int vectors, double *acc, const T *x, const T *y, int64_t rows,
                               int64_t channels) {
    vf64 sum[SUM_VECTORS];
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) sum[j] = vf64_load(acc + j * VF64_LANES);
    for (int64_t r = 0; r < rows; r++, x += channels, y += channels) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            const vf64 left = LOAD_F64(x + j * VF64_LANES), right = LOAD_F64(y + j * VF64_LANES);
            sum[j] = vf64_add(sum[j], vf64_mul(left, right));
        }
    }
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) vf64_store(acc + j * VF64_LANES, sum[j]);
}

KERNEL_INLINE void K(dot_any)(int vectors, double *acc, const T *x, const T *y, int64_t rows,
                              int64_t channels) {
    switch (vectors) {
        case 1:
            K(dot_part)(1, acc, x, y, rows, channels);
            break;
        case 2:
            K(dot_part)(2, acc, x, y, rows, channels);
            break;
        case 3:
            K(dot_part)(3, acc, x, y, rows, channels);
            break;
        default:
            K(dot_part)(SUM_VECTORS, acc, x, y, rows, channels);
            break;
    }
}

static void K(dot_rows)(double *acc, const void *x_, const void *y_, int64_t rows,
                        int64_t channels) {
    const T *x = x_, *y = y_;
    int64_t c = 0;
    for (int v; (v = K(vectors_left)(channels - c)) > 0; c += v * VF64_LANES)
        K(dot_any)(v, acc + c, x + c, y + c, rows, channels);
    for (; c < channels; c++) {
        double sum = acc[c];
        for (int64_t r = 0; r < rows; r++) {
            sum += (double)x[r * channels + c] * (double)y[r * channels + c];
        }
        acc[c] = sum;
    }
}

/* acc: interleaved sums and sums of squares. */
KERNEL_INLINE void K(squares_part)(const int vectors, double *acc, const T *x, int64_t rows,
                                   int64_t channels) {
    double first[SUM_VECTORS * VF64_LANES], second[SUM_VECTORS * VF64_LANES];
    vf64 sum[SUM_VECTORS], square[SUM_VECTORS];
    for (int j = 0; j < vectors * VF64_LANES; j++) {
        first[j] = acc[2 * j];
        second[j] = acc[2 * j + 1];
    }
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) {
        sum[j] = vf64_load(first + j * VF64_LANES);
        square[j] = vf64_load(second + j * VF64_LANES);
    }
    for (int64_t r = 0; r < rows; r++, x += channels) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            const vf64 v = LOAD_F64(x + j * VF64_LANES);
            sum[j] = vf64_add(sum[j], v);
            square[j] = vf64_add(square[j], vf64_mul(v, v));
        }
    }
    KERNEL_UNROLL
    for (int j = 0; j < vectors; j++) {
        vf64_store(first + j * VF64_LANES, sum[j]);
        vf64_store(second + j * VF64_LANES, square[j]);
    }
    for (int j = 0; j < vectors * VF64_LANES; j++) {
        acc[2 * j] = first[j];
        acc[2 * j + 1] = second[j];
    }
}

static void K(sum_squares)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    int64_t c = 0;
    for (; c + SUM_VECTORS * VF64_LANES <= channels; c += SUM_VECTORS * VF64_LANES)
        K(squares_part)(SUM_VECTORS, acc + 2 * c, x + c, rows, channels);
    for (; c + VF64_LANES <= channels; c += VF64_LANES)
        K(squares_part)(1, acc + 2 * c, x + c, rows, channels);
    for (; c < channels; c++) {
        double sum = acc[2 * c], square = acc[2 * c + 1];
        for (int64_t r = 0; r < rows; r++) {
            const double v = (double)x[r * channels + c];
            sum += v;
            square += v * v;
        }
        acc[2 * c] = sum;
        acc[2 * c + 1] = square;
    }
}

#undef SUM_VECTORS
