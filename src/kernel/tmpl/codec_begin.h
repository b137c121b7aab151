/* SPDX-License-Identifier: MIT
 * What codecs of every ISA include first. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "number/format.h"

#include "kernel/tmpl/codec_bits.h"
