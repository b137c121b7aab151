# SPDX-License-Identifier: MIT
"""report.diagnostics: what it writes, that it changes no number, and each failure that the paper describes (arXiv
2307.15034: NaN in early epochs, accuracy that falls with many modes, no memory saved) provoked and named."""
import json
import math
import random
import unittest

from support import Case, Tensor, load_safetensors, make_data, make_project, save_pt

ON = ("report.diagnostics=on", "report.diagnostics_every=1")


class Diagnose(Case):
    """Small runs on data of our own."""

    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def events(self, run, kind):
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def train(self, run, *words, **options):
        return self.mpno("train", "config.yaml", f"output={run}", *words, **options)


class Looks(Diagnose):
    """What is written of a healthy run."""

    def test_nothing_of_the_run_changes(self):
        """Weights, moments and errors have the same bytes with and without, dropout, norms and parts of batches too."""
        for i, words in enumerate(((), ("precision.policy=mixed",),
                                   ("precision.policy=mixed", "model.norm=batch_norm", "model.channel_mlp_dropout=0.2",
                                    "opt.accumulate=2", "data.batch_size=3"),
                                   ("precision.policy=schedule", "micro_batch=3", "opt.n_epochs=4"))):
            with self.subTest(words=words):
                self.train(f"off{i}", *words)
                self.train(f"on{i}", *words, *ON)
                for name in ("last.safetensors", "metrics.csv"):
                    off, on = ((self.folder / f"{run}{i}" / name).read_bytes() for run in ("off", "on"))
                    self.assertEqual(off, on)
                self.assertEqual(self.events(f"off{i}", "diagnostics"), [])

    def test_every_tensor_is_told(self):
        self.train("run", "precision.policy=mixed", *ON)
        told = self.events("run", "diagnostics")
        self.assertEqual([event["epoch"] for event in told], [1, 2, 3])
        (phase,) = self.events("run", "phase")
        stored = {(t["layer"], t["name"]): t for t in phase["tensors"] if t["role"] != "sums"}
        for event in told:
            seen = {(t["layer"], t["tensor"]): t for t in event["tensors"]}
            self.assertEqual(sorted(seen), sorted(stored))
            for key, tensor in seen.items():
                plan = stored[key]
                self.assertEqual((tensor["format"], tensor["role"]), (plan["format"], plan["role"]))
                size = {"f16": 2, "f32": 4}[tensor["format"]]
                self.assertEqual(tensor["values"], 2 * plan["bytes"] / size)  # two batches
                self.assertEqual((tensor["not_finite"], tensor["saturated"]), (0, 0))
                self.assertGreater(tensor["largest"], 0)
                most = {"f16": 65504, "f32": (2 - 2**-23) * 2.0**127}[tensor["format"]]
                self.assertAlmostEqual(tensor["headroom"] * tensor["largest"] / most, 1, places=9)
                self.assertGreater(tensor["sqnr_db"], 20, key)
                if "spectrum" in tensor["role"]:
                    self.assertEqual(len(tensor["shells_db"]), 4)  # |k| of 4 x 4 modes: 0, 1, 2, 3
        events = (self.folder / "run/events.out.tfevents.mpno").read_bytes()
        for name in (b"largest", b"headroom_bits", b"zero", b"subnormal", b"sqnr_db"):
            self.assertIn(b"diagnostics/block 0/columns/" + name, events)
        report = (self.folder / "run/report.html").read_text()
        self.assertIn("Precision", report)
        self.assertIn("contracted spectrum", report)

    def test_looks_are_rare_unless_asked_for(self):
        self.train("run", "opt.n_epochs=10", "report.diagnostics=on", "precision.policy=mixed")
        told = self.events("run", "diagnostics")
        self.assertEqual([event["epoch"] for event in told], [1, 9])  # batches 0 and 16 of 20
        self.assertIn("sqnr_db", told[0]["tensors"][0])

    def test_full_precision_has_no_shadow(self):
        self.train("run", *ON)
        for event in self.events("run", "diagnostics"):
            for tensor in event["tensors"]:
                self.assertNotIn("sqnr_db", tensor)
        self.assertEqual(self.events("run", "warning"), [])

    def test_memory_limit_is_kept(self):
        """Where the other network would not fit there is no comparison, but everything else."""
        free = self.train("free", "precision.policy=mixed", *ON, "--json").json()["peak_bytes"]
        self.train("run", "precision.policy=mixed", *ON, "report.html=false",
                   f"memory_limit={int(free * 0.95)}B")
        peak = json.loads((self.folder / "run/summary.json").read_text())["peak_bytes"]
        self.assertLessEqual(peak, int(free * 0.95))
        self.assertTrue(self.events("run", "diagnostics"))


