/* SPDX-License-Identifier: MIT
 * A small bitmap font of our own: printable ASCII, 5 columns, 7 rows above the base line and 2
 * below it. */
#ifndef MPNO_REPORT_FONT_H
#define MPNO_REPORT_FONT_H

#include <stdbool.h>

#define MPNO_FONT_COLUMNS 5
#define MPNO_FONT_ROWS 9
#define MPNO_FONT_ASCENT 7  /* rows above the base line */
#define MPNO_FONT_ADVANCE 6 /* columns from one character to the next */

/* Whether the pixel (x, y) of character `c`, drawn at an integer scale, is ink: 0 <= x < 5 * scale,
 * 0 <= y < 9 * scale. Even scales have their diagonals smoothed. Characters outside the font look
 * like '?'. */
bool mpno_font_ink(char c, int x, int y, int scale);

/* Width in pixels of one line of text, without the gap after its last character. */
int mpno_font_width(const char *text, int scale);

#endif
