/* SPDX-License-Identifier: MIT
 * The interpreter of tile programs, see tile.h. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/tile.h"

/* A field of which the next tile's rows are asked for while a tile is in work. */
typedef struct fetched {
    int edge;
    size_t row_bytes, share; /* share: cache lines to ask for before each op */
} fetched;
enum { MOST_FETCHED = 16 };

typedef struct execution {
    const mpno_tile_program *program;
    const mpno_tile_run *run;
    size_t element;
    char *packs, *partials, *buffers; /* parts of the scratch */
    fetched fetched[MOST_FETCHED];
    int n_fetched; /* 0: nothing is asked for */
} execution;

/* A weight that is stored in the arithmetic type and wanted as it lies is read where it is. */
static const void *pack_data(const execution *x, int index) {
    const mpno_tile_pack *pack = &x->program->packs[index];
    const mpno_stored *stored = &x->run->stored[pack->edge];
    if (!pack->transposed && !pack->packed && stored->format == x->run->kernels->arithmetic)
        return stored->data;
    return x->packs + pack->offset;
}

/* Converts, transposes and packs, each where it is needed; the last form comes first in memory. */
static void make_pack(void *argument, int64_t index, int thread) {
    const execution *x = argument;
    const mpno_kernels *kernels = x->run->kernels;
    const mpno_tile_pack *pack = &x->program->packs[index];
    const mpno_stored *stored = &x->run->stored[pack->edge];
    const mpno_weight *w = &x->run->graph->weights[x->run->graph->edges[pack->edge].param];
    const size_t count = mpno_weight_count(w), plain = mpno_aligned(count * x->element);
    const int64_t rows = pack->transposed ? w->cols : w->rows,
                  cols = pack->transposed ? w->rows : w->cols;
    const void *from = stored->data;
    (void)thread;
    if (pack_data(x, (int)index) == stored->data) return;
    char *end = x->packs + pack->offset + pack->bytes;
    if (stored->format != kernels->arithmetic) {
        char *to = pack->transposed || pack->packed ? end - plain : x->packs + pack->offset;
        mpno_stored_load(kernels, stored, to, from, (int64_t)count);
        from = to;
    }
    if (pack->transposed) {
        char *to = pack->packed ? end - 2 * plain : x->packs + pack->offset;
        kernels->transpose(to, w->rows, from, w->cols, w->rows, w->cols);
        from = to;
    }
    if (pack->bf16) {
        x->run->products->pack(x->packs + pack->offset, cols, rows, from, cols);
    } else if (pack->packed) {
        kernels->pack(x->packs + pack->offset, cols, rows, from, cols);
    }
}

/* Address of point `first` of a stored field's sample. */
static char *field_rows(const execution *x, int edge, int64_t sample, int64_t first) {
    const mpno_stored *stored = &x->run->stored[edge];
    const int64_t row = sample * x->program->tiling.points + first;
    return (char *)stored->data +
           (size_t)(row * x->run->graph->edges[edge].channels) * mpno_format_bytes(stored->format);
}

/* Columns and sums are read, and columns written, where they are stored. */
static void *sample_data(const execution *x, int edge, int64_t sample) {
    const mpno_stored *stored = &x->run->stored[edge];
    return (char *)stored->data +
           (size_t)sample * mpno_edge_bytes(x->run->graph, edge, stored->format, 1);
}

/* Where a value of the tile in work lies. */
static void *value_data(const execution *x, int value, const mpno_op_call *call, char *buffers) {
    const mpno_tile_value *v = &x->program->values[value];
    return v->in_place >= 0 ? field_rows(x, v->in_place, call->sample, call->first)
                            : buffers + v->offset;
}

