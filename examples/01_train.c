/* SPDX-License-Identifier: MIT
 * Trains a network as `mpno train` does: a configuration file and keys, a run folder.
 *     01_train CONFIG [KEY=VALUE...] */
#include <stdio.h>
#include <string.h>

#include <mpno/mpno.h>

static void print(void *user, const char *text) {
    (void)user;
    fputs(text, stdout);
}

/* "KEY=VALUE" into the configuration; cuts the word in two. */
static mpno_status set(mpno_config *config, char *word) {
    char *value = strchr(word, '=');
    if (value == NULL) return mpno_config_override(config, word, "");
    *value = '\0';
    return mpno_config_override(config, word, value + 1);
}

static mpno_status train(mpno_ctx *ctx, int n_words, char **words) {
    const mpno_sink sink = {.write = print, .columns = 80};
    mpno_config *config = NULL;
    char *summary = NULL;
    mpno_status status = mpno_config_load(ctx, words[0], &config);
    for (int i = 1; i < n_words && status == MPNO_OK; i++) status = set(config, words[i]);
    if (status == MPNO_OK) status = mpno_train(ctx, config, false, &sink, &summary);
    if (status == MPNO_OK) printf("%s\n", summary);
    mpno_text_free(ctx, summary);
    mpno_config_destroy(&config);
    return status;
}

int main(int argc, char **argv) {
    mpno_ctx *ctx = NULL;
    if (argc < 2 || mpno_ctx_create(NULL, &ctx) != MPNO_OK) return 2;
    const mpno_status status = train(ctx, argc - 1, argv + 1);
    if (status != MPNO_OK) fprintf(stderr, "01_train: %s\n", mpno_ctx_error(ctx));
    mpno_ctx_destroy(&ctx);
    return status == MPNO_OK ? 0 : 1;
}
