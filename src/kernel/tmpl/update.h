/* SPDX-License-Identifier: MIT
 * Template of the loops of optimisers: see kernel/update_kernels.h. Parameters, all undefined at
 * the end:
 *   T      arithmetic type, float or double
 *   ROOT   its square root
 *   FN     name of a function of this type: FN(adam)
 * The loops are functions of their own because compilers trust `restrict` at parameters, not at
 * variables. */

typedef struct FN(scalars) {
    T unscale, limit, couple, before, after, keep1, take1, keep2, take2, step, root, eps, direct,
        along;
} FN(scalars);

/* Rounded to T once. */
static FN(scalars) FN(round)(const mpno_update_scalars *s) {
    return (FN(scalars)){(T)s->unscale, (T)s->limit, (T)s->couple, (T)s->before, (T)s->after,
                         (T)s->keep1,   (T)s->take1, (T)s->keep2,  (T)s->take2,  (T)s->step,
                         (T)s->root,    (T)s->eps,   (T)s->direct, (T)s->along};
}

KERNEL_INLINE T FN(gradient)(T g, T p, FN(scalars) s) {
    T x = g * s.unscale;
    x = x > s.limit ? s.limit : x;
    x = x < -s.limit ? -s.limit : x;
    return x + s.couple * p;
}

static void FN(adam_loop)(T *restrict p, T *restrict m, T *restrict v, const T *restrict g,
                          int64_t n, FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T gi = FN(gradient)(g[i], p[i], s);
        T mi = m[i] + s.take1 * (gi - m[i]);
        T vi = s.keep2 * v[i] + s.take2 * (gi * gi);
        m[i] = mi;
        v[i] = vi;
        p[i] = (p[i] * s.before - s.step * (mi / (ROOT(vi) * s.root + s.eps))) * s.after;
    }
}

static void FN(amsgrad_loop)(T *restrict p, T *restrict m, T *restrict v, T *restrict x,
                             const T *restrict g, int64_t n, FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T gi = FN(gradient)(g[i], p[i], s);
        T mi = m[i] + s.take1 * (gi - m[i]);
        T vi = s.keep2 * v[i] + s.take2 * (gi * gi);
        T xi = vi > x[i] ? vi : x[i];
        m[i] = mi;
        v[i] = vi;
        x[i] = xi;
        p[i] = (p[i] * s.before - s.step * (mi / (ROOT(xi) * s.root + s.eps))) * s.after;
    }
}

static void FN(pair_loop)(T *restrict pr, T *restrict pi, T *restrict mr, T *restrict mi,
                          T *restrict v, const T *restrict gr, const T *restrict gi, int64_t n,
                          FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T re = FN(gradient)(gr[i], pr[i], s), im = FN(gradient)(gi[i], pi[i], s);
        T m_re = mr[i] + s.take1 * (re - mr[i]);
        T m_im = mi[i] + s.take1 * (im - mi[i]);
        T vi = s.keep2 * v[i] + s.take2 * (re * re + im * im);
        T scale = s.step / (ROOT(vi) * s.root + s.eps);
        mr[i] = m_re;
        mi[i] = m_im;
        v[i] = vi;
        pr[i] = (pr[i] * s.before - scale * m_re) * s.after;
        pi[i] = (pi[i] * s.before - scale * m_im) * s.after;
    }
}

static void FN(sgd_loop)(T *restrict p, const T *restrict g, int64_t n, FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) p[i] -= s.step * FN(gradient)(g[i], p[i], s);
}

static void FN(momentum_loop)(T *restrict p, T *restrict b, const T *restrict g, int64_t n,
                              FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T gi = FN(gradient)(g[i], p[i], s);
        T bi = s.keep1 * b[i] + s.take1 * gi;
        b[i] = bi;
        p[i] -= s.step * (s.direct * gi + s.along * bi);
    }
}

static void FN(lion_loop)(T *restrict p, T *restrict m, const T *restrict g, int64_t n,
                          FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T gi = FN(gradient)(g[i], p[i], s);
        T c = s.keep1 * m[i] + s.take1 * gi;
        T sign = (T)(c > 0) - (T)(c < 0);
        m[i] = s.keep2 * m[i] + s.take2 * gi;
        p[i] = p[i] * s.before - s.step * sign;
    }
}

static void FN(adam)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                     const mpno_update_scalars *scalars) {
    (void)plane;
    FN(adam_loop)(p, state[0], state[1], g, n, FN(round)(scalars));
}

static void FN(amsgrad)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                        const mpno_update_scalars *scalars) {
    (void)plane;
    FN(amsgrad_loop)(p, state[0], state[1], state[2], g, n, FN(round)(scalars));
}

static void FN(adam_modulus)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                             const mpno_update_scalars *scalars) {
    const FN(scalars) s = FN(round)(scalars);
    T *w = p, *m = state[0], *v = state[1];
    const T *d = g;
    for (int64_t re = 0, im = plane; im < n; re += 2 * plane, im += 2 * plane) {
        FN(pair_loop)(w + re, w + im, m + re, m + im, v + re, d + re, d + im, plane, s);
    }
}

static void FN(sgd)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                    const mpno_update_scalars *scalars) {
    (void)state, (void)plane;
    FN(sgd_loop)(p, g, n, FN(round)(scalars));
}

static void FN(momentum)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                         const mpno_update_scalars *scalars) {
    (void)plane;
    FN(momentum_loop)(p, state[0], g, n, FN(round)(scalars));
}

static void FN(lion)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                     const mpno_update_scalars *scalars) {
    (void)plane;
    FN(lion_loop)(p, state[0], g, n, FN(round)(scalars));
}

static void FN(accumulate)(void *sum, const void *g, int64_t n) {
    T *restrict s = sum;
    const T *restrict x = g;
    for (int64_t i = 0; i < n; i++) s[i] += x[i];
}

static void FN(average)(void *average, const void *p, int64_t n, double take) {
    T *restrict a = average;
    const T *restrict x = p;
    const T part = (T)take;
    for (int64_t i = 0; i < n; i++) a[i] += part * (x[i] - a[i]);
}

static double FN(sum_squares)(const void *g, int64_t n) {
    enum { LANES = 16 };
    const T *x = g;
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++) lane[k] += (double)x[i + k] * (double)x[i + k];
    }
    for (int k = 0; i < n; i++, k++) lane[k] += (double)x[i] * (double)x[i];
    for (int k = 0; k < LANES; k++) sum += lane[k];
    return sum;
}

static const mpno_update_kernels FN(table) = {
    .update = {[MPNO_UPDATE_ADAM] = FN(adam),
               [MPNO_UPDATE_AMSGRAD] = FN(amsgrad),
               [MPNO_UPDATE_ADAM_MODULUS] = FN(adam_modulus),
               [MPNO_UPDATE_SGD] = FN(sgd),
               [MPNO_UPDATE_MOMENTUM] = FN(momentum),
               [MPNO_UPDATE_LION] = FN(lion)},
    .accumulate = FN(accumulate),
    .average = FN(average),
    .sum_squares = FN(sum_squares)};

#undef T
#undef ROOT
#undef FN
