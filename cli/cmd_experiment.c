/* SPDX-License-Identifier: MIT
 * mpno experiment: a grid of trainings and a report on them. */
#include "command.h"

#include <stdio.h>

static void list_experiments(void) {
    for (size_t i = 0; mpno_experiment_text(i, "name"); ++i)
        printf("    %-17s  %s\n", mpno_experiment_text(i, "name"),
               mpno_experiment_text(i, "summary"));
}

static void print_overrides(const cli_args *args) {
    (void)args;
    printf("\nEXPERIMENTS\n");
    list_experiments();
    printf(
        "\nOVERRIDES\n"
        "    Any key of a configuration, for all runs: opt.n_epochs=2; of the experiment itself\n"
        "    seeds=[0,1,2], and made.SET.PARAMETER=VALUE of a data set that is made\n"
        "    (mpno generate EQUATION --help lists parameters).\n");
}

const cli_page cli_experiment_page = {
    .synopsis = "experiment NAME|FILE.yaml [--quick | --full] [-o FOLDER] [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Makes the data of an experiment, trains every combination of its axes and seeds and\n"
        "    writes what came of it: results.csv and results.json with every run, report.md with\n"
        "    a table for each test set (mean and standard deviation over the seeds, and whether a\n"
        "    mean is worse than that of the reference) and pictures. A run whose numbers are not\n"
        "    finite is a result. Killed or stopped, it goes on where it was when it is called\n"
        "    again: finished runs are kept, the one in work loses at most an epoch.\n"
        "    FILE.yaml is a grid of your own: docs/howto/experiments.md.\n",
    .examples =
        "    mpno experiment --list\n"
        "    mpno experiment post-training --quick -o post\n"
        "    mpno experiment modes --full\n"
        "    mpno experiment mine.yaml seeds=[0,1] opt.n_epochs=3\n",
    .files =
        "    Writes below FOLDER (experiments/NAME): data/, base.yaml, runs/ (run folders),\n"
        "    results/ (a file for each run), results.csv, results.json, report.md, pictures.\n",
    .options = CLI_OPTION_SIZES | CLI_OPTION_OUTPUT,
    .overrides = true,
    .print_overrides = print_overrides,
    .arguments = {"NAME"},
    .n_required = 0,
};

static mpno_status run(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_experiment_opts opts = MPNO_EXPERIMENT_OPTS_INIT;
    opts.folder = args->output;
    opts.full = args->full;
    opts.overrides = args->overrides;
    opts.n_overrides = args->n_overrides;
    cli_output_catch_signals(output);
    return mpno_experiment(ctx, args->arguments[0], &opts, &output->sink, json);
}

mpno_status cli_experiment(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    if (args->n_arguments > 0 && !args->list) return run(ctx, args, output, json);
    list_experiments();
    return MPNO_OK;
}
