/* SPDX-License-Identifier: MIT
 * The graph that contracts a spectrum with a factorised weight, see factors.h. Two ways:
 *   weight first  the dense weight is made from its factors (rebuild) and then contracted
 *   data first    the spectrum meets a factor of its channels first. cp: (X F0) S F1, S the product
 *                 of all other factors, a diagonal for each mode. tucker: ((X F0) G) F1, G the core
 *                 contracted with the factors of the modes. tt: (X F0) G, G the rest of the train.
 * S and G are made by a rebuild of their own. Each of these is contracted along the best path for
 * what is asked for (transform/contract/path.h); of the two ways the better one is taken, for a
 * training step where the network is trained. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/factors.h"
#include "model/interpolation.h"
#include "number/format.h"

/* Labels: modes of axis d, then these. */
enum { INPUT = MPNO_MAX_AXES, OUTPUT, BATCH, RANK };

/* A weight, or a part of one, that rebuild makes: of a mode a matrix [row][column]. */
typedef struct part {
    int n, factor[MPNO_MAX_FACTORS];
    int row, column; /* labels; row -1: a vector */
    mpno_contract_problem problem;
    mpno_contract_path path;
} part;

typedef struct way {
    bool data_first;
    part made;
    double flops, bytes, error; /* of a training step, or of a forward pass */
    bool again;                 /* see mpno_attr */
} way;

typedef struct build {
    const mpno_factor_graph *g;
    const mpno_fno_config *config;
    int order, n_factors;
    int64_t shape[MPNO_MAX_ORDER];
    mpno_factor factors[MPNO_MAX_FACTORS];
    int edge[MPNO_MAX_FACTORS];    /* of their parameters */
    mpno_contract_problem problem; /* operands: the factors, then the spectrum */
    mpno_contract_view view[MPNO_MAX_FACTORS];
} build;

static uint32_t bit(int label) {
    return 1u << label;
}

/* Label of dimension d of the weight. */
static int label_of(const build *b, int d) {
    const int channels = b->config->separable ? 1 : 2;
    return d < channels ? (d == 0 ? INPUT : OUTPUT) : d - channels;
}

/* ---- what is to be contracted ---- */

/* Labels of factor i, dimension by dimension; -1: it has one index. */
static void label_factor(const build *b, int i, int *labels) {
    const mpno_factor *f = &b->factors[i];
    const bool cp = b->config->factorization == MPNO_FACTORIZATION_CP,
               tt = b->config->factorization == MPNO_FACTORIZATION_TT;
    const int d = tt ? i : i - 1; /* of the weight; -1: core or weights */
    for (int k = 0; k < f->ndim; k++) labels[k] = RANK + (cp ? 0 : k);
    if (tt) {
        labels[0] = d > 0 ? RANK + d : -1;
        labels[1] = label_of(b, d);
        labels[2] = d + 1 < b->order ? RANK + d + 1 : -1;
    } else if (d >= 0) {
        labels[0] = label_of(b, d), labels[1] = RANK + (cp ? 0 : d);
    }
}

static void describe_factor(build *b, int i) {
    const mpno_factor *f = &b->factors[i];
    mpno_contract_view *view = &b->view[i];
    int labels[MPNO_MAX_ORDER];
    int64_t stride = 1;
    label_factor(b, i, labels);
    for (int k = f->ndim - 1; k >= 0; k--) {
        const int at = f->turned ? f->ndim - 1 - k : k, label = labels[at];
        const bool mode = label >= 0 && label < MPNO_MAX_AXES;
        if (mode) view->offset = b->g->spectral->first_row[label] * stride;
        if (label >= 0) {
            b->problem.size[label] = mode ? b->g->spectral->kept[label] : f->shape[at];
            b->problem.operand[i] |= bit(label);
            view->stride[label] = stride;
        }
        stride *= f->shape[at];
    }
    view->plane = stride;
}

static uint32_t mode_labels(const build *b) {
    return bit(b->config->ndim) - 1;
}

