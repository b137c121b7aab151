/* SPDX-License-Identifier: MIT
 * What a plan of precision says: a table of formats by layer and role, policies beside it, a JSON
 * object with every site's measured errors, and the policy file. See tolerance.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/human.h"
#include "train/sink.h"
#include "train/tolerance.h"

/* -------- the plan as text -------- */

static const char *format_name(int choice) {
    return mpno_format_get(mpno_tolerance_formats[choice])->name;
}

/* The format that most sites of a role have; -1: it has none. */
static int usual_format(const mpno_tolerance_job *j, mpno_role role) {
    int count[MPNO_TOLERANCE_FORMATS] = {0}, most = -1;
    for (int i = 0; i < j->n_sites; i++)
        if (j->sites[i].role == role) count[j->sites[i].choice]++;
    for (int f = 0; f < MPNO_TOLERANCE_FORMATS; f++)
        if (count[f] > 0 && (most < 0 || count[f] > count[most])) most = f;
    return most;
}

static mpno_status add_line(const mpno_tolerance_job *j, char *text, const char *layer,
                            mpno_role role, int choice) {
    const size_t length = strlen(text);
    const int n = snprintf(text + length, MPNO_TOLERANCE_STORAGE - length, "%s%s%s%s=%s",
                           length > 0 ? ", " : "", layer, *layer ? "/" : "",
                           mpno_role_text(role, false), format_name(choice));
    MPNO_CHECK(j->ctx, n > 0 && (size_t)n < MPNO_TOLERANCE_STORAGE - length, MPNO_E_UNSUPPORTED,
               "the plan takes more text than %d characters: the model has too many layers",
               MPNO_TOLERANCE_STORAGE);
    return MPNO_OK;
}

/* A line for each role, then one for each site that differs. What is no site stays in f32. */
mpno_status mpno_tolerance_text(const mpno_tolerance_job *j, char text[MPNO_TOLERANCE_STORAGE]) {
    static const mpno_role roles[] = {MPNO_ROLE_ACTIVATION,     MPNO_ROLE_TRANSFORM_IN,
                                      MPNO_ROLE_COLUMNS,        MPNO_ROLE_SPECTRUM,
                                      MPNO_ROLE_TRANSFORM_OUT,  MPNO_ROLE_WEIGHT_LINEAR,
                                      MPNO_ROLE_WEIGHT_SPECTRAL};
    text[0] = '\0';
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        const int usual = usual_format(j, roles[r]);
        MPNO_TRY(add_line(j, text, "", roles[r], usual < 0 ? 0 : usual));
    }
    for (int i = 0; i < j->n_sites; i++) {
        const mpno_tolerance_site *s = &j->sites[i];
        if (s->choice == usual_format(j, s->role)) continue;
        MPNO_TRY(add_line(j, text, s->layer, s->role, s->choice));
        if (s->also[0] != '\0') MPNO_TRY(add_line(j, text, s->also, s->role, s->choice));
    }
    return MPNO_OK;
}

/* {ROLE: FORMAT} of "ROLE=FORMAT, ..". */
static mpno_status put_storage(mpno_ctx *ctx, const char *storage, mpno_value *map) {
    while (storage != NULL && *storage != '\0') {
        char key[64], format[24];
        const int n = (int)strcspn(storage, ","), length = (int)strcspn(storage, "=");
        snprintf(key, sizeof key, "%.*s", length, storage);
        snprintf(format, sizeof format, "%.*s", n - length - 1, storage + length + 1);
        MPNO_TRY(mpno_value_set_string(ctx, map, key, format));
        storage += n;
        storage += strspn(storage, ", ");
    }
    return MPNO_OK;
}

