/* SPDX-License-Identifier: MIT
 * The oracle's spectra, see quad_spectrum.h. Real and complex fields are transformed alike, by
 * complex sums along one axis after another. */
#include "support/quad_spectrum.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *quad_room(quad_run *run, size_t count, size_t size) {
    if (run->n_rooms == run->capacity) {
        run->capacity = 2 * run->capacity + 64;
        run->rooms = realloc(run->rooms, run->capacity * sizeof *run->rooms);
    }
    void *room = run->rooms == NULL ? NULL : calloc(count > 0 ? count : 1, size);
    if (room == NULL) abort(); /* a test without memory cannot go on */
    return run->rooms[run->n_rooms++] = room;
}

void quad_run_end(quad_run *run) {
    for (size_t i = 0; i < run->n_rooms; i++) free(run->rooms[i]);
    free(run->rooms);
    run->rooms = NULL, run->n_rooms = run->capacity = 0;
}

int64_t quad_points(int ndim, const int64_t *size) {
    int64_t points = 1;
    for (int d = 0; d < ndim; d++) points *= size[d];
    return points;
}

quad_field quad_field_like(quad_run *run, const quad_field *like, const int64_t *size,
                           int64_t channels) {
    quad_field y = {.ndim = like->ndim, .planes = like->planes, .channels = channels};
    for (int d = 0; d < y.ndim; d++) y.size[d] = size[d];
    y.v = quad_room(run, (size_t)(quad_points(y.ndim, size) * y.planes * channels), sizeof *y.v);
    return y;
}

