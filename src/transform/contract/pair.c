/* SPDX-License-Identifier: MIT
 * One step of a contraction, see pair.h. */
#include "transform/contract/pair.h"

#include "core/parallel.h"
#include "number/format.h"

enum {
    LABELS = MPNO_CONTRACT_LABELS,
    ROWS = 64, /* of a task's part of a product */
    COLUMNS = 256,
    LEAST_ROWS = 8, /* of a product that is worth a call */
    LEAST_COLUMNS = 32,
    FEW_COLUMNS = 4, /* fewer fill little of a vector: better many, even by a copy */
    LEAST_LONG = 8,  /* indices along which going element by element is worth it */
    PARTS = 16,      /* of a sum, where the result alone gives too few tasks */
    LEAST_SUMMED = 512,
    MOST_PARTIAL = 1 << 15, /* elements of a result that is summed in parts */
    COPY_TASKS = 64,        /* at least so many, where there are so many rows */
    ROUND = 16,             /* copies start at multiples of so many numbers */
    WORTH_WAKING = 1 << 18  /* products: fewer are done before another thread is awake */
};

/* Labels that are gone through together, the outermost first; those of one index left out. */
typedef struct group {
    int n, label[LABELS];
    int64_t size; /* of all */
} group;

mpno_pair_labels mpno_pair_divide(const mpno_contract_problem *problem, uint32_t a, uint32_t b,
                                  uint32_t to) {
    uint32_t several = 0;
    for (int l = 0; l < LABELS; l++)
        if (problem->size[l] > 1) several |= 1u << l;
    return (mpno_pair_labels){.batch = a & b & to & several,
                              .row = a & to & ~b & several,
                              .column = b & to & ~a & several,
                              .inner = a & b & ~to & several};
}

int mpno_pair_longest(const mpno_contract_problem *problem, uint32_t labels) {
    int longest = -1;
    for (int l = 0; l < LABELS; l++)
        if (labels >> l & 1 && (longest < 0 || problem->size[l] > problem->size[longest]))
            longest = l;
    return longest;
}

bool mpno_pair_elementwise(const mpno_contract_problem *problem, const mpno_pair_labels *labels) {
    const int longest = mpno_pair_longest(problem, labels->batch);
    return longest >= 0 && problem->size[longest] >= LEAST_LONG &&
           (labels->row == 0 || labels->column == 0 || labels->inner == 0);
}

/* Numbers of a copy of a tensor with these labels. */
static size_t numbers(const mpno_contract_problem *problem, uint32_t labels) {
    const size_t n = 2 * (size_t)mpno_contract_product(problem, labels);
    return (n + ROUND - 1) / ROUND * ROUND;
}

size_t mpno_pair_copies(const mpno_contract_problem *problem, const mpno_pair_labels *labels) {
    const size_t result = numbers(problem, labels->batch | labels->row | labels->column);
    return (result <= 2 * MOST_PARTIAL ? PARTS * result : 0) +
           numbers(problem, labels->batch | labels->row | labels->inner) +
           numbers(problem, labels->batch | labels->inner | labels->column) +
           numbers(problem, labels->batch | labels->row | labels->column);
}

bool mpno_pair_turned(const mpno_contract_problem *problem, const mpno_pair_labels *labels,
                      const mpno_contract_view *to) {
    const double rows = mpno_contract_product(problem, labels->row),
                 columns = mpno_contract_product(problem, labels->column);
    bool turned = rows > columns;
    for (int l = 0; l < LABELS; l++) {
        if (to->stride[l] != 1) continue;
        if (labels->row >> l & 1) turned = true;
        if (labels->column >> l & 1) turned = false;
    }
    const double few = turned ? rows : columns, many = turned ? columns : rows;
    return few < FEW_COLUMNS && many >= 4 * few ? !turned : turned;
}

/* ---- groups of labels ---- */

/* Ordered as they lie in `view`: the longest stride first. */
static group group_of(const mpno_contract_problem *problem, uint32_t labels,
                      const mpno_contract_view *view) {
    group g = {.size = 1};
    for (int l = 0; l < LABELS; l++) {
        if (!(labels >> l & 1)) continue;
        int at = g.n++;
        for (; at > 0 && view->stride[g.label[at - 1]] < view->stride[l]; at--)
            g.label[at] = g.label[at - 1];
        g.label[at] = l;
        g.size *= problem->size[l];
    }
    return g;
}

