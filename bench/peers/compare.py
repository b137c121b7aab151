#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares mpno with the PyTorch library neuraloperator on the same cores, run in turn.

A round runs, one after the other, mpno under each policy, the peer as installed and the peer with an allocator that keeps
memory, each in a process of its own that makes one step untimed and times some more; and beside them mpno-bench probes
what the machine can do. Every process ends in a line of progress and a write of bench/results/ISA.json, so that what is
interrupted goes on where it stopped: only rounds that are missing run. A case whose program has changed starts anew.
A round waits up to a minute for a machine that the probe shows to be busy. Besides, mpno alone is profiled step by step, and
its growth with the sizes of a network is fitted. At the end the tables in docs/performance.md are made again from all files
of results.

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
CASES = ("ns128-m16", "ns128-m64", "ns128-tucker", "ns128-cp", "darcy128", "fno1d", "fno3d", "darcy16")
STEPS = {"darcy16": 100, "fno1d": 5, "ns128-cp": 2}  # timed in each process: more where one is short; else 3
WHAT = {"step": [], "forward": ["--forward"]}
OURS = {
    "full": [],
    "mixed f16": ["--precision", "mixed", "--format", "f16"],
    "mixed bf16": ["--precision", "mixed", "--format", "bf16"],
}
# glibc keeps freed memory for the next step: the peer at its fastest, and at its largest.
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
ALONE = ("profile", "growth")
GROWS = ("pixels", "modes", "channels", "batch", "threads")
PROFILED = ("full", "mixed bf16")
PEER = {"peer": {}, "peer tuned": TUNED}
CAPS = {"avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}


class Problem(Exception):
    """A sentence for the user."""


# ---- running ----

def run(command, extra=None):
    """The JSON object that a command prints last."""
    environment = {**os.environ, **(extra or {})}
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

    def probe_quiet(self):
        """The same when it is not much less than the most seen so far: others have gone."""
        best = max([probe["peak_flops_per_s"] for case in self.results["cases"].values()
                    for what in WHAT if what in case for probe in case[what]["probes"]], default=0)
        for _ in range(12):
            probe = self.probe()
            if probe["peak_flops_per_s"] > 0.9 * best or self.is_over():
                break
            print(f"the machine is busy: {1e-9 * probe['peak_flops_per_s']:.0f} of {1e-9 * best:.0f} GF/s; waiting",
                  flush=True)
            time.sleep(5)
        return {key: value for key, value in probe.items() if key.endswith("_per_s")}

    def is_over(self):
        """No time is left."""
        return self.deadline is not None and time.monotonic() > self.deadline

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
                entry["probes"].append(self.probe_quiet())
            for name in (*OURS, *PEER):
                if name in rounds[-1]:
                    continue
                if self.is_over():
                    return False
                rounds[-1][name] = self.measure(name, case, what)
                self.save()
                print(f"{case} {what}, round {len(rounds)} of {self.arguments.rounds}: {name:11}"
                      f"{rounds[-1][name]['median_s']:8.3f} s", flush=True)
        return True

    def profile(self, case):
        """Ours alone, step by step, under some policies; False when the time is over."""
        entry = self.results["cases"].setdefault(case, {}).get("profile")
        if self.arguments.anew or entry is None or entry["program"] != self.digest:
            entry = self.results["cases"][case]["profile"] = {"program": self.digest}
        for name in PROFILED:
            if name in entry:
                continue
            self.probe_quiet()
            if self.is_over():
                return False
            got = run([self.bench, "step", case, "--profile", "--json", *OURS[name], "--steps", 5, *self.ours])
            entry[name] = {"seconds": got["seconds"], "optimizer_seconds": got["optimizer_seconds"],
                           "peak_flops_per_s": got["peak_flops_per_s"], "read_bytes_per_s": got["read_bytes_per_s"],
                           "copy_bytes_per_s": got["copy_bytes_per_s"], "parts": parts_of(got["steps"])}
            self.save()
            print(f"{case} profile: {name:11}{got['seconds']:8.3f} s", flush=True)
        return True

    def growth(self):
        """How ours grows; False when the time is over."""
        entry = self.results.get("growth")
        if self.arguments.anew or entry is None or entry["program"] != self.digest:
            entry = self.results["growth"] = {"program": self.digest, "axes": {}}
        for axis in GROWS:
            if axis in entry["axes"]:
                continue
            self.probe_quiet()
            if self.is_over():
                return False
            entry["axes"] |= run([self.bench, "growth", "--json", "--axis", axis, "--rounds", 3, *self.ours])["axes"]
            self.save()
            print(f"growth with {axis}: time ^{entry['axes'][axis]['time_exponent'] or 0:.2f}", flush=True)
        return True

    def run(self):
        """True when every round has run."""
        asked, cases = self.arguments.what, self.arguments.cases
        return (all(self.compare(case, what) for case in cases for what in WHAT if what in asked)
                and ("profile" not in asked or all(self.profile(case) for case in cases))
                and ("growth" not in asked or self.growth()))


def part_of(step):
    """What a step of a profile is counted under."""
    ops = step["ops"]
    if any(op.startswith("linear") for op in ops):
        layers = step["layer"]
        return "projection" if "projection" in layers else "lifting" if "lifting" in layers else "blocks"
    if any(op.startswith("contract") for op in ops):
        return "contraction"
    if any(op.startswith(("fft_", "line_", "columns_forward", "columns_inverse")) for op in ops):
        return "transforms"
    return "norms, loss"


def parts_of(steps):
    """{pass: {part: sums of its steps}}."""
    parts = {}
    for step in steps:
        at = parts.setdefault(step["pass"], {}).setdefault(part_of(step), {"steps": 0, "roofline_seconds": 0})
        at["steps"] += 1
        at["roofline_seconds"] += step["roofline_share"] * step["seconds"]
        for key in ("seconds", "flops", "loaded_bytes", "stored_bytes"):
            at[key] = at.get(key, 0) + step[key]
    return parts


# ---- telling ----

def whole_rounds(entry):
    """Those in which every program ran."""
    most = max(map(len, entry["rounds"]), default=0)
    return [one for one in entry["rounds"] if len(one) == most]


def median(entry, name, key):
    """Over the whole rounds; None when there is none."""
    values = [one[name][key] for one in whole_rounds(entry) if key in one.get(name, {})]
    return statistics.median(values) if values else None


def times(entry, peer, name):
    """How many times as fast as the peer, and between which rounds."""
    ratios = [one[peer]["median_s"] / one[name]["median_s"] for one in whole_rounds(entry)
              if peer in one and name in one]
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
    cells = [f"`{case}`", what, str(len(whole_rounds(entry))), *(number(value, ".3f") for value in seconds), speed, share,
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


def profile_rows(entry):
    """Where the time of a step goes."""
    memory = max(entry["read_bytes_per_s"], entry["copy_bytes_per_s"])
    for which, parts in entry["parts"].items():
        for part, at in sorted(parts.items(), key=lambda item: -item[1]["seconds"]):
            moved, seconds, flops = at["loaded_bytes"] + at["stored_bytes"], at["seconds"], at["flops"]
            bound = "operations" if flops / entry["peak_flops_per_s"] > moved / memory else "memory"
            yield (f"| {which} | {part} | {at['steps']} | {1e3 * seconds:.1f} | {1e-9 * flops:.2f} | "
                   f"{1e-9 * flops / seconds:.0f} | {1e-6 * moved:.0f} | {1e-9 * moved / seconds:.1f} | {bound} | "
                   f"{100 * at['roofline_seconds'] / seconds:.0f} % |")
    yield f"| | optimizer | 1 | {1e3 * entry['optimizer_seconds']:.1f} | | | | | | |"


def profile_table(case, name, entry):
    """The parts of a step of a case."""
    return ["", f"A training step of `{case}` under `{name}`, {entry['seconds']:.3f} s, in parts (medians of 5; probed "
            f"beside it {1e-9 * entry['peak_flops_per_s']:.0f} GF/s, read {1e-9 * entry['read_bytes_per_s']:.1f} and "
            f"copy {1e-9 * entry['copy_bytes_per_s']:.1f} GB/s):", "",
            "| pass | part | steps | ms | GF | GF/s | MB moved | GB/s | bound by | of roofline |",
            "|---|---|---|---|---|---|---|---|---|---|", *profile_rows(entry)]


def growth_table(axes):
    """Exponents, and from where to where."""
    lines = ["", "Growth of a training step (grid 128 x 128, 16 x 16 modes, 32 channels, 2 samples, group norm, but for what "
             "grows): exponents fitted over all sizes:", "",
             "| grows | from | to | ms from | ms to | time | activations | of the last two | operations |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, axis in axes.items():
        first, last = axis["points"][0], axis["points"][-1]
        powers = ["" if axis[key] is None else f"{axis[key]:.2f}" for key in
                  ("time_exponent", "memory_exponent", "last_memory_exponent", "flops_exponent")]
        lines.append(f"| {name} | {first['size']:.0f} | {last['size']:.0f} | {1e3 * first['seconds']:.1f} | "
                     f"{1e3 * last['seconds']:.1f} | {' | '.join(powers)} |")
    return lines


def peer_tables(results, order):
    """Times, then memory, of what was compared."""
    probes = [probe for case, what in order for probe in results["cases"][case][what]["probes"]]
    peak = {key: 1e-9 * statistics.median(probe[key] for probe in probes) for key in probes[0]}
    lines = [
        "", f"Probed beside each round (median): {peak['peak_flops_per_s']:.0f} GF/s of f32 multiply-adds, memory read at "
        f"{peak['read_bytes_per_s']:.1f} GB/s and copied at {peak['copy_bytes_per_s']:.1f} GB/s. Peer: neuraloperator "
        f"2.0.0 on PyTorch {results.get('torch', '?')}.", "",
        "Seconds, medians of rounds; how many times as fast as the peer `full` is (least and most of a round):", "",
        "| case | | rounds | `full` | `mixed` f16 | `mixed` bf16 | peer | peer tuned | useful GF/s | of peak | "
        "against tuned | as installed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    lines += [time_row(case, what, results["cases"][case][what]) for case, what in order]
    lines += ["", "MiB above weights and batch in a training step, of it activations:", "",
              "| case | `full` | `mixed` f16 | `mixed` bf16 | peer | peer tuned |", "|---|---|---|---|---|---|"]
    return lines + [memory_row(case, results["cases"][case]["step"]) for case, what in order if what == "step"]


def table(results):
    """One machine: what was compared, what was profiled, growth."""
    lines = [f"### {results['isa']}: {results['cpu'] or 'unnamed processor'}, {results['threads']} threads"]
    order = [(case, what) for case in CASES for what in WHAT
             if results["cases"].get(case, {}).get(what, {}).get("rounds")]
    lines += peer_tables(results, order) if order else []
    profile = results["cases"].get(CASES[0], {}).get("profile", {})
    for name in PROFILED:
        lines += profile_table(CASES[0], name, profile[name]) if name in profile else []
    lines += growth_table(results["growth"]["axes"]) if "growth" in results else []
    return "\n".join(lines)


def page():
    """docs/performance.md with the tables of today's results."""
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END, 1)[1]
    tables = [table(json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]
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
    parser.add_argument("--what", type=names_of((*WHAT, *ALONE)), default=(*WHAT, *ALONE),
                        help=f"some of {','.join((*WHAT, *ALONE))}")
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
