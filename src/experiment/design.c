/* SPDX-License-Identifier: MIT
 * Reading of experiments: see design.h. */
#include "experiment/design.h"

#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/source.h"

static const char *const known_keys[] = {
    "title",    "asks",      "finds",      "made",    "base",    "axes",  "seeds",
    "evaluate", "reference", "equal_time", "spectra", "theorem", "quick", "full"};
enum { N_KNOWN = sizeof known_keys / sizeof *known_keys, MOST_DEPTH = 8 };

/* ---- the text ---- */

static bool is_path(const char *name) {
    const size_t n = strlen(name);
    return strchr(name, '/') != NULL || (n > 5 && strcmp(name + n - 5, ".yaml") == 0);
}

/* The last part of a path, without ".yaml". */
static void name_of(const char *path, char *out, size_t capacity) {
    const char *slash = strrchr(path, '/');
    const char *begin = slash != NULL ? slash + 1 : path;
    const size_t n = strlen(begin);
    const bool yaml = n > 5 && strcmp(begin + n - 5, ".yaml") == 0;
    snprintf(out, capacity, "%.*s", (int)(yaml ? n - 5 : n), begin);
}

static mpno_status parse_named(mpno_ctx *ctx, const char *name, mpno_value **out) {
    enum { MOST = 64 };
    const char *names[MOST];
    size_t n = 0;
    for (; n < MOST && mpno_experiment_text(n, "name") != NULL; n++) {
        names[n] = mpno_experiment_text(n, "name");
        if (strcmp(names[n], name) != 0) continue;
        const char *text = mpno_experiment_text(n, "text");
        return mpno_yaml_parse(ctx, name, text, strlen(text), out);
    }
    const char *near = mpno_nearest_name(name, names, n);
    return mpno_fail(ctx, MPNO_E_ARGUMENT,
                     "there is no experiment \"%s\"%s%s%s; mpno experiment --list names all, and a "
                     "file of your own must end in .yaml",
                     name, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?" : "");
}

/* ---- trees ---- */

/* Copies what `from` holds into `into`, maps key by key as far as `depth` maps within each other.
 */
static mpno_status merge(mpno_ctx *ctx, mpno_value *into, const mpno_value *from, int depth) {
    for (size_t i = 0; i < from->n; i++) {
        mpno_value *old = NULL, *copy = NULL;
        const bool axes = strcmp(from->keys[i], "axes") == 0; /* an axis is replaced as a whole */
        for (size_t k = 0; k < into->n; k++)
            if (strcmp(into->keys[k], from->keys[i]) == 0) old = into->items[k];
        if (depth > 0 && old != NULL && old->kind == MPNO_VALUE_MAP &&
            from->items[i]->kind == MPNO_VALUE_MAP) {
            MPNO_TRY(merge(ctx, old, from->items[i], axes ? 0 : depth - 1));
            continue;
        }
        MPNO_TRY(mpno_value_clone(ctx, from->items[i], &copy));
        MPNO_TRY(mpno_value_set(ctx, into, from->keys[i], copy));
    }
    return MPNO_OK;
}

static mpno_status map_of(mpno_design *d, const char *key, bool needed, const mpno_value **out) {
    const mpno_value *value = mpno_value_get(d->tree, key);
    const bool none = value == NULL || value->kind == MPNO_VALUE_NULL;
    MPNO_CHECK(d->ctx, !none || !needed, MPNO_E_CONFIG, "%s: %s is missing", d->name, key);
    MPNO_CHECK(d->ctx, none || value->kind == MPNO_VALUE_MAP, MPNO_E_CONFIG,
               "%s: %s is not a map of names", d->name, key);
    *out = none ? NULL : value;
    return MPNO_OK;
}

static mpno_status text_of(mpno_design *d, const char *key, const char **out) {
    const mpno_value *value = mpno_value_get(d->tree, key);
    MPNO_CHECK(d->ctx, value == NULL || value->kind == MPNO_VALUE_STRING, MPNO_E_CONFIG,
               "%s: %s is not a text", d->name, key);
    *out = value != NULL ? value->string : "";
    return MPNO_OK;
}

static mpno_status truth_of(mpno_design *d, const char *key, bool *out) {
    const mpno_value *value = mpno_value_get(d->tree, key);
    MPNO_CHECK(d->ctx, value == NULL || value->kind == MPNO_VALUE_BOOL, MPNO_E_CONFIG,
               "%s: %s is neither true nor false", d->name, key);
    *out = value != NULL && value->boolean;
    return MPNO_OK;
}

/* ---- what is needed of it ---- */

static mpno_status check_known(const mpno_design *d) {
    for (size_t i = 0; i < d->tree->n; i++) {
        const char *key = d->tree->keys[i];
        bool known = false;
        for (int k = 0; k < N_KNOWN; k++) known = known || strcmp(known_keys[k], key) == 0;
        const char *near = mpno_nearest_name(key, known_keys, N_KNOWN);
        MPNO_CHECK(d->ctx, known, MPNO_E_CONFIG, "%s: unknown key %s%s%s%s", d->name, key,
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
    }
    return MPNO_OK;
}

static mpno_status read_axes(mpno_design *d) {
    MPNO_TRY(map_of(d, "axes", false, &d->axes));
    d->n_axes = d->axes != NULL ? (int)d->axes->n : 0;
    d->n_cells = 1;
    MPNO_CHECK(d->ctx, d->n_axes <= MPNO_MAX_DESIGN_AXES, MPNO_E_CONFIG,
               "%s: axes has %d entries, at most %d are possible", d->name, d->n_axes,
               MPNO_MAX_DESIGN_AXES);
    for (int a = 0; a < d->n_axes; a++) {
        const mpno_value *cells = d->axes->items[a];
        MPNO_CHECK(d->ctx, cells->kind == MPNO_VALUE_MAP && cells->n > 0, MPNO_E_CONFIG,
                   "%s: axes.%s is not a map of labels", d->name, d->axes->keys[a]);
        for (size_t i = 0; i < cells->n; i++)
            MPNO_CHECK(
                d->ctx,
                cells->items[i]->kind == MPNO_VALUE_MAP || cells->items[i]->kind == MPNO_VALUE_NULL,
                MPNO_E_CONFIG, "%s: axes.%s.%s is not a map of keys of a configuration", d->name,
                d->axes->keys[a], cells->keys[i]);
        MPNO_CHECK(d->ctx, (size_t)d->n_cells * cells->n <= 4096, MPNO_E_CONFIG,
                   "%s: more than 4096 runs for each seed", d->name);
        d->n_cells *= (int)cells->n;
    }
    return MPNO_OK;
}

static mpno_status read_seeds(mpno_design *d) {
    const mpno_value *seeds = mpno_value_get(d->tree, "seeds");
    d->n_seeds = 1;
    if (seeds == NULL) return MPNO_OK;
    MPNO_CHECK(
        d->ctx, seeds->kind == MPNO_VALUE_LIST && seeds->n >= 1 && seeds->n <= MPNO_MAX_SEEDS,
        MPNO_E_CONFIG, "%s: seeds is not a list of 1 to %d whole numbers", d->name, MPNO_MAX_SEEDS);
    d->n_seeds = (int64_t)seeds->n;
    for (size_t i = 0; i < seeds->n; i++) {
        MPNO_CHECK(d->ctx, seeds->items[i]->kind == MPNO_VALUE_INT && seeds->items[i]->integer >= 0,
                   MPNO_E_CONFIG, "%s: entry %zu of seeds is no whole number from 0 on", d->name,
                   i + 1);
        d->seeds[i] = seeds->items[i]->integer;
    }
    return MPNO_OK;
}

/* Each axis of the reference exists and has that label. */
static mpno_status check_reference(const mpno_design *d) {
    for (size_t i = 0; d->reference != NULL && i < d->reference->n; i++) {
        const char *axis = d->reference->keys[i];
        const mpno_value *label = d->reference->items[i];
        const mpno_value *cells = strcmp(axis, "evaluated") == 0 ? d->evaluate
                                  : d->axes != NULL              ? mpno_value_get(d->axes, axis)
                                                                 : NULL;
        const bool said = label->kind == MPNO_VALUE_STRING;
        const bool as_trained =
            strcmp(axis, "evaluated") == 0 && said && strcmp(label->string, MPNO_AS_TRAINED) == 0;
        MPNO_CHECK(d->ctx,
                   said && (as_trained || (cells != NULL && mpno_value_get(cells, label->string))),
                   MPNO_E_CONFIG, "%s: reference.%s is %s, which is no label of that axis", d->name,
                   axis, said ? label->string : "no text");
    }
    return MPNO_OK;
}

/* "theorem.KEY": there are no runs that other keys could be for. */
static mpno_status override_theorem(mpno_design *d, const mpno_experiment_override *override) {
    mpno_value *value = NULL, *theorem = NULL;
    MPNO_CHECK(d->ctx, strncmp(override->key, "theorem.", 8) == 0, MPNO_E_CONFIG,
               "%s: %s trains nothing and has no such key; give theorem.functions, theorem.formats "
               "or theorem.points",
               override->key, d->name);
    for (size_t k = 0; k < d->tree->n; k++)
        if (strcmp(d->tree->keys[k], "theorem") == 0) theorem = d->tree->items[k];
    MPNO_TRY(mpno_value_from_text(d->ctx, override->value, &value));
    return mpno_value_set(d->ctx, theorem, override->key + 8, value);
}

/* "made.SET.PARAMETER" and "seeds" change the tree; other keys are for the runs. */
static mpno_status apply_overrides(mpno_design *d, const mpno_experiment_opts *opts) {
    for (size_t i = 0; i < opts->n_overrides; i++) {
        const char *key = opts->overrides[i].key;
        const bool made = strncmp(key, "made.", 5) == 0;
        mpno_value *value = NULL, *at = d->tree;
        const mpno_value *theorem = mpno_value_get(d->tree, "theorem");
        if (theorem != NULL && theorem->kind == MPNO_VALUE_MAP) {
            MPNO_TRY(override_theorem(d, &opts->overrides[i]));
            continue;
        }
        if (!made && strcmp(key, "seeds") != 0) continue;
        MPNO_TRY(mpno_value_from_text(d->ctx, opts->overrides[i].value, &value));
        const char *last = made ? strrchr(key, '.') + 1 : key;
        if (made) {
            char set[64];
            snprintf(set, sizeof set, "%.*s", (int)(last - 1 - (key + 5)), key + 5);
            const mpno_value *sets = mpno_value_get(d->tree, "made");
            at = NULL;
            for (size_t k = 0; sets != NULL && last > key + 6 && k < sets->n; k++)
                if (strcmp(sets->keys[k], set) == 0) at = sets->items[k];
            if (at == NULL || at->kind != MPNO_VALUE_MAP) {
                mpno_value_destroy(d->ctx, &value);
                return mpno_fail(d->ctx, MPNO_E_CONFIG,
                                 "%s: no data set \"%s\" is made here; give made.SET.PARAMETER",
                                 key, set);
            }
        }
        MPNO_TRY(mpno_value_set(d->ctx, at, last, value));
    }
    return MPNO_OK;
}

/* ---- paths of data in a file, relative to it ---- */

/* A text, or each of a list; "@NAME" and what is no path stay. */
static mpno_status settle_path(mpno_ctx *ctx, const char *folder, mpno_value *value) {
    for (size_t i = 0; value->kind == MPNO_VALUE_LIST && i < value->n; i++)
        MPNO_TRY(settle_path(ctx, folder, value->items[i]));
    if (value->kind != MPNO_VALUE_STRING || value->string[0] == '@') return MPNO_OK;
    return mpno_data_path_settle(ctx, folder, &value->string);
}

/* data.train, data.test and data.validation, as sections and as dotted keys, wherever they stand.
 */
static mpno_status settle_paths(mpno_ctx *ctx, const char *folder, bool in_data, mpno_value *tree) {
    static const char *const names[] = {"data.train", "data.test", "data.validation"};
    for (size_t i = 0; tree->kind == MPNO_VALUE_MAP && i < tree->n; i++) {
        bool path = false;
        for (int k = 0; k < 3; k++)
            path = path || strcmp(tree->keys[i], names[k] + (in_data ? 5 : 0)) == 0;
        MPNO_TRY(
            path ? settle_path(ctx, folder, tree->items[i])
                 : settle_paths(ctx, folder, strcmp(tree->keys[i], "data") == 0, tree->items[i]));
    }
    return MPNO_OK;
}

static mpno_status read_file(mpno_ctx *ctx, const char *path, mpno_value **out) {
    char folder[4096];
    mpno_path_folder(path, folder, sizeof folder);
    MPNO_TRY(mpno_yaml_read(ctx, path, out));
    return settle_paths(ctx, folder, false, *out);
}

static mpno_status read(mpno_design *d, const char *name, const mpno_experiment_opts *opts) {
    const mpno_value *size;
    name_of(name, d->name, sizeof d->name);
    MPNO_TRY(is_path(name) ? read_file(d->ctx, name, &d->tree)
                           : parse_named(d->ctx, name, &d->tree));
    MPNO_CHECK(d->ctx, d->tree->kind == MPNO_VALUE_MAP, MPNO_E_CONFIG,
               "%s: the file is not a map of keys", name);
    MPNO_TRY(check_known(d));
    MPNO_TRY(map_of(d, opts->full ? "full" : "quick", false, &size));
    if (size != NULL) {
        mpno_value *copy = NULL;
        MPNO_TRY(mpno_value_clone(d->ctx, size, &copy));
        const mpno_status status = merge(d->ctx, d->tree, copy, MOST_DEPTH);
        mpno_value_destroy(d->ctx, &copy);
        MPNO_TRY(status);
        MPNO_TRY(check_known(d));
    }
    MPNO_TRY(apply_overrides(d, opts));
    MPNO_TRY(text_of(d, "title", &d->title));
    MPNO_TRY(text_of(d, "asks", &d->asks));
    MPNO_TRY(text_of(d, "finds", &d->finds));
    MPNO_TRY(map_of(d, "made", false, &d->made));
    MPNO_TRY(map_of(d, "theorem", false, &d->theorem));
    MPNO_TRY(map_of(d, "base", d->theorem == NULL, &d->base));
    MPNO_CHECK(d->ctx, d->theorem == NULL || d->base == NULL, MPNO_E_CONFIG,
               "%s: theorem trains nothing, but there is a base: leave out one of the two",
               d->name);
    MPNO_TRY(map_of(d, "evaluate", false, &d->evaluate));
    MPNO_TRY(map_of(d, "reference", false, &d->reference));
    MPNO_TRY(truth_of(d, "equal_time", &d->equal_time));
    MPNO_TRY(truth_of(d, "spectra", &d->spectra));
    MPNO_TRY(read_axes(d));
    MPNO_TRY(read_seeds(d));
    return check_reference(d);
}

mpno_status mpno_design_read(mpno_ctx *ctx, const char *name, const mpno_experiment_opts *opts,
                             mpno_design *out) {
    *out = (mpno_design){.ctx = ctx};
    const mpno_status status = read(out, name, opts);
    if (status != MPNO_OK) mpno_design_clear(out);
    return status;
}

void mpno_design_clear(mpno_design *d) {
    mpno_value_destroy(d->ctx, &d->tree);
}

/* ---- cells: the last axis runs fastest ---- */

static size_t place(const mpno_design *d, int cell, int axis) {
    for (int a = d->n_axes - 1; a > axis; a--) cell /= (int)d->axes->items[a]->n;
    return (size_t)cell % d->axes->items[axis]->n;
}

const char *mpno_design_label(const mpno_design *d, int cell, int axis) {
    return d->axes->items[axis]->keys[place(d, cell, axis)];
}

const mpno_value *mpno_design_keys(const mpno_design *d, int cell, int axis) {
    return d->axes->items[axis]->items[place(d, cell, axis)];
}

void mpno_design_cell_text(const mpno_design *d, int cell, char *out, size_t capacity) {
    size_t used = 0;
    *out = '\0';
    for (int a = 0; a < d->n_axes && used < capacity; a++) {
        const int more = snprintf(out + used, capacity - used, "%s%s %s", a > 0 ? ", " : "",
                                  d->axes->keys[a], mpno_design_label(d, cell, a));
        used += more > 0 ? (size_t)more : 0;
    }
    if (d->n_axes == 0) snprintf(out, capacity, "%s", d->name);
}

int mpno_design_reference(const mpno_design *d, int cell) {
    int found = 0;
    for (int a = 0; a < d->n_axes; a++) {
        const mpno_value *cells = d->axes->items[a];
        const mpno_value *label =
            d->reference != NULL ? mpno_value_get(d->reference, d->axes->keys[a]) : NULL;
        size_t at = place(d, cell, a);
        for (size_t i = 0; label != NULL && i < cells->n; i++)
            if (strcmp(cells->keys[i], label->string) == 0) at = i;
        found = found * (int)cells->n + (int)at;
    }
    return found;
}
