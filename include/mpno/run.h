/* SPDX-License-Identifier: MIT
 * Whole jobs from a configuration: what the program `mpno` does. Nothing here prints: text goes to the caller's sink. */
#ifndef MPNO_RUN_H
#define MPNO_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpno/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A configuration: YAML file plus overrides, every key checked. docs/reference/config.md lists the keys. */
typedef struct mpno_config mpno_config;
/* path may be NULL: all defaults. Data paths are taken relative to the YAML file. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_config_load(mpno_ctx *ctx, const char *path, mpno_config **out);
/* key: "opt.learning_rate"; text: "1e-3". Unknown keys: E_CONFIG with "did you mean". Data paths given here are relative to
 * the current folder. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_config_override(mpno_config *config, const char *key, const char *text);
/* The keys that stand in a YAML file, such as a plan of precision, as if each were given by mpno_config_override; data paths are
 * taken relative to that file. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_config_override_file(mpno_config *config, const char *path);
/* Fills defaults and checks the whole; the resolved YAML text is owned by the config. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_config_resolve(mpno_config *config, const char **yaml);
MPNO_API void mpno_config_destroy(mpno_config **config);

/* What can be said of a key; all texts are static. */
typedef struct mpno_key_info {
    const char *name;    /* "opt.learning_rate" */
    const char *type;    /* "number", "whole number", "true or false", "text", "one of", "list of texts", .. */
    const char *domain;  /* "(0,inf)", "none|step|cosine", or "" */
    const char *initial; /* the default as YAML text; "null": not given */
    const char *meaning;
    bool decides; /* the numbers of a run: it must be the same when a run is resumed */
} mpno_key_info;
MPNO_API int mpno_config_n_keys(void);
MPNO_API mpno_key_info mpno_config_key(int index); /* 0 <= index < mpno_config_n_keys() */

/* Where text for a person goes. */
typedef struct mpno_sink {
    void (*write)(void *user, const char *text);
    void *user;
    bool terminal;               /* a progress line may be rewritten with \r */
    int columns;                 /* width of the terminal */
    const volatile int *stop;    /* may be NULL; non-zero: finish the epoch, write the checkpoint, return E_STOPPED */
} mpno_sink;

/* All of these give one JSON object as text in *json (owned by the caller, mpno_text_free), also kept in files where said. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_train(mpno_ctx *ctx, mpno_config *config, bool resume, const mpno_sink *sink,
                                                 char **json);
/* checkpoint: a .safetensors file of ours or a run folder (its last.safetensors). overrides: may be NULL. opts may be NULL.
 * table: the text shows every error of docs/reference/metrics.md (the JSON object always does). csv: a file NAME.csv for them,
 * by step and channel, with radial spectra in NAME_spectra.csv; NULL: none. rollout: steps that the model predicts of
 * trajectories, from its own predictions on, instead of single predictions; 0: none; MPNO_EVAL_WHOLE: all there are.
 * picture: a file NAME.png for errors over the steps of a roll-out; NULL: none. */
#define MPNO_EVAL_WHOLE (-1)
typedef struct mpno_eval_opts {
    size_t size;
    bool table;
    const char *csv;
    int64_t rollout;
    const char *picture;
} mpno_eval_opts;
#define MPNO_EVAL_OPTS_INIT {sizeof(mpno_eval_opts), false, NULL, 0, NULL}
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_eval(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                                                const mpno_eval_opts *opts, const mpno_sink *sink, char **json);
/* input: a data file with key x; output: .safetensors, .h5 or .npy with y (and pictures beside it when `pictures` is not NULL). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_predict(mpno_ctx *ctx, const char *checkpoint, const char *input,
                                                   const char *output, const char *pictures, mpno_config *overrides,
                                                   const mpno_sink *sink, char **json);
/* output: .pt (a state dict of the PyTorch library), .safetensors, .h5. Averages where the run kept them. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_export(mpno_ctx *ctx, const char *checkpoint, const char *output,
                                                  mpno_config *overrides, const mpno_sink *sink, char **json);
/* path: a checkpoint, a data file or NULL (the machine and the build). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_info(mpno_ctx *ctx, const char *path, const mpno_sink *sink, char **json);
/* What a configuration needs, from shapes alone. estimate: seconds of a step too, from pieces of its steps that are run
 * (tens of milliseconds and megabytes). svg: a file for a picture of memory over the steps of training, of the phase that
 * takes the most; NULL: none. opts may be NULL. */
typedef struct mpno_plan_opts {
    size_t size;
    bool estimate;
    const char *svg;
} mpno_plan_opts;
#define MPNO_PLAN_OPTS_INIT {sizeof(mpno_plan_opts), false, NULL}
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_plan(mpno_ctx *ctx, mpno_config *config, const mpno_plan_opts *opts,
                                                const mpno_sink *sink, char **json);
/* The model of config under every precision policy on the first batch of its training data: time and
 * memory as measured, layer by layer, and the format of every stored tensor. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_profile(mpno_ctx *ctx, mpno_config *config, const mpno_sink *sink, char **json);
/* run: a run folder. output: the HTML document, one file that needs no other; NULL: report.html in the folder. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_report(mpno_ctx *ctx, const char *run, const char *output, const mpno_sink *sink,
                                                  char **json);
MPNO_API void mpno_text_free(mpno_ctx *ctx, char *text);

#ifdef __cplusplus
}
#endif

#endif