/* "modes": for each block a list, or null. */
static mpno_status put_modes(const mpno_tolerance_job *j, mpno_value *map) {
    const mpno_fno_config *c = mpno_model_config(j->restored->model);
    mpno_value *list = NULL;
    if (j->plan.modes == NULL) {
        MPNO_TRY(mpno_value_null(j->ctx, &list));
        return mpno_value_set(j->ctx, map, "modes", list);
    }
    MPNO_TRY(mpno_value_set_list(j->ctx, map, "modes", &list));
    for (int l = 0; l < (int)c->n_layers; l++) {
        mpno_value *row = NULL;
        MPNO_TRY(mpno_value_list(j->ctx, &row));
        MPNO_TRY(mpno_value_append(j->ctx, list, row));
        for (int d = 0; d < c->ndim; d++)
            MPNO_TRY(mpno_value_append_int(j->ctx, row, (*j->plan.modes)[l][d]));
    }
    return MPNO_OK;
}

static mpno_status put_precision(const mpno_tolerance_job *j, mpno_value *map) {
    mpno_value *precision = NULL, *storage = NULL, *none = NULL;
    const mpno_tolerance_use *p = &j->plan;
    MPNO_TRY(mpno_value_set_map(j->ctx, map, "precision", &precision));
    MPNO_TRY(mpno_value_set_string(j->ctx, precision, "policy", p->policy));
    MPNO_TRY(mpno_value_set_string(j->ctx, precision, "format", mpno_format_get(p->half)->name));
    MPNO_TRY(mpno_value_set_string(j->ctx, precision, "arithmetic", "full"));
    MPNO_TRY(mpno_value_set_string(j->ctx, precision, "rounding", "nearest"));
    MPNO_TRY(mpno_value_set_string(j->ctx, precision, "scaling", "auto"));
    MPNO_TRY(put_modes(j, precision));
    if (p->storage != NULL) {
        MPNO_TRY(mpno_value_set_map(j->ctx, precision, "storage", &storage));
        return put_storage(j->ctx, p->storage, storage);
    }
    MPNO_TRY(mpno_value_null(j->ctx, &none));
    return mpno_value_set(j->ctx, precision, "storage", none);
}

mpno_status mpno_tolerance_policy(const mpno_tolerance_job *j, mpno_value **out) {
    MPNO_TRY(mpno_value_map(j->ctx, out));
    const mpno_status status = put_precision(j, *out);
    if (status != MPNO_OK) mpno_value_destroy(j->ctx, out);
    return status;
}

static mpno_status write_policy(const mpno_tolerance_job *j) {
    mpno_text text = {.ctx = j->ctx};
    mpno_value *map = NULL;
    char *yaml = NULL;
    mpno_status status = mpno_tolerance_policy(j, &map);
    if (status == MPNO_OK) status = mpno_yaml_text(j->ctx, map, &yaml);
    if (status == MPNO_OK)
        status = mpno_text_add(
            &text,
            "# A plan of precision by mpno plan: answers within %.3g of the exact ones (relative "
            "L2\n# distance), proved of %lld samples to be at most %.4g.\n%s",
            j->tolerance, (long long)j->held_out, j->plan.worst, yaml);
    if (status == MPNO_OK)
        status = mpno_file_write_atomic(j->ctx, j->opts->policy_file, text.data, text.size);
    mpno_text_discard(&text);
    mpno_free(j->ctx, yaml);
    mpno_value_destroy(j->ctx, &map);
    return status;
}

/* -------- tables -------- */

static mpno_status say_table(const mpno_tolerance_job *j,
                             mpno_status fill(const mpno_tolerance_job *j, mpno_table *table)) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(j->ctx, &table));
    mpno_status status = fill(j, table);
    if (status == MPNO_OK) status = mpno_say_table(j->ctx, j->sink, table);
    mpno_table_destroy(&table);
    return status;
}

static const mpno_tolerance_site *find(const mpno_tolerance_job *j, const char *layer,
                                       mpno_role role) {
    for (int i = 0; i < j->n_sites; i++)
        if (j->sites[i].role == role && strcmp(j->sites[i].layer, layer) == 0) return &j->sites[i];
    return NULL;
}

/* Whether a layer (or role) is first met at site i. */
static bool first_layer(const mpno_tolerance_job *j, int i) {
    for (int k = 0; k < i; k++)
        if (strcmp(j->sites[k].layer, j->sites[i].layer) == 0) return false;
    return true;
}
static bool first_role(const mpno_tolerance_job *j, int i) {
    for (int k = 0; k < i; k++)
        if (j->sites[k].role == j->sites[i].role) return false;
    return true;
}

