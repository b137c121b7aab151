/* SPDX-License-Identifier: MIT
 * What follows from a configuration: dependent defaults, checks across keys, the structs that the
 * layers below take. */
#include "train/config.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "data/normalizer.h"
#include "graph/policy.h"
#include "model/stabilizer.h"
#include "number/format.h"
#include "report/human.h"
#include "train/augment.h"
#include "train/lipschitz.h"
#include "train/modes.h"
#include "train/objective.h"
#include "train/rollout.h"

static mpno_status replace_text(mpno_ctx *ctx, const char *text, char **at) {
    char *copy = NULL;
    MPNO_TRY(mpno_strdup(ctx, text, &copy));
    mpno_free(ctx, *at);
    *at = copy;
    return MPNO_OK;
}

/* Lists whose lengths follow from the number of axes and blocks. */
static mpno_status check_lists(mpno_ctx *ctx, const mpno_settings *s) {
    const int64_t axes = s->model.n_modes.n, blocks = s->model.n_layers;
    const mpno_real_list *pad = &s->model.domain_padding, *box = &s->model.grid_boundaries,
                         *scale = &s->model.resolution_scaling_factor;
    MPNO_CHECK(ctx, s->model.max_n_modes.n == 0 || s->model.max_n_modes.n == axes, MPNO_E_CONFIG,
               "model.max_n_modes has %lld entries and model.n_modes %lld: give one for each axis",
               (long long)s->model.max_n_modes.n, (long long)axes);
    MPNO_CHECK(ctx, pad->row == 0 && (pad->n <= 1 || pad->n == axes), MPNO_E_CONFIG,
               "model.domain_padding: expected one number or one for each of the %lld axes, found "
               "%lld",
               (long long)axes, (long long)pad->n);
    MPNO_CHECK(ctx, box->n == 0 || (box->row == 2 && box->n == 2 * axes), MPNO_E_CONFIG,
               "model.grid_boundaries: expected a pair [start, stop] for each of the %lld axes",
               (long long)axes);
    MPNO_CHECK(ctx, s->model.rank.row == 0 && s->model.rank.n <= MPNO_MAX_RANKS, MPNO_E_CONFIG,
               "model.rank: expected one number or a list of at most %d ranks, found %lld numbers",
               MPNO_MAX_RANKS, (long long)s->model.rank.n);
    const mpno_real_list *modes = &s->precision.modes;
    const bool same = modes->row == 0 ? modes->n == 0 || modes->n == axes : modes->n == axes;
    MPNO_CHECK(ctx, same || (modes->row == axes && modes->n == blocks * axes), MPNO_E_CONFIG,
               "precision.modes: expected one number for each of the %lld axes, or for each of the "
               "%lld blocks a list of them, found %lld numbers",
               (long long)axes, (long long)blocks, (long long)modes->n);
    for (int64_t i = 0; i < modes->n; i++)
        MPNO_CHECK(ctx, modes->v[i] == floor(modes->v[i]), MPNO_E_CONFIG,
                   "precision.modes: %g is no number of modes, expected a whole number from 1 on",
                   modes->v[i]);
    const bool flat = scale->row == 0 && (scale->n <= 1 || scale->n == blocks);
    MPNO_CHECK(ctx, flat || (scale->row == axes && scale->n == blocks * axes), MPNO_E_CONFIG,
               "model.resolution_scaling_factor: expected one number, one for each of the %lld "
               "blocks, or for each block a list of one per axis",
               (long long)blocks);
    return MPNO_OK;
}

static mpno_status check_model(mpno_ctx *ctx, const mpno_settings *s) {
    MPNO_CHECK(ctx, s->model.n_modes.n > 0, MPNO_E_CONFIG,
               "model.n_modes is missing: give one number for each axis of the grid, such as "
               "[8, 8]");
    MPNO_CHECK(ctx, s->model.n_modes.n <= MPNO_MAX_AXES, MPNO_E_CONFIG,
               "model.n_modes: expected 1 to %d entries, found %lld", MPNO_MAX_AXES,
               (long long)s->model.n_modes.n);
    MPNO_CHECK(ctx, s->model.hidden_channels != MPNO_UNSET, MPNO_E_CONFIG,
               "model.hidden_channels is missing: give the width of the network, such as 24");
    const bool steered = s->model.norm == MPNO_NORM_ADA_IN;
    MPNO_CHECK(ctx, !steered || s->data.embedding_key, MPNO_E_CONFIG,
               "model.norm is ada_in, but data.embedding_key is missing: name the tensor of the "
               "data that steers the norm");
    MPNO_CHECK(ctx, steered || !s->data.embedding_key, MPNO_E_CONFIG,
               "data.embedding_key is given but model.norm is not ada_in: nothing would read it");
    return check_lists(ctx, s);
}

