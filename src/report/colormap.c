/* SPDX-License-Identifier: MIT
 * Nearest entry of the table: entry round((value - low) / (high - low) * (n - 1)). */
#include "report/colormap.h"

#include <math.h>

mpno_rgb mpno_colormap_colour(mpno_colormap map, double value, double low, double high) {
    if (!isfinite(value)) return MPNO_RGB_NOT_FINITE;
    const mpno_rgb *table = mpno_colormap_sequential;
    int n = MPNO_SEQUENTIAL_COUNT;
    if (map == MPNO_COLORMAP_DIVERGING) {
        table = mpno_colormap_diverging;
        n = MPNO_DIVERGING_COUNT;
    }
    /* Halved before the difference: high - low may overflow where neither does. */
    double width = 0.5 * high - 0.5 * low;
    double t = width > 0 ? (0.5 * value - 0.5 * low) / width : 0.5;
    if (t < 0) t = 0;
    if (t > 1) t = 1;
    return table[(int)(t * (n - 1) + 0.5)];
}
