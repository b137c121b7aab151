#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves that a clean clone works on a fresh Debian 12: makes a bare root with debootstrap (only make, git and certificates
# added), clones this repository into it (what is committed, nothing else) and runs make there. Root only; needs debootstrap
# and some 3 GB. The mirror is the one this machine's apt uses.
# usage: scripts/try_clean_root.sh FOLDER [TARGET...]      (targets: demo test)
# FOLDER is made and kept; run again with the same FOLDER to start from the bare root that is in it.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "try_clean_root: error: $*" >&2
    exit 1
}

[ $# -ge 1 ] || fail "usage: scripts/try_clean_root.sh FOLDER [TARGET...]"
[ "$(id -u)" -eq 0 ] || fail "only root can make and enter a root folder"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- demo test
bare=$folder/bare
root=$folder/root

if [ ! -f "$folder/bare-is-whole" ]; then
    # shellcheck disable=SC2016 # apt replaces these names, not the shell
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
        awk '$2 == "bookworm" { print $1; exit }')
    [ -n "$mirror" ] || fail "this machine's apt knows no mirror of bookworm"
    rm -rf "$bare"
    debootstrap --variant=minbase --include=make,git,ca-certificates bookworm "$bare" "$mirror"
    touch "$folder/bare-is-whole"
fi

# a run that was cut off may have left its mount: a tree with a mount in it must not be removed
mountpoint -q "$root/proc" && umount "$root/proc"
rm -rf "$root"
cp -a "$bare" "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
apt-config dump Acquire::http::Proxy Acquire::https::Proxy >"$root/etc/apt/apt.conf.d/90proxy"
git clone -q --no-hardlinks "$here" "$root/mpno"
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT

for target in "$@"; do
    echo "== make $target in $root"
    chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 CI="${CI:-}" \
        make -C /mpno "$target"
done
