#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes the code of error bounds in one place at a time and counts how often the tests of bounds see it.

A mutant halves a constant, drops a term, an enlargement or a sqrt, or exchanges fmax and fmin, in the functions that the table
mutate_bounds.txt names. It is killed when one of the tests that stand there fails, the likeliest one first, at the first failure.
Subscripts, heads of loops, sizes in whole numbers and texts are left alone. All happens in a copy of the tree inside the build
folder. All mutants are built at once, each switched on by its number in MPNO_MUTANT; the few that cannot be (a constant that the
compiler needs, an odd whole number in a division of whole numbers) are built one by one. Mutants that no test can kill are listed at
the end of the table, each with the reason, and are not run. Numbers and what survives: docs/theory/certificates.md.

    scripts/mutate_bounds.py [--build build-mutants] [--only strip] [--list] [--again build-mutants/results.json]
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = pathlib.Path(__file__).with_suffix(".txt")
NUMBER = re.compile(r"(?<![\w.])(0x[\da-fA-F.]+p[+-]?\d+|\d+(?:\.\d*)?(?:e[+-]?\d+)?)(?![\w.])")
CHANGES = (  # what, where, alone, as one of all (@: whether it is switched on)
    ("dropped", re.compile(r"(?<=[\w)\]]) \+ (?=[\w(&*-])"), " + 0 * ", " + !@ * "),
    ("dropped", re.compile(r"(?<=[\w)\]]) - (?=[\w(&*])"), " - 0 * ", " - !@ * "),
    ("dropped", re.compile(r" \+= "), " += 0 * ", " += !@ * "),
    ("no root", re.compile(r"\bsqrt\("), "(", "(@ ? mpno_no_root : sqrt)("),
    ("least", re.compile(r"\bfmax\("), "fmin(", "(@ ? fmin : fmax)("),
    ("most", re.compile(r"\bfmin\("), "fmax(", "(@ ? fmax : fmin)("),
    ("not enlarged", re.compile(r"\bMPNO_ENLARGED\b"), "1.0", "(@ ? 1.0 : MPNO_ENLARGED)"),
)
SWITCH = """#include <stdlib.h>
static int mpno_mutant_on;
__attribute__((constructor)) static void mpno_read_mutant(void) {
    const char *text = getenv("MPNO_MUTANT");
    mpno_mutant_on = text == NULL ? 0 : atoi(text);
}
__attribute__((unused)) static double mpno_no_root(double x) {
    return x;
}
"""
# statements that compute no bound
LEAVE = re.compile(r"(const )?((int|int32_t|int64_t|size_t|bool)\b|(double|void) \*|mpno_planes)|enum\b|assert\b|MPNO_CHECK|snprintf|"
                   r"mem(cpy|set)|(MPNO_TRY\(|((const )?mpno_status )?status =\s*)?mpno_(alloc|free|parallel)|"
                   r"(MPNO_TRY\(|\(void\))?\w+->(kernels->)?gemm|\w[.](room|values|row) =|x->together =")


def read_table():
    """[(family, file, functions, tests)] and {(file, mutated line): reason}."""
    places, reasons, family, tests = [], {}, "", ()
    for line in TABLE.read_text().splitlines():
        if line.startswith("family "):
            family, *tests = line.split()[1:]
        elif line.startswith("leave "):
            name, text, reason = line[len("leave "):].split(" | ")
            reasons[name.strip(), text.strip()] = reason.strip()
        elif line.strip() and not line.startswith("#"):
            name, *functions = line.split()
            places.append((family, name, functions, tuple(tests)))
    return places, reasons


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def close_of(text, at):
    """Where the bracket that opens at `at` closes."""
    depth = 0
    for i in range(at, len(text)):
        depth += text[i] in "([" and 1
        depth -= text[i] in ")]" and 1
        if depth == 0:
            return i
    raise ValueError(f"no end of {text[at:at + 40]!r}")


def only_bounds(text):
    """The same text with everything blanked that is not to be changed."""
    text = re.sub(r"/\*.*?\*/|\"(\\.|[^\"\\])*\"", blank, text, flags=re.S)
    for opening in (r"\bfor \(", r"(?<=[\w\])])\["):
        for m in re.finditer(opening, text):
            first = m.end() - 1
            if text[first] == " ":
                continue  # within another one
            last = close_of(text, first)
            text = text[:first + 1] + re.sub(r"[^\n]", " ", text[first + 1:last]) + text[last:]
    text = re.sub(r"\.room = [^,}]*(?=[,}])", blank, text)
    depth, begins, out, values = 0, 0, "", []
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "{" and (re.search(r"[=,{]\s*$", text[:i]) or text[i - 1] == ")"):
            values.append(depth)  # values of a variable, no block
            depth += 1
        elif c == "}" and values and depth == values[-1] + 1:
            depth = values.pop()
            continue
        if (c in ";{}" and depth == 0) or i + 1 == len(text):
            statement = text[begins:i + 1]
            plain = re.sub(r"^\s*((for|if|while) \([^;{]*?\)\s+(?=\w)|(case \w+|default):\s*)*", "", statement)
            out += re.sub(r"[^\n]", " ", statement) if LEAVE.match(plain.strip()) else statement
            begins = i + 1
    return out


