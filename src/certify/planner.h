/* SPDX-License-Identifier: MIT
 * The choice of formats: each site (the tensors of a role in a layer) takes one of a few choices,
 * which adds its square to the square of the error and gives its tensors their sizes. What counts
 * is the memory at the step where most is in it, so that sites far from that step need not save
 * anything; or a cost that each choice adds to. Numbers alone: nothing here knows what a choice is,
 * or runs a network. That errors of sites add in squares is a model, for planning; the proof is
 * that of the plan (certify/point.h). docs/howto/plan_precision.md. */
#ifndef MPNO_CERTIFY_PLANNER_H
#define MPNO_CERTIFY_PLANNER_H

#include <stddef.h>

#include "core/context.h"

enum { MPNO_PLANNER_CHOICES = 4, MPNO_PLANNER_SHARES = 4 };

typedef struct mpno_planner_site {
    double square[MPNO_PLANNER_CHOICES]; /* at least 0; INFINITY: a choice that must not be made */
    double cost[MPNO_PLANNER_CHOICES];   /* mpno_planner_least_cost alone */
} mpno_planner_site;

/* In memory from step first to step last, both included. */
typedef struct mpno_planner_tensor {
    int site; /* -1: of bytes[0] whatever is chosen */
    size_t bytes[MPNO_PLANNER_CHOICES];
    /* Other sites that say how much of it there is, and the share of each choice: above 0, at most
     * 1; rounded up to bytes. */
    int n_shares, by[MPNO_PLANNER_SHARES];
    double share[MPNO_PLANNER_SHARES][MPNO_PLANNER_CHOICES];
    int first, last;
    /* The tensor, with a last step that is this one's first, in whose place it is written where
     * both take the same bytes; -1: none. */
    int takes;
} mpno_planner_tensor;

typedef struct mpno_planner_problem {
    int n_sites, n_choices, n_tensors, n_steps;
    const mpno_planner_site *sites;
    const mpno_planner_tensor *tensors;
    const size_t *scratch; /* [n_steps]: bytes beside tensors */
} mpno_planner_problem;

typedef struct mpno_planner_answer {
    int *choice;   /* [n_sites], the caller's */
    double square; /* sum over the sites */
    size_t bytes;  /* at the step that has most; least_cost: of it too */
    double cost;   /* sum over the sites */
} mpno_planner_answer;

/* Bytes at the step with the most, of given choices. */
size_t mpno_planner_bytes(const mpno_planner_problem *problem, const int *choice);

/* Among all choices whose squares add up to `budget` at most those with the least bytes, and among
 * these the ones with the least square: exact, by a table over the choices of the sites that are in
 * memory at a step. E_ARGUMENT: no choices keep to the budget, or more sites than a table has room
 * for are in memory at once (8 of four choices). */
MPNO_WARN_UNUSED mpno_status mpno_planner_least_memory(mpno_ctx *ctx,
                                                       const mpno_planner_problem *problem,
                                                       double budget, mpno_planner_answer *answer);

/* The same with the least sum of costs: exact, from the pairs of cost and square that no other pair
 * is better than. E_ARGUMENT as above; E_MEMORY where such pairs are too many. */
MPNO_WARN_UNUSED mpno_status mpno_planner_least_cost(mpno_ctx *ctx,
                                                     const mpno_planner_problem *problem,
                                                     double budget, mpno_planner_answer *answer);

#endif
