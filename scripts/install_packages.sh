#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the named sections of packages.txt list and the system lacks. Says nothing when all is there.
# usage: scripts/install_packages.sh SECTION...
# Needs nothing but a POSIX shell, sed and Debian's own package tools: it runs before anything is installed.
set -eu
list=$(dirname "$0")/../packages.txt

fail() {
    echo "install_packages: error: $*" >&2
    exit 1
}

[ $# -gt 0 ] || fail "no section named; packages.txt lists them"
command -v dpkg-query >/dev/null 2>&1 || {
    echo "install_packages: this is not Debian: packages.txt lists what mpno needs; taken as installed" >&2
    exit 0
}

missing=
for section in "$@"; do
    packages=$(sed -n "s/^$section: *//p" "$list")
    [ -n "$packages" ] || fail "packages.txt has no section '$section'"
    for package in $packages; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 ||
        fail "these packages are missing and only root can install them: apt-get install$missing"
    as_root=sudo
fi
echo "installing (packages.txt):$missing"
export DEBIAN_FRONTEND=noninteractive
# an old list is better than none: a source that does not answer must not stop the rest
$as_root apt-get update -qq ||
    echo "install_packages: the package lists could not be renewed, trying with those at hand" >&2
# shellcheck disable=SC2086 # the list is meant to fall into words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 ||
    fail "apt-get could not install:$missing"
