/* SPDX-License-Identifier: MIT
 * Layouts of generated files: see layout.h. */
#include "pde/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"

#define COMPLETED "completed"

/* ---- shapes ---- */

static bool has_time(const mpno_pde_set *set) {
    return set->ndim > 0 && set->axes[0].kind == MPNO_AXIS_TIME;
}

/* Appends a set behind one that has its name: both along t. */
static void append(mpno_pde_set *to, const mpno_pde_set *set) {
    const int64_t before = has_time(to) ? to->shape[0] : 1;
    const mpno_pde_set first = *to;
    *to = *set; /* which has a time: only the first one may have none */
    to->shape[0] += before;
    to->axes[0].first -= (double)before * to->axes[0].step;
    if (has_time(&first)) to->axes[0] = first.axes[0];
}

/* The data sets of a sample and its parts in them. */
static void join(mpno_layout *layout, bool pdebench) {
    for (int i = 0; i < layout->n_parts; i++) {
        const mpno_pde_set *set = &layout->described[i];
        mpno_layout_part *part = &layout->parts[i];
        int d = pdebench ? 0 : layout->n_data;
        while (d < layout->n_data && strcmp(layout->data[d].name, set->pdebench) != 0) d++;
        part->set = (size_t)d;
        for (int k = 0; k < i; k++) {
            if (layout->parts[k].set == part->set) part->before += layout->parts[k].bytes;
        }
        if (d < layout->n_data) {
            append(&layout->data[d], set);
        } else {
            layout->data[layout->n_data++] = *set;
        }
        if (pdebench) layout->data[d].name = set->pdebench;
    }
}

/* Whatever axes there are: those of the last data set. */
static void find_coordinates(mpno_layout *layout) {
    const mpno_pde_set *last = &layout->data[layout->n_data - 1];
    for (int t = 0; t < last->ndim; t++) {
        if (last->axes[t].kind == MPNO_AXIS_CHANNEL) continue;
        layout->coordinates[layout->n_coordinates++] = last->axes[t];
    }
}

static int64_t coordinate_size(const mpno_layout *layout, int coordinate) {
    const mpno_pde_set *last = &layout->data[layout->n_data - 1];
    int t = 0;
    while (last->axes[t].name != layout->coordinates[coordinate].name) t++;
    return last->shape[t] + (last->axes[t].kind == MPNO_AXIS_TIME && !layout->groups);
}

static void name_set(const mpno_layout *layout, int64_t group, const char *name, bool coordinate,
                     char out[MPNO_LAYOUT_NAME]) {
    char number[24];
    int digits = 4;
    for (int64_t n = 10000; n < layout->n_groups; n *= 10) digits++;
    (void)snprintf(number, sizeof number, "%018lld", (long long)group);
    if (layout->groups) {
        (void)snprintf(out, MPNO_LAYOUT_NAME, "%s/%s%.12s", number + 18 - digits,
                       coordinate ? "grid/" : "", name);
    } else {
        (void)snprintf(out, MPNO_LAYOUT_NAME, "%.12s%s", name, coordinate ? "-coordinate" : "");
    }
}

static mpno_status fill_group(mpno_ctx *ctx, mpno_layout *layout, int64_t group,
                              int64_t n_samples) {
    const int per_group = layout->n_data + layout->n_coordinates;
    for (int k = 0; k < per_group; k++) {
        const size_t at = (size_t)(group * per_group + k);
        const bool coordinate = k >= layout->n_data;
        const mpno_pde_set *from = &layout->data[coordinate ? layout->n_data - 1 : k];
        mpno_hdf5_set *to = &layout->sets[at];
        int64_t n;
        size_t bytes;
        *to = (mpno_hdf5_set){.name = layout->names[at], .element = from->element, .ndim = 1};
        if (coordinate) {
            const int c = k - layout->n_data;
            name_set(layout, group, layout->coordinates[c].name, true, layout->names[at]);
            to->shape[0] = coordinate_size(layout, c);
            continue;
        }
        name_set(layout, group, from->name, false, layout->names[at]);
        const bool samples = !layout->groups;
        to->ndim = from->ndim + samples;
        to->shape[0] = n_samples;
        memcpy(to->shape + samples, from->shape, (size_t)from->ndim * sizeof(int64_t));
        MPNO_CHECK(ctx, mpno_shape_measure(to->element, to->ndim, to->shape, &n, &bytes),
                   MPNO_E_CONFIG, "n_samples: a file of that many points is too large");
    }
    return MPNO_OK;
}