def functions_of(name, wanted):
    """(start, end) of the bodies of functions in the text of a file."""
    text = (ROOT / name).read_text()
    for function in wanted:
        head = re.search(rf"^[a-z](?:[^;{{}}\n]*\W)?{function}\([^;{{}}]*\) \{{$", text, re.M)
        if head is None:
            raise SystemExit(f"{name} has no function {function}")
        yield head.end(), text.index("\n}\n", head.end()) + 1


class Mutant:
    """One change: text[start:end] becomes `alone`, or `switched` where all are built at once; None: it cannot be."""

    def __init__(self, place, text, what, start, end, alone, switched):
        self.family, self.file, _, self.tests = place
        self.what, self.start, self.end, self.alone, self.switched = what, start, end, alone, switched
        self.at = text.count("\n", 0, start) + 1
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        self.line = re.sub(r"\s+", " ", text[first:start] + alone + text[end:last]).strip()


def switched_number(number, line):
    if re.fullmatch(r"\d*[02468]", number):
        return f"(@ ? {number} / 2 : {number})"
    if number.isdigit() and re.search(r"[/%]|<<", line):
        return None  # of whole numbers, perhaps
    return f"(@ ? {number} * 0.5 : {number})"


def mutants(places):
    for place in places:
        name, functions = place[1:3]
        text = (ROOT / name).read_text()
        for start, end in functions_of(name, functions):
            code = only_bounds(text[start:end])
            for what, pattern, alone, switched in CHANGES:
                for m in pattern.finditer(code):
                    yield Mutant(place, text, what, start + m.start(), start + m.end(), alone, switched)
            for m in NUMBER.finditer(code):
                if float.fromhex(m[1]) != 0 if m[1].startswith("0x") else float(m[1]) != 0:
                    line = code[code.rfind("\n", 0, m.start()) + 1:(code + "\n").find("\n", m.end())]
                    yield Mutant(place, text, f"{m[1]} halved", start + m.start(), start + m.end(), f"({m[1]} * 0.5)",
                                 switched_number(m[1], line))


