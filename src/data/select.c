/* SPDX-License-Identifier: MIT
 * Keys with parts, stacks and channels: see select.h. Each term of a key is read into memory,
 * turned to the canonical order of axes, and put behind the ones before it. */
#include "data/select.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "data/readers.h"

enum { AXIS_LETTERS = 6, SHAPE_TEXT = 200, MAX_TERMS = 64 };

/* One entry between brackets. */
typedef struct slice {
    bool index, has_start, has_stop;
    int64_t start, stop, step;
} slice;

/* One side of '+': where it stands, how much of it, and the names that it means. */
typedef struct term {
    const char *key; /* the whole key, for messages */
    char *name;      /* owned */
    int n_slices;
    slice slices[MPNO_MAX_DIMS];
    bool stacked;  /* the name has a star: samples are counted over names */
    size_t *found; /* owned: places in the list */
    size_t n_found;
} term;

typedef struct selection {
    mpno_ctx *ctx;
    const char *path;
    mpno_select_opts *opts;
    const mpno_tensor_file *list; /* borrowed */
} selection;

/* -------- reading a key -------- */

static mpno_status fail_key(const selection *s, const char *key) {
    return mpno_fail(
        s->ctx, MPNO_E_CONFIG,
        "the key '%s' is not well-formed; a key is NAME or NAME[START:STOP:STEP, ...], or "
        "such keys with + between them",
        key);
}

static bool take_integer(const char **at, int64_t *out) {
    char *end;
    const long long value = strtoll(*at, &end, 10);
    if (end == *at || value > INT64_MAX / 4 || value < INT64_MIN / 4) return false;
    *out = value;
    *at = end;
    return true;
}

static void skip_space(const char **at) {
    while (**at == ' ') (*at)++;
}

static bool read_slice(const char **at, slice *out) {
    *out = (slice){.step = 1};
    skip_space(at);
    out->has_start = take_integer(at, &out->start);
    skip_space(at);
    out->index = out->has_start && **at != ':';
    if (out->index) return true;
    if (**at != ':') return false;
    (*at)++;
    skip_space(at);
    out->has_stop = take_integer(at, &out->stop);
    skip_space(at);
    if (**at != ':') return true;
    (*at)++;
    skip_space(at);
    if (**at == ',' || **at == ']') return true;
    const bool good = take_integer(at, &out->step) && out->step > 0;
    skip_space(at);
    return good;
}

/* Reads the term at *at and goes past it and its '+'. */
static mpno_status read_term(const selection *s, const char *key, const char **at, term *t) {
    const size_t n = strcspn(*at, "[+");
    *t = (term){.key = key};
    MPNO_TRY(mpno_alloc(s->ctx, n + 1, &t->name));
    memcpy(t->name, *at, n);
    for (size_t k = n; k > 0 && t->name[k - 1] == ' '; k--) t->name[k - 1] = '\0';
    t->stacked = strchr(t->name, '*') != NULL;
    *at += n;
    if (**at == '[') {
        do {
            (*at)++;
            if (t->n_slices == MPNO_MAX_DIMS || !read_slice(at, &t->slices[t->n_slices++]))
                return fail_key(s, key);
        } while (**at == ',');
        if (**at != ']') return fail_key(s, key);
        (*at)++;
        skip_space(at);
    }
    if (**at == '\0') return MPNO_OK;
    if (**at != '+' || (*at)[1] == '\0') return fail_key(s, key);
    (*at)++;
    skip_space(at);
    return MPNO_OK;
}

/* -------- names -------- */

/* '.' and '/' are the same between groups; a star stands for anything but '/'. */
static bool fits(const char *pattern, const char *name) {
    for (; *pattern; pattern++, name++) {
        if (*pattern == '*') {
            for (;; name++) {
                if (fits(pattern + 1, name)) return true;
                if (*name == '\0' || *name == '/') return false;
            }
        }
        const bool same = *pattern == *name || (*pattern == '.' && *name == '/') ||
                          (*pattern == '/' && *name == '.');
        if (!same) return false;
    }
    return *name == '\0';
}

/* Fills t->found; none is no error here. */
static mpno_status find_names(const selection *s, term *t) {
    const char *name = t->name[0] == '/' ? t->name + 1 : t->name;
    MPNO_TRY(mpno_alloc_array(s->ctx, s->list->n, sizeof *t->found, &t->found));
    for (size_t i = 0; i < s->list->n && !t->stacked; i++) {
        if (strcmp(s->list->tensors[i].name, name) != 0) continue;
        t->found[0] = i;
        t->n_found = 1;
        return MPNO_OK;
    }
    for (size_t i = 0; i < s->list->n; i++)
        if (fits(name, s->list->tensors[i].name)) t->found[t->n_found++] = i;
    return MPNO_OK;
}

