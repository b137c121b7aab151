/* SPDX-License-Identifier: MIT
 * What formats do: the tensors that a prediction stores, in which steps they are in memory, and how
 * far the answer moves where one site alone is stored in each format (one run each). See
 * tolerance.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "model/tally.h"
#include "number/format.h"
#include "train/sink.h"
#include "train/tolerance.h"

enum { ROUNDS = 5, SITE_TEXT = 160 };

const mpno_format mpno_tolerance_formats[MPNO_TOLERANCE_FORMATS] = {MPNO_F32, MPNO_F16, MPNO_BF16,
                                                                    MPNO_F8E4M3};

/* What has no scale must leave room for other samples' values, as mpno advise asks for. */
static const double LEAST_HEADROOM = 4;
/* A difference in time that counts, of the whole. */
static const double LEAST_TIME = 0.02;

static const mpno_role planned_roles[] = {MPNO_ROLE_ACTIVATION,    MPNO_ROLE_TRANSFORM_IN,
                                          MPNO_ROLE_COLUMNS,       MPNO_ROLE_SPECTRUM,
                                          MPNO_ROLE_TRANSFORM_OUT, MPNO_ROLE_WEIGHT_SPECTRAL};
static const mpno_role weight_roles[] = {MPNO_ROLE_WEIGHT_LINEAR, MPNO_ROLE_WEIGHT_SPECTRAL};

/* -------- networks -------- */

mpno_predictor_opts mpno_tolerance_storage(const mpno_tolerance_job *j,
                                           const mpno_tolerance_use *use) {
    mpno_predictor_opts opts = mpno_restored_opts(j->restored);
    opts.policy = use->policy;
    opts.half = use->half;
    opts.arithmetic = MPNO_F32;
    opts.storage = (mpno_storage_opts){.exceptions = use->storage,
                                       .rounding = MPNO_ROUND_NEAREST_EVEN,
                                       .scaling = MPNO_SCALING_AUTO};
    memset(opts.most_modes, 0, sizeof opts.most_modes);
    if (use->modes != NULL) memcpy(opts.most_modes, *use->modes, sizeof opts.most_modes);
    opts.memory_limit = 0;
    return opts;
}

/* Of a batch of evaluation, planned alone. */
static mpno_status plan_network(const mpno_tolerance_job *j, const mpno_tolerance_use *use,
                                mpno_network **out) {
    const mpno_predictor_opts o = mpno_tolerance_storage(j, use);
    const mpno_network_opts opts = mpno_predictor_network(j->data, o.batch, &o);
    return mpno_network_plan(j->restored->model, &opts, out);
}

mpno_status mpno_tolerance_cost(const mpno_tolerance_job *j, mpno_tolerance_use *use) {
    mpno_network *network;
    MPNO_TRY(plan_network(j, use, &network));
    const mpno_network_cost cost = mpno_network_get_cost(network);
    use->activation_bytes = cost.activation_bytes;
    use->copy_bytes = cost.weight_copy_bytes;
    use->seconds = NAN;
    mpno_network_destroy(&network);
    return MPNO_OK;
}

static mpno_status time_steps(const mpno_tolerance_job *j, const mpno_exec *exec, double *sum) {
    double *seconds, bandwidth;
    const int n = mpno_exec_n_steps(exec);
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)n, sizeof *seconds, &seconds));
    const mpno_status status = mpno_exec_estimate(exec, seconds, &bandwidth);
    *sum = 0;
    for (int i = 0; i < n && status == MPNO_OK; i++) *sum += seconds[i];
    mpno_free(j->ctx, seconds);
    return status;
}

/* One estimate; *least becomes it where it is less. */
static mpno_status estimate(const mpno_tolerance_job *j, const mpno_tolerance_use *use,
                            double *least) {
    mpno_network *network;
    double seconds = 0;
    MPNO_TRY(plan_network(j, use, &network));
    const mpno_exec *exec = mpno_network_exec(network);
    const mpno_status status =
        j->estimate ? j->estimate(exec, &seconds) : time_steps(j, exec, &seconds);
    mpno_network_destroy(&network);
    if (status == MPNO_OK && !(*least <= seconds)) *least = seconds;
    return status;
}

