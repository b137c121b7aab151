/* SPDX-License-Identifier: MIT
 * mpno plan: the cost of a configuration, known from its shapes alone; and, of a trained model, a
 * format for every role and layer that keeps to a tolerance. */
#include <string.h>

#include "command.h"

const cli_page cli_plan_page = {
    .synopsis =
        "plan CONFIG [--svg FILE] [OPTIONS] [KEY=VALUE...]\n"
        "    mpno plan CHECKPOINT --tolerance T [--data FILE] [--minimise WHAT] [-o POLICY.yaml]\n"
        "              [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Says what the model of CONFIG needs before anything runs and without allocating it:\n"
        "    parameters, floating-point operations and the peak memory of training and of\n"
        "    inference under each precision policy, split in weights, state (gradients, moments,\n"
        "    copies of weights in 16 bits) and activations, in all and layer by layer, and the\n"
        "    peak of a whole run, data included. For each phase of CONFIG's own policy: size and\n"
        "    format of every stored tensor, and a line for each step of training with the memory\n"
        "    in use then, what makes the peak, and the time that the step is estimated to take:\n"
        "    pieces of the steps are run for that. memory_limit and micro_batch are heeded.\n"
        "\n"
        "    With --tolerance: a format (f32, f16, bf16, f8e4m3 with a scale a block) for the\n"
        "    tensors of every role and layer of a trained model (CHECKPOINT as for eval), and the\n"
        "    modes of every block, with which predictions take the least memory of activations,\n"
        "    or the least time, and answers are within T (auto: a tenth of the model's own error)\n"
        "    of those of the whole network in exact arithmetic, relative L2 distance. Each place\n"
        "    is stored in each format alone, and each cut of modes is tried alone, on some\n"
        "    samples of FILE; these errors add up in squares. The plan is run on other samples of\n"
        "    FILE, and of each the distance is proved as mpno certify does; where one is larger\n"
        "    than T the plan becomes more careful. Samples that are left then tell its error on\n"
        "    new ones, and 200 of them a bound that holds with a probability of 95 %. -o writes\n"
        "    the plan as a policy that train, eval, predict and certify take with --config. The\n"
        "    table says of the plan and of every policy: memory of activations of a batch of\n"
        "    evaluation, copies of weights, the error (root mean square over the samples), the\n"
        "    largest one proved, and whether that is within T.\n",
    .examples =
        "    mpno plan examples/darcy16.yaml\n"
        "    mpno plan examples/darcy16.yaml model.hidden_channels=64 --json\n"
        "    mpno plan examples/darcy16.yaml memory_limit=12MiB --svg memory.svg\n"
        "    mpno plan runs/mixed --tolerance 1e-3 -o policy.yaml\n"
        "    mpno eval runs/mixed --config policy.yaml\n",
    .files =
        "    Reads CONFIG and, for their shapes, the data files it names; writes\n"
        "    nothing but the picture of --svg. With --tolerance reads CHECKPOINT and FILE (where\n"
        "    not given, the first test file of its configuration), and writes POLICY.yaml, which\n"
        "    appears whole or not at all.\n",
    .options = CLI_OPTION_SVG | CLI_OPTION_TOLERANCE | CLI_OPTION_OUTPUT | CLI_OPTION_CONFIG,
    .overrides = true,
    .arguments = {"CONFIG"},
    .n_required = 1,
};

static mpno_status plan_run(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *config = NULL;
    mpno_plan_opts opts = MPNO_PLAN_OPTS_INIT;
    opts.estimate = true;
    opts.svg = args->svg;
    mpno_status status = cli_load_config(ctx, args->arguments[0], args, &config);
    if (status == MPNO_OK) status = mpno_plan(ctx, config, &opts, &output->sink, json);
    mpno_config_destroy(&config);
    return status;
}

static mpno_status plan_precision(mpno_ctx *ctx, const cli_args *args, cli_output *output,
                                  char **json) {
    mpno_config *overrides = NULL;
    mpno_tolerance_opts opts = MPNO_TOLERANCE_OPTS_INIT;
    opts.tolerance = args->tolerance;
    opts.data = args->data;
    opts.policy_file = args->output;
    if (args->minimise && strcmp(args->minimise, "time") == 0) opts.minimise = MPNO_MINIMISE_TIME;
    mpno_status status = cli_load_config(ctx, NULL, args, &overrides);
    if (status == MPNO_OK)
        status =
            mpno_plan_tolerance(ctx, args->arguments[0], overrides, &opts, &output->sink, json);
    mpno_config_destroy(&overrides);
    return status;
}

mpno_status cli_plan(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    return args->within ? plan_precision(ctx, args, output, json)
                        : plan_run(ctx, args, output, json);
}