static void run_op(const execution *x, const mpno_tile_op *op, int64_t chunk, char *buffers,
                   mpno_op_call *call) {
    const mpno_graph *graph = x->run->graph;
    const mpno_node *node = &graph->nodes[op->node];
    const mpno_format arithmetic = x->run->kernels->arithmetic;
    call->node = node;
    call->products = op->bf16 ? x->run->products : NULL;
    call->scratch =
        buffers + (op->room >= 0 ? x->program->values[op->room].offset : x->program->value_bytes);
    for (int i = 0; i < node->n_in; i++) {
        mpno_operand *operand = &call->in[i];
        *operand = (mpno_operand){NULL, arithmetic, 0, NULL};
        if (op->in[i] < 0) continue;
        const mpno_edge *edge = &graph->edges[node->in[i]];
        operand->channels = edge->channels;
        if (edge->kind == MPNO_EDGE_FIELD) {
            const int in_place = x->program->values[op->in[i]].in_place;
            operand->data = value_data(x, op->in[i], call, buffers);
            if (in_place >= 0) operand->format = x->run->stored[in_place].format;
        } else if (edge->kind == MPNO_EDGE_PARAM) {
            operand->data = (void *)(uintptr_t)pack_data(x, op->in[i]);
        } else {
            operand->data = sample_data(x, op->in[i], call->sample);
        }
        if (edge->kind != MPNO_EDGE_COLUMNS) continue;
        operand->format = x->run->stored[op->in[i]].format;
        operand->codec = mpno_stored_codec(&x->run->stored[op->in[i]]);
    }
    for (int i = node->n_in; i < MPNO_OP_MAX_IN; i++) call->in[i].data = NULL;
    for (int i = 0; i < node->n_out; i++) {
        call->out[i].format = arithmetic;
        call->out[i].codec = NULL;
        call->out[i].channels = graph->edges[node->out[i]].channels;
        if (node->op->class == MPNO_OP_TILE)
            call->out[i].data = buffers + x->program->values[op->out[i]].offset;
        else if (graph->edges[node->out[i]].kind == MPNO_EDGE_COLUMNS) {
            call->out[i].data = sample_data(x, op->out[i], call->sample);
            call->out[i].format = x->run->stored[op->out[i]].format;
            call->out[i].codec = mpno_stored_codec(&x->run->stored[op->out[i]]);
            call->nonfinite[i] = false;
        } else
            call->out[i].data = x->partials + (size_t)chunk * x->program->chunk_bytes +
                                x->program->partials[op->out[i]].offset;
    }
    node->op->forward(call);
    for (int i = 0; i < node->n_out; i++)
        if (graph->edges[node->out[i]].kind == MPNO_EDGE_COLUMNS && call->nonfinite[i])
            atomic_store_explicit(&x->run->stored[op->out[i]].nonfinite, true,
                                  memory_order_relaxed);
}

/* Asks for what the tile of `rows` from `first` on will load, of each field the next part of as
 * many as there are ops; `asked` lines of it so far. (One field after the other: steps 1 % slower.)
 */
static void fetch_part(const execution *x, int64_t sample, int64_t first, int64_t rows,
                       size_t *asked) {
    for (int k = 0; k < x->n_fetched; k++) {
        const fetched *f = &x->fetched[k];
        const size_t lines = ((size_t)rows * f->row_bytes + 63) / 64, left = lines - asked[k];
        const size_t n = left < f->share ? left : f->share;
        mpno_fetch_ahead(field_rows(x, f->edge, sample, first) + asked[k] * 64, n * 64);
        asked[k] += n;
    }
}

/* While a tile is in work, what the next one loads comes to the caches, a part before each op. */
static void run_tile(const execution *x, int64_t sample, int64_t chunk, int64_t first, int64_t rows,
                     int64_t next_rows, char *buffers) {
    const mpno_kernels *kernels = x->run->kernels;
    mpno_op_call call = {.kernels = kernels,
                         .fields = x->run->fields,
                         .graph = x->run->graph,
                         .batch = 1,
                         .sample = sample,
                         .before = x->run->before,
                         .drop_seed = x->run->drop_seed,
                         .first = first,
                         .rows = rows,
                         .n_threads = 1};
    size_t asked[MOST_FETCHED] = {0};
    for (int i = 0; i < x->program->n_ops; i++) {
        const mpno_tile_op *op = &x->program->ops[i];
        if (next_rows > 0) fetch_part(x, sample, first + rows, next_rows, asked);
        if (op->kind == MPNO_INSTR_OP) {
            run_op(x, op, chunk, buffers, &call);
            continue;
        }
        const int value = op->kind == MPNO_INSTR_LOAD ? op->out[0] : op->in[0];
        void *tile = value_data(x, value, &call, buffers);
        const int64_t count = rows * x->program->values[value].channels;
        if (op->kind == MPNO_INSTR_LOAD) {
            if (x->program->values[value].in_place < 0)
                mpno_stored_load(kernels, &x->run->stored[op->source], tile,
                                 field_rows(x, op->source, sample, first), count);
        } else {
            mpno_stored *stored = &x->run->stored[op->edge];
            if (mpno_stored_store(kernels, stored, field_rows(x, op->edge, sample, first), tile,
                                  count))
                atomic_store_explicit(&stored->nonfinite, true, memory_order_relaxed);
        }
    }
}

