# SPDX-License-Identifier: MIT
"""Experiments: a grid of trainings, its results as files, runs that fail, and going on after a kill."""
import csv
import json
import math
import os
import signal
import statistics
import subprocess
import time
import unittest

from support import Case, PROGRAM, load_safetensors
from test_fields import npz

GRID = """\
title: A small grid
asks: What is asked.
finds: How to read it.
made:
  flow: {equation: darcy, n_samples: 12, resolution: 8, seed: 0}
  test: {equation: darcy, n_samples: 4, resolution: 8, seed: 1}
base:
  model: {n_modes: [4, 4], hidden_channels: 4, n_layers: 1}
  data: {train: "@flow", test: ["@test"], batch_size: 4, encode_input: true}
  opt: {n_epochs: 2, learning_rate: 1e-2}
axes:
  policy:
    full: {}
    half f16: {precision.policy: half}
  width:
    "4": {}
    "6": {model.hidden_channels: 6}
seeds: [0, 1, 5]
reference: {policy: full}
quick: {}
full:
  base: {opt: {n_epochs: 3}}
  axes: {width: {"4": {}}}
  made: {test: {n_samples: 5}}
"""


class Experiment(Case):
    def setUp(self):
        super().setUp()
        self.write(GRID)

    def write(self, text, name="grid.yaml"):
        (self.folder / name).write_text(text)

    def run_grid(self, *words, **options):
        return self.mpno("experiment", "grid.yaml", "-o", "out", *words, **options)

    def rows(self, folder="out"):
        with open(self.folder / folder / "results.csv", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def results(self):
        return {path: (path.read_bytes(), path.stat().st_mtime_ns)
                for path in sorted((self.folder / "out/results").iterdir())}

    def test_every_combination_is_run_and_reported(self):
        result = self.run_grid("--json")
        rows = self.rows()
        self.assertEqual({(row["policy"], row["width"], row["seed"]) for row in rows},
                         {(p, w, s) for p in ("full", "half f16") for w in "46" for s in "015"})
        self.assertEqual({row["status"] for row in rows}, {"ok"})
        tree = result.json()
        self.assertEqual(tree, json.loads((self.folder / "out/results.json").read_text()))
        self.assertEqual(len(tree["runs"]), 12)
        report = (self.folder / "out/report.md").read_text()
        for text in ("# A small grid", "What is asked.", "How to read it.", "3 seeds", "8_l2.png",
                     " reference |"):
            self.assertIn(text, report)
        for name in ("8_l2.png", "8_h1.png"):
            self.assertEqual((self.folder / "out" / name).read_bytes()[:4], b"\x89PNG")
        half = [row for row in rows if row["policy"] == "half f16" and row["width"] == "4"]
        full = [row for row in rows if row["policy"] == "full" and row["width"] == "4"]
        self.assertLess(int(half[0]["activation_bytes"]), int(full[0]["activation_bytes"]))
        wide = [row for row in rows if row["policy"] == "full" and row["width"] == "6"]
        self.assertLess(1.2 * float(full[0]["step_flops"]), float(wide[0]["step_flops"]))

    def test_operations_are_the_mean_over_epochs_when_modes_change(self):
        flops = {}
        for name, words in (("2", ("model.n_modes=[2, 2]",)), ("4", ("model.n_modes=[4, 4]",)),
                            ("grows", ("model.n_modes=[2, 2]", "model.max_n_modes=[4, 4]",
                                       "modes.rule=loss_gap", "modes.loss_gap=1e9", "modes.step=2",
                                       "opt.n_epochs=4"))):
            self.run_grid("seeds=[0]", "-o", name, *words)
            flops[name] = float(self.rows(name)[0]["step_flops"])
        history = [json.loads(line) for line in
                   (self.folder / "grows/runs/full_4_s0/log.jsonl").read_text().splitlines()]
        grown = sum(event["epoch"] for event in history if event["event"] == "modes")
        self.assertEqual(sum(event["event"] == "modes" for event in history), 1)
        share = (grown - 1) / 4  # of the epochs with 2 modes
        self.assertAlmostEqual(flops["grows"], share * flops["2"] + (1 - share) * flops["4"],
                               delta=1e-9 * flops["4"])

    def test_a_run_is_what_mpno_train_gives(self):
        self.run_grid("seeds=[5]")
        row = next(row for row in self.rows() if row["policy"] == "half f16" and row["width"] == "6")
        summary = self.mpno("train", "out/base.yaml", "precision.policy=half", "seed=5",
                            "model.hidden_channels=6", "output=again", "--json").json()
        self.assertEqual(float(row["l2"]), summary["test"]["8"]["l2"])
        again = self.mpno("train", "out/runs/half-f16_6_s5/config.yaml", "output=third", "--json").json()
        self.assertEqual(again["test"]["8"]["l2"], summary["test"]["8"]["l2"])

    def test_data_are_relative_to_the_grid_that_names_them(self):
        self.mpno("generate", "darcy", "--n_samples", "8", "--resolution", "8", "-o", "flow.h5")
        (self.folder / "grids").mkdir()
        self.write(GRID.replace('"@flow"', "../flow.h5").replace(
            '"6": {model.hidden_channels: 6}', '"6": {data.test: [../flow.h5]}'), "grids/near.yaml")
        self.mpno("experiment", "grids/near.yaml", "-o", "out", "seeds=[0]")
        self.assertEqual({(row["width"], row["status"]) for row in self.rows()},
                         {("4", "ok"), ("6", "ok")})

    def test_means_deviations_and_comparison(self):
        self.run_grid()
        errors = {policy: [float(row["l2"]) for row in self.rows()
                           if row["policy"] == policy and row["width"] == "4"]
                  for policy in ("full", "half f16")}
        mean = {key: statistics.mean(values) for key, values in errors.items()}
        deviation = {key: statistics.stdev(values) for key, values in errors.items()}
        excess = (mean["half f16"] - mean["full"]) / mean["full"] * 100
        allowed = 2 * math.sqrt(sum(d * d / 3 for d in deviation.values())) / mean["full"] * 100
        line = next(line for line in (self.folder / "out/report.md").read_text().splitlines()
                    if line.startswith("| half f16 | 4 "))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        self.assertEqual(cells[3], f"{mean['half f16']:.4g} +- {deviation['half f16']:.2g}")
        self.assertEqual(cells[4], f"{excess:+.2f} %, {'not worse' if excess <= allowed else 'WORSE'} "
                                   f"({allowed:.2f} % allowed)")

    def test_finished_runs_are_kept(self):
        self.run_grid("seeds=[0]")
        before = self.results()
        result = self.run_grid("seeds=[0, 1]")
        after = self.results()
        self.assertEqual(len(after), 8)
        for path, content in before.items():
            self.assertEqual(after[path], content)
        self.assertNotIn("[4/8]", result.out)
        self.assertIn("[8/8]", result.out)
        self.assert_error(self.run_grid("seeds=[0]", "opt.n_epochs=3", status=2),
                          "result of another configuration", "another folder")

    def test_killed_at_any_time_it_goes_on(self):
        words = ("opt.n_epochs=30", "seeds=[0]", "model.hidden_channels=16", "made.flow.n_samples=64")
        self.mpno("experiment", "grid.yaml", "-o", "whole", *words)
        for wait in (0.05, 0.2, 0.4, 0.3, 0.5, 0.6):
            process = subprocess.Popen([PROGRAM, "experiment", "grid.yaml", "-o", "out", *words],
                                       cwd=self.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.run_grid(*words)
        for run in os.listdir(self.folder / "whole/runs"):
            self.assertEqual(load_safetensors(self.folder / "out/runs" / run / "last.safetensors"),
                             load_safetensors(self.folder / "whole/runs" / run / "last.safetensors"))
        keys = ("policy", "width", "test", "l2", "h1")
        self.assertEqual([[row[key] for key in keys] for row in self.rows()],
                         [[row[key] for key in keys] for row in self.rows("whole")])

    def test_numbers_that_are_not_finite_are_a_result(self):
        self.write(GRID.replace("half f16: {precision.policy: half}",
                                "lost: {precision.policy: half, opt.learning_rate: 1e30}"))
        self.run_grid("seeds=[0]")
        lost = [row for row in self.rows() if row["policy"] == "lost"]
        self.assertEqual({row["status"] for row in lost}, {"failed"})
        self.assertIn("not finite", lost[0]["message"])
        report = (self.folder / "out/report.md").read_text()
        self.assertIn("## Runs that failed", report)
        self.assertRegex(report, r"(?m)^- policy lost, width 4, seed 0: epoch")
        self.assertEqual([row["status"] for row in self.rows() if row["policy"] == "full"], ["ok"] * 2)

    def test_trained_models_are_evaluated_in_other_ways(self):
        self.write(GRID + "evaluate:\n  half bf16: {precision.policy: half, precision.format: bf16}\n")
        self.run_grid("seeds=[0]")
        rows = {row["evaluated"]: row for row in self.rows()
                if row["policy"] == "full" and row["width"] == "4"}
        self.assertEqual(set(rows), {"as trained", "half bf16"})
        found = self.mpno("eval", "out/runs/full_4_s0", "precision.policy=half",
                          "precision.format=bf16", "--json").json()["test"]["8"]["l2"]
        self.assertEqual(float(rows["half bf16"]["l2"]), found)
        self.assertNotEqual(found, float(rows["as trained"]["l2"]))

    def test_precision_errors_by_frequency(self):
        """What rounding adds to a mode is the same for all; what a policy adds is small and reported."""
        self.write(GRID.replace("resolution: 8, seed: 1", "resolution: 32, seed: 1")
                   .replace("n_samples: 4", "n_samples: 40")
                   + "spectra: true\nevaluate:\n  half f16: {precision.policy: half}\n"
                   + '  spectra fp8: {precision.storage: "spectrum=f8e4m3"}\n')
        self.run_grid("seeds=[0]", "model.n_modes=[8, 8]")
        result = json.loads((self.folder / "out/results/full_4_s0.json").read_text())
        narrow = result["spectra"]["spectra fp8"]["block 0"]  # 3 fraction bits instead of 10, in full but for the spectra
        for signal, noise in zip(narrow["signal"], narrow["noise"]):
            self.assertGreater(noise, 2e-3 * signal)
            self.assertLess(noise, 2**-3 * signal)
        layer = result["spectra"]["half f16"]["block 0"]
        self.assertEqual(len(layer["signal"]), len(layer["noise"]))
        for signal, noise in zip(layer["signal"], layer["noise"]):
            self.assertGreater(noise, 0)
            self.assertLess(noise, 2e-3 * signal)
        for rounding in result["rounding"].values():
            for noise in rounding["noise"][1:]:
                self.assertAlmostEqual(noise / rounding["floor"], 1, delta=0.25)
        report = (self.folder / "out/report.md").read_text()
        self.assertIn("## Rounding alone, by frequency", report)
        self.assertIn("## Precision errors by frequency", report)
        self.assertTrue((self.folder / "out/frequency_0.png").is_file())

    def test_steered_networks_have_spectra(self):
        """The samples' vectors steer both networks that are compared."""
        values = [math.sin((i % 16) * (1 + i // 16 % 3) / 2.5) for i in range(8 * 16)]
        npz(self.folder / "data.npz", x=("<f4", (8, 16), values), y=("<f4", (8, 16), values),
            sign=("<f4", (8, 1), [(-1.0)**i for i in range(8)]))
        data = f"{self.folder}/data.npz"
        grid = GRID.replace("n_modes: [4, 4]", "n_modes: [8], norm: ada_in")
        for old, new in (("@flow", data), ("@test", data),
                         ("encode_input: true", "encode_input: true, embedding_key: sign")):
            grid = grid.replace(old, new)
        self.write(grid + "spectra: true\nevaluate:\n  half f16: {precision.policy: half}\n")
        self.run_grid("seeds=[0]", "report.html=false")
        result = json.loads((self.folder / "out/results/full_4_s0.json").read_text())
        layer = result["spectra"]["half f16"]["block 0"]
        for signal, noise in zip(layer["signal"], layer["noise"]):
            self.assertGreater(noise, 0)
            self.assertLess(noise, 2e-2 * signal)

    def test_equal_time_changes_the_number_of_epochs(self):
        self.write(GRID + "equal_time: true\n")
        self.run_grid("seeds=[0]")
        kept = json.loads((self.folder / "out/equal_time.json").read_text())
        rows = [row for row in self.rows() if row["time"] == "equal time"]
        self.assertEqual(len(rows), 2)  # the reference is not compared with itself
        for row in rows:
            self.assertIn(int(row["epochs"]), kept.values())

    def test_the_size_of_the_full_form(self):
        self.run_grid("--full", "seeds=[0]")
        rows = self.rows()
        self.assertEqual({(row["policy"], row["width"]) for row in rows},
                         {("full", "4"), ("half f16", "4")})
        self.assertEqual({row["epochs"] for row in rows}, {"3"})
        self.assertEqual(json.loads((self.folder / "out/results.json").read_text())["size"], "full")

    def test_what_comes_with_the_library_runs(self):
        names = [line.split()[0] for line in self.mpno("experiment", "--list").out.splitlines()]
        self.assertIn("post-training", names)
        listed = self.mpno("experiment", "modes", "--list")  # a name more starts nothing
        self.assertEqual([line.split()[0] for line in listed.out.splitlines()], names)
        self.assertFalse((self.folder / "experiments").exists())
        small = {"post-training": (), "breaking": ("opt.n_epochs=1",), "modes": ("opt.n_epochs=2",),
                 "profile": ("opt.n_epochs=1",), "frequency": (), "stabilisers": ("opt.n_epochs=1",), "formats": ("opt.n_epochs=1",),
                 "pre-activations": ("opt.n_epochs=1",), "adaptive-modes": ("opt.n_epochs=2",),
                 "fine-grid": ("made.darcy.n_samples=2", "made.darcy_test.n_samples=1"),
                 "contraction": (), "schedule": ("opt.n_epochs=2",), "schedule-prescale": ("opt.n_epochs=2",),
                 "super-resolution": ("opt.n_epochs=1",)}
        self.assertEqual(set(names), {*small, "theorem"})
        for name, words in small.items():
            self.mpno("experiment", name, "-o", name, "model.hidden_channels=8", *words)
            self.assertIn("## Test set", (self.folder / name / "report.md").read_text())

    def test_theorems_are_measured_without_training(self):
        """No measured number above its bound; what is said to be free is; closed forms of the hat."""
        tree = self.mpno("experiment", "theorem", "-o", "out", 'theorem.points={"1": [8, 64], "3": [8]}',
                         "theorem.formats=[f16, e4m3]", "--json").json()
        self.assertEqual(tree, json.loads((self.folder / "out/results.json").read_text()))
        self.assertEqual(len(tree["rows"]), 4 * (4 + 5 + 4) * 2)  # n/8 is 1 on 8 points
        for row in tree["rows"]:
            self.assertLessEqual(row["disc"], row["disc_bound"] + 1e-13)
            self.assertLessEqual(row["disc_bound"], row["disc_class"])
            self.assertLessEqual(row["prec"], row["prec_bound"])
            self.assertLessEqual(row["samples"], row["samples_bound"])
            if "butterflies" in row:
                self.assertLessEqual(row["butterflies"], row["butterflies_bound"])
            if row["disc"] > 1e-12:
                self.assertEqual(row["free"], row["disc"] > row["prec"])
        for row in tree["rows"]:
            if (row["function"], row["axes"], row["format"]) == ("hat", 1, "f16"):
                n, k = row["points"], row["k"]
                total = sum(min(x / n / 0.3, (1 - x / n) / 0.7) * complex(
                    math.cos(2 * math.pi * k * x / n), -math.sin(2 * math.pi * k * x / n))
                    for x in range(n)) / n
                w = 2 * math.pi * k
                exact = 0.5 if k == 0 else -(1 - complex(math.cos(0.3 * w), -math.sin(0.3 * w))) / (
                    w * w * 0.21)
                self.assertAlmostEqual(row["disc"], abs(total - exact), delta=1e-14)
                self.assertAlmostEqual(row["coefficient"], abs(exact), delta=1e-14)
        report = (self.folder / "out/report.md").read_text()
        for text in ("## Bounds", "## Discretisation", "## Where half precision is free", "points_1.png"):
            self.assertIn(text, report)
        above = [line.split("|")[3].strip() for line in report.splitlines()
                 if line.startswith("|") and ("(T2" in line or "(F" in line)]
        self.assertEqual(above, ["0"] * 5)
        self.assertEqual(len(self.rows()), len(tree["rows"]))
        self.assertEqual((self.folder / "out/points_1.png").read_bytes()[:4], b"\x89PNG")
        for words, fragments in ((("opt.n_epochs=1",), ("opt.n_epochs", "theorem.points")),
                                 (("theorem.functions=[hut]",), ("theorem.functions", "hat")),
                                 (("theorem.formats=f16",), ("theorem.formats", "list")),
                                 (('theorem.points={"1": [7]}',), ("theorem.points.1", "even")),
                                 (('theorem.points={"4": [8]}',), ("theorem.points.4", "axes")),
                                 (('theorem.points={"3": [8192]}',), ("8192 points",))):
            self.assert_error(self.mpno("experiment", "theorem", "-o", "out", *words, status=2), *fragments)
        self.write("theorem: {}\nbase: {}\n")
        self.assert_error(self.run_grid(status=2), "leave out one of the two")

    def test_wrong_grids_are_named(self):
        for text, fragments in (
                ("title: 3\n" + GRID.split("\n", 1)[1], ("title is not a text",)),
                (GRID + "sizes: {}\n", ("unknown key sizes",)),
                (GRID.replace("base:", "bases:"), ("unknown key bases", 'did you mean "base"')),
                (GRID.replace("reference: {policy: full}", "reference: {policy: fulll}"),
                 ("reference.policy is fulll",)),
                (GRID.replace("seeds: [0, 1, 5]", "seeds: [a]"), ("entry 1 of seeds",)),
                (GRID.replace('"4": {}', '"4": 3', 1), ("axes.width.4",)),
                (GRID.replace("precision.policy: half", "precision.polcy: half"),
                 ("precision.polcy", "did you mean")),
                (GRID.replace("equation: darcy, n_samples: 12", "equation: darcie, n_samples: 12"),
                 ("darcie",)),
                (GRID.replace("n_modes: [4, 4]", "n_mode: [4, 4]"), ("n_mode",))):
            self.write(text)
            result = self.run_grid(status=2)
            self.assert_error(result, *fragments)
        self.assert_error(self.mpno("experiment", "profil", status=2), 'did you mean "profile"')
        self.assert_error(self.mpno("experiment", "missing.yaml", status=1), "missing.yaml")
        self.write(GRID)
        self.assert_error(self.run_grid("made.flaw.n_samples=3", status=2), 'no data set "flaw"')
        self.assert_error(self.run_grid("--full", "--quick", status=2), "exclude each other")


if __name__ == "__main__":
    unittest.main()
