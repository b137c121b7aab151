# SPDX-License-Identifier: MIT
"""Whole jobs of the program on a small problem: train, resume, eval, predict, plan, info."""
import fcntl
import json
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import unittest
from zipfile import ZipFile

from support import Case, PROGRAM, TIMEOUT, load_safetensors, make_data, make_project, tree


class Project(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def weights(self, run):
        return load_safetensors(self.folder / run / "last.safetensors")


class Train(Project):
    def test_run_folder(self):
        result = self.mpno("train", "config.yaml", "--json")
        run = self.folder / "run"
        self.assertEqual(sorted(path.name for path in run.iterdir()),
                         ["best.safetensors", "config.yaml", "last.safetensors", "log.jsonl",
                          "metrics.csv", "summary.json"])
        summary = json.loads((run / "summary.json").read_text())
        self.assertEqual(summary, result.json())
        self.assertEqual(result.out.count("\n"), 1)
        self.assertEqual(sorted(summary["test"]), ["16", "8"])
        for errors in summary["test"].values():
            self.assertTrue(0 < errors["l2"] < 10 and 0 < errors["h1"] < 10, errors)
        self.assertGreater(summary["seconds_per_epoch"], 0)
        self.assertGreater(summary["peak_bytes"], 0)
        self.assertEqual(len((run / "metrics.csv").read_text().splitlines()), 1 + 3)
        for line in (run / "log.jsonl").read_text().splitlines():
            json.loads(line)

    def test_resolved_configuration_comes_first_and_trains_the_same(self):
        text = self.mpno("train", "config.yaml").out
        self.assertLess(text.index("weight_decay:"), text.index("epoch 1/3"))
        self.assertNotIn("\r", text)
        self.mpno("train", "run/config.yaml", "output=again", folder=self.folder)
        self.assertEqual(self.weights("run"), self.weights("again"))

    def test_learning_goes_somewhere(self):
        few = self.mpno("train", "config.yaml", "opt.n_epochs=1", "--json").json()
        many = self.mpno("train", "config.yaml", "opt.n_epochs=40", "output=many", "--json").json()
        self.assertLess(many["test"]["8"]["l2"], 0.7 * few["test"]["8"]["l2"])

    def test_spellings_of_an_override(self):
        texts = []
        for i, words in enumerate((["--opt.learning_rate=5e-3"], ["--opt.learning_rate", "5e-3"],
                                   ["opt.learning_rate=5e-3"],
                                   ["opt.learning_rate=1", "opt.learning_rate=0.005"])):
            self.mpno("train", "config.yaml", *words, f"output=o{i}", "opt.n_epochs=1")
            texts.append((self.folder / f"o{i}" / "config.yaml").read_text().replace(f"o{i}", "o"))
        self.assertRegex(texts[0], r"learning_rate: (5e-3|0\.005)\b")
        self.assertEqual(len(set(texts)), 1)

    def test_same_seed_same_bits_on_any_number_of_threads(self):
        for threads in (1, 2, 5):
            self.mpno("train", "config.yaml", f"output=t{threads}", "--threads", threads)
        self.assertEqual(self.weights("t1"), self.weights("t2"))
        self.assertEqual(self.weights("t1"), self.weights("t5"))
        self.mpno("train", "config.yaml", "output=other", "seed=4")
        self.assertNotEqual(self.weights("t1"), self.weights("other"))

    def test_every_policy_trains(self):
        for policy in ("amp", "half", "fft32", "mixed", "schedule"):
            for form in ("f16", "bf16"):
                summary = self.mpno("train", "config.yaml", f"output={policy}-{form}", "--json",
                                    f"precision.policy={policy}", f"precision.format={form}",
                                    "opt.n_epochs=4").json()
                self.assertTrue(0 < summary["test"]["8"]["l2"] < 10, summary)

    def test_trains_in_f64(self):
        self.mpno("train", "config.yaml", "precision.policy=f64")
        self.assertIn("F64", {dtype for dtype, _, _ in self.weights("run").values()})

    def test_run_from_another_folder(self):
        (self.folder / "elsewhere").mkdir()
        self.mpno("train", "../config.yaml", "opt.n_epochs=1", folder=self.folder / "elsewhere")
        self.assertTrue((self.folder / "elsewhere/run/last.safetensors").is_file())


class Interruption(Project):
    WORDS = ("opt.n_epochs=400", "eval.every=100", "checkpoint.every=1000",
             "precision.policy=schedule", "opt.scheduler=cosine")

    def start(self, *words):
        return subprocess.Popen([PROGRAM, "train", "config.yaml", *self.WORDS, *words],
                                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def test_stopped_and_resumed_equals_never_stopped(self):
        self.mpno("train", "config.yaml", *self.WORDS, "output=whole")
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.start("output=parts") as process:
                for line in process.stdout:
                    if re.search(r"epoch\s+\d", line):
                        break
                process.send_signal(number)
                process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 130)
            self.assertTrue((self.folder / "parts/last.safetensors").is_file())
            self.mpno("train", "config.yaml", *self.WORDS, "output=parts", "--resume")
            self.assertEqual(self.weights("whole"), self.weights("parts"))
            for path in (self.folder / "parts").iterdir():
                path.unlink()

    def test_resume_of_a_finished_run_changes_no_weight(self):
        self.mpno("train", "config.yaml")
        before = self.weights("run")
        self.mpno("train", "config.yaml", "--resume")
        self.assertEqual(self.weights("run"), before)


class Terminal(Project):
    """The program on a pseudo-terminal, whose window changes while it runs."""

    def watch(self, widths):
        """Gives what was written under each width in turn; a width ends with its 20th rewritten line."""
        try:
            master, slave = pty.openpty()
        except OSError:
            self.skipTest("this system has no pseudo-terminals (bare chroot)")
        self.addCleanup(os.close, master)
        texts = []
        process = None
        for width in widths:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
            if not process:
                process = subprocess.Popen([PROGRAM, "train", "config.yaml", "opt.n_epochs=100000",
                                            "checkpoint.every=100000", "eval.every=100000"],
                                           cwd=self.folder, stdin=slave, stdout=slave, stderr=slave)
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
            texts.append(b"")
            while texts[-1].count(b"\r") - texts[-1].count(b"\r\n") < 20:
                ready, _, _ = select.select([master], [], [], TIMEOUT)
                self.assertTrue(ready, "the program has stopped writing")
                texts[-1] += os.read(master, 4096)
        os.close(slave)
        return texts

    def test_progress_line_keeps_to_the_width(self):
        wide, narrow = self.watch((100, 50))
        for text, width, skip in ((wide, 100, 0), (narrow, 50, 3)):
            text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text.decode(errors="replace"))
            lines = [line for line in text.replace("\r\n", "\n").split("\n") if "\r" in line]
            parts = [part for line in lines for part in line.split("\r")][skip:-1]
            self.assertGreater(len(parts), 5)
            self.assertLessEqual(max(map(len, parts)), width)
        self.assertGreater(max(len(part) for part in wide.decode(errors="replace").split("\r")), 50)


