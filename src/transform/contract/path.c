/* SPDX-License-Identifier: MIT
 * Search for the best order of a contraction, see path.h. */
#include "transform/contract/path.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

/* What is known of the best tree over a set of operands. */
typedef struct best {
    double goal, second; /* what is minimised, and what decides between equals */
    double peak;         /* bytes while it is made, its own among them; operands count nothing */
    double bytes;        /* of what it gives */
    uint32_t labels;     /* that it has */
    uint32_t left;       /* operands of the branch that is made first */
} best;

typedef struct search {
    const mpno_contract_problem *problem;
    mpno_contract_goal goal;
    best *sets; /* of each set of operands */
} search;

double mpno_contract_product(const mpno_contract_problem *problem, uint32_t labels) {
    double product = 1;
    for (int l = 0; labels >> l != 0; l++)
        if (labels >> l & 1) product *= (double)problem->size[l];
    return product;
}

static double bytes_of(const mpno_contract_problem *problem, uint32_t labels) {
    return mpno_contract_product(problem, labels) * (double)problem->element_bytes;
}

/* Labels of a set of operands that are asked for outside of it. */
static uint32_t labels_of(const mpno_contract_problem *problem, uint32_t set) {
    uint32_t inside = 0, outside = problem->output;
    for (int i = 0; i < problem->n_operands; i++)
        *(set >> i & 1 ? &inside : &outside) |= problem->operand[i];
    return inside & outside;
}

static double step_flops(const mpno_contract_problem *problem, uint32_t a, uint32_t b,
                         uint32_t result) {
    const uint32_t all = a | b;
    return mpno_contract_product(problem, all) * ((all & ~result) != 0 ? 8 : 6);
}

static double step_error(const mpno_contract_problem *problem, uint32_t a, uint32_t b,
                         uint32_t result) {
    return 2 * mpno_contract_product(problem, (a | b) & ~result) + 1;
}

/* Of a tree whose first branch is `first`. */
static best join(const search *s, uint32_t set, uint32_t first) {
    const best *a = &s->sets[first], *b = &s->sets[set & ~first];
    const uint32_t labels = s->sets[set].labels;
    const double bytes = bytes_of(s->problem, labels);
    best tree = {.bytes = bytes, .labels = labels, .left = first};
    tree.peak = fmax(a->peak, a->bytes + fmax(b->peak, b->bytes + bytes));
    const double flops = step_flops(s->problem, a->labels, b->labels, labels);
    const double error = step_error(s->problem, a->labels, b->labels, labels);
    if (s->goal == MPNO_CONTRACT_FLOPS)
        tree.goal = a->goal + b->goal + flops, tree.second = tree.peak;
    if (s->goal == MPNO_CONTRACT_BYTES)
        tree.goal = tree.peak, tree.second = a->second + b->second + flops;
    if (s->goal == MPNO_CONTRACT_ERROR)
        tree.goal = a->goal + b->goal + error, tree.second = a->second + b->second + flops;
    return tree;
}

static void fill(search *s) {
    const uint32_t n = 1u << s->problem->n_operands;
    for (uint32_t set = 1; set < n; set++) {
        best *of = &s->sets[set];
        *of = (best){.labels = labels_of(s->problem, set)};
        if ((set & (set - 1)) == 0) { /* an operand: is there, whole */
            for (int i = 0; i < s->problem->n_operands; i++)
                if (set == 1u << i) of->labels = s->problem->operand[i];
            continue;
        }
        of->goal = INFINITY;
        for (uint32_t first = set & -set; first != set; first = (first - set) & set) {
            const best tree = join(s, set, first);
            if (tree.goal < of->goal || (tree.goal == of->goal && tree.second < of->second))
                *of = tree;
        }
    }
}

/* Number of the tensor that the best tree over `set` gives; appends its steps. */
static int append(const search *s, uint32_t set, mpno_contract_path *path) {
    if ((set & (set - 1)) == 0) {
        int i = 0;
        while (set >> i != 1) i++;
        return i;
    }
    const uint32_t first = s->sets[set].left;
    const int a = append(s, first, path), b = append(s, set & ~first, path);
    path->step[path->n_steps].a = a, path->step[path->n_steps].b = b;
    return s->problem->n_operands + path->n_steps++;
}

