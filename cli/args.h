/* SPDX-License-Identifier: MIT
 * The command line of one command: options, arguments and overrides of configuration keys. */
#ifndef MPNO_CLI_ARGS_H
#define MPNO_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpno/experiment.h"

#define CLI_MAX_ARGUMENTS 3

/* Options that only some commands take; the rest (--json, --quiet, --threads, --isa, --tuned,
 * --help) belongs to all. */
enum cli_option_set {
    CLI_OPTION_ALL = 0,
    CLI_OPTION_RESUME = 1,
    CLI_OPTION_OUTPUT = 2,
    CLI_OPTION_PICTURES = 4,
    CLI_OPTION_CPU = 8,
    CLI_OPTION_SHOW = 16,
    CLI_OPTION_RESET = 32,
    CLI_OPTION_SVG = 64,
    CLI_OPTION_TABLE = 128,
    CLI_OPTION_CSV = 256,
    CLI_OPTION_ROLLOUT = 1024,
    CLI_OPTION_SIZES = 2048,      /* --quick, --full, --list */
    CLI_OPTION_ADVISE = 4096,     /* --data, --format */
    CLI_OPTION_CERTIFY = 8192,    /* --input, --sample, --answer and what else certify takes */
    CLI_OPTION_VERIFY = 16384,    /* --weights and where else files are, --sample, --samples */
    CLI_OPTION_TOLERANCE = 32768, /* --tolerance, --data, --minimise */
    CLI_OPTION_CONFIG = 65536,
    CLI_OPTION_PLOT = 512 /* --sample, --key, --axes, --spectrum, --animate, --colormap, --unit */
};

struct cli_args;

/* What the command line of a command may hold and what its help says. */
typedef struct cli_page {
    const char *synopsis;
    const char *description;
    const char *examples;
    const char *files;
    unsigned options;          /* of enum cli_option_set */
    unsigned required_options; /* those of them that must be given: --output alone can be */
    bool overrides;            /* KEY=VALUE is taken */
    /* Prints what KEY may be in place of the paragraph on configuration keys; args may be NULL. */
    void (*print_overrides)(const struct cli_args *args);
    const char *resume_help;                  /* NULL: that of train */
    const char *arguments[CLI_MAX_ARGUMENTS]; /* their names, in order */
    int n_required;                           /* how many of them must be there */
    const char *exit_text;                    /* its exit statuses; NULL: those of most commands */
    int failure; /* its exit status when the work failed; 0: CLI_FAILURE */
} cli_page;

typedef mpno_experiment_override cli_override; /* so that experiments take them as they are */

/* Borrows everything from argv but the list of overrides, which it owns. */
typedef struct cli_args {
    bool json, quiet, help, resume, cpu, show, reset, tuned, table, spectrum, animate;
    bool quick, full, list, layers, is_static, is_set, within, discretisation;
    int n_threads;   /* 0: not said */
    const char *isa; /* NULL: not said */
    const char *output, *pictures, *svg, *csv, *sample, *key, *axes, *colormap, *unit, *rollout;
    const char *data, *format;
    const char *input, *answer, *weights, *html, *config, *minimise;
    int64_t number;   /* of a sample */
    double tolerance; /* negative: not said; NaN: auto */
    double range, coverage; /* 0: not said */
    double confidence;      /* negative: not said */
    int samples;            /* 0: not said */
    const char *arguments[CLI_MAX_ARGUMENTS];
    int n_arguments;
    cli_override *overrides;
    size_t n_overrides;
} cli_args;

/* Reads argv[0 .. argc-1], the words after the command's name; cuts "KEY=VALUE" words in two in
 * place. Returns 0, or 2 after saying on standard error what is wrong. args is to be freed in any
 * case. */
int cli_args_read(const char *command, const cli_page *page, int argc, char **argv, cli_args *args);
void cli_args_free(cli_args *args);

/* A whole number from 1 to `most`, nothing behind it but what `end` holds (NULL: nothing). */
bool cli_read_count(const char *text, int most, const char *end, int *out);
/* The name of an instruction set; else says so, naming `source`, and returns 2. */
int cli_check_isa(const char *source, const char *name);
int cli_check_threads(const char *source, const char *text, const char *end, int *out);

/* The lines of the help that list the options of a page, to standard output. */
void cli_print_options(const cli_page *page);

/* The nearest of n names by edit distance if it is at most `most` away, else NULL. */
const char *cli_nearest(const char *name, const char *const *names, size_t n, size_t most);

#endif
