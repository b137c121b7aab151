#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes the code of error bounds in one place at a time and counts how often the tests of bounds see it.

A mutant halves a constant, drops a term or a sqrt, or exchanges fmax and fmin, in the functions named in PLACES. It is killed when
it does not compile or one of TESTS fails. Works in a build folder of its own and puts every file back. Numbers and what survives:
docs/theory/certificates.md.

    scripts/mutate_bounds.py --build build [--only linear] [--list] [--every 1] [--tests certify_test_lemmas]
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ("certify_test_formulas", "transform_test_growth", "certify_test_scalars", "certify_test_lemmas")
# file: names of functions; a face is called bound
PLACES = {
    "src/graph/bound.c": ("ones", "mpno_bound_rounding", "mpno_bound_wide", "mpno_bound_sum_terms", "mpno_bound_rounded_once",
                          "group_of", "mpno_bound_normalized"),
    "src/graph/op/transform.c": ("mpno_transform_underflow", "nyquist_gain", "mpno_transform_bound"),
    "src/graph/op/columns_sums.c": ("mpno_columns_bound",),
    "src/transform/columns/columns.c": ("mpno_columns_gain", "mpno_columns_line_growth", "mpno_columns_rest_growth"),
    "src/transform/fft/fft.c": ("mpno_fft_growth",),
    "src/transform/fft/line.c": ("mpno_line_growth", "measure_chirp"),
    "src/transform/fft/real_line.c": ("mpno_real_line_growth",),
    "src/transform/fft/direct.c": ("mpno_direct_growth",),
    "src/transform/fft/passes.c": ("mpno_passes_growth",),
    "src/graph/op/contract_low_rank.c": ("chain", "bound"),
    "src/graph/op/interpolate.c": ("matrix_norm", "bound"),
}
NUMBER = re.compile(r"(?<![\w.\[])(\d+(?:\.\d+)?)(?![\w.\]]|\s*\])")
CHANGES = (
    ("dropped", re.compile(r" \+ (?=[\w(])"), " + 0 * "),
    ("dropped", re.compile(r"(?<=[\w)\]]) - (?=[\w(])"), " - 0 * "),
    ("dropped", re.compile(r" \+= "), " += 0 * "),
    ("no root", re.compile(r"\bsqrt\("), "("),
    ("least", re.compile(r"\bfmax\("), "fmin("),
    ("most", re.compile(r"\bfmin\("), "fmax("),
)
LEAVE = re.compile(r"^\s*(for|case|const int64_t|int64_t|assert|enum)\b|^\s*(/?\*)|INFINITY|!= NULL|== NULL")


def places():
    """(file, first line, last line) of each function whose bounds are mutated."""
    named = dict(PLACES)
    for path in sorted((ROOT / "src/graph/op").glob("*.c")):
        name = str(path.relative_to(ROOT))
        if re.search(r"^static double bound\(", path.read_text(), re.M) and name not in named:
            named[name] = ("bound",)
    for name, functions in named.items():
        lines = (ROOT / name).read_text().splitlines()
        for function in functions:
            start = next(i for i, line in enumerate(lines) if re.match(rf"\w.*\b{function}\(", line) and
                         not line.rstrip().endswith(";"))
            end = next(i for i in range(start, len(lines)) if lines[i] == "}")
            yield name, start, end


def mutants():
    """(file, line number, what was done, new line)"""
    for name, start, end in places():
        lines = (ROOT / name).read_text().splitlines()
        signature = next(i for i in range(start, end) if lines[i].rstrip().endswith("{"))
        for at in range(signature + 1, end):
            code = re.sub(r"/\*.*?(\*/|$)", lambda m: " " * len(m[0]), lines[at])
            if LEAVE.search(code) or code.strip().startswith("*"):
                continue
            for what, pattern, new in CHANGES:
                for m in pattern.finditer(code):
                    yield name, at, f"{what} at {m.start()}", lines[at][:m.start()] + new + lines[at][m.end():]
            for m in NUMBER.finditer(code):
                if float(m[1]) != 0 and "%" not in code[max(0, m.start() - 3):m.end() + 2]:
                    yield (name, at, f"{m[1]} halved at {m.start()}",
                           f"{lines[at][:m.start()]}({m[1]} * 0.5){lines[at][m.end():]}")


def killed_by(build, tests):
    """What sees the sources as they are, or None."""
    made = subprocess.run(["ninja", "-C", build, *tests], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return "compiler"
    for test in tests:
        try:
            done = subprocess.run([f"{build}/tests/{test}"], cwd=ROOT, capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            return f"{test} (no end)"
        if done.returncode != 0:
            return test
    return None


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", default="build", help="a configured build folder")
    options.add_argument("--only", default="", help="files whose path contains this")
    options.add_argument("--every", type=int, default=1, help="every n-th mutant")
    options.add_argument("--tests", default=",".join(TESTS), help="which tests may kill, in this order")
    options.add_argument("--list", action="store_true", help="show them and do nothing")
    args = options.parse_args()
    all_of_them = [m for m in mutants() if args.only in m[0]][::args.every]
    if args.list:
        for name, at, what, new in all_of_them:
            print(f"{name}:{at + 1}: {what}: {new.strip()}")
        print(len(all_of_them))
        return 0
    if killed_by(args.build, args.tests.split(",")) is not None:
        print("the tests fail without any change", file=sys.stderr)
        return 2
    killers, survivors = {}, 0
    for name, at, what, new in all_of_them:
        path = ROOT / name
        before = path.read_text()
        lines = before.splitlines()
        lines[at] = new
        try:
            path.write_text("\n".join(lines) + "\n")
            killer = killed_by(args.build, args.tests.split(","))
        finally:
            path.write_text(before)
        killers[killer] = killers.get(killer, 0) + 1
        if killer is None:
            survivors += 1
            print(f"survives: {name}:{at + 1}: {what}: {new.strip()}", flush=True)
    valid = len(all_of_them) - killers.get("compiler", 0)
    for killer, count in sorted((str(k), n) for k, n in killers.items()):
        print(f"{count:5d} {killer}")
    print(f"{valid - survivors} of {valid} killed, {100 * (valid - survivors) / max(1, valid):.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
