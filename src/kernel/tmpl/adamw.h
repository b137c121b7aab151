/* SPDX-License-Identifier: MIT
 * Template of the AdamW loops: see kernel/adamw_kernels.h. Parameters, all undefined at the end:
 *   T     arithmetic type, float or double
 *   ROOT  its square root
 *   FN    name of a function of this type: FN(update) */

/* Scalars of an update, rounded to T once. */
typedef struct FN(scalars) {
    T unscale, before, rest1, beta2, rest2, step, root, eps, after;
} FN(scalars);

static FN(scalars) FN(round)(const mpno_adamw_scalars *s) {
    return (FN(scalars)){(T)s->unscale, (T)s->before,      (T)(1 - s->beta1),
                         (T)s->beta2,   (T)(1 - s->beta2), (T)s->step,
                         (T)s->root,    (T)s->eps,         (T)s->after};
}

static void FN(real)(T *restrict p, T *restrict m, T *restrict v, const T *restrict g, int64_t n,
                     FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T gi = g[i] * s.unscale;
        T mi = m[i] + s.rest1 * (gi - m[i]);
        T vi = s.beta2 * v[i] + s.rest2 * (gi * gi);
        m[i] = mi;
        v[i] = vi;
        p[i] = (p[i] * s.before - s.step * (mi / (ROOT(vi) * s.root + s.eps))) * s.after;
    }
}

/* A function of its own because compilers trust `restrict` at parameters, not at variables. */
static void FN(pair)(T *restrict pr, T *restrict pi, T *restrict mr, T *restrict mi, T *restrict v,
                     const T *restrict gr, const T *restrict gi, int64_t n, FN(scalars) s) {
    for (int64_t i = 0; i < n; i++) {
        T re = gr[i] * s.unscale, im = gi[i] * s.unscale;
        T m_re = mr[i] + s.rest1 * (re - mr[i]);
        T m_im = mi[i] + s.rest1 * (im - mi[i]);
        T vi = s.beta2 * v[i] + s.rest2 * (re * re + im * im);
        T scale = s.step / (ROOT(vi) * s.root + s.eps);
        mr[i] = m_re;
        mi[i] = m_im;
        v[i] = vi;
        pr[i] = (pr[i] * s.before - scale * m_re) * s.after;
        pi[i] = (pi[i] * s.before - scale * m_im) * s.after;
    }
}

static void FN(update)(void *p, void *m, void *v, const void *g, int64_t n,
                       const mpno_adamw_scalars *scalars) {
    FN(real)(p, m, v, g, n, FN(round)(scalars));
}

static void FN(update_modulus)(void *p, void *m, void *v, const void *g, int64_t blocks,
                               int64_t plane, const mpno_adamw_scalars *scalars) {
    const FN(scalars) s = FN(round)(scalars);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t re = 2 * b * plane, im = re + plane;
        FN(pair)
        ((T *)p + re, (T *)p + im, (T *)m + re, (T *)m + im, (T *)v + re, (const T *)g + re,
         (const T *)g + im, plane, s);
    }
}

#undef T
#undef ROOT
#undef FN
