/* SPDX-License-Identifier: MIT
 * Reads a command line. A word "--name" that is no option of the command is an override of the
 * configuration key of that name, which the library checks; only a word one slip away from an
 * option is taken for that option misspelt. */
#include "args.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define MAX_THREADS 1024

typedef enum option_id {
    OPTION_RESUME,
    OPTION_OUTPUT,
    OPTION_PICTURES,
    OPTION_SVG,
    OPTION_TABLE,
    OPTION_CSV,
    OPTION_ROLLOUT,
    OPTION_DATA,
    OPTION_FORMAT,
    OPTION_INPUT,
    OPTION_NUMBER,
    OPTION_ANSWER,
    OPTION_TOLERANCE,
    OPTION_HTML,
    OPTION_LAYERS,
    OPTION_WITHIN,
    OPTION_MINIMISE,
    OPTION_CONFIG,
    OPTION_STATIC,
    OPTION_RANGE,
    OPTION_CALIBRATION,
    OPTION_SAMPLES,
    OPTION_COVERAGE,
    OPTION_CONFIDENCE,
    OPTION_DISCRETISATION,
    OPTION_WEIGHTS,
    OPTION_OTHER_INPUT,
    OPTION_OTHER_ANSWER,
    OPTION_SAMPLE,
    OPTION_KEY,
    OPTION_AXES,
    OPTION_SPECTRUM,
    OPTION_ANIMATE,
    OPTION_COLORMAP,
    OPTION_UNIT,
    OPTION_QUICK,
    OPTION_FULL,
    OPTION_LIST,
    OPTION_CPU,
    OPTION_SHOW,
    OPTION_RESET,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_THREADS,
    OPTION_ISA,
    OPTION_TUNED,
    OPTION_HELP,
    OPTION_COUNT
} option_id;

typedef struct option {
    const char *name, *letter; /* letter may be NULL */
    const char *value;         /* name of the value, NULL: takes none */
    unsigned set;
    const char *help;
} option;

