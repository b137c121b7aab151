/* SPDX-License-Identifier: MIT
 * See plot_tensor.h. */
#include "train/plot_tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/select.h"

enum { SLAB_BYTES = 64 << 20, SHAPE_TEXT = 200, FEW_CHANNELS = 4 };

/* -------- axes -------- */

/* The name of the tensor that a key begins with. */
static void name_of(const char *key, char *out, size_t capacity) {
    size_t n = strcspn(key, "[+");
    while (n > 0 && key[n - 1] == ' ') n--;
    (void)snprintf(out, capacity, "%.*s", (int)n, key);
}

static const char *attribute(const mpno_tensor_file *list, const char *name, const char *what) {
    char key[2 * MPNO_PLOT_KEY];
    (void)snprintf(key, sizeof key, "%s@%s", name, what);
    return mpno_value_get_string(list->metadata, key, NULL);
}

/* "sample channel x t" of the attribute axes, as `mpno generate` writes it, to "ncxt". */
static bool read_names(const char *text, char *letters) {
    static const char *const names[] = {"sample", "channel", "component", "time"};
    static const char meant[] = "ncct";
    int n = 0;
    while (*text) {
        const size_t length = strcspn(text, " ,");
        char letter = length == 1 && strchr("ncxyzt", *text) ? *text : '\0';
        for (int i = 0; i < 4; i++)
            if (strlen(names[i]) == length && !memcmp(names[i], text, length)) letter = meant[i];
        if (!letter || n == MPNO_MAX_DIMS) return false;
        letters[n++] = letter;
        text += length;
        text += strspn(text, " ,");
    }
    letters[n] = '\0';
    return n > 0;
}

static bool has_tensor_like(const mpno_tensor_file *list, const char *end) {
    const size_t n = strlen(end);
    for (size_t i = 0; i < list->n; i++) {
        const size_t length = strlen(list->tensors[i].name);
        if (length >= n && strcmp(list->tensors[i].name + length - n, end) == 0) return true;
    }
    return false;
}

/* What axes mean by their number. PDEBench's files have times behind the samples: those of one
 * array t-coordinate, those of one group a sample grid/t, with channels last. */
static const char *guess(const mpno_plot_tensor *t, const mpno_tensor_file *list, int ndim,
                         const mpno_plot_tensor_opts *opts) {
    const mpno_plot_tensor *input = opts->input;
    static const char *const plain[] = {"", "x", "nx", "nxy", "ncxy", "ncxyz", "ncxyzt"};
    static const char *const timed[] = {"", "x", "tx", "ntx", "ntxy", "nctxy", "nctxyz"};
    static const char *const groups[] = {"", "x", "nx", "ntx", "ntxc", "ntxyc", "ntxyzc"};
    static const char *const arrays[] = {"", "x", "nx", "ntx", "ntxy", "ntxyz", "ntxyzc"};
    if (ndim > 6) return "";
    if (input && ndim == 3 && strcmp(input->letters, "nx") == 0 && input->shape[1] == t->shape[2])
        return t->shape[1] > FEW_CHANNELS || opts->animate ? "ntx" : "ncx";
    if (strchr(t->key, '*') && has_tensor_like(list, "grid/t")) return groups[ndim];
    if (mpno_tensor_file_find(list, "t-coordinate") && strcmp(t->key, "nu") != 0)
        return arrays[ndim];
    return opts->animate ? timed[ndim] : plain[ndim];
}

static mpno_status take_letters(mpno_plot_tensor *t, const mpno_tensor_file *list,
                                const mpno_plot_tensor_opts *opts, int ndim) {
    char name[MPNO_PLOT_KEY], text[SHAPE_TEXT];
    name_of(t->key, name, sizeof name);
    const char *axes = strchr(t->key, '[') ? NULL : attribute(list, name, "axes");
    t->named = opts->axes || (axes && read_names(axes, t->letters));
    if (opts->axes || !t->named)
        (void)snprintf(t->letters, sizeof t->letters, "%s",
                       opts->axes ? opts->axes : guess(t, list, ndim, opts));
    char *c = strchr(t->letters, 'c');
    if (c && (int)strlen(t->letters) == ndim + 1) memmove(c, c + 1, strlen(c));
    bool good = (int)strlen(t->letters) == ndim && strpbrk(t->letters, "xyzt");
    for (const char *at = t->letters; *at && good; at++)
        good = strchr("ncxyzt", *at) && !strchr(at + 1, *at);
    return good ? MPNO_OK
                : mpno_fail(t->ctx, MPNO_E_CONFIG,
                            "%s: '%s' has shape %s, which are not the axes '%s': name them by "
                            "letters n c x y z t, each at most once (--axes)",
                            t->path, t->key, mpno_shape_text(ndim, t->shape, text, sizeof text),
                            opts->axes ? opts->axes : t->letters);
}

