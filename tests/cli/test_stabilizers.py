# SPDX-License-Identifier: MIT
"""Every stabiliser in whole jobs: training, threads, resuming, checkpoints old and new, and what the paper found useless."""
import json
import re
import unittest

from support import ROOT, load_safetensors, make_data
from test_training import Project


def stabilizers():
    """Names in src/model/stabilisers.def."""
    text = (ROOT / "src/model/stabilisers.def").read_text(encoding="utf-8")
    return re.findall(r"^X\([A-Z_]+, (\w+),", text, re.M)


class Stabilizers(Project):
    def test_every_one_trains_resumes_and_does_not_see_threads(self):
        for name in stabilizers():
            with self.subTest(name):
                words = ("train", "config.yaml", "precision.policy=mixed", f"model.stabilizer={name}",
                         "model.stabilizer_scale=2", "opt.t_max=2")
                summary = self.mpno(*words, "opt.n_epochs=2", f"output={name}", "--threads", 1, "--json").json()
                self.assertTrue(0 < summary["test"]["8"]["l2"] < 3)
                self.mpno(*words, "opt.n_epochs=1", f"output={name}-2", "--threads", 2)
                self.mpno(*words, "opt.n_epochs=2", f"output={name}-2", "--threads", 2, "--resume")
                self.assertEqual(self.weights(name), self.weights(f"{name}-2"))
                if name != "two_sigma_clip_batch":
                    self.mpno(*words, "opt.n_epochs=2", f"output={name}-parts", "micro_batch=3")
                    self.assertEqual(self.weights(name), self.weights(f"{name}-parts"))
                self.assertEqual(self.events(name, "phase")[0]["stabilizer"], name)
                self.assertEqual(self.mpno("eval", name, "--json").json()["stabilizer"], name)

    def test_the_key_names_the_rows_of_the_table_in_their_order(self):
        text = (ROOT / "src/train/config.def").read_text(encoding="utf-8")
        choices = re.search(r'X\(model\.stabilizer, CHOICE, "auto", "([^"]+)"', text).group(1).split("|")
        self.assertEqual(choices, [*stabilizers(), "auto"])

    def test_placement_and_gains(self):
        words = ("train", "config.yaml", "opt.n_epochs=1", "model.stabilizer=learned_tanh")
        self.mpno(*words, "output=all")
        self.mpno(*words, "output=first", "model.stabilizer_placement=first")
        gains = {run: [name for name in self.weights(run) if name.endswith(".gain") and not name.startswith("opt")]
                 for run in ("all", "first")}
        self.assertEqual(gains["all"], [f"fno_blocks.stabilizers.{i}.gain" for i in range(2)])
        self.assertEqual(gains["first"], ["fno_blocks.stabilizers.0.gain"])
        self.assertNotEqual(self.weights("all")[gains["all"][0]], self.weights("first")[gains["all"][0]])
        self.assert_error(self.mpno("eval", "first", "model.stabilizer_placement=all", status=2),
                          "model.stabilizer_placement is", "trained with")

    def test_a_batch_of_the_clip_is_not_divided(self):
        words = ("train", "config.yaml", "model.stabilizer=two_sigma_clip_batch")
        self.assert_error(self.mpno(*words, "micro_batch=1", status=2), "two_sigma_clip_batch",
                          "data.batch_size", "two_sigma_clip")

    def test_what_the_paper_found_useless(self):
        """The forward transform overflows before there is a gradient to scale, to clip or to sum up."""
        make_data(self.folder / "train.pt", scale=1e4)
        words = ("train", "config.yaml", "precision.policy=half", "precision.arithmetic=f16",
                 "model.stabilizer=none")
        for i, useless in enumerate((["precision.loss_scale=1"], ["precision.loss_scale=65536"],
                                     ["opt.grad_clip_norm=5"], ["opt.grad_clip_value=5"],
                                     ["opt.accumulate=3"], ["model.norm=group_norm"],
                                     ["model.stabilizer=relu"])):
            with self.subTest(useless):
                result = self.mpno(*words, *useless, f"output=u{i}", status=1)
                self.assert_error(result, "epoch 1", "block 0: spectrum", "not finite in the forward pass",
                                  "16-bit arithmetic")
        # before the first transform only it is not enough: the skip goes around it
        self.assert_error(self.mpno(*words, "model.stabilizer=tanh", "model.stabilizer_placement=first",
                                    "output=first", status=1), "block 1: spectrum", "not finite in the forward pass")
        for name in ("tanh", "prescale", "softsign", "rms_norm"):
            with self.subTest(name):
                self.mpno(*words, f"model.stabilizer={name}", f"output={name}")


class Metadata(Project):
    def test_state_names_the_stabiliser_of_each_phase(self):
        self.mpno("train", "config.yaml", "opt.n_epochs=4", "precision.policy=schedule", "--json")
        with open(self.folder / "run/last.safetensors", "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            metadata = json.loads(file.read(size))["__metadata__"]
        phases = json.loads(metadata["state"])["phases"]
        self.assertEqual([(each["policy"], each["stabilizer"]) for each in phases],
                         [("mixed", "tanh"), ("fft32", "none"), ("full", "none")])
        config = json.loads(metadata["config"])["model"]
        self.assertEqual((config["stabilizer"], config["stabilizer_placement"]), ("auto", "all"))
        self.assertTrue(load_safetensors(self.folder / "run/last.safetensors"))


if __name__ == "__main__":
    unittest.main()