static mpno_status measure_parts(mpno_ctx *ctx, mpno_layout *layout) {
    for (int i = 0; i < layout->n_parts; i++) {
        const mpno_pde_set *set = &layout->described[i];
        int64_t n;
        MPNO_CHECK(
            ctx,
            mpno_shape_measure(set->element, set->ndim, set->shape, &n, &layout->parts[i].bytes),
            MPNO_E_CONFIG, "resolution: a sample of that many points is too large");
    }
    return MPNO_OK;
}

static mpno_status fill(mpno_ctx *ctx, mpno_layout *layout, const mpno_pde_common *common) {
    const bool pdebench = common->layout == MPNO_LAYOUT_PDEBENCH;
    MPNO_TRY(measure_parts(ctx, layout));
    join(layout, pdebench);
    if (pdebench) find_coordinates(layout);
    layout->n_groups = layout->groups ? common->n_samples : 1;
    const size_t per_group = (size_t)(layout->n_data + layout->n_coordinates);
    layout->n = (size_t)layout->n_groups * per_group + 1;
    MPNO_TRY(mpno_alloc_array(ctx, layout->n, sizeof *layout->sets, &layout->sets));
    MPNO_TRY(mpno_alloc_array(ctx, layout->n, sizeof *layout->names, &layout->names));
    for (int64_t g = 0; g < layout->n_groups; g++) {
        MPNO_TRY(fill_group(ctx, layout, g, common->n_samples));
    }
    for (int i = 0; i < layout->n_parts && !layout->groups; i++) {
        for (int k = 0; k < layout->n_parts; k++) {
            const bool together = layout->parts[k].set == layout->parts[i].set;
            if (together) layout->parts[i].stride += layout->parts[k].bytes;
        }
    }
    char *name = layout->names[layout->n - 1];
    /* A reader of groups takes all that stands in the file for samples. */
    if (layout->groups) {
        name_set(layout, 0, COMPLETED, false, name);
    } else {
        (void)snprintf(name, sizeof *layout->names, COMPLETED);
    }
    layout->sets[layout->n - 1] = (mpno_hdf5_set){.name = name, .element = MPNO_ELEMENT_I64};
    return MPNO_OK;
}

mpno_status mpno_layout_create(mpno_ctx *ctx, const mpno_pde *pde, const void *settings,
                               mpno_layout *out) {
    const mpno_pde_common *common = settings;
    *out = (mpno_layout){.groups = pde->groups && common->layout == MPNO_LAYOUT_PDEBENCH};
    out->n_parts = pde->describe(settings, out->described);
    const mpno_status status = fill(ctx, out, common);
    if (status != MPNO_OK) mpno_layout_destroy(ctx, out);
    return status;
}

void mpno_layout_destroy(mpno_ctx *ctx, mpno_layout *layout) {
    mpno_free(ctx, layout->sets);
    mpno_free(ctx, layout->names);
    layout->sets = NULL;
    layout->names = NULL;
}

/* ---- attributes ---- */

static mpno_status file_attributes(mpno_ctx *ctx, const mpno_pde *pde, bool pdebench,
                                   const mpno_value *parameters, mpno_value *out) {
    char *text = NULL;
    MPNO_TRY(mpno_json_text(ctx, parameters, false, &text));
    const mpno_status status = mpno_value_set_string(ctx, out, "parameters", text);
    mpno_free(ctx, text);
    MPNO_TRY(status);
    MPNO_TRY(mpno_value_set_string(ctx, out, "equation", pde->name));
    MPNO_TRY(mpno_value_set_string(ctx, out, "grid", pde->grid));
    if (pdebench && pde->pdebench.name) {
        mpno_value *copy = NULL;
        MPNO_TRY(mpno_value_clone(ctx, mpno_value_get(parameters, pde->pdebench.parameter), &copy));
        MPNO_TRY(mpno_value_set(ctx, out, pde->pdebench.name, copy));
    }
    return mpno_value_set_string(ctx, out, "mpno_version", mpno_version());
}

/* Puts [first, step] into map under the name of the axis. */
static mpno_status put_places(mpno_ctx *ctx, const mpno_pde_axis *axis, mpno_value *map) {
    mpno_value *list;
    MPNO_TRY(mpno_value_set_list(ctx, map, axis->name, &list));
    MPNO_TRY(mpno_value_append_real(ctx, list, axis->first));
    return mpno_value_append_real(ctx, list, axis->step);
}