static mpno_status resolve_precision(mpno_ctx *ctx, mpno_settings *s) {
    const bool scheduled = s->precision.policy == MPNO_POLICY_SCHEDULE,
               adaptive = mpno_settings_adapts(s);
    MPNO_CHECK(
        ctx, scheduled || adaptive || !s->precision.phases, MPNO_E_CONFIG,
        "precision.phases is given but precision.policy is none of schedule, adaptive and auto: "
        "set precision.policy: schedule or leave phases out");
    MPNO_CHECK(ctx, scheduled || s->precision.blend == 0, MPNO_E_CONFIG,
               "precision.blend is %lld but precision.policy is not schedule: no phase follows "
               "another at a time that is known before",
               (long long)s->precision.blend);
    if (scheduled && !s->precision.phases)
        MPNO_TRY(replace_text(ctx, MPNO_PAPER_SCHEDULE, &s->precision.phases));
    if (adaptive && !s->precision.phases)
        MPNO_TRY(replace_text(ctx, MPNO_ADAPTIVE_LEVELS, &s->precision.phases));
    mpno_policy policy;
    const mpno_storage_opts o = mpno_settings_storage(s, "");
    MPNO_TRY(mpno_policy_make(ctx, "full", mpno_settings_arithmetic(s), MPNO_F16, &policy));
    MPNO_TRY(mpno_policy_override(ctx, &policy, o.exceptions, o.rounding, o.scaling));
    mpno_schedule schedule;
    MPNO_TRY(mpno_settings_schedule(ctx, s, &schedule));
    for (int i = 0; i < schedule.n; i++)
        MPNO_CHECK(
            ctx,
            schedule.phase[i].stabilizer < 0 || s->model.stabilizer != MPNO_STABILIZER_LEARNED_TANH,
            MPNO_E_CONFIG,
            "precision.phases gives %s a stabiliser of its own, but model.stabilizer is "
            "learned_tanh, whose gains are trained throughout: leave one of them out",
            schedule.phase[i].policy);
    return MPNO_OK;
}

/* Keys of one optimiser that were given to another would do nothing in silence. */
static mpno_status check_optimizer(mpno_ctx *ctx, const mpno_settings *s) {
    char name[32];
    const mpno_optimizer_kind kind = (mpno_optimizer_kind)s->opt.optimizer;
    const bool adam = kind == MPNO_OPTIMIZER_ADAMW || kind == MPNO_OPTIMIZER_ADAM;
    mpno_settings_choice(s, "opt.optimizer", name, sizeof name);
    MPNO_CHECK(ctx, s->opt.convention == MPNO_CONVENTION_TORCH || kind == MPNO_OPTIMIZER_ADAMW,
               MPNO_E_CONFIG,
               "opt.convention = neuralop is a convention of adamw, but opt.optimizer is %s: give "
               "opt.convention=torch",
               name);
    MPNO_CHECK(ctx, adam || !s->opt.amsgrad, MPNO_E_CONFIG,
               "opt.amsgrad is one of adam and adamw, but opt.optimizer is %s: leave it out", name);
    MPNO_CHECK(ctx, !s->opt.amsgrad || s->opt.convention == MPNO_CONVENTION_TORCH, MPNO_E_CONFIG,
               "opt.amsgrad needs opt.convention = torch, found neuralop");
    const bool sgd_keys = s->opt.momentum > 0 || s->opt.dampening > 0 || s->opt.nesterov;
    MPNO_CHECK(ctx, kind == MPNO_OPTIMIZER_SGD || !sgd_keys, MPNO_E_CONFIG,
               "opt.momentum, opt.dampening and opt.nesterov are read by sgd only, but "
               "opt.optimizer is %s: leave them out",
               name);
    MPNO_CHECK(ctx, !s->opt.nesterov || (s->opt.momentum > 0 && s->opt.dampening == 0),
               MPNO_E_CONFIG,
               "opt.nesterov needs opt.momentum above 0 and opt.dampening = 0, found %g and %g",
               s->opt.momentum, s->opt.dampening);
    MPNO_CHECK(ctx, isnan(s->opt.grad_clip_norm) || isnan(s->opt.grad_clip_value), MPNO_E_CONFIG,
               "opt.grad_clip_norm and opt.grad_clip_value are both given: keep one");
    return MPNO_OK;
}