static void run_chunk(void *argument, int64_t chunk, int thread) {
    const execution *x = argument;
    const mpno_tiling *tiling = &x->program->tiling;
    const int64_t sample = chunk / tiling->chunks, begin = chunk % tiling->chunks * tiling->chunk;
    const int64_t rest = tiling->points - begin,
                  end = begin + (rest < tiling->chunk ? rest : tiling->chunk);
    char *buffers =
        x->buffers + (size_t)thread * (x->program->value_bytes + x->program->op_scratch_bytes);
    memset(x->partials + (size_t)chunk * x->program->chunk_bytes, 0, x->program->chunk_bytes);
    int64_t rows = mpno_tiling_rows(tiling, begin, end);
    for (int64_t first = begin, next; first < end; first += rows, rows = next) {
        next = first + rows < end ? mpno_tiling_rows(tiling, first + rows, end) : 0;
        run_tile(x, sample, chunk, first, rows, next, buffers);
    }
}

/* Less than this is done by one thread: waking another takes longer (1 us while it looks for work,
 * 8 us and more when it sleeps). */
enum { WORTH_WAKING = 32 << 10 }; /* bytes read */

static int threads_for(const mpno_tile_run *run, size_t bytes) {
    return bytes < WORTH_WAKING ? 1 : run->n_threads;
}

/* A range of the elements of one partial sum, long enough to be worth a task. */
enum { REDUCE_RANGE = 2048 };

static int64_t n_ranges(const mpno_tile_partial *partial) {
    return partial->per_sample ? 1 : (partial->count + REDUCE_RANGE - 1) / REDUCE_RANGE;
}

/* The ranges of all partial sums are numbered through. */
static void reduce_range(void *argument, int64_t range, int thread) {
    const execution *x = argument;
    const mpno_tile_partial *partial = x->program->partials;
    for (; range >= n_ranges(partial); partial++) range -= n_ranges(partial);
    mpno_stored *stored = &x->run->stored[partial->edge];
    const size_t size = partial->f64 ? sizeof(double) : x->element;
    const int64_t stride = (int64_t)(x->program->chunk_bytes / size),
                  chunks = x->program->tiling.chunks;
    const int64_t first = range * REDUCE_RANGE;
    const int64_t count =
        partial->count - first < REDUCE_RANGE ? partial->count - first : REDUCE_RANGE;
    char *from = x->partials + partial->offset + (size_t)first * size;
    double *chain = stored->chain != NULL ? stored->chain + first : NULL;
    int bad;
    (void)thread;
    if (partial->per_sample) {
        bad = x->run->fields->reduce_samples(stored->data, (const double *)from, x->run->batch,
                                             chunks, partial->count, stride);
    } else if (partial->f64) {
        double sums[REDUCE_RANGE];
        mpno_field_kernels_get(MPNO_F64)->reduce(sums, from, x->run->batch, chunks, count, stride,
                                                 chain);
        bad =
            x->run->fields->narrow((char *)stored->data + (size_t)first * x->element, sums, count);
    } else {
        bad = x->run->fields->reduce((char *)stored->data + (size_t)first * x->element, from,
                                     x->run->batch, chunks, count, stride, chain);
    }
    if (bad) atomic_store_explicit(&stored->nonfinite, true, memory_order_relaxed);
}

/* Operands of op number `index` that are the value; of a store bit 0. */
static unsigned reads(const execution *x, int value, int index) {
    const mpno_tile_op *op = &x->program->ops[index];
    if (op->kind != MPNO_INSTR_OP) return op->kind == MPNO_INSTR_STORE && op->in[0] == value;
    const mpno_node *node = &x->run->graph->nodes[op->node];
    unsigned which = 0;
    for (int k = 0; k < node->n_in; k++)
        if (op->in[k] == value && node->in[k] >= 0 &&
            x->run->graph->edges[node->in[k]].kind == MPNO_EDGE_FIELD)
            which |= 1u << k;
    return which;
}

/* Whether an op behind number `index` reads the value. */
static bool read_behind(const execution *x, int value, int index) {
    for (int i = index + 1; i < x->program->n_ops; i++)
        if (reads(x, value, i) != 0) return true;
    return false;
}

