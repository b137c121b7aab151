/* SPDX-License-Identifier: MIT
 * mpno eval: errors of a trained model on test data. */
#include "command.h"

const cli_page cli_eval_page = {
    .synopsis =
        "eval CHECKPOINT [--table] [--csv FILE] [--rollout N [-o FILE]] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Measures the errors of a trained model on the test sets of its configuration, at\n"
        "    every resolution listed there, in physical units: relative L1, L2, Linf and H1 "
        "(slopes\n"
        "    by differences and spectral) and PDEBench's RMSE, nRMSE, cRMSE, max, bRMSE and fRMSE\n"
        "    in three bands of wave numbers. The text has relative L2 and H1 and the mean square,\n"
        "    with --table all of them, with a column for each of the first 8 channels. --json and\n"
        "    --csv hold them for every channel, and the radial spectra of truth, prediction and\n"
        "    error. Where published errors of others on a file are known here, they are shown.\n"
        "    --rollout is for models of trajectories (data.time_in): from the first steps of each\n"
        "    on the model predicts N further ones, its predictions being its next input. Errors\n"
        "    are those of every step: shown step by step, in JSON as `steps`, in CSV a line for\n"
        "    each, and with -o as a picture (.png) of relative L2 and H1 over the steps.\n"
        "    CHECKPOINT is a .safetensors checkpoint, a run folder (its last.safetensors is "
        "taken)\n"
        "    or a state dict of the PyTorch library neuraloperator (.pt; nothing in it is ever\n"
        "    executed). A state dict says nothing of the data: give data.test, and the model.* "
        "keys\n"
        "    that its metadata leave open.\n"
        "    precision.policy changes formats only; the stabiliser is the checkpoint's.\n",
    .examples =
        "    mpno eval runs/mixed\n"
        "    mpno eval runs/mixed --table --csv errors.csv\n"
        "    mpno eval runs/flow --rollout 20 -o errors.png\n"
        "    mpno eval runs/mixed/best.safetensors precision.policy=full --json\n",
    .files =
        "    Reads the checkpoint and the data files of its configuration. FILE (must end in "
        ".csv)\n"
        "    gets a line for each test set and channel, FILE without .csv and with _spectra.csv "
        "one\n"
        "    for each wave number too; each appears whole or not at all.\n",
    .options = CLI_OPTION_TABLE | CLI_OPTION_CSV | CLI_OPTION_ROLLOUT | CLI_OPTION_OUTPUT |
               CLI_OPTION_CONFIG,
    .overrides = true,
    .arguments = {"CHECKPOINT"},
    .n_required = 1,
};

mpno_status cli_eval(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *overrides = NULL;
    mpno_eval_opts opts = MPNO_EVAL_OPTS_INIT;
    opts.table = args->table;
    opts.csv = args->csv;
    opts.picture = args->output;
    opts.rollout = cli_rollout_steps(args);
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status = mpno_eval(ctx, args->arguments[0], overrides, &opts, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}
