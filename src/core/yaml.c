/* SPDX-License-Identifier: MIT
 * YAML texts to values and back. libyaml gives events; what a plain scalar means is decided here,
 * by the core schema of YAML 1.2 (chapter 10.3): yes, no, on and off are words, 010 is ten, 1e-3 is
 * a number. Configurations need one document of plain data, so anchors, tags and further documents
 * are refused rather than half supported. */
#include <yaml.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "core/value.h"

enum { DEEPEST = 64 };       /* nesting of a text; the tree is walked by recursion */
enum { LONGEST_KEY = 1000 }; /* a YAML key on one line ends within 1024 characters */

/* ------------------------------------------------------------------ plain scalars */

static bool is_one_of(const char *s, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s, words[i]) == 0) return true;
    }
    return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL"};
static const char *const true_words[] = {"true", "True", "TRUE"};
static const char *const false_words[] = {"false", "False", "FALSE"};
static const char *const not_finite_words[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
/* What older readers take for a boolean: written in quotes. */
static const char *const old_words[] = {"y",  "Y",  "n",  "N",  "yes", "Yes", "YES", "no",
                                        "No", "NO", "on", "On", "ON",  "off", "Off", "OFF"};
#define IS_ONE_OF(s, words) is_one_of((s), (words), sizeof(words) / sizeof *(words))

static const char *skip_sign(const char *s) {
    return s + (*s == '+' || *s == '-');
}

static bool is_decimal(const char *s) {
    s = skip_sign(s);
    size_t n = strspn(s, "0123456789");
    return n > 0 && s[n] == '\0';
}

/* 8 for 0o17, 16 for 0xff, else 0. */
static int prefix_base(const char *s) {
    if (s[0] != '0' || (s[1] != 'o' && s[1] != 'x')) return 0;
    const char *digits = s[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
    size_t n = strspn(s + 2, digits);
    if (n == 0 || s[2 + n] != '\0') return 0;
    return s[1] == 'o' ? 8 : 16;
}

static mpno_status resolve_integer(mpno_ctx *ctx, const char *s, int base, mpno_value **out) {
    errno = 0;
    long long v = strtoll(base == 10 ? s : s + 2, NULL, base);
    MPNO_CHECK(ctx, errno == 0, MPNO_E_CONFIG,
               "integer %s needs more than 64 bits; write it with a point if it is a real number",
               s);
    return mpno_value_int(ctx, v, out);
}

static mpno_status resolve_plain(mpno_ctx *ctx, const char *s, mpno_value **out) {
    double real;
    if (IS_ONE_OF(s, null_words)) return mpno_value_null(ctx, out);
    if (IS_ONE_OF(s, true_words)) return mpno_value_bool(ctx, true, out);
    if (IS_ONE_OF(s, false_words)) return mpno_value_bool(ctx, false, out);
    if (is_decimal(s)) return resolve_integer(ctx, s, 10, out);
    int base = prefix_base(s);
    if (base != 0) return resolve_integer(ctx, s, base, out);
    if (mpno_real_parse(s, &real)) {
        MPNO_CHECK(ctx, isfinite(real), MPNO_E_CONFIG,
                   "number %s is larger than every f64 number; choose a smaller one", s);
        return mpno_value_real(ctx, real, out);
    }
    MPNO_CHECK(ctx, !IS_ONE_OF(skip_sign(s), not_finite_words), MPNO_E_CONFIG,
               "%s is not a finite number; choose one, or leave the key out", s);
    return mpno_value_string(ctx, s, out);
}

/* ------------------------------------------------------------------ reading */

typedef struct reader {
    mpno_ctx *ctx;
    const char *name;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
} reader;

/* Puts "NAME:LINE:COLUMN: " before the sentence that is already stored. */
static mpno_status fail_at(reader *r, mpno_status code, yaml_mark_t mark) {
    return mpno_fail_in(r->ctx, code, "%s:%zu:%zu", r->name, mark.line + 1, mark.column + 1);
}

static mpno_status fail_here(reader *r, const char *sentence) {
    yaml_mark_t mark = r->event.start_mark;
    return fail_at(r, mpno_fail(r->ctx, MPNO_E_CONFIG, "%s", sentence), mark);
}

static mpno_status fail_in_parser(reader *r) {
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem != NULL ? p->problem : "not valid YAML";
    if (p->error == YAML_MEMORY_ERROR) {
        return mpno_fail(r->ctx, MPNO_E_MEMORY, "%s: out of memory while reading YAML", r->name);
    }
    if (p->error == YAML_READER_ERROR) {
        return mpno_fail(r->ctx, MPNO_E_CONFIG, "%s: byte %zu: %s; save the file as UTF-8 text",
                         r->name, p->problem_offset, problem);
    }
    mpno_status status =
        mpno_fail(r->ctx, MPNO_E_CONFIG, "%s%s%s; check indentation, quotes and brackets",
                  p->context != NULL ? p->context : "", p->context != NULL ? ", " : "", problem);
    return fail_at(r, status, p->problem_mark);
}

static mpno_status next(reader *r) {
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event) == 0) {
        memset(&r->event, 0, sizeof r->event);
        return fail_in_parser(r);
    }
    return MPNO_OK;
}

