/* SPDX-License-Identifier: MIT
 * The frame of an HTML report: one document that needs nothing else, in light and dark mode, on
 * paper and on a phone. Everything is appended to a growing text. */
#ifndef MPNO_REPORT_PAGE_H
#define MPNO_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"
#include "report/table.h"

MPNO_WARN_UNUSED mpno_status mpno_page_begin(mpno_text *out, const char *title,
                                             const char *subtitle);
MPNO_WARN_UNUSED mpno_status mpno_page_end(mpno_text *out);
MPNO_WARN_UNUSED mpno_status mpno_page_section(mpno_text *out, const char *heading);
MPNO_WARN_UNUSED mpno_status mpno_page_paragraph(mpno_text *out, const char *text);
/* A block that can be closed, `open` at first or not; ended by mpno_page_fold_end. */
MPNO_WARN_UNUSED mpno_status mpno_page_fold(mpno_text *out, const char *heading, bool open);
MPNO_WARN_UNUSED mpno_status mpno_page_fold_end(mpno_text *out);
/* A number with its name; tiles stand between mpno_page_tiles and mpno_page_tiles_end. */
MPNO_WARN_UNUSED mpno_status mpno_page_tiles(mpno_text *out);
MPNO_WARN_UNUSED mpno_status mpno_page_tile(mpno_text *out, const char *name, const char *value);
MPNO_WARN_UNUSED mpno_status mpno_page_tiles_end(mpno_text *out);
/* Text as it stands. */
MPNO_WARN_UNUSED mpno_status mpno_page_verbatim(mpno_text *out, const char *text);
MPNO_WARN_UNUSED mpno_status mpno_page_table(mpno_text *out, const mpno_table *table);
/* A PNG file of n bytes, enlarged without smoothing. */
MPNO_WARN_UNUSED mpno_status mpno_page_image(mpno_text *out, const void *png, size_t n);

#endif
