/* SPDX-License-Identifier: MIT
 * mpno generate: a data set of an equation's solutions. */
#include "command.h"

#include <stdio.h>
#include <string.h>

/* The equations, or the parameters of the one that was named. */
static void print_parameters(const cli_args *args) {
    mpno_parameter p;
    const char *name = args && args->n_arguments > 0 ? args->arguments[0] : "";
    for (size_t i = 0; mpno_equation_text(i, "name"); ++i) {
        if (strcmp(mpno_equation_text(i, "name"), name) != 0) continue;
        printf("\n%s\n%s", name, mpno_equation_text(i, "description"));
    }
    if (!mpno_equation_parameter(name, 0, &p)) {
        printf("\nEQUATIONS\n");
        for (size_t i = 0; mpno_equation_text(i, "name"); ++i)
            printf("    %-19s %s\n", mpno_equation_text(i, "name"),
                   mpno_equation_text(i, "summary"));
        printf("    mpno generate EQUATION --help lists its parameters.\n");
        return;
    }
    printf("\nPARAMETERS\n    --NAME VALUE, --NAME=VALUE or NAME=VALUE\n");
    for (size_t i = 0; mpno_equation_parameter(name, i, &p); ++i) {
        printf("\n    %s: %s", p.name, strchr(p.domain, '|') ? p.domain : p.type);
        if (*p.domain && !strchr(p.domain, '|')) printf(" in %s", p.domain);
        if (strcmp(p.initial, "null") != 0) printf(" (%s)", p.initial);
        printf("\n        %s\n", p.meaning);
    }
}

const cli_page cli_generate_page = {
    .synopsis =
        "generate EQUATION --n_samples N --resolution R -o FILE [--resume] [OPTIONS] "
        "[--NAME VALUE...]",
    .description =
        "    Makes samples of a random input x and the solution y of EQUATION and writes them to\n"
        "    FILE (HDF5), which mpno train reads. A sample depends on --seed and its number "
        "alone.\n"
        "    All parameters are attributes of the file, the data set completed counts the samples\n"
        "    that are in it. The file opens at any time; after a kill, a full disk or Ctrl-C\n"
        "    --resume goes on and ends with the bytes of a run that was never stopped.\n",
    .examples =
        "    mpno generate darcy --n_samples 1000 --resolution 64 -o darcy_64.h5\n"
        "    mpno generate darcy --n_samples 1000 --resolution 16 --solve_resolution 256 \\\n"
        "        --high 0.36 --low 0.02 --alpha 3 --tau 10 -o darcy_16.h5\n"
        "    mpno generate navier_stokes --n_samples 1000 --resolution 128 -o forcing_128.h5\n"
        "    mpno generate darcy --resume -o darcy_64.h5\n"
        "    mpno generate burgers --recipe pdebench --layout pdebench --n_samples 100 \\\n"
        "        --resolution 1024 -o 1D_Burgers.hdf5\n",
    .files = "    Writes FILE, which must not exist unless --resume is given.\n",
    .options = CLI_OPTION_RESUME | CLI_OPTION_OUTPUT,
    .required_options = CLI_OPTION_OUTPUT,
    .overrides = true,
    .print_overrides = print_parameters,
    .resume_help = "go on with FILE where it was left; its parameters need not be given again",
    .arguments = {"EQUATION"},
    .n_required = 1,
};

mpno_status cli_generate(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json) {
    mpno_generator *generator = NULL;
    mpno_status status = mpno_generator_create(ctx, args->arguments[0], &generator);
    for (size_t i = 0; status == MPNO_OK && i < args->n_overrides; ++i)
        status = mpno_generator_set(generator, args->overrides[i].key, args->overrides[i].value);
    if (status == MPNO_OK) {
        cli_output_catch_signals(output);
        status = mpno_generator_run(generator, args->output, args->resume, &output->sink, json);
    }
    mpno_generator_destroy(&generator);
    return status;
}
