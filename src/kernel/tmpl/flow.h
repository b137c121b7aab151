/* SPDX-License-Identifier: MIT
 * Template of the flow kernels: see kernel/flow_kernels.h. Parameters: the vocabulary vec_*.h. */
enum { FLOW_LANES = MPNO_FLOW_LANES, FLOW_ROW = MPNO_FLOW_ROW };

KERNEL_INLINE vf64 flow_get(const double *p) {
    return vf64_load(p);
}

/* a x + b y */
KERNEL_INLINE vf64 flow_both(vf64 a, vf64 x, vf64 b, vf64 y) {
    return vf64_fma(a, x, b * y);
}

static void flow_velocity(const mpno_flow_column *column, const double *restrict w,
                          double *restrict plus, double *restrict minus) {
    for (int64_t r = 0; r < column->rows; r++, w += FLOW_ROW) {
        const vf64 a = vf64_set1(column->kx[r] * column->inverse[r]);
        const vf64 b = vf64_set1(column->ky * column->inverse[r]);
        double *to = plus + (int64_t)column->place[r] * FLOW_ROW;
        double *back = minus + (int64_t)column->mirror[r] * FLOW_ROW;
        for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
            const vf64 re = flow_get(w + l), im = flow_get(w + FLOW_LANES + l);
            vf64_store(to + l, flow_both(a, re, -b, im));
            vf64_store(to + FLOW_LANES + l, flow_both(a, im, b, re));
            if (column->ky > 0) { /* (a + ib) times -conj w */
                vf64_store(back + l, flow_both(-a, re, -b, im));
                vf64_store(back + FLOW_LANES + l, flow_both(a, im, -b, re));
            }
        }
    }
}

static void flow_square(int64_t points, double *restrict z, double *restrict most,
                        double *restrict sum) {
    for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
        vf64 top = flow_get(most + l), total = flow_get(sum + l);
        double *at = z + l;
        for (int64_t i = 0; i < points; i++, at += FLOW_ROW) {
            const vf64 u = flow_get(at), v = flow_get(at + FLOW_LANES);
            const vf64 uu = u * u, vv = v * v, speed = uu + vv;
            top = vf64_max(top, speed);
            total = total + speed;
            vf64_store(at, uu - vv);
            vf64_store(at + FLOW_LANES, (u + u) * v);
        }
        vf64_store(most + l, top);
        vf64_store(sum + l, total);
    }
}

static void flow_advection(const mpno_flow_column *column, const double *restrict plus,
                           const double *restrict minus, const double *restrict f,
                           double *restrict n) {
    const double ky = column->ky;
    for (int64_t r = 0; r < column->rows; r++, f += FLOW_ROW, n += FLOW_ROW) {
        const double kx = column->kx[r], keep = column->keep[r];
        const vf64 a = vf64_set1(keep * (kx * kx - ky * ky)), b = vf64_set1(keep * (2 * kx * ky));
        const double *p = plus + (int64_t)column->place[r] * FLOW_ROW;
        const double *q = minus + (int64_t)column->mirror[r] * FLOW_ROW;
        for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
            const vf64 pr = flow_get(p + l), pi = flow_get(p + FLOW_LANES + l);
            const vf64 qr = flow_get(q + l), qi = flow_get(q + FLOW_LANES + l);
            /* -4 F = G_i + G'_i + i (G'_r - G_r), G' of -k */
            const vf64 re = flow_both(a, pi + qi, -b, pr + qr);
            const vf64 im = flow_both(a, qr - pr, b, qi - pi);
            vf64_store(n + l, flow_get(f + l) + re);
            vf64_store(n + FLOW_LANES + l, flow_get(f + FLOW_LANES + l) + im);
        }
    }
}

KERNEL_INLINE double flow_square_of_k(const mpno_flow_column *column, int64_t r) {
    return column->kx[r] * column->kx[r] + column->ky * column->ky;
}