class Bench:
    """A copy of the tree, configured and built, with all mutants that can be switched on."""

    def __init__(self, build, all_of_them):
        self.tree, self.made = build / "tree", build / "made"
        self.seconds, self.kills = {}, {}
        self.copy_tree()
        subprocess.run(["cmake", "-S", str(self.tree), "-B", str(self.made), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                        "-DMPNO_WERROR=OFF"], check=True, stdout=subprocess.DEVNULL)
        self.files, self.numbers = {}, {}
        for number, m in enumerate(all_of_them, 1):
            self.files.setdefault(m.file, []).append(m)
            self.numbers[m] = number
        for name in self.files:
            self.write(name)

    def copy_tree(self):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in listed.stdout.splitlines():
            here, there = ROOT / name, self.tree / name
            if here.is_file() and not (there.exists() and there.read_bytes() == here.read_bytes()):
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(here, there)

    def write(self, name):
        """The file with its switches."""
        text = (ROOT / name).read_text()
        for m in sorted(self.files[name], key=lambda m: -m.start):
            if m.switched is not None:
                text = text[:m.start] + m.switched.replace("@", f"(mpno_mutant_on == {self.numbers[m]})") + text[m.end:]
        at = text.index("\n#include") + 1
        (self.tree / name).write_text(text[:at] + SWITCH + f'#line {text.count(chr(10), 0, at) + 1} "{name}"\n' + text[at:])

    def build(self, targets):
        done = subprocess.run(["ninja", "-k0", "-C", str(self.made), *targets], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else done.stdout

    def build_all(self, tests):
        """Switches that do not compile are taken out."""
        for _ in range(12):
            told = self.build(tests)
            if told is None:
                return True
            bad = {(m[1], int(m[2])) for m in re.finditer(r"^(src/[\w./]+):(\d+):\d+: error", told, re.M)}
            for name, at in bad:
                for m in self.files[name]:
                    if m.at == at:
                        m.switched = None
                self.write(name)
        return False

    def fails(self, test, number=0):
        """What is wrong with it, or None. A test that takes ten times as long as it should has no end."""
        limit, begin = 20 + 10 * self.seconds.get(test, 30), time.monotonic()
        try:
            done = subprocess.run([str(self.made / "tests" / test)], cwd=self.tree, capture_output=True, timeout=limit, check=False,
                                  env=dict(os.environ, CMOCKA_TEST_ABORT="1", OMP_WAIT_POLICY="passive", MPNO_MUTANT=str(number)))
        except subprocess.TimeoutExpired:
            return f"{test} (no end)"
        self.seconds.setdefault(test, time.monotonic() - begin)
        return None if done.returncode == 0 else test

    def killer_of(self, m, tests):
        """The test that sees it; "compiler"; or None."""
        kills = self.kills.setdefault(m.file, dict.fromkeys(tests, 0))
        path = self.tree / m.file
        before = path.read_text()
        if m.switched is None:
            text = (ROOT / m.file).read_text()
            path.write_text(text[:m.start] + m.alone + text[m.end:])
        try:
            for test in sorted(tests, key=lambda t: -(kills[t] + 0.5) / self.seconds[t]):
                if m.switched is None and self.build([test]) is not None:
                    return "compiler"
                why = self.fails(test, self.numbers[m])
                if why is not None:
                    kills[test] += 1
                    return why
        finally:
            if m.switched is None:
                path.write_text(before)
        return None


def tell(results):
    """Killed of all that compile, for each family and file."""
    sums = {}
    for r in results:
        if r["killer"] != "compiler":
            for key in ((r["family"], ""), (r["family"], r["file"]), ("~all", "")):
                killed, total = sums.get(key, (0, 0))
                sums[key] = killed + (r["killer"] is not None), total + 1
    for (family, name), (killed, total) in sorted(sums.items()):
        print(f"{killed:5d} of {total:5d} killed {100 * killed / total:6.1f} %  {'  ' + name if name else family.strip('~')}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", default="build-mutants", help="a folder of its own; made where it is missing")
    options.add_argument("--only", default="", help="families or files whose names contain one of these, separated by commas")
    options.add_argument("--every", type=int, default=1, help="every n-th mutant")
    options.add_argument("--tests", default="", help="these tests alone may kill, separated by commas")
    options.add_argument("--again", help="only what survived according to this file of results")
    options.add_argument("--list", action="store_true", help="show them and do nothing")
    args = options.parse_args()
    places, reasons = read_table()
    again = None
    if args.again is not None:
        again = {(r["file"], r["line"]) for r in json.loads(pathlib.Path(args.again).read_text()) if r["killer"] is None}
    all_of_them = list(mutants(places))
    known = {(m.file, m.line) for m in all_of_them}
    for name, line in reasons:
        if (name, line) not in known:
            print(f"no such mutant any more: {name}: {line}", file=sys.stderr)
    all_of_them = [m for m in all_of_them if any(only in m.family + " " + m.file for only in args.only.split(","))]
    chosen = [m for m in all_of_them if (m.file, m.line) not in reasons]
    left = len(all_of_them) - len(chosen)
    chosen = [m for m in chosen if again is None or (m.file, m.line) in again][::args.every]
    if args.list:
        for m in chosen:
            print(f"{m.family}: {m.file}:{m.at}: {m.what}: {m.line}")
        print(f"{len(chosen)}, and {left} that no test can kill")
        return 0
    build = pathlib.Path(args.build).resolve()
    begin = time.monotonic()
    bench, results = Bench(build, chosen), []
    needed = args.tests.split(",") if args.tests else sorted({test for m in chosen for test in m.tests})
    if not bench.build_all(needed) or any(bench.fails(test) for test in needed):
        print("the tests do not build, or fail without any change", file=sys.stderr)
        return 2
    print(f"built in {time.monotonic() - begin:.0f} s", flush=True)
    for m in sorted(chosen, key=lambda m: m.switched is None):  # those that are built one by one at the end
        killer = bench.killer_of(m, args.tests.split(",") if args.tests else m.tests)
        results.append({"family": m.family, "file": m.file, "at": m.at, "what": m.what, "line": m.line, "killer": killer})
        if killer is None:
            print(f"survives: {m.file}:{m.at}: {m.what}: {m.line}", flush=True)
        (build / "results.new").write_text(json.dumps(results, indent=1))
        (build / "results.new").replace(build / "results.json")
    tell(results)
    print(f"{time.monotonic() - begin:.0f} s for {len(results)} mutants; {left} that no test can kill were left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
