/* SPDX-License-Identifier: MIT
 * Chooses a reader: see readers.h. */
#include "data/readers.h"

#include <string.h>
#include <strings.h>

#include "data/hdf5.h"
#include "data/pt.h"
#include "data/safetensors.h"

static const struct reader {
    const char *name, *extensions;
    mpno_status (*read)(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
} READERS[] = {
#define MPNO_READER(name, extensions, function) {#name, extensions, function},
#include "data/readers.def"
#undef MPNO_READER
};

enum { N_READERS = sizeof READERS / sizeof *READERS };

/* True when one word of `extensions` ends the path; upper and lower case are the same. */
static bool has_extension(const char *path, const char *extensions) {
    size_t n_path = strlen(path);
    while (*extensions) {
        size_t n = strcspn(extensions, " ");
        if (n_path > n && strncasecmp(path + n_path - n, extensions, n) == 0) return true;
        extensions += n + (extensions[n] == ' ');
    }
    return false;
}

mpno_status mpno_tensor_file_read(mpno_ctx *ctx, const char *path, const char *reader,
                                  mpno_tensor_file **out) {
    *out = NULL;
    for (int i = 0; i < N_READERS; i++) {
        bool chosen = reader ? strcmp(reader, READERS[i].name) == 0
                             : has_extension(path, READERS[i].extensions);
        if (chosen) return READERS[i].read(ctx, path, out);
    }
    char known[200] = "";
    for (int i = 0; i < N_READERS; i++) {
        strncat(known, i > 0 ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, READERS[i].name, sizeof known - strlen(known) - 1);
        strncat(known, " (", sizeof known - strlen(known) - 1);
        strncat(known, READERS[i].extensions, sizeof known - strlen(known) - 1);
        strncat(known, ")", sizeof known - strlen(known) - 1);
    }
    if (reader)
        return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: there is no reader '%s'; there are %s", path,
                         reader, known);
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: no reader knows this extension; there are %s", path,
                     known);
}
