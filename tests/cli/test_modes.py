# SPDX-License-Identifier: MIT
"""Modes that change while a run trains: the three rules, what they decide, and that a run can go on."""
import csv
import json
import math
import random
import unittest

from support import Case, Tensor, load_safetensors, make_project, save_pt

GROWING = ("model.n_modes=[2, 2]", "model.max_n_modes=[8, 8]", "modes.rule=loss_gap")


class Modes(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def train(self, *words, **options):
        return self.mpno("train", "config.yaml", *words, **options)

    def decided(self, run="run"):
        """{epoch: modes of each block} as log.jsonl tells."""
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return {event["epoch"]: event["layers"] for event in map(json.loads, lines)
                if event["event"] == "modes"}

    def losses(self, run="run"):
        with open(self.folder / run / "metrics.csv", encoding="utf-8") as file:
            return [float(row["train_loss"]) for row in csv.DictReader(file)]

    def state(self, run="run"):
        return self.mpno("info", run, "--json").json()["state"]

    def test_a_fixed_run_decides_nothing(self):
        self.train("opt.n_epochs=2")
        self.assertEqual(self.decided(), {})
        self.assertNotIn("modes", self.state())

    def test_growing_changes_no_loss(self):
        """A rate that moves no weight: whatever comes in is zero, so that every epoch has the same loss."""
        result = self.train(*GROWING, "modes.loss_gap=1", "opt.n_epochs=6", "opt.learning_rate=1e-30",
                            "opt.weight_decay=0", "data.batch_size=16")
        self.assertEqual(self.decided(), {epoch: [[n, n]] * 2 for epoch, n in ((3, 4), (4, 6), (5, 8))})
        self.assertIn("epoch 3: modes of the blocks 4x4 4x4", result.out)
        losses = self.losses()
        for loss in losses:
            self.assertAlmostEqual(loss, losses[0], delta=2e-6 * losses[0])
        self.assertEqual(self.state()["modes"]["layers"], [[8, 8], [8, 8]])

    def test_the_loss_gap_is_what_the_key_says(self):
        """Without a gap modes come only where the loss repeats itself exactly, which it does not."""
        self.train(*GROWING, "modes.loss_gap=0", "opt.n_epochs=6")
        self.assertEqual(self.decided(), {})
        self.train(*GROWING, "modes.loss_gap=0.1", "opt.n_epochs=12", "output=gap")
        losses, decided = self.losses("gap"), self.decided("gap")
        small = [epoch + 2 for epoch in range(1, 11)
                 if abs(losses[epoch] - losses[epoch - 1]) <= 0.1 * losses[epoch - 1]]
        self.assertGreater(len(small), 0)
        self.assertEqual(list(decided), small[:3])

    def test_modes_that_hold_gradient_come_in(self):
        words = ("model.n_modes=[4, 4]", "model.max_n_modes=[8, 8]", "modes.rule=grad_explained",
                 "modes.buffer=2", "opt.n_epochs=4")
        self.train(*words, "modes.explained=1")  # the outer modes hold something: all epochs grow
        self.assertEqual(self.decided(), {2: [[6, 6]] * 2, 3: [[8, 8]] * 2})
        self.train(*words, "modes.explained=1e-9", "output=never")
        self.assertEqual(self.decided("never"), {})

    def make_flat(self):
        """Fields without any structure."""
        levels = [0.5 + 0.1 * i for i in range(16)]
        flat = Tensor([level for level in levels for _ in range(64)], (16, 8, 8))
        save_pt(self.folder / "train.pt", {"x": flat, "y": flat})

    def test_modes_in_the_noise_leave_and_others_stay(self):
        rule = ("modes.rule=adaptive", "opt.n_epochs=4", "precision.policy=mixed", "modes.margin=4")
        self.train("model.n_modes=[8, 8]", *rule)
        self.assertEqual(self.decided(), {})
        self.make_flat()
        self.train("model.n_modes=[8, 8]", "model.positional_embedding=none", *rule, "output=flat")
        self.assertEqual(self.decided("flat"), {epoch: [[n, n]] * 2
                                                for epoch, n in ((1, 6), (2, 4), (3, 2))})

    def test_modes_that_left_are_zero_to_other_programs(self):
        """A run keeps their weights; a state dict, whose readers use all modes, must not."""
        self.make_flat()
        self.train("model.n_modes=[8, 8]", "model.positional_embedding=none", "modes.rule=adaptive",
                   "opt.n_epochs=1", "precision.policy=mixed")
        self.assertEqual(self.state()["modes"]["layers"], [[6, 6]] * 2)
        self.mpno("export", "run", "-o", "weights.safetensors")
        name = "fno_blocks.convs.0.weight.tensor"
        kept = load_safetensors(self.folder / "run/last.safetensors")[name]
        given = load_safetensors(self.folder / "weights.safetensors")[name]
        inside = 6 * 4  # frequencies -3 .. 2 and 0 .. 3 of 8 x 5
        self.assertEqual(self.nonzero(kept), 4 * 4 * 8 * 5)
        self.assertEqual(self.nonzero(given), 4 * 4 * inside)

    def nonzero(self, tensor):
        """Complex numbers of a tensor that are not zero."""
        values = memoryview(tensor[2]).cast("f")
        return sum(values[i] != 0 or values[i + 1] != 0 for i in range(0, len(values), 2))

    def make_waves(self, wave_number=1, noise=0.0):
        """Targets with waves of that number along both axes; inputs of wave number 1, and noise."""
        rng = random.Random(5)
        x, y = [], []
        for _ in range(16):
            a, b = rng.uniform(0.5, 1), rng.uniform(0.5, 1)
            for i in range(64):
                u, v = 2 * math.pi * (i // 8) / 8, 2 * math.pi * (i % 8) / 8
                x.append(a * math.sin(u) + b * math.cos(v) + noise * rng.uniform(-1, 1))
                y.append(a * math.sin(wave_number * u) + b * math.cos(wave_number * v))
        shape = (16, 8, 8)
        save_pt(self.folder / "train.pt", {"x": Tensor(x, shape), "y": Tensor(y, shape)})

    def test_modes_that_targets_hold_come_in(self):
        """Before the first epoch: inputs do not know of them, and 3 needs 6 modes."""
        words = ("model.n_modes=[2, 2]", "model.max_n_modes=[8, 8]", "modes.rule=adaptive",
                 "opt.n_epochs=2", "model.positional_embedding=none", "data.encode_output=true")
        for number in (2, 3):
            self.make_waves(number)
            for policy in ("full", "mixed"):
                self.train(*words, f"precision.policy={policy}", f"output={policy}{number}")
                self.assertEqual(self.decided(f"{policy}{number}"), {1: [[2 * number] * 2] * 2})
        self.train(*words, "modes.step=4", "output=step")
        self.assertEqual(self.decided("step"), {1: [[6, 6]] * 2})
        self.train(*words, "model.max_n_modes=[8, 4]", "output=most")  # 3 is out of reach
        self.assertEqual(self.decided("most"), {1: [[6, 2]] * 2})
        # No signal is so many times as large as the noise of bf16.
        self.train(*words, "precision.policy=mixed", "precision.format=bf16", "modes.margin=1e4",
                   "output=margin")
        self.assertEqual(self.decided("margin"), {})

    def test_modes_that_only_inputs_hold_wait_for_the_error(self):
        """Noise in inputs is below the error at first. Without it nothing comes in, though coordinates have
        modes of any number."""
        words = ("model.n_modes=[2, 2]", "model.max_n_modes=[8, 8]", "modes.rule=adaptive",
                 "opt.n_epochs=12", "data.batch_size=2", "data.encode_output=true")
        self.make_waves(noise=0.4)
        self.train(*words)
        decided = self.decided()
        self.assertGreater(min(decided), 1)
        self.assertEqual(self.state()["modes"]["layers"], [[8, 8]] * 2)
        self.make_waves()
        self.train(*words, "output=smooth")
        self.assertEqual(self.decided("smooth"), {})

    def test_decisions_come_every_so_many_epochs(self):
        self.train(*GROWING, "modes.loss_gap=1", "opt.n_epochs=8", "modes.every=3")
        self.assertEqual(list(self.decided()), [4, 7])

    def test_resumed_with_the_same_bits(self):
        for rule in ("loss_gap", "grad_explained", "adaptive"):
            words = (*GROWING, f"modes.rule={rule}", "modes.loss_gap=0.1", "precision.policy=mixed",
                     "opt.t_max=6")
            if rule == "adaptive":
                self.make_waves(noise=0.4)
                words += ("data.batch_size=1", "data.encode_output=true")
            self.train(*words, "opt.n_epochs=6", f"output={rule}")
            for epochs in (1, 3, 6):
                self.train(*words, f"opt.n_epochs={epochs}", f"output={rule}2",
                           *(("--resume",) if epochs > 1 else ()))
            whole, parts = (load_safetensors(self.folder / run / "last.safetensors")
                            for run in (rule, f"{rule}2"))
            self.assertEqual(whole, parts)
            self.assertEqual(self.decided(rule), self.decided(f"{rule}2"))
            self.assertGreater(len(self.decided(rule)), 0)

    def test_evaluated_with_the_modes_that_it_has(self):
        summary = self.train(*GROWING, "modes.loss_gap=1", "opt.n_epochs=4", "--json").json()
        errors = self.mpno("eval", "run", "--json").json()["test"]
        self.assertEqual(errors["8"]["l2"], summary["test"]["8"]["l2"])
        self.mpno("predict", "run", "test16.pt", "-o", "y.pt")

    def test_memory_is_that_of_all_modes(self):
        words = (*GROWING, "modes.rule=adaptive", "model.hidden_channels=32", "opt.n_epochs=2")
        self.assert_error(self.train(*words, "memory_limit=1MiB", status=2), "memory_limit")
        self.train(*words, "memory_limit=8MiB")

    def test_keys_that_do_not_fit(self):
        self.assert_error(self.train("modes.rule=loss_gap", status=2), "model.max_n_modes is missing")
        self.assert_error(self.train(*GROWING, "modes.rule=grad_explained", "opt.optimizer=sgd",
                                     status=2), "modes.rule", "sgd", "opt.momentum")
        self.assert_error(self.train(*GROWING, "modes.rule=grow", status=2), "modes.rule")
        self.assert_error(self.train(*GROWING, "modes.step=0", status=2), "modes.step")
        self.assert_error(self.train(*GROWING, "compat=neuralop", "model.n_modes=[9, 9]", status=2),
                          "n_modes")


if __name__ == "__main__":
    unittest.main()