static const option options[OPTION_COUNT] = {
    [OPTION_RESUME] = {"--resume", NULL, NULL, CLI_OPTION_RESUME,
                       "continue the run in the output folder from its last checkpoint"},
    [OPTION_OUTPUT] = {"--output", "-o", "FILE", CLI_OPTION_OUTPUT, "file to write"},
    [OPTION_PICTURES] = {"--pictures", NULL, "FOLDER", CLI_OPTION_PICTURES,
                         "write PNG pictures of the samples into FOLDER too"},
    [OPTION_SVG] = {"--svg", NULL, "FILE", CLI_OPTION_SVG,
                    "draw the memory over the steps of training into FILE"},
    [OPTION_TABLE] = {"--table", NULL, NULL, CLI_OPTION_TABLE, "show every error"},
    [OPTION_CSV] = {"--csv", NULL, "FILE", CLI_OPTION_CSV,
                    "write every error into FILE, and spectra beside it"},
    [OPTION_ROLLOUT] = {"--rollout", NULL, "N", CLI_OPTION_ROLLOUT,
                        "predict N steps of trajectories (all: as many as there are), each from\n"
                        "                       the predictions before it"},
    [OPTION_DATA] = {"--data", NULL, "FILE", CLI_OPTION_ADVISE | CLI_OPTION_TOLERANCE,
                     "data to try on; the first test file of the configuration where not given"},
    [OPTION_FORMAT] = {"--format", NULL, "NAME", CLI_OPTION_ADVISE,
                       "16-bit format to try, f16 or bf16; both where not given"},
    [OPTION_INPUT] = {"--input", NULL, "FILE", CLI_OPTION_CERTIFY,
                      "data file with the input; the first test file of the configuration where\n"
                      "                       not given"},
    [OPTION_NUMBER] = {"--sample", NULL, "N", CLI_OPTION_CERTIFY,
                       "which sample of it, from 0; 0 where not given"},
    [OPTION_ANSWER] = {"--answer", NULL, "FILE", CLI_OPTION_CERTIFY,
                       "predictions of these samples, or of this one, by mpno predict; computed\n"
                       "                       where not given"},
    [OPTION_TOLERANCE] = {"--tolerance", NULL, "T", CLI_OPTION_CERTIFY,
                          "claim that the relative L2 distance is at most T, such as 1e-3"},
    [OPTION_HTML] = {"--html", NULL, "FILE", CLI_OPTION_CERTIFY,
                     "draw where the error comes from into FILE"},
    [OPTION_WITHIN] =
        {"--tolerance", NULL, "T", CLI_OPTION_TOLERANCE,
         "plan for answers within T of the exact ones, relative L2 distance, such as\n"
         "                       1e-3; auto: a tenth of the model's own error"},
    [OPTION_MINIMISE] = {"--minimise", NULL, "WHAT", CLI_OPTION_TOLERANCE,
                         "memory (where not given) or time"},
    [OPTION_CONFIG] = {"--config", NULL, "FILE", CLI_OPTION_CONFIG,
                       "take the keys that stand in FILE, YAML such as mpno plan writes; those of\n"
                       "                       the command line win"},
    [OPTION_LAYERS] = {"--layers", NULL, NULL, CLI_OPTION_CERTIFY, "show every layer"},
    [OPTION_STATIC] = {"--static", NULL, NULL, CLI_OPTION_CERTIFY,
                       "prove that nothing overflows, for every input"},
    [OPTION_RANGE] = {"--range", NULL, "A", CLI_OPTION_CERTIFY,
                      "of inputs with |a| <= A, as the network gets them; 6 where not given and\n"
                      "                       inputs are encoded"},
    [OPTION_CALIBRATION] =
        {"--data", NULL, "FILE", CLI_OPTION_CERTIFY,
         "bound new samples, from those of FILE, which took no part in training"},
    [OPTION_SAMPLES] = {"--samples", NULL, "N", CLI_OPTION_CERTIFY,
                        "how many of FILE, 200 or more; 200 where not given"},
    [OPTION_COVERAGE] = {"--coverage", NULL, "P", CLI_OPTION_CERTIFY,
                         "part of new samples to bound; 0.95 where not given"},
    [OPTION_CONFIDENCE] = {"--confidence", NULL, "P", CLI_OPTION_CERTIFY,
                           "of a bound given these samples; 0.95 where not given, 0: leave it out"},
    [OPTION_DISCRETISATION] = {"--discretisation", NULL, NULL, CLI_OPTION_CERTIFY,
                               "estimate what the grid does to the answer"},
    [OPTION_WEIGHTS] = {"--weights", NULL, "FILE", CLI_OPTION_VERIFY,
                        "the checkpoint, in place of the path in CERTIFICATE"},
    [OPTION_OTHER_INPUT] = {"--input", NULL, "FILE", CLI_OPTION_VERIFY, "the input, likewise"},
    [OPTION_OTHER_ANSWER] = {"--answer", NULL, "FILE", CLI_OPTION_VERIFY, "the answer, likewise"},
    [OPTION_SAMPLE] = {"--sample", NULL, "LIST", CLI_OPTION_PLOT,
                       "samples to draw, such as 0,3 or 2:5 (5 excluded); 0 where not given"},
    [OPTION_KEY] = {"--key", NULL, "KEY", CLI_OPTION_PLOT,
                    "what to draw: Y, or X,Y with the input"},
    [OPTION_AXES] = {"--axes", NULL, "LETTERS", CLI_OPTION_PLOT,
                     "axes in the file, letters of n c x y z t such as ntxyc"},
    [OPTION_SPECTRUM] = {"--spectrum", NULL, NULL, CLI_OPTION_PLOT, "draw radial spectra"},
    [OPTION_ANIMATE] = {"--animate", NULL, NULL, CLI_OPTION_PLOT, "a frame for each time"},
    [OPTION_COLORMAP] = {"--colormap", NULL, "NAME", CLI_OPTION_PLOT,
                         "auto, sequential or diverging (symmetric about zero)"},
    [OPTION_UNIT] = {"--unit", NULL, "TEXT", CLI_OPTION_PLOT, "unit of the outputs, for headings"},
    [OPTION_QUICK] = {"--quick", NULL, NULL, CLI_OPTION_SIZES,
                      "the small sizes: minutes (so it is where nothing is said)"},
    [OPTION_FULL] = {"--full", NULL, NULL, CLI_OPTION_SIZES,
                     "the sizes of the results that are kept: hours"},
    [OPTION_LIST] = {"--list", NULL, NULL, CLI_OPTION_SIZES, "list the experiments there are"},
    [OPTION_CPU] = {"--cpu", NULL, NULL, CLI_OPTION_CPU,
                    "say what this machine and this build can run"},
    [OPTION_SHOW] = {"--show", NULL, NULL, CLI_OPTION_SHOW,
                     "say what was measured, and measure nothing"},
    [OPTION_RESET] = {"--reset", NULL, NULL, CLI_OPTION_RESET, "forget what was measured"},
    [OPTION_JSON] = {"--json", NULL, NULL, CLI_OPTION_ALL,
                     "print one JSON object as the last line of standard output; the text\n"
                     "                       for a person then goes to standard error"},
    [OPTION_QUIET] = {"--quiet", "-q", NULL, CLI_OPTION_ALL, "print no text but errors"},
    [OPTION_THREADS] = {"--threads", NULL, "N", CLI_OPTION_ALL,
                        "threads to use (the key n_threads); results do not depend on it"},
    [OPTION_ISA] = {"--isa", NULL, "NAME", CLI_OPTION_ALL,
                    "fastest kernels to use (see mpno info --cpu), one of"},
    [OPTION_TUNED] = {"--tuned", NULL, NULL, CLI_OPTION_ALL,
                      "use what mpno tune has measured on this machine"},
    [OPTION_HELP] = {"--help", "-h", NULL, CLI_OPTION_ALL, "print this page"},
};

