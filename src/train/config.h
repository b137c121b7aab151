/* SPDX-License-Identifier: MIT
 * Inside of a configuration: config.def as a struct, and what runs derive from it. */
#ifndef MPNO_TRAIN_CONFIG_H
#define MPNO_TRAIN_CONFIG_H

#include "core/fields.h"
#include "data/dataset.h"
#include "mpno/model.h"
#include "mpno/network.h"
#include "mpno/optimizer.h"
#include "mpno/run.h"
#include "train/lr.h"
#include "train/schedule.h"

/* Choices are positions in the domains of config.def, in the order of the public enums where there
 * is one. */
typedef enum mpno_policy_choice {
    MPNO_POLICY_SCHEDULE = 5,
    MPNO_POLICY_F64 = 6,
    MPNO_POLICY_ADAPTIVE = 7,
    MPNO_POLICY_AUTO = 8
} mpno_policy_choice;
typedef enum mpno_weights_choice {
    MPNO_WEIGHTS_AUTO,
    MPNO_WEIGHTS_TRAINED,
    MPNO_WEIGHTS_EMA
} mpno_weights_choice;
typedef enum mpno_streaming_choice {
    MPNO_STREAMING_AUTO,
    MPNO_STREAMING_ALWAYS,
    MPNO_STREAMING_NEVER
} mpno_streaming_choice;
typedef enum mpno_output_grid_choice { MPNO_OUTPUT_GRID_OWN = 1 } mpno_output_grid_choice;
typedef enum mpno_reduction { MPNO_REDUCTION_SUM, MPNO_REDUCTION_MEAN } mpno_reduction;
typedef enum mpno_stabilizer_choice {
    MPNO_STABILIZER_AUTO = MPNO_STABILIZER_COUNT
} mpno_stabilizer_choice;

typedef struct mpno_settings {
    int64_t seed;
    char *output;
    int64_t n_threads;
    char *memory_limit;
    int64_t micro_batch;
    int recompute, compat;
    struct {
        mpno_int_list n_modes, max_n_modes;
        int64_t in_channels, out_channels, hidden_channels, n_layers;
        double lifting_channel_ratio, projection_channel_ratio;
        int positional_embedding, norm;
        mpno_real_list grid_boundaries, domain_padding, resolution_scaling_factor;
        int64_t norm_groups, ada_in_features;
        bool use_channel_mlp;
        double channel_mlp_expansion, channel_mlp_dropout;
        int64_t conv_bias_kernel;
        bool preactivation, separable, complex_data, fixed_rank_modes;
        int factorization, implementation, contraction;
        mpno_real_list rank;
        int fno_skip, channel_mlp_skip, non_linearity, stabilizer, stabilizer_placement;
        double stabilizer_scale;
    } model;
    struct {
        mpno_text_list train;
        mpno_int_list train_subsampling;
        mpno_text_list test;
        char *validation;
        int64_t n_validation, n_train, n_test;
        char *x_key, *y_key, *axes;
        int64_t batch_size, test_batch_size;
        char *embedding_key;
        int output_grid;
        bool encode_input, encode_output;
        int encoding;  /* mpno_encoding */
        int streaming; /* mpno_streaming_choice; `auto` until the data are opened */
        int64_t window;
        int64_t time_in, time_out, time_stride, time_hop, time_first, time_last;
    } data;
    struct {
        int64_t steps;
        double noise;
    } rollout;
    struct {
        mpno_int_list flip;
        bool transpose, rotate;
        mpno_int_list shift, x_vectors, y_vectors;
    } augment;
    struct {
        int64_t n_epochs;
        double learning_rate, weight_decay;
        int optimizer, convention, state_format;
        double beta1, beta2, eps;
        bool amsgrad;
        double momentum, dampening;
        bool nesterov;
        double grad_clip_norm, grad_clip_value;
        int64_t accumulate;
        double ema_decay;
        int64_t early_stopping;
        double min_delta;
        char *training_loss;
        int loss_reduction;
        mpno_real_list loss_weights, loss_measure;
        mpno_text_list h1_boundary;
        int scheduler;
        int64_t step_size;
        mpno_int_list milestones;
        double gamma;
        int64_t t_max, t_0, t_mult;
        double eta_min;
        int64_t patience;
        double threshold;
        int threshold_mode, plateau_mode;
        int64_t cooldown;
        double min_lr;
        int64_t warmup_epochs, warmup_steps;
        double warmup_start;
    } opt;
    struct {
        double lipschitz_spectral, lipschitz_linear;
        int64_t lipschitz_every;
    } regularizer;
    struct {
        int policy;
        char *phases;
        int64_t blend;
        int measure; /* mpno_precision_measure_kind */
        double fraction;
        int64_t interval;
        int format, arithmetic;
        char *storage;
        mpno_real_list modes;
        int rounding, scaling, amax;
        double loss_scale;
        int64_t growth_interval;
    } precision;
    struct {
        mpno_int_list output_shape;
    } predict;
    struct {
        int weights;
        int64_t every;
    } eval;
    struct {
        int rule;
        int64_t every, step, buffer;
        double margin, loss_gap, explained;
    } modes;
    struct {
        int factorization; /* 0: keep; else one more than mpno_factorization */
        mpno_real_list rank;
    } export;
    struct {
        int64_t every;
    } checkpoint;
    struct {
        bool tensorboard, html;
        int diagnostics; /* a truth: off, on */
        int64_t diagnostics_every;
        char *input_unit, *output_unit;
    } report;
} mpno_settings;

