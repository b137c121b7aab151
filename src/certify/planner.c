/* SPDX-License-Identifier: MIT
 * See planner.h. Least memory is found by halving: what is the least square under a limit of bytes?
 * Steps are passed in order; the state of a step is what the sites in memory then have chosen, and
 * a site that leaves is minimised over. The least square falls as the limit rises, so that the
 * least limit whose square is within the budget is found in as many passes as a limit has bits. */
#include "certify/planner.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { MOST_STATES = 1 << 16, MOST_PAIRS = 1 << 20 };

static size_t bytes_of(const mpno_planner_tensor *t, const int *choice) {
    size_t bytes = t->bytes[t->site < 0 ? 0 : choice[t->site]];
    for (int k = 0; k < t->n_shares; k++)
        bytes = (size_t)ceil((double)bytes * t->share[k][choice[t->by[k]]]);
    return bytes;
}

static size_t bytes_at(const mpno_planner_problem *p, const int *choice, int step) {
    size_t sum = p->scratch[step];
    for (int i = 0; i < p->n_tensors; i++) {
        const mpno_planner_tensor *t = &p->tensors[i];
        if (step < t->first || step > t->last) continue;
        const size_t bytes = bytes_of(t, choice);
        const bool in_place =
            t->takes >= 0 && step == t->first && bytes == bytes_of(&p->tensors[t->takes], choice);
        sum += in_place ? 0 : bytes;
    }
    return sum;
}

size_t mpno_planner_bytes(const mpno_planner_problem *p, const int *choice) {
    size_t most = 0;
    for (int s = 0; s < p->n_steps; s++) {
        const size_t bytes = bytes_at(p, choice, s);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* -------- the least square under a limit of bytes -------- */

/* A step: the sites in memory, and for each of their states bytes and squares. A state is a number
 * with a digit for each site. */
typedef struct step_table {
    int n, *sites;   /* owned; in rising order */
    int n_states;    /* n_choices^n */
    size_t *bytes;   /* owned: of each state */
    double *square;  /* owned: least sum up to here, of each state */
    int *back;       /* owned: the state of the step before that gave it */
    int n_kept;      /* states of the sites that were in memory at the step before, too */
    double *kept;    /* owned: least sum of each of those */
    int *kept_state; /* owned: the state of the step before */
} step_table;

typedef struct table {
    mpno_ctx *ctx;
    const mpno_planner_problem *p;
    int *first, *last; /* owned: steps of each site; first > last: it has no tensors */
    step_table *steps; /* owned */
    int *choice;       /* owned: room for a choice of every site */
} table;

static void clear(table *t) {
    for (int s = 0; t->steps != NULL && s < t->p->n_steps; s++) {
        step_table *step = &t->steps[s];
        mpno_free(t->ctx, step->sites);
        mpno_free(t->ctx, step->bytes);
        mpno_free(t->ctx, step->square);
        mpno_free(t->ctx, step->back);
        mpno_free(t->ctx, step->kept);
        mpno_free(t->ctx, step->kept_state);
    }
    mpno_free(t->ctx, t->steps);
    mpno_free(t->ctx, t->first);
    mpno_free(t->ctx, t->last);
    mpno_free(t->ctx, t->choice);
}

static void extend_range(table *t, int site, const mpno_planner_tensor *x) {
    if (site < 0) return;
    if (x->first < t->first[site]) t->first[site] = x->first;
    if (x->last > t->last[site]) t->last[site] = x->last;
}

static void find_ranges(table *t) {
    for (int i = 0; i < t->p->n_sites; i++) t->first[i] = t->p->n_steps, t->last[i] = -1;
    for (int i = 0; i < t->p->n_tensors; i++) {
        const mpno_planner_tensor *x = &t->p->tensors[i];
        extend_range(t, x->site, x);
        for (int k = 0; k < x->n_shares; k++) extend_range(t, x->by[k], x);
    }
}

static bool is_in(const table *t, int site, int step) {
    return t->first[site] <= step && step <= t->last[site];
}

static void set_choices(const table *t, const step_table *step, int state) {
    for (int i = 0; i < step->n; i++) {
        t->choice[step->sites[i]] = state % t->p->n_choices;
        state /= t->p->n_choices;
    }
}

/* Of the sites that were in memory at the step before, by what stands in t->choice. */
static int kept_state(const table *t, const step_table *step, int s) {
    int state = 0;
    for (int i = step->n - 1; i >= 0; i--)
        if (s > 0 && is_in(t, step->sites[i], s - 1))
            state = state * t->p->n_choices + t->choice[step->sites[i]];
    return state;
}

static mpno_status make_step(table *t, int s) {
    step_table *step = &t->steps[s];
    const int choices = t->p->n_choices;
    MPNO_TRY(
        mpno_alloc_array(t->ctx, (size_t)t->p->n_sites + 1, sizeof *step->sites, &step->sites));
    step->n_states = step->n_kept = 1;
    for (int i = 0; i < t->p->n_sites; i++) {
        if (!is_in(t, i, s)) continue;
        step->sites[step->n++] = i;
        MPNO_CHECK(t->ctx, step->n_states <= MOST_STATES / choices, MPNO_E_ARGUMENT,
                   "more than %d sites are in memory at step %d: too many for an exact plan",
                   step->n - 1, s);
        step->n_states *= choices;
        if (s > 0 && is_in(t, i, s - 1)) step->n_kept *= choices;
    }
    const size_t n = (size_t)step->n_states, kept = (size_t)step->n_kept;
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof *step->bytes, &step->bytes));
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof *step->square, &step->square));
    MPNO_TRY(mpno_alloc_array(t->ctx, n, sizeof *step->back, &step->back));
    MPNO_TRY(mpno_alloc_array(t->ctx, kept, sizeof *step->kept, &step->kept));
    MPNO_TRY(mpno_alloc_array(t->ctx, kept, sizeof *step->kept_state, &step->kept_state));
    for (int state = 0; state < step->n_states; state++) {
        set_choices(t, step, state);
        step->bytes[state] = bytes_at(t->p, t->choice, s);
    }
    return MPNO_OK;
}

