/* SPDX-License-Identifier: MIT
 * Symmetries of a grid: see symmetry.h. */
#include "data/symmetry.h"

#include <string.h>

mpno_symmetry mpno_symmetry_identity(int ndim, const int64_t *parts) {
    mpno_symmetry s = {.ndim = ndim};
    for (int d = 0; d < ndim; d++) {
        s.axis[d] = d;
        s.parts[d] = parts ? parts[d] : 1;
    }
    return s;
}

mpno_symmetry mpno_symmetry_compose(const mpno_symmetry *a, const mpno_symmetry *b) {
    mpno_symmetry c = {.ndim = a->ndim};
    for (int d = 0; d < a->ndim; d++) {
        const int e = b->axis[d];
        const int64_t parts = a->parts[e], moved = b->shift[d];
        c.axis[d] = a->axis[e];
        c.flip[d] = a->flip[e] != b->flip[d];
        c.parts[d] = parts;
        c.shift[d] = (a->shift[e] + (a->flip[e] ? parts - moved : moved)) % parts;
    }
    return c;
}

static void statistics_of(const mpno_normalizer *n, int64_t channel, double *mean, double *scale) {
    const bool own = n->encoding == MPNO_ENCODING_CHANNEL_WISE;
    *mean = own ? n->means[channel] : n->mean;
    *scale = (own ? n->stds[channel] : n->std) + MPNO_NORMALIZER_EPS;
}

/* Components along axis d of the result, from those along axis[d], at one node and plane. Both are
 * normalised, each in its way: u = U scale + mean. */
static void turn_vector(const mpno_symmetry *s, const mpno_field_shape *shape, int64_t first,
                        const void *from, void *to) {
    for (int d = 0; d < s->ndim; d++) {
        const int64_t in = first + s->axis[d], out = first + d;
        double factor = s->flip[d] ? -1 : 1, offset = 0;
        if (shape->normalizer) {
            double mean, scale, to_mean, to_scale;
            statistics_of(shape->normalizer, in, &mean, &scale);
            statistics_of(shape->normalizer, out, &to_mean, &to_scale);
            offset = (factor * mean - to_mean) / to_scale;
            factor *= scale / to_scale;
        }
        if (shape->format == MPNO_F64)
            ((double *)to)[out] = factor * ((const double *)from)[in] + offset;
        else
            ((float *)to)[out] = (float)(factor * ((const float *)from)[in] + offset);
    }
}

void mpno_symmetry_apply(const mpno_symmetry *s, const mpno_field_shape *shape, const void *from,
                         void *to) {
    int64_t stride[MPNO_MAX_DIMS], node[MPNO_MAX_DIMS] = {0}, nodes = 1;
    for (int d = s->ndim - 1; d >= 0; d--) {
        stride[d] = nodes;
        nodes *= shape->grid[d];
    }
    const size_t plane = (size_t)shape->channels * mpno_format_bytes(shape->format);
    const size_t row = plane * (size_t)shape->planes;
    for (int64_t j = 0; j < nodes; j++) {
        int64_t source = 0;
        for (int d = 0; d < s->ndim; d++) {
            const int64_t n = shape->grid[d], moved = s->shift[d] * (n / s->parts[d]);
            source += (s->flip[d] ? n - node[d] + moved : node[d] + moved) % n * stride[s->axis[d]];
        }
        const char *in = (const char *)from + (size_t)source * row;
        char *out = (char *)to + (size_t)j * row;
        memcpy(out, in, row);
        for (int p = 0; p < shape->planes; p++)
            for (int64_t v = 0; v < shape->n_vectors; v++)
                turn_vector(s, shape, shape->vectors[v], in + (size_t)p * plane,
                            out + (size_t)p * plane);
        for (int d = s->ndim - 1; d >= 0 && ++node[d] == shape->grid[d]; d--) node[d] = 0;
    }
}
