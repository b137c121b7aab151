#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the order of the source folders.

src/LAYERS says which folder of src/ may include which; this program reads every #include and fails
on any other. It also holds the program and the examples to the public headers, the
public headers to themselves and the C library, each third-party header to one .c file, intrinsics
to src/kernel, and every source file to 800 lines.

usage: check_layers.py [ROOT]
exit status 0: in order, 1: a rule is broken, 2: cannot be checked
"""

import re
import sys
from pathlib import Path

MOST_LINES = 800
INCLUDE = re.compile(r'^\s*#\s*include\s*(<([^>]+)>|"([^"]+)")')

C_LIBRARY = set(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
    "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath "
    "threads time uchar wchar wctype".split()
)
POSIX = set("dirent fcntl fnmatch glob pthread sched strings termios unistd".split())
COMPILER = {"omp.h", "sanitizer/asan_interface.h"}
INTRINSICS = re.compile(r"^(\w*intrin|arm_\w+|x86gprintrin|cpuid)\.h$")
CPUID_HOME = "src/core/cpu.c"


def is_c_library(header):
    return header.endswith(".h") and header[:-2] in C_LIBRARY


def is_system(header):
    if is_c_library(header) or header in COMPILER or header.startswith(("sys/", "linux/")):
        return True
    return header.endswith(".h") and header[:-2] in POSIX


def read_layers(path):
    """{folder: set of folders it may include}; ValueError names the line that is wrong."""
    layers = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, allowed = line.partition(":")
        folder = folder.strip()
        if not colon or not folder or folder in layers:
            raise ValueError(f"{path}:{number}: expected 'folder: other folders', each folder once")
        layers[folder] = set(allowed.split())
    for folder, allowed in layers.items():
        for name in sorted(allowed - layers.keys()):
            raise ValueError(
                f"{path}: '{folder}' may include '{name}', which is not a folder of the list"
            )
    cyclic = next((f for f in layers if f in reachable(layers, f)), None)
    if cyclic is not None:
        raise ValueError(
            f"{path}: '{cyclic}' includes itself through others; the folders are a ladder"
        )
    return layers


def reachable(layers, folder):
    found, todo = set(), list(layers[folder])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += layers[name]
    return found


class Check:
    def __init__(self, root):
        self.root = root
        self.layers = read_layers(root / "src" / "LAYERS")
        self.problems = []
        self.files = 0
        self.includes = 0
        self.third_party = {}  # header: set of files

    def problem(self, where, sentence):
        self.problems.append(f"{where}: {sentence}")

    def sources(self, folder):
        top = self.root / folder
        files = [
            p for p in top.rglob("*") if p.suffix in (".c", ".h", ".def", ".inc") and p.is_file()
        ]
        return sorted(files)

    def read(self, path):
        """Yields (place, header, is_quoted) for each #include."""
        name = path.relative_to(self.root).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        self.files += 1
        if len(lines) > MOST_LINES:
            self.problem(name, f"{len(lines)} lines; split it, {MOST_LINES} are the most")
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                self.includes += 1
                yield f"{name}:{number}", name, match.group(2) or match.group(3), match.group(
                    3
                ) is not None

    def outside_header(self, place, name, header):
        """A header in angle brackets that is not ours."""
        if INTRINSICS.match(header):
            if header == "cpuid.h" and name == CPUID_HOME:
                return
            if not name.startswith("src/kernel/"):
                self.problem(place, f"<{header}> belongs to src/kernel only")
        elif not is_system(header):
            self.third_party.setdefault(header, set()).add(name)
            if not name.endswith(".c"):
                self.problem(place, f"third-party <{header}> in a header; hide it in one .c file")

    def check_src(self):
        for entry in sorted((self.root / "src").iterdir()):
            if (
                entry.is_dir()
                and entry.name not in self.layers
                and self.sources(f"src/{entry.name}")
            ):
                self.problem(
                    f"src/{entry.name}", "folder is not in src/LAYERS; give it a place there"
                )
        for path in self.sources("src"):
            parts = path.relative_to(self.root / "src").parts
            own = parts[0] if len(parts) > 1 else None
            for place, name, header, quoted in self.read(path):
                if own is None:
                    self.problem(place, "sources stand in a folder of src/")
                elif not quoted:
                    self.outside_header(place, name, header)
                else:
                    self.own_header(place, own, header)

    def own_header(self, place, own, header):
        folder = header.split("/")[0]
        if "/" not in header or ".." in header.split("/"):
            self.problem(place, f'"{header}": write the path from src/ or include/, "folder/file"')
        elif folder == "mpno":
            self.must_exist(place, "include", header)
        elif folder not in self.layers:
            self.problem(place, f"\"{header}\": no folder '{folder}' in src/LAYERS")
        elif folder != own and folder not in self.layers.get(own, set()):
            self.problem(
                place, f"'{own}' may not include '{folder}' (\"{header}\"); see src/LAYERS"
            )
        else:
            self.must_exist(place, "src", header)

    def must_exist(self, place, folder, header):
        if not (self.root / folder / header).is_file():
            self.problem(place, f'"{header}" does not exist below {folder}/')

    def check_public(self):
        for path in self.sources("include"):
            for place, _, header, quoted in self.read(path):
                if quoted and header.startswith("mpno/"):
                    self.must_exist(place, "include", header)
                elif quoted or not is_c_library(header):
                    self.problem(
                        place, f"public headers include mpno/ and the C library only, not {header}"
                    )

    def check_users(self, folder):
        """cli and examples know the public headers and their own; the bench, which times kernels,
        may look into src/ too."""
        own = [folder, "src"] if folder == "bench" else [folder]
        for path in self.sources(folder):
            for place, name, header, quoted in self.read(path):
                if not quoted:
                    if header.startswith("mpno/"):
                        self.must_exist(place, "include", header)
                    else:
                        self.outside_header(place, name, header)
                elif header.startswith("mpno/"):
                    self.must_exist(place, "include", header)
                elif ".." in header.split("/") or not (
                    (path.parent / header).is_file()
                    or any((self.root / home / header).is_file() for home in own)
                ):
                    self.problem(
                        place,
                        f'"{header}" is neither public ("mpno/...") nor a header of {"/ or ".join(own)}/',
                    )

    def run(self):
        self.check_src()
        self.check_public()
        for folder in ("cli", "bench", "examples"):
            self.check_users(folder)
        for header, users in sorted(self.third_party.items()):
            own = sorted(u for u in users if u.startswith("src/"))
            if len(own) > 1:
                self.problem(
                    own[1],
                    f"third-party <{header}> is already included in {own[0]}; one file wraps it",
                )
        return self.problems


def main(arguments):
    root = Path(arguments[1] if len(arguments) > 1 else Path(__file__).resolve().parent.parent)
    try:
        check = Check(root)
        problems = check.run()
    except (OSError, ValueError) as error:
        print(f"check_layers: {error}", file=sys.stderr)
        return 2
    for sentence in problems:
        print(sentence)
    print(
        f"check_layers: {check.files} files, {check.includes} includes, "
        f"{len(check.layers)} layers, {len(check.third_party)} third-party headers, "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
