/* SPDX-License-Identifier: MIT
 * mpno data: what data files hold, whether they are sound, and conversion. See mpno/data.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "data/select.h"
#include "data/statistics.h"
#include "mpno/data.h"
#include "report/human.h"
#include "train/public_sets.h"
#include "train/sink.h"

enum { PATH_CAPACITY = 4096, SHAPE_TEXT = 200, INFO_BYTES = 256 << 20 };

/* -------- a file or a part of one -------- */

typedef struct source {
    char path[PATH_CAPACITY];
    const char *key;        /* borrowed; NULL: the whole file */
    mpno_tensor_file *file; /* owned */
} source;

/* "PATH:KEY" in two. A path may have colons of its own: the first cut that leaves an existing file.
 */
static mpno_status split(mpno_ctx *ctx, const char *text, source *out) {
    *out = (source){.key = NULL};
    MPNO_CHECK(ctx, strlen(text) < sizeof out->path, MPNO_E_ARGUMENT, "the path is too long");
    strcpy(out->path, text);
    if (mpno_path_exists(text)) return MPNO_OK;
    const char *colon = strchr(text, ':'), *first = colon;
    for (; colon; colon = strchr(colon + 1, ':')) {
        out->path[colon - text] = '\0';
        if (mpno_path_exists(out->path)) break;
        out->path[colon - text] = ':';
    }
    if (!colon) colon = first;
    if (!colon) return MPNO_OK;
    out->path[colon - text] = '\0';
    out->key = colon + 1;
    MPNO_CHECK(ctx, *out->key, MPNO_E_ARGUMENT,
               "%s: no key follows the colon; name a tensor, or leave the colon out", text);
    return MPNO_OK;
}

/* whole: with values and checksums; else without where the format allows it. Parts have values. */
static mpno_status open_source(mpno_ctx *ctx, const char *text, bool whole, source *out) {
    MPNO_TRY(split(ctx, text, out));
    if (out->key) {
        mpno_select_opts opts = {.n = 1, .n_required = 1, .keys = &out->key};
        return mpno_tensor_file_select(ctx, out->path, &opts, &out->file);
    }
    return (whole ? mpno_tensor_file_read : mpno_tensor_file_list)(ctx, out->path, NULL,
                                                                   &out->file);
}

/* -------- descriptions -------- */

/* NumPy's names, as its users compare with. */
static const char *dtype(mpno_element element) {
    static const char *const names[MPNO_ELEMENT_COUNT] = {
        [MPNO_ELEMENT_F64] = "float64",       [MPNO_ELEMENT_F32] = "float32",
        [MPNO_ELEMENT_F16] = "float16",       [MPNO_ELEMENT_BF16] = "bfloat16",
        [MPNO_ELEMENT_I64] = "int64",         [MPNO_ELEMENT_I32] = "int32",
        [MPNO_ELEMENT_I16] = "int16",         [MPNO_ELEMENT_I8] = "int8",
        [MPNO_ELEMENT_U64] = "uint64",        [MPNO_ELEMENT_U32] = "uint32",
        [MPNO_ELEMENT_U16] = "uint16",        [MPNO_ELEMENT_U8] = "uint8",
        [MPNO_ELEMENT_BOOL] = "bool",         [MPNO_ELEMENT_C64] = "complex64",
        [MPNO_ELEMENT_C128] = "complex128",   [MPNO_ELEMENT_F8E4M3] = "float8_e4m3fn",
        [MPNO_ELEMENT_F8E5M2] = "float8_e5m2"};
    return names[element];
}

static mpno_status put_shape(mpno_ctx *ctx, const mpno_named_tensor *t, mpno_value *map) {
    mpno_value *list;
    MPNO_TRY(mpno_value_set_list(ctx, map, "shape", &list));
    for (int d = 0; d < t->ndim; d++) MPNO_TRY(mpno_value_append_int(ctx, list, t->shape[d]));
    return MPNO_OK;
}

static mpno_status put_pair(mpno_ctx *ctx, mpno_value *map, const char *key, double re, double im) {
    mpno_value *list;
    MPNO_TRY(mpno_value_set_list(ctx, map, key, &list));
    MPNO_TRY(mpno_value_append_real(ctx, list, re));
    return mpno_value_append_real(ctx, list, im);
}