/* Least sums of what stays in memory, over the choices of what leaves. */
static void leave(const table *t, int s) {
    step_table *step = &t->steps[s];
    for (int k = 0; k < step->n_kept; k++) step->kept[k] = s > 0 ? INFINITY : 0;
    for (int state = 0; s > 0 && state < t->steps[s - 1].n_states; state++) {
        const double square = t->steps[s - 1].square[state];
        set_choices(t, &t->steps[s - 1], state);
        const int k = kept_state(t, step, s);
        if (!(square < step->kept[k])) continue;
        step->kept[k] = square;
        step->kept_state[k] = state;
    }
}

static void enter(const table *t, int s, size_t limit) {
    step_table *step = &t->steps[s];
    for (int state = 0; state < step->n_states; state++) {
        set_choices(t, step, state);
        const int k = kept_state(t, step, s);
        double square = step->bytes[state] <= limit ? step->kept[k] : INFINITY;
        for (int i = 0; i < step->n; i++)
            if (t->first[step->sites[i]] == s)
                square += t->p->sites[step->sites[i]].square[t->choice[step->sites[i]]];
        step->square[state] = square;
        step->back[state] = step->kept_state[k];
    }
}

/* A site without tensors costs no memory: its least square. */
static void choose_absent(const table *t) {
    for (int i = 0; i < t->p->n_sites; i++) {
        const double *square = t->p->sites[i].square;
        if (t->first[i] <= t->last[i]) continue;
        t->choice[i] = 0;
        for (int c = 1; c < t->p->n_choices; c++)
            if (square[c] < square[t->choice[i]]) t->choice[i] = c;
    }
}

/* The least sum of squares within the limit, INFINITY where there is none; choices in t->choice. */
static double solve(const table *t, size_t limit) {
    const int last = t->p->n_steps - 1;
    double sum = 0;
    for (int s = 0; s <= last; s++) {
        leave(t, s);
        enter(t, s, limit);
    }
    int state = 0;
    for (int i = 1; i < t->steps[last].n_states; i++)
        if (t->steps[last].square[i] < t->steps[last].square[state]) state = i;
    if (!isfinite(t->steps[last].square[state])) return INFINITY;
    for (int s = last; s >= 0; s--) {
        set_choices(t, &t->steps[s], state);
        state = t->steps[s].back[state];
    }
    choose_absent(t);
    for (int i = 0; i < t->p->n_sites; i++) sum += t->p->sites[i].square[t->choice[i]];
    return sum;
}

static mpno_status refuse(mpno_ctx *ctx, double budget) {
    return mpno_fail(ctx, MPNO_E_ARGUMENT,
                     "no choice of formats keeps the square of the error within %g", budget);
}

static mpno_status halve(table *t, double budget, mpno_planner_answer *answer) {
    size_t low = 0, high = 0; /* below low: never enough */
    for (int s = 0; s < t->p->n_steps; s++)
        for (int state = 0; state < t->steps[s].n_states; state++)
            if (t->steps[s].bytes[state] > high) high = t->steps[s].bytes[state];
    if (!(solve(t, high) <= budget)) return refuse(t->ctx, budget);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (solve(t, middle) <= budget)
            high = middle;
        else
            low = middle + 1;
    }
    answer->square = solve(t, high);
    memcpy(answer->choice, t->choice, (size_t)t->p->n_sites * sizeof *answer->choice);
    return MPNO_OK;
}

