/* SPDX-License-Identifier: MIT
 * mpno plan: the cost of a configuration, known from its shapes alone. */
#include "command.h"

const cli_page cli_plan_page = {
    .synopsis = "plan CONFIG [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Says what the model of CONFIG needs before anything runs and without allocating it:\n"
        "    parameters, floating-point operations and the peak memory of training and of\n"
        "    inference under each precision policy, split in weights, state (gradients, moments,\n"
        "    copies of weights in 16 bits) and activations, in all and layer by layer, and the\n"
        "    peak of a whole run, data included. For each phase of CONFIG's own policy: size and\n"
        "    format of every stored tensor, and a line for each step of training with the memory\n"
        "    in use then, what makes the peak, and the time that the step is estimated to take:\n"
        "    pieces of the steps are run for that. memory_limit and micro_batch are heeded.\n",
    .examples =
        "    mpno plan examples/darcy16.yaml\n"
        "    mpno plan examples/darcy16.yaml model.hidden_channels=64 --json\n"
        "    mpno plan examples/darcy16.yaml memory_limit=12MiB --svg memory.svg\n",
    .files =
        "    Reads CONFIG and, for their shapes, the data files it names; writes\n"
        "    nothing but the picture of --svg.\n",
    .options = CLI_OPTION_SVG,
    .overrides = true,
    .arguments = {"CONFIG"},
    .n_required = 1,
};

mpno_status cli_plan(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *config = NULL;
    mpno_plan_opts opts = MPNO_PLAN_OPTS_INIT;
    opts.estimate = true;
    opts.svg = args->svg;
    mpno_status status = cli_load_config(ctx, args->arguments[0], args, &config);
    if (status == MPNO_OK) status = mpno_plan(ctx, config, &opts, &output->sink, json);
    mpno_config_destroy(&config);
    return status;
}