static void flow_heun_predict(const mpno_flow_column *column, const mpno_flow_step *step,
                              const double *restrict n, const double *restrict w,
                              double *restrict s) {
    const vf64 one = vf64_set1(1);
    for (int64_t r = 0; r < column->rows; r++) {
        const vf64 half = vf64_set1(0.5 * step->nu * flow_square_of_k(column, r));
        for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
            const vf64 dt = flow_get(step->dt + l), g = dt * half, divide = one / (one + g);
            const vf64 keep = (one - g) * divide, add = dt * divide;
            for (int64_t i = r * FLOW_ROW + l; i < (r + 1) * FLOW_ROW; i += FLOW_LANES) {
                vf64_store(s + i, flow_both(keep, flow_get(w + i), add, flow_get(n + i)));
            }
        }
    }
}

/* w = (s + ((1 - g) w + dt n) / (1 + g)) / 2 */
static void flow_heun_correct(const mpno_flow_column *column, const mpno_flow_step *step,
                              const double *restrict n, const double *restrict s,
                              double *restrict w) {
    const vf64 one = vf64_set1(1), two = vf64_set1(2);
    for (int64_t r = 0; r < column->rows; r++) {
        const vf64 half = vf64_set1(0.5 * step->nu * flow_square_of_k(column, r));
        for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
            const vf64 dt = flow_get(step->dt + l), g = dt * half, divide = one / (two + (g + g));
            const vf64 keep = (one - g) * divide, add = dt * divide;
            for (int64_t i = r * FLOW_ROW + l; i < (r + 1) * FLOW_ROW; i += FLOW_LANES) {
                const vf64 new = flow_both(keep, flow_get(w + i), add, flow_get(n + i));
                vf64_store(w + i, vf64_fma(vf64_set1(0.5), flow_get(s + i), new));
            }
        }
    }
}

/* stage is a constant at every call. */
KERNEL_INLINE void flow_stage(const int stage, int64_t rows, const double *restrict factors,
                              const double *restrict n, double *restrict w, double *restrict s,
                              double *restrict sum, double *restrict rest) {
    const int64_t plane = rows * FLOW_LANES;
    for (int64_t r = 0; r < rows; r++) {
        for (int l = 0; l < FLOW_LANES; l += VF64_LANES) {
            const double *at = factors + r * FLOW_LANES + l;
            const vf64 q = flow_get(at + MPNO_FLOW_Q * plane);
            for (int64_t i = r * FLOW_ROW + l; i < (r + 1) * FLOW_ROW; i += FLOW_LANES) {
                const vf64 x = flow_get(n + i);
                if (stage == 3) {
                    const vf64 f = flow_get(at + MPNO_FLOW_F3 * plane);
                    vf64_store(w + i, vf64_fma(f, x, flow_get(sum + i)));
                    continue;
                }
                if (stage == 2) {
                    vf64_store(s + i, vf64_fma(q + q, x, flow_get(rest + i)));
                } else {
                    const vf64 half = flow_get(at + MPNO_FLOW_E2 * plane), old = flow_get(w + i);
                    const vf64 next = flow_both(half, old, q, x);
                    vf64_store(s + i, next);
                    if (stage == 0) vf64_store(rest + i, flow_both(half, next, -q, x));
                    if (stage == 0) {
                        const vf64 f = flow_get(at + MPNO_FLOW_F1 * plane);
                        vf64_store(sum + i, flow_both(flow_get(at), old, f, x));
                    }
                }
                if (stage > 0) {
                    const vf64 f = flow_get(at + MPNO_FLOW_F2 * plane);
                    vf64_store(sum + i, vf64_fma(f, x, flow_get(sum + i)));
                }
            }
        }
    }
}

static void flow_etd_stage(int stage, int64_t rows, const double *factors, const double *n,
                           double *w, double *s, double *sum, double *rest) {
    switch (stage) {
        case 0:
            flow_stage(0, rows, factors, n, w, s, sum, rest);
            break;
        case 1:
            flow_stage(1, rows, factors, n, w, s, sum, rest);
            break;
        case 2:
            flow_stage(2, rows, factors, n, w, s, sum, rest);
            break;
        default:
            flow_stage(3, rows, factors, n, w, s, sum, rest);
            break;
    }
}

#define FLOW_TABLE                                                                        \
    {                                                                                     \
        flow_velocity, flow_square, flow_advection, flow_heun_predict, flow_heun_correct, \
            flow_etd_stage                                                                \
    }