/* Whether the group's indices in their order are evenly spaced in `view`, and how far. */
static bool even(const mpno_contract_problem *problem, const group *g,
                 const mpno_contract_view *view, int64_t *stride) {
    *stride = g->n == 0 ? 1 : view->stride[g->label[g->n - 1]];
    for (int i = 0; i + 1 < g->n; i++)
        if (view->stride[g->label[i]] !=
            view->stride[g->label[i + 1]] * problem->size[g->label[i + 1]])
            return false;
    return true;
}

static int64_t place_of(const mpno_contract_problem *problem, const group *g,
                        const mpno_contract_view *view, int64_t index) {
    int64_t place = 0;
    for (int i = g->n - 1; i >= 0; i--) {
        place += index % problem->size[g->label[i]] * view->stride[g->label[i]];
        index /= problem->size[g->label[i]];
    }
    return place;
}

mpno_contract_view mpno_pair_layout(const mpno_contract_problem *problem, const uint32_t *groups,
                                    int n_groups, const mpno_contract_view *const *like,
                                    size_t *count) {
    mpno_contract_view view = {0};
    int64_t stride = 1;
    for (int g = n_groups - 1; g >= 0; g--) {
        const group ordered = group_of(problem, groups[g], like[g]);
        for (int i = ordered.n - 1; i >= 0; i--) {
            view.stride[ordered.label[i]] = stride;
            stride *= problem->size[ordered.label[i]];
        }
    }
    view.plane = stride;
    *count = 2 * (size_t)stride;
    return view;
}

/* ---- copies ---- */

typedef struct copying {
    const mpno_pair_call *call;
    mpno_pair_tensor from, to;
    group outer, inner; /* tasks, and what one of them copies */
    size_t element;
} copying;

static int64_t place_of_plane(const mpno_contract_view *view, int plane) {
    return view->offset + plane * view->plane;
}

/* Along label `across` neighbours lie side by side in `from`, along `along` in `to`; all others one
 * after the other. */
static void turn_some(const copying *c, int across, int along, int64_t from, int64_t to) {
    const mpno_contract_problem *problem = c->call->problem;
    group rest = {.size = 1};
    for (int i = 0; i < c->inner.n; i++) {
        if (c->inner.label[i] == across || c->inner.label[i] == along) continue;
        rest.label[rest.n++] = c->inner.label[i];
        rest.size *= problem->size[c->inner.label[i]];
    }
    for (int64_t r = 0; r < rest.size; r++)
        c->call->run->kernels->transpose(
            (char *)c->to.data +
                (to + place_of(problem, &rest, c->to.view, r)) * (int64_t)c->element,
            c->to.view->stride[across],
            (char *)c->from.data +
                (from + place_of(problem, &rest, c->from.view, r)) * (int64_t)c->element,
            c->from.view->stride[along], problem->size[along], problem->size[across]);
}

static void copy_some(void *argument, int64_t task, int thread) {
    const copying *c = argument;
    const mpno_contract_problem *problem = c->call->problem;
    int64_t size[LABELS], from_stride[LABELS], to_stride[LABELS];
    int across = -1, along = -1;
    (void)thread;
    for (int i = 0; i < c->inner.n; i++) {
        const int label = c->inner.label[i];
        size[i] = problem->size[label];
        from_stride[i] = c->from.view->stride[label];
        to_stride[i] = c->to.view->stride[label];
        if (from_stride[i] == 1) across = label;
        if (to_stride[i] == 1) along = label;
    }
    for (int plane = 0; plane < 2; plane++) {
        const int64_t from = place_of_plane(c->from.view, plane) +
                             place_of(problem, &c->outer, c->from.view, task),
                      to = place_of_plane(c->to.view, plane) +
                           place_of(problem, &c->outer, c->to.view, task);
        if (across >= 0 && along >= 0 && across != along)
            turn_some(c, across, along, from, to);
        else
            c->call->run->fields->copy_strided(
                (char *)c->to.data + to * (int64_t)c->element, to_stride,
                (char *)c->from.data + from * (int64_t)c->element, from_stride, size, c->inner.n);
    }
}

/* Copies all elements of `from` to their places in `to`, in the order of these groups. */
static void copy(const mpno_pair_call *call, mpno_pair_tensor from, mpno_pair_tensor to,
                 const group *groups, int n_groups) {
    copying c = {.call = call,
                 .from = from,
                 .to = to,
                 .outer = {.size = 1},
                 .inner = {.size = 1},
                 .element = mpno_format_bytes(call->run->kernels->arithmetic)};
    for (int g = 0; g < n_groups; g++)
        for (int i = 0; i < groups[g].n; i++) {
            const int label = groups[g].label[i];
            const bool side_by_side = from.view->stride[label] == 1 || to.view->stride[label] == 1;
            group *into = c.outer.size < COPY_TASKS && !side_by_side ? &c.outer : &c.inner;
            into->label[into->n++] = label;
            into->size *= call->problem->size[label];
        }
    mpno_parallel(call->run->n_threads, c.outer.size, copy_some, &c);
}