static mpno_status fail_not_found(const selection *s, const term *t) {
    const mpno_named_tensor *none;
    const mpno_value *other = mpno_value_get(s->list->metadata, t->name);
    if (other && other->kind == MPNO_VALUE_STRING && other->string[0] == '<')
        return mpno_fail(s->ctx, MPNO_E_UNSUPPORTED, "'%s' holds %s, not a tensor of numbers",
                         t->name, other->string);
    if (t->stacked)
        return mpno_fail(s->ctx, MPNO_E_FORMAT, "no tensor has a name like '%s'", t->name);
    if (s->list->n == 1 && s->list->tensors[0].name[0] == '\0')
        return mpno_fail(
            s->ctx, MPNO_E_FORMAT,
            "there is no tensor '%s': the file holds one without a name, whose parts are "
            "chosen by keys such as [:,0:10]",
            t->name);
    return mpno_tensor_file_require(s->ctx, s->list, t->name, &none);
}

/* -------- parts -------- */

/* The piece of one found tensor and the shape that is left of it. */
static mpno_status cut(const selection *s, const term *t, const mpno_named_tensor *from,
                       mpno_piece *p, int *ndim, int64_t *shape) {
    char text[SHAPE_TEXT];
    mpno_shape_text(from->ndim, from->shape, text, sizeof text);
    MPNO_CHECK(s->ctx, t->n_slices <= from->ndim, MPNO_E_CONFIG,
               "'%s' names parts along %d axes, the tensor has shape %s", t->key, t->n_slices,
               text);
    *p = (mpno_piece){.name = from->name, .element = from->element, .ndim = from->ndim};
    *ndim = 0;
    for (int d = 0; d < from->ndim; d++) {
        const int64_t n = from->shape[d];
        const slice whole = {.step = 1}, *c = d < t->n_slices ? &t->slices[d] : &whole;
        int64_t start = c->has_start ? c->start : 0, stop = c->has_stop ? c->stop : n;
        if (start < 0) start += n;
        if (stop < 0) stop += n;
        if (c->index) stop = start + 1;
        const bool all = !c->has_start && !c->has_stop;
        MPNO_CHECK(s->ctx, all || (start >= 0 && start < stop && stop <= n), MPNO_E_CONFIG,
                   "'%s' leaves axis %d or is empty there: the tensor has shape %s", t->key, d,
                   text);
        p->start[d] = start;
        p->step[d] = c->step;
        p->count[d] = stop > start ? (stop - start - 1) / c->step + 1 : 0;
        if (!c->index) shape[(*ndim)++] = p->count[d];
    }
    return MPNO_OK;
}

/* Where axis `letter` of the tensor stands, -1: nowhere. */
static int find_axis(const char *axes, bool no_channels, char letter) {
    int at = 0;
    for (; *axes; axes++) {
        if (no_channels && *axes == 'c') continue;
        if (*axes == letter) return at;
        at++;
    }
    return -1;
}

/* Which axis of a part with ndim axes counts the samples. */
static int sample_axis(const selection *s, int ndim) {
    const char *axes = s->opts->axes;
    return axes ? find_axis(axes, ndim == (int)strlen(axes) - 1, 'n') : 0;
}

/* The samples that are wanted of `available`, from *first on. */
static int64_t choose_samples(const selection *s, int64_t available, int64_t *first) {
    const int64_t most = s->opts->n_samples;
    *first = s->opts->first < available ? s->opts->first : 0;
    return most == 0 || most > available - *first ? available - *first : most;
}

/* Takes only the wanted samples: along the piece's axis that is left as axis `axis` of the result.
 */
static void limit_samples(const selection *s, const term *t, const mpno_named_tensor *from,
                          int axis, mpno_piece *p, int64_t *shape) {
    int64_t first;
    const int64_t n = choose_samples(s, shape[axis], &first);
    shape[axis] = n;
    for (int d = 0, left = 0; d < p->ndim; d++) {
        if (d < t->n_slices && t->slices[d].index) continue;
        if (left++ != axis) continue;
        p->start[d] += first * p->step[d];
        p->count[d] = n;
        if (from->chunk[d] / p->step[d] > s->opts->chunk)
            s->opts->chunk = from->chunk[d] / p->step[d];
    }
}

