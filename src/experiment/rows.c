/* SPDX-License-Identifier: MIT
 * Rows of the tables of an experiment and their numbers: see results.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "experiment/results.h"

const char *const mpno_measures[MPNO_N_MEASURES] = {"l2", "h1"};

/* Numbers over the seeds: under result[path[0]][path[1]].. */
static mpno_spread numbers(const mpno_campaign *c, const mpno_row *row, const char *const *path,
                           int depth) {
    double values[MPNO_MAX_SEEDS];
    for (int64_t s = 0; s < c->design->n_seeds; s++) {
        const mpno_value *at = *mpno_campaign_result(c, row->cell, s, row->equal_time);
        for (int i = 0; i < depth && at != NULL; i++) at = mpno_value_get(at, path[i]);
        const bool number =
            at != NULL && (at->kind == MPNO_VALUE_REAL || at->kind == MPNO_VALUE_INT);
        values[s] = number ? at->real : NAN;
    }
    return mpno_spread_of(values, (size_t)c->design->n_seeds);
}

mpno_spread mpno_row_errors(const mpno_campaign *c, const mpno_row *row, const char *set,
                            const char *measure) {
    const char *const path[] = {"test", row->evaluation, set, measure};
    return numbers(c, row, path, 4);
}

mpno_spread mpno_row_number(const mpno_campaign *c, const mpno_row *row, const char *key) {
    return numbers(c, row, &key, 1);
}

mpno_row mpno_row_reference(const mpno_campaign *c, const mpno_row *row) {
    const mpno_value *evaluated = mpno_value_get(c->design->reference, "evaluated");
    return (mpno_row){.cell = mpno_design_reference(c->design, row->cell),
                      .evaluation = evaluated != NULL ? evaluated->string : row->evaluation};
}

void mpno_row_text(const mpno_campaign *c, const mpno_row *row, char *out, size_t capacity) {
    size_t used = 0;
    *out = '\0';
    for (int a = 0; a < c->design->n_axes && used < capacity; a++) {
        const bool shared = c->design->axes->items[a]->n == 1;
        if (shared) continue;
        used += (size_t)snprintf(out + used, capacity - used, "%s%s", used > 0 ? ", " : "",
                                 mpno_design_label(c->design, row->cell, a));
    }
    if (c->design->evaluate != NULL && used < capacity)
        used += (size_t)snprintf(out + used, capacity - used, "%s%s", used > 0 ? ", " : "",
                                 row->evaluation);
    if (row->equal_time && used < capacity)
        used += (size_t)snprintf(out + used, capacity - used, ", equal time");
    if (used == 0) snprintf(out, capacity, "%s", c->design->name);
}

mpno_status mpno_rows_list(const mpno_campaign *c, mpno_row **out, size_t *n) {
    const mpno_design *d = c->design;
    const size_t evaluations = 1 + (d->evaluate != NULL ? d->evaluate->n : 0);
    *n = 0;
    MPNO_TRY(mpno_alloc_array(c->ctx, 2 * (size_t)d->n_cells * evaluations, sizeof **out, out));
    for (int cell = 0; cell < d->n_cells; cell++)
        for (int time = 0; time < 2; time++) {
            if (*mpno_campaign_result(c, cell, 0, time == 1) == NULL) continue;
            for (size_t e = 0; e < evaluations; e++)
                (*out)[(*n)++] =
                    (mpno_row){.cell = cell,
                               .equal_time = time == 1,
                               .evaluation = e == 0 ? MPNO_AS_TRAINED : d->evaluate->keys[e - 1]};
        }
    return MPNO_OK;
}