static mpno_status describe(build *b) {
    const mpno_model *model = b->g->model;
    char name[64];
    b->config = &model->config;
    b->order = mpno_factor_shape(b->config, b->shape);
    MPNO_TRY(mpno_factor_list(model->ctx, b->config, 1, b->factors, &b->n_factors));
    for (int i = 0; i < b->n_factors; i++) {
        snprintf(name, sizeof name, "fno_blocks.convs.%d.weight.%s", b->g->layer,
                 b->factors[i].name);
        b->edge[i] = b->g->first_param + mpno_model_find_param(model, name);
        describe_factor(b, i);
    }
    b->problem.n_operands = b->n_factors + 1;
    b->problem.operand[b->n_factors] = mode_labels(b) | bit(BATCH) | bit(INPUT);
    b->problem.output = mode_labels(b) | bit(BATCH) | bit(b->config->separable ? INPUT : OUTPUT);
    b->problem.size[BATCH] = b->g->batch > 0 ? b->g->batch : 1;
    b->problem.element_bytes = 2 * mpno_format_bytes(model->arithmetic);
    return MPNO_OK;
}

/* ---- ways ---- */

static bool is_cp(const build *b) {
    return b->config->factorization == MPNO_FACTORIZATION_CP;
}
static bool is_tt(const build *b) {
    return b->config->factorization == MPNO_FACTORIZATION_TT;
}

/* The factors of a part, and its contraction: what others share with it is left. */
static void choose_factors(const build *b, bool data_first, part *made) {
    uint32_t inside = 0, outside = b->problem.output | b->problem.operand[b->n_factors];
    made->problem = b->problem;
    for (int i = 0; i < b->n_factors; i++) {
        const bool channels = is_tt(b) ? i == 0 : i == 1 || i == 2;
        if (data_first && channels) {
            outside |= b->problem.operand[i];
            continue;
        }
        made->problem.operand[made->n] = b->problem.operand[i];
        made->factor[made->n++] = i;
        inside |= b->problem.operand[i];
    }
    made->problem.n_operands = made->n;
    made->problem.output = inside & outside;
    made->row = b->config->separable ? -1 : INPUT;
    made->column = b->config->separable ? INPUT : OUTPUT;
    if (!data_first) return;
    made->row = is_cp(b) ? -1 : is_tt(b) ? RANK + 1 : RANK;
    made->column = is_cp(b) ? RANK : is_tt(b) ? OUTPUT : RANK + 1;
}

static int append(const mpno_contract_problem *problem, mpno_contract_path *path, int a, int b) {
    path->step[path->n_steps].a = a, path->step[path->n_steps].b = b;
    return problem->n_operands + path->n_steps++;
}

/* Options B and C of the paper for CP weights on any number of axes: factors are weights, in, out,
 * modes. B: (weights out) times the modes but the last, times (last mode in). C: (weights, first
 * mode) times out and the other modes but the last, times the same. */
static void follow_option(const build *b, part *made) {
    enum { WEIGHTS, IN, OUT, MODES };
    const int last = b->n_factors - 1;
    const bool c = b->config->contraction == MPNO_CONTRACTION_OPTION_C && last > MODES;
    made->path = (mpno_contract_path){0};
    int left = append(&made->problem, &made->path, c ? MODES : OUT, WEIGHTS);
    const int right = append(&made->problem, &made->path, last, IN);
    if (c) left = append(&made->problem, &made->path, left, OUT);
    for (int i = MODES + c; i < last; i++) left = append(&made->problem, &made->path, left, i);
    append(&made->problem, &made->path, left, right);
}

static double product(const build *b, uint32_t labels) {
    return mpno_contract_product(&b->problem, labels);
}