/* A number, as an integer where it is one of an integer type, null where there is none. */
static mpno_status put_number(mpno_ctx *ctx, mpno_value *map, const char *key, double v, bool exact,
                              bool none) {
    mpno_value *null;
    if (exact && !none && fabs(v) < 9e15) return mpno_value_set_int(ctx, map, key, (int64_t)v);
    if (!none) return mpno_value_set_real(ctx, map, key, v);
    MPNO_TRY(mpno_value_null(ctx, &null));
    return mpno_value_set(ctx, map, key, null);
}

static mpno_status put_statistics(mpno_ctx *ctx, const mpno_named_tensor *t,
                                  const mpno_statistics *s, mpno_value *map) {
    const bool pairs = mpno_element_is_complex(t->element);
    const bool none = s->count == s->nan + s->inf;
    if (pairs)
        MPNO_TRY(put_pair(ctx, map, "sum", s->sum, s->sum_im));
    else if (s->exact)
        MPNO_TRY(mpno_value_set_int(ctx, map, "sum", s->integer));
    else
        MPNO_TRY(mpno_value_set_real(ctx, map, "sum", s->sum));
    MPNO_TRY(put_number(ctx, map, "min", s->min, s->exact, none || pairs));
    MPNO_TRY(put_number(ctx, map, "max", s->max, s->exact, none || pairs));
    if (pairs && !none)
        MPNO_TRY(put_pair(ctx, map, "mean", s->mean, s->mean_im));
    else
        MPNO_TRY(put_number(ctx, map, "mean", s->mean, false, none));
    MPNO_TRY(put_number(ctx, map, "std", s->std, false, none));
    MPNO_TRY(mpno_value_set_int(ctx, map, "nan", s->nan));
    return mpno_value_set_int(ctx, map, "inf", s->inf);
}

static mpno_status put_tensor(mpno_ctx *ctx, const mpno_named_tensor *t, const mpno_statistics *s,
                              mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "name", t->name));
    MPNO_TRY(put_shape(ctx, t, map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "dtype", dtype(t->element)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "bytes", (int64_t)t->bytes));
    return s ? put_statistics(ctx, t, s, map) : MPNO_OK;
}

static mpno_status add_row(mpno_table *table, const mpno_named_tensor *t,
                           const mpno_statistics *s) {
    char shape[SHAPE_TEXT], bytes[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_table_cell(table, "%s", t->name));
    MPNO_TRY(mpno_table_cell(table, "%s", dtype(t->element)));
    mpno_shape_text(t->ndim, t->shape, shape, sizeof shape);
    MPNO_TRY(mpno_table_cell(table, "%s", shape));
    if (!s) return mpno_table_cell(table, "%s", mpno_human_bytes(t->bytes, bytes));
    if (mpno_element_is_complex(t->element)) {
        MPNO_TRY(mpno_table_cell(table, "%.6g%+.6gi", s->sum, s->sum_im));
        MPNO_TRY(mpno_table_cell(table, " "));
        MPNO_TRY(mpno_table_cell(table, " "));
        MPNO_TRY(mpno_table_cell(table, "%.6g%+.6gi", s->mean, s->mean_im));
    } else {
        const bool none = s->count == s->nan + s->inf;
        MPNO_TRY(mpno_table_cell(table, "%.10g", s->sum));
        MPNO_TRY(none ? mpno_table_cell(table, " ") : mpno_table_cell(table, "%.6g", s->min));
        MPNO_TRY(none ? mpno_table_cell(table, " ") : mpno_table_cell(table, "%.6g", s->max));
        MPNO_TRY(none ? mpno_table_cell(table, " ") : mpno_table_cell(table, "%.6g", s->mean));
    }
    MPNO_TRY(mpno_table_cell(table, "%.6g", s->std));
    MPNO_TRY(mpno_table_cell(table, "%lld", (long long)s->nan));
    return mpno_table_cell(table, "%lld", (long long)s->inf);
}

