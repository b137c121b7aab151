/* SPDX-License-Identifier: MIT
 * See published.h. */
#include "train/published.h"

#include <string.h>

static const struct row {
    const char *begins, *model;
    double rmse, nrmse;
    const char *source;
} ROWS[] = {
#define X(begins, model, rmse, nrmse, source) {begins, model, rmse, nrmse, source},
#include "train/published.def"
#undef X
};

enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

static mpno_status put_row(mpno_ctx *ctx, const struct row *r, mpno_value *list) {
    mpno_value *entry;
    MPNO_TRY(mpno_value_map(ctx, &entry));
    MPNO_TRY(mpno_value_append(ctx, list, entry));
    MPNO_TRY(mpno_value_set_string(ctx, entry, "model", r->model));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "rmse", r->rmse));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "nrmse", r->nrmse));
    return mpno_value_set_string(ctx, entry, "source", r->source);
}

mpno_status mpno_published(mpno_ctx *ctx, const char *path, const mpno_sink *sink,
                           mpno_value *map) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    mpno_value *list = NULL;
    for (int i = 0; i < N_ROWS; i++) {
        const struct row *r = &ROWS[i];
        if (strncmp(name, r->begins, strlen(r->begins)) != 0) continue;
        if (!list) {
            MPNO_TRY(mpno_value_set_list(ctx, map, "published", &list));
            mpno_say(sink, "published for %s (%s):\n", name, r->source);
        }
        mpno_say(sink, "    %-6s RMSE %.2g, nRMSE %.2g\n", r->model, r->rmse, r->nrmse);
        MPNO_TRY(put_row(ctx, r, list));
    }
    return MPNO_OK;
}
