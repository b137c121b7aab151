/* SPDX-License-Identifier: MIT
 * See history.h: reads the file in two passes, first the events, then their columns. */
#include "report/history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"

enum { NAME_CAPACITY = 256 };

static bool is_epoch(const mpno_value *event) {
    return strcmp(mpno_value_get_string(event, "event", ""), "epoch") == 0;
}

static mpno_status read_events(mpno_history *h, const char *path, const mpno_mapping *file) {
    const char *at = (const char *)file->data, *end = at + file->size;
    MPNO_TRY(mpno_value_list(h->ctx, &h->events));
    for (int number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) break;
        mpno_value *event = NULL;
        mpno_status status = mpno_json_parse(h->ctx, path, at, (size_t)(stop - at), &event);
        if (status == MPNO_E_MEMORY) return status;
        const bool is_map = status == MPNO_OK && event->kind == MPNO_VALUE_MAP;
        if (!is_map) mpno_value_destroy(h->ctx, &event);
        MPNO_CHECK(h->ctx, is_map, MPNO_E_FORMAT,
                   "%s, line %d is not an event (a JSON object); correct the line", path, number);
        MPNO_TRY(mpno_value_append(h->ctx, h->events, event));
        at = stop + 1;
    }
    return MPNO_OK;
}

static size_t find_name(const mpno_history *h, const char *name) {
    size_t i = 0;
    while (i < h->n_columns && strcmp(h->names[i], name) != 0) i++;
    return i;
}

/* What is done with a number of an epoch. */
typedef mpno_status (*visitor)(mpno_history *h, size_t epoch, const char *name, double number);

static mpno_status add_name(mpno_history *h, size_t epoch, const char *name, double number) {
    (void)epoch, (void)number;
    if (find_name(h, name) < h->n_columns) return MPNO_OK;
    MPNO_TRY(
        mpno_realloc_array(h->ctx, &h->names, h->n_columns, h->n_columns + 1, sizeof *h->names));
    MPNO_TRY(mpno_strdup(h->ctx, name, &h->names[h->n_columns]));
    h->n_columns++;
    return MPNO_OK;
}

static mpno_status set_number(mpno_history *h, size_t epoch, const char *name, double number) {
    h->values[find_name(h, name) * h->n_epochs + epoch] = number;
    return MPNO_OK;
}

static mpno_status visit(mpno_history *h, size_t epoch, const char *prefix, const mpno_value *map,
                         visitor act) {
    for (size_t i = 0; i < map->n; i++) {
        const mpno_value *item = map->items[i];
        char name[NAME_CAPACITY];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "/" : "", map->keys[i]);
        if (item->kind == MPNO_VALUE_INT || item->kind == MPNO_VALUE_REAL)
            MPNO_TRY(act(h, epoch, name, item->real));
        else if (item->kind == MPNO_VALUE_MAP)
            MPNO_TRY(visit(h, epoch, name, item, act));
    }
    return MPNO_OK;
}

static mpno_status visit_epochs(mpno_history *h, visitor act) {
    size_t epoch = 0;
    for (size_t i = 0; i < h->events->n; i++)
        if (is_epoch(h->events->items[i]))
            MPNO_TRY(visit(h, epoch++, "", h->events->items[i], act));
    h->n_epochs = epoch;
    return MPNO_OK;
}

static mpno_status make_columns(mpno_history *h, const char *path) {
    MPNO_TRY(visit_epochs(h, add_name));
    MPNO_CHECK(h->ctx, h->n_epochs > 0, MPNO_E_FORMAT,
               "%s holds no epoch that has ended: there is nothing to report yet", path);
    const size_t n = h->n_columns * h->n_epochs;
    MPNO_TRY(mpno_alloc_array(h->ctx, n, sizeof *h->values, &h->values));
    MPNO_TRY(mpno_alloc_array(h->ctx, h->n_epochs, sizeof *h->policies, &h->policies));
    for (size_t i = 0; i < n; i++) h->values[i] = NAN;
    size_t epoch = 0;
    for (size_t i = 0; i < h->events->n; i++)
        if (is_epoch(h->events->items[i]))
            h->policies[epoch++] = mpno_value_get_string(h->events->items[i], "policy", "");
    return visit_epochs(h, set_number);
}

mpno_status mpno_history_read(mpno_ctx *ctx, const char *path, mpno_history *out) {
    mpno_mapping file;
    *out = (mpno_history){.ctx = ctx};
    MPNO_TRY(mpno_map_open(ctx, path, &file));
    mpno_status status = read_events(out, path, &file);
    mpno_map_close(&file);
    if (status == MPNO_OK) status = make_columns(out, path);
    if (status != MPNO_OK) mpno_history_clear(out);
    return status;
}

void mpno_history_clear(mpno_history *h) {
    for (size_t i = 0; i < h->n_columns; i++) mpno_free(h->ctx, h->names[i]);
    mpno_free(h->ctx, h->names);
    mpno_free(h->ctx, h->values);
    mpno_free(h->ctx, h->policies);
    mpno_value_destroy(h->ctx, &h->events);
    *h = (mpno_history){.ctx = h->ctx};
}

const double *mpno_history_column(const mpno_history *h, const char *name) {
    const size_t i = find_name(h, name);
    return i < h->n_columns ? h->values + i * h->n_epochs : NULL;
}

const mpno_value *mpno_history_last(const mpno_history *h, const char *event) {
    for (size_t i = h->events->n; i-- > 0;)
        if (strcmp(mpno_value_get_string(h->events->items[i], "event", ""), event) == 0)
            return h->events->items[i];
    return NULL;
}