static mpno_status check_milestones(mpno_ctx *ctx, const mpno_settings *s) {
    const mpno_int_list *list = &s->opt.milestones;
    MPNO_CHECK(ctx, s->opt.scheduler != MPNO_LR_multistep || list->n > 0, MPNO_E_CONFIG,
               "opt.milestones is missing: opt.scheduler = multistep needs the epochs after which "
               "the rate falls, such as [60, 80]");
    for (int64_t i = 1; i < list->n; i++) {
        MPNO_CHECK(ctx, list->v[i] > list->v[i - 1], MPNO_E_CONFIG,
                   "opt.milestones: %lld stands after %lld, expected growing numbers of epochs",
                   (long long)list->v[i], (long long)list->v[i - 1]);
    }
    return MPNO_OK;
}

static mpno_status resolve_lr(mpno_ctx *ctx, mpno_settings *s) {
    MPNO_TRY(check_milestones(ctx, s));
    MPNO_CHECK(ctx, s->opt.scheduler != MPNO_LR_cosine_restarts || s->opt.t_0 != MPNO_UNSET,
               MPNO_E_CONFIG,
               "opt.t_0 is missing: opt.scheduler = cosine_restarts needs the epochs of its first "
               "cycle");
    MPNO_CHECK(ctx, s->opt.eta_min <= s->opt.learning_rate, MPNO_E_CONFIG,
               "opt.eta_min = %g is above opt.learning_rate = %g", s->opt.eta_min,
               s->opt.learning_rate);
    MPNO_CHECK(ctx, s->opt.min_lr <= s->opt.learning_rate, MPNO_E_CONFIG,
               "opt.min_lr = %g is above opt.learning_rate = %g", s->opt.min_lr,
               s->opt.learning_rate);
    MPNO_CHECK(ctx, s->opt.warmup_epochs == 0 || s->opt.warmup_steps == 0, MPNO_E_CONFIG,
               "opt.warmup_epochs and opt.warmup_steps are both given: keep one");
    MPNO_CHECK(ctx, s->opt.warmup_epochs < s->opt.n_epochs, MPNO_E_CONFIG,
               "opt.warmup_epochs = %lld leaves nothing of opt.n_epochs = %lld",
               (long long)s->opt.warmup_epochs, (long long)s->opt.n_epochs);
    if (isnan(s->opt.gamma)) s->opt.gamma = s->opt.scheduler == MPNO_LR_exponential ? 0.95 : 0.5;
    if (s->opt.t_max == MPNO_UNSET) s->opt.t_max = s->opt.n_epochs - s->opt.warmup_epochs;
    return MPNO_OK;
}

static mpno_status check_stopping(mpno_ctx *ctx, const mpno_settings *s) {
    const bool stopping = s->opt.early_stopping != MPNO_UNSET;
    MPNO_CHECK(ctx, !stopping || s->data.validation || s->data.n_validation > 0, MPNO_E_CONFIG,
               "opt.early_stopping needs validation data: give data.validation or "
               "data.n_validation");
    MPNO_CHECK(ctx, stopping || s->opt.min_delta == 0, MPNO_E_CONFIG,
               "opt.min_delta is given but opt.early_stopping is not: give the epochs to wait");
    MPNO_CHECK(ctx, s->eval.weights != MPNO_WEIGHTS_EMA || !isnan(s->opt.ema_decay), MPNO_E_CONFIG,
               "eval.weights = ema, but opt.ema_decay keeps no averages: give it, such as 0.99, or "
               "leave eval.weights out");
    return MPNO_OK;
}

static mpno_status check_subsampling(mpno_ctx *ctx, const mpno_settings *s) {
    const mpno_int_list *factors = &s->data.train_subsampling;
    for (int64_t i = 0; i < factors->n; i++)
        for (int64_t k = 0; k < i; k++)
            MPNO_CHECK(ctx, factors->v[k] != factors->v[i], MPNO_E_CONFIG,
                       "data.train_subsampling: %lld stands twice, expected each factor once",
                       (long long)factors->v[i]);
    return MPNO_OK;
}

