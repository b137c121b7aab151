/* SPDX-License-Identifier: MIT
 * Text that grows, and numbers as text in the C locale whatever locale the program has set. */
#ifndef MPNO_CORE_TEXT_H
#define MPNO_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"

/* Starts as {.ctx = ctx}. `data` is owned, ends with a zero byte and is NULL while nothing was
 * added; a caller may take it (and free it with mpno_free). On failure the text so far stays valid.
 */
typedef struct mpno_text {
    mpno_ctx *ctx;
    char *data;
    size_t size, capacity; /* bytes without the zero byte; bytes reserved */
} mpno_text;

MPNO_WARN_UNUSED mpno_status mpno_text_add(mpno_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
MPNO_WARN_UNUSED mpno_status mpno_text_add_bytes(mpno_text *text, const char *bytes, size_t n);
MPNO_WARN_UNUSED mpno_status mpno_text_add_spaces(mpno_text *text, size_t n);
/* `string` in double quotes with the escapes of JSON, which are valid in YAML too. Bytes that are
 * not UTF-8 become U+FFFD, so that the result always parses. */
MPNO_WARN_UNUSED mpno_status mpno_text_add_quoted(mpno_text *text, const char *string);
/* `string` as text of an HTML document or of an attribute in quotes. Bytes that are not UTF-8 and
 * control characters but tab and line break become U+FFFD. */
MPNO_WARN_UNUSED mpno_status mpno_text_add_html(mpno_text *text, const char *string);
/* v with two decimals at most and a point, for drawing: |v| < 1e9. */
MPNO_WARN_UNUSED mpno_status mpno_text_add_coordinate(mpno_text *text, double v);
void mpno_text_discard(mpno_text *text);

enum { MPNO_REAL_TEXT = 32 };
/* Shortest of 15, 16, 17 digits that gives v back, always with a point or a name: "0.1", "1.0",
 * "1.0e+16", "nan". */
void mpno_real_text(double v, char out[MPNO_REAL_TEXT]);
/* The whole text as a number, "1e-3", "1.", ".5"; false when it is not one. Overflow gives
 * infinity. */
bool mpno_real_parse(const char *text, double *out);

#endif
