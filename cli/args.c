/* SPDX-License-Identifier: MIT
 * Reads a command line. A word "--name" that is no option of the command is an override of the
 * configuration key of that name, which the library checks; only a word one slip away from an
 * option is taken for that option misspelt. */
#include "args.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
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
    OPTION_SET,
    OPTION_RANGE,
    OPTION_CALIBRATION,
    OPTION_SAMPLES,
    OPTION_COVERAGE,
    OPTION_CONFIDENCE,
    OPTION_DISCRETISATION,
    OPTION_WEIGHTS,
    OPTION_OTHER_INPUT,
    OPTION_OTHER_ANSWER,
    OPTION_NEW_SAMPLE,
    OPTION_OTHER_DATA,
    OPTION_SPOT_CHECKS,
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
    size_t place; /* in cli_args, of a bool, or of a text where it takes a value */
    int (*read)(const char *value, cli_args *args); /* NULL: it goes to its place */
} option;

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

static int read_rollout(const char *value, cli_args *args) {
    int count;
    args->rollout = value;
    if (!strcmp(value, "all") || cli_read_count(value, INT_MAX, NULL, &count)) return 0;
    return cli_usage_error("--rollout is '%s': expected a whole number of steps, 1 or more, or all",
                           value);
}

static int read_format(const char *value, cli_args *args) {
    args->format = value;
    if (!strcmp(value, "f16") || !strcmp(value, "bf16")) return 0;
    return cli_usage_error("--format is '%s': expected f16 or bf16", value);
}

static int read_sample(const char *value, cli_args *args) {
    char *rest = NULL;
    const long long number = strtoll(value, &rest, 10);
    if (!isdigit((unsigned char)value[0]) || *rest || number == LLONG_MAX)
        return cli_usage_error("--sample is '%s': expected a whole number, 0 or more", value);
    args->number = number;
    return 0;
}

static int read_tolerance(const char *value, cli_args *args) {
    return read_real("--tolerance", value, 0, false, HUGE_VAL, "a number such as 1e-3, 0 or more",
                     &args->tolerance);
}

static int read_within(const char *value, cli_args *args) {
    args->within = true;
    args->tolerance = NAN;
    return strcmp(value, "auto") ? read_tolerance(value, args) : 0;
}

static int read_minimise(const char *value, cli_args *args) {
    args->minimise = value;
    if (!strcmp(value, "memory") || !strcmp(value, "time")) return 0;
    return cli_usage_error("--minimise is '%s': expected memory or time", value);
}

static int read_range(const char *value, cli_args *args) {
    return read_real("--range", value, 0, true, HUGE_VAL, "a number above 0, such as 6",
                     &args->range);
}

static int read_samples(const char *value, cli_args *args) {
    if (cli_read_count(value, INT_MAX, NULL, &args->samples)) return 0;
    return cli_usage_error("--samples is '%s': expected a whole number, 1 or more", value);
}

static int read_coverage(const char *value, cli_args *args) {
    return read_real("--coverage", value, 0, true, 1, "a number below 1, such as 0.95",
                     &args->coverage);
}

static int read_confidence(const char *value, cli_args *args) {
    return read_real("--confidence", value, 0, false, 1, "a number below 1, such as 0.99, or 0",
                     &args->confidence);
}

static int read_threads(const char *value, cli_args *args) {
    return cli_check_threads("--threads", value, NULL, &args->n_threads);
}

static int read_isa(const char *value, cli_args *args) {
    args->isa = value;
    return cli_check_isa("--isa", value);
}

/* Where a flag or a text goes as it is; what reads another value. */
#define PUT(field) offsetof(cli_args, field), NULL
#define READ(reader) 0, reader

