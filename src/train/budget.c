/* SPDX-License-Identifier: MIT
 * Samples that run at once under a memory limit: see budget.h. */
#include "train/budget.h"

#include "model/model.h"
#include "report/human.h"

mpno_status mpno_network_need(mpno_model *model, const mpno_network_opts *opts, size_t *bytes) {
    mpno_network *network;
    const size_t before = mpno_ctx_bytes(model->ctx);
    MPNO_TRY(mpno_network_plan(model, opts, &network));
    const mpno_network_cost cost = mpno_network_get_cost(network);
    *bytes = mpno_ctx_bytes(model->ctx) - before + cost.activation_bytes + cost.gradient_bytes +
             cost.weight_copy_bytes;
    mpno_network_destroy(&network);
    return MPNO_OK;
}

size_t mpno_checkpoint_need(const mpno_model *model, size_t n_states, bool narrow) {
    const size_t weights =
        mpno_model_n_weights(model) * mpno_format_bytes(mpno_model_arithmetic(model));
    size_t largest = 0;
    for (int i = 0; i < mpno_model_n_params(model); i++) {
        const size_t count = mpno_model_param_info(model, i).count;
        if (count > largest) largest = count;
    }
    const size_t decoded = narrow ? mpno_format_bytes(mpno_model_arithmetic(model)) : 0;
    return (1 + n_states) * weights + largest * (sizeof(double) + decoded);
}

/* Each batch in `parts` of about one size. Gives what all networks need together. */
static mpno_status divide(mpno_model *model, mpno_network_opts *opts, size_t n, int64_t parts,
                          size_t *bytes) {
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t one;
        opts[i].micro_batch = (opts[i].capacity - 1) / parts + 1;
        MPNO_TRY(mpno_network_need(model, &opts[i], &one));
        *bytes += one;
    }
    return MPNO_OK;
}

static mpno_status too_much(const mpno_budget *b, mpno_ctx *ctx, size_t needed, const char *how,
                            const char *remedy) {
    char limit[MPNO_HUMAN_CAPACITY], total[MPNO_HUMAN_CAPACITY], held[MPNO_HUMAN_CAPACITY];
    return mpno_fail(ctx, MPNO_E_CONFIG,
                     "memory_limit is %s, but %s%s needs %s, %s of it data, weights and what goes "
                     "with them: raise the limit, %s",
                     mpno_human_bytes(b->limit, limit), b->use, how,
                     mpno_human_bytes(needed + b->held, total), mpno_human_bytes(b->held, held),
                     remedy);
}

/* As few parts as fit; more parts need less. */
static mpno_status fewest_parts(const mpno_budget *b, mpno_model *model, mpno_network_opts *opts,
                                size_t n) {
    int64_t most = 1, few = 0; /* so many parts do not fit */
    size_t bytes;
    for (size_t i = 0; i < n; i++) {
        if (opts[i].recompute == MPNO_RECOMPUTE_AUTO) opts[i].recompute = MPNO_RECOMPUTE_CHEAP;
        if (opts[i].capacity > most) most = opts[i].capacity;
    }
    const mpno_fno_config *config = mpno_model_config(model);
    const bool norm = opts[0].training && config->norm == MPNO_NORM_BATCH,
               whole = norm || mpno_stabilizer_couples_batch(config->stabilizer);
    MPNO_TRY(divide(model, opts, n, 1, &bytes));
    if (bytes + b->held <= b->limit) return MPNO_OK;
    if (whole && !norm)
        return too_much(b, model->ctx, bytes,
                        " with model.stabilizer = two_sigma_clip_batch, a batch at once,",
                        "choose two_sigma_clip, or make data.batch_size (data.test_batch_size) "
                        "smaller");
    if (whole)
        return too_much(b, model->ctx, bytes, " with model.norm = batch_norm, a batch at once,",
                        "choose another norm, or make data.batch_size smaller");
    MPNO_TRY(divide(model, opts, n, most, &bytes));
    if (bytes + b->held > b->limit)
        return too_much(b, model->ctx, bytes, " even one sample at a time",
                        "or make the model, the grid or the data smaller");
    for (few = 1; most - few > 1;) {
        const int64_t middle = few + (most - few) / 2;
        MPNO_TRY(divide(model, opts, n, middle, &bytes));
        if (bytes + b->held <= b->limit)
            most = middle;
        else
            few = middle;
    }
    return divide(model, opts, n, most, &bytes);
}

mpno_status mpno_budget_divide(const mpno_budget *b, mpno_model *model, mpno_network_opts *opts,
                               size_t n) {
    size_t all = 0;
    const bool choose = b->micro_batch == 0;
    for (size_t i = 0; i < n; i++) {
        size_t one = 0;
        opts[i].micro_batch = choose ? MPNO_MICRO_BATCH_AUTO : b->micro_batch;
        if (b->limit > 0) MPNO_TRY(mpno_network_need(model, &opts[i], &one));
        all += one;
    }
    if (b->limit == 0 || all + b->held <= b->limit) return MPNO_OK;
    if (choose) return fewest_parts(b, model, opts, n);
    return too_much(b, model->ctx, all, " in micro-batches as asked for",
                    "make micro_batch smaller, or leave it at auto");
}