/* A tensor to be read, in memory of its own or of the reader. */
static mpno_status add_tensor(const selection *s, mpno_tensor_file *to, const char *key,
                              mpno_element element, int ndim, const int64_t *shape,
                              mpno_named_tensor **out) {
    int64_t count;
    size_t bytes;
    void *data;
    const bool kept = s->opts->open && mpno_shape_measure(element, ndim, shape, &count, &bytes);
    if (!kept) return mpno_tensor_file_add(s->ctx, to, key, element, ndim, shape, out);
    MPNO_TRY(mpno_tensor_reader_memory(s->opts->open, bytes, &data));
    MPNO_TRY(mpno_tensor_file_add_view(s->ctx, to, key, element, ndim, shape, data));
    *out = &to->tensors[to->n - 1];
    return MPNO_OK;
}

/* Reads a term: *out with the shape that its parts and its stack give, samples not yet first. */
static mpno_status read_parts(const selection *s, const term *t, mpno_tensor_file *to,
                              int64_t *available, mpno_named_tensor **out) {
    const mpno_named_tensor *first = &s->list->tensors[t->found[0]];
    int ndim, n_dims;
    int64_t shape[MPNO_MAX_DIMS + 1], other[MPNO_MAX_DIMS];
    mpno_piece p, *pieces;
    MPNO_TRY(cut(s, t, first, &p, &ndim, shape + t->stacked));
    ndim += t->stacked;
    const int axis = sample_axis(s, ndim);
    if (t->stacked) {
        shape[0] = (int64_t)t->n_found;
        MPNO_CHECK(s->ctx, axis == 0, MPNO_E_CONFIG,
                   "'%s' counts samples over names: the axes must begin with n", t->key);
    }
    MPNO_CHECK(s->ctx, ndim <= MPNO_MAX_DIMS, MPNO_E_SHAPE, "'%s' has more than %d axes", t->key,
               MPNO_MAX_DIMS);
    int64_t first_found = 0;
    *available = ndim > axis ? shape[axis] : 0;
    if (t->stacked) shape[0] = choose_samples(s, shape[0], &first_found);
    if (!t->stacked && ndim > axis) limit_samples(s, t, first, axis, &p, shape);
    const size_t n_pieces = t->stacked ? (size_t)shape[0] : 1;
    MPNO_TRY(add_tensor(s, to, t->key, first->element, ndim, shape, out));
    MPNO_TRY(mpno_alloc_array(s->ctx, n_pieces, sizeof *pieces, &pieces));
    mpno_status status = MPNO_OK;
    pieces[0] = p;
    for (size_t i = 0; i < n_pieces && status == MPNO_OK; i++) {
        const mpno_named_tensor *from = &s->list->tensors[t->found[first_found + (int64_t)i]];
        if (t->stacked) {
            status = cut(s, t, from, &pieces[i], &n_dims, other);
            const bool same = from->element == first->element && n_dims == ndim - 1 &&
                              memcmp(other, shape + 1, (size_t)n_dims * sizeof *other) == 0;
            if (status == MPNO_OK && !same)
                status =
                    mpno_fail(s->ctx, MPNO_E_SHAPE,
                              "'%s': '%s' and '%s' differ in type or shape and cannot be stacked",
                              t->key, first->name, from->name);
        }
        pieces[i].out = (char *)(*out)->data + i * ((*out)->bytes / n_pieces);
    }
    if (status == MPNO_OK)
        status = s->opts->open ? mpno_tensor_reader_fetch(s->ctx, s->opts->open, n_pieces, pieces)
                               : mpno_tensor_file_fetch(s->ctx, s->path, s->opts->reader, s->list,
                                                        n_pieces, pieces);
    mpno_free(s->ctx, pieces);
    return status;
}

/* -------- axes -------- */

static mpno_status check_axes(mpno_ctx *ctx, const mpno_select_opts *opts) {
    const char *axes = opts->axes;
    static const char letters[] = "ncxyzt";
    size_t n = 0;
    bool good = true;
    for (; axes[n] && good; n++) good = strchr(letters, axes[n]) && !strchr(axes + n + 1, axes[n]);
    MPNO_CHECK(ctx, good && strchr(axes, 'n') && n <= AXIS_LETTERS, MPNO_E_CONFIG,
               "the axes '%s' are not letters of n c x y z t, each at most once and n among them",
               axes);
    MPNO_CHECK(ctx, !opts->time || strchr(axes, 't'), MPNO_E_CONFIG,
               "the axes '%s' have no t: data.time_in takes steps of an axis of time", axes);
    return MPNO_OK;
}

