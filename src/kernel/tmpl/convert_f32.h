/* SPDX-License-Identifier: MIT
 * From which magnitude of an f32 a stored value is not finite: half a unit in the last place above
 * the largest number. */

static float store_limit_f32(mpno_format format) {
    switch (format) {
        case MPNO_F16:
            return 65520.0f;
        case MPNO_BF16:
            return 0x1.ffp127f;
        default:
            return INFINITY;
    }
}
