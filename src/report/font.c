/* SPDX-License-Identifier: MIT
 * Looks pixels up in font.def. At even scales a pixel of the font is four quarters, and an empty
 * quarter between two pixels of ink that touch only at their corners is filled: diagonals become
 * slopes, right angles stay (D is no O). */
#include "report/font.h"

#include <string.h>

static const char *const bands[] = {
#include "report/font.def"
};

#define FIRST ' '
#define LAST '~'
#define PER_BAND 16

static bool dot(int glyph, int x, int y) {
    if (x < 0 || x >= MPNO_FONT_COLUMNS || y < 0 || y >= MPNO_FONT_ROWS) return false;
    const char *row = bands[glyph / PER_BAND * MPNO_FONT_ROWS + y];
    return row[glyph % PER_BAND * MPNO_FONT_ADVANCE + x] == '#';
}

bool mpno_font_ink(char c, int x, int y, int scale) {
    int glyph = (c >= FIRST && c <= LAST ? c : '?') - FIRST;
    int column = x / scale, row = y / scale;
    if (dot(glyph, column, row)) return true;
    if (scale % 2 != 0) return false;
    int dx = x % scale < scale / 2 ? -1 : 1, dy = y % scale < scale / 2 ? -1 : 1;
    return dot(glyph, column + dx, row) && dot(glyph, column, row + dy) &&
           !dot(glyph, column + dx, row + dy);
}

int mpno_font_width(const char *text, int scale) {
    size_t n = strlen(text);
    return n ? ((int)n * MPNO_FONT_ADVANCE - 1) * scale : 0;
}