static bool belongs(const option *o, const cli_page *page) {
    return o->set == CLI_OPTION_ALL || (page->options & o->set) != 0;
}

enum { ISA_NAMES = 256 };

static void list_isas(char names[ISA_NAMES]) {
    names[0] = 0;
    for (int i = 0; mpno_isa_at(i); ++i) {
        const size_t length = strlen(names);
        snprintf(names + length, ISA_NAMES - length, "%s%s", i ? ", " : "", mpno_isa_at(i));
    }
}

void cli_print_options(const cli_page *page) {
    for (int i = 0; i < OPTION_COUNT; ++i) {
        const option *o = &options[i];
        if (!belongs(o, page)) continue;
        char left[32];
        snprintf(left, sizeof left, "%s%s%s%s%s", o->letter ? o->letter : "", o->letter ? ", " : "",
                 o->name, o->value ? " " : "", o->value ? o->value : "");
        const bool other = i == OPTION_RESUME && page->resume_help;
        printf("    %-17s  %s\n", left, other ? page->resume_help : o->help);
        if (i == OPTION_ISA) {
            char names[ISA_NAMES];
            list_isas(names);
            printf("%23s%s\n", "", names);
        }
    }
}

/* Insertions, deletions and replacements; one row of the usual table is enough. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[64];
    size_t n = strlen(b);
    if (n >= sizeof row / sizeof row[0]) return SIZE_MAX;
    for (size_t j = 0; j <= n; ++j) row[j] = j;
    for (size_t i = 0; a[i]; ++i) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; ++j) {
            size_t best = diagonal + (a[i] != b[j]);
            if (row[j + 1] + 1 < best) best = row[j + 1] + 1;
            if (row[j] + 1 < best) best = row[j] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *name, const char *const *names, size_t n, size_t most) {
    const char *nearest = NULL;
    size_t bound = most + 1;
    for (size_t i = 0; i < n; ++i) {
        size_t distance = edit_distance(name, names[i]);
        if (distance >= bound) continue;
        bound = distance;
        nearest = names[i];
    }
    return nearest;
}

bool cli_read_count(const char *text, int most, const char *end, int *out) {
    if (!isdigit((unsigned char)text[0])) return false;
    char *rest = NULL;
    long value = strtol(text, &rest, 10);
    if (value < 1 || value > most || (*rest && !(end && strchr(end, *rest)))) return false;
    *out = (int)value;
    return true;
}

int cli_check_threads(const char *source, const char *text, const char *end, int *out) {
    if (cli_read_count(text, MAX_THREADS, end, out)) return 0;
    return cli_usage_error("%s is '%s': expected a whole number from 1 to %d", source, text,
                           MAX_THREADS);
}

int cli_check_isa(const char *source, const char *name) {
    char names[ISA_NAMES];
    for (int i = 0; mpno_isa_at(i); ++i)
        if (!strcmp(name, mpno_isa_at(i))) return 0;
    list_isas(names);
    return cli_usage_error("%s is '%s': expected one of %s", source, name, names);
}

/* The option `word` names up to its '=' (length n), or NULL. */
static const option *find_option(const cli_page *page, const char *word, size_t n) {
    for (int i = 0; i < OPTION_COUNT; ++i) {
        const option *o = &options[i];
        if (!belongs(o, page)) continue;
        if (strlen(o->name) == n && !memcmp(word, o->name, n)) return o;
        if (o->letter && strlen(o->letter) == n && !memcmp(word, o->letter, n)) return o;
    }
    return NULL;
}

