#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares mpno with the PyTorch library neuraloperator on the same cores, run in turn.

A round runs, one after the other, mpno under each policy, the peer as installed and the peer with an allocator that keeps
memory, each in a process of its own that makes one step untimed and times some more; and beside them mpno-bench probes
what the machine can do. Every process ends in a line of progress and a write of bench/results/ISA.json, so that what is
interrupted goes on where it stopped: only rounds that are missing run. A case whose program has changed starts anew.
At the end the table in docs/performance.md is made again from all files of results.

Python of the peer: MPNO_PEER, else ~/.cache/mpno-peer/bin/python (neuraloperator 2.0.0 and torch in a virtual
environment). Capped at AVX2 by --isa avx2, the peer is asked to keep to it too."""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "bench/results"
PAGE = ROOT / "docs/performance.md"
BEGIN = "<!-- made by bench/peers/compare.py from bench/results: begin -->"
END = "<!-- end -->"
CASES = ("ns128-m16", "ns128-m64", "fno1d", "fno3d", "darcy16")
STEPS = {"darcy16": 20, "fno1d": 5}  # timed in each process: more where one is short; else 3
WHAT = {"step": [], "forward": ["--forward"]}
OURS = {
    "full": [],
    "mixed f16": ["--precision", "mixed", "--format", "f16"],
    "mixed bf16": ["--precision", "mixed", "--format", "bf16"],
}
# glibc keeps freed memory for the next step: the peer at its fastest, and at its largest.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
PEER = {"peer": {}, "peer tuned": TUNED}
CAPS = {"avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}


class Problem(Exception):
    """A sentence for the user."""


# ---- running ----

def run(command, extra=None):
    """The JSON object that a command prints last."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", **(extra or {})}
    done = subprocess.run([str(word) for word in command], env=environment, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Problem(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def find_peer():
    """The Python that has the peer."""
    given = os.environ.get("MPNO_PEER")
    python = Path(given) if given else Path.home() / ".cache/mpno-peer/bin/python"
    if not python.is_file():
        raise Problem(
            f"the peer is not here: {'MPNO_PEER names' if given else 'there is no'} {python}. To compare, make a virtual "
            f"environment with\n  python3 -m venv ~/.cache/mpno-peer && ~/.cache/mpno-peer/bin/pip install torch "
            f"neuraloperator==2.0.0\n(7 GB), or name its Python: make bench-peers MPNO_PEER=PYTHON")
    return python


class Comparison:
    """One file of results and what may be added to it."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.deadline = time.monotonic() + arguments.seconds if arguments.seconds else None
        self.bench = Path(arguments.build) / "mpno-bench"
        if not self.bench.is_file():
            raise Problem(f"{self.bench} is not there: build first (make build), or say where with --build FOLDER")
        self.python = find_peer()
        self.digest = hashlib.sha256(self.bench.read_bytes()).hexdigest()[:16]
        self.common = ["--threads", arguments.threads]
        self.ours = [*self.common, *(["--isa", arguments.isa] if arguments.isa else [])]
        self.machine = self.probe()
        self.caps = CAPS.get(self.machine["isa"], {}) if arguments.isa else {}
        self.path = RESULTS / f"{self.machine['isa']}.json"
        self.results = {"cases": {}}
        if self.path.is_file():
            self.results = json.loads(self.path.read_text())
        for key in ("cpu", "isa", "cpus", "threads"):
            if self.results.setdefault(key, self.machine[key]) != self.machine[key]:
                raise Problem(f"{self.path} was measured with {key} {self.results[key]}, this is {self.machine[key]}: "
                              "move it away to start anew")

    def probe(self):
        """What the machine can do now."""
        return run([self.bench, "machine", "--json", "--rounds", 5, *self.ours])

    def measure(self, name, case, what):
        """One process: what is kept of it."""
        steps = ["--steps", self.arguments.steps or STEPS.get(case, 3), *WHAT[what]]
        if name in OURS:
            got = run([self.bench, "step", case, "--json", *OURS[name], *steps, *self.ours])
        else:
            script = ROOT / "bench/peers/neuralop_step.py"
            got = run([self.python, script, case, *steps, *self.common], {**PEER[name], **self.caps})
            self.results["torch"] = got["torch"]
        kept = ("median_s", "min_s", "peak_extra_mib", "state_mib", "activation_mib", "flops", "useful_flops")
        return {key: got[key] for key in kept if key in got}

    def save(self):
        """All or nothing."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".json.part")
        part.write_text(json.dumps(self.results, indent=1) + "\n")
        part.replace(self.path)

    def compare(self, case, what):
        """The rounds that are missing of one case; False when the time is over."""
        entry = self.results["cases"].setdefault(case, {}).get(what)
        if self.arguments.anew or entry is None or entry["program"] != self.digest:
            entry = self.results["cases"][case][what] = {"program": self.digest, "probes": [], "rounds": []}
        rounds = entry["rounds"]
        while len(rounds) < self.arguments.rounds or len(rounds[-1]) < len(OURS) + len(PEER):
            if not rounds or len(rounds[-1]) == len(OURS) + len(PEER):
                rounds.append({})
                entry["probes"].append({key: value for key, value in self.probe().items() if key.endswith("_per_s")})
            for name in (*OURS, *PEER):
                if name in rounds[-1]:
                    continue
                if self.deadline is not None and time.monotonic() > self.deadline:
                    return False
                rounds[-1][name] = self.measure(name, case, what)
                self.save()
                print(f"{case} {what}, round {len(rounds)} of {self.arguments.rounds}: {name:11}"
                      f"{rounds[-1][name]['median_s']:8.3f} s", flush=True)
        return True

    def run(self):
        """True when every round has run."""
        return all(self.compare(case, what) for case in self.arguments.cases for what in self.arguments.what)


# ---- telling ----

def median(entry, name, key):
    """Over the whole rounds; None when there is none."""
    values = [one[name][key] for one in entry["rounds"] if key in one.get(name, {})]
    return statistics.median(values) if values else None


def times(entry, peer, name):
    """How many times as fast as the peer, and between which rounds."""
    ratios = [one[peer]["median_s"] / one[name]["median_s"] for one in entry["rounds"] if peer in one and name in one]
    if not ratios:
        return ""
    ratio = median(entry, peer, "median_s") / median(entry, name, "median_s")
    return f"**{ratio:.2f}** ({min(ratios):.2f}-{max(ratios):.2f})"


def number(value, form):
    """An empty cell for what was not measured."""
    return "" if value is None else format(value, form)


def time_row(case, what, entry):
    """Seconds, share of peak, ratios."""
    seconds = [median(entry, name, "median_s") for name in (*OURS, *PEER)]
    useful, full = median(entry, "full", "useful_flops"), seconds[0]
    peak = statistics.median(probe["peak_flops_per_s"] for probe in entry["probes"]) if entry["probes"] else None
    share = f"{100 * useful / full / peak:.0f} %" if full and peak else ""
    speed = f"{1e-9 * useful / full:.0f}" if full else ""
    cells = [f"`{case}`", what, str(len(entry["rounds"])), *(number(value, ".3f") for value in seconds), speed, share,
             times(entry, "peer tuned", "full"), times(entry, "peer", "full")]
    return "| " + " | ".join(cells) + " |"


def memory_row(case, entry):
    """MiB above weights and batch; ours of it activations."""
    cells = [f"`{case}`"]
    for name in OURS:
        extra, activation = median(entry, name, "peak_extra_mib"), median(entry, name, "activation_mib")
        cells.append("" if extra is None else f"{extra:.0f} ({activation:.0f})")
    cells += [number(median(entry, name, "peak_extra_mib"), ".0f") for name in PEER]
    return "| " + " | ".join(cells) + " |"


def table(results):
    """One machine: times, then memory."""
    probes = [probe for case in results["cases"].values() for entry in case.values() for probe in entry["probes"]]
    peak = {key: 1e-9 * statistics.median(probe[key] for probe in probes) for key in probes[0]}
    cpu = results["cpu"] or "unnamed processor"
    lines = [
        f"### {results['isa']}: {cpu}, {results['threads']} threads", "",
        f"Probed beside each round (median): {peak['peak_flops_per_s']:.0f} GF/s of f32 multiply-adds, memory read at "
        f"{peak['read_bytes_per_s']:.1f} GB/s and copied at {peak['copy_bytes_per_s']:.1f} GB/s. Peer: neuraloperator 2.0.0 on "
        f"PyTorch {results.get('torch', '?')}.", "",
        "Seconds, medians of rounds; how many times as fast as the peer `full` is (least and most of a round):", "",
        "| case | | rounds | `full` | `mixed` f16 | `mixed` bf16 | peer | peer tuned | useful GF/s | of peak | against tuned | "
        "as installed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    order = [(case, what) for case in CASES for what in WHAT if what in results["cases"].get(case, {})]
    lines += [time_row(case, what, results["cases"][case][what]) for case, what in order]
    lines += ["", "MiB above weights and batch in a training step, of it activations:", "",
              "| case | `full` | `mixed` f16 | `mixed` bf16 | peer | peer tuned |", "|---|---|---|---|---|---|"]
    lines += [memory_row(case, results["cases"][case]["step"]) for case, what in order if what == "step"]
    return "\n".join(lines)


def page():
    """docs/performance.md with the tables of today's results."""
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END, 1)[1]
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    tables = [table(one) for one in results
              if any(entry["rounds"] for case in one["cases"].values() for entry in case.values())]
    middle = "\n\n".join(tables) if tables else "Nothing was measured yet."
    return f"{head}{BEGIN}\n\n{middle}\n\n{END}{tail}"


def names_of(known):
    """A list of names, separated by commas."""
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names
    return parse


def positive(text):
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def main():
    """Exit status 0: all rounds have run; 1: a problem; 3: the time is over, run again to go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=names_of(CASES), default=CASES, help=f"some of {','.join(CASES)}")
    parser.add_argument("--what", type=names_of(WHAT), default=list(WHAT), help="step, forward or both (step,forward)")
    parser.add_argument("--rounds", type=positive, default=5, help="in all, with those that there are (5)")
    parser.add_argument("--steps", type=positive, help="timed in each process (3; short ones more)")
    parser.add_argument("--threads", type=positive, default=2, help="of both (2)")
    parser.add_argument("--isa", help="instruction set at most (see mpno-bench step --help)")
    parser.add_argument("--seconds", type=positive, help="start nothing after so long: run again to go on")
    parser.add_argument("--anew", action="store_true", help="forget earlier rounds of these cases")
    parser.add_argument("--build", default=ROOT / "build", help="folder with mpno-bench")
    parser.add_argument("--table", action="store_true", help="only make the table of the page again")
    parser.add_argument("--check", action="store_true", help="only look whether the page tells what the results say")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            if PAGE.read_text() != page():
                raise Problem("docs/performance.md is out of date: run bench/peers/compare.py --table")
            return 0
        whole = arguments.table or Comparison(arguments).run()
        PAGE.write_text(page())
        print(f"docs/performance.md tells the results{'' if whole else ' so far; run the same again to go on'}")
        return 0 if whole else 3
    except Problem as problem:
        print(f"bench-peers: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench-peers: stopped; run the same again to go on", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