static mpno_status fill_sites(const mpno_tolerance_job *j, mpno_table *table) {
    MPNO_TRY(mpno_table_column(table, "layer", MPNO_LEFT));
    for (int i = 0; i < j->n_sites; i++)
        if (first_role(j, i))
            MPNO_TRY(mpno_table_column(table, mpno_role_text(j->sites[i].role, false), MPNO_LEFT));
    for (int i = 0; i < j->n_sites; i++) {
        if (!first_layer(j, i)) continue;
        MPNO_TRY(mpno_table_cell(table, "%s", j->sites[i].layer));
        for (int k = 0; k < j->n_sites; k++) {
            if (!first_role(j, k)) continue;
            const mpno_tolerance_site *s = find(j, j->sites[i].layer, j->sites[k].role);
            MPNO_TRY(mpno_table_cell(table, "%s", s ? format_name(s->choice) : ""));
        }
    }
    return MPNO_OK;
}

/* Numbers of modes, with the error that the cuts of a block make each alone. */
static mpno_status fill_cuts(const mpno_tolerance_job *j, mpno_table *table) {
    static const char *const columns[] = {"block", "axis", "modes", "of", "error of the cut"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        MPNO_TRY(mpno_table_column(table, columns[i], MPNO_RIGHT));
    for (int i = 0; i < j->n_cuts; i++) {
        const mpno_tolerance_cut *c = &j->cuts[i];
        if (c->modes[c->choice] == c->all) continue;
        MPNO_TRY(mpno_table_cell(table, "%d", c->block));
        MPNO_TRY(mpno_table_cell(table, "%d", c->axis));
        MPNO_TRY(mpno_table_cell(table, "%lld", (long long)c->modes[c->choice]));
        MPNO_TRY(mpno_table_cell(table, "%lld", (long long)c->all));
        MPNO_TRY(mpno_table_cell(table, "%.3e", c->error[c->choice]));
    }
    return MPNO_OK;
}

static mpno_status row_of_use(const mpno_tolerance_job *j, const char *name, const char *half,
                              const mpno_tolerance_use *u, mpno_table *table) {
    char text[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_table_cell(table, "%s", name));
    MPNO_TRY(mpno_table_cell(table, "%s", half));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(u->activation_bytes, text)));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(u->copy_bytes, text)));
    if (isfinite(u->seconds))
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(u->seconds, text)));
    else if (j->opts->minimise == MPNO_MINIMISE_TIME)
        MPNO_TRY(mpno_table_cell(table, "-"));
    if (!isfinite(u->error)) {
        MPNO_TRY(mpno_table_cell(table, "overflow"));
        MPNO_TRY(mpno_table_cell(table, "-"));
    } else {
        MPNO_TRY(mpno_table_cell(table, "%.3e", u->error));
        MPNO_TRY(mpno_table_cell(table, "%.3e", u->worst));
    }
    return mpno_table_cell(table, "%s", mpno_tolerance_is_within(j, u) ? "yes" : "no");
}

static mpno_status fill_uses(const mpno_tolerance_job *j, mpno_table *table) {
    static const char *const columns[] = {"policy", "half",  "activations", "copies",
                                          "time",   "error", "at most",     "within"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(columns[i], "time") != 0 || j->opts->minimise == MPNO_MINIMISE_TIME)
            MPNO_TRY(mpno_table_column(table, columns[i], i < 2 ? MPNO_LEFT : MPNO_RIGHT));
    MPNO_TRY(row_of_use(j, "this plan", "", &j->plan, table));
    MPNO_TRY(mpno_table_rule(table));
    for (int i = 0; i < j->n_policies; i++) {
        const mpno_tolerance_use *p = &j->policies[i];
        MPNO_TRY(row_of_use(j, p->policy, i > 0 ? mpno_format_get(p->half)->name : "", p, table));
    }
    return MPNO_OK;
}