/* Whether all that read the value take it as it is stored. (An op widens in registers what it would
 * else read from a copy: 2 % of a step of ns128-m16 in 16 bits.) */
static bool taken_as_stored(const execution *x, int value, const mpno_stored *stored) {
    if ((stored->format != MPNO_F16 && stored->format != MPNO_BF16) || stored->coded) return false;
    for (int i = 0; i < x->program->n_ops; i++) {
        const mpno_tile_op *op = &x->program->ops[i];
        const unsigned which = reads(x, value, i);
        if (which == 0) continue;
        if (op->kind != MPNO_INSTR_OP) return false;
        if ((which & ~x->run->graph->nodes[op->node].op->stored) != 0) return false;
    }
    return true;
}

/* Whether a loaded field can be read where it is stored: in the arithmetic type, with every tile's
 * start aligned, or in 16 bits by ops that take them; and not after a store of this program took
 * its place, which overwrites the rows of its own tile. */
static bool readable_in_place(const execution *x, int value, int edge) {
    const mpno_stored *stored = &x->run->stored[edge];
    const mpno_tiling *tiling = &x->program->tiling;
    const int64_t row = x->run->graph->edges[edge].channels * (int64_t)x->element;
    const bool plain = stored->format == x->run->kernels->arithmetic &&
                       tiling->rows * row % MPNO_ALIGN == 0 && tiling->line * row % MPNO_ALIGN == 0;
    if (stored->external || (!plain && !taken_as_stored(x, value, stored))) return false;
    for (int i = 0; i < x->program->n_ops; i++)
        if (x->program->ops[i].kind == MPNO_INSTR_STORE &&
            x->program->ops[i].edge == stored->heir && read_behind(x, value, i))
            return false;
    return true;
}

static void find_values_in_place(const execution *x) {
    for (int i = 0; i < x->program->n_values; i++) x->program->values[i].in_place = -1;
    for (int i = 0; i < x->program->n_ops; i++) {
        const mpno_tile_op *op = &x->program->ops[i];
        if (op->kind == MPNO_INSTR_LOAD && readable_in_place(x, op->out[0], op->source))
            x->program->values[op->out[0]].in_place = op->source;
    }
}

/* A program that loads less finds it in the caches, where asking takes longer than it saves
 * (darcy16: 5 % of a step); where memory is read, it saves as much of fno3d and of 16-bit steps. */
enum { WORTH_FETCHING = 8 << 20 }; /* bytes loaded */

static void find_fetched(execution *x) {
    const size_t n_ops = (size_t)x->program->n_ops, tile = (size_t)x->program->tiling.rows;
    size_t bytes = 0;
    for (size_t i = 0; i < n_ops; i++) {
        const mpno_tile_op *op = &x->program->ops[i];
        if (op->kind != MPNO_INSTR_LOAD) continue;
        const size_t row = (size_t)x->run->graph->edges[op->source].channels *
                           mpno_format_bytes(x->run->stored[op->source].format);
        bytes += row * (size_t)(x->run->batch * x->program->tiling.points);
        if (x->n_fetched < MOST_FETCHED)
            x->fetched[x->n_fetched++] =
                (fetched){op->source, row, ((tile * row + 63) / 64 + n_ops - 1) / n_ops};
    }
    if (bytes < WORTH_FETCHING) x->n_fetched = 0;
}

void mpno_tile_execute(const mpno_tile_program *program, const mpno_tile_run *run) {
    const int64_t chunks = run->batch * program->tiling.chunks;
    execution x = {.program = program,
                   .run = run,
                   .element = mpno_format_bytes(run->kernels->arithmetic),
                   .packs = run->scratch};
    x.partials = x.packs + program->pack_bytes;
    x.buffers = x.partials + program->chunk_bytes * (size_t)chunks;
    find_fetched(&x);
    find_values_in_place(&x);
    int64_t ranges = 0;
    for (int i = 0; i < program->n_partials; i++) ranges += n_ranges(&program->partials[i]);
    mpno_parallel(threads_for(run, program->pack_bytes), program->n_packs, make_pack, &x);
    mpno_parallel(run->n_threads, chunks, run_chunk, &x);
    mpno_parallel(threads_for(run, program->chunk_bytes * (size_t)chunks), ranges, reduce_range,
                  &x);
}