quad *quad_param(quad_run *run, mpno_param_info *info, const char *format, ...) {
    char name[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const int index = mpno_model_find_param(run->model, name);
    if (index < 0) return NULL;
    const mpno_param_info found = mpno_model_param_info(run->model, index);
    double *stored = quad_room(run, found.count, sizeof *stored);
    quad *values = quad_room(run, found.count, sizeof *values);
    mpno_model_get_param(run->model, index, stored);
    for (size_t i = 0; i < found.count; i++) values[i] = (quad)stored[i];
    if (info != NULL) *info = found;
    return values;
}

/* ---- transforms ---- */

static quad_complex times(quad_complex a, quad_complex b) {
    return (quad_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* exp(2 pi i j / n) for j = 0 .. n - 1 */
static quad_complex *roots_of(quad_run *run, int64_t n) {
    quad_complex *roots = quad_room(run, (size_t)n, sizeof *roots);
    const quad turn = 2 * QUAD(acos)((quad)-1);
    for (int64_t j = 0; j < n; j++) {
        roots[j].re = QUAD(cos)(turn * (quad)j / (quad)n);
        roots[j].im = QUAD(sin)(turn * (quad)j / (quad)n);
    }
    return roots;
}

/* A sum along axis d of `sizes`: from points to frequencies first .. first + count - 1 (sign -1),
 * or from these to `count` points (sign 1). points: of the axis. */
typedef struct axis_sum {
    int d, sign;
    int64_t count, first, points;
} axis_sum;

static quad_complex *along(quad_run *run, const quad_complex *from, int ndim, int64_t *sizes,
                           int64_t channels, const axis_sum *s) {
    const quad_complex *roots = roots_of(run, s->points);
    const int64_t before = quad_points(s->d, sizes), n = sizes[s->d],
                  after = quad_points(ndim - s->d - 1, sizes + s->d + 1) * channels;
    quad_complex *to = quad_room(run, (size_t)(before * s->count * after), sizeof *to);
    for (int64_t b = 0; b < before; b++)
        for (int64_t j = 0; j < s->count; j++)
            for (int64_t i = 0; i < n; i++) {
                const int64_t product = s->sign < 0 ? (s->first + j) * i : (s->first + i) * j,
                              turned = s->sign * product % s->points;
                const quad_complex root = roots[turned < 0 ? turned + s->points : turned];
                for (int64_t a = 0; a < after; a++) {
                    const quad_complex term = times(root, from[(b * n + i) * after + a]);
                    to[(b * s->count + j) * after + a].re += term.re;
                    to[(b * s->count + j) * after + a].im += term.im;
                }
            }
    sizes[s->d] = s->count;
    return to;
}

quad_spectrum quad_forward(quad_run *run, const quad_field *x, const quad_spectrum *like) {
    quad_spectrum y = *like;
    const int64_t points = quad_points(x->ndim, x->size), c = x->channels;
    int64_t sizes[MPNO_MAX_AXES];
    y.channels = c;
    y.z = quad_room(run, (size_t)(points * c), sizeof *y.z);
    for (int64_t p = 0; p < points; p++)
        for (int64_t i = 0; i < c; i++) {
            y.z[p * c + i].re = x->v[p * x->planes * c + i] / (quad)points;
            y.z[p * c + i].im = x->planes < 2 ? 0 : x->v[(p * 2 + 1) * c + i] / (quad)points;
        }
    for (int d = 0; d < x->ndim; d++) sizes[d] = x->size[d];
    for (int d = 0; d < x->ndim; d++) {
        const axis_sum s = {d, -1, y.kept[d], y.first[d], x->size[d]};
        y.z = along(run, y.z, x->ndim, sizes, c, &s);
    }
    return y;
}

quad_field quad_inverse(quad_run *run, const quad_spectrum *z, const quad_field *like,
                        const int64_t *size) {
    const int last = z->ndim - 1;
    const int64_t modes = quad_points(z->ndim, z->kept), c = z->channels;
    quad_field y = quad_field_like(run, like, size, c);
    quad_complex *of = quad_room(run, (size_t)(modes * c), sizeof *of);
    int64_t sizes[MPNO_MAX_AXES];
    for (int64_t k = 0; k < modes * c; k++) {
        const int64_t frequency = z->first[last] + k / c % z->kept[last];
        const bool single = frequency == 0 || 2 * frequency == size[last];
        const quad weight = y.planes == 2 || single ? 1 : 2;
        of[k].re = weight * z->z[k].re, of[k].im = weight * z->z[k].im;
    }
    for (int d = 0; d < z->ndim; d++) sizes[d] = z->kept[d];
    for (int d = 0; d < z->ndim; d++) {
        const axis_sum s = {d, 1, size[d], z->first[d], size[d]};
        of = along(run, of, z->ndim, sizes, c, &s);
    }
    for (int64_t p = 0; p < quad_points(y.ndim, size); p++)
        for (int64_t i = 0; i < c; i++) {
            y.v[p * y.planes * c + i] = of[p * c + i].re;
            if (y.planes == 2) y.v[(p * 2 + 1) * c + i] = of[p * c + i].im;
        }
    return y;
}

/* ---- weights of modes ---- */

enum { MAX_ORDER = MPNO_MAX_AXES + 2 };

/* A spectral weight W[i0][i1].. of `order` dimensions, or what it is the product of. */
typedef struct mode_weight {
    mpno_factorization kind;
    int order;
    int64_t shape[MAX_ORDER], rank[MAX_ORDER + 1];
    const quad_complex *whole; /* dense weight, tucker's core, or cp's weights of the ranks */
    const quad_complex *factor[MAX_ORDER];
} mode_weight;

static const quad_complex *complex_param(quad_run *run, int layer, const char *name,
                                         mpno_param_info *info) {
    return (const quad_complex *)quad_param(run, info, "fno_blocks.convs.%d.weight.%s", layer,
                                            name);
}

static mode_weight read_weight(quad_run *run, int layer) {
    const mpno_fno_config *c = run->config;
    const bool tt = c->factorization == MPNO_FACTORIZATION_TT;
    mode_weight w = {.kind = c->factorization, .order = c->ndim + (c->separable ? 1 : 2)};
    mpno_param_info info;
    if (w.kind == MPNO_FACTORIZATION_DENSE) {
        w.whole = complex_param(run, layer, "tensor", &info);
        for (int d = 0; d < w.order; d++) w.shape[d] = info.shape[d];
        return w;
    }
    if (!tt)
        w.whole =
            complex_param(run, layer, w.kind == MPNO_FACTORIZATION_CP ? "weights" : "core", &info);
    for (int d = 0; d < w.order; d++) {
        char name[32];
        snprintf(name, sizeof name, "factors.factor_%d", d);
        w.factor[d] = complex_param(run, layer, name, &info);
        w.shape[d] = info.shape[tt ? 1 : 0];
        w.rank[d] = info.shape[tt ? 0 : 1];
        if (tt) w.rank[d + 1] = info.shape[2];
    }
    return w;
}

static void add_to(quad_complex *sum, quad_complex term) {
    sum->re += term.re, sum->im += term.im;
}

/* sum over r_d, r_d+1, .. of core[before][r_d].. F_d[i_d][r_d] F_d+1[i_d+1][r_d+1] .. */
static quad_complex tucker(const mode_weight *w, int d, int64_t before, const int64_t *at) {
    quad_complex sum = {0, 0};
    if (d == w->order) return w->whole[before];
    for (int64_t r = 0; r < w->rank[d]; r++)
        add_to(&sum, times(w->factor[d][at[d] * w->rank[d] + r],
                           tucker(w, d + 1, before * w->rank[d] + r, at)));
    return sum;
}

/* sum over r_d+1, .. of F_d[r_d][i_d][r_d+1] F_d+1[r_d+1][i_d+1][..] .. */
static quad_complex train(const mode_weight *w, int d, int64_t left, const int64_t *at) {
    quad_complex sum = {0, 0};
    if (d == w->order) return (quad_complex){1, 0};
    for (int64_t r = 0; r < w->rank[d + 1]; r++)
        add_to(&sum, times(w->factor[d][(left * w->shape[d] + at[d]) * w->rank[d + 1] + r],
                           train(w, d + 1, r, at)));
    return sum;
}

static quad_complex weight_at(const mode_weight *w, const int64_t *at) {
    quad_complex sum = {0, 0};
    if (w->kind == MPNO_FACTORIZATION_TUCKER) return tucker(w, 0, 0, at);
    if (w->kind == MPNO_FACTORIZATION_TT) return train(w, 0, 0, at);
    if (w->kind == MPNO_FACTORIZATION_DENSE) {
        int64_t place = 0;
        for (int d = 0; d < w->order; d++) place = place * w->shape[d] + at[d];
        return w->whole[place];
    }
    for (int64_t r = 0; r < w->rank[0]; r++) {
        quad_complex term = w->whole[r];
        for (int d = 0; d < w->order; d++) term = times(term, w->factor[d][at[d] * w->rank[d] + r]);
        add_to(&sum, term);
    }
    return sum;
}

/* The row of a weight with `rows` rows along axis d that mode j of `kept` meets: that of its
 * frequency; upstream crops the centre. */
static int64_t row_of(const mpno_fno_config *c, const quad_spectrum *z, int d, int64_t j,
                      int64_t rows) {
    if (d == z->ndim - 1 && !c->complex_data) return j;
    if (c->compat == MPNO_COMPAT_NEURALOP) return j + (rows - z->kept[d]) / 2;
    return z->first[d] + j + rows / 2;
}

quad_spectrum quad_contract(quad_run *run, int layer, const quad_spectrum *z) {
    const mode_weight w = read_weight(run, layer);
    const int lead = run->config->separable ? 1 : 2;
    const int64_t modes = quad_points(z->ndim, z->kept), c = z->channels;
    quad_spectrum y = *z;
    y.z = quad_room(run, (size_t)(modes * c), sizeof *y.z);
    for (int64_t k = 0; k < modes; k++) {
        int64_t at[MAX_ORDER], rest = k;
        for (int d = z->ndim - 1; d >= 0; d--) {
            at[lead + d] = row_of(run->config, z, d, rest % z->kept[d], w.shape[lead + d]);
            rest /= z->kept[d];
        }
        for (int64_t o = 0; o < c; o++) {
            at[lead - 1] = o;
            if (lead == 1) y.z[k * c + o] = times(z->z[k * c + o], weight_at(&w, at));
            for (at[0] = lead == 1 ? c : 0; at[0] < c; at[0]++)
                add_to(&y.z[k * c + o], times(z->z[k * c + at[0]], weight_at(&w, at)));
        }
    }
    return y;
}
