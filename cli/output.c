/* SPDX-License-Identifier: MIT
 * Text, errors, signals and exit statuses of the program. */
#include "output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile int stop_requested; /* read by the library through the sink, set by the handler */
static bool line_open;              /* a progress line waits for its end on the terminal */

/* Control characters, say of a file name, must not reach a terminal nor break the one line. */
static void print_error(const char *format, va_list list) {
    char sentence[2048];
    vsnprintf(sentence, sizeof sentence, format, list);
    for (char *c = sentence; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 127) *c = *c == '\n' ? ' ' : '?';
    fflush(stdout);
    fprintf(stderr, "%smpno: error: %s\n", line_open ? "\n" : "", sentence);
    line_open = false;
}

void cli_error(const char *format, ...) {
    va_list list;
    va_start(list, format);
    print_error(format, list);
    va_end(list);
}

int cli_usage_error(const char *format, ...) {
    va_list list;
    va_start(list, format);
    print_error(format, list);
    va_end(list);
    return CLI_USAGE;
}

int cli_failed(const mpno_ctx *ctx, mpno_status status) {
    if (status == MPNO_OK) return CLI_OK;
    const char *sentence = ctx ? mpno_ctx_error(ctx) : "";
    if (status == MPNO_E_STOPPED) {
        fflush(stdout);
        fprintf(stderr, "%smpno: %s\n", line_open ? "\n" : "",
                *sentence ? sentence : mpno_status_text(status));
        return CLI_STOPPED;
    }
    cli_error("%s", *sentence ? sentence : mpno_status_text(status));
    return status == MPNO_E_ARGUMENT || status == MPNO_E_CONFIG ? CLI_USAGE : CLI_FAILURE;
}

static int terminal_columns(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

static void write_text(void *user, const char *text) {
    cli_output *output = user;
    if (output->descriptor < 0) return;
    if (output->sink.terminal) output->sink.columns = terminal_columns(output->descriptor);
    size_t n = strlen(text);
    if (n > 0) line_open = output->sink.terminal && text[n - 1] != '\n';
    FILE *stream = output->descriptor == STDOUT_FILENO ? stdout : stderr;
    if (fputs(text, stream) < 0 || fflush(stream) != 0) output->failed = true;
}

void cli_output_open(cli_output *output, bool json, bool quiet) {
    *output = (cli_output){.descriptor = quiet ? -1 : json ? STDERR_FILENO : STDOUT_FILENO};
    output->sink.write = write_text;
    output->sink.user = output;
    output->sink.terminal = !quiet && isatty(output->descriptor);
    output->sink.columns = output->sink.terminal ? terminal_columns(output->descriptor) : 80;
}

static void on_signal(int number) {
    (void)number;
    static const char text[] =
        "\nmpno: finishing what is in work, then saving; once more to quit at once\n";
    if (stop_requested) _exit(CLI_STOPPED);
    stop_requested = 1;
    int saved = errno;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* nothing can be done about it here */
    errno = saved;
}

void cli_output_catch_signals(cli_output *output) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART; /* the library's reads and writes go on */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    output->sink.stop = &stop_requested;
}

int cli_finish(mpno_ctx *ctx, const cli_output *output, mpno_status status, bool json, char *text) {
    bool written = !output->failed;
    if (json && text) {
        size_t n = strlen(text);
        bool ends = n > 0 && text[n - 1] == '\n';
        written = printf("%s%s", text, ends ? "" : "\n") >= 0 && written;
    }
    written = fflush(stdout) == 0 && written;
    mpno_text_free(ctx, text);
    if (status != MPNO_OK) return cli_failed(ctx, status);
    if (written) return output->verdict;
    cli_error("the output could not be written in full; is the disk full or the pipe closed?");
    return CLI_FAILURE;
}
