/* SPDX-License-Identifier: MIT
 * mpno data: data files and where public ones are. */
#include "command.h"

const cli_page cli_data_page = {
    .synopsis =
        "data info|check|stats FILE[:KEY]  |  data convert IN[:KEY] OUT  |  data where [NAME]",
    .description =
        "    info     names, types, shapes and attributes; of large files only these are read\n"
        "    stats    sum, least, greatest, mean, standard deviation, NaNs and infinities of each\n"
        "             tensor, in pieces, so that a file may be larger than memory\n"
        "    check    reads everything: checksums where the file has them, values that are not\n"
        "             finite, and whether x and y are pairs to train on\n"
        "    convert  writes the tensors in the format of OUT: .h5, .safetensors, .npy (one "
        "tensor)\n"
        "    where    address, size and sha256 of public data sets\n"
        "    Read are .pt, .safetensors, .npy, .npz, .h5 (also .hdf5, .nc of version 4, .mat of\n"
        "    version 7.3). KEY is a tensor (GROUP/NAME), a part of one (NAME[0:100, ::2, 3] as in\n"
        "    Python), one sample for each name that a star fits (*/data[0]), or several as "
        "channels\n"
        "    (A+B). Sums, least and greatest leave NaNs and infinities out.\n",
    .examples =
        "    mpno data info examples/data/darcy_train_16.pt\n"
        "    mpno data stats \"examples/data/darcy_train_16.pt:y[0:100]\" --json\n"
        "    mpno data convert examples/data/darcy_test_16.pt test.h5\n"
        "    mpno data where darcy\n",
    .files = "    OUT appears whole or not at all.\n",
    .arguments = {"info|check|stats|convert|where", "FILE", "OUT"},
    .n_required = 1,
};

mpno_status cli_data(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    return mpno_data(ctx, args->arguments[0], args->arguments[1], args->arguments[2], &output->sink,
                     json);
}