/* Refuses what plain data does not need. */
static mpno_status check_plain(reader *r) {
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
        case YAML_ALIAS_EVENT:
            return fail_here(r, "aliases (*name) are not supported; write the value out");
        case YAML_SCALAR_EVENT:
            anchor = e->data.scalar.anchor;
            tag = e->data.scalar.tag;
            break;
        case YAML_SEQUENCE_START_EVENT:
            anchor = e->data.sequence_start.anchor;
            tag = e->data.sequence_start.tag;
            break;
        case YAML_MAPPING_START_EVENT:
            anchor = e->data.mapping_start.anchor;
            tag = e->data.mapping_start.tag;
            break;
        default:
            break;
    }
    if (anchor != NULL)
        return fail_here(r, "anchors (&name) are not supported; write the value out");
    if (tag != NULL) return fail_here(r, "tags (!name) are not supported; leave the tag out");
    return MPNO_OK;
}

/* The text of the current scalar event; libyaml ends it with a zero byte. */
static mpno_status scalar_text(reader *r, const char **out) {
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length)
        return fail_here(r, "zero byte in a text; remove it");
    *out = text;
    return MPNO_OK;
}

static mpno_status read_scalar(reader *r, mpno_value **out) {
    const char *text = "";
    MPNO_TRY(scalar_text(r, &text));
    if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return mpno_value_string(r->ctx, text, out);
    mpno_status status = resolve_plain(r->ctx, text, out);
    return status == MPNO_E_CONFIG ? fail_at(r, status, r->event.start_mark) : status;
}

static mpno_status read_node(reader *r, int depth, mpno_value **out);

static mpno_status read_list(reader *r, int depth, mpno_value *list) {
    for (;;) {
        MPNO_TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return MPNO_OK;
        mpno_value *item;
        MPNO_TRY(read_node(r, depth + 1, &item));
        MPNO_TRY(mpno_value_append(r->ctx, list, item));
    }
}

static mpno_status check_key(reader *r, const mpno_value *map, const char *key) {
    const mpno_value *first = mpno_value_get(map, key);
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && *key == '\0') return fail_here(r, "empty key; write a name before the colon");
    if (first == NULL) return MPNO_OK;
    mpno_status status =
        mpno_fail(r->ctx, MPNO_E_CONFIG,
                  "key '%s' stands twice (first at line %d); keep one of them", key, first->line);
    return fail_at(r, status, r->event.start_mark);
}

/* The value of a key, which is the next event. */
static mpno_status read_member(reader *r, int depth, mpno_value *map, const char *key) {
    mpno_value *item;
    const int line = (int)r->event.start_mark.line + 1;
    MPNO_TRY(next(r));
    MPNO_TRY(read_node(r, depth + 1, &item));
    item->line = line; /* of the key: that is what a message names */
    return mpno_value_set(r->ctx, map, key, item);
}

