/* SPDX-License-Identifier: MIT
 * The table of an equation's parameters: common.def and its own. Included once, by an equation that
 * has defined MPNO_PDE_SETTINGS, the type whose first member is `common`, and MPNO_PDE_DEF, the
 * .def. Gives `fields` and `matters`. */
enum { FREE, RESULT }; /* matters: whether the bytes of samples depend on it */

static const mpno_field fields[] = {
#define X(key, type, initial, domain, what, help) \
    {#key, MPNO_FIELD_##type, offsetof(MPNO_PDE_SETTINGS, common.key), initial, domain, help},
#include "pde/common.def"
#undef X
#define X(key, type, initial, domain, what, help) \
    {#key, MPNO_FIELD_##type, offsetof(MPNO_PDE_SETTINGS, key), initial, domain, help},
#include MPNO_PDE_DEF
#undef X
};

static const bool matters[] = {
#define X(key, type, initial, domain, what, help) what,
#include "pde/common.def"
#include MPNO_PDE_DEF
#undef X
};
