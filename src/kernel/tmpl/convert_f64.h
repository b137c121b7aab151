/* SPDX-License-Identifier: MIT
 * From which magnitude of an f64 a stored value is not finite: half a unit in the last place above
 * the largest number. */

static double store_limit_f64(mpno_format format) {
    switch (format) {
        case MPNO_F16:
            return 65520.0;
        case MPNO_BF16:
            return 0x1.ffp127;
        case MPNO_F32:
            return 0x1.ffffffp127;
        default:
            return (double)INFINITY;
    }
}