static mpno_status check_encoding(mpno_ctx *ctx, const mpno_settings *s) {
    const mpno_encoding encoding = (mpno_encoding)s->data.encoding;
    MPNO_CHECK(ctx,
               encoding == MPNO_ENCODING_SCALAR || s->data.encode_input || s->data.encode_output,
               MPNO_E_CONFIG,
               "data.encoding is %s, but nothing is encoded: give data.encode_input or "
               "data.encode_output, or leave it out",
               mpno_encoding_name(encoding));
    MPNO_CHECK(
        ctx, encoding != MPNO_ENCODING_PIXEL_WISE || !mpno_augment_wanted(s), MPNO_E_CONFIG,
        "data.encoding = pixel-wise ties values to points, and augment moves them to others: "
        "give data.encoding=channel-wise or leave augment out");
    return MPNO_OK;
}

/* Keys without effect are mistakes. */
static mpno_status check_reading(mpno_ctx *ctx, const mpno_settings *s) {
    const bool others = s->data.time_out != 1 || s->data.time_stride != 1 ||
                        s->data.time_hop != 1 || s->data.time_first != 0 ||
                        s->data.time_last != MPNO_UNSET;
    MPNO_CHECK(ctx, s->data.time_in != MPNO_UNSET || !others, MPNO_E_CONFIG,
               "data.time_out, time_stride, time_hop, time_first and time_last are read with "
               "data.time_in only: give the steps of an input");
    MPNO_TRY(mpno_rollout_check(ctx, s));
    MPNO_CHECK(ctx, s->data.window == MPNO_UNSET || s->data.streaming != MPNO_STREAMING_NEVER,
               MPNO_E_CONFIG,
               "data.window is given but data.streaming = never: nothing would read it");
    return MPNO_OK;
}

size_t mpno_settings_memory_limit(const mpno_settings *s) {
    uint64_t bytes = 0;
    const bool given = s->memory_limit && mpno_human_parse_bytes(s->memory_limit, &bytes);
    return given ? (size_t)bytes : 0;
}

/* Parts of a batch have no statistics of the batch. */
static mpno_status check_memory(mpno_ctx *ctx, const mpno_settings *s) {
    MPNO_CHECK(
        ctx, !s->memory_limit || mpno_settings_memory_limit(s) > 0, MPNO_E_CONFIG,
        "memory_limit is '%.60s', expected a number above 0 and one of B, kB, MB, GB, TB, KiB, "
        "MiB, GiB, TiB, such as 300MiB or 2GB",
        s->memory_limit);
    MPNO_CHECK(ctx,
               s->model.stabilizer != MPNO_STABILIZER_TWO_SIGMA_CLIP_BATCH ||
                   s->micro_batch == MPNO_UNSET || s->micro_batch >= s->data.batch_size,
               MPNO_E_CONFIG,
               "micro_batch is %lld, but model.stabilizer = two_sigma_clip_batch takes its limits "
               "from a whole batch of data.batch_size = %lld samples: leave micro_batch out, or "
               "choose two_sigma_clip",
               (long long)s->micro_batch, (long long)s->data.batch_size);
    MPNO_CHECK(ctx,
               s->model.norm != MPNO_NORM_BATCH || s->micro_batch == MPNO_UNSET ||
                   s->micro_batch >= s->data.batch_size,
               MPNO_E_CONFIG,
               "micro_batch is %lld, but model.norm = batch_norm takes its statistics from a whole "
               "batch of data.batch_size = %lld samples: leave micro_batch out, or choose another "
               "norm or a smaller data.batch_size",
               (long long)s->micro_batch, (long long)s->data.batch_size);
    return MPNO_OK;
}

mpno_status mpno_settings_resolve(mpno_ctx *ctx, mpno_settings *s) {
    mpno_objective objective;
    MPNO_TRY(check_model(ctx, s));
    MPNO_TRY(mpno_settings_objective(ctx, s, &objective));
    MPNO_CHECK(ctx, !s->data.validation || s->data.n_validation == 0, MPNO_E_CONFIG,
               "data.validation and data.n_validation are both given: keep one");
    MPNO_TRY(check_subsampling(ctx, s));
    MPNO_TRY(mpno_augment_check(ctx, s));
    MPNO_TRY(check_encoding(ctx, s));
    MPNO_TRY(check_reading(ctx, s));
    MPNO_TRY(resolve_lr(ctx, s));
    MPNO_TRY(check_stopping(ctx, s));
    MPNO_TRY(check_memory(ctx, s));
    MPNO_TRY(check_optimizer(ctx, s));
    if (isnan(s->opt.beta2)) s->opt.beta2 = s->opt.optimizer == MPNO_OPTIMIZER_LION ? 0.99 : 0.999;
    if (isnan(s->opt.eps)) s->opt.eps = s->opt.convention == MPNO_CONVENTION_NEURALOP ? 1e-6 : 1e-8;
    MPNO_TRY(mpno_lipschitz_check(ctx, s));
    MPNO_TRY(mpno_modes_check(ctx, s));
    return resolve_precision(ctx, s);
}

