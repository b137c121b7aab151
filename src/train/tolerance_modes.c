/* SPDX-License-Identifier: MIT
 * What fewer modes do: the modes of each block along each axis are cut from the outside in steps,
 * everything stored in f32, and the answer is compared with the one of all modes (one run each).
 * Against that answer, truncation is an error like rounding. Cuts of the same block along two axes,
 * and of blocks that follow each other, need not be independent as roundings are: those of a plan
 * are run together once more, on more samples, and what that gives enters the sum. See tolerance.h.
 */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "model/network.h"
#include "train/sink.h"
#include "train/tolerance.h"

/* Parts of the budget near which the errors of the choices lie. */
static const double parts[MPNO_PLANNER_CHOICES] = {0, 0.25, 0.55, 0.9};

static mpno_status plan_full(const mpno_tolerance_job *j, const mpno_tolerance_modes *modes,
                             mpno_network **out) {
    mpno_tolerance_use use = j->policies[0];
    use.modes = modes;
    const mpno_predictor_opts o = mpno_tolerance_storage(j, &use);
    const mpno_network_opts opts = mpno_predictor_network(j->data, o.batch, &o);
    return mpno_network_plan(j->restored->model, &opts, out);
}

/* -------- which there are -------- */

static void add_cut(mpno_tolerance_job *j, int block, int axis, int64_t all) {
    mpno_tolerance_cut *c = &j->cuts[j->n_cuts++];
    int64_t step = all / MPNO_TOLERANCE_LEVELS;
    step = step < 2 ? 2 : step + step % 2;
    *c = (mpno_tolerance_cut){.block = block, .axis = axis, .all = all};
    for (int64_t n = all - step; n >= 2 && c->n_tried < MPNO_TOLERANCE_LEVELS; n -= step)
        c->tried[c->n_tried++] = n;
    for (int k = 0; k < MPNO_PLANNER_CHOICES; k++) c->modes[k] = all, c->error[k] = INFINITY;
    c->error[0] = 0;
}

static mpno_status list_cuts(mpno_tolerance_job *j) {
    const mpno_fno_config *c = mpno_model_config(j->restored->model);
    mpno_network *network;
    if (c->compat == MPNO_COMPAT_NEURALOP && c->max_n_modes[0] == 0) return MPNO_OK;
    MPNO_TRY(plan_full(j, NULL, &network));
    for (int l = 0; l < (int)c->n_layers; l++)
        for (int d = 0; d < c->ndim && j->n_cuts < MPNO_TOLERANCE_CUTS; d++) {
            const int64_t kept = mpno_network_edges(network)->kept[l][d];
            const bool half = d == c->ndim - 1 && !c->complex_data;
            add_cut(j, l, d, half ? 2 * (kept - 1) : kept);
        }
    mpno_network_destroy(&network);
    return MPNO_OK;
}

/* -------- what they do -------- */

static void set_modes(const mpno_tolerance_cut *c, int64_t n, mpno_tolerance_modes modes) {
    memset(modes, 0, sizeof(mpno_tolerance_modes));
    modes[c->block][c->axis] = n;
}

static mpno_status measure(const mpno_tolerance_job *j, mpno_tolerance_cut *c, double budget,
                           double *room) {
    mpno_tolerance_modes modes;
    mpno_tolerance_use use = j->policies[0];
    use.modes = (const mpno_tolerance_modes *)&modes;
    for (int i = 0; i < c->n_tried; i++) {
        set_modes(c, c->tried[i], modes);
        MPNO_TRY(mpno_tolerance_moved(j, &use, room, &c->tried_error[i]));
        if (!(c->tried_error[i] <= budget)) c->n_tried = i + 1; /* fewer modes are worse */
        MPNO_CHECK(j->ctx, !mpno_stop_wanted(j->sink), MPNO_E_STOPPED,
                   "stopped before all numbers of modes were tried");
    }
    return MPNO_OK;
}

/* For each part of the budget the fewest modes whose error is within it. */
static void choose_levels(mpno_tolerance_cut *c, double budget) {
    for (int k = 1; k < MPNO_PLANNER_CHOICES; k++)
        for (int i = 0; i < c->n_tried; i++) {
            if (!(c->tried_error[i] <= parts[k] * budget)) break;
            c->modes[k] = c->tried[i];
            c->error[k] = c->tried_error[i];
        }
    for (int k = 2; k < MPNO_PLANNER_CHOICES; k++)
        if (c->modes[k] == c->modes[k - 1]) c->error[k] = INFINITY; /* the same one */
}

/* What is left of each tensor of the network of all modes by a choice of a cut; *same: no tensor
 * comes or goes. */
