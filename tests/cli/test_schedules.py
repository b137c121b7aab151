# SPDX-License-Identifier: MIT
"""Schedules of precision: phases in epochs, steps and fractions, stabilisers that fade, precision that rises by itself."""
import json
import unittest

from support import rewrite_header
from test_training import Project


class Phases(Project):
    """16 samples in batches of 8: two steps an epoch."""

    def phases(self, run):
        return [(event["epoch"], event["step"], event["policy"], event["stabilizer"], event.get("blend"))
                for event in self.events(run, "phase")]

    def train(self, run, *words, status=0):
        return self.mpno("train", "config.yaml", "opt.t_max=6", *words, f"output={run}", status=status)

    def setUp(self):
        super().setUp()
        self.train("probe", "opt.n_epochs=1")
        self.steps = json.loads((self.folder / "probe/summary.json").read_text())["steps"]

    def stopped_and_resumed(self, *words):
        """One run of four epochs, and one that stops after each."""
        self.train("whole", "opt.n_epochs=4", *words)
        for epoch in range(1, 5):
            self.train("parts", f"opt.n_epochs={epoch}", *words, *(["--resume"] if epoch > 1 else []))
        self.assertEqual(self.weights("whole"), self.weights("parts"))


class Schedules(Phases):
    def test_phases_in_epochs_and_steps(self):
        words = ("precision.policy=schedule", "precision.phases=mixed/softsign:1ep,fft32:1st,half/rms_norm:3st,full")
        self.stopped_and_resumed(*words)
        n = self.steps
        self.assertEqual(self.phases("whole"), [
            (1, 0, "mixed", "softsign", None), (2, n, "fft32", "none", None),
            (1 + (n + 1) // n, n + 1, "half", "rms_norm", None), (1 + (n + 4) // n, n + 4, "full", "none", None)])
        # the same as a list, and every phase counts
        self.train("list", "opt.n_epochs=4", words[0],
                   "precision.phases=[{policy: mixed, epochs: 1, stabilizer: softsign}, {policy: fft32, steps: 1}, "
                   "{policy: half, steps: 3, stabilizer: rms_norm}, {policy: full}]")
        self.assertEqual(self.weights("whole"), self.weights("list"))
        self.train("other", "opt.n_epochs=4", words[0], "precision.phases=mixed/softsign:1ep,fft32:1st,half/rms_norm:2st,full")
        self.assertNotEqual(self.weights("whole"), self.weights("other"))

    def test_plan_says_when(self):
        plan = self.mpno("plan", "config.yaml", "opt.n_epochs=4", "precision.policy=schedule",
                         "precision.phases=mixed:1ep,fft32:1st,full").out
        for text in ("under mixed, epochs 1 to 1", "under fft32, from epoch 2 + 0 steps on to epoch 2 + 1 steps",
                     "under full, from epoch 2 + 1 steps on"):
            self.assertIn(text, plan)
        self.assertIn("under fft32, a level", self.mpno("plan", "config.yaml", "precision.policy=adaptive").out)

    def test_phases_count_steps_not_batches(self):
        self.train("run", "opt.n_epochs=3", "opt.accumulate=2", "precision.policy=schedule",
                   "precision.phases=half:1st,full")
        self.assertEqual([phase[1:3] for phase in self.phases("run")], [(0, "half"), (1, "full")])

    def test_evaluation_is_that_of_the_phase_at_the_end(self):
        self.train("run", "opt.n_epochs=1", "precision.policy=schedule", "precision.phases=half:1st,mixed/softsign")
        report = self.mpno("eval", "run", "--json").json()
        self.assertEqual((report["policy"], report["stabilizer"]), ("mixed", "softsign"))
        summary = json.loads((self.folder / "run/summary.json").read_text())
        self.assertEqual(self.errors("run"), summary["test"])

    def test_a_stabiliser_fades(self):
        words = ("precision.policy=schedule", "precision.phases=mixed:3ep,fft32")
        self.stopped_and_resumed(*words, "precision.blend=2")
        blends = [phase[4] for phase in self.phases("whole")]
        self.assertEqual([round(blend or 0, 9) for blend in blends], [0, round(1 / 3, 9), round(2 / 3, 9), 0])
        self.train("hard", "opt.n_epochs=4", *words)
        self.assertNotEqual(self.weights("whole"), self.weights("hard"))
        # a checkpoint from the middle is used as it was trained
        self.train("half", "opt.n_epochs=3", *words, "precision.blend=2", "precision.phases=mixed:3ep,fft32:1ep")
        self.assertEqual(self.errors("half"), json.loads((self.folder / "half/summary.json").read_text())["test"])
        self.assert_error(self.mpno("export", "half", "-o", "half.pt", status=1), "tanh", "safetensors")

    def test_bad_schedules(self):
        for text, fragment in (("mixed:10xx,full", "length"), ("mixed:0ep,full", "whole number"),
                               ("mixed:1.5st,full", "whole number"), ("mixed/tan:1ep,full", "no stabiliser 'tan'"),
                               ("mixed/learned_tanh:1ep,full", "learned_tanh"), ("mixed:2ep", "leave the length"),
                               ("mixed,full:1ep", "only the last"), ("mixed:0.7,half:0.7,full", "fractions sum"),
                               ("[{policy: full, epochs: 1, steps: 2}]", "at most one of")):
            with self.subTest(text):
                self.assert_error(self.train("bad", "precision.policy=schedule", f"precision.phases={text}", status=2),
                                  "precision.phases", fragment)
        self.assert_error(self.train("bad", "precision.blend=3", status=2), "precision.blend")
        self.assert_error(self.train("bad", "precision.policy=adaptive", "precision.phases=mixed:1ep,full", status=2),
                          "no lengths")
        self.assert_error(self.train("bad", "precision.policy=schedule", "precision.phases=mixed/tanh:1ep,full",
                                     "model.stabilizer=learned_tanh", status=2), "learned_tanh")


class Adaptive(Phases):
    WORDS = ("precision.policy=adaptive", "precision.interval=1")

    def test_precision_rises_when_its_error_counts(self):
        for measure in ("prediction", "gradient"):
            with self.subTest(measure):
                run = f"low-{measure}"
                words = (*self.WORDS, "opt.n_epochs=4", f"precision.measure={measure}")
                self.train(run, *words, "precision.fraction=1e-9")
                self.assertEqual([event["policy"] for event in self.events(run, "precision")], ["fft32", "full"])
                self.assertEqual([(phase[0], phase[2]) for phase in self.phases(run)],
                                 [(1, "mixed"), (2, "fft32"), (3, "full")])
                self.assertTrue(all(event["raised"] and event["error"] > 0 for event in self.events(run, "precision")))
                self.assertEqual(self.mpno("eval", run, "--json").json()["policy"], "full")
                run = f"high-{measure}"
                self.train(run, *words, "precision.fraction=1e9")
                decisions = self.events(run, "precision")
                self.assertEqual([(event["epoch"], event["policy"], event["raised"]) for event in decisions],
                                 [(epoch, "mixed", False) for epoch in (2, 3, 4)])
                self.assertTrue(all(0 < event["share"] < 1 for event in decisions))
                self.assertEqual(self.errors(run), json.loads((self.folder / run / "summary.json").read_text())["test"])

    def test_resumed_runs_decide_alike(self):
        levels = "precision.phases=mixed/prescale,full"
        self.train("once", *self.WORDS, "opt.n_epochs=4", "precision.fraction=1e9", levels)
        shares = [event["share"] for event in self.events("once", "precision")]
        self.stopped_and_resumed(*self.WORDS, f"precision.fraction={max(shares) * 0.999}", levels)
        self.assertEqual([{**event, "time": 0} for event in self.events("whole", "precision")],
                         [{**event, "time": 0} for event in self.events("parts", "precision")])
        self.assertEqual(self.phases("whole"), self.phases("parts"))
        self.assertEqual(len(self.phases("whole")), 2)
        self.train("t1", *self.WORDS, "opt.n_epochs=3", "precision.fraction=1e-9", "--threads", "1")
        self.train("t2", *self.WORDS, "opt.n_epochs=3", "precision.fraction=1e-9", "--threads", "2")
        self.assertEqual(self.weights("t1"), self.weights("t2"))

    def test_intervals_are_steps(self):
        self.train("run", "precision.policy=adaptive", "opt.n_epochs=6", "precision.fraction=1e9",
                   f"precision.interval={2 * self.steps - 1}")
        self.assertEqual([event["epoch"] for event in self.events("run", "precision")], [3, 5])
        self.train("rare", "precision.policy=adaptive", "opt.n_epochs=3", "precision.fraction=1e-9")
        self.assertEqual(self.events("rare", "precision"), [])  # 50 steps are more than there are

    def test_a_level_that_is_none(self):
        """A checkpoint with the right checksum, but a level that is not among those of the run."""
        def move(to):
            def change(header):
                state = json.loads(header["__metadata__"]["state"])
                header["__metadata__"]["state"] = json.dumps({**state, "level": to})
            return change
        words = (*self.WORDS, "precision.phases=mixed,full", "precision.fraction=1e9")
        self.train("run", *words, "opt.n_epochs=1")
        path = self.folder / "run/last.safetensors"
        whole = path.read_bytes()
        for level in (2, 2**40):
            path.write_bytes(whole)
            rewrite_header(path, move(level))
            for result in (self.train("run", *words, "opt.n_epochs=2", "--resume", status=1),
                           self.mpno("eval", "run", status=1)):
                self.assert_error(result, "last.safetensors", f"level = {level}", "2 levels", "precision.phases")
        path.write_bytes(whole)
        rewrite_header(path, move(1))
        self.assertEqual(self.mpno("eval", "run", "--json").json()["policy"], "full")


if __name__ == "__main__":
    unittest.main()
