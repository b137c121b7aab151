/* SPDX-License-Identifier: MIT
 * What the program says, where it says it and with which status it ends. */
#ifndef MPNO_CLI_OUTPUT_H
#define MPNO_CLI_OUTPUT_H

#include <stdbool.h>

#include "mpno/mpno.h"

enum cli_exit { CLI_OK = 0, CLI_FAILURE = 1, CLI_USAGE = 2, CLI_STOPPED = 130 };

/* One line "mpno: error: SENTENCE" on standard error. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same; returns CLI_USAGE. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what the context's last failure was and gives the exit status that belongs to `status`. */
int cli_failed(const mpno_ctx *ctx, mpno_status status);

/* The sink for a person's text: standard output; standard error when standard output belongs to
 * --json; nowhere when quiet. The sink asks for the terminal's width at every write, so a resized
 * terminal needs no signal. */
typedef struct cli_output {
    mpno_sink sink;
    int descriptor; /* -1: quiet */
    bool failed;    /* a write did not succeed */
    int verdict;    /* exit status of a command that went well; CLI_OK but where it decides */
} cli_output;
void cli_output_open(cli_output *output, bool json, bool quiet);

/* Makes SIGINT and SIGTERM ask for a stop through the sink: the first finishes the epoch and saves,
 * the second ends the program at once with CLI_STOPPED. */
void cli_output_catch_signals(cli_output *output);

/* Ends a command: prints the object as the last line if asked to, frees it and reports a failure.
 */
int cli_finish(mpno_ctx *ctx, const cli_output *output, mpno_status status, bool json, char *text);

#endif