static const char *nearest_option(const cli_page *page, const char *word, size_t most) {
    const char *names[OPTION_COUNT];
    size_t n = 0;
    for (int i = 0; i < OPTION_COUNT; ++i)
        if (belongs(&options[i], page)) names[n++] = options[i].name;
    return cli_nearest(word, names, n, most);
}

/* "opt.learning_rate=1e-3": letters, digits, '_' and '.' before the '='. */
static bool is_assignment(const char *word) {
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    return n > 0 && word[n] == '=';
}

static int read_number(const char *text, int64_t *out) {
    char *rest = NULL;
    const long long value = strtoll(text, &rest, 10);
    if (!isdigit((unsigned char)text[0]) || *rest || value == LLONG_MAX)
        return cli_usage_error("--sample is '%s': expected a whole number, 0 or more", text);
    *out = value;
    return 0;
}

/* A number from `least` on, or above it, to `most`. */
static int read_real(const char *name, const char *text, double least, bool above, double most,
                     const char *expected, double *out) {
    char *rest = NULL;
    *out = strtod(text, &rest);
    if (rest == text || *rest || !isfinite(*out) || *out < least || (above && *out <= least) ||
        *out > most)
        return cli_usage_error("%s is '%s': expected %s", name, text, expected);
    return 0;
}

