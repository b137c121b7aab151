/* SPDX-License-Identifier: MIT
 * mpno train: a whole training run from a configuration file. */
#include "command.h"

const cli_page cli_train_page = {
    .synopsis = "train CONFIG [--resume] [--config FILE] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Trains the model that the YAML file CONFIG describes and writes a run folder (key\n"
        "    output). The configuration with every default filled in is printed first. On a\n"
        "    terminal one line shows loss, rate, time left and memory; elsewhere each epoch is a\n"
        "    line.\n"
        "    The first SIGINT (Ctrl-C) or SIGTERM finishes the epoch and saves, the second quits\n"
        "    at once. A run continued with --resume ends with the same bits as one that was\n"
        "    never stopped; without it a folder that holds a run is left alone.\n"
        "    A value that is not finite stops the run and is named; overflow of scaled gradients\n"
        "    (f16) skips the step, halves the loss scale and is counted.\n",
    .examples =
        "    mpno train examples/darcy16.yaml\n"
        "    mpno train examples/darcy16.yaml --precision.policy=mixed output=runs/mixed\n"
        "    mpno train examples/darcy16.yaml output=runs/mixed --resume\n",
    .files =
        "    A run folder holds config.yaml (the resolved configuration), metrics.csv (a line per\n"
        "    epoch), log.jsonl (events), best.safetensors and last.safetensors (checkpoints) and\n"
        "    summary.json (what --json prints), events.out.tfevents.mpno (for TensorBoard) and\n"
        "    report.html (keys report.tensorboard and report.html).\n",
    .options = CLI_OPTION_RESUME | CLI_OPTION_CONFIG,
    .overrides = true,
    .arguments = {"CONFIG"},
    .n_required = 1,
};

mpno_status cli_train(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *config = NULL;
    const char *yaml = NULL;
    mpno_status status = cli_load_config(ctx, args->arguments[0], args, &config);
    if (status == MPNO_OK) status = mpno_config_resolve(config, &yaml);
    if (status == MPNO_OK) {
        output->sink.write(output->sink.user, yaml);
        output->sink.write(output->sink.user, "\n");
        cli_output_catch_signals(output);
        status = mpno_train(ctx, config, args->resume, &output->sink, json);
    }
    mpno_config_destroy(&config);
    return status;
}
