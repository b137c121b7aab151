/* SPDX-License-Identifier: MIT
 * Tables as text: aligned columns with a header, in ASCII, box characters, Markdown or
 * HTML. */
#ifndef MPNO_REPORT_TABLE_H
#define MPNO_REPORT_TABLE_H

#include "core/context.h"
#include "core/text.h"

typedef enum mpno_table_style {
    MPNO_TABLE_ASCII,
    MPNO_TABLE_BOX,
    MPNO_TABLE_MARKDOWN,
    MPNO_TABLE_HTML /* classes l, r, c for the alignment */
} mpno_table_style;
typedef enum mpno_align { MPNO_LEFT, MPNO_RIGHT, MPNO_CENTRE } mpno_align;

/* One thread at a time per table. */
typedef struct mpno_table mpno_table;
MPNO_WARN_UNUSED mpno_status mpno_table_create(mpno_ctx *ctx, mpno_table **out);
void mpno_table_destroy(mpno_table **table); /* accepts NULL */

/* All columns come before the first cell (E_ARGUMENT after it). Texts are UTF-8 of one column per
 * code point, copied; line breaks become spaces. */
MPNO_WARN_UNUSED mpno_status mpno_table_column(mpno_table *table, const char *heading,
                                               mpno_align align);
/* Cells fill rows from left to right; a full row begins the next one. */
MPNO_WARN_UNUSED mpno_status mpno_table_cell(mpno_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Leaves the rest of the row empty (nothing to do when it is full). */
MPNO_WARN_UNUSED mpno_status mpno_table_end_row(mpno_table *table);
/* A line across before the next row; ends the row first. Left out in Markdown and HTML. */
MPNO_WARN_UNUSED mpno_status mpno_table_rule(mpno_table *table);

/* Appends the table to `out`; each line ends with \n. An unfinished row is drawn with its rest
 * empty. */
MPNO_WARN_UNUSED mpno_status mpno_table_text(const mpno_table *table, mpno_table_style style,
                                             mpno_text *out);

#endif
