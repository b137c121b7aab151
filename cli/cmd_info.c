/* SPDX-License-Identifier: MIT
 * mpno info: what a file holds, or what the machine runs. */
#include "command.h"

const cli_page cli_info_page = {
    .synopsis = "info [FILE | --cpu] [OPTIONS]",
    .description =
        "    Says what FILE holds: names, formats and shapes of the tensors of a checkpoint (for "
        "a\n"
        "    run folder, of its last), of a state dict or of a data file. Nothing in a file is\n"
        "    ever executed. Without FILE, or with --cpu: the processor, the instruction sets, the\n"
        "    threads and this build.\n",
    .examples =
        "    mpno info --cpu\n"
        "    mpno info runs/mixed/last.safetensors\n"
        "    mpno info examples/data/darcy_train_16.pt --json\n",
    .files = "    Reads FILE; writes nothing.\n",
    .options = CLI_OPTION_CPU,
    .arguments = {"FILE"},
};

mpno_status cli_info(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    return mpno_info(ctx, args->arguments[0], &output->sink, json);
}