mpno_time mpno_settings_time(const mpno_settings *s) {
    const int64_t last = s->data.time_last;
    return (mpno_time){.in = s->data.time_in == MPNO_UNSET ? 0 : s->data.time_in,
                       .out = s->data.time_out,
                       .stride = s->data.time_stride,
                       .hop = s->data.time_hop,
                       .first = s->data.time_first,
                       .last = last == MPNO_UNSET ? MPNO_ALL_STEPS : last,
                       .unroll = 1};
}

bool mpno_settings_adapts(const mpno_settings *s) {
    return s->precision.policy == MPNO_POLICY_ADAPTIVE || s->precision.policy == MPNO_POLICY_AUTO;
}

mpno_format mpno_settings_arithmetic(const mpno_settings *s) {
    return s->precision.policy == MPNO_POLICY_F64 ? MPNO_F64 : MPNO_F32;
}

mpno_format mpno_settings_half(const mpno_settings *s) {
    return s->precision.format == 0 ? MPNO_F16 : MPNO_BF16;
}

mpno_format mpno_settings_arithmetic_of_transforms(const mpno_settings *s) {
    return s->precision.arithmetic == 0   ? MPNO_F32
           : s->precision.arithmetic == 1 ? MPNO_F16
                                          : MPNO_BF16;
}

mpno_storage_opts mpno_settings_storage(const mpno_settings *s, const char *policy) {
    const bool full = s->precision.policy == MPNO_POLICY_SCHEDULE && strcmp(policy, "full") == 0;
    return (mpno_storage_opts){.exceptions = full ? NULL : s->precision.storage,
                               .rounding = (mpno_rounding)s->precision.rounding,
                               .scaling = (mpno_scaling)s->precision.scaling,
                               .just_in_time = s->precision.amax == 1};
}

void mpno_settings_most_modes(const mpno_settings *s,
                              int64_t most[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]) {
    const mpno_real_list *modes = &s->precision.modes;
    const int64_t axes = s->model.n_modes.n;
    memset(most, 0, MPNO_MAX_BLOCKS * sizeof *most);
    for (int64_t l = 0; l < s->model.n_layers && l < MPNO_MAX_BLOCKS && modes->n > 0; l++)
        for (int64_t d = 0; d < axes && d < MPNO_MAX_AXES; d++)
            most[l][d] = (int64_t)modes->v[(modes->n > axes ? l * axes : 0) + d];
}

static bool needs_scale(const mpno_policy *policy, mpno_role role, bool gradient,
                        const char *layer) {
    const mpno_storage s = mpno_policy_storage(policy, role, gradient, layer);
    return mpno_format_get(s.format)->max_exponent < 127 && s.scaling == MPNO_SCALING_NONE;
}

bool mpno_settings_scale_loss(mpno_ctx *ctx, const mpno_settings *s, const char *name) {
    const mpno_storage_opts o = mpno_settings_storage(s, name);
    mpno_policy policy;
    const mpno_format base = mpno_settings_arithmetic(s), half = mpno_settings_half(s);
    if (mpno_policy_make(ctx, name, base, half, &policy) != MPNO_OK ||
        mpno_policy_override(ctx, &policy, o.exceptions, o.rounding, o.scaling) != MPNO_OK)
        return false; /* no network is made of them */
    for (int i = -1; i < policy.n_overrides; i++)
        for (int role = 0; role < MPNO_ROLE_COUNT; role++)
            for (int gradient = 0; gradient < 2; gradient++)
                if (needs_scale(&policy, (mpno_role)role, gradient,
                                i < 0 ? "" : policy.override[i].layer))
                    return true;
    return false;
}

