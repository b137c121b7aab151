/* SPDX-License-Identifier: MIT
 * LZF by liblzf: see lzf.h. */
#include "data/lzf.h"

#include <liblzf/lzf.h>
#include <limits.h>

size_t mpno_lzf_decode(const void *in, size_t n, void *out, size_t capacity) {
    if (n > UINT_MAX || capacity > UINT_MAX) return 0;
    return lzf_decompress(in, (unsigned)n, out, (unsigned)capacity);
}
