/* SPDX-License-Identifier: MIT
 * One step of a contraction, see pair.h. */
#include "transform/contract/pair.h"

#include "core/parallel.h"
#include "number/format.h"

enum {
    LABELS = MPNO_CONTRACT_LABELS,
    ROWS = 64, /* of a task's part of a product */
    COLUMNS = 256,
    LEAST_LONG = 8,  /* indices along which going element by element is worth it */
    COPY_TASKS = 64, /* at least so many, where there are so many rows */
    ROUND = 16       /* copies start at multiples of so many numbers */
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
    return numbers(problem, labels->batch | labels->row | labels->inner) +
           numbers(problem, labels->batch | labels->inner | labels->column) +
           numbers(problem, labels->batch | labels->row | labels->column);
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

/* ---- copies ---- */

typedef struct copying {
    const mpno_pair_call *call;
    mpno_pair_tensor from, to;
    group outer, inner; /* tasks, and what one of them copies */
    size_t element;
} copying;

static void copy_some(void *argument, int64_t task, int thread) {
    const copying *c = argument;
    const mpno_contract_problem *problem = c->call->problem;
    int64_t size[LABELS], from_stride[LABELS], to_stride[LABELS];
    (void)thread;
    for (int i = 0; i < c->inner.n; i++) {
        size[i] = problem->size[c->inner.label[i]];
        from_stride[i] = c->from.view->stride[c->inner.label[i]];
        to_stride[i] = c->to.view->stride[c->inner.label[i]];
    }
    for (int plane = 0; plane < 2; plane++) {
        const int64_t from = c->from.view->offset + plane * c->from.view->plane +
                             place_of(problem, &c->outer, c->from.view, task),
                      to = c->to.view->offset + plane * c->to.view->plane +
                           place_of(problem, &c->outer, c->to.view, task);
        c->call->run->fields->copy_strided((char *)c->to.data + to * (int64_t)c->element, to_stride,
                                           (char *)c->from.data + from * (int64_t)c->element,
                                           from_stride, size, c->inner.n);
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
            group *into = c.outer.size < COPY_TASKS ? &c.outer : &c.inner;
            into->label[into->n++] = groups[g].label[i];
            into->size *= call->problem->size[groups[g].label[i]];
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

/* ---- products of matrices ---- */

typedef struct product {
    const mpno_pair_call *call;
    mpno_pair_tensor a, b, to; /* as they are read and written */
    group batch;
    int64_t rows, columns, inner, row_parts, column_parts;
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
                  batch = task / p->column_parts / p->row_parts;
    const int64_t rows = p->rows - row < ROWS ? p->rows - row : ROWS,
                  columns = p->columns - column < COLUMNS ? p->columns - column : COLUMNS;
    const bool exchanged = p->conjugate_a || p->conjugate_b;
    (void)thread;
    const mpno_planes a = planes_at(p, &p->a,
                                    place_of(problem, &p->batch, p->a.view, batch) + row * p->a_row,
                                    p->a_row, p->a_step, p->conjugate_b),
                      b = planes_at(p, &p->b,
                                    place_of(problem, &p->batch, p->b.view, batch) + column,
                                    p->b_row, 1, p->conjugate_a),
                      to = planes_at(p, &p->to,
                                     place_of(problem, &p->batch, p->to.view, batch) +
                                         row * p->to_row + column,
                                     p->to_row, 1, exchanged);
    (void)p->call->run->kernels->gemm_complex(rows, columns, p->inner, &a, &b, &to, 0);
}

/* Which of a and b gives the columns: that in which neighbours in the result differ, or else the
 * one with more of them. */
static bool columns_from_a(const mpno_pair_call *call) {
    const mpno_contract_problem *problem = call->problem;
    for (int l = 0; l < LABELS; l++) {
        if (call->to.view->stride[l] != 1) continue;
        if (call->labels.row >> l & 1) return true;
        if (call->labels.column >> l & 1) return false;
    }
    return mpno_contract_product(problem, call->labels.row) >
           mpno_contract_product(problem, call->labels.column);
}

static void run_product(const mpno_pair_call *call) {
    const mpno_contract_problem *problem = call->problem;
    const bool turned = columns_from_a(call);
    product p = {.call = call,
                 .a = turned ? call->b : call->a,
                 .b = turned ? call->a : call->b,
                 .to = call->to,
                 .conjugate_a = turned && call->conjugate_b,
                 .conjugate_b = !turned && call->conjugate_b,
                 .element = mpno_format_bytes(call->run->kernels->arithmetic)};
    const group rows = group_of(problem, turned ? call->labels.column : call->labels.row,
                                call->to.view),
                columns = group_of(problem, turned ? call->labels.row : call->labels.column,
                                   call->to.view),
                inner = group_of(problem, call->labels.inner, p.a.view);
    p.batch = group_of(problem, call->labels.batch, call->to.view);
    p.rows = rows.size, p.columns = columns.size, p.inner = inner.size;
    const group a_groups[] = {p.batch, rows, inner}, b_groups[] = {p.batch, inner, columns},
                to_groups[] = {p.batch, rows, columns};
    const mpno_contract_view a_view = copied_view(problem, a_groups, 3, false),
                             b_view = copied_view(problem, b_groups, 3, false),
                             to_view = copied_view(problem, to_groups, 3, false);
    char *room = call->copies;
    int64_t next;
    if (!even(problem, &rows, p.a.view, &p.a_row) || !even(problem, &inner, p.a.view, &p.a_step)) {
        const mpno_pair_tensor copied = {room, &a_view};
        copy(call, p.a, copied, a_groups, 3);
        p.a = copied, p.a_row = inner.size, p.a_step = 1;
        room += numbers(problem, call->labels.batch | call->labels.inner |
                                     (turned ? call->labels.column : call->labels.row)) *
                p.element;
    }
    if (!even(problem, &inner, p.b.view, &p.b_row) || !even(problem, &columns, p.b.view, &next) ||
        next != 1) {
        const mpno_pair_tensor copied = {room, &b_view};
        copy(call, p.b, copied, b_groups, 3);
        p.b = copied, p.b_row = columns.size;
        room += numbers(problem, call->labels.batch | call->labels.inner |
                                     (turned ? call->labels.row : call->labels.column)) *
                p.element;
    }
    const bool apart = !even(problem, &rows, p.to.view, &p.to_row) ||
                       !even(problem, &columns, p.to.view, &next) || next != 1;
    if (apart) p.to = (mpno_pair_tensor){room, &to_view}, p.to_row = columns.size;
    p.row_parts = (p.rows + ROWS - 1) / ROWS;
    p.column_parts = (p.columns + COLUMNS - 1) / COLUMNS;
    mpno_parallel(call->run->n_threads, p.batch.size * p.row_parts * p.column_parts, multiply_some,
                  &p);
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

void mpno_pair_run(const mpno_pair_call *call) {
    const int side = mpno_pair_longest(call->problem, call->labels.batch);
    if (mpno_pair_elementwise(call->problem, &call->labels) && call->to.view->stride[side] == 1)
        run_elements(call, side);
    else
        run_product(call);
}
