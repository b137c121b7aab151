/* SPDX-License-Identifier: MIT
 * mpno-bench: times what mpno does, whole steps and single kernels. Finds the sub-command, reads
 * its arguments, says its errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const bench_command *const commands[] = {
#define X(name) &bench_##name,
#include "commands.def"
#undef X
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0], USAGE = 2 };

static void print_usage(FILE *to) {
    fputs("usage: mpno-bench COMMAND ...\n\n", to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-7s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nmpno-bench COMMAND --help tells its options.\n", to);
}

static void print_help(const bench_command *c) {
    printf("usage: mpno-bench %s%s%s [OPTION ...]\n\n%s.\n\n", c->name, *c->what ? " " : "",
           c->what, c->summary);
    printf("An option is --KEY VALUE or KEY:VALUE; what is either on or off is --KEY.\n\n");
    for (size_t i = *c->what ? 1 : 0; i < c->n_fields; i++) {
        const mpno_field *f = &c->fields[i];
        const bool choice = f->type == MPNO_FIELD_CHOICE;
        printf("  --%-10s %s%s%s", f->key, f->help, choice ? ": " : "", choice ? f->domain : "");
        if (f->type != MPNO_FIELD_BOOL && strcmp(f->initial, "null") != 0)
            printf(" (%s)", f->initial);
        putchar('\n');
    }
    if (c->text != NULL) printf("\n%s", c->text);
}

static mpno_status find(mpno_ctx *ctx, const bench_command *c, const char *key,
                        const mpno_field **out) {
    const char *names[32];
    for (size_t i = 0; i < c->n_fields; i++) {
        names[i] = c->fields[i].key;
        *out = &c->fields[i];
        if (strcmp(names[i], key) == 0) return MPNO_OK;
    }
    const char *near = mpno_nearest_name(key, names, c->n_fields);
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "unknown option %s%s%s; see mpno-bench %s --help", key,
                     near != NULL ? "; did you mean " : "", near != NULL ? near : "", c->name);
}

/* The value of a word that names `key` of the first `length` bytes. */
static mpno_status set(mpno_ctx *ctx, const bench_command *c, const char *word, size_t length,
                       const char *value, void *options) {
    char key[64];
    const mpno_field *field;
    snprintf(key, sizeof key, "%.*s", (int)length, word);
    MPNO_TRY(find(ctx, c, key, &field));
    if (value == NULL && field->type == MPNO_FIELD_BOOL) value = "true";
    MPNO_CHECK(ctx, value != NULL, MPNO_E_ARGUMENT, "--%s: its value is missing", key);
    return mpno_field_set_text(ctx, field, value, options);
}

static mpno_status parse(mpno_ctx *ctx, const bench_command *c, int argc, char **argv,
                         void *options) {
    for (int i = 0; i < argc; i++) {
        const char *colon = strchr(argv[i], ':');
        if (strncmp(argv[i], "--", 2) == 0) {
            const mpno_field *field;
            MPNO_TRY(find(ctx, c, argv[i] + 2, &field));
            const bool flag = field->type == MPNO_FIELD_BOOL;
            const char *value = flag || i + 1 == argc ? NULL : argv[++i];
            MPNO_TRY(set(ctx, c, field->key, strlen(field->key), value, options));
        } else if (colon != NULL) {
            MPNO_TRY(set(ctx, c, argv[i], (size_t)(colon - argv[i]), colon + 1, options));
        } else {
            MPNO_CHECK(ctx, *c->what, MPNO_E_ARGUMENT,
                       "\"%s\" is neither --KEY VALUE nor KEY:VALUE; see mpno-bench %s --help",
                       argv[i], c->name);
            MPNO_TRY(mpno_field_set_text(ctx, &c->fields[0], argv[i], options));
        }
    }
    return MPNO_OK;
}

static mpno_status start(mpno_ctx *ctx, const bench_command *c, int argc, char **argv,
                         void *options) {
    const bench_common *common = options;
    MPNO_TRY(parse(ctx, c, argc, argv, options));
    const char *name = common->isa != NULL ? common->isa : getenv("MPNO_ISA");
    mpno_isa isa = ctx->isa;
    MPNO_CHECK(ctx, name == NULL || mpno_isa_parse(name, &isa), MPNO_E_ARGUMENT,
               "isa: \"%s\" is no instruction set; `mpno info --cpu` names them", name);
    if (isa < ctx->isa) ctx->isa = isa;
    ctx->n_threads = (int)common->threads;
    return c->run(ctx, options);
}

static int run(const bench_command *c, int argc, char **argv) {
    mpno_ctx *ctx = NULL;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return print_help(c), 0;
    mpno_status status = mpno_ctx_create(NULL, &ctx);
    void *options = status == MPNO_OK ? calloc(1, c->options_bytes) : NULL;
    if (options == NULL) status = MPNO_E_MEMORY;
    if (status == MPNO_OK) status = mpno_fields_default(ctx, c->fields, c->n_fields, options);
    if (status == MPNO_OK) {
        status = start(ctx, c, argc, argv, options);
        const char *sentence = mpno_ctx_error(ctx);
        if (status != MPNO_OK)
            fprintf(stderr, "mpno-bench: error: %s: %s\n", c->name,
                    *sentence ? sentence : mpno_status_text(status));
        mpno_fields_clear(ctx, c->fields, c->n_fields, options);
    }
    free(options);
    mpno_ctx_destroy(&ctx);
    if (status == MPNO_E_ARGUMENT || status == MPNO_E_CONFIG) return USAGE;
    return status == MPNO_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    /* As the program mpno: waiting threads soon sleep unless the user says otherwise (reason in
     * cli/main.c). */
    if (getenv("OMP_WAIT_POLICY") == NULL && setenv("OMP_WAIT_POLICY", "passive", 1) == 0 &&
        setenv("GOMP_SPINCOUNT", "1000", 0) == 0)
        execv("/proc/self/exe", argv);
    for (size_t i = 0; i < N_COMMANDS && argc >= 2; i++)
        if (strcmp(argv[1], commands[i]->name) == 0) return run(commands[i], argc - 2, argv + 2);
    const bool asked = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    print_usage(asked ? stdout : stderr);
    return asked ? 0 : USAGE;
}
