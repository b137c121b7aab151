/* SPDX-License-Identifier: MIT
 * Colour maps: a number to a colour. Perceptually even (equal steps of the value look equally
 * large), monotone in lightness, safe for colour-blind eyes; designed in OKLab by
 * scripts/make_colormaps.py. */
#ifndef MPNO_REPORT_COLORMAP_H
#define MPNO_REPORT_COLORMAP_H

typedef struct mpno_rgb {
    unsigned char r, g, b;
} mpno_rgb;

typedef enum mpno_colormap {
    MPNO_COLORMAP_SEQUENTIAL, /* dark to light */
    MPNO_COLORMAP_DIVERGING   /* signed: blue below the middle, near white at it, orange above */
} mpno_colormap;

#define MPNO_SEQUENTIAL_COUNT 256
#define MPNO_DIVERGING_COUNT 255 /* odd: the middle is an entry of its own */
extern const mpno_rgb mpno_colormap_sequential[MPNO_SEQUENTIAL_COUNT];
extern const mpno_rgb mpno_colormap_diverging[MPNO_DIVERGING_COUNT];

/* Colour of `value` on the scale low .. high; outside it the end colours, MPNO_RGB_NOT_FINITE for
 * NaN and infinities. A scale of no width (low >= high) gives the middle. */
mpno_rgb mpno_colormap_colour(mpno_colormap map, double value, double low, double high);

/* Grey: no map holds it, so a hole in a field cannot be read as a value. */
#define MPNO_RGB_NOT_FINITE ((mpno_rgb){128, 128, 128})

#endif