static int apply(const option *o, const char *value, cli_args *args) {
    int count;
    switch ((option_id)(o - options)) {
        case OPTION_RESUME:
            args->resume = true;
            break;
        case OPTION_OUTPUT:
            args->output = value;
            break;
        case OPTION_PICTURES:
            args->pictures = value;
            break;
        case OPTION_SVG:
            args->svg = value;
            break;
        case OPTION_TABLE:
            args->table = true;
            break;
        case OPTION_CSV:
            args->csv = value;
            break;
        case OPTION_ROLLOUT:
            args->rollout = value;
            if (!strcmp(value, "all") || cli_read_count(value, INT_MAX, NULL, &count)) break;
            return cli_usage_error(
                "--rollout is '%s': expected a whole number of steps, 1 or more, or all", value);
        case OPTION_DATA:
        case OPTION_CALIBRATION:
            args->data = value;
            break;
        case OPTION_FORMAT:
            args->format = value;
            if (!strcmp(value, "f16") || !strcmp(value, "bf16")) break;
            return cli_usage_error("--format is '%s': expected f16 or bf16", value);
        case OPTION_INPUT:
        case OPTION_OTHER_INPUT:
            args->input = value;
            break;
        case OPTION_NUMBER:
            return read_number(value, &args->number);
        case OPTION_ANSWER:
        case OPTION_OTHER_ANSWER:
            args->answer = value;
            break;
        case OPTION_WITHIN:
            args->within = true;
            args->tolerance = NAN;
            if (!strcmp(value, "auto")) break;
            /* fall through */
        case OPTION_TOLERANCE:
            return read_real("--tolerance", value, 0, false, HUGE_VAL,
                             "a number such as 1e-3, 0 or more", &args->tolerance);
        case OPTION_HTML:
            args->html = value;
            break;
        case OPTION_MINIMISE:
            args->minimise = value;
            if (!strcmp(value, "memory") || !strcmp(value, "time")) break;
            return cli_usage_error("--minimise is '%s': expected memory or time", value);
        case OPTION_CONFIG:
            args->config = value;
            break;
        case OPTION_LAYERS:
            args->layers = true;
            break;
        case OPTION_DISCRETISATION:
            args->discretisation = true;
            break;
        case OPTION_STATIC:
            args->is_static = true;
            break;
        case OPTION_RANGE:
            return read_real("--range", value, 0, true, HUGE_VAL, "a number above 0, such as 6",
                             &args->range);
        case OPTION_SAMPLES:
            if (cli_read_count(value, INT_MAX, NULL, &args->samples)) break;
            return cli_usage_error("--samples is '%s': expected a whole number, 200 or more",
                                   value);
        case OPTION_COVERAGE:
            return read_real("--coverage", value, 0, true, 1, "a number below 1, such as 0.95",
                             &args->coverage);
        case OPTION_CONFIDENCE:
            return read_real("--confidence", value, 0, false, 1,
                             "a number below 1, such as 0.99, or 0", &args->confidence);
        case OPTION_WEIGHTS:
            args->weights = value;
            break;
        case OPTION_SAMPLE:
            args->sample = value;
            break;
        case OPTION_KEY:
            args->key = value;
            break;
        case OPTION_AXES:
            args->axes = value;
            break;
        case OPTION_SPECTRUM:
            args->spectrum = true;
            break;
        case OPTION_ANIMATE:
            args->animate = true;
            break;
        case OPTION_COLORMAP:
            args->colormap = value;
            break;
        case OPTION_UNIT:
            args->unit = value;
            break;
        case OPTION_QUICK:
            args->quick = true;
            break;
        case OPTION_FULL:
            args->full = true;
            break;
        case OPTION_LIST:
            args->list = true;
            break;
        case OPTION_CPU:
            args->cpu = true;
            break;
        case OPTION_SHOW:
            args->show = true;
            break;
        case OPTION_RESET:
            args->reset = true;
            break;
        case OPTION_TUNED:
            args->tuned = true;
            break;
        case OPTION_JSON:
            args->json = true;
            break;
        case OPTION_QUIET:
            args->quiet = true;
            break;
        case OPTION_THREADS:
            return cli_check_threads("--threads", value, NULL, &args->n_threads);
        case OPTION_ISA:
            args->isa = value;
            return cli_check_isa("--isa", value);
        case OPTION_HELP:
            args->help = true;
            break;
        case OPTION_COUNT:
            break;
    }
    return 0;
}

static void add_override(cli_args *args, char *key, size_t key_length, const char *value) {
    key[key_length] = '\0';
    args->overrides[args->n_overrides++] = (cli_override){key, value};
}

static int unknown_option(const char *command, const char *word, const char *nearest) {
    if (nearest)
        return cli_usage_error("unknown option '%s'; did you mean '%s'? 'mpno %s --help' lists all",
                               word, nearest, command);
    return cli_usage_error("unknown option '%s'; 'mpno %s --help' lists all", word, command);
}