/* What samples say on which the plan does not depend. */
static mpno_status say_fresh(const mpno_tolerance_job *j) {
    char claim[512];
    if (j->fresh > 0) {
        mpno_say(j->sink, "new samples: error %.3e over %lld", j->fresh_error, (long long)j->fresh);
        if (isfinite(j->fresh_error))
            mpno_say(j->sink,
                     " (predicted %+.1f %%, by the spread of samples alone +-%.0f %%), median %.3e "
                     "(predicted %+.1f %%)",
                     100 * (j->predicted / j->fresh_error - 1),
                     100 * hypot(j->predicted_uncertainty, j->fresh_uncertainty), j->fresh_median,
                     100 * (j->predicted_median / j->fresh_median - 1));
        mpno_say(j->sink, ", at most %.3e; %lld are not proved to be within %.3g\n", j->fresh_worst,
                 (long long)j->fresh_above, j->tolerance);
    }
    if (j->population.samples == 0) {
        mpno_say(j->sink, "no bound of new samples: %s\n", j->no_population);
        return MPNO_OK;
    }
    mpno_population_claim(&j->population, claim, sizeof claim);
    mpno_say(j->sink, "%s\n", claim);
    mpno_population_sure_claim(&j->population, claim, sizeof claim);
    mpno_say(j->sink, "%s\n", claim);
    mpno_say(j->sink, "This holds if\n");
    for (int i = 0; mpno_population_assumption(i) != NULL; i++)
        mpno_say(j->sink, "  %d. %s\n", i + 1, mpno_population_assumption(i));
    return MPNO_OK;
}

static void say_error(const mpno_tolerance_job *j) {
    const double held_out = j->plan.error;
    mpno_say(j->sink, "error: %.3e +- %.0f %% predicted of new samples, median %.3e", j->predicted,
             100 * j->predicted_uncertainty, j->predicted_median);
    if (j->standard == NULL)
        mpno_say(j->sink,
                 "; on those measured on %.3e by the sum of squares and %.3e measured (%+.1f %%)",
                 j->predicted_same, j->same, 100 * (j->predicted_same / j->same - 1));
    mpno_say(j->sink, "; %.3e measured on those held out (predicted %+.1f %%)\n", held_out,
             100 * (j->predicted / held_out - 1));
}

static mpno_status say(const mpno_tolerance_job *j) {
    char bytes[MPNO_HUMAN_CAPACITY], full[MPNO_HUMAN_CAPACITY];
    const mpno_tolerance_use *p = &j->plan;
    mpno_say(
        j->sink,
        "%s: answers within %.3g of the exact ones (relative L2)%s%s; measured on %lld samples "
        "of %s, proved on %lld others\n",
        j->restored->checkpoint->path, j->tolerance, j->tolerance_from ? ", " : "",
        j->tolerance_from ? j->tolerance_from : "", (long long)j->calibration, j->file,
        (long long)j->held_out);
    if (j->standard == NULL)
        MPNO_TRY(say_table(j, fill_sites));
    else
        mpno_say(j->sink, "no plan found is better than precision.policy=%s precision.format=%s\n",
                 p->policy, mpno_format_get(p->half)->name);
    if (j->plan.modes != NULL) {
        MPNO_TRY(say_table(j, fill_cuts));
        mpno_say(j->sink, "all cuts together: %.3e of the %.3e foretold\n", j->cut_error,
                 j->predicted);
    }
    MPNO_TRY(say_table(j, fill_uses));
    say_error(j);
    mpno_say(j->sink, "proved: at most %.3e in each of %lld samples\n", p->worst,
             (long long)j->held_out);
    MPNO_TRY(say_fresh(j));
    mpno_say(j->sink, "activations of a batch of %lld: %s instead of %s (%.0f %%)\n",
             (long long)j->restored->checkpoint->settings.data.test_batch_size,
             mpno_human_bytes(p->activation_bytes, bytes),
             mpno_human_bytes(j->policies[0].activation_bytes, full),
             100 * (double)p->activation_bytes / (double)j->policies[0].activation_bytes);
    if (j->opts->policy_file != NULL)
        mpno_say(j->sink, "policy in %s: --config %s\n", j->opts->policy_file,
                 j->opts->policy_file);
    return MPNO_OK;
}