/* Place of an axis in the tensor, -1: it has none. */
static int find(const mpno_plot_tensor *t, char letter) {
    const char *at = strchr(t->letters, letter);
    return at ? (int)(at - t->letters) : -1;
}

/* Two numbers at either end of a tensor of places, such as PDEBench's x-coordinate, give all. */
static mpno_status read_places(mpno_plot_tensor *t, const mpno_tensor_file *list, char letter,
                               mpno_plot_axis *axis) {
    char name[32], key[48];
    (void)snprintf(name, sizeof name, "%c-coordinate", letter);
    const mpno_named_tensor *found = mpno_tensor_file_find(list, name);
    if (!found || found->ndim != 1 || found->shape[0] < 2) return MPNO_OK;
    (void)snprintf(key, sizeof key, "%s[0:2]", name);
    const char *keys[] = {key};
    mpno_select_opts wanted = {.n = 1, .n_required = 1, .keys = keys};
    mpno_tensor_file *file;
    double v[4];
    MPNO_TRY(mpno_tensor_file_select(t->ctx, t->path, &wanted, &file));
    mpno_status status = mpno_named_tensor_values(t->ctx, &file->tensors[0], 0, 2, MPNO_F64, v);
    mpno_tensor_file_destroy(t->ctx, &file);
    if (status == MPNO_OK && isfinite(v[0]) && isfinite(v[1]) && v[1] > v[0]) {
        axis->low = v[0];
        axis->step = v[1] - v[0];
    }
    return status;
}

/* Where points stand: the attributes KEY@x = [first, step] of `mpno generate`, or x-coordinate. */
static mpno_status take_places(mpno_plot_tensor *t, const mpno_tensor_file *list) {
    char name[MPNO_PLOT_KEY];
    name_of(t->key, name, sizeof name);
    int n = 0;
    for (const char *letter = "xyzt"; *letter; letter++) {
        if (find(t, *letter) < 0) continue;
        mpno_plot_axis *axis = *letter == 't' && n > 0 ? &t->time : &t->axes[n++];
        const char what[2] = {*letter, '\0'};
        const char *text = attribute(list, name, what);
        double low, step;
        if (t->named || *letter == 't')
            (void)snprintf(axis->name, sizeof axis->name, "%c", *letter);
        else
            (void)snprintf(axis->name, sizeof axis->name, "x%d", n);
        if (text && sscanf(text, " [ %lf , %lf ]", &low, &step) == 2 && isfinite(low) &&
            isfinite(step) && step > 0) {
            axis->low = low;
            axis->step = step;
        } else if (!strchr(t->key, '[')) {
            MPNO_TRY(read_places(t, list, *letter, axis));
        }
    }
    return MPNO_OK;
}

/* -------- values -------- */

/* Keys of which samples cannot be named further are read from the first one on. */
static bool divisible(const mpno_plot_tensor *t) {
    return find(t, 'n') >= 0 && !strpbrk(t->key, "[*");
}

/* "a+b" to "a[:,5:9]+b[:,5:9]". */
static void write_part(const mpno_plot_tensor *t, int64_t first, int64_t count, char *out,
                       size_t capacity) {
    char part[64] = "[";
    size_t n = 1, used = 0;
    for (int d = 0; d < find(t, 'n'); d++) n += (size_t)snprintf(part + n, sizeof part - n, ":,");
    (void)snprintf(part + n, sizeof part - n, "%lld:%lld]", (long long)first,
                   (long long)(first + count));
    for (const char *at = t->key;;) {
        const size_t length = strcspn(at, "+");
        used += (size_t)snprintf(out + used, capacity - used, "%.*s%s%s", (int)length, at, part,
                                 at[length] ? "+" : "");
        if (!at[length] || used >= capacity) return;
        at += length + 1;
    }
}

/* Numbers of one sample, or of everything where there are no samples. */
static int64_t sample_values(const mpno_plot_tensor *t) {
    int64_t values = t->complex_data ? 2 : 1;
    for (int d = 0; t->letters[d]; d++) values *= t->letters[d] == 'n' ? 1 : t->shape[d];
    return values;
}

static mpno_status read_slab(mpno_plot_tensor *t, int64_t first, int64_t count) {
    char key[4 * MPNO_PLOT_KEY];
    mpno_tensor_file *file;
    const bool parts = divisible(t);
    if (parts)
        write_part(t, first, count, key, sizeof key);
    else
        (void)snprintf(key, sizeof key, "%s", t->key);
    const char *keys[] = {key};
    mpno_select_opts wanted = {.n = 1,
                               .n_required = 1,
                               .keys = keys,
                               .n_samples = !parts && find(t, 'n') == 0 ? first + count : 0};
    mpno_free(t->ctx, t->values);
    t->values = NULL;
    t->count = 0;
    MPNO_TRY(mpno_tensor_file_select(t->ctx, t->path, &wanted, &file));
    const mpno_named_tensor *found = &file->tensors[0];
    const int64_t n = mpno_named_tensor_count(found);
    mpno_status status =
        mpno_alloc_array(t->ctx, (size_t)n, (t->complex_data ? 2 : 1) * 8, /* f64 */
                         &t->values);
    if (status == MPNO_OK)
        status = mpno_named_tensor_values(t->ctx, found, 0, n, MPNO_F64, t->values);
    mpno_tensor_file_destroy(t->ctx, &file);
    t->first = parts ? first : 0;
    t->count = parts ? count : find(t, 'n') == 0 ? first + count : t->n;
    return status;
}

