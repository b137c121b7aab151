/* SPDX-License-Identifier: MIT
 * Growing text, quoting, numbers as text. */
#include "core/text.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* Room for n more bytes and the zero byte; doubles, so that building a text of n bytes costs O(n).
 */
static mpno_status reserve(mpno_text *text, size_t n) {
    size_t wanted = text->size + n + 1;
    if (wanted <= text->capacity) return MPNO_OK;
    size_t capacity = 2 * text->capacity > wanted ? 2 * text->capacity : wanted;
    if (capacity < 64) capacity = 64;
    MPNO_TRY(mpno_realloc_array(text->ctx, &text->data, text->capacity, capacity, 1));
    text->capacity = capacity;
    return MPNO_OK;
}

mpno_status mpno_text_add_bytes(mpno_text *text, const char *bytes, size_t n) {
    MPNO_TRY(reserve(text, n));
    if (n > 0) memcpy(text->data + text->size, bytes, n);
    text->size += n;
    text->data[text->size] = '\0';
    return MPNO_OK;
}

mpno_status mpno_text_add_spaces(mpno_text *text, size_t n) {
    MPNO_TRY(reserve(text, n));
    memset(text->data + text->size, ' ', n);
    text->size += n;
    text->data[text->size] = '\0';
    return MPNO_OK;
}

mpno_status mpno_text_add(mpno_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    mpno_status status = length >= 0 ? reserve(text, (size_t)length)
                                     : mpno_fail(text->ctx, MPNO_E_ARGUMENT,
                                                 "a text cannot be printed; check its encoding");
    if (status == MPNO_OK) {
        (void)vsnprintf(text->data + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    return status;
}

void mpno_text_discard(mpno_text *text) {
    mpno_free(text->ctx, text->data);
    *text = (mpno_text){.ctx = text->ctx};
}

/* Bytes of the UTF-8 character at s and its code point; 0 when there is none (overlong, surrogate,
 * cut off). */
static size_t decode_utf8(const unsigned char *s, unsigned *code) {
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || s[0] > 0xf7) return 0;
    unsigned c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0; /* the zero byte at the end stops here too */
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
    *code = c;
    return n;
}

/* Control characters, and what a YAML reader takes for a line break, a byte-order mark or no
 * character at all. */
static bool needs_escape(unsigned code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff;
}

static mpno_status add_character(mpno_text *text, const char *bytes, size_t n, unsigned code) {
    switch (code) {
        case '"':
            return mpno_text_add_bytes(text, "\\\"", 2);
        case '\\':
            return mpno_text_add_bytes(text, "\\\\", 2);
        case '\n':
            return mpno_text_add_bytes(text, "\\n", 2);
        case '\t':
            return mpno_text_add_bytes(text, "\\t", 2);
        case '\r':
            return mpno_text_add_bytes(text, "\\r", 2);
        default:
            break;
    }
    return needs_escape(code) ? mpno_text_add(text, "\\u%04x", code)
                              : mpno_text_add_bytes(text, bytes, n);
}

mpno_status mpno_text_add_quoted(mpno_text *text, const char *string) {
    MPNO_TRY(mpno_text_add_bytes(text, "\"", 1));
    while (*string != '\0') {
        unsigned code;
        size_t n = decode_utf8((const unsigned char *)string, &code);
        if (n == 0) {
            MPNO_TRY(mpno_text_add(text, "\\ufffd"));
            string++;
        } else {
            MPNO_TRY(add_character(text, string, n, code));
            string += n;
        }
    }
    return mpno_text_add_bytes(text, "\"", 1);
}

static const char *html_entity(unsigned code) {
    switch (code) {
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '&':
            return "&amp;";
        case '"':
            return "&quot;";
        case '\'':
            return "&#39;";
        case '\t':
        case '\n':
            return NULL;
        default:
            return code < 0x20 || (code >= 0x7f && code <= 0x9f) ? "\ufffd" : NULL;
    }
}

mpno_status mpno_text_add_html(mpno_text *text, const char *string) {
    while (*string != '\0') {
        unsigned code = 0;
        size_t n = decode_utf8((const unsigned char *)string, &code);
        const char *entity = n == 0 ? "\ufffd" : html_entity(code);
        MPNO_TRY(entity ? mpno_text_add(text, "%s", entity) : mpno_text_add_bytes(text, string, n));
        string += n == 0 ? 1 : n;
    }
    return MPNO_OK;
}

mpno_status mpno_text_add_coordinate(mpno_text *text, double v) {
    const long long hundredths = (long long)(v * 100 + (v < 0 ? -0.5 : 0.5));
    const long long whole = hundredths < 0 ? -hundredths : hundredths;
    MPNO_TRY(mpno_text_add(text, "%s%lld", hundredths < 0 ? "-" : "", whole / 100));
    return whole % 100 ? mpno_text_add(text, ".%02lld", whole % 100) : MPNO_OK;
}

/* The C locale for this thread; give the result to leave_c_locale. printf and strtod would follow a
 * decimal comma. */
typedef struct locale_switch {
    locale_t c, before;
} locale_switch;

static locale_switch enter_c_locale(void) {
    locale_switch s = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (s.c != (locale_t)0) s.before = uselocale(s.c);
    return s;
}

static void leave_c_locale(locale_switch s) {
    if (s.c == (locale_t)0) return;
    (void)uselocale(s.before);
    freelocale(s.c);
}

bool mpno_real_parse(const char *text, double *out) {
    if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
        return false; /* no hex, no blanks, no names */
    locale_switch s = enter_c_locale();
    char *end;
    *out = strtod(text, &end);
    leave_c_locale(s);
    return end != text && *end == '\0';
}

void mpno_real_text(double v, char out[MPNO_REAL_TEXT]) {
    char digits[MPNO_REAL_TEXT - 2]; /* two for the point below */
    locale_switch s = enter_c_locale();
    for (int n = 15; n <= 17; n++) {
        (void)snprintf(digits, sizeof digits, "%.*g", n, v);
        if (strtod(digits, NULL) == v) break;
    }
    leave_c_locale(s);
    size_t mantissa = strcspn(digits, "e");
    bool whole = strspn(digits, "+-0123456789") >= mantissa; /* no point, and not a name */
    size_t point = whole ? 2 : 0;
    memcpy(out, digits, mantissa);
    memcpy(out + mantissa, ".0", point);
    memcpy(out + mantissa + point, digits + mantissa, strlen(digits + mantissa) + 1);
}