/* A view of a copy [batch][2][rows][columns], or with planes outermost. */
static mpno_contract_view copied_view(const mpno_contract_problem *problem, const group *groups,
                                      int n_groups, bool planes_first) {
    mpno_contract_view view = {0};
    int64_t stride = 1;
    for (int g = n_groups - 1; g >= 0; g--) {
        if (g == 0 && !planes_first) view.plane = stride, stride *= 2;
        for (int i = groups[g].n - 1; i >= 0; i--) {
            view.stride[groups[g].label[i]] = stride;
            stride *= problem->size[groups[g].label[i]];
        }
    }
    if (planes_first) view.plane = stride;
    return view;
}

/* Moves the outermost label to those that are gone through one by one. */
static void take_outermost(group *g, group *loops, const mpno_contract_problem *problem) {
    const int label = g->label[0];
    loops->label[loops->n++] = label;
    loops->size *= problem->size[label];
    g->size /= problem->size[label];
    for (int i = 1; i < g->n; i++) g->label[i - 1] = g->label[i];
    g->n--;
}

/* ---- products of matrices ---- */

typedef struct product {
    const mpno_pair_call *call;
    mpno_pair_tensor a, b, to; /* as they are read and written */
    group batch;
    int64_t rows, columns, inner, row_parts, column_parts;
    int64_t parts, summed; /* of the sum: of label `label`, which has `summed` indices */
    int label;             /* -1: none */
    size_t partial;        /* bytes from one partial result to the next */
    int64_t a_row, a_step, b_row, to_row;
    bool conjugate_a, conjugate_b;
    size_t element;
} product;

static mpno_planes planes_at(const product *p, const mpno_pair_tensor *tensor, int64_t at,
                             int64_t row, int64_t step, bool exchanged) {
    const mpno_contract_view *view = tensor->view;
    const int64_t first = view->offset + at + (exchanged ? view->plane : 0);
    return (mpno_planes){.data = (char *)tensor->data + first * (int64_t)p->element,
                         .row = row,
                         .step = step,
                         .plane = exchanged ? -view->plane : view->plane};
}

static void multiply_some(void *argument, int64_t task, int thread) {
    const product *p = argument;
    const mpno_contract_problem *problem = p->call->problem;
    const int64_t column = task % p->column_parts * COLUMNS,
                  row = task / p->column_parts % p->row_parts * ROWS,
                  rest = task / p->column_parts / p->row_parts, batch = rest % p->batch.size,
                  part = rest / p->batch.size;
    const int64_t rows = p->rows - row < ROWS ? p->rows - row : ROWS,
                  columns = p->columns - column < COLUMNS ? p->columns - column : COLUMNS;
    const int64_t a_at = place_of(problem, &p->batch, p->a.view, batch) + row * p->a_row,
                  b_at = place_of(problem, &p->batch, p->b.view, batch) + column,
                  to_at =
                      place_of(problem, &p->batch, p->to.view, batch) + row * p->to_row + column;
    mpno_planes to = planes_at(p, &p->to, to_at, p->to_row, 1, p->conjugate_a || p->conjugate_b);
    const int64_t first = part * p->summed / p->parts;
    (void)thread;
    to.data = (char *)to.data + (size_t)part * p->partial;
    for (int64_t i = first; i < (part + 1) * p->summed / p->parts; i++) {
        const int64_t a_further = p->label < 0 ? 0 : i * p->a.view->stride[p->label],
                      b_further = p->label < 0 ? 0 : i * p->b.view->stride[p->label];
        const mpno_planes a = planes_at(p, &p->a, a_at + a_further, p->a_row, p->a_step,
                                        p->conjugate_b),
                          b = planes_at(p, &p->b, b_at + b_further, p->b_row, 1, p->conjugate_a);
        (void)p->call->run->kernels->gemm_complex(rows, columns, p->inner, &a, &b, &to, i > first);
    }
}

/* Divides the sum between tasks when the result is small: the outermost index of the sum goes part
 * by part. */
static void divide_sum(product *p, group *inner, int64_t tasks) {
    const mpno_contract_problem *problem = p->call->problem;
    const mpno_pair_labels *l = &p->call->labels;
    const double result = mpno_contract_product(problem, l->batch | l->row | l->column);
    p->label = -1, p->summed = p->parts = 1;
    if (tasks >= PARTS || inner->n < 2 || inner->size < LEAST_SUMMED || result > MOST_PARTIAL)
        return;
    group taken = {.size = 1};
    p->label = inner->label[0];
    take_outermost(inner, &taken, problem);
    p->summed = taken.size;
    p->parts = p->summed < PARTS ? p->summed : PARTS;
}

