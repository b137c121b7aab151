/* SPDX-License-Identifier: MIT
 * Three significant digits and the unit that keeps the number between 1 and 1000 or so. */
#include "report/human.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The unit is chosen on the rounded number: 9.996 is "10.0", not "10.00". */
static void three_digits(double value, const char *unit, char *out) {
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, MPNO_HUMAN_CAPACITY, "%.*f %s", decimals, value, unit);
}

const char *mpno_human_bytes(uint64_t bytes, char out[MPNO_HUMAN_CAPACITY]) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, MPNO_HUMAN_CAPACITY, "%d B", (int)bytes);
        return out;
    }
    double value = (double)bytes / 1024;
    int unit = 0;
    while (value >= 1023.5 && unit < 5) value /= 1024, unit++;
    three_digits(value, units[unit], out);
    return out;
}

bool mpno_human_parse_bytes(const char *text, uint64_t *bytes) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"B", 1},      {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},    {"TB", 1e12},
                 {"KiB", 1024}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
    char *end;
    if (*text < '0' || *text > '9') return false; /* no signs, blanks, names of numbers */
    const double number = strtod(text, &end);
    while (*end == ' ') end++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        *bytes = number < 0x1p62 / units[i].bytes ? (uint64_t)(number * units[i].bytes) : 0;
        return number < 0x1p62 / units[i].bytes;
    }
    return false;
}

static void two_units(double seconds, int64_t large, int64_t small, const char *large_name,
                      const char *small_name, char *out) {
    int64_t count = llround(seconds / (double)small), ratio = large / small;
    snprintf(out, MPNO_HUMAN_CAPACITY, "%d %s %02d %s", (int)(count / ratio), large_name,
             (int)(count % ratio), small_name);
}

const char *mpno_human_seconds(double seconds, char out[MPNO_HUMAN_CAPACITY]) {
    const double minute = 60, hour = 3600, day = 86400;
    if (!(seconds >= 0) || seconds > 1e6 * day)
        snprintf(out, MPNO_HUMAN_CAPACITY, "?");
    else if (seconds == 0)
        snprintf(out, MPNO_HUMAN_CAPACITY, "0 s");
    else if (seconds < 0.9995e-3)
        three_digits(seconds * 1e6, "us", out);
    else if (seconds < 0.9995)
        three_digits(seconds * 1e3, "ms", out);
    else if (seconds < minute - 0.05)
        three_digits(seconds, "s", out);
    else if (seconds < hour - 0.5)
        two_units(seconds, 60, 1, "min", "s", out);
    else if (seconds < day - 30)
        two_units(seconds, 3600, 60, "h", "min", out);
    else
        two_units(seconds, 86400, 3600, "d", "h", out);
    return out;
}