mpno_status mpno_plot_tensor_field(mpno_plot_tensor *t, int64_t sample, mpno_plot_field *out) {
    if (sample < t->first || sample >= t->first + t->count) {
        int64_t most = SLAB_BYTES / (8 * sample_values(t));
        if (most < 1) most = 1;
        if (most > t->n - sample) most = t->n - sample;
        MPNO_TRY(read_slab(t, sample, most));
    }
    int64_t stride[MPNO_MAX_DIMS], all = t->complex_data ? 2 : 1;
    const int samples = find(t, 'n'), channels = find(t, 'c');
    for (int d = (int)strlen(t->letters) - 1; d >= 0; d--) {
        stride[d] = all;
        all *= d == samples ? t->count : t->shape[d];
    }
    *out = (mpno_plot_field){
        .times = 1,
        .view = {.format = MPNO_F64,
                 .data = t->values + (samples < 0 ? 0 : (sample - t->first) * stride[samples]),
                 .channels = t->complex_data ? 2
                             : channels < 0  ? 1
                                             : t->shape[channels],
                 .channel_stride = t->complex_data || channels < 0 ? 1 : stride[channels]}};
    for (const char *letter = "xyzt"; *letter; letter++) {
        const int d = find(t, *letter);
        if (d < 0) continue;
        if (*letter == 't' && out->view.ndim > 0) {
            out->times = t->shape[d];
            out->time_stride = stride[d];
            continue;
        }
        out->view.size[out->view.ndim] = t->shape[d];
        out->view.stride[out->view.ndim++] = stride[d];
    }
    return MPNO_OK;
}

/* -------- opening -------- */

static mpno_status measure(mpno_plot_tensor *t, int *ndim) {
    const char *keys[] = {t->key};
    mpno_select_opts wanted = {.n = 1, .n_required = 1, .keys = keys, .n_samples = 1};
    mpno_tensor_file *file;
    char text[SHAPE_TEXT];
    MPNO_TRY(mpno_tensor_file_select(t->ctx, t->path, &wanted, &file));
    const mpno_named_tensor *found = &file->tensors[0];
    *ndim = found->ndim;
    memcpy(t->shape, found->shape, sizeof t->shape);
    if (found->ndim > 0) t->shape[0] = wanted.available;
    t->complex_data = mpno_element_is_complex(found->element);
    mpno_tensor_file_destroy(t->ctx, &file);
    bool empty = *ndim == 0;
    for (int d = 0; d < *ndim; d++) empty = empty || t->shape[d] < 1;
    return empty
               ? mpno_fail(t->ctx, MPNO_E_SHAPE, "%s: '%s' has shape %s: there is nothing to draw",
                           t->path, t->key, mpno_shape_text(*ndim, t->shape, text, sizeof text))
               : MPNO_OK;
}

mpno_status mpno_plot_tensor_open(mpno_ctx *ctx, const char *path, const mpno_tensor_file *list,
                                  const char *key, const mpno_plot_tensor_opts *opts,
                                  mpno_plot_tensor *out) {
    int ndim;
    *out = (mpno_plot_tensor){.ctx = ctx, .path = path, .n = 1};
    MPNO_CHECK(ctx, strlen(key) < MPNO_PLOT_KEY, MPNO_E_CONFIG,
               "the key '%.60s...' is longer than %d letters", key, MPNO_PLOT_KEY - 1);
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    MPNO_TRY(measure(out, &ndim));
    MPNO_TRY(take_letters(out, list, opts, ndim));
    MPNO_TRY(take_places(out, list));
    if (find(out, 'n') >= 0) out->n = out->shape[find(out, 'n')];
    MPNO_CHECK(ctx, !out->complex_data || find(out, 'c') < 0 || out->shape[find(out, 'c')] == 1,
               MPNO_E_CONFIG,
               "%s: '%s' has %lld complex channels: draw one at a time, by a key such as '%s[:,0]'",
               path, key, (long long)out->shape[find(out, 'c')], key);
    return MPNO_OK;
}

void mpno_plot_tensor_close(mpno_plot_tensor *tensor) {
    if (!tensor->ctx) return;
    mpno_free(tensor->ctx, tensor->values);
    *tensor = (mpno_plot_tensor){.n = 0};
}