/* Attributes of a set: its meaning, the names of its axes, and where their points stand. */
static mpno_status set_attributes(mpno_ctx *ctx, const mpno_pde_set *set, bool samples,
                                  mpno_value **out) {
    char axes[160] = "sample";
    MPNO_TRY(mpno_value_map(ctx, out));
    MPNO_TRY(mpno_value_set_string(ctx, *out, "meaning", set->meaning));
    for (int d = 0; d < set->ndim; d++) {
        const mpno_pde_axis *axis = &set->axes[d];
        const size_t used = strlen(axes);
        (void)snprintf(axes + used, sizeof axes - used, " %s", axis->name);
        if (axis->kind != MPNO_AXIS_CHANNEL) MPNO_TRY(put_places(ctx, axis, *out));
    }
    return mpno_value_set_string(ctx, *out, "axes", samples ? axes : axes + strlen("sample "));
}

/* `config` of a group: the parameters as YAML. */
static mpno_status group_attributes(mpno_ctx *ctx, const mpno_value *parameters, mpno_value **out) {
    char *text = NULL;
    MPNO_TRY(mpno_value_map(ctx, out));
    MPNO_TRY(mpno_yaml_text(ctx, parameters, &text));
    const mpno_status status = mpno_value_set_string(ctx, *out, "config", text);
    mpno_free(ctx, text);
    return status;
}

mpno_status mpno_layout_make(mpno_ctx *ctx, mpno_layout *layout, const mpno_pde *pde,
                             const mpno_value *parameters, const char *path) {
    const size_t per_group = (size_t)(layout->n_data + layout->n_coordinates);
    mpno_value *all = NULL, *group = NULL, *notes[MPNO_PDE_MAX_SETS] = {NULL};
    mpno_status status = mpno_value_clone(ctx, parameters, &all);
    if (status == MPNO_OK) {
        status = file_attributes(ctx, pde, layout->n_coordinates > 0, parameters, all);
    }
    if (status == MPNO_OK && layout->groups) status = group_attributes(ctx, parameters, &group);
    for (int d = 0; status == MPNO_OK && d < layout->n_data; d++) {
        status = set_attributes(ctx, &layout->data[d], !layout->groups, &notes[d]);
    }
    for (size_t i = 0; i + 1 < layout->n; i++) {
        const size_t k = i % per_group;
        if (k < (size_t)layout->n_data) layout->sets[i].attributes = notes[k];
        if (k == 0) layout->sets[i].group = group;
    }
    if (status == MPNO_OK) status = mpno_hdf5_create(ctx, path, layout->n, layout->sets, all);
    for (size_t i = 0; i < layout->n; i++) {
        layout->sets[i].attributes = layout->sets[i].group = NULL;
    }
    for (int d = 0; d < layout->n_data; d++) mpno_value_destroy(ctx, &notes[d]);
    mpno_value_destroy(ctx, &group);
    mpno_value_destroy(ctx, &all);
    return status;
}

/* ---- places ---- */

int mpno_write_at(int fd, const void *data, size_t bytes, uint64_t offset) {
    const char *from = data;
    while (bytes > 0) {
        const ssize_t n = pwrite(fd, from, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : EIO;
        from += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int mpno_layout_write_coordinates(const mpno_layout *layout, int fd) {
    const size_t per_group = (size_t)(layout->n_data + layout->n_coordinates);
    int error = 0;
    for (size_t i = 0; i + 1 < layout->n; i++) {
        if (i % per_group < (size_t)layout->n_data) continue;
        const mpno_pde_axis *axis = &layout->coordinates[i % per_group - (size_t)layout->n_data];
        const mpno_hdf5_set *set = &layout->sets[i];
        const bool wide = set->element == MPNO_ELEMENT_F64;
        for (int64_t k = 0; k < set->shape[0] && !error; k++) {
            const double place = axis->first + (double)k * axis->step;
            const float narrow = (float)place;
            const size_t bytes = wide ? sizeof place : sizeof narrow;
            error = mpno_write_at(fd, wide ? (const void *)&place : (const void *)&narrow, bytes,
                                  set->offset + (uint64_t)k * bytes);
        }
    }
    return error;
}

mpno_status mpno_layout_locate(mpno_ctx *ctx, mpno_layout *layout, const char *path) {
    return mpno_hdf5_locate(ctx, path, layout->n, layout->sets);
}

uint64_t mpno_layout_place(const mpno_layout *layout, int part, int64_t sample) {
    const mpno_layout_part *p = &layout->parts[part];
    const size_t per_group = (size_t)(layout->n_data + layout->n_coordinates);
    if (p->stride > 0) {
        return layout->sets[p->set].offset + (uint64_t)sample * p->stride + p->before;
    }
    return layout->sets[(size_t)sample * per_group + p->set].offset + p->before;
}

uint64_t mpno_layout_count_place(const mpno_layout *layout) {
    return layout->sets[layout->n - 1].offset;
}