/* -------- the least sum of costs -------- */

/* What the choices of the first sites add up to. */
typedef struct pair {
    double cost, square;
    int before, choice; /* the pair of one site less, and the choice of the last one */
} pair;

static int by_cost(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    return (x->square > y->square) - (x->square < y->square);
}

/* Keeps the pairs that no cheaper one is as accurate as. */
static int keep_best(pair *pairs, int n) {
    double least = INFINITY;
    int kept = 0;
    qsort(pairs, (size_t)n, sizeof *pairs, by_cost);
    for (int i = 0; i < n; i++) {
        if (!(pairs[i].square < least)) continue;
        least = pairs[i].square;
        pairs[kept++] = pairs[i];
    }
    return kept;
}

/* lists[i], n[i]: the pairs of the first i sites. rest: the least square of the others. */
static mpno_status extend(mpno_ctx *ctx, const mpno_planner_problem *p, int site, double most,
                          pair **lists, int *n) {
    MPNO_CHECK(ctx, n[site] <= MOST_PAIRS / p->n_choices, MPNO_E_MEMORY,
               "more than %d pairs of cost and error: too many for an exact plan", MOST_PAIRS);
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n[site] * (size_t)p->n_choices, sizeof **lists,
                              &lists[site + 1]));
    for (int i = 0; i < n[site]; i++)
        for (int c = 0; c < p->n_choices; c++) {
            const double square = lists[site][i].square + p->sites[site].square[c];
            if (!(square <= most)) continue;
            lists[site + 1][n[site + 1]++] =
                (pair){lists[site][i].cost + p->sites[site].cost[c], square, i, c};
        }
    n[site + 1] = keep_best(lists[site + 1], n[site + 1]);
    return MPNO_OK;
}

static mpno_status add_up(mpno_ctx *ctx, const mpno_planner_problem *p, double budget, pair **lists,
                          int *n, mpno_planner_answer *answer) {
    MPNO_TRY(mpno_alloc_array(ctx, 1, sizeof **lists, &lists[0]));
    n[0] = 1;
    for (int i = 0; i < p->n_sites; i++) MPNO_TRY(extend(ctx, p, i, budget, lists, n));
    if (n[p->n_sites] == 0) return refuse(ctx, budget);
    answer->cost = lists[p->n_sites][0].cost;
    answer->square = lists[p->n_sites][0].square;
    for (int i = p->n_sites, at = 0; i > 0; i--) {
        answer->choice[i - 1] = lists[i][at].choice;
        at = lists[i][at].before;
    }
    answer->bytes = mpno_planner_bytes(p, answer->choice);
    return MPNO_OK;
}

/* -------- both -------- */

mpno_status mpno_planner_least_memory(mpno_ctx *ctx, const mpno_planner_problem *p, double budget,
                                      mpno_planner_answer *answer) {
    table t = {.ctx = ctx, .p = p};
    const size_t n_sites = (size_t)p->n_sites + 1;
    mpno_status status = mpno_alloc_array(ctx, n_sites, sizeof *t.first, &t.first);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n_sites, sizeof *t.last, &t.last);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n_sites, sizeof *t.choice, &t.choice);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, (size_t)p->n_steps, sizeof *t.steps, &t.steps);
    if (status == MPNO_OK) find_ranges(&t);
    for (int s = 0; s < p->n_steps && status == MPNO_OK; s++) status = make_step(&t, s);
    if (status == MPNO_OK) status = halve(&t, budget, answer);
    clear(&t);
    MPNO_TRY(status);
    answer->bytes = mpno_planner_bytes(p, answer->choice);
    answer->cost = 0;
    for (int i = 0; i < p->n_sites; i++) answer->cost += p->sites[i].cost[answer->choice[i]];
    return MPNO_OK;
}

mpno_status mpno_planner_least_cost(mpno_ctx *ctx, const mpno_planner_problem *p, double budget,
                                    mpno_planner_answer *answer) {
    pair **lists;
    int *n;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)p->n_sites + 1, sizeof *lists, &lists));
    mpno_status status = mpno_alloc_array(ctx, (size_t)p->n_sites + 1, sizeof *n, &n);
    if (status == MPNO_OK) status = add_up(ctx, p, budget, lists, n, answer);
    for (int i = 0; i <= p->n_sites; i++) mpno_free(ctx, lists[i]);
    mpno_free(ctx, lists);
    mpno_free(ctx, n);
    return status;
}