mpno_status mpno_settings_network(mpno_ctx *ctx, const mpno_settings *s, const char *policy,
                                  mpno_network_opts *out) {
    *out = (mpno_network_opts)MPNO_NETWORK_OPTS_INIT;
    out->training = true;
    out->policy = policy;
    out->half_format = mpno_settings_half(s);
    out->storage = mpno_settings_storage(s, policy);
    mpno_settings_most_modes(s, out->most_modes);
    out->recompute = (mpno_recompute)s->recompute;
    out->transform_arithmetic = mpno_settings_arithmetic_of_transforms(s);
    return mpno_settings_objective(ctx, s, &out->objective);
}

mpno_status mpno_settings_schedule(mpno_ctx *ctx, const mpno_settings *s, mpno_schedule *out) {
    char name[32];
    mpno_settings_choice(s, "precision.policy", name, sizeof name);
    const char *text = name;
    if (mpno_settings_adapts(s))
        return mpno_schedule_parse_levels(ctx, s->precision.phases, s->opt.n_epochs, out);
    if (s->precision.policy == MPNO_POLICY_SCHEDULE) text = s->precision.phases;
    if (s->precision.policy == MPNO_POLICY_F64) text = "full"; /* nothing narrower than f64 */
    return mpno_schedule_parse(ctx, text, s->opt.n_epochs, out);
}

mpno_stabilizer mpno_settings_stabilizer(const mpno_settings *s, const mpno_phase *phase) {
    if (phase->stabilizer >= 0) return (mpno_stabilizer)phase->stabilizer;
    if (s->model.stabilizer != MPNO_STABILIZER_AUTO) return (mpno_stabilizer)s->model.stabilizer;
    return (mpno_stabilizer)phase->usual;
}

static bool plain(const mpno_settings *s, const mpno_phase *phase) {
    return mpno_stabilizer_is_identity(mpno_settings_stabilizer(s, phase));
}

mpno_phase mpno_settings_phase(const mpno_settings *s, const mpno_schedule *schedule, int index,
                               int64_t epoch) {
    mpno_phase phase = schedule->phase[index];
    if (schedule->adaptive || index + 1 >= schedule->n || plain(s, &phase) ||
        !plain(s, &schedule->phase[index + 1]))
        return phase;
    const int64_t before = phase.end - epoch,
                  blend = s->precision.blend; /* before: 1 in the last */
    if (before >= 1 && before <= blend)
        phase.blend = (double)(blend + 1 - before) / (double)(blend + 1);
    return phase;
}

/* Those of the options that are lists. */
static void fill_lists(const mpno_settings *s, mpno_fno_config *c) {
    const mpno_real_list *pad = &s->model.domain_padding, *box = &s->model.grid_boundaries,
                         *scale = &s->model.resolution_scaling_factor;
    c->n_ranks = (int)s->model.rank.n;
    for (int i = 0; i < c->n_ranks && i < MPNO_MAX_RANKS; i++) c->rank[i] = s->model.rank.v[i];
    for (int d = 0; d < c->ndim; d++) {
        if (s->model.max_n_modes.n > 0) c->max_n_modes[d] = s->model.max_n_modes.v[d];
        if (pad->n > 0) c->domain_padding[d] = pad->v[pad->n == 1 ? 0 : d];
        if (box->n > 0) c->grid_start[d] = box->v[2 * d], c->grid_stop[d] = box->v[2 * d + 1];
        for (int l = 0; scale->n > 0 && l < (int)s->model.n_layers && l < MPNO_MAX_BLOCKS; l++)
            c->resolution_scaling_factor[l][d] = scale->v[scale->row > 0  ? l * scale->row + d
                                                          : scale->n == 1 ? 0
                                                                          : l];
    }
}