/* The first of the partial results becomes their sum, in their order. */
static void add_parts(const product *p) {
    char *first = p->to.data;
    const int64_t numbers_each = 2 * p->rows * p->columns * p->batch.size;
    for (int64_t part = 1; part < p->parts; part++)
        p->call->run->kernels->add(first, first, first + (size_t)part * p->partial, numbers_each);
}

/* Whether the indices lie evenly in both views. */
static bool even_in_both(const mpno_contract_problem *problem, const group *g,
                         const mpno_contract_view *a, const mpno_contract_view *b) {
    int64_t stride;
    return even(problem, g, a, &stride) && even(problem, g, b, &stride);
}

/* Takes labels out of the group until the others lie evenly where they are read and written, as
 * long as `least` indices are left: a loop costs less than a copy. */
static void loosen(const mpno_contract_problem *problem, group *g, group *loops,
                   const mpno_contract_view *from, const mpno_contract_view *to, int64_t least) {
    while (g->n > 1 && !even_in_both(problem, g, from, to) &&
           g->size / problem->size[g->label[0]] >= least)
        take_outermost(g, loops, problem);
}

/* The labels of a group that a tensor has. */
static group among(const mpno_contract_problem *problem, const group *g, uint32_t labels) {
    group some = {.size = 1};
    for (int i = 0; i < g->n; i++) {
        if (!(labels >> g->label[i] & 1)) continue;
        some.label[some.n++] = g->label[i];
        some.size *= problem->size[g->label[i]];
    }
    return some;
}

static bool has_neighbours(const group *g, const mpno_contract_view *view) {
    return g->n == 0 || view->stride[g->label[g->n - 1]] == 1;
}

/* Copies an operand, or a result, in the order in which the product takes it. */
static mpno_pair_tensor reorder(const mpno_pair_call *call, mpno_pair_tensor tensor,
                                const group *groups, mpno_contract_view *view, char **room,
                                bool now) {
    const mpno_pair_tensor copied = {*room, view};
    size_t n = 2;
    *view = copied_view(call->problem, groups, 3, false);
    if (now) copy(call, tensor, copied, groups, 3);
    for (int g = 0; g < 3; g++) n *= (size_t)groups[g].size;
    *room += (n + ROUND - 1) / ROUND * ROUND * mpno_format_bytes(call->run->kernels->arithmetic);
    return copied;
}

static void run_product(const mpno_pair_call *call) {
    const mpno_contract_problem *problem = call->problem;
    const mpno_pair_labels *l = &call->labels;
    const bool turned = mpno_pair_turned(problem, l, call->to.view);
    const uint32_t row = turned ? l->column : l->row, column = turned ? l->row : l->column;
    product p = {.call = call,
                 .a = turned ? call->b : call->a,
                 .b = turned ? call->a : call->b,
                 .to = call->to,
                 .batch = group_of(problem, l->batch, call->to.view),
                 .conjugate_a = turned && call->conjugate_b,
                 .conjugate_b = !turned && call->conjugate_b,
                 .element = mpno_format_bytes(call->run->kernels->arithmetic)};
    group rows = group_of(problem, row, call->to.view),
          columns = group_of(problem, column, call->to.view);
    group inner = group_of(problem, l->inner, p.a.view);
    loosen(problem, &rows, &p.batch, p.a.view, p.to.view, LEAST_ROWS);
    loosen(problem, &columns, &p.batch, p.b.view, p.to.view, LEAST_COLUMNS);
    p.row_parts = (rows.size + ROWS - 1) / ROWS;
    p.column_parts = (columns.size + COLUMNS - 1) / COLUMNS;
    const group all_inner = inner;
    divide_sum(&p, &inner, p.batch.size * p.row_parts * p.column_parts);
    const group a_groups[] = {among(problem, &p.batch, l->batch | row), rows, all_inner},
                b_groups[] = {among(problem, &p.batch, l->batch | column), all_inner, columns},
                to_groups[] = {p.batch, rows, columns};
    mpno_contract_view a_view, b_view, to_view;
    char *room = call->copies;
    int64_t next;
    p.rows = rows.size, p.columns = columns.size, p.inner = inner.size;
    if (!even(problem, &rows, p.a.view, &p.a_row) || !even(problem, &inner, p.a.view, &p.a_step)) {
        p.a = reorder(call, p.a, a_groups, &a_view, &room, true);
        p.a_row = all_inner.size, p.a_step = 1;
    }
    if (!even(problem, &inner, p.b.view, &p.b_row) || !even(problem, &columns, p.b.view, &next) ||
        !has_neighbours(&columns, p.b.view)) {
        p.b = reorder(call, p.b, b_groups, &b_view, &room, true);
        p.b_row = columns.size;
    }
    const bool apart = p.parts > 1 || !even(problem, &rows, p.to.view, &p.to_row) ||
                       !even(problem, &columns, p.to.view, &next) ||
                       !has_neighbours(&columns, p.to.view);
    if (apart) {
        char *const start = room;
        p.to = reorder(call, p.to, to_groups, &to_view, &room, false), p.to_row = p.columns;
        p.partial = (size_t)(room - start);
    }
    mpno_parallel(call->run->n_threads, p.parts * p.batch.size * p.row_parts * p.column_parts,
                  multiply_some, &p);
    add_parts(&p);
    if (apart) copy(call, p.to, call->to, to_groups, 3);
}

