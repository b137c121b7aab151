/* SPDX-License-Identifier: MIT
 * See view.h. */
#include "report/view.h"

#include "number/format.h"

int mpno_view_planes(const mpno_view *v) {
    return v->ndim >= 3 ? MPNO_VIEW_MAX_PLANES : 1;
}

int mpno_view_fixed(const mpno_view *v, int k) {
    return v->ndim >= 3 ? v->ndim - 3 + k : -1;
}

void mpno_view_axes(const mpno_view *v, int k, int axes[2]) {
    axes[0] = 0;
    axes[1] = v->ndim == 1 ? -1 : 1;
    if (v->ndim < 3) return;
    const int first = v->ndim - 3;
    axes[0] = k == 0 ? first + 1 : first;
    axes[1] = k == 2 ? first + 1 : first + 2;
}

int64_t mpno_view_points(const mpno_view *v, int k) {
    int axes[2];
    mpno_view_axes(v, k, axes);
    return v->size[axes[0]] * (axes[1] < 0 ? 1 : v->size[axes[1]]);
}

mpno_panel_field mpno_view_cut(const mpno_view *v, int k, int64_t channel, float **to) {
    int axes[2];
    int64_t start = channel * v->channel_stride;
    mpno_view_axes(v, k, axes);
    for (int d = 0; d < v->ndim; d++)
        if (d != axes[0] && d != axes[1]) start += v->size[d] / 2 * v->stride[d];
    const int64_t n1 = v->size[axes[0]], n2 = axes[1] < 0 ? 1 : v->size[axes[1]];
    const int64_t down = v->stride[axes[0]], right = axes[1] < 0 ? 0 : v->stride[axes[1]];
    float *out = *to;
    for (int64_t i = 0; i < n1; i++)
        for (int64_t j = 0; j < n2; j++) {
            const int64_t at = start + i * down + j * right;
            out[i * n2 + j] = (float)mpno_real_at(v->format, v->data, at);
        }
    *to += n1 * n2;
    return (mpno_panel_field){out, n1, n2};
}