class Signatures(Diagnose):
    """The failures of the paper, by name."""

    def test_not_a_number_in_the_first_epoch(self):
        """Inputs that the forward transform cannot hold: its columns or its spectrum overflow."""
        make_data(self.folder / "train.pt", scale=1e6)
        result = self.train("run", "precision.policy=half", *ON, status=1)
        self.assert_error(result, "epoch 1, step 1: overflow in the forward transform: block 0: ", "stored as f16",
                          "try model.stabilizer tanh", "bf16")
        (event,) = self.events("run", "failed")
        self.assertEqual(event["diagnosis"], "overflow in the forward transform")
        self.assertEqual((event["layer"], event["step"]), ("block 0", 1))
        self.assertIn(event["tensor"], ("columns", "spectrum"))

    def test_history_of_a_failure(self):
        """One step of a rate beyond reason: the message has what was seen before it."""
        result = self.train("run", "precision.policy=half", "data.batch_size=16", "eval.every=9", "opt.learning_rate=1e6",
                            *ON, status=1)
        self.assert_error(result, "epoch 2, step 2: overflow", "before, its largest values were", "(epoch 1) of 65504")

    def test_divergence_is_no_overflow(self):
        result = self.train("run", "opt.learning_rate=1e30", "eval.every=9", status=1)
        self.assert_error(result, "divergence: ", "stored as f32")

    def test_overflow_ahead(self):
        """Inputs brought so near to the end of f16 that less than a factor of 2 is left."""
        largest = {}
        scale = 1e3
        for _ in range(3):  # the first layers are all but linear in inputs that large
            make_data(self.folder / "train.pt", scale=scale)
            self.train("probe", "precision.policy=half", "precision.format=bf16", "opt.n_epochs=1", *ON)
            (event,) = self.events("probe", "diagnostics")
            largest = max(t["largest"] for t in event["tensors"] if t["layer"] == "block 0" and "gradient" not in t["role"]
                          and t["format"] == "bf16")
            for path in (self.folder / "probe").iterdir():
                path.unlink()
            if 38000 < largest < 60000:
                break
            scale *= 48000 / largest
        result = self.train("run", "precision.policy=half", "opt.n_epochs=1", "opt.learning_rate=1e-9", "eval.every=9",
                            "precision.loss_scale=1", *ON, status=None)
        warnings = [event for event in self.events("run", "warning") if event.get("layer") == "block 0"]
        self.assertEqual(warnings[0]["diagnosis"], "overflow ahead", warnings)
        self.assertIn("of 65504 (f16), a factor of 1.", warnings[0]["text"])
        self.assertIn("try model.stabilizer tanh", warnings[0]["text"])
        self.assertIn("warning: overflow ahead: ", result.out)

    def test_rounding_floor(self):
        """Smooth periodic inputs and all modes of the grid: bf16 leaves nothing of the outer ones, f32 would."""
        rng = random.Random(5)
        x = []
        for _ in range(8):
            phase = rng.uniform(0, 6)
            x += [math.sin(2 * math.pi * i / 64 + phase) for i in range(64)]
        save_pt(self.folder / "train.pt", {"x": Tensor(x, (8, 64)), "y": Tensor(x, (8, 64))})
        words = ("model.n_modes=[64]", "model.positional_embedding=none", "data.test=[]", "opt.n_epochs=1",
                 "opt.learning_rate=1e-9", "precision.policy=mixed", *ON)
        result = self.train("bf16", "precision.format=bf16", *words)
        warnings = self.events("bf16", "warning")
        (first, *_) = [event for event in warnings if event["diagnosis"] == "rounding floor"]
        self.assertEqual((first["layer"], first["tensor"]), ("block 0", "spectrum"))
        self.assertIn("outermost of 33 shells lie below the rounding noise", first["text"])
        self.assertIn("fewer model.n_modes", first["text"])
        self.assertIn("warning: rounding floor: block 0, spectrum (bf16): from wave number ", result.out)
        # fewer modes, as it says: no such warning
        floor = int(first["text"].split("wave number ")[1].split()[0])
        self.assertGreater(floor, 1)
        self.train("fewer", "precision.format=bf16", *words, f"model.n_modes=[{2 * (floor - 1)}]")
        self.assertNotIn("rounding floor", [event["diagnosis"] for event in self.events("fewer", "warning")
                                            if event.get("layer") == "block 0"])

    def test_not_actually_half(self):
        """amp leaves spectra as they are: far from half the memory, which the tool says; mixed halves it."""
        words = ("model.hidden_channels=16", "model.n_layers=4", "opt.n_epochs=1", *ON)
        for policy, named in (("amp", True), ("mixed", False), ("full", False)):
            with self.subTest(policy=policy):
                result = self.train(policy, f"precision.policy={policy}", *words)
                warnings = [event for event in self.events(policy, "warning") if event["diagnosis"] == "not actually half"]
                self.assertEqual(len(warnings), int(named), warnings)
                self.assertEqual("warning: not actually half: policy amp stores " in result.out, named)


class Words(Diagnose):
    def test_bad_values(self):
        for words, fragments in ((("report.diagnostics=yes",), ("report.diagnostics", "off", "on")),
                                 (("report.diagnostics_every=0",), ("report.diagnostics_every", "0"))):
            self.assert_error(self.train("run", *words, status=2), *fragments)

    def test_a_resumed_run_may_change_it(self):
        self.train("run", "opt.n_epochs=2", "opt.t_max=3")
        self.train("run", "opt.n_epochs=3", "opt.t_max=3", "--resume", *ON)
        self.assertEqual([event["epoch"] for event in self.events("run", "diagnostics")], [3])
        self.train("whole", "opt.t_max=3")
        self.assertEqual(load_safetensors(self.folder / "run/last.safetensors"),
                         load_safetensors(self.folder / "whole/last.safetensors"))


if __name__ == "__main__":
    unittest.main()