/* Word i starts with '-'. Gives the number of words used, 0 after an error. */
static int read_option(const char *command, const cli_page *page, int argc, char **argv, int i,
                       cli_args *args) {
    char *word = argv[i];
    size_t n = strcspn(word, "=");
    const char *value = word[n] ? word + n + 1 : NULL;
    const option *o = find_option(page, word, n);
    if (!o) {
        /* dotted names are configuration keys and nothing else: the library knows which are near */
        bool key = page->overrides && word[1] == '-' && isalpha((unsigned char)word[2]);
        bool dotted = key && memchr(word, '.', n);
        const char *nearest = dotted ? NULL : nearest_option(page, word, key ? 1 : 2);
        if (!key || nearest) {
            unknown_option(command, word, nearest);
            return 0;
        }
    } else if (!o->value) {
        if (value) {
            cli_usage_error("option %s takes no value; write it alone", o->name);
            return 0;
        }
        return apply(o, NULL, args) ? 0 : 1;
    }
    int used = 1;
    if (!value) {
        value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value || !strncmp(value, "--", 2)) {
            cli_usage_error("option %s needs a value: %s=%s", word, word, o ? o->value : "VALUE");
            return 0;
        }
        used = 2;
    }
    if (o) return apply(o, value, args) ? 0 : used;
    add_override(args, word + 2, n - 2, value);
    return used;
}

static int add_argument(const cli_page *page, const char *word, cli_args *args) {
    if (args->n_arguments == CLI_MAX_ARGUMENTS || !page->arguments[args->n_arguments])
        return cli_usage_error("'%s' is one argument too many; usage: mpno %s", word,
                               page->synopsis);
    if (!*word)
        return cli_usage_error("%s is empty; usage: mpno %s", page->arguments[args->n_arguments],
                               page->synopsis);
    args->arguments[args->n_arguments++] = word;
    return 0;
}

int cli_args_read(const char *command, const cli_page *page, int argc, char **argv,
                  cli_args *args) {
    *args = (cli_args){.tolerance = -1, .confidence = -1};
    args->overrides = calloc((size_t)argc + 1, sizeof *args->overrides);
    if (!args->overrides) {
        cli_error("out of memory while reading the command line");
        return CLI_FAILURE;
    }
    bool only_arguments = false;
    for (int i = 0; i < argc;) {
        char *word = argv[i];
        if (!only_arguments && !strcmp(word, "--")) {
            only_arguments = true;
            ++i;
        } else if (!only_arguments && word[0] == '-' && word[1]) {
            int used = read_option(command, page, argc, argv, i, args);
            if (!used) return CLI_USAGE;
            i += used;
        } else {
            if (!only_arguments && page->overrides && is_assignment(word)) {
                size_t n = strcspn(word, "=");
                add_override(args, word, n, word + n + 1);
            } else if (add_argument(page, word, args)) {
                return CLI_USAGE;
            }
            ++i;
        }
    }
    if (args->help) return 0;
    if (args->n_arguments < page->n_required)
        return cli_usage_error("%s is missing; usage: mpno %s", page->arguments[args->n_arguments],
                               page->synopsis);
    if ((page->required_options & CLI_OPTION_OUTPUT) && !args->output)
        return cli_usage_error("-o FILE is missing; usage: mpno %s", page->synopsis);
    if (args->cpu && args->n_arguments)
        return cli_usage_error("'%s' and --cpu exclude each other; usage: mpno %s",
                               args->arguments[0], page->synopsis);
    if (args->quick && args->full)
        return cli_usage_error("--quick and --full exclude each other; usage: mpno %s",
                               page->synopsis);
    if (args->data && (args->is_static || args->input))
        return cli_usage_error("--data and %s exclude each other; usage: mpno %s",
                               args->is_static ? "--static" : "--input", page->synopsis);
    if (args->discretisation && (args->is_static || args->data))
        return cli_usage_error("--discretisation and %s exclude each other; usage: mpno %s",
                               args->is_static ? "--static" : "--data", page->synopsis);
    if (args->show && args->reset)
        return cli_usage_error("--show and --reset exclude each other; usage: mpno %s",
                               page->synopsis);
    if (args->tuned && (page->options & CLI_OPTION_RESET))
        return cli_usage_error("--tuned is for the other commands; usage: mpno %s", page->synopsis);
    return 0;
}

void cli_args_free(cli_args *args) {
    free(args->overrides);
    args->overrides = NULL;
}
