#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every test of a build and closes with one line that counts them.

usage: scripts/run_tests.py [--build FOLDER] [--only WORD] [--timeout SECONDS]

Four kinds: cmocka programs (each test in them counts), reference cases (tests/golden/*.txt, each file counts), tests in
Python of the program, the scripts and what is installed (tests/cli, tests/scripts, tests/install; each test counts) and
the layer check. Exits 1 when one failed or none ran.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Seconds for one test program, more where random trials are asked to be many: a hang is a failure, not a wait.
TIMEOUT = 900 * max(1, float(os.environ.get("MPNO_TEST_TRIALS", "1")) / 10)


class Tally:
    """Counts of all tests so far."""

    def __init__(self):
        self.passed, self.failures, self.skips = 0, [], []

    def add(self, name, seconds, passed, failures, skips, output):
        """One program's result: a line, and its whole output where something failed."""
        self.passed += passed
        self.failures += [f"{name}: {test}" for test in failures]
        self.skips += [f"{name}: {test}" for test in skips]
        text = f"{'FAILED' if failures else 'ok':6} {name}  {passed} passed"
        text += f", {len(failures)} failed" if failures else ""
        text += f", {len(skips)} skipped" if skips else ""
        print(f"{text}  ({seconds:.1f} s)", flush=True)
        if failures:
            print(output, flush=True)


def find_python():
    """A Python that has what the tests compare with (packages.txt: Debian's has), where another comes first in the path."""
    for python in (sys.executable, "/usr/bin/python3"):
        has = subprocess.run([python, "-c", "import numpy, h5py, mpmath"], check=False, stderr=subprocess.DEVNULL)
        if has.returncode == 0:
            return python
    return sys.executable


def run(command, **environment):
    """Gives exit status, output (both streams) and seconds; a program that hangs has status -1."""
    start = time.monotonic()
    try:
        # Threads that wait must not spin: tests run more of them than there are CPUs. In sanitized builds an
        # allocation that no machine can serve gives NULL, as it does elsewhere.
        environment = {"ASAN_OPTIONS": "allocator_may_return_null=1", **os.environ,
                       "OMP_WAIT_POLICY": "passive", **environment}
        done = subprocess.run(command, cwd=ROOT, env=environment, timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode, done.stdout, time.monotonic() - start
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        output = output.decode(errors="replace") if isinstance(output, bytes) else output
        return -1, f"{output}\nno end after {TIMEOUT:.0f} s", time.monotonic() - start


def unit_programs(build):
    """Commands that CMake knows as tests: those alone, not what an older build left in the folder."""
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], cwd=ROOT,
                             stdout=subprocess.PIPE, check=True, text=True).stdout
    return [(test["name"], test["command"]) for test in json.loads(listing)["tests"]
            if "command" in test]


def run_unit(tally, name, command):
    """A cmocka program; its TAP lines are "ok 1 - name", "not ok 2 - name", "not ok 3 # SKIP name"."""
    status, output, seconds = run(command, CMOCKA_MESSAGE_OUTPUT="tap")
    passed, failures, skips = 0, [], []
    for line in output.splitlines():
        match = re.match(r"(not )?ok \d+ (?:- |# SKIP )(.*)", line)
        if not match:
            continue
        if "# SKIP" in line:
            skips.append(match[2])
        elif match[1]:
            failures.append(match[2])
        else:
            passed += 1
    planned = sum(int(plan) for plan in re.findall(r"^1\.\.(\d+)$", output, re.M))
    if planned == 0 or planned != passed + len(failures) + len(skips):
        failures.append(f"ended with status {status} before its last test")
    elif status != 0 and not failures:
        failures.append(f"ended with status {status}")
    tally.add(name, seconds, passed, failures, skips, output)


def run_golden(tally, build):
    """Reference cases: one run of the runner for each file and way, so that each counts and fails alone."""
    cases = sorted((ROOT / "tests/golden").glob("*.txt"))
    ways = (("", [], {}), (" in f64", ["--f64"], {}),
            (" on portable", [], {"MPNO_ISA": "portable"}), (" on avx2", [], {"MPNO_ISA": "avx2"}))
    passed, failures, outputs, total = 0, [], [], 0.0
    for case in cases:
        for name, flags, environment in ways:
            command = [f"{build}/tests/golden", *flags, str(case.relative_to(ROOT))]
            status, output, seconds = run(command, **environment)
            total += seconds
            if status == 0:
                passed += 1
            else:
                failures.append(case.stem + name)
                outputs.append(output)
    if cases:
        tally.add("golden", total, passed, failures, [], "\n".join(outputs))


def run_python(tally, path, build):
    """A file of unittest cases; its verbose lines are "test_name (class) ... ok"."""
    status, output, seconds = run([find_python(), "-B", str(path), "-v"], MPNO_BUILD=build)
    skips = re.findall(r"\.\.\. skipped ['\"](.*)['\"]$", output, re.M)
    failures = re.findall(r"^(?:FAIL|ERROR): (.*)$", output, re.M)
    count = re.search(r"^Ran (\d+) tests? in", output, re.M)
    failed_tests = {failure.split(" [")[0] for failure in failures}
    passed = max(int(count[1]) - len(failed_tests) - len(skips), 0) if count else 0
    if not count or (status != 0 and not failures):
        failures.append(f"ended with status {status}")
    tally.add(path.stem, seconds, passed, failures, skips, output)


def run_layers(tally):
    """The layer check is one test."""
    status, output, seconds = run([sys.executable, "-B", "scripts/check_layers.py"])
    tally.add("check_layers", seconds, int(status == 0), ["layers"] if status else [], [], output)


def main():
    """Runs what is there, in rising order of cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="build folder (build)")
    parser.add_argument("--only", default="", help="only programs whose name has this in it")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    tally = Tally()
    if options.only in "check_layers":
        run_layers(tally)
    for name, command in unit_programs(build):
        if options.only in name:
            run_unit(tally, name, command)
    if options.only in "golden":
        run_golden(tally, build)
    for path in sorted([*ROOT.glob("tests/scripts/test_*.py"), *ROOT.glob("tests/cli/test_*.py"),
                        *ROOT.glob("tests/install/test_*.py")]):
        if options.only in path.stem:
            run_python(tally, path, build)
    for skip in tally.skips:
        print(f"skipped: {skip}")
    for failure in tally.failures:
        print(f"failed: {failure}")
    failed = len(tally.failures)
    print(f"tests: {tally.passed} passed, {failed} failed, {len(tally.skips)} skipped")
    return 1 if failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
