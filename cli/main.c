/* SPDX-License-Identifier: MIT
 * The program: finds the command, reads its words, makes the context and runs it. What the
 * environment says (MPNO_ISA, numbers of threads and processes) is read here and nowhere else. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "keys.h"
#include "tuned.h"

typedef struct command {
    const char *name, *summary;
    const cli_page *page;
    mpno_status (*run)(mpno_ctx *ctx, const cli_args *args, cli_output *output, char **json);
} command;

static const command commands[] = {
#define COMMAND(name, summary) {#name, summary, &cli_##name##_page, cli_##name},
#include "commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static const char environment_text[] =
    "ENVIRONMENT\n"
    "    MPNO_ISA          fastest kernels to use, as --isa\n"
    "    OMP_NUM_THREADS   threads to use where --threads is not given\n"
    "    OMP_WAIT_POLICY   passive (default): waiting threads soon sleep; active: they spin\n"
    "    SLURM_CPUS_PER_TASK  no more threads than this where no number is given\n"
    "    OMPI_COMM_WORLD_LOCAL_SIZE, MPI_LOCALNRANKS, MV2_COMM_WORLD_LOCAL_SIZE\n"
    "                      processes of an MPI job on this machine: they share its CPUs unless\n"
    "                      the launcher bound each to its own\n";

static const char exit_text[] =
    "EXIT STATUS\n"
    "    0     all went well\n"
    "    1     the work failed: a file, memory, shapes or values; the error line says which\n"
    "    2     the command line or the configuration is not valid; nothing was run\n"
    "    130   train was stopped by SIGINT or SIGTERM; after the first one the run is saved\n";

static void print_main_help(FILE *stream) {
    fprintf(stream,
            "mpno - mixed-precision neural operators\n\n"
            "SYNOPSIS\n"
            "    mpno COMMAND [ARGUMENTS] [OPTIONS] [KEY=VALUE...]\n"
            "    mpno help [COMMAND]\n"
            "    mpno help keys [PREFIX]\n"
            "    mpno --version\n\n"
            "DESCRIPTION\n"
            "    Trains, measures and applies Fourier neural operators whose tensors are stored\n"
            "    in 64, 32 or 16 bits, on the CPU.\n\n"
            "COMMANDS\n");
    for (int i = 0; i < N_COMMANDS; ++i)
        fprintf(stream, "    %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "    %-10s %s\n", "help",
            "print the page of a command, or what 'keys' of a configuration mean");
    fprintf(stream, "\n%s\n%s", environment_text, exit_text);
}

static void print_help(const command *c, const cli_args *args) {
    const cli_page *page = c->page;
    printf("mpno %s - %s\n\nSYNOPSIS\n    mpno %s\n\nDESCRIPTION\n%s\nOPTIONS\n", c->name,
           c->summary, page->synopsis, page->description);
    cli_print_options(page);
    if (page->print_overrides)
        page->print_overrides(args);
    else if (page->overrides)
        printf(
            "\nOVERRIDES\n"
            "    Any key of the configuration, in any of these spellings; the last one wins:\n"
            "        --opt.learning_rate=1e-3   --opt.learning_rate 1e-3   opt.learning_rate=1e-3\n"
            "    Lists are written [8, 8] (quote them from the shell). Paths given here are\n"
            "    relative to the current folder, paths in a file to that file.\n");
    printf("\nEXAMPLES\n%s\nFILES\n%s\n%s\n%s", page->examples, page->files, environment_text,
           page->exit_text ? page->exit_text : exit_text);
}

static const command *find_command(const char *name) {
    const char *names[N_COMMANDS + 1];
    for (int i = 0; i < N_COMMANDS; ++i) {
        if (!strcmp(name, commands[i].name)) return &commands[i];
        names[i] = commands[i].name;
    }
    names[N_COMMANDS] = "help";
    const char *nearest = cli_nearest(name, names, N_COMMANDS + 1, strlen(name) < 4 ? 1 : 2);
    if (nearest)
        cli_error("unknown command '%s'; did you mean '%s'? 'mpno --help' lists all", name,
                  nearest);
    else
        cli_error("unknown command '%s'; 'mpno --help' lists all", name);
    return NULL;
}

static int print_help_of(int argc, char **argv) {
    if (argc > 0 && !strcmp(argv[0], "keys")) {
        if (argc > 2) return cli_usage_error("usage: mpno help keys [PREFIX]");
        return cli_print_keys(argc == 2 ? argv[1] : "");
    }
    if (argc > 1) return cli_usage_error("usage: mpno help [COMMAND]");
    if (argc == 0) {
        print_main_help(stdout);
        return CLI_OK;
    }
    const command *c = find_command(argv[0]);
    if (!c) return CLI_USAGE;
    print_help(c, NULL);
    return CLI_OK;
}

/* A number in one of other programs' variables; 0: none, or not a number. */
static int count_in(const char *variable) {
    const char *text = getenv(variable);
    int count = 0;
    return text && cli_read_count(text, INT_MAX, NULL, &count) ? count : 0;
}