class Use(Project):
    def setUp(self):
        super().setUp()
        self.summary = self.mpno("train", "config.yaml", "opt.n_epochs=10", "--json").json()

    def test_eval_repeats_the_errors_of_the_run(self):
        before = tree(self.folder)
        for checkpoint in ("run", "run/last.safetensors"):
            self.assertEqual(self.mpno("eval", checkpoint, "--json").json()["test"],
                             self.summary["test"])
        self.assertEqual(tree(self.folder), before)

    def test_eval_of_other_data_and_formats(self):
        make_data(self.folder / "other.pt", samples=3, grid=12, seed=9)
        other = self.mpno("eval", "run", "data.test=[other.pt]", "--json").json()["test"]
        self.assertEqual(list(other), ["12"])
        half = self.mpno("eval", "run", "precision.policy=half", "--json").json()["test"]["8"]["l2"]
        full = self.summary["test"]["8"]["l2"]
        self.assertNotEqual(half, full)
        self.assertLess(abs(half - full), 0.02 * full)

    def test_prediction_has_the_error_that_eval_says(self):
        self.mpno("predict", "run", "test16.pt", "-o", "y.safetensors", "--pictures", "pictures")
        dtype, shape, data = load_safetensors(self.folder / "y.safetensors")["y"]
        self.assertEqual(dtype, "F32")
        self.assertEqual(math.prod(shape), 4 * 16 * 16)
        y = struct.unpack(f"<{len(data) // 4}f", data)
        with ZipFile(self.folder / "test16.pt") as archive:
            truth = struct.unpack(f"<{4 * 256}f", archive.read("data/data/1"))
        errors = []
        for s in range(4):
            a, b = y[256 * s:256 * (s + 1)], truth[256 * s:256 * (s + 1)]
            errors.append(math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b)) / sum(q * q for q in b)))
        expected = self.summary["test"]["16"]["l2"]
        self.assertAlmostEqual(sum(errors) / 4, expected, delta=1e-5 * expected)
        pictures = sorted((self.folder / "pictures").glob("*.png"))
        self.assertTrue(pictures)
        for picture in pictures:
            self.assertEqual(picture.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_prediction_without_truth(self):
        make_data(self.folder / "new.pt", samples=2, grid=16, seed=3, truth=False)
        words = ("--pictures", "pictures", "--json")
        result = self.mpno("predict", "run", "new.pt", "-o", "new.safetensors", *words).json()
        self.assertNotIn("errors", result)
        widths = {}
        for name in ("new", "test16"):
            self.mpno("predict", "run", f"{name}.pt", "-o", f"{name}.safetensors", *words)
            picture = (self.folder / "pictures/sample_0001.png").read_bytes()
            widths[name] = struct.unpack(">I", picture[16:20])[0]
        self.assertLess(widths["new"], widths["test16"])

    def test_info_names_the_tensors(self):
        text = self.mpno("info", "run/last.safetensors").out
        self.assertIn("fno_blocks.convs.0.weight", text)
        text = self.mpno("info", "train.pt").out
        self.assertRegex(text, r"16[^\n]*8[^\n]*8")
        for path in ("run/best.safetensors", "test8.pt"):
            self.assertIsInstance(self.mpno("info", path, "--json").json(), dict)


class Plan(Project):
    def test_plan_writes_nothing_and_names_every_policy(self):
        before = tree(self.folder)
        result = self.mpno("plan", "config.yaml")
        for policy in ("full", "amp", "half", "fft32", "mixed"):
            self.assertIn(policy, result.out)
        self.assertIsInstance(self.mpno("plan", "config.yaml", "--json").json(), dict)
        self.assertEqual(tree(self.folder), before)


if __name__ == "__main__":
    unittest.main()
