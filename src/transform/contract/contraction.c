/* SPDX-License-Identifier: MIT
 * Execution of contractions, see contraction.h. */
#include "transform/contract/contraction.h"

#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/contract/pair.h"

/* The layout of tensor `of`, which the step takes together with `other` to make `to`: as a product
 * reads it, so that it need not be copied, its inner indices in the order of `other` where that is
 * laid out already. */
static mpno_contract_view lay_out(const mpno_contract_problem *problem,
                                  const mpno_pair_labels *pair, bool first,
                                  const mpno_contract_view *to, const mpno_contract_view *other,
                                  size_t *count) {
    const bool columns = first == mpno_pair_turned(problem, pair, to);
    const uint32_t own = first ? pair->row : pair->column;
    const int longest = mpno_pair_longest(problem, pair->batch);
    if (mpno_pair_elementwise(problem, pair) && to->stride[longest] == 1) {
        const uint32_t groups[] = {(pair->batch | own) & ~(1u << longest), pair->inner,
                                   1u << longest};
        const mpno_contract_view *like[] = {to, other, to};
        return mpno_pair_layout(problem, groups, 3, like, count);
    }
    const uint32_t groups[] = {pair->batch, columns ? pair->inner : own,
                               columns ? own : pair->inner};
    const mpno_contract_view *like[] = {to, columns ? other : to, columns ? to : other};
    return mpno_pair_layout(problem, groups, 3, like, count);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Whether each index is summed by the step that meets it last, and by no tensor alone. */
static bool shared(const mpno_contract_problem *problem) {
    uint32_t once = 0, twice = 0;
    for (int i = 0; i <= problem->n_operands; i++) {
        const uint32_t labels = i < problem->n_operands ? problem->operand[i] : problem->output;
        twice |= once & labels;
        once |= labels;
    }
    return once == twice;
}

static mpno_pair_labels labels_of_step(const mpno_contraction *c, int a, int b, int to) {
    return mpno_pair_divide(&c->problem, c->labels[a], c->labels[b], c->labels[to]);
}

/* Numbers of the copies that a step and the two of its gradient take. */
static size_t copies_of(const mpno_contraction *c, int a, int b, int to) {
    const int by[3][3] = {{a, b, to}, {to, b, a}, {to, a, b}};
    size_t most = 0;
    for (int i = 0; i < 3; i++) {
        const mpno_pair_labels pair = labels_of_step(c, by[i][0], by[i][1], by[i][2]);
        most = larger(most, mpno_pair_copies(&c->problem, &pair));
    }
    return most;
}

mpno_status mpno_contraction_make(mpno_ctx *ctx, const mpno_contract_problem *problem,
                                  const mpno_contract_path *path, const mpno_contract_view *views,
                                  mpno_contraction *c) {
    const int n = problem->n_operands;
    *c = (mpno_contraction){.problem = *problem, .path = *path};
    MPNO_CHECK(ctx, n >= 2 && shared(problem), MPNO_E_ARGUMENT,
               "a contraction needs two operands at least, and two tensors for each index");
    memcpy(c->view, views, (size_t)n * sizeof *views);
    mpno_contract_tensors(problem, path, c->labels);
    c->view[n + path->n_steps - 1] = views[n];
    for (int s = path->n_steps - 1; s >= 0; s--) {
        const int pair[] = {path->step[s].a, path->step[s].b}, to = n + s;
        const mpno_pair_labels labels = labels_of_step(c, pair[0], pair[1], to);
        for (int i = 0; i < 2; i++) {
            if (pair[i] < n) continue;
            size_t count;
            c->view[pair[i]] =
                lay_out(problem, &labels, i == 0, &c->view[to], &c->view[pair[1 - i]], &count);
            c->place[pair[i]] = c->results;
            c->results += (count + 15) / 16 * 16;
        }
        c->copies = larger(c->copies, copies_of(c, pair[0], pair[1], to));
    }
    return MPNO_OK;
}

size_t mpno_contraction_scratch(const mpno_contraction *c, size_t type_bytes, bool gradients) {
    return mpno_aligned(((gradients ? 2 : 1) * c->results + c->copies) * type_bytes);
}

/* The steps but the last ones; tensors[i]: where tensor i lies. */
static void run_steps(const mpno_contraction *c, const mpno_contract_run *run, int n_steps,
                      void *const *tensors) {
    const size_t size = mpno_format_bytes(run->kernels->arithmetic);
    for (int s = 0; s < n_steps; s++) {
        const int a = c->path.step[s].a, b = c->path.step[s].b, to = c->problem.n_operands + s;
        const mpno_pair_call call = {.problem = &c->problem,
                                     .run = run,
                                     .labels = labels_of_step(c, a, b, to),
                                     .a = {tensors[a], &c->view[a]},
                                     .b = {tensors[b], &c->view[b]},
                                     .to = {tensors[to], &c->view[to]},
                                     .copies = (char *)run->scratch + c->results * size};
        mpno_pair_run(&call);
    }
}

static void place_results(const mpno_contraction *c, size_t size, char *from, void **tensors) {
    for (int s = 0; s < c->path.n_steps; s++)
        tensors[c->problem.n_operands + s] = from + c->place[c->problem.n_operands + s] * size;
}

void mpno_contraction_run(const mpno_contraction *c, const mpno_contract_run *run,
                          const void *const *operands, void *result) {
    void *tensors[2 * MPNO_CONTRACT_OPERANDS];
    const int n = c->problem.n_operands;
    for (int i = 0; i < n; i++) tensors[i] = (void *)(uintptr_t)operands[i];
    place_results(c, mpno_format_bytes(run->kernels->arithmetic), run->scratch, tensors);
    tensors[n + c->path.n_steps - 1] = result;
    run_steps(c, run, c->path.n_steps, tensors);
}

void mpno_contraction_gradients(const mpno_contraction *c, const mpno_contract_run *run,
                                const void *const *operands, const void *result_gradient,
                                void *const *gradients) {
    void *tensors[2 * MPNO_CONTRACT_OPERANDS], *grads[2 * MPNO_CONTRACT_OPERANDS];
    const int n = c->problem.n_operands, last = c->path.n_steps - 1;
    const size_t size = mpno_format_bytes(run->kernels->arithmetic);
    char *scratch = run->scratch;
    for (int i = 0; i < n; i++) {
        tensors[i] = (void *)(uintptr_t)operands[i];
        grads[i] = gradients[i];
    }
    place_results(c, size, scratch, tensors);
    run_steps(c, run, last, tensors);
    place_results(c, size, scratch + (c->results + c->copies) * size, grads);
    grads[n + last] = (void *)(uintptr_t)result_gradient;
    for (int s = last; s >= 0; s--) {
        const int pair[] = {c->path.step[s].a, c->path.step[s].b}, to = n + s;
        for (int i = 0; i < 2; i++) {
            const int of = pair[i], other = pair[1 - i];
            if (grads[of] == NULL) continue;
            const mpno_pair_call call = {.problem = &c->problem,
                                         .run = run,
                                         .labels = labels_of_step(c, to, other, of),
                                         .a = {grads[to], &c->view[to]},
                                         .b = {tensors[other], &c->view[other]},
                                         .to = {grads[of], &c->view[of]},
                                         .conjugate_b = true,
                                         .copies = scratch + c->results * size};
            mpno_pair_run(&call);
        }
    }
}
