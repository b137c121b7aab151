/* SPDX-License-Identifier: MIT
 * A field in memory seen as pictures need it: the line of a 1-D field, the whole of a 2-D one, the
 * three middle planes of a 3-D one (4-D: of the last three axes, at the middle of the first). */
#ifndef MPNO_REPORT_VIEW_H
#define MPNO_REPORT_VIEW_H

#include "mpno/format.h"
#include "report/picture.h"

enum { MPNO_VIEW_MAX_AXES = 4, MPNO_VIEW_MAX_PLANES = 3 };

/* Borrows the data: value (i_1 .. i_d, channel) stands at sum i_k stride[k] + channel *
 * channel_stride. */
typedef struct mpno_view {
    mpno_format format; /* f32 or f64 */
    const void *data;   /* NULL: there is no such field */
    int ndim;           /* 1 .. MPNO_VIEW_MAX_AXES */
    int64_t size[MPNO_VIEW_MAX_AXES], stride[MPNO_VIEW_MAX_AXES];
    int64_t channels, channel_stride;
} mpno_view;

int mpno_view_planes(const mpno_view *view); /* 1, or 3 of fields in 3-D and 4-D */
/* The axis that plane k is cut at the middle of, -1: none; and the axes that run down and right
 * (right: -1 of a line). */
int mpno_view_fixed(const mpno_view *view, int k);
void mpno_view_axes(const mpno_view *view, int k, int axes[2]);
int64_t mpno_view_points(const mpno_view *view, int k); /* of plane k */
/* One channel on plane k, written to *to (mpno_view_points values), which moves on. */
mpno_panel_field mpno_view_cut(const mpno_view *view, int k, int64_t channel, float **to);

#endif