static mpno_status read_map(reader *r, int depth, mpno_value *map) {
    for (;;) {
        const char *text = "";
        char *key;
        MPNO_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return MPNO_OK;
        MPNO_TRY(check_plain(r));
        if (r->event.type != YAML_SCALAR_EVENT)
            return fail_here(r, "a key is a list or a map; keys are words");
        MPNO_TRY(scalar_text(r, &text));
        MPNO_TRY(check_key(r, map, text));
        MPNO_TRY(mpno_strdup(r->ctx, text, &key)); /* the event goes away with the next one */
        mpno_status status = read_member(r, depth, map, key);
        mpno_free(r->ctx, key);
        MPNO_TRY(status);
    }
}

static mpno_status read_node(reader *r, int depth, mpno_value **out) {
    *out = NULL;
    int line = (int)r->event.start_mark.line + 1;
    mpno_status status;
    MPNO_TRY(check_plain(r));
    if (depth >= DEEPEST)
        return fail_here(r, "more than 64 levels of nesting; make the text flatter");
    if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        MPNO_TRY(mpno_value_list(r->ctx, out));
        (*out)->line = line;
        status = read_list(r, depth, *out);
    } else if (r->event.type == YAML_MAPPING_START_EVENT) {
        MPNO_TRY(mpno_value_map(r->ctx, out));
        (*out)->line = line;
        status = read_map(r, depth, *out);
    } else {
        MPNO_TRY(read_scalar(r, out));
        (*out)->line = line;
        return MPNO_OK;
    }
    if (status != MPNO_OK) mpno_value_destroy(r->ctx, out);
    return status;
}