/* What the rest of a way costs, after rebuild: multiplications of the spectrum. */
static void add_rest(const build *b, way *w, double made) {
    const uint32_t rows = mode_labels(b) | bit(BATCH);
    const double in = product(b, bit(INPUT)),
                 out = b->config->separable ? 1 : product(b, bit(OUTPUT)),
                 row = w->made.row >= 0 ? product(b, bit(w->made.row)) : 1,
                 column = product(b, bit(w->made.column)), n = product(b, rows);
    const double element = (double)b->problem.element_bytes;
    double flops = 8 * n * row * column, bytes = 0, error = 2 * row + 1;
    if (w->data_first && is_cp(b)) /* passes through the ranks, in the caches */
        flops = n * column * (8 * (in + out) + 6), error = 2 * in + 2 * column + 3;
    if (w->data_first && !is_cp(b)) {
        flops += 8 * n * in * row, bytes = n * row * element, error += 2 * in + 1;
        if (!is_tt(b)) flops += 8 * n * column * out, error += 2 * column + 1;
        if (!is_tt(b)) bytes = fmax(bytes, n * (row + column) * element);
    }
    /* The gradients of two operands cost as much as the product each; those of low rank make two
     * more products again. */
    const double times = !b->g->training ? 1 : w->data_first && is_cp(b) ? 4 : 3;
    w->again = 2 * made <= flops; /* keeping it costs memory, and less time */
    w->flops = (b->g->training ? 3 + w->again : 1) * made + times * flops;
    w->bytes += bytes;
    w->error += error;
}

static mpno_status find_way(const build *b, bool data_first, mpno_contract_goal goal, way *w) {
    const mpno_contraction_order order = b->config->contraction;
    *w = (way){.data_first = data_first};
    choose_factors(b, data_first, &w->made);
    if (order == MPNO_CONTRACTION_OPTION_B || order == MPNO_CONTRACTION_OPTION_C)
        follow_option(b, &w->made);
    else
        MPNO_TRY(mpno_contract_find(b->g->model->ctx, &w->made.problem, goal, &w->made.path));
    const mpno_contract_cost cost = mpno_contract_cost_of(&w->made.problem, &w->made.path);
    w->bytes = cost.peak_bytes, w->error = cost.error;
    add_rest(b, w, cost.flops);
    return MPNO_OK;
}

static bool better(const way *a, const way *b, mpno_contract_goal goal) {
    return goal == MPNO_CONTRACT_BYTES   ? a->bytes < b->bytes
           : goal == MPNO_CONTRACT_ERROR ? a->error < b->error
                                         : a->flops < b->flops;
}

static mpno_status choose_way(const build *b, way *chosen) {
    const mpno_contraction_order order = b->config->contraction;
    const mpno_contract_goal goal = order == MPNO_CONTRACTION_MEMORY  ? MPNO_CONTRACT_BYTES
                                    : order == MPNO_CONTRACTION_ERROR ? MPNO_CONTRACT_ERROR
                                                                      : MPNO_CONTRACT_FLOPS;
    const bool free_choice = order <= MPNO_CONTRACTION_ERROR &&
                             b->config->implementation == MPNO_IMPLEMENTATION_FACTORIZED &&
                             !b->config->separable;
    way data_first;
    MPNO_TRY(find_way(b, false, goal, chosen));
    if (!free_choice && order != MPNO_CONTRACTION_DATA_FIRST) return MPNO_OK;
    MPNO_TRY(find_way(b, true, goal, &data_first));
    if (order == MPNO_CONTRACTION_DATA_FIRST || better(&data_first, chosen, goal))
        *chosen = data_first;
    return MPNO_OK;
}

/* ---- nodes ---- */

