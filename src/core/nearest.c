/* SPDX-License-Identifier: MIT
 * The name a user probably meant: Damerau-Levenshtein distance in its restricted form (no part is
 * edited twice), by the usual table of prefixes of which three rows are kept. */
#include <string.h>

#include "core/value.h"

enum { LONGEST = 63 }; /* names in our tables are shorter; a longer word is no misspelling of one */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t n, const char *b, size_t m) {
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1],
           *row = rows[2]; /* prefixes of a of length i-2, i-1, i */
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[m];
}

const char *mpno_nearest_name(const char *name, const char *const *names, size_t n) {
    size_t length = strlen(name);
    if (length > LONGEST) return NULL;
    size_t best = length / 3 > 2 ? length / 3 : 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > LONGEST) continue;
        size_t distance = edit_distance(name, length, names[i], other);
        /* As many edits as letters means that nothing is shared: no suggestion. */
        bool shares = distance < (length > other ? length : other);
        if (shares && (distance < best || (distance == best && nearest == NULL))) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