mpno_status mpno_tolerance_times(const mpno_tolerance_job *j, mpno_tolerance_use *uses, int n) {
    for (int i = 0; i < n; i++) uses[i].seconds = NAN;
    for (int k = 0; k < ROUNDS; k++)
        for (int i = 0; i < n; i++) {
            MPNO_TRY(estimate(j, &uses[i], &uses[i].seconds));
            MPNO_CHECK(j->ctx, !mpno_stop_wanted(j->sink), MPNO_E_STOPPED,
                       "stopped before all formats were timed");
        }
    return MPNO_OK;
}

/* -------- answers -------- */

double mpno_tolerance_distance(const double *a, const double *b, int64_t n) {
    double square = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        square += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return size > 0 ? sqrt(square / size) : square > 0 ? INFINITY : 0;
}

static mpno_status answer(const mpno_tolerance_job *j, mpno_predictor *predictor, int64_t first,
                          int64_t n, double *out) {
    for (int64_t i = 0; i < n; i += predictor->opts.batch) {
        const int64_t left = n - i,
                      batch = left < predictor->opts.batch ? left : predictor->opts.batch;
        MPNO_TRY(mpno_predictor_run(predictor, first + i, batch));
        mpno_cast(out + i * j->values, MPNO_F64, predictor->y, j->data->format,
                  (size_t)(batch * j->values));
    }
    return MPNO_OK;
}

mpno_status mpno_tolerance_answer(const mpno_tolerance_job *j, const mpno_tolerance_use *use,
                                  int64_t first, int64_t n, double *out, bool *finite) {
    const mpno_predictor_opts opts = mpno_tolerance_storage(j, use);
    mpno_predictor predictor;
    MPNO_TRY(mpno_predictor_create(j->restored->model, j->ctx, j->data, n, &opts, &predictor));
    const mpno_status status = answer(j, &predictor, first, n, out);
    mpno_predictor_destroy(&predictor);
    *finite = status == MPNO_OK;
    return status == MPNO_E_NUMERIC ? MPNO_OK : status;
}

mpno_status mpno_tolerance_moved(const mpno_tolerance_job *j, const mpno_tolerance_use *use,
                                 double *room, double *out) {
    bool finite = false;
    double sum = 0;
    *out = INFINITY;
    MPNO_TRY(mpno_tolerance_answer(j, use, 0, j->calibration, room, &finite));
    if (!finite) return MPNO_OK;
    for (int64_t i = 0; i < j->calibration; i++) {
        const double d =
            mpno_tolerance_distance(room + i * j->values, j->full + i * j->values, j->values);
        sum += d * d;
    }
    *out = sqrt(sum / (double)j->calibration);
    return MPNO_OK;
}

/* -------- sites -------- */

static bool is_planned(mpno_role role) {
    for (size_t i = 0; i < sizeof planned_roles / sizeof planned_roles[0]; i++)
        if (role == planned_roles[i]) return true;
    return false;
}

/* The site of a role in a layer, made where there is none yet; -1: there is no room. */
static int find_site(mpno_tolerance_job *j, const char *layer, mpno_role role) {
    for (int i = 0; i < j->n_sites; i++)
        if (j->sites[i].role == role &&
            (strcmp(j->sites[i].layer, layer) == 0 || strcmp(j->sites[i].also, layer) == 0))
            return i;
    if (j->n_sites == MPNO_TOLERANCE_SITES) return -1;
    mpno_tolerance_site *site = &j->sites[j->n_sites];
    *site = (mpno_tolerance_site){.role = role, .staged = -1};
    snprintf(site->layer, sizeof site->layer, "%s", layer);
    return j->n_sites++;
}

static bool same_tensors(const mpno_exec *a, const mpno_exec *b) {
    bool same = mpno_exec_n_tensors(a) == mpno_exec_n_tensors(b);
    for (int i = 0; same && i < mpno_exec_n_tensors(a); i++)
        same = mpno_exec_tensor_at(a, i).edge == mpno_exec_tensor_at(b, i).edge;
    return same;
}

void mpno_tolerance_everything(int format, char *storage, size_t capacity) {
    const char *name = mpno_format_get(mpno_tolerance_formats[format])->name;
    storage[0] = '\0';
    for (size_t i = 0; i < sizeof planned_roles / sizeof planned_roles[0]; i++) {
        const size_t length = strlen(storage);
        /* weights that are made of factors have no scales */
        const bool narrow = planned_roles[i] == MPNO_ROLE_WEIGHT_SPECTRAL &&
                            mpno_format_bytes(mpno_tolerance_formats[format]) == 1;
        snprintf(storage + length, capacity - length, "%s=%s,",
                 mpno_role_text(planned_roles[i], false), narrow ? "f32" : name);
    }
}