static mpno_status add_columns(mpno_table *table, bool statistics) {
    static const char *const numbers[] = {"sum", "min", "max", "mean", "std", "nan", "inf"};
    MPNO_TRY(mpno_table_column(table, "tensor", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "dtype", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "shape", MPNO_LEFT));
    if (!statistics) return mpno_table_column(table, "size", MPNO_RIGHT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        MPNO_TRY(mpno_table_column(table, numbers[i], MPNO_RIGHT));
    return MPNO_OK;
}

/* Attributes, and what in the file is no tensor ("<WHAT>"). */
static mpno_status put_metadata(mpno_ctx *ctx, const mpno_tensor_file *file, const mpno_sink *sink,
                                mpno_value *map) {
    mpno_value *attributes;
    MPNO_TRY(mpno_value_set_map(ctx, map, "attributes", &attributes));
    for (size_t i = 0; i < file->metadata->n; i++) {
        const char *key = file->metadata->keys[i], *text = file->metadata->items[i]->string;
        MPNO_TRY(mpno_value_set_string(ctx, attributes, key, text));
        mpno_say(sink, "%s: %.70s%s\n", key, text, strlen(text) > 70 ? "..." : "");
    }
    return MPNO_OK;
}

typedef struct description {
    mpno_ctx *ctx;
    const source *from;
    bool in_table, in_map; /* statistics in the text, in the object */
    mpno_table *table;
    mpno_value *map, *list;
} description;

static mpno_status describe_tensor(const description *d, const mpno_named_tensor *t) {
    mpno_ctx *ctx = d->ctx;
    mpno_statistics s;
    mpno_value *entry;
    if (d->in_map) MPNO_TRY(mpno_statistics_of(ctx, d->from->path, d->from->file, t, &s));
    MPNO_TRY(add_row(d->table, t, d->in_table ? &s : NULL));
    MPNO_TRY(mpno_value_map(ctx, &entry));
    mpno_status status = put_tensor(ctx, t, d->in_map ? &s : NULL, entry);
    if (status != MPNO_OK) {
        mpno_value_destroy(ctx, &entry);
        return status;
    }
    MPNO_TRY(mpno_value_append(ctx, d->list, entry));
    /* one tensor: its facts stand in the object itself, too */
    return d->from->file->n == 1 ? put_tensor(ctx, t, d->in_map ? &s : NULL, d->map) : MPNO_OK;
}

static mpno_status describe_tensors(description *d, const mpno_sink *sink) {
    const mpno_tensor_file *file = d->from->file;
    MPNO_TRY(add_columns(d->table, d->in_table));
    for (size_t i = 0; i < file->n; i++) MPNO_TRY(describe_tensor(d, &file->tensors[i]));
    return mpno_say_table(d->ctx, sink, d->table);
}

static mpno_status describe(mpno_ctx *ctx, const source *from, bool stats, const mpno_sink *sink,
                            mpno_value *map) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < from->file->n; i++) bytes += from->file->tensors[i].bytes;
    description d = {.ctx = ctx,
                     .from = from,
                     .in_table = stats,
                     .in_map = stats || bytes <= INFO_BYTES,
                     .map = map};
    MPNO_TRY(mpno_value_set_string(ctx, map, "path", from->path));
    if (from->key) MPNO_TRY(mpno_value_set_string(ctx, map, "key", from->key));
    MPNO_TRY(mpno_value_set_list(ctx, map, "tensors", &d.list));
    MPNO_TRY(mpno_table_create(ctx, &d.table));
    mpno_status status = describe_tensors(&d, sink);
    mpno_table_destroy(&d.table);
    MPNO_TRY(status);
    return put_metadata(ctx, from->file, sink, map);
}

/* -------- checks -------- */

static mpno_status check_finite(mpno_ctx *ctx, const source *from, const mpno_named_tensor *t) {
    mpno_statistics s;
    char place[SHAPE_TEXT];
    int64_t index[MPNO_MAX_DIMS];
    MPNO_TRY(mpno_statistics_of(ctx, from->path, from->file, t, &s));
    if (s.first_bad < 0) return MPNO_OK;
    for (int d = t->ndim - 1; d >= 0; d--) {
        index[d] = s.first_bad % t->shape[d];
        s.first_bad /= t->shape[d];
    }
    return mpno_fail(ctx, MPNO_E_NUMERIC,
                     "%s: '%s' has %lld NaN and %lld infinite values, the first at %s: remove or "
                     "repair them",
                     from->path, t->name, (long long)s.nan, (long long)s.inf,
                     mpno_shape_text(t->ndim, index, place, sizeof place));
}

