# SPDX-License-Identifier: MIT
"""Batches that run in parts, because they are told to or because memory is short: the same results in less of it."""
import json
import re
import unittest

from support import Case, make_data, make_project

STEPS = ("opt.n_epochs=2", "opt.t_max=2", "data.batch_size=7", "opt.accumulate=2",
         "opt.grad_clip_norm=0.5",
         "opt.training_loss=l2:1,h1:0.5", "opt.loss_weights=[2]", "model.channel_mlp_dropout=0.1",
         "model.norm=group_norm", "report.html=false")


class Memory(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def train(self, output, *words):
        """Bytes of what a run leaves, and its summary."""
        result = self.mpno("train", "config.yaml", f"output={output}", "--json", *words)
        run = self.folder / output
        return ([(run / name).read_bytes() for name in ("last.safetensors", "best.safetensors",
                                                        "metrics.csv")], result.json())

    def micro_batch(self, output):
        """What the first phase says of itself in the log."""
        lines = map(json.loads, (self.folder / output / "log.jsonl").read_text().splitlines())
        return next(line["micro_batch"] for line in lines if line["event"] == "phase")

    def test_parts_of_a_batch_train_the_same(self):
        for policy in ("full", "mixed"):
            words = STEPS + (f"precision.policy={policy}",)
            whole, _ = self.train(policy, *words)
            self.assertEqual(self.micro_batch(policy), 7)
            for parts in ("1", "3", "7", "100", "auto"):
                output = f"{policy}-{parts}"
                some, _ = self.train(output, *words, f"micro_batch={parts}")
                self.assertEqual(some, whole, output)
                self.assertEqual(self.micro_batch(output), min(7, int(parts)) if parts != "auto" else 7)

    def test_a_run_goes_on_in_other_parts(self):
        whole, _ = self.train("whole", *STEPS)
        self.train("parts", *STEPS, "opt.n_epochs=1", "micro_batch=2")
        self.assertNotEqual((self.folder / "parts/last.safetensors").read_bytes(), whole[0])
        self.mpno("train", "parts/config.yaml", "--resume", "opt.n_epochs=2", "micro_batch=3")
        self.assertEqual((self.folder / "parts/last.safetensors").read_bytes(), whole[0])

    def test_the_run_says_how_many_run_at_a_time(self):
        words = ("train", "config.yaml", "opt.n_epochs=1", "report.html=false")
        self.assertNotIn("at a time", self.mpno(*words).out)
        self.assertIn("policy full: batches on grid 8 run 3 samples at a time\n",
                      self.mpno(*words, "micro_batch=3", "output=three").out)

    def test_a_limit_is_kept(self):
        make_data(self.folder / "train.pt", samples=16, grid=32, seed=1)
        make_data(self.folder / "test16.pt", samples=16, grid=32, seed=2)
        words = ("data.test=[test16.pt]", "data.batch_size=16", "model.hidden_channels=16",
                 "opt.n_epochs=2", "report.html=false")
        kept, keeps = self.train("kept", *words)  # all products, where the third cache is known and has room
        words += ("recompute=cheap",)
        whole, most = self.train("whole", *words)
        self.assertEqual(kept[2], whole[2])
        self.assertGreaterEqual(keeps["peak_bytes"], most["peak_bytes"])
        _, least = self.train("one", *words, "micro_batch=1", "data.test_batch_size=1")
        for share in (0.1, 0.4, 0.7):
            limit = int(least["peak_bytes"] + share * (most["peak_bytes"] - least["peak_bytes"]))
            output = f"limit-{share}"
            some, summary = self.train(output, *words, f"memory_limit={limit}B")
            self.assertEqual(some, whole)
            self.assertLessEqual(summary["peak_bytes"], limit)
            self.assertTrue(1 <= self.micro_batch(output) < 16, output)
            if share > 0.5:
                self.assertGreater(self.micro_batch(output), 1)
        errors = self.mpno("eval", "whole/last.safetensors", "--json").json()
        tight = self.mpno("eval", "whole/last.safetensors", "--json",
                          f"memory_limit={int(0.8 * errors['peak_bytes'])}B").json()
        self.assertEqual(tight["test"], errors["test"])
        self.assertLessEqual(tight["peak_bytes"], 0.8 * errors["peak_bytes"])
        self.mpno("predict", "whole/last.safetensors", "test16.pt", "-o", "one.npy")
        self.mpno("predict", "whole/last.safetensors", "test16.pt", "-o", "two.npy",
                  f"memory_limit={int(0.9 * errors['peak_bytes'])}B")
        self.assertEqual((self.folder / "one.npy").read_bytes(), (self.folder / "two.npy").read_bytes())

    def test_what_does_not_fit_is_refused_with_what_it_needs(self):
        result = self.mpno("train", "config.yaml", "memory_limit=100KiB", status=2)
        self.assert_error(result, "memory_limit is 100 KiB", "one sample at a time", "raise the limit")
        self.assertFalse((self.folder / "run").exists())
        needed = re.search(r"needs ([\d.]+) KiB", result.err)
        self.mpno("train", "config.yaml", f"memory_limit={1.01 * float(needed[1])}KiB", "output=just",
                  "opt.n_epochs=1")
        result = self.mpno("train", "config.yaml", "memory_limit=100KiB", "model.norm=batch_norm", status=2)
        self.assert_error(result, "batch_norm", "data.batch_size")


if __name__ == "__main__":
    unittest.main()
