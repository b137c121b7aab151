/* SPDX-License-Identifier: MIT
 * mpno profile: the cost of a configuration as measured. */
#include "command.h"

const cli_page cli_profile_page = {
    .synopsis = "profile CONFIG [OPTIONS] [KEY=VALUE...]",
    .description =
        "    Runs training steps and predictions of the model of CONFIG on the first batch of its\n"
        "    training data under each precision policy in turn, several rounds, and prints what\n"
        "    was measured: medians of time, memory that became resident beside the sum of all\n"
        "    tensors, both layer by layer, and the format in which every tensor was stored. Where\n"
        "    one pass over memory serves two layers its time is divided by their operations.\n",
    .examples =
        "    mpno profile examples/darcy16.yaml\n"
        "    mpno profile examples/darcy16.yaml model.hidden_channels=32 --json\n",
    .files = "    Reads CONFIG and the training data it names; writes nothing.\n",
    .overrides = true,
    .arguments = {"CONFIG"},
    .n_required = 1,
};

mpno_status cli_profile(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_config *config = NULL;
    mpno_status status = cli_load_config(ctx, args->arguments[0], args, &config);
    if (status == MPNO_OK) status = mpno_profile(ctx, config, &output->sink, json);
    mpno_config_destroy(&config);
    return status;
}