/* ---- element by element ---- */

typedef struct elements {
    const mpno_pair_call *call;
    mpno_pair_tensor a, b;
    group outer, inner; /* of the result, and summed */
    int64_t n;          /* elements that lie side by side */
    size_t element;
} elements;

static mpno_planes elements_at(const elements *e, const mpno_pair_tensor *tensor, int64_t at,
                               bool exchanged) {
    const int64_t first = tensor->view->offset + at + (exchanged ? tensor->view->plane : 0);
    return (mpno_planes){.data = (char *)tensor->data + first * (int64_t)e->element,
                         .plane = exchanged ? -tensor->view->plane : tensor->view->plane};
}

static void multiply_elements(void *argument, int64_t task, int thread) {
    const elements *e = argument;
    const mpno_contract_problem *problem = e->call->problem;
    const bool conjugate = e->call->conjugate_b;
    const mpno_planes to = elements_at(
        e, &e->call->to, place_of(problem, &e->outer, e->call->to.view, task), conjugate);
    (void)thread;
    for (int64_t k = 0; k < e->inner.size; k++) {
        const mpno_planes a = elements_at(e, &e->a,
                                          place_of(problem, &e->outer, e->a.view, task) +
                                              place_of(problem, &e->inner, e->a.view, k),
                                          conjugate),
                          b = elements_at(e, &e->b,
                                          place_of(problem, &e->outer, e->b.view, task) +
                                              place_of(problem, &e->inner, e->b.view, k),
                                          false);
        e->call->run->kernels->multiply_complex(1, e->n, &a, &b, &to, k > 0);
    }
}

static void run_elements(const mpno_pair_call *call, int side) {
    const mpno_contract_problem *problem = call->problem;
    const mpno_pair_labels *l = &call->labels;
    elements e = {.call = call,
                  .a = call->a,
                  .b = call->b,
                  .n = problem->size[side],
                  .element = mpno_format_bytes(call->run->kernels->arithmetic)};
    const uint32_t outer = (l->batch | l->row | l->column) & ~(1u << side);
    const group alone = {.n = 1, .label = {side}, .size = e.n};
    e.outer = group_of(problem, outer, call->to.view);
    e.inner = group_of(problem, l->inner, call->a.view);
    mpno_pair_tensor *const operands[] = {&e.a, &e.b};
    const uint32_t own[] = {l->batch | l->row | l->inner, l->batch | l->column | l->inner};
    mpno_contract_view views[2];
    char *room = call->copies;
    for (int i = 0; i < 2; i++) {
        if (operands[i]->view->stride[side] == 1) continue;
        const group groups[] = {group_of(problem, own[i] & ~(1u << side), operands[i]->view),
                                alone};
        views[i] = copied_view(problem, groups, 2, true);
        const mpno_pair_tensor copied = {room, &views[i]};
        copy(call, *operands[i], copied, groups, 2);
        *operands[i] = copied;
        room += numbers(problem, own[i]) * e.element;
    }
    mpno_parallel(call->run->n_threads, e.outer.size, multiply_elements, &e);
}

void mpno_pair_run(const mpno_pair_call *whole) {
    const mpno_pair_labels *l = &whole->labels;
    const double products =
        mpno_contract_product(whole->problem, l->batch | l->row | l->inner | l->column);
    mpno_contract_run run = *whole->run;
    mpno_pair_call call = *whole;
    if (products < WORTH_WAKING) run.n_threads = 1;
    call.run = &run;
    const int side = mpno_pair_longest(call.problem, l->batch);
    if (mpno_pair_elementwise(call.problem, l) && call.to.view->stride[side] == 1)
        run_elements(&call, side);
    else
        run_product(&call);
}