/* -------- JSON -------- */

static mpno_status put_use(mpno_ctx *ctx, const mpno_tolerance_use *u, mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "policy", u->policy));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", mpno_format_get(u->half)->name));
    if (u->storage != NULL) MPNO_TRY(mpno_value_set_string(ctx, map, "storage", u->storage));
    MPNO_TRY(mpno_value_set_int(ctx, map, "activation_bytes", (int64_t)u->activation_bytes));
    MPNO_TRY(mpno_value_set_int(ctx, map, "weight_copy_bytes", (int64_t)u->copy_bytes));
    if (isfinite(u->seconds))
        MPNO_TRY(mpno_value_set_real(ctx, map, "seconds_estimate", u->seconds));
    MPNO_TRY(mpno_value_set_bool(ctx, map, "finite", isfinite(u->error)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "error", u->error));
    MPNO_TRY(mpno_value_set_real(ctx, map, "error_at_most", u->worst));
    return mpno_value_set_real(ctx, map, "farthest_reference", u->reference_worst);
}

static mpno_status put_site(mpno_ctx *ctx, const mpno_tolerance_site *s, mpno_value *list) {
    mpno_value *map = NULL, *errors = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map));
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", s->layer));
    if (s->also[0] != '\0') MPNO_TRY(mpno_value_set_string(ctx, map, "also", s->also));
    MPNO_TRY(mpno_value_set_string(ctx, map, "role", mpno_role_text(s->role, false)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", format_name(s->choice)));
    MPNO_TRY(mpno_value_set_real(ctx, map, "largest", s->largest));
    MPNO_TRY(mpno_value_set_map(ctx, map, "error", &errors));
    for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++)
        MPNO_TRY(mpno_value_set_real(ctx, errors, format_name(f), s->error[f]));
    return MPNO_OK;
}

static mpno_status put_cut(mpno_ctx *ctx, const mpno_tolerance_cut *c, mpno_value *list) {
    mpno_value *map = NULL, *tried = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map));
    MPNO_TRY(mpno_value_set_int(ctx, map, "block", c->block));
    MPNO_TRY(mpno_value_set_int(ctx, map, "axis", c->axis));
    MPNO_TRY(mpno_value_set_int(ctx, map, "all", c->all));
    MPNO_TRY(mpno_value_set_int(ctx, map, "modes", c->modes[c->choice]));
    MPNO_TRY(mpno_value_set_list(ctx, map, "tried", &tried));
    for (int i = 0; i < c->n_tried; i++) {
        mpno_value *entry = NULL;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        MPNO_TRY(mpno_value_append(ctx, tried, entry));
        MPNO_TRY(mpno_value_set_int(ctx, entry, "modes", c->tried[i]));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "error", c->tried_error[i]));
    }
    return MPNO_OK;
}

static mpno_status put_fresh(const mpno_tolerance_job *j, mpno_value *map) {
    mpno_ctx *ctx = j->ctx;
    mpno_value *fresh = NULL, *population = NULL, *assumptions = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "new_samples", &fresh));
    MPNO_TRY(mpno_value_set_int(ctx, fresh, "samples", j->fresh));
    MPNO_TRY(mpno_value_set_real(ctx, fresh, "error", j->fresh_error));
    MPNO_TRY(mpno_value_set_real(ctx, fresh, "error_uncertainty", j->fresh_uncertainty));
    MPNO_TRY(mpno_value_set_real(ctx, fresh, "median", j->fresh_median));
    MPNO_TRY(mpno_value_set_real(ctx, fresh, "error_at_most", j->fresh > 0 ? j->fresh_worst : NAN));
    MPNO_TRY(mpno_value_set_int(ctx, fresh, "above_tolerance", j->fresh_above));
    if (j->population.samples == 0)
        return mpno_value_set_string(ctx, map, "no_population", j->no_population);
    MPNO_TRY(mpno_population_value(ctx, &j->population, &population));
    MPNO_TRY(mpno_value_set(ctx, map, "population", population));
    MPNO_TRY(mpno_population_assumptions(ctx, &assumptions));
    return mpno_value_set(ctx, map, "assumptions", assumptions);
}