static const option options[OPTION_COUNT] = {
    [OPTION_RESUME] = {"--resume", NULL, NULL, CLI_OPTION_RESUME,
                       "continue the run in the output folder from its last checkpoint",
                       PUT(resume)},
    [OPTION_OUTPUT] = {"--output", "-o", "FILE", CLI_OPTION_OUTPUT, "file to write", PUT(output)},
    [OPTION_PICTURES] = {"--pictures", NULL, "FOLDER", CLI_OPTION_PICTURES,
                         "write PNG pictures of the samples into FOLDER too", PUT(pictures)},
    [OPTION_SVG] = {"--svg", NULL, "FILE", CLI_OPTION_SVG,
                    "draw the memory over the steps of training into FILE", PUT(svg)},
    [OPTION_TABLE] = {"--table", NULL, NULL, CLI_OPTION_TABLE, "show every error", PUT(table)},
    [OPTION_CSV] = {"--csv", NULL, "FILE", CLI_OPTION_CSV,
                    "write every error into FILE, and spectra beside it", PUT(csv)},
    [OPTION_ROLLOUT] = {"--rollout", NULL, "N", CLI_OPTION_ROLLOUT,
                        "predict N steps of trajectories (all: as many as there are), each from\n"
                        "                       the predictions before it",
                        READ(read_rollout)},
    [OPTION_DATA] = {"--data", NULL, "FILE", CLI_OPTION_ADVISE | CLI_OPTION_TOLERANCE,
                     "data to try on; the first test file of the configuration where not given",
                     PUT(data)},
    [OPTION_FORMAT] = {"--format", NULL, "NAME", CLI_OPTION_ADVISE,
                       "16-bit format to try, f16 or bf16; both where not given",
                       READ(read_format)},
    [OPTION_INPUT] = {"--input", NULL, "FILE", CLI_OPTION_CERTIFY,
                      "data file with the input; the first test file of the configuration where\n"
                      "                       not given",
                      PUT(input)},
    [OPTION_NUMBER] = {"--sample", NULL, "N", CLI_OPTION_CERTIFY,
                       "which sample of it, from 0; 0 where not given", READ(read_sample)},
    [OPTION_ANSWER] = {"--answer", NULL, "FILE", CLI_OPTION_CERTIFY,
                       "predictions of these samples, or of this one, by mpno predict; computed\n"
                       "                       where not given",
                       PUT(answer)},
    [OPTION_TOLERANCE] =
        {"--tolerance", NULL, "T", CLI_OPTION_CERTIFY,
         "claim that the relative L2 distance is at most T, such as 1e-3 (--set: T times\n"
         "                       the size of answers)",
         READ(read_tolerance)},
    [OPTION_HTML] = {"--html", NULL, "FILE", CLI_OPTION_CERTIFY,
                     "draw where the error comes from into FILE", PUT(html)},
    [OPTION_WITHIN] =
        {"--tolerance", NULL, "T", CLI_OPTION_TOLERANCE,
         "plan for answers within T of the exact ones, relative L2 distance, such as\n"
         "                       1e-3; auto: a tenth of the model's own error",
         READ(read_within)},
    [OPTION_MINIMISE] = {"--minimise", NULL, "WHAT", CLI_OPTION_TOLERANCE,
                         "memory (where not given) or time", READ(read_minimise)},
    [OPTION_CONFIG] = {"--config", NULL, "FILE", CLI_OPTION_CONFIG,
                       "take the keys that stand in FILE, YAML such as mpno plan writes; those of\n"
                       "                       the command line win",
                       PUT(config)},
    [OPTION_LAYERS] = {"--layers", NULL, NULL, CLI_OPTION_CERTIFY, "show every layer", PUT(layers)},
    [OPTION_STATIC] = {"--static", NULL, NULL, CLI_OPTION_CERTIFY,
                       "prove that nothing overflows, for every input", PUT(is_static)},
    [OPTION_SET] = {"--set", NULL, NULL, CLI_OPTION_CERTIFY,
                    "bound the distance of the answers to all inputs of a ball", PUT(is_set)},
    [OPTION_RANGE] = {"--range", NULL, "A", CLI_OPTION_CERTIFY,
                      "of inputs with |a| <= A, as the network gets them; 6 where not given and\n"
                      "                       inputs are encoded",
                      READ(read_range)},
    [OPTION_CALIBRATION] = {"--data", NULL, "FILE", CLI_OPTION_CERTIFY,
                            "bound new samples, from those of FILE, which took no part in training",
                            PUT(data)},
    [OPTION_SAMPLES] = {"--samples", NULL, "N", CLI_OPTION_CERTIFY,
                        "how many of FILE, 200 or more; 200 where not given", READ(read_samples)},
    [OPTION_COVERAGE] = {"--coverage", NULL, "P", CLI_OPTION_CERTIFY,
                         "part of new samples to bound; 0.95 where not given", READ(read_coverage)},
    [OPTION_CONFIDENCE] = {"--confidence", NULL, "P", CLI_OPTION_CERTIFY,
                           "of a bound given these samples; 0.95 where not given, 0: leave it out",
                           READ(read_confidence)},
    [OPTION_DISCRETISATION] = {"--discretisation", NULL, NULL, CLI_OPTION_CERTIFY,
                               "estimate what the grid does to the answer", PUT(discretisation)},
    [OPTION_WEIGHTS] = {"--weights", NULL, "FILE", CLI_OPTION_VERIFY,
                        "the checkpoint, in place of the path in CERTIFICATE", PUT(weights)},
    [OPTION_OTHER_INPUT] = {"--input", NULL, "FILE", CLI_OPTION_VERIFY,
                            "the input, likewise; of a population: data file with a new sample",
                            PUT(input)},
    [OPTION_NEW_SAMPLE] = {"--sample", NULL, "N", CLI_OPTION_VERIFY,
                           "which sample of it, from 0; 0 where not given", READ(read_sample)},
    [OPTION_OTHER_DATA] = {"--data", NULL, "FILE", CLI_OPTION_VERIFY,
                           "a population's calibration samples, in place of the recorded path",
                           PUT(data)},
    [OPTION_SPOT_CHECKS] = {"--samples", NULL, "N", CLI_OPTION_VERIFY,
                            "how many of these to measure again; 8 where not given",
                            READ(read_samples)},
    [OPTION_OTHER_ANSWER] = {"--answer", NULL, "FILE", CLI_OPTION_VERIFY, "the answer, likewise",
                             PUT(answer)},
    [OPTION_SAMPLE] = {"--sample", NULL, "LIST", CLI_OPTION_PLOT,
                       "samples to draw, such as 0,3 or 2:5 (5 excluded); 0 where not given",
                       PUT(sample)},
    [OPTION_KEY] = {"--key", NULL, "KEY", CLI_OPTION_PLOT, "what to draw: Y, or X,Y with the input",
                    PUT(key)},
    [OPTION_AXES] = {"--axes", NULL, "LETTERS", CLI_OPTION_PLOT,
                     "axes in the file, letters of n c x y z t such as ntxyc", PUT(axes)},
    [OPTION_SPECTRUM] = {"--spectrum", NULL, NULL, CLI_OPTION_PLOT, "draw radial spectra",
                         PUT(spectrum)},
    [OPTION_ANIMATE] = {"--animate", NULL, NULL, CLI_OPTION_PLOT, "a frame for each time",
                        PUT(animate)},
    [OPTION_COLORMAP] = {"--colormap", NULL, "NAME", CLI_OPTION_PLOT,
                         "auto, sequential or diverging (symmetric about zero)", PUT(colormap)},
    [OPTION_UNIT] = {"--unit", NULL, "TEXT", CLI_OPTION_PLOT, "unit of the outputs, for headings",
                     PUT(unit)},
    [OPTION_QUICK] = {"--quick", NULL, NULL, CLI_OPTION_SIZES,
                      "the small sizes: minutes (so it is where nothing is said)", PUT(quick)},
    [OPTION_FULL] = {"--full", NULL, NULL, CLI_OPTION_SIZES,
                     "the sizes of the results that are kept: hours", PUT(full)},
    [OPTION_LIST] = {"--list", NULL, NULL, CLI_OPTION_SIZES, "list the experiments there are",
                     PUT(list)},
    [OPTION_CPU] = {"--cpu", NULL, NULL, CLI_OPTION_CPU,
                    "say what this machine and this build can run", PUT(cpu)},
    [OPTION_SHOW] = {"--show", NULL, NULL, CLI_OPTION_SHOW,
                     "say what was measured, and measure nothing", PUT(show)},
    [OPTION_RESET] = {"--reset", NULL, NULL, CLI_OPTION_RESET, "forget what was measured",
                      PUT(reset)},
    [OPTION_JSON] = {"--json", NULL, NULL, CLI_OPTION_ALL,
                     "print one JSON object as the last line of standard output; the text\n"
                     "                       for a person then goes to standard error",
                     PUT(json)},
    [OPTION_QUIET] = {"--quiet", "-q", NULL, CLI_OPTION_ALL, "print no text but errors",
                      PUT(quiet)},
    [OPTION_THREADS] = {"--threads", NULL, "N", CLI_OPTION_ALL,
                        "threads to use (the key n_threads); results do not depend on it",
                        READ(read_threads)},
    [OPTION_ISA] = {"--isa", NULL, "NAME", CLI_OPTION_ALL,
                    "fastest kernels to use (see mpno info --cpu), one of", READ(read_isa)},
    [OPTION_TUNED] = {"--tuned", NULL, NULL, CLI_OPTION_ALL,
                      "use what mpno tune has measured on this machine", PUT(tuned)},
    [OPTION_HELP] = {"--help", "-h", NULL, CLI_OPTION_ALL, "print this page", PUT(help)},
};

#undef PUT
#undef READ

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

static int apply(const option *o, const char *value, cli_args *args) {
    if (o->read != NULL) return o->read(value, args);
    char *place = (char *)args + o->place;
    if (o->value == NULL)
        *(bool *)place = true;
    else
        *(const char **)place = value;
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
    const char *kinds[4] = {NULL};
    int n = 0;
    if (args->discretisation) kinds[n++] = "--discretisation";
    if (args->data) kinds[n++] = "--data";
    if (args->is_static) kinds[n++] = "--static";
    if (args->is_set) kinds[n++] = "--set";
    if (n == 1 && args->data && args->input) kinds[n++] = "--input";
    if (n > 1)
        return cli_usage_error("%s and %s exclude each other; usage: mpno %s", kinds[0], kinds[1],
                               page->synopsis);
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