static mpno_status check(mpno_ctx *ctx, const mpno_contract_problem *problem) {
    const int n = problem->n_operands;
    uint32_t all = 0;
    MPNO_CHECK(ctx, n >= 1 && n <= MPNO_CONTRACT_OPERANDS, MPNO_E_ARGUMENT,
               "a contraction of %d tensors was asked for; it may have 1 to %d", n,
               MPNO_CONTRACT_OPERANDS);
    for (int i = 0; i < n; i++) all |= problem->operand[i];
    MPNO_CHECK(ctx, (problem->output & ~all) == 0, MPNO_E_ARGUMENT,
               "the result of a contraction has an index that no operand has");
    return MPNO_OK;
}

mpno_status mpno_contract_find(mpno_ctx *ctx, const mpno_contract_problem *problem,
                               mpno_contract_goal goal, mpno_contract_path *path) {
    search s = {.problem = problem, .goal = goal};
    *path = (mpno_contract_path){0};
    MPNO_TRY(check(ctx, problem));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)1 << problem->n_operands, sizeof *s.sets, &s.sets));
    fill(&s);
    append(&s, (1u << problem->n_operands) - 1, path);
    mpno_free(ctx, s.sets);
    return MPNO_OK;
}

void mpno_contract_tensors(const mpno_contract_problem *problem, const mpno_contract_path *path,
                           uint32_t *tensors) {
    uint32_t set[2 * MPNO_CONTRACT_OPERANDS];
    for (int i = 0; i < problem->n_operands; i++)
        tensors[i] = problem->operand[i], set[i] = 1u << i;
    for (int s = 0; s < path->n_steps; s++) {
        const int at = problem->n_operands + s;
        set[at] = set[path->step[s].a] | set[path->step[s].b];
        tensors[at] = labels_of(problem, set[at]);
    }
}

mpno_contract_cost mpno_contract_cost_of(const mpno_contract_problem *problem,
                                         const mpno_contract_path *path) {
    mpno_contract_cost cost = {0};
    uint32_t tensors[2 * MPNO_CONTRACT_OPERANDS];
    double alive = 0;
    mpno_contract_tensors(problem, path, tensors);
    for (int s = 0; s < path->n_steps; s++) {
        const int pair[] = {path->step[s].a, path->step[s].b};
        const uint32_t a = tensors[pair[0]], b = tensors[pair[1]],
                       result = tensors[problem->n_operands + s];
        cost.flops += step_flops(problem, a, b, result);
        cost.error += step_error(problem, a, b, result);
        alive += bytes_of(problem, result);
        cost.peak_bytes = fmax(cost.peak_bytes, alive);
        for (int i = 0; i < 2; i++)
            if (pair[i] >= problem->n_operands) alive -= bytes_of(problem, tensors[pair[i]]);
    }
    return cost;
}

typedef struct writer {
    char *text;
    size_t n, used;
} writer;

static void put(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(writer *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(w->text + w->used, w->n - w->used, format, arguments);
    va_end(arguments);
    if (n > 0) w->used += (size_t)n;
    if (w->used >= w->n) w->used = w->n - 1;
}

static void put_labels(writer *w, uint32_t labels) {
    for (int l = 0; l < MPNO_CONTRACT_LABELS; l++)
        if (labels >> l & 1) put(w, "%c", 'a' + l);
}

const char *mpno_contract_text(const mpno_contract_problem *problem, const mpno_contract_path *path,
                               char *text, size_t n) {
    writer w = {text, n, 0};
    uint32_t tensors[2 * MPNO_CONTRACT_OPERANDS];
    const mpno_contract_cost cost = mpno_contract_cost_of(problem, path);
    mpno_contract_tensors(problem, path, tensors);
    for (int i = 0; i < problem->n_operands; i++) {
        if (i > 0) put(&w, ",");
        put_labels(&w, tensors[i]);
    }
    put(&w, "->");
    put_labels(&w, problem->output);
    for (int s = 0; s < path->n_steps; s++) {
        put(&w, "%s", s == 0 ? ": " : "; ");
        put_labels(&w, tensors[path->step[s].a]);
        put(&w, ",");
        put_labels(&w, tensors[path->step[s].b]);
        put(&w, "->");
        put_labels(&w, tensors[problem->n_operands + s]);
    }
    put(&w, "; %.4g MFLOP, %.4g MiB, %.0f u", cost.flops / 1e6, cost.peak_bytes / 1048576,
        cost.error);
    return text;
}
