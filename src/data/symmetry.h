/* SPDX-License-Identifier: MIT
 * Symmetries of a regular grid with nodes i/N, as maps of fields onto fields: axes are exchanged,
 * reflected (node i to -i mod N) and moved along. The result of a symmetry s on a field u is
 *   v[j] = u[k],  k[axis[d]] = (+-j[d] + shift[d] N / parts[d]) mod N,  minus where flip[d],
 * so that an axis and the one it comes from need equal numbers of nodes N. Shifts are counted in
 * parts of a period: fields on two grids, both of whose N are multiples of parts, are moved by the
 * same distance. Components of vectors follow: along axis d v has +-(component axis[d] of u). Nodes
 * are only permuted; nothing is rounded but components whose normalisation has a mean. */
#ifndef MPNO_DATA_SYMMETRY_H
#define MPNO_DATA_SYMMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "data/normalizer.h"
#include "number/tensor.h"

typedef struct mpno_symmetry {
    int ndim;
    int axis[MPNO_MAX_DIMS]; /* of the given field, that axis d of the result runs along */
    bool flip[MPNO_MAX_DIMS];
    int64_t shift[MPNO_MAX_DIMS], parts[MPNO_MAX_DIMS];
} mpno_symmetry;

/* A field of a sample: [grid..][planes][channels] in `format`, f32 or f64. `vectors`: first
 * channels of groups of ndim channels that are components along the axes. Borrows all pointers. */
typedef struct mpno_field_shape {
    const int64_t *grid;
    int planes;
    int64_t channels;
    mpno_format format;
    const int64_t *vectors;
    int64_t n_vectors;
    const mpno_normalizer
        *normalizer; /* that the values went through, not pixel-wise; NULL: none */
} mpno_field_shape;

/* Does nothing; shifts are counted in parts[d] of a period (NULL: there are none). */
mpno_symmetry mpno_symmetry_identity(int ndim, const int64_t *parts);
/* First a, then b; of the same ndim and parts, equal along axes that are exchanged. */
mpno_symmetry mpno_symmetry_compose(const mpno_symmetry *a, const mpno_symmetry *b);
/* from and to do not overlap. */
void mpno_symmetry_apply(const mpno_symmetry *symmetry, const mpno_field_shape *shape,
                         const void *from, void *to);

#endif