/* A text without a document is null. */
static mpno_status read_stream(reader *r, mpno_value **out) {
    MPNO_TRY(next(r)); /* start of the stream */
    MPNO_TRY(next(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return mpno_value_null(r->ctx, out);
    MPNO_TRY(next(r)); /* the first node of the document */
    MPNO_TRY(read_node(r, 0, out));
    MPNO_TRY(next(r)); /* end of the document */
    MPNO_TRY(next(r));
    if (r->event.type != YAML_STREAM_END_EVENT) {
        return fail_here(r, "a second document starts here; keep one document per file");
    }
    return MPNO_OK;
}

mpno_status mpno_yaml_parse(mpno_ctx *ctx, const char *name, const char *text, size_t n,
                            mpno_value **out) {
    *out = NULL;
    reader r = {.ctx = ctx, .name = name};
    if (yaml_parser_initialize(&r.parser) == 0) {
        return mpno_fail(ctx, MPNO_E_MEMORY, "%s: out of memory while reading YAML", name);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    mpno_status status = read_stream(&r, out);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

mpno_status mpno_value_from_text(mpno_ctx *ctx, const char *text, mpno_value **out) {
    *out = NULL;
    const char *start = text + strspn(text, " ");
    /* Brackets and quotes are YAML; any other text is one scalar, so that "C: x", "*" or "#1" need
     * no quotes. */
    if (*start != '\0' && strchr("[{\"'", *start) != NULL) {
        return mpno_yaml_parse(ctx, text, text, strlen(text), out);
    }
    return resolve_plain(ctx, text, out);
}

/* ------------------------------------------------------------------ writing */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A word that every YAML reader takes for a text without quotes. */
static bool is_plain_word(const char *s) {
    if (!is_letter(*s) && *s != '/') return false;
    for (const char *c = s; *c != '\0'; c++) {
        if (!is_letter(*c) && (*c < '0' || *c > '9') && strchr("./-", *c) == NULL) return false;
    }
    return !IS_ONE_OF(s, null_words) && !IS_ONE_OF(s, true_words) && !IS_ONE_OF(s, false_words) &&
           !IS_ONE_OF(s, old_words);
}

static mpno_status write_string(mpno_text *text, const char *s) {
    return is_plain_word(s) ? mpno_text_add(text, "%s", s) : mpno_text_add_quoted(text, s);
}

static bool is_container(const mpno_value *v) {
    return v->kind == MPNO_VALUE_LIST || v->kind == MPNO_VALUE_MAP;
}

/* Scalars, empty containers and lists of scalars ([16, 16]) stand behind their key. */
static bool is_inline(const mpno_value *v) {
    if (!is_container(v) || v->n == 0) return true;
    if (v->kind == MPNO_VALUE_MAP) return false;
    for (size_t i = 0; i < v->n; i++) {
        if (is_container(v->items[i])) return false;
    }
    return true;
}

static mpno_status write_inline(mpno_text *text, const mpno_value *v) {
    char number[MPNO_REAL_TEXT];
    switch (v->kind) {
        case MPNO_VALUE_BOOL:
            return mpno_text_add(text, "%s", v->boolean ? "true" : "false");
        case MPNO_VALUE_INT:
            return mpno_text_add(text, "%lld", (long long)v->integer);
        case MPNO_VALUE_STRING:
            return write_string(text, v->string);
        case MPNO_VALUE_MAP:
            return mpno_text_add(text, "{}");
        case MPNO_VALUE_REAL:
            if (!isfinite(v->real)) return mpno_text_add(text, "null");
            mpno_real_text(v->real, number);
            return mpno_text_add(text, "%s", number);
        case MPNO_VALUE_LIST:
            MPNO_TRY(mpno_text_add(text, "["));
            for (size_t i = 0; i < v->n; i++) {
                if (i > 0) MPNO_TRY(mpno_text_add(text, ", "));
                MPNO_TRY(write_inline(text, v->items[i]));
            }
            return mpno_text_add(text, "]");
        default:
            return mpno_text_add(text, "null");
    }
}

/* "key:" or "-". */
static mpno_status write_mark(mpno_text *text, const mpno_value *v, size_t i) {
    if (v->kind == MPNO_VALUE_LIST) return mpno_text_add(text, "-");
    size_t before = text->size;
    MPNO_TRY(write_string(text, v->keys[i]));
    MPNO_CHECK(text->ctx, text->size - before <= LONGEST_KEY, MPNO_E_ARGUMENT,
               "a key of %zu bytes cannot be written as YAML; shorten it", text->size - before);
    return mpno_text_add(text, ":");
}

/* A container that is not inline. `started`: its first line already holds `indent` columns ("- " of
 * a list). */
static mpno_status write_block(mpno_text *text, const mpno_value *v, size_t indent, bool started) {
    for (size_t i = 0; i < v->n; i++) {
        const mpno_value *item = v->items[i];
        if (i > 0 || !started) MPNO_TRY(mpno_text_add_spaces(text, indent));
        MPNO_TRY(write_mark(text, v, i));
        if (is_inline(item)) {
            MPNO_TRY(mpno_text_add(text, " "));
            MPNO_TRY(write_inline(text, item));
            MPNO_TRY(mpno_text_add(text, "\n"));
        } else {
            bool same_line = v->kind == MPNO_VALUE_LIST;
            MPNO_TRY(mpno_text_add(text, "%s", same_line ? " " : "\n"));
            MPNO_TRY(write_block(text, item, indent + 2, same_line));
        }
    }
    return MPNO_OK;
}

mpno_status mpno_yaml_text(mpno_ctx *ctx, const mpno_value *value, char **out) {
    *out = NULL;
    mpno_text text = {.ctx = ctx};
    mpno_status status;
    if (is_inline(value)) {
        status = write_inline(&text, value);
        if (status == MPNO_OK) status = mpno_text_add(&text, "\n");
    } else {
        status = write_block(&text, value, 0, false);
    }
    if (status != MPNO_OK) {
        mpno_text_discard(&text);
        return status;
    }
    *out = text.data;
    return MPNO_OK;
}