/* Adds the node that makes the part; gives its edge. */
static mpno_status add_rebuild(const build *b, const way *w, int *edge) {
    const mpno_factor_graph *g = b->g;
    const part *made = &w->made;
    mpno_contract_view views[MPNO_MAX_FACTORS + 1];
    mpno_contraction *contraction;
    mpno_attr attr = {.again = w->again};
    int in[MPNO_MAX_FACTORS];
    mpno_weight weight = {
        1, made->row >= 0 ? b->problem.size[made->row] : 1, b->problem.size[made->column], true,
        made->row >= 0 || !w->data_first ? MPNO_ROLE_WEIGHT_SPECTRAL : MPNO_ROLE_WEIGHT_FACTOR};
    mpno_contract_view *result = &views[made->n];
    *result = (mpno_contract_view){.plane = weight.rows * weight.cols};
    if (made->row >= 0) result->stride[made->row] = weight.cols;
    result->stride[made->column] = 1;
    for (int d = b->config->ndim - 1; d >= 0; d--) {
        result->stride[d] = 2 * weight.blocks * weight.rows * weight.cols;
        weight.blocks *= g->spectral->kept[d];
    }
    for (int i = 0; i < made->n; i++)
        views[i] = b->view[made->factor[i]], in[i] = b->edge[made->factor[i]];
    MPNO_TRY(mpno_plans_table(g->plans, 1, sizeof *contraction, &contraction));
    MPNO_TRY(mpno_contraction_make(g->model->ctx, &made->problem, &made->path, views, contraction));
    MPNO_TRY(mpno_graph_blocks(g->graph, &weight, &attr.weight));
    attr.contraction = contraction;
    return mpno_graph_add(g->graph, &mpno_op_rebuild, made->n, in, &attr, weight.role,
                          w->data_first ? "factors of modes" : "dense weight", edge);
}

static mpno_status multiply(const build *b, const mpno_op *op, int weight, bool each,
                            const char *name, int *spectrum) {
    const mpno_attr attr = {.mode_rows = each ? b->g->spectral->in_order : NULL};
    const int in[] = {*spectrum, weight};
    return mpno_graph_add(b->g->graph, op, 2, in, &attr, MPNO_ROLE_SPECTRUM, name, spectrum);
}

static mpno_status add_data_first(const build *b, int made, int *spectrum) {
    const mpno_attr attr = {.mode_rows = b->g->spectral->in_order};
    const int first = b->edge[is_tt(b) ? 0 : 1];
    if (is_cp(b)) {
        const int in[] = {*spectrum, first, made, b->edge[2]};
        return mpno_graph_add(b->g->graph, &mpno_op_contract_low_rank, 4, in, &attr,
                              MPNO_ROLE_SPECTRUM, "contracted spectrum", spectrum);
    }
    MPNO_TRY(multiply(b, &mpno_op_contract, first, false, "spectrum of ranks", spectrum));
    if (is_tt(b))
        return multiply(b, &mpno_op_contract, made, true, "contracted spectrum", spectrum);
    MPNO_TRY(multiply(b, &mpno_op_contract, made, true, "ranks of outputs", spectrum));
    return multiply(b, &mpno_op_contract, b->edge[2], false, "contracted spectrum", spectrum);
}

static mpno_status contract_dense(const mpno_factor_graph *g, int *spectrum) {
    const mpno_attr attr = {.mode_rows = g->spectral->mode_rows};
    char name[64];
    snprintf(name, sizeof name, "fno_blocks.convs.%d.weight.tensor", g->layer);
    const int in[] = {*spectrum, g->first_param + mpno_model_find_param(g->model, name)};
    return mpno_graph_add(g->graph,
                          g->model->config.separable ? &mpno_op_scale_modes : &mpno_op_contract, 2,
                          in, &attr, MPNO_ROLE_SPECTRUM, "contracted spectrum", spectrum);
}

mpno_status mpno_factor_contract(const mpno_factor_graph *g, int *spectrum) {
    build b = {.g = g};
    way w;
    int made;
    if (g->model->config.factorization == MPNO_FACTORIZATION_DENSE)
        return contract_dense(g, spectrum);
    MPNO_TRY(describe(&b));
    MPNO_TRY(choose_way(&b, &w));
    MPNO_TRY(add_rebuild(&b, &w, &made));
    if (w.data_first) return add_data_first(&b, made, spectrum);
    return multiply(&b, b.config->separable ? &mpno_op_scale_modes : &mpno_op_contract, made, true,
                    "contracted spectrum", spectrum);
}