mpno_status mpno_tolerance_put_plan(const mpno_tolerance_job *j, mpno_value *map) {
    mpno_ctx *ctx = j->ctx;
    mpno_value *plan = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, map, "data", j->file));
    MPNO_TRY(mpno_value_set_int(ctx, map, "calibration_samples", j->calibration));
    MPNO_TRY(mpno_value_set_int(ctx, map, "held_out_samples", j->held_out));
    MPNO_TRY(mpno_value_set_int(ctx, map, "reference_samples", j->references));
    MPNO_TRY(mpno_value_set_real(ctx, map, "tolerance", j->tolerance));
    MPNO_TRY(mpno_value_set_string(ctx, map, "minimise",
                                   j->opts->minimise == MPNO_MINIMISE_TIME ? "time" : "memory"));
    MPNO_TRY(mpno_value_set_map(ctx, map, "plan", &plan));
    MPNO_TRY(put_use(ctx, &j->plan, plan));
    MPNO_TRY(put_modes(j, plan));
    MPNO_TRY(mpno_value_set_bool(ctx, plan, "is_policy", j->standard != NULL));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "error_of_cuts", j->cut_error));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "error_predicted", j->predicted));
    MPNO_TRY(
        mpno_value_set_real(ctx, plan, "error_predicted_uncertainty", j->predicted_uncertainty));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "median_predicted", j->predicted_median));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "error_same_samples", j->same));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "error_predicted_same_samples", j->predicted_same));
    MPNO_TRY(mpno_value_set_real(ctx, plan, "safety", j->safety));
    return mpno_value_set_int(ctx, plan, "tries", j->n_tries);
}

static mpno_status put_all(const mpno_tolerance_job *j, mpno_value *map) {
    mpno_ctx *ctx = j->ctx;
    mpno_value *sites = NULL, *policies = NULL, *cuts = NULL;
    MPNO_TRY(mpno_tolerance_put_plan(j, map));
    if (j->opts->policy_file != NULL)
        MPNO_TRY(mpno_value_set_string(ctx, map, "policy_file", j->opts->policy_file));
    MPNO_TRY(put_fresh(j, map));
    mpno_value *spread = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "spread", &spread));
    for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++)
        MPNO_TRY(mpno_value_set_real(ctx, spread, format_name(f), j->spread[f]));
    MPNO_TRY(mpno_value_set_list(ctx, map, "sites", &sites));
    for (int i = 0; i < j->n_sites && j->standard == NULL; i++)
        MPNO_TRY(put_site(ctx, &j->sites[i], sites));
    MPNO_TRY(mpno_value_set_list(ctx, map, "cuts", &cuts));
    for (int i = 0; i < j->n_cuts && j->standard == NULL; i++)
        MPNO_TRY(put_cut(ctx, &j->cuts[i], cuts));
    MPNO_TRY(mpno_value_set_list(ctx, map, "policies", &policies));
    for (int i = 0; i < j->n_policies; i++) {
        mpno_value *entry = NULL;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        MPNO_TRY(mpno_value_append(ctx, policies, entry));
        MPNO_TRY(put_use(ctx, &j->policies[i], entry));
    }
    return mpno_restored_report(ctx, j->restored, map);
}

mpno_status mpno_tolerance_report(const mpno_tolerance_job *j, char **json) {
    mpno_value *map = NULL;
    if (j->opts->policy_file != NULL) MPNO_TRY(write_policy(j));
    MPNO_TRY(say(j));
    if (json == NULL) return MPNO_OK;
    MPNO_TRY(mpno_value_map(j->ctx, &map));
    mpno_status status = put_all(j, map);
    if (status == MPNO_OK) status = mpno_json_text(j->ctx, map, false, json);
    mpno_value_destroy(j->ctx, &map);
    return status;
}