/* Gives t the order n, c, x, y, z, t, or n, t, c, x, y, z, in new memory. */
static mpno_status turn(const selection *s, mpno_named_tensor *t) {
    const char *axes = s->opts->axes;
    const int n_letters = (int)strlen(axes);
    const bool no_channels = strchr(axes, 'c') && t->ndim == n_letters - 1;
    char text[SHAPE_TEXT];
    MPNO_CHECK(s->ctx, no_channels || t->ndim == n_letters, MPNO_E_CONFIG,
               "'%s' has shape %s, which are not the axes '%s'", t->name,
               mpno_shape_text(t->ndim, t->shape, text, sizeof text), axes);
    int64_t stride[MPNO_MAX_DIMS], count[MPNO_MAX_DIMS], strides[MPNO_MAX_DIMS], all = 1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        stride[d] = all;
        all *= t->shape[d];
    }
    int n = 0;
    for (const char *letter = s->opts->time ? "ntcxyz" : "ncxyzt"; *letter; letter++) {
        const int at = find_axis(axes, no_channels, *letter);
        if (at < 0) continue;
        count[n] = t->shape[at];
        strides[n++] = stride[at];
    }
    void *turned;
    MPNO_TRY(mpno_alloc_raw(s->ctx, t->bytes, &turned));
    mpno_gather(turned, t->data, mpno_element_bytes(t->element), t->ndim, count, strides);
    if (t->owns_data) mpno_free(s->ctx, t->data);
    t->data = turned;
    t->owns_data = true;
    memcpy(t->shape, count, (size_t)n * sizeof *count);
    return MPNO_OK;
}

/* -------- keys -------- */

/* Samples and, of trajectories, steps: the axes before those of channels and grid. */
static int n_leading(const selection *s) {
    return s->opts->time ? 2 : 1;
}

/* Channels of a tensor: the axis behind the leading ones where it has one more than `grid`. */
static int64_t channels_of(const selection *s, const mpno_named_tensor *t, int n_grid) {
    const int leading = n_leading(s);
    return t->ndim == n_grid + leading + 1 ? t->shape[leading] : 1;
}

static bool same_grid(const selection *s, const mpno_named_tensor *a, const mpno_named_tensor *b,
                      int n_grid) {
    if (a->element != b->element) return false;
    for (int d = 0; d < n_leading(s); d++)
        if (a->shape[d] != b->shape[d]) return false;
    for (int d = 1; d <= n_grid; d++)
        if (a->shape[a->ndim - d] != b->shape[b->ndim - d]) return false;
    return true;
}

/* What the terms of a key gave, each a list of one tensor. */
typedef struct parts {
    mpno_tensor_file *files[MAX_TERMS]; /* owned */
    size_t n;
} parts;

/* Puts the channels of the terms behind each other: (samples, [steps,] sum of channels, grid). */
static mpno_status join(const selection *s, const char *key, const parts *terms,
                        mpno_tensor_file *out) {
    const mpno_named_tensor *first = &terms->files[0]->tensors[0];
    const char *axes = s->opts->axes;
    const int leading = n_leading(s);
    int n_grid = first->ndim - leading;
    if (axes) n_grid = (int)strlen(axes) - leading - (strchr(axes, 'c') != NULL);
    int64_t shape[MPNO_MAX_DIMS + 2] = {0}, rows = 1;
    bool fit = n_grid >= 1 && n_grid + leading + 1 <= MPNO_MAX_DIMS;
    for (size_t i = 0; i < terms->n && fit; i++) {
        const mpno_named_tensor *t = &terms->files[i]->tensors[0];
        fit = t->ndim >= n_grid + leading && t->ndim <= n_grid + leading + 1 &&
              same_grid(s, t, first, n_grid);
        if (fit) shape[leading] += channels_of(s, t, n_grid);
    }
    MPNO_CHECK(s->ctx, fit, MPNO_E_SHAPE,
               "'%s': what is to be put together differs in type, samples or grid", key);
    for (int d = 0; d < leading; d++) rows *= shape[d] = first->shape[d];
    for (int d = 0; d < n_grid; d++)
        shape[leading + 1 + d] = first->shape[first->ndim - n_grid + d];
    mpno_named_tensor *to;
    MPNO_TRY(
        mpno_tensor_file_add(s->ctx, out, key, first->element, n_grid + leading + 1, shape, &to));
    char *at = to->data;
    for (int64_t i = 0; i < rows; i++)
        for (size_t k = 0; k < terms->n; k++) {
            const mpno_named_tensor *t = &terms->files[k]->tensors[0];
            const size_t bytes = t->bytes / (size_t)rows;
            memcpy(at, (const char *)t->data + (size_t)i * bytes, bytes);
            at += bytes;
        }
    return MPNO_OK;
}