/* True when x and y are pairs with n_grid spatial axes: (samples, grid) or (samples, channels,
 * grid).
 */
static bool are_pairs(const mpno_named_tensor *x, const mpno_named_tensor *y, int n_grid) {
    if (n_grid < 1 || x->shape[0] < 1 || x->shape[0] != y->shape[0]) return false;
    if (x->ndim < n_grid + 1 || x->ndim > n_grid + 2) return false;
    if (y->ndim < n_grid + 1 || y->ndim > n_grid + 2) return false;
    for (int d = 1; d <= n_grid; d++)
        if (x->shape[x->ndim - d] != y->shape[y->ndim - d]) return false;
    return true;
}

static mpno_status check_pair(mpno_ctx *ctx, const source *from, const mpno_sink *sink) {
    char shapes[2][SHAPE_TEXT];
    const mpno_named_tensor *x = mpno_tensor_file_find(from->file, "x");
    const mpno_named_tensor *y = mpno_tensor_file_find(from->file, "y");
    if (from->key) return MPNO_OK;
    if (!x || !y) {
        mpno_say(sink,
                 "no pair 'x', 'y': data.x_key and data.y_key must name inputs and outputs\n");
        return MPNO_OK;
    }
    const int most = x->ndim < y->ndim ? x->ndim - 1 : y->ndim - 1;
    int n_grid = most;
    while (n_grid > 0 && !are_pairs(x, y, n_grid)) n_grid--;
    mpno_shape_text(x->ndim, x->shape, shapes[0], sizeof shapes[0]);
    mpno_shape_text(y->ndim, y->shape, shapes[1], sizeof shapes[1]);
    MPNO_CHECK(ctx, n_grid > 0, MPNO_E_SHAPE,
               "%s: 'x' has shape %s and 'y' has shape %s: as pairs they need the same number of "
               "samples (at least 1) and the same grid",
               from->path, shapes[0], shapes[1]);
    mpno_say(sink, "%lld pairs: x %s, y %s\n", (long long)x->shape[0], shapes[0], shapes[1]);
    return MPNO_OK;
}

static mpno_status check(mpno_ctx *ctx, const source *from, const mpno_sink *sink,
                         mpno_value *map) {
    const char *checksum =
        from->key ? "not compared for a part of a file" : mpno_tensor_file_checksum(from->path);
    for (size_t i = 0; i < from->file->n; i++)
        MPNO_TRY(check_finite(ctx, from, &from->file->tensors[i]));
    MPNO_TRY(check_pair(ctx, from, sink));
    mpno_say(sink, "%s: sound; every value is finite; checksum: %s\n", from->path, checksum);
    MPNO_TRY(mpno_value_set_string(ctx, map, "checksum", checksum));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "sound", true));
    return describe(ctx, from, false, NULL, map);
}

/* -------- conversion -------- */

/* A name for what a key chose: its last part without brackets; "x" where nothing is left. */
static void name_of(const char *key, char *out, size_t capacity) {
    const size_t n = strcspn(key, "[+ ");
    size_t first = 0;
    if (memchr(key, '*', n))
        for (size_t i = 0; i < n; i++)
            if (key[i] == '/' || key[i] == '*') first = i + 1;
    (void)snprintf(out, capacity, "%.*s", (int)(n - first), key + first);
    if (out[0] == '\0') (void)snprintf(out, capacity, "x");
}