mpno_fno_config mpno_settings_model(const mpno_settings *s, const mpno_phase *phase) {
    mpno_fno_config c = MPNO_FNO_CONFIG_INIT;
    c.ndim = (int)s->model.n_modes.n;
    for (int d = 0; d < c.ndim; d++) c.n_modes[d] = s->model.n_modes.v[d];
    c.in_channels = s->model.in_channels;
    c.out_channels = s->model.out_channels;
    c.hidden_channels = s->model.hidden_channels;
    c.n_layers = s->model.n_layers;
    c.lifting_channel_ratio = s->model.lifting_channel_ratio;
    c.projection_channel_ratio = s->model.projection_channel_ratio;
    c.positional_embedding = (mpno_embedding)s->model.positional_embedding;
    c.norm = (mpno_norm)s->model.norm;
    c.norm_groups = s->model.norm_groups;
    if (s->model.ada_in_features != MPNO_UNSET) c.ada_in_features = s->model.ada_in_features;
    c.use_channel_mlp = s->model.use_channel_mlp;
    c.channel_mlp_expansion = s->model.channel_mlp_expansion;
    c.channel_mlp_dropout = s->model.channel_mlp_dropout;
    c.fno_skip = (mpno_skip)s->model.fno_skip;
    c.channel_mlp_skip = (mpno_skip)s->model.channel_mlp_skip;
    c.conv_bias_kernel = s->model.conv_bias_kernel;
    c.preactivation = s->model.preactivation;
    c.separable = s->model.separable;
    c.complex_data = s->model.complex_data;
    c.stabilizer = mpno_settings_stabilizer(s, phase);
    c.stabilizer_blend = phase->blend;
    c.stabilizer_placement = (mpno_placement)s->model.stabilizer_placement;
    c.stabilizer_scale = s->model.stabilizer_scale;
    c.factorization = (mpno_factorization)s->model.factorization;
    c.fixed_rank_modes = s->model.fixed_rank_modes;
    c.implementation = (mpno_implementation)s->model.implementation;
    c.contraction = (mpno_contraction_order)s->model.contraction;
    fill_lists(s, &c);
    c.compat = (mpno_compat)s->compat;
    return c;
}

mpno_optimizer_opts mpno_settings_optimizer(const mpno_settings *s) {
    mpno_optimizer_opts opts = MPNO_OPTIMIZER_OPTS_INIT;
    opts.kind = (mpno_optimizer_kind)s->opt.optimizer;
    opts.convention = (mpno_convention)s->opt.convention;
    opts.beta1 = s->opt.beta1;
    opts.beta2 = s->opt.beta2;
    opts.eps = s->opt.eps;
    opts.weight_decay = s->opt.weight_decay;
    opts.momentum = s->opt.momentum;
    opts.dampening = s->opt.dampening;
    opts.nesterov = s->opt.nesterov;
    opts.amsgrad = s->opt.amsgrad;
    opts.accumulate = s->opt.accumulate > 1;
    opts.clip_norm = isnan(s->opt.grad_clip_norm) ? 0 : s->opt.grad_clip_norm;
    opts.clip_value = isnan(s->opt.grad_clip_value) ? 0 : s->opt.grad_clip_value;
    static const mpno_format formats[] = {MPNO_F32, MPNO_BF16, MPNO_F8E4M3, MPNO_F8E5M2};
    opts.state_format = formats[s->opt.state_format];
    opts.seed = (uint64_t)s->seed;
    return opts;
}

mpno_lr_opts mpno_settings_lr(const mpno_settings *s) {
    return (mpno_lr_opts){.kind = (mpno_lr_kind)s->opt.scheduler,
                          .base = s->opt.learning_rate,
                          .gamma = s->opt.gamma,
                          .eta_min = s->opt.eta_min,
                          .step_size = s->opt.step_size,
                          .t_max = s->opt.t_max,
                          .t_0 = s->opt.t_0,
                          .t_mult = s->opt.t_mult,
                          .milestones = s->opt.milestones,
                          .largest = s->opt.plateau_mode == 1,
                          .absolute = s->opt.threshold_mode == 1,
                          .patience = s->opt.patience,
                          .cooldown = s->opt.cooldown,
                          .threshold = s->opt.threshold,
                          .min_lr = s->opt.min_lr,
                          .warmup_epochs = s->opt.warmup_epochs,
                          .warmup_steps = s->opt.warmup_steps,
                          .warmup_start = s->opt.warmup_start};
}

bool mpno_settings_use_ema(const mpno_settings *s) {
    return !isnan(s->opt.ema_decay) && s->eval.weights != MPNO_WEIGHTS_TRAINED;
}

const char *mpno_settings_choice(const mpno_settings *s, const char *key, char *out,
                                 size_t capacity) {
    const mpno_field *fields = mpno_settings_fields();
    out[0] = '\0';
    for (size_t i = 0; i < mpno_settings_n_fields(); i++) {
        if (strcmp(fields[i].key, key) != 0 || fields[i].type != MPNO_FIELD_CHOICE) continue;
        const int *index = (const int *)(const void *)((const char *)s + fields[i].offset);
        mpno_field_choice(&fields[i], *index, out, capacity);
    }
    return out;
}