/* Reads one term as the next of `to`; *available: its samples in the file. */
static mpno_status add_term(const selection *s, const term *t, parts *to, int64_t *available) {
    mpno_named_tensor *tensor;
    MPNO_CHECK(s->ctx, to->n < MAX_TERMS, MPNO_E_CONFIG, "'%s' has more than %d terms", t->key,
               MAX_TERMS);
    MPNO_CHECK(s->ctx, t->n_found == 1 || t->stacked, MPNO_E_FORMAT,
               "'%s' fits more than one tensor: '%s', '%s'", t->name,
               s->list->tensors[t->found[0]].name, s->list->tensors[t->found[1]].name);
    MPNO_TRY(mpno_tensor_file_create(s->ctx, &to->files[to->n++]));
    MPNO_TRY(read_parts(s, t, to->files[to->n - 1], available, &tensor));
    return s->opts->axes ? turn(s, tensor) : MPNO_OK;
}

/* Parts of tensors of different lengths would look alike. */
static mpno_status check_number(const selection *s, const char *key, int64_t available) {
    const bool same = available == s->opts->available || available == 1;
    MPNO_CHECK(s->ctx, !s->opts->open || same, MPNO_E_SHAPE,
               "'%s' has %lld samples and '%s' has %lld: they must have the same number",
               s->opts->keys[0], (long long)s->opts->available, key, (long long)available);
    return MPNO_OK;
}

/* Reads the terms of a key. *missing: one of them is not in the file. */
static mpno_status read_terms(const selection *s, const char *key, bool required, parts *to,
                              bool *missing) {
    const char *at = key;
    const bool exact = mpno_tensor_file_find(s->list, key) != NULL;
    *missing = false;
    do {
        term t = {.key = key};
        int64_t available;
        mpno_status status = exact ? mpno_strdup(s->ctx, key, &t.name) : read_term(s, key, &at, &t);
        if (exact) at = "";
        if (status == MPNO_OK) status = find_names(s, &t);
        *missing = status == MPNO_OK && t.n_found == 0;
        if (*missing && required) status = fail_not_found(s, &t);
        if (status == MPNO_OK && !*missing) status = add_term(s, &t, to, &available);
        if (status == MPNO_OK && !*missing && to->n == 1 && key == s->opts->keys[0])
            s->opts->available = available;
        if (status == MPNO_OK && !*missing) status = check_number(s, key, available);
        mpno_free(s->ctx, t.name);
        mpno_free(s->ctx, t.found);
        MPNO_TRY(status);
    } while (*at && !*missing);
    return MPNO_OK;
}

static mpno_status move_tensor(mpno_ctx *ctx, mpno_named_tensor *from, mpno_tensor_file *out) {
    MPNO_TRY(mpno_tensor_file_add_view(ctx, out, from->name, from->element, from->ndim, from->shape,
                                       from->data));
    out->tensors[out->n - 1].owns_data = from->owns_data;
    from->owns_data = false;
    return MPNO_OK;
}

static mpno_status select_key(const selection *s, const char *key, bool required,
                              mpno_tensor_file *out) {
    parts terms = {.n = 0};
    bool missing;
    mpno_status status = read_terms(s, key, required, &terms, &missing);
    if (status == MPNO_OK && !missing)
        status = terms.n == 1 ? move_tensor(s->ctx, &terms.files[0]->tensors[0], out)
                              : join(s, key, &terms, out);
    for (size_t i = 0; i < terms.n; i++) mpno_tensor_file_destroy(s->ctx, &terms.files[i]);
    return status;
}

mpno_status mpno_tensor_file_select(mpno_ctx *ctx, const char *path, mpno_select_opts *opts,
                                    mpno_tensor_file **out) {
    mpno_tensor_file *list = NULL, *file;
    *out = NULL;
    opts->chunk = 1;
    if (opts->axes) MPNO_TRY(check_axes(ctx, opts));
    if (opts->open) mpno_tensor_reader_rewind(opts->open);
    if (!opts->open) MPNO_TRY(mpno_tensor_file_list(ctx, path, opts->reader, &list));
    const selection s = {ctx, path, opts, opts->open ? mpno_tensor_reader_list(opts->open) : list};
    mpno_status status = mpno_tensor_file_create(ctx, &file);
    if (status == MPNO_OK) {
        for (size_t i = 0; i < opts->n && status == MPNO_OK; i++)
            if (!mpno_tensor_file_find(file, opts->keys[i]))
                status = select_key(&s, opts->keys[i], i < opts->n_required, file);
        if (status != MPNO_OK) mpno_tensor_file_destroy(ctx, &file);
    }
    *out = file;
    mpno_tensor_file_destroy(ctx, &list);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}
