/* SPDX-License-Identifier: MIT
 * y = x. */
#include "model/stabilizer.h"

const mpno_stabilizer_member mpno_stabilizer_none = {.bound = mpno_stabilizer_bound_largest};