static mpno_status convert(mpno_ctx *ctx, const source *from, const char *output,
                           const mpno_sink *sink, mpno_value *map, mpno_tensor_file *out) {
    char name[512];
    mpno_value *left, *item;
    MPNO_TRY(mpno_value_set_list(ctx, map, "left_out", &left));
    for (size_t i = 0; i < from->file->n; i++) {
        const mpno_named_tensor *t = &from->file->tensors[i];
        name_of(t->name, name, sizeof name);
        const bool chosen = from->key || t->name[0] == '\0';
        MPNO_TRY(mpno_tensor_file_add_view(ctx, out, chosen ? name : t->name, t->element, t->ndim,
                                           t->shape, t->data));
    }
    for (size_t i = 0; i < from->file->metadata->n; i++) {
        const char *key = from->file->metadata->keys[i];
        const char *text = from->file->metadata->items[i]->string;
        if (text[0] != '<') {
            MPNO_TRY(mpno_value_set_string(ctx, out->metadata, key, text));
            continue;
        }
        mpno_say(sink, "left out: %s %s\n", key, text);
        MPNO_TRY(mpno_value_string(ctx, key, &item));
        MPNO_TRY(mpno_value_append(ctx, left, item));
    }
    MPNO_TRY(mpno_tensor_file_write(ctx, output, out));
    mpno_say(sink, "%zu tensors in %s\n", out->n, output);
    MPNO_TRY(mpno_value_set_string(ctx, map, "output", output));
    return describe(ctx, from, false, NULL, map);
}

/* -------- tools by name -------- */

/* What a tool is asked and gives. */
typedef struct job {
    const char *file, *output;
    const mpno_sink *sink;
    source from;           /* owned */
    mpno_tensor_file *out; /* owned */
    mpno_value *map;       /* owned: the report */
} job;

static mpno_status run_info(mpno_ctx *ctx, job *j) {
    MPNO_TRY(open_source(ctx, j->file, false, &j->from));
    return describe(ctx, &j->from, false, j->sink, j->map);
}

static mpno_status run_stats(mpno_ctx *ctx, job *j) {
    MPNO_TRY(open_source(ctx, j->file, false, &j->from));
    return describe(ctx, &j->from, true, j->sink, j->map);
}

static mpno_status run_check(mpno_ctx *ctx, job *j) {
    MPNO_TRY(open_source(ctx, j->file, true, &j->from));
    return check(ctx, &j->from, j->sink, j->map);
}

static mpno_status run_convert(mpno_ctx *ctx, job *j) {
    MPNO_TRY(mpno_tensor_file_can_write(ctx, j->output));
    MPNO_TRY(open_source(ctx, j->file, true, &j->from));
    MPNO_TRY(mpno_tensor_file_create(ctx, &j->out));
    return convert(ctx, &j->from, j->output, j->sink, j->map, j->out);
}

static mpno_status run_where(mpno_ctx *ctx, job *j) {
    return mpno_public_sets(ctx, j->file, j->sink, j->map);
}

static const struct tool {
    const char *name;
    int least, most; /* files it takes */
    mpno_status (*run)(mpno_ctx *ctx, job *j);
} TOOLS[] = {{"info", 1, 1, run_info},
             {"stats", 1, 1, run_stats},
             {"check", 1, 1, run_check},
             {"convert", 2, 2, run_convert},
             {"where", 0, 1, run_where}};

enum { N_TOOLS = sizeof TOOLS / sizeof *TOOLS };

mpno_status mpno_data(mpno_ctx *ctx, const char *tool, const char *file, const char *output,
                      const mpno_sink *sink, char **json) {
    const struct tool *t = NULL;
    const int given = (file != NULL) + (output != NULL);
    if (json) *json = NULL;
    for (int i = 0; i < N_TOOLS; i++)
        if (strcmp(tool, TOOLS[i].name) == 0) t = &TOOLS[i];
    MPNO_CHECK(ctx, t, MPNO_E_ARGUMENT,
               "'%s' is nothing that can be done with data; there are info, stats, check, convert "
               "and where",
               tool);
    MPNO_CHECK(ctx, given >= t->least && given <= t->most, MPNO_E_ARGUMENT,
               "data %s takes %s, not %d file%s", tool,
               t->most == 2    ? "IN[:KEY] and OUT"
               : t->least == 0 ? "at most the NAME of a set"
                               : "one FILE[:KEY]",
               given, given == 1 ? "" : "s");
    job j = {.file = file, .output = output, .sink = sink};
    MPNO_TRY(mpno_value_map(ctx, &j.map));
    mpno_status status = t->run(ctx, &j);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, j.map, false, json);
    mpno_tensor_file_destroy(ctx, &j.out);
    mpno_tensor_file_destroy(ctx, &j.from.file);
    mpno_value_destroy(ctx, &j.map);
    return status;
}
