/* SPDX-License-Identifier: MIT
 * An experiment from its name to its report. See mpno/experiment.h. */
#include "mpno/experiment.h"

#include <string.h>

#include "core/memory.h"
#include "experiment/results.h"
#include "experiment/theorem.h"
#include "train/sink.h"

static const struct {
    const char *name, *summary;
} experiments[] = {
#define X(id, name, summary) {name, summary},
#include "experiment/experiments.def"
#undef X
};

/* Generated from grids/ID.yaml. */
#define X(id, name, summary) extern const char mpno_grid_text_##id[];
#include "experiment/experiments.def"
#undef X

static const char *const texts[] = {
#define X(id, name, summary) mpno_grid_text_##id,
#include "experiment/experiments.def"
#undef X
};

const char *mpno_experiment_text(size_t i, const char *what) {
    if (i >= sizeof experiments / sizeof *experiments) return NULL;
    if (strcmp(what, "name") == 0) return experiments[i].name;
    if (strcmp(what, "summary") == 0) return experiments[i].summary;
    return strcmp(what, "text") == 0 ? texts[i] : NULL;
}

mpno_status mpno_experiment(mpno_ctx *ctx, const char *name, const mpno_experiment_opts *opts,
                            const mpno_sink *sink, char **json) {
    mpno_design design;
    mpno_campaign campaign = {0};
    mpno_value *tree = NULL;
    if (json != NULL) *json = NULL;
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_experiment_opts: size is %zu, expected %zu; start from "
               "MPNO_EXPERIMENT_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_TRY(mpno_design_read(ctx, name, opts, &design));
    mpno_status status = MPNO_OK;
    if (design.theorem != NULL) {
        status = mpno_theorem_run(&design, opts, sink, &tree);
    } else {
        status = mpno_campaign_run(ctx, &design, opts, sink, &campaign);
        if (status == MPNO_OK) status = mpno_results_write(&campaign, &tree);
        if (status == MPNO_OK) mpno_say(sink, "report in %s/report.md\n", campaign.folder);
    }
    if (status == MPNO_OK && json != NULL) status = mpno_json_text(ctx, tree, false, json);
    mpno_value_destroy(ctx, &tree);
    mpno_campaign_clear(&campaign);
    mpno_design_clear(&design);
    return status;
}
