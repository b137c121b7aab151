/* SPDX-License-Identifier: MIT
 * Texts of the status codes. */
#include "mpno/status.h"

const char *mpno_status_text(mpno_status status) {
#define MPNO_STATUS_TEXT(name, text) [MPNO_##name] = text,
    static const char *const texts[MPNO_STATUS_COUNT] = {MPNO_STATUS_LIST(MPNO_STATUS_TEXT)};
#undef MPNO_STATUS_TEXT
    if ((int)status < 0 || status >= MPNO_STATUS_COUNT) return "unknown status";
    return texts[status];
}
