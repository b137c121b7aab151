/* SPDX-License-Identifier: MIT
 * The file of mpno tune lies in the user's cache folder (XDG Base Directory Specification: only
 * absolute paths count). */
#include "tuned.h"

#include <stdio.h>
#include <stdlib.h>

mpno_status cli_tuned_path(mpno_ctx *ctx, char *path, size_t capacity) {
    char folder[4096];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const bool xdg = cache && *cache == '/', own = home && *home == '/';
    /* "." keeps the file usable where a service has no home */
    const int n = snprintf(folder, sizeof folder, "%s%s/mpno",
                           xdg   ? cache
                           : own ? home
                                 : ".",
                           !xdg && own ? "/.cache" : "");
    if (n < 0 || (size_t)n >= sizeof folder) return MPNO_E_ARGUMENT;
    return mpno_tune_path(ctx, folder, path, capacity);
}
