/* SPDX-License-Identifier: MIT
 * Sums over the rows of a rows x channels block into f64, one chain of additions per channel in row
 * order, products rounded before they are added (for f32 they are exact): the same bits on every
 * ISA. Error: rows u64 sum |terms|. Four vectors of channels advance together, so that the latency
 * of one addition hides behind the others. Parameters: kernels_f32.h; LOAD_F64 reads VF64_LANES
 * elements of T as f64. */

#define SUM_VECTORS 4

static void K(sum_rows)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    int64_t c = 0;
    for (; c + SUM_VECTORS * VF64_LANES <= channels; c += SUM_VECTORS * VF64_LANES) {
        vf64 sum[SUM_VECTORS];
        for (int j = 0; j < SUM_VECTORS; j++) sum[j] = vf64_load(acc + c + j * VF64_LANES);
        const T *from = x + c;
        for (int64_t r = 0; r < rows; r++, from += channels) {
            for (int j = 0; j < SUM_VECTORS; j++) {
                sum[j] = vf64_add(sum[j], LOAD_F64(from + j * VF64_LANES));
            }
        }
        for (int j = 0; j < SUM_VECTORS; j++) vf64_store(acc + c + j * VF64_LANES, sum[j]);
    }
    for (; c < channels; c++) {
        double sum = acc[c];
        for (int64_t r = 0; r < rows; r++) sum += (double)x[r * channels + c];
        acc[c] = sum;
    }
}

static void K(dot_rows)(double *acc, const void *x_, const void *y_, int64_t rows,
                        int64_t channels) {
    const T *x = x_, *y = y_;
    int64_t c = 0;
    for (; c + SUM_VECTORS * VF64_LANES <= channels; c += SUM_VECTORS * VF64_LANES) {
        vf64 sum[SUM_VECTORS];
        for (int j = 0; j < SUM_VECTORS; j++) sum[j] = vf64_load(acc + c + j * VF64_LANES);
        for (int64_t r = 0; r < rows; r++) {
            const T *p = x + r * channels + c, *q = y + r * channels + c;
            for (int j = 0; j < SUM_VECTORS; j++) {
                const vf64 left = LOAD_F64(p + j * VF64_LANES),
                           right = LOAD_F64(q + j * VF64_LANES);
                sum[j] = vf64_add(sum[j], vf64_mul(left, right));
            }
        }
        for (int j = 0; j < SUM_VECTORS; j++) vf64_store(acc + c + j * VF64_LANES, sum[j]);
    }
    for (; c < channels; c++) {
        double sum = acc[c];
        for (int64_t r = 0; r < rows; r++) {
            sum += (double)x[r * channels + c] * (double)y[r * channels + c];
        }
        acc[c] = sum;
    }
}

static void K(sum_squares)(double *acc, const void *x_, int64_t rows, int64_t channels) {
    const T *x = x_;
    int64_t c = 0;
    for (; c + SUM_VECTORS * VF64_LANES <= channels; c += SUM_VECTORS * VF64_LANES) {
        double first[SUM_VECTORS * VF64_LANES], second[SUM_VECTORS * VF64_LANES];
        vf64 sum[SUM_VECTORS], square[SUM_VECTORS];
        for (int j = 0; j < SUM_VECTORS * VF64_LANES; j++) {
            first[j] = acc[2 * (c + j)];
            second[j] = acc[2 * (c + j) + 1];
        }
        for (int j = 0; j < SUM_VECTORS; j++) {
            sum[j] = vf64_load(first + j * VF64_LANES);
            square[j] = vf64_load(second + j * VF64_LANES);
        }
        const T *from = x + c;
        for (int64_t r = 0; r < rows; r++, from += channels) {
            for (int j = 0; j < SUM_VECTORS; j++) {
                const vf64 v = LOAD_F64(from + j * VF64_LANES);
                sum[j] = vf64_add(sum[j], v);
                square[j] = vf64_add(square[j], vf64_mul(v, v));
            }
        }
        for (int j = 0; j < SUM_VECTORS; j++) {
            vf64_store(first + j * VF64_LANES, sum[j]);
            vf64_store(second + j * VF64_LANES, square[j]);
        }
        for (int j = 0; j < SUM_VECTORS * VF64_LANES; j++) {
            acc[2 * (c + j)] = first[j];
            acc[2 * (c + j) + 1] = second[j];
        }
    }
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
