/* SPDX-License-Identifier: MIT
 * mpno help keys: the table of configuration keys as text. Manual page and completions are made
 * from this text too (scripts/make_manual.sh). */
#include "keys.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "output.h"

enum { INDENT = 8, WIDTH = 79, MAX_TEXT = 2048, MAX_KEYS = 512 };

static const char introduction[] =
    "mpno-config - every key of a configuration\n\n"
    "DESCRIPTION\n"
    "    A configuration is a YAML file of sections and keys, such as opt: {n_epochs: 15}. On\n"
    "    the command line a key is written opt.n_epochs=15. An unknown key is an error that\n"
    "    names the nearest one. null means not given. A run can be resumed only with the same\n"
    "    values of the keys that are said to decide its numbers.\n";

/* Words of `text`, broken before WIDTH. */
static void print_wrapped(const char *text) {
    int column = 0;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += column ? printf(" %.*s", n, text) : printf("%*s%.*s", INDENT, "", n, text);
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

/* "none|step" as "none, step". */
static void list_choices(const char *domain, char *out, size_t capacity) {
    size_t n = 0;
    for (const char *c = domain; *c && n + 3 < capacity; ++c) {
        out[n++] = *c == '|' ? ',' : *c;
        if (*c == '|') out[n++] = ' ';
    }
    out[n] = '\0';
}

static void print_key(const mpno_key_info *key) {
    char text[MAX_TEXT], choices[MAX_TEXT / 2];
    printf("    %s\n", key->name);
    if (*key->meaning) print_wrapped(key->meaning);
    const bool choice = !strcmp(key->type, "one of");
    list_choices(key->domain, choices, sizeof choices);
    snprintf(text, sizeof text, "%s%s%s; default %s%s", key->type,
             choice                       ? " "
             : !*key->domain              ? ""
             : !strcmp(key->type, "text") ? ": "
                                          : " in ",
             choice ? choices : key->domain, key->initial,
             key->decides ? "; decides the numbers" : "");
    print_wrapped(text);
}

/* "opt" of "opt.n_epochs", "" of "seed". */
static size_t section_length(const char *name) {
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

static void print_heading(const char *name) {
    size_t n = section_length(name);
    putchar('\n');
    if (n == 0) fputs("RUN", stdout);
    for (size_t i = 0; i < n; ++i)
        putchar(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    putchar('\n');
}

static int fail(const char *prefix) {
    const char *names[MAX_KEYS];
    int n = mpno_config_n_keys() < MAX_KEYS ? mpno_config_n_keys() : MAX_KEYS;
    for (int i = 0; i < n; ++i) names[i] = mpno_config_key(i).name;
    const char *nearest = cli_nearest(prefix, names, (size_t)n, 3);
    if (nearest)
        return cli_usage_error("no key begins with '%s'; did you mean '%s'?", prefix, nearest);
    return cli_usage_error("no key begins with '%s'; 'mpno help keys' lists all", prefix);
}

int cli_print_keys(const char *prefix) {
    const char *last = NULL;
    for (int i = 0; i < mpno_config_n_keys(); ++i) {
        const mpno_key_info key = mpno_config_key(i);
        if (strncmp(key.name, prefix, strlen(prefix)) != 0) continue;
        if (!last && !*prefix) fputs(introduction, stdout);
        if (!*prefix && (!last || section_length(last) != section_length(key.name) ||
                         strncmp(last, key.name, section_length(last)) != 0))
            print_heading(key.name);
        print_key(&key);
        last = key.name;
    }
    return last ? CLI_OK : fail(prefix);
}
