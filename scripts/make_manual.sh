#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes manual pages and shell completions from what the program says of itself (`mpno help`), so that they cannot differ.
# usage: scripts/make_manual.sh PROGRAM FOLDER
# FOLDER gets man/man1/mpno.1, one page for each command, man/man5/mpno-config.5, mpno.bash, _mpno (zsh) and mpno.fish.
set -eu
[ $# -eq 2 ] || { echo "usage: scripts/make_manual.sh PROGRAM FOLDER" >&2; exit 2; }
program=$1
folder=$2
here=$(dirname "$0")
work=$folder/help

rm -rf "$folder/man" "$work" "$folder/made"
mkdir -p "$folder/man/man1" "$folder/man/man5" "$work"
version=$("$program" --version)
"$program" help > "$work/mpno"
"$program" help keys > "$work/mpno-config"
commands=$(awk '/^[A-Z]/ { inside = $0 == "COMMANDS" } inside && /^    [a-z]/ { print $1 }' "$work/mpno")
for command in $commands; do
    [ "$command" = help ] || "$program" help "$command" > "$work/mpno-$command"
done

also="mpno(1)"
for command in $commands; do
    [ "$command" = help ] || also="$also, mpno-$command(1)"
done
also="$also, mpno-config(5)"
for file in "$work"/*; do
    name=$(basename "$file")
    section=1
    [ "$name" != mpno-config ] || section=5
    awk -f "$here/manual_page.awk" -v name="$name" -v section=$section -v version="$version" -v also="$also" "$file" \
        > "$folder/man/man$section/$name.$section"
done

cd "$work"
script=$OLDPWD/$here/completion.awk
case $here in /*) script=$here/completion.awk ;; esac
for shell in bash zsh fish; do
    file=mpno.$shell
    [ $shell != zsh ] || file=_mpno
    awk -f "$script" -v shell=$shell mpno mpno-* > "$file.new"
    mv "$file.new" "../$file"
done
touch ../made