/* Bytes of each tensor with everything planned in a format. */
static mpno_status find_bytes(mpno_tolerance_job *j, const mpno_exec *full, int format) {
    char storage[512];
    const char *name = mpno_format_get(mpno_tolerance_formats[format])->name;
    mpno_tolerance_everything(format, storage, sizeof storage);
    const mpno_tolerance_use use = {.policy = "full", .half = MPNO_F16, .storage = storage};
    mpno_network *network;
    MPNO_TRY(plan_network(j, &use, &network));
    const mpno_exec *exec = mpno_network_exec(network);
    const bool same = same_tensors(full, exec);
    for (int i = 0; same && i < j->n_tensors; i++)
        j->tensors[i].bytes[format] = mpno_exec_tensor_at(exec, i).bytes;
    mpno_network_destroy(&network);
    MPNO_CHECK(j->ctx, same, MPNO_E_UNSUPPORTED,
               "with everything in %s the model stores other tensors than in f32: such a model "
               "cannot be planned",
               name);
    return MPNO_OK;
}

/* A tensor that begins where another ends, in the step that reads the latter, lies in its place. */
static void find_places(mpno_tolerance_job *j, const mpno_exec *exec) {
    for (int i = 0; i < j->n_tensors; i++) {
        const mpno_exec_tensor heir = mpno_exec_tensor_at(exec, i);
        for (int k = 0; k < j->n_tensors && heir.bytes > 0; k++) {
            const mpno_exec_tensor t = mpno_exec_tensor_at(exec, k);
            if (k != i && t.last == heir.first && t.first < t.last && t.offset == heir.offset &&
                t.bytes > 0)
                j->tensors[i].takes = k;
        }
    }
}

/* Padding and cropping copy numbers, as they are stored, into the next layer: what is rounded there
 * was rounded already. Where its tensors are stored in the format of those that they are copied
 * from, one rounding counts, not two; in a wider one the copy is no better, so that this is the one
 * choice that makes sense of both. */
static void find_copies(mpno_tolerance_job *j, const mpno_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        if (node->op != &mpno_op_pad && node->op != &mpno_op_crop) continue;
        const mpno_edge *from = &graph->edges[node->in[0]], *to = &graph->edges[node->out[0]];
        if (from->layer == to->layer || from->role != to->role || !is_planned(to->role)) continue;
        const int site = find_site(j, graph->layers[from->layer], from->role);
        if (site < 0 || j->sites[site].also[0] != '\0') continue;
        snprintf(j->sites[site].also, sizeof j->sites[site].also, "%s", graph->layers[to->layer]);
    }
}

/* What transforms read is staged in a format of its own. Mostly that is done by the program that
 * makes the field, from numbers that no store has rounded: then the field's rounding and the
 * staged one's go different ways (skip and transform), and both count. A field that a whole op
 * made, such as padding, is loaded instead. */
static void find_staged(mpno_tolerance_job *j, const mpno_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        if (node->op != &mpno_op_stage) continue;
        const mpno_edge *from = &graph->edges[node->in[0]], *to = &graph->edges[node->out[0]];
        if (from->producer < 0 || graph->nodes[from->producer].op->class != MPNO_OP_WHOLE ||
            !is_planned(from->role))
            continue;
        const int source = find_site(j, graph->layers[from->layer], from->role),
                  site = find_site(j, graph->layers[to->layer], to->role);
        if (source >= 0 && site >= 0) j->sites[site].staged = source;
    }
}

bool mpno_tolerance_is_copy(const mpno_tolerance_job *j, int site) {
    const mpno_tolerance_site *s = &j->sites[site];
    return s->staged >= 0 && j->sites[s->staged].choice == s->choice;
}

