/* SPDX-License-Identifier: MIT
 * Pieces of vector graphics as text: coordinates with two decimals, looks by class. */
#ifndef MPNO_REPORT_SVG_H
#define MPNO_REPORT_SVG_H

#include "core/text.h"

/* name="v" after a space */
MPNO_WARN_UNUSED mpno_status mpno_svg_attribute(mpno_text *out, const char *name, double v);
MPNO_WARN_UNUSED mpno_status mpno_svg_line(mpno_text *out, const char *class, double x1, double y1,
                                           double x2, double y2);

#endif
