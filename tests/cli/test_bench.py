# SPDX-License-Identifier: MIT
"""mpno-bench: its fields are those of the peer's script, its memory is what the plan says, its errors are said."""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import BUILD, ROOT, SANITIZED

FIELDS = {"case", "what", "precision", "autocast", "compile", "tuned", "torch", "threads", "params", "batch", "min_s",
          "median_s", "peak_extra_mib", "peak_rss_mib", "loss",  # as neuralop_step.py
          "isa", "flops", "state_mib", "program_mib", "activation_mib", "format", "planned_mib", "micro_batch", "useful_flops", "skipped", "mpno",
          "update_s", "estimated_s"}


def bench(*arguments):
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    return subprocess.run([os.path.join(BUILD, "mpno-bench"), *arguments], capture_output=True, text=True,
                          env=environment, timeout=300)


class Step(unittest.TestCase):
    def run_case(self, *arguments):
        done = bench("step", *arguments, "--steps", "1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        self.assertEqual(set(result), FIELDS)
        self.assertGreater(result["estimated_s"], result["update_s"])
        return result

    def test_fields_under_every_policy(self):
        for policy in ("full", "amp", "half", "fft32", "mixed"):
            for form in ("f16", "bf16"):
                result = self.run_case("darcy16", "--precision", policy, "--format", form)
                self.assertEqual(result["params"], 191881)
                self.assertEqual(result["precision"], policy)
                self.assertEqual(result["format"], "f32" if policy == "full" else form)
                self.assertGreater(result["loss"], 0)

    def test_forward_takes_less(self):
        step = self.run_case("darcy16", "--micro_batch", "0")
        forward = self.run_case("darcy16", "--forward", "--micro_batch", "0")
        self.assertIsNone(forward["loss"])
        self.assertEqual(forward["what"], "forward")
        self.assertLess(forward["flops"], step["flops"] / 2.5)
        self.assertLess(forward["activation_mib"], step["activation_mib"] / 2)

    @unittest.skipIf(SANITIZED, "sanitizers keep memory of their own")
    def test_memory_is_the_plan_and_mixed_takes_half(self):
        full, mixed = self.run_case("ns128-m16"), self.run_case("ns128-m16", "--precision", "mixed")
        for result in (full, mixed):
            self.assertLess(abs(result["activation_mib"] - result["planned_mib"]), 0.05 * result["planned_mib"])
        self.assertLess(mixed["activation_mib"], 0.55 * full["activation_mib"])

    def test_parts_of_the_batch_are_the_same_in_less_memory(self):
        whole = self.run_case("darcy16", "--micro_batch", "0")
        self.assertEqual(whole["micro_batch"], 64)
        for parts in (self.run_case("darcy16", "--micro_batch", "8"), self.run_case("darcy16", "--threads", "1")):
            self.assertEqual(parts["loss"], whole["loss"])
            self.assertLess(parts["micro_batch"], 64)
            self.assertLess(parts["planned_mib"], 0.6 * whole["planned_mib"])

    def test_stabilizers(self):
        losses = {name: self.run_case("darcy16", "--precision", "mixed", "--stabilizer", name)["loss"]
                  for name in ("auto", "tanh", "none", "prescale")}
        self.assertEqual(losses["auto"], losses["tanh"])
        self.assertNotEqual(losses["none"], losses["tanh"])
        self.assertEqual(losses["none"], losses["prescale"])  # transforms that store 16 bits need no scale

    def test_instruction_sets_agree(self):
        losses = [self.run_case("darcy16", "--isa", isa)["loss"] for isa in ("portable", "avx2", "avx512")]
        for loss in losses:
            self.assertAlmostEqual(loss, losses[0], delta=1e-4 * losses[0])


class Profile(unittest.TestCase):
    """What each step of the lowered program takes: no time is asserted, but what adds up does."""

    def profile(self, *arguments):
        done = bench("step", "darcy16", "--profile", "--steps", "1", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_steps_add_up(self):
        for arguments in ([], ["--forward"], ["--precision", "mixed"]):
            whole = json.loads(bench("step", "darcy16", "--steps", "1", "--json", *arguments).stdout)
            result = json.loads(self.profile("--json", *arguments))
            steps = result["steps"]
            for key in ("flops", "useful_flops", "case", "what", "isa", "threads", "format"):
                self.assertEqual(result[key], whole[key])
            self.assertAlmostEqual(sum(step["flops"] for step in steps), whole["flops"], delta=1)
            self.assertEqual({step["pass"] for step in steps},
                             {"forward"} if "--forward" in arguments else {"forward", "backward"})
            self.assertLess(sum(step["seconds"] for step in steps), result["seconds"])
            for step in steps:
                self.assertTrue(step["ops"] and step["layer"])
                self.assertGreater(step["roofline_share"], 0)
            for key in ("peak_flops_per_s", "read_bytes_per_s", "copy_bytes_per_s"):
                self.assertGreater(result[key], 1e6)

    def test_useful_operations_are_those_of_the_definition(self):
        """docs/design/cost.md by hand: products 2 a multiply-add, contraction 8, a transform 2.5 N log2 N, times three."""
        for case, grid, modes, channels, wide, batch in (("darcy16", (16, 16), 8 * 5, 24, 48, 64),
                                                         ("fno1d", (1024,), 17, 64, 128, 64)):
            points, dims, blocks = math.prod(grid), len(grid), 4
            pixel = 2 * (wide * (1 + dims) + wide * channels) + 2 * (channels * wide + wide)  # lifting, projection
            pixel += blocks * 2 * (channels ** 2 + 2 * channels * (channels // 2))  # skip, channel MLP
            spectral = blocks * (8 * modes * channels ** 2 + 2 * 2.5 * points * math.log2(points) * channels)
            for arguments, times in (([], 3), (["--forward"], 1)):
                result = json.loads(bench("step", case, "--steps", "1", "--json", *arguments).stdout)
                self.assertAlmostEqual(result["useful_flops"] / (times * batch * (points * pixel + spectral)), 1, delta=1e-12)

    def test_half_precision_moves_half(self):
        full, mixed = (json.loads(self.profile("--json", "--precision", policy))["steps"] for policy in ("full", "mixed"))

        def spectrum(steps):
            """Bytes that the first contraction stores: 64 samples of 24 channels, 8 x 5 modes."""
            return next(step["stored_bytes"] for step in steps if step["ops"] == ["contract"])
        self.assertEqual(spectrum(full), 64 * 24 * 8 * 5 * 2 * 4)
        self.assertEqual(spectrum(mixed), spectrum(full) / 2)

    def test_table_fits_a_terminal(self):
        lines = self.profile().splitlines()
        self.assertLessEqual(max(map(len, lines)), 110)
        self.assertIn("of peak", lines[-1])
        for word in ("forward", "backward", "optimizer", "all", "lifting", "projection"):
            self.assertTrue(any(line.startswith(f"| {word} ") for line in lines), word)


class Help(unittest.TestCase):
    def test_every_command_has_one(self):
        done = bench("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        commands = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
        self.assertIn("step", commands)
        for command in commands:
            done = bench(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"usage: mpno-bench {command} ", done.stdout)
            self.assertIn("--threads", done.stdout)


class Tile(unittest.TestCase):
    """Each tile program alone gives what single ops give."""

    def tile(self, *arguments):
        done = bench("tile", "darcy16", "rounds:1", "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_programs_agree_with_single_ops(self):
        for policy in ("full", "mixed"):
            result = self.tile("--precision", policy)
            self.assertEqual({one["pass"] for one in result["programs"]}, {"forward", "backward"})
            self.assertGreater(sum(one["compared"] for one in result["programs"]), 30)  # weights' gradients alone are 34
            for one in result["programs"]:
                self.assertLess(one["difference"], one["allowed_difference"])
        self.assertGreater(max(one["difference"] for one in result["programs"]), 0)  # mixed does round

    def test_what_is_chosen(self):
        programs = self.tile("layer:lifting", "pass:forward")["programs"]
        self.assertEqual([(one["layer"].split(",")[0], one["pass"]) for one in programs], [("lifting", "forward")])
        done = bench("tile", "darcy16", "rounds:1", "layer:projection", "pass:backward")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if "| backward |" in line]
        self.assertTrue(rows)
        self.assertTrue(all("projection" in row for row in rows))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 110)


class Growth(unittest.TestCase):
    """Exponents of what does not depend on the machine: memory and operations."""

    def grow(self, *arguments):
        done = bench("growth", "rounds:1", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_memory_is_linear_in_pixels_and_in_the_batch(self):
        axes = [json.loads(self.grow("axis:pixels", "most:128", "--json"))["axes"]["pixels"],
                json.loads(self.grow("axis:batch", "most:4", "--json"))["axes"]["batch"]]
        self.assertEqual([point["size"] for point in axes[0]["points"]], [32 ** 2, 64 ** 2, 128 ** 2])
        for axis in axes:
            self.assertLess(axis["last_memory_exponent"], 1.01)
            self.assertGreater(axis["last_memory_exponent"], 0.85)
            self.assertAlmostEqual(axis["flops_exponent"], 1, delta=0.1)
            points = axis["points"]
            slope = [(math.log(b["flops"]) - math.log(a["flops"])) / math.log(b["size"] / a["size"])
                     for a, b in zip(points, points[1:])]
            self.assertTrue(min(slope) <= axis["flops_exponent"] <= max(slope), (slope, axis["flops_exponent"]))
            self.assertTrue(all(point["seconds"] > 0 for point in points))

    def test_table(self):
        table = self.grow("axis:threads", "threads:2")
        self.assertEqual([line.split("|")[1].split()[0] for line in table.splitlines() if line.startswith("| ")],
                         ["grows", "threads", "threads", "fitted"])
        self.assertEqual(self.grow("axis:threads", "threads:1").splitlines()[-2].split("|")[3].strip(), "-")


class Cast(unittest.TestCase):
    def test_every_cast_is_the_definition(self):
        for isa in ("portable", "avx2", "avx512"):
            for arithmetic in ("f32", "f64"):
                done = bench("cast", "rounds:1", "n:100", f"arithmetic:{arithmetic}", "--isa", isa, "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                casts = json.loads(done.stdout)["casts"]
                self.assertEqual({(cast["direction"], cast["format"]) for cast in casts},
                                 {(way, form) for way in ("load", "store")
                                  for form in ("f64", "f32", "bf16", "f16", "f8e4m3", "f8e5m2", "tf32")})
                for cast in casts:
                    self.assertEqual((cast["arithmetic"], cast["verified"]), (arithmetic, 4 * 65536))

    def test_one_cast_as_a_table(self):
        done = bench("cast", "format:fp16", "direction:store", "rounds:1", "n:64", "threads:1")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if "->" in line]
        self.assertEqual(len(rows), 1)
        self.assertIn("store f32 -> f16", rows[0])


class Fft(unittest.TestCase):
    def test_values_are_those_of_the_definition(self):
        problems = (("16x12", "keep:5x4"), ("9x10x7", "keep:3x10x2", "kind:complex"), ("37", "keep:19", "channels:17"))
        kinds = (("f32", "f32", "avx512"), ("f16", "f32", "avx512"), ("bf16", "f32", "avx2"), ("f64", "f64", "avx2"),
                 ("f16", "f64", "portable"))
        for words in problems:
            for form, arithmetic, isa in kinds:
                done = bench("fft", *words, "batch:2", f"format:{form}", f"arithmetic:{arithmetic}", "rounds:1", "--isa", isa,
                             "--json")
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads(done.stdout)
                self.assertEqual(result["verified"], 48)
                self.assertIn(words[0], result["problem"])
                self.assertEqual([way["way"] for way in result["ways"]][:6],
                                 ["forward", "inverse", "forward lines", "forward columns", "inverse columns",
                                  "inverse lines"])

    def test_table_has_a_peer_in_f32_only(self):
        single, double = (bench("fft", "24", "batch:3", "channels:4", "rounds:1", f"arithmetic:{arithmetic}", "threads:1")
                          for arithmetic in ("f32", "f64"))
        self.assertEqual((single.returncode, double.returncode), (0, 0), single.stderr + double.stderr)
        if "FFTWF_LIBRARY:FILEPATH=/" in (BUILD / "CMakeCache.txt").read_text():
            self.assertIn("FFTW inverse", single.stdout)
        self.assertNotIn("FFTW forward", double.stdout)

    def test_bad_arguments(self):
        for words, said in ((("12y4",), "12y4"), (("12x",), "12x"), (("8x8", "keep:3"), "1 numbers for 2 dimensions"),
                            (("8", "keep:6"), "keep[0] is 6"), (("8", "format:f8"), "format: \"f8\""),
                            (("1x2x3x4x5",), "1 to 4")):
            done = bench("fft", *words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


class Gemm(unittest.TestCase):
    def test_values_are_those_of_the_definition(self):
        problems = ((("67x33x19",), 1), (("130x1x64",), 1), (("5x48x3", "layout:nt"), 1), (("131x17x9", "layout:tn"), 1),
                    (("3x7x5", "layout:modes", "modes:5"), 2), (("3x7x5", "layout:modes-tn", "modes:5"), 2))
        kinds = (("f32", "avx512"), ("bf16", "amx-bf16"), ("f64", "avx2"), ("f32", "portable"))
        for words, planes in problems:
            m, n, k = (int(size) for size in words[0].split("x"))
            modes = 5 if planes == 2 else 1
            results = modes * planes * (k if words[-1].endswith("tn") or "layout:modes-tn" in words else m) * n
            if words[1:2] == ("layout:tn",):
                results = k * n
            for form, isa in kinds:
                if planes == 2 and form == "bf16":
                    continue
                with self.subTest(words=words, form=form, isa=isa):
                    done = bench("gemm", *words, f"format:{form}", "rounds:1", "--isa", isa, "--json")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    result = json.loads(done.stdout)
                    self.assertEqual((result["format"], result["verified"]), (form, 2 * results))
                    for product, threads in zip(result["products"], (1, 2), strict=True):
                        sizes = [product[key] for key in ("m", "n", "k", "modes", "threads")]
                        self.assertEqual(sizes, [m, n, k, modes, threads])
                        self.assertEqual(product["flops"], (8 if planes == 2 else 2) * m * n * k * modes)

    def test_the_table_has_the_shapes_of_networks_and_the_peers_that_are_there(self):
        done = bench("gemm", "rounds:1", "threads:1")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if "x" in line and "|" in line]
        self.assertEqual(len(rows), 10)
        for row, shape in ((0, "1024x64x64"), (3, "1024x256x3"), (8, "8x64x64")):
            self.assertIn(shape, rows[row])
        cells = [cell.strip() for cell in rows[0].split("|")]
        cache = (BUILD / "CMakeCache.txt").read_text()
        for key, column in (("OPENBLAS_LIBRARY", 6), ("ONEDNN_LIBRARY", 8)):
            if f"{key}:FILEPATH=/" in cache:
                self.assertGreater(float(cells[column]), 0)
            else:
                self.assertEqual(cells[column], "-")


class Contract(unittest.TestCase):
    def test_orders_of_a_convolution(self):
        """Option A has a product of six numbers for each term, the others two at a time."""
        done = bench("contract", "batch:2", "channels:3", "modes:4", "rank:5", "rounds:1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        orders = {one["order"]: one for one in json.loads(done.stdout)["orders"]}
        self.assertEqual(orders["A"]["flops"], 2 * 3 * 4 * 3 * 3 * 5 * (5 * 6 + 2))
        self.assertEqual(orders["B"]["flops"], 6 * 5 * (3 + 3 * 3 + 3 * 4) + 8 * 3 * 4 * 3 * 3 * 5 + 8 * 2 * 3 * 3 * 4 * 3)
        for one in orders.values():
            self.assertLessEqual(orders["planned, operations"]["flops"], one["flops"])
            self.assertLessEqual(one["error_u"], one["error_bound_u"])
        for name in ("data first", "B", "C"):
            self.assertLessEqual(orders["planned, memory"]["peak_bytes"], orders[name]["peak_bytes"])

    def test_paths_of_a_file(self):
        lines = (ROOT / "tests/data/contraction_paths.txt").read_text().splitlines()
        small = [line for line in lines if line.startswith(("abc,e,be", "acd,abcd"))]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "paths.txt"
            file.write_text("\n".join(["# two shapes", *small]) + "\n")
            found = json.loads(bench("contract", f"paths:{file}", "rounds:1", "--json").stdout)["shapes"]
            self.assertEqual([shape["equation"] for shape in found], [line.split(";")[0] for line in small])
            for shape in found:
                ours, default, least, greedy = shape["orders"]
                self.assertLessEqual(ours["flops"], default["flops"])
                self.assertLessEqual(least["peak_bytes"], greedy["peak_bytes"])
            self.assertIn("2 shapes: ", bench("contract", f"paths:{file}", "rounds:1").stdout)
            for text, fragment in (("ab,bc->ac;2,3,4;0-1\n", "line 1 is not EQUATION"), ("# none\n", "no shapes"),
                                   ("ab,bc->ac;2,3;0-1;0-1\n", "line 1 is not"), ("ab,bc->ac;2,3,4;0-1;0-2\n", "line 1 is not"),
                                   ("ab,bc,ca->;2,3,4;0-1 0-2;0-1 2-3\n", "line 1 is not")):
                file.write_text(text)
                self.assertIn(fragment, bench("contract", f"paths:{file}", "rounds:1").stderr)
        self.assertIn("cannot be read", bench("contract", "paths:/nowhere").stderr)


class Peers(unittest.TestCase):
    """The comparison without its peer: what it says of results and of what is missing."""
    SCRIPT = ROOT / "bench/peers/compare.py"

    def compare(self, script, *arguments, **environment):
        return subprocess.run([sys.executable, "-B", str(script), *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, **environment}, timeout=300)

    def test_the_page_tells_the_results(self):
        done = self.compare(self.SCRIPT, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_table_from_results(self):
        def one(seconds):
            return {"median_s": seconds, "peak_extra_mib": 100 * seconds, "activation_mib": 50, "useful_flops": 3e9}
        rounds = [{"full": one(0.3), "peer": one(1.5), "peer tuned": one(0.6)},
                  {"full": one(0.1), "peer": one(0.6), "peer tuned": one(0.2)},
                  {"full": one(0.2), "peer": one(0.9), "peer tuned": one(0.5)}]
        probe = {"peak_flops_per_s": 60e9, "read_bytes_per_s": 9e9, "copy_bytes_per_s": 8e9}
        rounds.append({"full": one(0.7)})  # broken off: does not count
        profile = {"seconds": 0.5, "optimizer_seconds": 0.01, **probe, "parts": {"forward": {
            "blocks": {"steps": 4, "seconds": 0.1, "flops": 3e9, "loaded_bytes": 2e8, "stored_bytes": 1e8,
                       "roofline_seconds": 0.05},
            "transforms": {"steps": 8, "seconds": 0.2, "flops": 1e9, "loaded_bytes": 8e8, "stored_bytes": 1e8,
                           "roofline_seconds": 0.1}}}}
        growth = {"batch": {"time_exponent": 0.9, "memory_exponent": 1.0, "last_memory_exponent": 1.01, "flops_exponent": None,
                            "points": [{"size": 1, "seconds": 0.1}, {"size": 8, "seconds": 0.7}]}}
        results = {"growth": {"program": "0", "axes": growth}, "cpu": "X", "isa": "avx2", "cpus": 2, "threads": 2, "torch": "9", "cases": {
            "fno1d": {"step": {"program": "0", "probes": [probe] * 3, "rounds": rounds}},
            "ns128-m16": {"profile": {"program": "0", "full": profile}}}}
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "bench/peers/compare.py"
            page, file = Path(folder) / "docs/performance.md", Path(folder) / "bench/results/avx2.json"
            for path in (script, page, file):
                path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.SCRIPT, script)
            shutil.copy(ROOT / "docs/performance.md", page)
            file.write_text(json.dumps(results))
            self.assertIn("out of date", self.compare(script, "--check").stderr)
            self.assertEqual(self.compare(script, "--table").returncode, 0)
            self.assertEqual(self.compare(script, "--check").returncode, 0)
            # medians 0.2, 0.9, 0.5; 3 GF in 0.2 s are 15 GF/s, a quarter of 60; ratios 2 to 2.5 and 4.5 to 6
            self.assertIn("| `fno1d` | step | 3 | 0.200 |  |  | 0.900 | 0.500 | 15 | 25 % | **2.50** (2.00-2.50) | "
                          "**4.50** (4.50-6.00) |\n", page.read_text())
            self.assertIn("| `fno1d` | 20 (50) |  |  | 90 | 50 |\n", page.read_text())
            # the slowest part first; 3 GF at 60 GF/s take 50 ms, 0.3 GB at 9 GB/s 33 ms
            self.assertIn("| forward | transforms | 8 | 200.0 | 1.00 | 5 | 900 | 4.5 | memory | 50 % |\n"
                          "| forward | blocks | 4 | 100.0 | 3.00 | 30 | 300 | 3.0 | operations | 50 % |\n", page.read_text())
            self.assertIn("| batch | 1 | 8 | 100.0 | 700.0 | 0.90 | 1.00 | 1.01 |  |\n", page.read_text())
            page.write_text(page.read_text().replace("0.900", "0.901"))
            self.assertEqual(self.compare(script, "--check").returncode, 1)

    def test_absent_peer_is_said(self):
        done = self.compare(self.SCRIPT, "--build", str(BUILD), MPNO_PEER="/nowhere/python")
        self.assertEqual(done.returncode, 1)
        self.assertIn("MPNO_PEER names /nowhere/python", done.stderr)
        self.assertIn("pip install", done.stderr)

    def test_bad_arguments(self):
        for arguments, fragment in ((["--cases", "fno1d,fno9d"], "'fno9d' is none of ns128-m16"),
                                    (["--rounds", "0"], "whole number from 1"), (["--build", "/nowhere"], "make build")):
            done = self.compare(self.SCRIPT, *arguments)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(fragment, done.stderr)


class Update(unittest.TestCase):
    def test_bytes_are_what_a_step_moves(self):
        for precision, copies in (("full", 0), ("mixed", 2)):
            done = bench("update", "channels:16", f"precision:{precision}", "rounds:1", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(done.stdout)
            moved = {rule["rule"]: rule["bytes"] / found["weights"] for rule in found["rules"]}
            # weight, gradient, two moments read and three of them written, and most weights have a copy
            self.assertAlmostEqual(moved["adamw"], 28 + copies, delta=0.05 * copies)
            self.assertAlmostEqual(moved["adamw, clipped"], 32 + copies, delta=0.05 * copies)
            self.assertAlmostEqual(moved["sgd"], 12 + copies, delta=0.05 * copies)


class Flow(unittest.TestCase):
    def test_rates_belong_together(self):
        for integrator, stages in (("heun", 2), ("etdrk4", 4)):
            done = bench("flow", "size:16", "steps:3", "rounds:1", f"integrator:{integrator}", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(done.stdout)
            self.assertEqual(found["samples"], 8 * found["threads"])
            self.assertAlmostEqual(found["steps_per_s"] * found["seconds"] / found["samples"], 1)
            # a stage: 11 lines along x and 16 along y, there and back, of 5 N log N operations or somewhat more
            transforms = stages * 2 * 27 * 5 * 16 * 4
            flops = found["flops_per_s"] / found["steps_per_s"]
            self.assertTrue(0.8 * transforms < flops < 1.8 * transforms, flops / transforms)

    def test_absent_peer_is_said(self):
        done = subprocess.run([sys.executable, "-B", str(ROOT / "bench/peers/compare_flow.py")], check=False, text=True,
                              stderr=subprocess.PIPE, env={**os.environ, "MPNO_PEER": "/nowhere/python"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("no peer at /nowhere/python: install", done.stderr)


class Errors(unittest.TestCase):
    CASES = (
        (["flow", "size:3"], "size: 3 is out of range"),
        (["contract", "modes:1"], "modes: 1 is out of range"),
        (["step"], "name a case"),
        (["step", "ns128-tt"], "unknown case \"ns128-tt\"; there are darcy16|"),
        (["step", "darcy16", "--threads", "0"], "threads: 0 is out of range, expected a value in [1,4096]"),
        (["step", "darcy16", "--steps", "x"], "steps: expected an integer, found the text 'x'"),
        (["step", "darcy16", "--format", "f8"], "format: expected one of f16, bf16, found the text 'f8'"),
        (["step", "darcy16", "--colour", "red"], "unknown option colour; see mpno-bench step --help"),
        (["step", "darcy16", "--thread", "2"], "did you mean threads"),
        (["step", "darcy16", "thread:2"], "did you mean threads"),
        (["step", "darcy16", "--precision"], "its value is missing"),
        (["step", "darcy16", "--precision", "mixd"], "did you mean \"mixed\""),
        (["step", "darcy16", "--isa", "sse9"], "sse9"),
        (["cast", "format:f12"], "format: \"f12\" is none"),
        (["cast", "format"], "neither --KEY VALUE nor KEY:VALUE"),
        (["cast", "n:0"], "n: 0 is out of range"),
        (["cast", "direction:up"], "direction: expected one of both, load, store"),
        (["growth", "axis:colours"], "axis: expected one of all, pixels, modes"),
        (["growth", "axis:pixels", "most:31"], "no size of pixels is as small as 31"),
        (["growth", "--precision", "mixd", "axis:batch", "most:1"], "did you mean \"mixed\""),
        (["tile"], "name a case"),
        (["tile", "darcy16", "layer:bloc 1"], "no tile program of this pass belongs to \"bloc 1\""),
        (["tile", "darcy16", "layer:null"], "layer"),
        (["machine", "rounds:none"], "rounds: expected an integer"),
        (["update", "channels:0"], "channels: 0 is out of range"),
        (["update", "precision:mixd"], "did you mean \"mixed\""),
        (["gemm", "64x64"], "shape: \"64x64\" is none; expected MxNxK as 4096x64x256"),
        (["gemm", "64x64x64x64"], "shape: \"64x64x64x64\" is none"),
        (["gemm", "0x4x4"], "shape: \"0x4x4\" is none"),
        (["gemm", "16777216x16777216x1"], "is none"),
        (["gemm", "8x8x8", "layout:tt"], "layout: expected one of nn, nt, tn, modes, modes-tn"),
        (["gemm", "8x8x8", "layout:modes", "format:bf16"], "contractions multiply f32 or f64, not bf16"),
        (["gemm", "8x8x8", "format:f16"], "format: expected one of f32, bf16, f64"),
        (["walk"], "usage"),
    )

    def test_bad_arguments(self):
        for arguments, fragment in self.CASES:
            with self.subTest(arguments=arguments):
                done = bench(*arguments)
                self.assertIn(done.returncode, (1, 2))
                self.assertIn(fragment, done.stderr)
                self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