static mpno_status list_tensors(mpno_tolerance_job *j, const mpno_network *network) {
    const mpno_exec *exec = mpno_network_exec(network);
    const mpno_graph *graph = mpno_network_graph(network);
    j->n_tensors = mpno_exec_n_tensors(exec);
    j->n_steps = mpno_exec_n_steps(exec);
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)j->n_tensors, sizeof *j->tensors, &j->tensors));
    MPNO_TRY(mpno_alloc_array(j->ctx, (size_t)j->n_steps, sizeof *j->scratch, &j->scratch));
    find_copies(j, graph);
    for (int s = 0; s < j->n_steps; s++) j->scratch[s] = mpno_exec_step_at(exec, s).scratch_bytes;
    for (int i = 0; i < j->n_tensors; i++) {
        const mpno_exec_tensor t = mpno_exec_tensor_at(exec, i);
        const mpno_edge *edge = &graph->edges[t.edge];
        const bool planned = is_planned(edge->role) && t.format == MPNO_F32;
        j->tensors[i] = (mpno_planner_tensor){
            .site = planned ? find_site(j, graph->layers[edge->layer], edge->role) : -1,
            .bytes = {t.bytes},
            .first = t.first,
            .last = t.last,
            .takes = -1};
    }
    find_places(j, exec);
    find_staged(j, graph);
    for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++) MPNO_TRY(find_bytes(j, exec, f));
    return MPNO_OK;
}

/* Copies of weights: more memory than none, so that they are for time alone. */
static void add_weights(mpno_tolerance_job *j, const mpno_network *network) {
    for (int l = 0; l < mpno_network_n_layers(network); l++)
        for (size_t r = 0; r < sizeof weight_roles / sizeof weight_roles[0]; r++)
            (void)find_site(j, mpno_network_layer(network, l).layer, weight_roles[r]);
}

static mpno_status find_sites(mpno_tolerance_job *j) {
    mpno_network *network;
    MPNO_TRY(plan_network(j, &j->policies[0], &network));
    mpno_status status = list_tensors(j, network);
    if (status == MPNO_OK && j->opts->minimise == MPNO_MINIMISE_TIME) add_weights(j, network);
    mpno_network_destroy(&network);
    return status;
}

/* -------- errors -------- */

/* The answers in f32, and the largest values of their tensors. */
static mpno_status run_full(mpno_tolerance_job *j) {
    const mpno_predictor_opts opts = mpno_tolerance_storage(j, &j->policies[0]);
    mpno_predictor predictor;
    mpno_tally tally;
    MPNO_TRY(mpno_predictor_create(j->restored->model, j->ctx, j->data, j->calibration, &opts,
                                   &predictor));
    mpno_status status = mpno_tally_create(predictor.network, j->ctx->n_threads, j->ctx, &tally);
    if (status == MPNO_OK) {
        const mpno_observer observer = mpno_tally_observer(&tally);
        const mpno_graph *graph = mpno_network_graph(predictor.network);
        mpno_network_observe(predictor.network, &observer);
        status = answer(j, &predictor, 0, j->calibration, j->full);
        for (int e = 0; e < tally.n_edges; e++) {
            const mpno_edge *edge = &graph->edges[e];
            if (tally.edges[e].values == 0 || !is_planned(edge->role)) continue;
            const int site = find_site(j, graph->layers[edge->layer], edge->role);
            if (site < 0) continue;
            j->sites[site].largest = fmax(j->sites[site].largest,
                                          mpno_census_largest(&tally.edges[e], tally.formats[e]));
        }
        mpno_tally_clear(&tally);
    }
    mpno_predictor_destroy(&predictor);
    return status;
}

/* May be taken at all: f16 has no scale, weights that are made of factors get none. */
static bool is_possible(const mpno_tolerance_site *site, mpno_format format) {
    const bool weight =
        site->role == MPNO_ROLE_WEIGHT_LINEAR || site->role == MPNO_ROLE_WEIGHT_SPECTRAL;
    if (format == MPNO_F16 && site->largest * LEAST_HEADROOM > mpno_format_max(format))
        return false;
    return !(weight && mpno_format_bytes(format) == 1);
}

/* "LAYER/ROLE=FORMAT" */
static void say_site(const mpno_tolerance_site *site, int format, char text[SITE_TEXT]) {
    const char *role = mpno_role_text(site->role, false),
               *name = mpno_format_get(mpno_tolerance_formats[format])->name;
    const int n = snprintf(text, SITE_TEXT, "%s/%s=%s", site->layer, role, name);
    if (site->also[0] != '\0')
        snprintf(text + n, (size_t)(SITE_TEXT - n), ", %s/%s=%s", site->also, role, name);
}

static mpno_status measure(const mpno_tolerance_job *j, mpno_tolerance_site *site, int format,
                           double *room) {
    char storage[SITE_TEXT];
    mpno_tolerance_use use = {.policy = "full", .half = MPNO_F16, .storage = storage};
    site->error[format] = INFINITY;
    if (!is_possible(site, mpno_tolerance_formats[format])) return MPNO_OK;
    say_site(site, format, storage);
    return mpno_tolerance_moved(j, &use, room, &site->error[format]);
}