struct mpno_config {
    mpno_ctx *ctx;
    char *file; /* owned: for messages */
    mpno_settings settings;
    bool *touched; /* per field: set by an override */
    char *yaml;    /* owned: the resolved text */
};

size_t mpno_settings_n_fields(void);
const mpno_field *mpno_settings_fields(void);
/* Whether field `index` decides the numbers of a run. */
bool mpno_settings_field_matters(size_t index);

MPNO_WARN_UNUSED mpno_status mpno_settings_default(mpno_ctx *ctx, mpno_settings *settings);
/* From a tree (a YAML file, a checkpoint); `file` is for messages. */
MPNO_WARN_UNUSED mpno_status mpno_settings_parse(mpno_ctx *ctx, const char *file,
                                                 const mpno_value *tree, mpno_settings *settings);
void mpno_settings_clear(mpno_ctx *ctx, mpno_settings *settings);
/* Fills defaults that depend on other keys and checks what no single key can tell. */
MPNO_WARN_UNUSED mpno_status mpno_settings_resolve(mpno_ctx *ctx, mpno_settings *settings);
/* Copies the fields that `overrides` touched. */
MPNO_WARN_UNUSED mpno_status mpno_settings_override(mpno_ctx *ctx, const mpno_config *overrides,
                                                    mpno_settings *settings);
bool mpno_config_touched(const mpno_config *config, const char *key);
/* Sets the context's threads to an overridden n_threads; the caller restores them. */
void mpno_override_threads(mpno_ctx *ctx, const mpno_config *overrides);

/* Derived, of resolved settings. */
/* Whether training goes through levels: policies adaptive and auto. */
bool mpno_settings_adapts(const mpno_settings *settings);
/* Bytes of memory_limit; 0: none. */
size_t mpno_settings_memory_limit(const mpno_settings *settings);
mpno_time mpno_settings_time(const mpno_settings *settings);
mpno_format mpno_settings_arithmetic(const mpno_settings *settings);
/* A training network but for its grids and capacity, under a policy of the schedule. */
MPNO_WARN_UNUSED mpno_status mpno_settings_network(mpno_ctx *ctx, const mpno_settings *settings,
                                                   const char *policy, mpno_network_opts *out);
/* What networks under a policy store otherwise than it says: nothing in the full phases of a
 * schedule. Borrows from the settings. */
mpno_storage_opts mpno_settings_storage(const mpno_settings *s, const char *policy);
/* precision.modes of each block and axis; 0: all. */
void mpno_settings_most_modes(const mpno_settings *s, int64_t most[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]);
/* Whether something is stored in a format of less range than f32 without a scale of its own. */
bool mpno_settings_scale_loss(mpno_ctx *ctx, const mpno_settings *s, const char *policy);
mpno_format mpno_settings_half(const mpno_settings *settings);
mpno_format mpno_settings_arithmetic_of_transforms(
    const mpno_settings *settings); /* F32: the network's own */
MPNO_WARN_UNUSED mpno_status mpno_settings_schedule(mpno_ctx *ctx, const mpno_settings *settings,
                                                    mpno_schedule *out);
mpno_stabilizer mpno_settings_stabilizer(const mpno_settings *settings, const mpno_phase *phase);
/* Phase `index` of the schedule as it is in an epoch: with the part of x that precision.blend lets
 * through its stabiliser. */
mpno_phase mpno_settings_phase(const mpno_settings *settings, const mpno_schedule *schedule,
                               int index, int64_t epoch);
/* The stabiliser is that of `phase`; channels must be known. */
mpno_fno_config mpno_settings_model(const mpno_settings *settings, const mpno_phase *phase);
mpno_optimizer_opts mpno_settings_optimizer(const mpno_settings *settings);
/* Whether averages of the weights are what is evaluated and used. */
bool mpno_settings_use_ema(const mpno_settings *settings);
mpno_lr_opts mpno_settings_lr(const mpno_settings *settings);
/* Name of the choice that stands in `key`, "" when there is no such key. */
const char *mpno_settings_choice(const mpno_settings *settings, const char *key, char *out,
                                 size_t capacity);

#endif
