/* SPDX-License-Identifier: MIT
 * The field's public data sets: see public_sets.h. */
#include "train/public_sets.h"

#include <string.h>

#include "train/sink.h"

static const struct set {
    const char *name, *what, *address;
    int64_t bytes;
    const char *sha256;
} SETS[] = {
#define SET(name, what, address, bytes, sha256) {name, what, address, bytes, sha256},
#include "train/public_sets.def"
#undef SET
};

enum { N_SETS = sizeof SETS / sizeof *SETS };

static mpno_status put_set(mpno_ctx *ctx, const struct set *s, const mpno_sink *sink,
                           mpno_value *map) {
    mpno_value *entry;
    MPNO_TRY(mpno_value_set_map(ctx, map, s->name, &entry));
    mpno_say(sink, "%s: %s\n    %s\n", s->name, s->what, s->address);
    MPNO_TRY(mpno_value_set_string(ctx, entry, "what", s->what));
    MPNO_TRY(mpno_value_set_string(ctx, entry, "address", s->address));
    if (s->bytes == 0) {
        mpno_say(sink, "    files, sizes and checksums: see that page\n");
        return MPNO_OK;
    }
    mpno_say(sink, "    %lld bytes, sha256 %s\n", (long long)s->bytes, s->sha256);
    MPNO_TRY(mpno_value_set_int(ctx, entry, "bytes", s->bytes));
    return mpno_value_set_string(ctx, entry, "sha256", s->sha256);
}

mpno_status mpno_public_sets(mpno_ctx *ctx, const char *name, const mpno_sink *sink,
                             mpno_value *map) {
    const char *names[N_SETS];
    for (int i = 0; i < N_SETS; i++) {
        names[i] = SETS[i].name;
        if (!name || strcmp(name, names[i]) == 0) MPNO_TRY(put_set(ctx, &SETS[i], sink, map));
    }
    if (!name || map->n > 0) return MPNO_OK;
    const char *near = mpno_nearest_name(name, names, N_SETS);
    return mpno_fail(ctx, MPNO_E_ARGUMENT,
                     "there is no public data set '%s' here%s%s%s; 'mpno data where' lists them",
                     name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
