# SPDX-License-Identifier: MIT
"""`mpno eval --rollout`: every error of every step against numpy, on predictions chained by hand, one `mpno predict` each."""
import csv
import unittest

import numpy as np

from pictures import read, size
from support import Case, make_project
from test_metrics import NAMES, errors

USAGE, FAILURE = 2, 1


class Rollout(Case):
    """Waves that move and decay: two fields on a line, or one on a plane."""

    def waves(self, samples, steps, grid, fields):
        rng = np.random.default_rng(3)
        places = np.meshgrid(*[np.arange(n) / n for n in grid], indexing="ij")
        u = np.zeros((samples, steps, fields, *grid), np.float32)
        for s in range(samples):
            phase, size_ = rng.uniform(0, 6, fields), rng.uniform(0.5, 1, fields)
            for t in range(steps):
                for c in range(fields):
                    u[s, t, c] = size_[c] * 0.95 ** t * np.sin(
                        2 * np.pi * (sum(places) - 0.05 * t * (c + 1)) + phase[c]) + 0.2
        return u

    def train(self, grid, fields, time_in, time_out, *lines, steps=9):
        u = self.waves(6, steps, grid, fields)
        np.savez(self.folder / "u.npz", u=u if fields > 1 else u[:, :, 0])
        (self.folder / "c.yaml").write_text("\n".join([
            f"model: {{n_modes: {[4] * len(grid)}, hidden_channels: 8, n_layers: 2}}",
            "data:", "  train: u.npz", "  test: [u.npz]", "  x_key: u", "  y_key: u", "  batch_size: 8",
            "  test_batch_size: 4", f"  time_in: {time_in}", f"  time_out: {time_out}", *[f"  {line}" for line in lines],
            "opt: {n_epochs: 3, learning_rate: 5e-3, training_loss: l2}", "output: run",
            "report: {tensorboard: false, html: false}"]) + "\n")
        self.mpno("train", "c.yaml", "--quiet")
        return u.astype(float)

    def by_hand(self, u, time_in, time_out, steps):
        """[sample, steps, field, grid..]: each call of the program sees true or predicted steps of its input alone."""
        window, found = u[:, :time_in].astype(np.float32), []
        while len(found) < steps:
            file = np.concatenate([window, np.zeros_like(window[:, :1]).repeat(time_out, 1)], 1)
            np.savez(self.folder / "w.npz", u=file if u.shape[2] > 1 else file[:, :, 0])
            self.mpno("predict", "run", "w.npz", "-o", "w.npy", "--quiet")
            y = np.load(self.folder / "w.npy").reshape(len(u), time_out, *u.shape[2:])
            found += [y[:, k] for k in range(time_out)]
            window = np.concatenate([window, y], 1)[:, -time_in:]
        return np.stack(found[:steps], 1).astype(float)

    def close(self, found, expected, what):
        if expected is None:
            self.assertIsNone(found, what)
        else:
            self.assertLess(abs(found - expected), 1e-4 * abs(expected) + 1e-7, what)

    def check(self, grid, fields, time_in, time_out, steps, *lines):
        u = self.train(grid, fields, time_in, time_out, *lines)
        found = self.mpno("eval", "run", "--rollout", steps, "--json", "--csv", "e.csv", "-o", "e.png").json()
        test = found["test"][str(grid[0])]
        p, y = self.by_hand(u, time_in, time_out, steps), u[:, time_in:time_in + steps]
        self.assertEqual((found["rollout"], len(test["steps"]), test["samples"]), (steps, steps, len(u)))
        for t, step in enumerate(test["steps"]):
            each = [errors(p[:, t, c], y[:, t, c]) for c in range(fields)]
            for name in NAMES:
                values = [one[name] for one in each]
                self.close(step[name], None if None in values else np.mean(values), f"{name} of step {t + 1}")
                for c in range(fields if fields > 1 else 0):
                    self.close(step["channels"][c][name], values[c], f"{name} of step {t + 1}, channel {c}")
        self.assertAlmostEqual(test["l2"], np.mean([step["l2"] for step in test["steps"]]), 12)
        with open(self.folder / "e.csv", newline="", encoding="utf-8") as file:
            rows = {(row["step"], row["channel"]): row for row in csv.DictReader(file)}
        self.assertEqual(float(rows[str(steps), "all"]["rmse"]), test["steps"][-1]["rmse"])
        self.assertEqual(len(rows), (steps + 1) * (fields + 1 if fields > 1 else 1))
        self.assertGreater(size(self.folder / "e.png")[0], 600)

    def test_one_step_at_a_time(self):
        self.check((20,), 2, 2, 1, 5)

    def test_several_steps_at_a_time_more_than_the_input_has(self):
        self.check((12, 12), 1, 1, 3, 7)

    def test_normalised_inputs(self):
        self.check((16,), 1, 3, 2, 5, "encode_input: true", "encoding: channel-wise")

    def test_all_steps_text_and_threads(self):
        self.train((16,), 1, 2, 1)
        whole = self.mpno("eval", "run", "--rollout", "all", "--json", "--threads", "1").json()
        self.assertEqual(whole["rollout"], 7)
        again = self.mpno("eval", "run", "--rollout=7", "--json", "--threads", "2").json()
        self.assertEqual(again["test"], whole["test"])
        text = self.mpno("eval", "run", "--rollout", "7").out
        self.assertIn("step by step", text)
        self.assertIn(f"{whole['test']['16']['steps'][6]['nrmse']:.4g}", text)
        one = self.mpno("eval", "run", "--rollout", "1", "data.time_hop=100", "--json").json()["test"]["16"]
        single = self.mpno("eval", "run", "data.time_hop=100", "--json").json()["test"]["16"]
        self.assertEqual({name: one[name] for name in NAMES}, {name: single[name] for name in NAMES})

    def test_pictures_of_steps(self):
        """A frame for each step; the first is that of a roll-out of one step but for its scale."""
        self.train((12, 12), 1, 1, 1)
        found = self.mpno("plot", "run", "--rollout", "4", "--animate", "--sample", "2", "-o", "p.png", "--json").json()
        frames, _ = read(self.folder / "p.png")
        self.assertEqual((found["frames"], found["samples"], len(frames)), (4, [2], 4))
        self.assertEqual(frames[0].shape, frames[3].shape)
        self.assertFalse((frames[0] == frames[3]).all())
        still = self.mpno("plot", "run", "--rollout", "all", "--sample", "0,1", "-o", "p.png", "--json").json()
        self.assertEqual(still["frames"], 1)
        self.assertGreater(still["height"], 8 * 200)  # four times of each sample
        self.mpno("plot", "run", "--rollout", "3", "--spectrum", "-o", "s.png")
        self.assert_error(self.mpno("plot", "run", "--rollout", "9", status=USAGE), "9 steps", "have 8")

    def test_steps_of_a_single_prediction(self):
        u = self.train((16,), 2, 1, 3, "time_hop: 100")
        steps = self.mpno("eval", "run", "--json").json()["test"]["16"]["steps"]
        rolled = self.mpno("eval", "run", "--rollout", "3", "--json").json()["test"]["16"]["steps"]
        self.assertEqual(steps, rolled)
        self.assertEqual((len(steps), len(steps[0]["channels"])), (3, u.shape[2]))

    def test_what_cannot_be_rolled_out(self):
        self.train((16,), 1, 2, 1)
        for steps in ("0", "-3", "two", "1.5", ""):
            self.assert_error(self.mpno("eval", "run", f"--rollout={steps}", status=USAGE), f"'{steps}'", "1 or more")
        self.assert_error(self.mpno("eval", "run", "--rollout", "8", status=USAGE), "u.npz", "8 steps", "have 7")
        self.assert_error(self.mpno("eval", "run", "-o", "e.png", status=USAGE), "--rollout")
        self.assert_error(self.mpno("eval", "run", "--rollout", "2", "-o", "e.jpg", status=USAGE), "e.jpg", ".png")
        u = self.waves(3, 6, (16,), 2)
        np.savez(self.folder / "two.npz", u=u)
        self.assert_error(self.mpno("eval", "run", "--rollout", "2", "data.test=[two.npz]", status=FAILURE), "two.npz",
                          "4 channels", "the model takes 2")
        make_project(self.folder)
        self.mpno("train", "config.yaml", "opt.n_epochs=1", "output=plain", "--quiet")
        self.assert_error(self.mpno("eval", "plain", "--rollout", "2", status=USAGE), "not trained on trajectories",
                          "data.time_in")


if __name__ == "__main__":
    unittest.main()