/* What the launchers of Open MPI, MPICH (also Intel's) and MVAPICH say; 0: none did. */
static int processes_here(void) {
    static const char *const variables[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
                                            "MV2_COMM_WORLD_LOCAL_SIZE"};
    int processes = 0;
    for (size_t i = 0; !processes && i < sizeof variables / sizeof variables[0]; ++i)
        processes = count_in(variables[i]);
    return processes;
}

/* Options of the command line go before what the environment says. */
static int make_context(const cli_args *args, mpno_ctx **out) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    const char *isa = getenv("MPNO_ISA");
    const char *threads = getenv("OMP_NUM_THREADS");
    opts.isa = args->isa;
    opts.n_threads = args->n_threads;
    opts.most_threads = count_in("SLURM_CPUS_PER_TASK");
    opts.processes = processes_here();
    if (!opts.isa && isa && *isa) {
        if (cli_check_isa("MPNO_ISA", isa)) return CLI_USAGE;
        opts.isa = isa;
    }
    /* "4,2" means nested levels to OpenMP; there is one level here, the first */
    if (!opts.n_threads && threads && *threads &&
        cli_check_threads("OMP_NUM_THREADS", threads, ", ", &opts.n_threads))
        return CLI_USAGE;
    mpno_status status = mpno_ctx_create(&opts, out);
    return status == MPNO_OK ? CLI_OK : cli_failed(NULL, status);
}

/* What the user asked for by name goes before what was measured. */
static mpno_status use_tuned(mpno_ctx *ctx, const cli_args *args) {
    char path[4096];
    const char *isa = getenv("MPNO_ISA");
    const mpno_status status = cli_tuned_path(ctx, path, sizeof path);
    if (status != MPNO_OK) return status;
    return mpno_tune_use(ctx, path, !args->isa && !(isa && *isa));
}

static int run(const command *c, const cli_args *args) {
    mpno_ctx *ctx = NULL;
    int code = make_context(args, &ctx);
    if (code != CLI_OK) return code;
    cli_output output;
    cli_output_open(&output, args->json, args->quiet);
    char *json = NULL;
    mpno_status status = args->tuned ? use_tuned(ctx, args) : MPNO_OK;
    if (status == MPNO_OK) status = c->run(ctx, args, &output, &json);
    code = cli_finish(ctx, &output, status, args->json, json);
    if (code == CLI_FAILURE && output.verdict != CLI_FAILURE && c->page->failure)
        code = c->page->failure;
    mpno_ctx_destroy(&ctx);
    return code;
}

mpno_status cli_load_config(mpno_ctx *ctx, const char *path, const cli_args *args,
                            mpno_config **out) {
    mpno_status status = mpno_config_load(ctx, path, out);
    char threads[16];
    snprintf(threads, sizeof threads, "%d", args->n_threads);
    if (status == MPNO_OK && args->n_threads)
        status = mpno_config_override(*out, "n_threads", threads);
    for (size_t i = 0; status == MPNO_OK && i < args->n_overrides; ++i)
        status = mpno_config_override(*out, args->overrides[i].key, args->overrides[i].value);
    if (status != MPNO_OK) mpno_config_destroy(out);
    return status;
}

int64_t cli_rollout_steps(const cli_args *args) {
    int steps = 0;
    if (!args->rollout) return 0;
    return cli_read_count(args->rollout, INT_MAX, NULL, &steps) ? steps : MPNO_EVAL_WHOLE; /* all */
}

/* Waiting threads look a thousand times, some 20 to 50 us, and then sleep, unless the user says
 * otherwise. On cores that others use too, OpenMP's own long spinning at the barriers of a small
 * network made a step 2 to 7 times slower (darcy16, load 5 on 2 cores); sleeping at once cost a
 * fifth of a step of darcy16 on two idle cores, since waking takes longer than most waits. OpenMP
 * reads the variables when it is loaded, hence the second start; libomp knows the first only. */
static void let_waiting_threads_sleep(char **argv) {
    if (getenv("OMP_WAIT_POLICY") != NULL || setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
    if (setenv("GOMP_SPINCOUNT", "1000", 0) != 0) return;
    execv("/proc/self/exe", argv); /* comes back only when it cannot: then they spin */
}

int main(int argc, char **argv) {
    let_waiting_threads_sleep(argv);
    if (argc < 2) return cli_usage_error("no command given; 'mpno --help' lists them");
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        return print_help_of(argc - 2, argv + 2);
    if (!strcmp(name, "--version")) {
        printf("mpno %s\n", mpno_version());
        return CLI_OK;
    }
    const command *c = find_command(name);
    if (!c) return CLI_USAGE;
    cli_args args;
    int code = cli_args_read(c->name, c->page, argc - 2, argv + 2, &args);
    if (code == CLI_OK && args.help)
        print_help(c, &args);
    else if (code == CLI_OK)
        code = run(c, &args);
    cli_args_free(&args);
    return code;
}
