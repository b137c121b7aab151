# SPDX-License-Identifier: MIT
"""mpno advise: every policy is tried, what is told fits together, and the recommendation follows from it."""
import math
import unittest

from support import Case, make_data, make_project, tree

POLICIES = ("amp", "half", "fft32", "mixed")
EVERY = [("full", "")] + [(policy, half) for half in ("f16", "bf16") for policy in POLICIES]


class Advise(Case):
    """A trained model of a small project."""

    def setUp(self):
        super().setUp()
        make_project(self.folder)
        self.mpno("train", "config.yaml", "model.hidden_channels=16", "--quiet")

    def trials(self, told):
        return {(trial["policy"], trial["format"]): trial for trial in told["policies"]}

    def test_every_policy_is_tried_and_one_recommended(self):
        before = tree(self.folder)
        result = self.mpno("advise", "run", "--data", "test16.pt", "--json")
        self.assertEqual(tree(self.folder), before)
        told = result.json()
        trials = self.trials(told)
        self.assertEqual(list(trials), EVERY)
        self.assertEqual((told["samples"], told["data"]), (4, "test16.pt"))
        full = trials["full", ""]
        evaluated = self.mpno("eval", "run", "data.test=[test16.pt]", "--json").json()
        self.assertAlmostEqual(full["error"], evaluated["test"]["16"]["l2"], places=6)
        for key, trial in trials.items():
            with self.subTest(trial=key):
                self.assertTrue(trial["finite"])
                self.assertGreater(trial["step_seconds_estimate"], 0)
                self.assertAlmostEqual(trial["error_growth"], trial["error"] / full["error"] - 1, places=9)
                forward = [t for t in trial["tensors"] if "gradient" not in t["role"]]
                self.assertAlmostEqual(trial["headroom"], min(t["headroom"] for t in forward))
                self.assertEqual(trial["lost_to_zero"], sum(t.get("lost_to_zero", 0) for t in forward))
                gradients = [t for t in trial["tensors"] if "gradient" in t["role"]]
                self.assertTrue(gradients and trial["gradients_finite"])
                if key[0] == "full":
                    self.assertNotIn("gradient", trial)
                    self.assertEqual(trial["difference"], 0)
                    continue
                self.assertGreater(trial["difference"], 0)
                self.assertLess(trial["activation_bytes"], full["activation_bytes"])
                self.assertAlmostEqual(trial["gradients_sqnr_db"], min(t["sqnr_db"] for t in gradients))
                layers = {line["layer"]: line for line in trial["gradient"]["layers"]}
                self.assertEqual(list(layers)[0], "lifting")
                self.assertEqual(list(layers)[-1], "projection")
                for line in [trial["gradient"], *layers.values()]:
                    self.assertTrue(0 < line["error"] < 0.5 and 0 < line["angle_degrees"] < 30)
                    # a change of that size turns by no more
                    self.assertLessEqual(line["angle_degrees"], math.degrees(math.asin(line["error"])) * 1.001)
        for policy in POLICIES:  # eight times finer
            ratio = trials[policy, "bf16"]["gradient"]["error"] / trials[policy, "f16"]["gradient"]["error"]
            self.assertTrue(3 < ratio < 20, ratio)
            ratio = trials[policy, "bf16"]["difference"] / trials[policy, "f16"]["difference"]
            self.assertTrue(3 < ratio < 20, ratio)
        best = told["recommendation"]
        chosen = trials[best["policy"], best["format"]]
        self.assertEqual((chosen["objection"], best["format"]), ("", "f16"))
        least = min(trial["activation_bytes"] for trial in trials.values() if not trial["objection"])
        self.assertLessEqual(chosen["activation_bytes"], 1.03 * least)
        self.assertIn("times as large before it leaves f16", best["reason"])
        for word in ("| fft32 ", "head-room", f"gradients of {best['policy']} f16 against full: lifting ", f"recommended: precision.policy={best['policy']} precision.format=f16: "):
            self.assertIn(word, result.err)

    def test_one_format(self):
        result = self.mpno("advise", "run", "--format", "bf16", "--json", "-q")
        self.assertEqual(result.err, "")
        told = result.json()
        self.assertEqual(list(self.trials(told)), [("full", "")] + [(policy, "bf16") for policy in POLICIES])
        self.assertTrue(told["data"].endswith("test8.pt"))

    def test_without_truth(self):
        """Predictions are held to those of full."""
        make_data(self.folder / "inputs.pt", samples=3, grid=8, truth=False)
        result = self.mpno("advise", "run", "--data", "inputs.pt", "--json")
        for trial in result.json()["policies"]:
            self.assertNotIn("error", trial)
            self.assertFalse([t for t in trial["tensors"] if "gradient" in t["role"]])
        self.assertIn("predictions move by", result.json()["recommendation"]["reason"])

    def test_overflow(self):
        """Inputs out of reach of f16: what fails is named and bf16 recommended."""
        make_data(self.folder / "large.pt", samples=3, grid=8, scale=1e7)
        result = self.mpno("advise", "run", "--data", "large.pt", "--json")
        trials = self.trials(result.json())
        for policy in POLICIES:
            trial = trials[policy, "f16"]
            self.assertFalse(trial["finite"])
            self.assertIsNone(trial["difference"])
            self.assertRegex(trial["objection"], r"^overflow: (lifting|block 0), \w+ is not finite$")
            self.assertTrue(trials[policy, "bf16"]["finite"])
            self.assertIn(f"{policy} f16: {trial['objection']}\n", result.err)
        self.assertEqual(result.json()["recommendation"]["format"], "bf16")

    def test_head_room_is_wanted(self):
        """A largest value just below the end of f16 is an objection although everything is finite."""
        scale, left = 1e3, 0.0
        for _ in range(6):
            make_data(self.folder / "near.pt", samples=3, grid=8, scale=scale)
            told = self.mpno("advise", "run", "--data", "near.pt", "--format", "f16", "--json", "-q").json()
            trial = self.trials(told)["mixed", "f16"]
            left = trial["headroom"] if trial["finite"] else 0.5
            if 1 < left < 4:
                break
            scale *= left / 2
        self.assertTrue(1 < left < 4, left)
        self.assertRegex(trial["objection"], r"reaches .* of 65504: a factor of [123]\.\d\d is left|error grows")

    def test_bad_words(self):
        for words, status, fragments in (
                (("--format", "f8"), 2, ("--format", "f8", "f16 or bf16")),
                (("--format",), 2, ("--format", "needs a value")),
                (("--data", "nowhere.pt"), 1, ("nowhere.pt",)),
                (("--data", "config.yaml"), 2, ("config.yaml",)),
                (("--table",), 2, ("--table",)),
                (("data.test=[]",), 2, ("--data FILE", "no test data"))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("advise", "run", *words, status=status), *fragments)
        self.assert_error(self.mpno("advise", "nowhere", status=1), "nowhere")
        self.assert_error(self.mpno("advise", status=2), "CHECKPOINT is missing")


if __name__ == "__main__":
    unittest.main()
