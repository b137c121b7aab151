/* SPDX-License-Identifier: MIT
 * Codecs for any machine. */
#include "kernel/codec_tables.h"

#include "kernel/tmpl/codec_begin.h"

#define TABLE mpno_codec_portable
#include "kernel/tmpl/codec_both.h"
