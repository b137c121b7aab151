/* SPDX-License-Identifier: MIT
 * mpno help keys: what the keys of a configuration mean. */
#ifndef MPNO_CLI_KEYS_H
#define MPNO_CLI_KEYS_H

/* The keys that begin with `prefix`, to standard output; says so and returns 2 when there is none.
 */
int cli_print_keys(const char *prefix);

#endif
