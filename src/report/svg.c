/* SPDX-License-Identifier: MIT
 * See svg.h. */
#include "report/svg.h"

mpno_status mpno_svg_attribute(mpno_text *out, const char *name, double v) {
    MPNO_TRY(mpno_text_add(out, " %s=\"", name));
    MPNO_TRY(mpno_text_add_coordinate(out, v));
    return mpno_text_add(out, "\"");
}

mpno_status mpno_svg_line(mpno_text *out, const char *class, double x1, double y1, double x2,
                          double y2) {
    MPNO_TRY(mpno_text_add(out, "<line class=\"%s\"", class));
    MPNO_TRY(mpno_svg_attribute(out, "x1", x1));
    MPNO_TRY(mpno_svg_attribute(out, "y1", y1));
    MPNO_TRY(mpno_svg_attribute(out, "x2", x2));
    MPNO_TRY(mpno_svg_attribute(out, "y2", y2));
    return mpno_text_add(out, "/>\n");
}