/* -------- time -------- */

/* less than that is noise */
static double difference(const mpno_tolerance_use *use, const mpno_tolerance_use *full) {
    const double more = use->seconds - full->seconds;
    return fabs(more) < LEAST_TIME * full->seconds ? 0 : more;
}

/* The choices of a cut in turn with everything else as in f32. */
static mpno_status time_cut(mpno_tolerance_job *j, mpno_tolerance_cut *c) {
    mpno_tolerance_modes modes[MPNO_PLANNER_CHOICES] = {{{0}}};
    mpno_tolerance_use uses[MPNO_PLANNER_CHOICES];
    for (int k = 0; k < MPNO_PLANNER_CHOICES; k++) {
        uses[k] = j->policies[0];
        modes[k][c->block][c->axis] = c->modes[k];
        uses[k].modes = (const mpno_tolerance_modes *)&modes[k];
    }
    MPNO_TRY(mpno_tolerance_times(j, uses, MPNO_PLANNER_CHOICES));
    for (int k = 1; k < MPNO_PLANNER_CHOICES; k++) c->seconds[k] = difference(&uses[k], &uses[0]);
    return MPNO_OK;
}

static mpno_status time_cuts(mpno_tolerance_job *j) {
    for (int i = 0; i < j->n_cuts; i++) {
        bool any = false;
        for (int k = 1; k < MPNO_PLANNER_CHOICES; k++) any = any || isfinite(j->cuts[i].error[k]);
        if (any) MPNO_TRY(time_cut(j, &j->cuts[i]));
    }
    return MPNO_OK;
}

/* What each site takes more, alone in each format, than everything in f32. */
static mpno_status time_sites(mpno_tolerance_job *j, mpno_tolerance_use *uses, char *texts) {
    int n = 1;
    uses[0] = j->policies[0];
    for (int i = 0; i < j->n_sites; i++)
        for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++) {
            if (!isfinite(j->sites[i].error[f])) continue;
            char *text = texts + (size_t)n * SITE_TEXT;
            say_site(&j->sites[i], f, text);
            uses[n++] = (mpno_tolerance_use){.policy = "full", .half = MPNO_F16, .storage = text};
        }
    MPNO_TRY(mpno_tolerance_times(j, uses, n));
    n = 1;
    for (int i = 0; i < j->n_sites; i++)
        for (int f = 1; f < MPNO_TOLERANCE_FORMATS; f++) {
            if (!isfinite(j->sites[i].error[f])) continue;
            j->sites[i].seconds[f] = difference(&uses[n++], &uses[0]);
        }
    return time_cuts(j);
}

static mpno_status measure_times(mpno_tolerance_job *j) {
    const size_t n = (size_t)j->n_sites * (MPNO_TOLERANCE_FORMATS - 1) + 1;
    mpno_tolerance_use *uses = NULL;
    char *texts = NULL;
    mpno_status status = mpno_alloc_array(j->ctx, n, sizeof *uses, &uses);
    if (status == MPNO_OK) status = mpno_alloc_array(j->ctx, n, SITE_TEXT, &texts);
    if (status == MPNO_OK) status = time_sites(j, uses, texts);
    mpno_free(j->ctx, uses);
    mpno_free(j->ctx, texts);
    return status;
}

mpno_status mpno_tolerance_measure(mpno_tolerance_job *j) {
    double *room = NULL;
    const size_t n = (size_t)(j->calibration * j->values);
    MPNO_TRY(find_sites(j));
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *j->full, &j->full));
    MPNO_TRY(run_full(j));
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *room, &room));
    mpno_status status = MPNO_OK;
    for (int s = 0; s < j->n_sites; s++)
        for (int f = 1; f < MPNO_TOLERANCE_FORMATS && status == MPNO_OK; f++) {
            status = measure(j, &j->sites[s], f, room);
            if (status == MPNO_OK && mpno_stop_wanted(j->sink))
                status = mpno_fail(j->ctx, MPNO_E_STOPPED, "stopped before all formats were tried");
        }
    if (status == MPNO_OK) status = mpno_tolerance_measure_cuts(j, j->tolerance, room);
    mpno_free(j->ctx, room);
    if (status == MPNO_OK && j->opts->minimise == MPNO_MINIMISE_TIME) status = measure_times(j);
    return status;
}