static mpno_status find_shares(const mpno_tolerance_job *j, const mpno_network *all,
                               const mpno_tolerance_cut *c, int k, double *share, bool *same) {
    mpno_tolerance_modes modes;
    mpno_network *network = NULL;
    set_modes(c, c->modes[k], modes);
    const mpno_status status = plan_full(j, (const mpno_tolerance_modes *)&modes, &network);
    *same = status == MPNO_OK && mpno_exec_n_tensors(mpno_network_exec(network)) == j->n_tensors;
    for (int i = 0; *same && i < j->n_tensors; i++) {
        const mpno_exec_tensor was = mpno_exec_tensor_at(mpno_network_exec(all), i),
                               is = mpno_exec_tensor_at(mpno_network_exec(network), i);
        *same = was.edge == is.edge && is.bytes <= was.bytes;
        share[i] = was.bytes > 0 ? (double)is.bytes / (double)was.bytes : 1;
    }
    mpno_network_destroy(&network);
    return status;
}

/* Gives the tensors that cut number `index` makes smaller their shares. */
static mpno_status share_out(mpno_tolerance_job *j, int index) {
    mpno_tolerance_cut *c = &j->cuts[index];
    double *share;
    mpno_network *all;
    const size_t n = (size_t)j->n_tensors;
    MPNO_TRY(mpno_alloc_array(j->ctx, n * MPNO_PLANNER_CHOICES, sizeof *share, &share));
    mpno_status status = plan_full(j, NULL, &all);
    for (size_t i = 0; i < n * MPNO_PLANNER_CHOICES; i++) share[i] = 1;
    for (int k = 1; k < MPNO_PLANNER_CHOICES && status == MPNO_OK; k++) {
        bool same = true;
        if (!isfinite(c->error[k])) continue;
        status = find_shares(j, all, c, k, share + (size_t)k * n, &same);
        if (!same) c->error[k] = INFINITY;
    }
    for (size_t i = 0; i < n && status == MPNO_OK; i++) {
        mpno_planner_tensor *t = &j->tensors[i];
        bool less = false;
        for (size_t k = 1; k < MPNO_PLANNER_CHOICES; k++) less = less || share[k * n + i] < 1;
        if (!less) continue;
        if (t->n_shares == MPNO_PLANNER_SHARES) { /* not to be counted */
            for (int k = 1; k < MPNO_PLANNER_CHOICES; k++) c->error[k] = INFINITY;
            break;
        }
        t->by[t->n_shares] = j->n_sites + index;
        for (size_t k = 0; k < MPNO_PLANNER_CHOICES; k++)
            t->share[t->n_shares][k] = share[k * n + i];
        t->n_shares++;
    }
    mpno_network_destroy(&all);
    mpno_free(j->ctx, share);
    return status;
}

static bool may_be_taken(const mpno_tolerance_cut *c) {
    return isfinite(c->error[1]) || isfinite(c->error[2]) || isfinite(c->error[3]);
}

mpno_status mpno_tolerance_measure_cuts(mpno_tolerance_job *j, double budget, double *room) {
    MPNO_TRY(list_cuts(j));
    for (int i = 0; i < j->n_cuts; i++) {
        MPNO_TRY(measure(j, &j->cuts[i], budget, room));
        choose_levels(&j->cuts[i], budget);
        /* what does not fit into the model of memory may still save time */
        if (j->opts->minimise == MPNO_MINIMISE_MEMORY && may_be_taken(&j->cuts[i]))
            MPNO_TRY(share_out(j, i));
    }
    return MPNO_OK;
}

/* -------- those of a plan -------- */

bool mpno_tolerance_is_cut(const mpno_tolerance_job *j) {
    for (int i = 0; i < j->n_cuts; i++)
        if (j->cuts[i].modes[j->cuts[i].choice] < j->cuts[i].all) return true;
    return false;
}

mpno_status mpno_tolerance_join_cuts(mpno_tolerance_job *j, double *room) {
    mpno_tolerance_use use = j->policies[0];
    memset(j->modes, 0, sizeof j->modes);
    for (int i = 0; i < j->n_cuts; i++)
        j->modes[j->cuts[i].block][j->cuts[i].axis] = j->cuts[i].modes[j->cuts[i].choice];
    j->cut_error = j->cut_same = 0;
    if (!mpno_tolerance_is_cut(j)) return MPNO_OK;
    use.modes = (const mpno_tolerance_modes *)&j->modes;
    double sum, most;
    MPNO_TRY(mpno_tolerance_moved(j, &use, room, &j->cut_same));
    MPNO_TRY(mpno_tolerance_references(j, &use, &sum, &most));
    const double n = (double)j->calibration, all = n + (double)j->references;
    j->cut_error = sqrt((j->cut_same * j->cut_same * n + sum) / all);
    return MPNO_OK;
}
