# SPDX-License-Identifier: MIT
"""Whole jobs of the program on a small problem: train, resume, eval, predict, plan, info."""
import csv
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
from xml.etree import ElementTree
from zipfile import ZipFile

from support import (Case, PROGRAM, TIMEOUT, load_safetensors, make_data, make_lines, make_project,
                     tree)


def round_9(value):
    """As metrics.csv writes it: nine digits."""
    return float(f"{value:.9g}")


def model_of(tensors):
    """A checkpoint's weights, without moments and the rest of its state."""
    return {name: tensor for name, tensor in tensors.items()
            if not name.startswith(("optimizer.", "ema."))}


class Project(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def weights(self, run, name="last"):
        return load_safetensors(self.folder / run / f"{name}.safetensors")

    def errors(self, checkpoint, *words):
        """Of those that eval measures the ones that training logs too."""
        sets = self.mpno("eval", checkpoint, *words, "--json").json()["test"]
        return {key: {name: each[name] for name in ("l2", "h1", "mse")} for key, each in sets.items()}

    def metrics(self, run):
        """Rows of metrics.csv as {column: number}."""
        with open(self.folder / run / "metrics.csv", encoding="utf-8") as file:
            return [{key: float(text) for key, text in row.items() if text}
                    for row in csv.DictReader(file)]

    def events(self, run, name):
        """Events of that name in log.jsonl."""
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]


class Formats(Project):
    """Tensors stored otherwise than the policy says."""

    BLOCK = "precision.storage={spectrum: f8e4m3, transform columns: f8e4m3}"

    def test_map_and_text_mean_the_same(self):
        config = (self.folder / "config.yaml").read_text()
        entry = "precision:\n  storage:\n    spectrum: f8e4m3\n    block 1/spectrum: bf16\n"
        (self.folder / "mapped.yaml").write_text(config + entry)
        self.mpno("train", "mapped.yaml", "output=mapped")
        self.mpno("train", "config.yaml", "output=text",
                  "precision.storage=spectrum=f8e4m3, block 1/spectrum=bf16")
        self.mpno("train", "config.yaml", "output=plain")
        self.assertEqual(self.weights("mapped"), self.weights("text"))
        self.assertNotEqual(self.weights("mapped"), self.weights("plain"))

    def test_plan_counts_the_scales(self):
        plan = self.mpno("plan", "config.yaml", self.BLOCK, "--json").json()
        wide = self.mpno("plan", "config.yaml", "precision.policy=full", "--json").json()

        def spectra(of):
            return {(tensor["layer"], tensor["name"]): tensor for tensor in of["phases"][0]["tensors"]
                    if tensor["role"] == "spectrum"}
        narrow, full = spectra(plan), spectra(wide)
        self.assertEqual(sorted(narrow), sorted(full))
        for key, tensor in narrow.items():
            self.assertEqual((tensor["format"], tensor["scaling"]), ("f8e4m3", "block"))
            values = full[key]["bytes"] // 4  # and a byte for each row of fewer than 32 channels
            self.assertGreater(tensor["bytes"], values)
            self.assertLessEqual(tensor["bytes"], values + values // 4)
        self.assertIn("f8e4m3, a scale each block", self.mpno("plan", "config.yaml", self.BLOCK).out)

    def test_seed_of_random_rounding(self):
        words = ("precision.storage=spectrum=f8e4m3, weight copy=bf16",
                 "precision.rounding=stochastic", "opt.state_format=f8e4m3")
        for name, more in {"one": (), "again": ("--threads=1",), "other": ("precision.rounding=nearest",)}.items():
            self.mpno("train", "config.yaml", *words, *more, f"output={name}")
        self.assertEqual(self.weights("one"), self.weights("again"))
        self.assertNotEqual(self.weights("one"), self.weights("other"))

    def test_a_trained_model_in_8_bits(self):
        self.mpno("train", "config.yaml", "precision.policy=full")
        exact = self.errors("run/last.safetensors")
        for scaling in ("tensor", "channel", "shell", "block"):
            narrow = self.errors("run/last.safetensors", self.BLOCK, f"precision.scaling={scaling}")
            for key, each in exact.items():
                self.assertNotEqual(narrow[key]["l2"], each["l2"])
                self.assertLess(abs(narrow[key]["l2"] / each["l2"] - 1), 0.1)


class Train(Project):
    def test_run_folder(self):
        result = self.mpno("train", "config.yaml", "--json")
        run = self.folder / "run"
        self.assertEqual(sorted(path.name for path in run.iterdir()),
                         ["best.safetensors", "config.yaml", "events.out.tfevents.mpno",
                          "last.safetensors", "log.jsonl", "metrics.csv", "report.html", "summary.json"])
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
            text = (self.folder / f"o{i}" / "config.yaml").read_text()
            texts.append(text.replace(f"output: o{i}\n", "output: o\n"))
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


class Optimization(Project):
    """What a run says of rates, clipping, averages and an early end; the numbers: tests/unit/train."""

    def test_rates_of_warm_up_and_schedule(self):
        self.mpno("train", "config.yaml", "opt.scheduler=multistep", "opt.milestones=[2, 3]",
                  "opt.gamma=0.5", "opt.n_epochs=6", "opt.warmup_epochs=2", "opt.warmup_start=0.5")
        rates = [row["learning_rate"] for row in self.metrics("run")]
        for rate, expected in zip(rates, [5e-3, 7.5e-3, 1e-2, 1e-2, 5e-3, 2.5e-3]):
            self.assertAlmostEqual(rate, expected, delta=1e-11)
        self.assertEqual([event["learning_rate"] for event in self.events("run", "epoch")], rates)

    def test_plateau_lowers_the_rate_when_nothing_is_learnt(self):
        self.mpno("train", "config.yaml", "opt.scheduler=plateau", "opt.patience=1",
                  "opt.n_epochs=9", "opt.learning_rate=1e-7", "opt.threshold=0.1")
        rates = [row["learning_rate"] for row in self.metrics("run")]
        # The first epoch sets the mark; then every second one is one too many.
        self.assertEqual(rates, [round_9(1e-7 * 0.5**max(0, (e - 1) // 2)) for e in range(9)])

    def test_clipping_is_counted(self):
        self.mpno("train", "config.yaml", "opt.grad_clip_norm=1e-3")
        events = self.events("run", "epoch")
        self.assertEqual([event["clipped_steps"] for event in events], [2, 2, 2])
        self.assertTrue(all(event["gradient_norm"] > 1e-3 for event in events))
        self.mpno("train", "config.yaml", "opt.grad_clip_norm=1e9", "output=loose")
        self.mpno("train", "config.yaml", "output=plain")
        self.assertEqual([event["clipped_steps"] for event in self.events("loose", "epoch")],
                         [0, 0, 0])
        self.assertEqual(self.weights("loose"), self.weights("plain"))
        self.assertNotIn("gradient_norm", self.events("plain", "epoch")[0])

    def test_a_run_that_ends_early_says_so(self):
        words = ("opt.early_stopping=2", "data.n_validation=4", "opt.learning_rate=0.3",
                 "opt.n_epochs=200", "eval.every=30")
        result = self.mpno("train", "config.yaml", *words)
        summary = json.loads((self.folder / "run/summary.json").read_text())
        best, epochs = summary["best_epoch"], summary["epochs"]
        self.assertTrue(summary["stopped_early"] and epochs == best + 2 < 200, summary)
        self.assertIn(f"stopped early after epoch {epochs}: the weights are those of epoch {best}",
                      result.out)
        (event,) = self.events("run", "early_stop")
        self.assertEqual((event["epoch"], event["best_epoch"]), (epochs, best))
        self.assertEqual(model_of(self.weights("run")), model_of(self.weights("run", "best")))
        self.assertEqual(self.errors("run"), summary["test"])

    def test_falls_too_small_to_count_end_a_run_that_still_gets_better(self):
        summary = self.mpno("train", "config.yaml", "opt.early_stopping=2", "opt.min_delta=10",
                            "data.n_validation=4", "opt.n_epochs=9", "--json").json()
        self.assertEqual((summary["epochs"], summary["best_epoch"]), (3, 3))
        (event,) = self.events("run", "early_stop")
        self.assertEqual((event["epoch"], event["best_epoch"]), (3, 3))

    def test_eval_says_which_weights_it_used(self):
        self.mpno("train", "config.yaml", "opt.ema_decay=0.5")
        result = self.mpno("eval", "run")
        self.assertIn("averaged weights", result.out)
        for words, used in (((), "ema"), (("eval.weights=trained",), "trained")):
            self.assertEqual(self.mpno("eval", "run", *words, "--json").json()["weights"], used)

    def test_states_have_the_names_of_pytorch(self):
        for words, names in ((("opt.optimizer=sgd",), set()),
                             (("opt.optimizer=sgd", "opt.momentum=0.9"), {"momentum_buffer"}),
                             (("opt.optimizer=lion", "opt.ema_decay=0.9"), {"exp_avg"}),
                             (("opt.optimizer=adam", "opt.amsgrad=true"),
                              {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"})):
            run = "-".join(words)
            self.mpno("train", "config.yaml", *words, "opt.n_epochs=1", f"output={run}")
            tensors = self.weights(run)
            found = {name.split(".")[1] for name in tensors if name.startswith("optimizer.")}
            self.assertEqual(found, names)
            averages = sum(name.startswith("ema.") for name in tensors)
            weights = sum(not name.startswith(("ema.", "optimizer.")) for name in tensors)
            self.assertEqual(averages, weights if "opt.ema_decay=0.9" in words else 0)


class NotFinite(Project):
    """Numbers that f16 cannot hold: a run that stops in words, or steps that are skipped."""

    def test_inputs_too_large_for_f16(self):
        make_data(self.folder / "train.pt", scale=1e6)
        for policy, layer, tensor in (("half", "block 0", "spectrum"),
                                      ("mixed", "lifting", "lifted")):
            words = ("train", "config.yaml", f"output={policy}", f"precision.policy={policy}")
            result = self.mpno(*words, status=1)
            self.assert_error(result, "epoch 1", f"{layer}: {tensor}", "stored as f16",
                              "not finite in the forward pass", "bf16", "precision.format",
                              "data.encode_input")
            self.assertNotIn("checkpoint is kept", result.err)
            (event,) = self.events(policy, "failed")
            self.assertEqual(event["epoch"], 1)
            self.assertIn(f"{layer}: {tensor}", event["reason"])
            # What the sentence says to try does help, in the same folder.
            self.mpno(*words, "data.encode_input=true")
            self.mpno(*words, "precision.format=bf16", "output=bf16")
            self.assertTrue((self.folder / "bf16/summary.json").is_file())
            for path in (self.folder / "bf16").iterdir():
                path.unlink()

    def test_sums_of_16_bit_transforms_overflow_before_they_are_scaled(self):
        """As in the paper: without a stabiliser transforms in f16 overflow where storing in f16 does not."""
        make_data(self.folder / "train.pt", scale=1e4)
        words = ("train", "config.yaml", "precision.policy=half")
        self.mpno(*words, "output=stored")
        result = self.mpno(*words, "precision.arithmetic=f16", "output=rounded", status=1)
        self.assert_error(result, "epoch 1", "block 0: spectrum", "not finite in the forward pass",
                          "16-bit arithmetic", "precision.arithmetic full")
        self.mpno(*words, "precision.arithmetic=f16", "model.stabilizer=tanh", "output=tanh")
        self.mpno(*words, "precision.arithmetic=bf16", "output=bf16")
        self.assertNotEqual(self.errors("stored"), self.errors("bf16"))
        plan = self.mpno("plan", "config.yaml", "precision.policy=half", "precision.arithmetic=f16")
        self.assertIn("transform input", plan.out)

    def test_last_checkpoint_is_kept(self):
        """One step of a rate beyond reason; the next forward pass finds what it did."""
        words = ("precision.policy=half", "opt.learning_rate=1e3", "data.batch_size=16",
                 "eval.every=100", "opt.n_epochs=9")
        result = self.mpno("train", "config.yaml", *words, status=1)
        self.assert_error(result, "epoch 2", "block 0", "model.stabilizer tanh", "opt.learning_rate",
                          "the last checkpoint is kept")
        self.assertEqual(len(self.events("run", "failed")), 1)
        self.assertEqual(len(self.metrics("run")), 1)
        self.assertFalse((self.folder / "run/summary.json").exists())
        self.assertTrue(self.mpno("info", "run", "--json").json())
        before = self.weights("run")
        self.assert_error(self.mpno("train", "config.yaml", *words, "--resume", status=1), "epoch 2")
        self.assertEqual(self.weights("run"), before)

    def test_loss_scale_too_large_is_halved_until_it_fits(self):
        largest = 2.0**24
        summary = self.mpno("train", "config.yaml", "precision.policy=mixed", "opt.n_epochs=30",
                            f"precision.loss_scale={largest:.0f}", "--json").json()
        skips, rows = self.events("run", "skipped_step"), self.metrics("run")
        self.assertGreater(len(skips), 2)
        self.assertEqual(summary["skipped_steps"], len(skips))
        self.assertEqual(summary["steps"] + len(skips), 2 * 30)
        self.assertEqual([event["new_loss_scale"] for event in skips],
                         [largest / 2**(i + 1) for i in range(len(skips))])
        self.assertEqual(rows[-1]["skipped_steps"], len(skips))
        self.assertEqual(rows[-1]["loss_scale"], largest / 2**len(skips))
        # Both steps of the first epoch were skipped: nothing was learnt. Later all was.
        self.assertEqual(rows[0]["train_loss"], rows[1]["train_loss"])
        self.assertLess(rows[-1]["train_loss"], 0.5 * rows[0]["train_loss"])


class Data(Project):
    """Sets of data: several of a kind, other dimensions, validation."""

    def test_two_test_files_of_one_resolution(self):
        make_data(self.folder / "more.pt", samples=3, grid=8, seed=9)
        files = "data.test=[test8.pt, more.pt, test16.pt, test8.pt]"
        summary = self.mpno("train", "config.yaml", files, "--json").json()
        test = summary["test"]
        self.assertEqual(list(test), ["8", "8#2", "16", "8#3"])
        self.assertEqual(test["8"], test["8#3"])
        self.assertEqual(self.errors("run", "data.test=[more.pt]"), {"8": test["8#2"]})
        self.assertNotEqual(test["8"], test["8#2"])
        self.assertEqual(self.metrics("run")[-1]["test_8#2_l2"], round_9(test["8#2"]["l2"]))

    def test_lines_of_several_channels(self):
        for channels in ((1, 1), (2, 3)):
            make_lines(self.folder / "train.pt", channels=channels)
            make_lines(self.folder / "test8.pt", 4, 8, 2, channels)
            make_lines(self.folder / "test16.pt", 4, 16, 3, channels)
            run = f"lines{channels[0]}"
            summary = self.mpno("train", "config.yaml", "model.n_modes=[4]", f"output={run}",
                                "opt.n_epochs=60", "--json").json()
            self.assertLess(summary["test"]["16"]["l2"], 0.12)
            self.mpno("predict", run, "test16.pt", "-o", "y.safetensors", "--pictures", "pictures")
            shape = load_safetensors(self.folder / "y.safetensors")["y"][1]
            self.assertEqual(math.prod(shape), 4 * channels[1] * 16)
            self.mpno("plan", "config.yaml", "model.n_modes=[4]")

    def check_best(self, *words):
        """Trains at a rate at which the error goes up and down; gives the summary."""
        summary = self.mpno("train", "config.yaml", "opt.learning_rate=0.3", "opt.n_epochs=12",
                            *words, "--json").json()
        errors = [row["validation_l2"] for row in self.metrics("run")]
        best = errors.index(min(errors))
        self.assertLess(best, 11, "the error never went up: nothing is tested")
        self.assertEqual(summary["best_epoch"], best + 1)
        self.assertNotEqual(self.weights("run", "best"), self.weights("run"))
        return errors

    def test_several_resolutions(self):
        """What the plan adds up for two resolutions is what the run takes; the losses are told one by one."""
        words = ("config.yaml", "output=two", "data.train_subsampling=[1, 2]", "model.n_modes=[2, 2]")
        plan = self.mpno("plan", *words, "--json").json()
        self.assertEqual(plan["grids"], ["8", "4"])
        one = self.mpno("plan", "config.yaml", "model.n_modes=[2, 2]", "--json").json()
        self.assertGreater(plan["policies"]["full"]["training"]["peak_bytes"],
                           one["policies"]["full"]["training"]["peak_bytes"])
        summary = self.mpno("train", *words, "--json").json()
        self.assertLess(abs(summary["peak_bytes"] / plan["policies"]["full"]["run_peak_bytes"] - 1), 0.1)
        events = [json.loads(line) for line in (self.folder / "two/log.jsonl").read_text().splitlines()]
        last = [event for event in events if event["event"] == "epoch"][-1]
        self.assertEqual(sorted(last["train"]), ["4", "8"])
        self.assertAlmostEqual(sum(last["train"].values()) / 2, last["train_loss"], places=12)
        header = (self.folder / "two/metrics.csv").read_text().splitlines()[0]
        self.assertIn("train_loss,train_8_loss,train_4_loss,", header)

    def test_best_by_a_validation_file(self):
        make_data(self.folder / "held.pt", samples=5, grid=12, seed=8)
        errors = self.check_best("data.validation=held.pt")
        for name, expected in (("best", min(errors)), ("last", errors[-1])):
            result = self.mpno("eval", f"run/{name}.safetensors", "data.test=[held.pt]", "--json")
            self.assertEqual(round_9(result.json()["test"]["12"]["l2"]), expected)

    def test_best_by_a_part_of_the_training_data(self):
        errors = self.check_best("data.n_validation=4")
        # The same weights come from the first twelve samples alone.
        self.mpno("train", "config.yaml", "opt.learning_rate=0.3", "opt.n_epochs=12",
                  "data.n_train=12", "output=twelve")
        self.assertEqual(model_of(self.weights("twelve")), model_of(self.weights("run")))
        self.assertNotIn("validation_l2", self.metrics("twelve")[0])
        self.assertEqual(model_of(self.weights("twelve", "best")), model_of(self.weights("run")))
        self.assertNotEqual(min(errors), errors[-1])


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

    def test_statistics_and_dropout_resume_with_the_same_bits(self):
        words = ("model.norm=batch_norm", "model.channel_mlp_dropout=0.2", "opt.t_max=6")
        self.mpno("train", "config.yaml", *words, "opt.n_epochs=6", "output=whole")
        self.mpno("train", "config.yaml", *words, "opt.n_epochs=6", "output=other", "seed=4")
        self.mpno("train", "config.yaml", *words, "opt.n_epochs=2", "output=parts")
        self.mpno("train", "config.yaml", *words, "opt.n_epochs=6", "output=parts", "--resume")
        whole = self.weights("whole")
        self.assertEqual(whole, self.weights("parts"))
        self.assertNotEqual(whole, self.weights("other"))
        name = "fno_blocks.norm.0.norm.num_batches_tracked"
        self.assertEqual(struct.unpack("<f", whole[name][2]), (12,))

    def test_resume_of_a_finished_run_changes_no_weight(self):
        self.mpno("train", "config.yaml")
        before = self.weights("run")
        self.mpno("train", "config.yaml", "--resume")
        self.assertEqual(self.weights("run"), before)


class Terminal(Project):
    """The program on a pseudo-terminal, whose window changes while it runs."""

    def watch(self, widths):
        """The last 20 lines under each width in turn. Lines of the width before may still come out of the
        terminal's buffer first (4 KiB); after 64 KiB the program has had its chance."""
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
            text, last = b"", []
            while len(last) < 20 or max(map(len, last)) > width:
                ready, _, _ = select.select([master], [], [], TIMEOUT)
                self.assertTrue(ready, "the program has stopped writing")
                self.assertLess(len(text), 1 << 16, f"lines are wider than {width}: {last}")
                text += os.read(master, 4096)
                last = self.lines(text)[-20:]
            texts.append(last)
        os.close(slave)
        return texts

    @staticmethod
    def lines(text):
        """Whole lines of progress, rewritten ones (after a carriage return) and those that end an epoch."""
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text.decode(errors="replace"))
        return [line for line in re.split(r"[\r\n]", text)[:-1] if line.startswith("epoch")]

    def test_progress_line_keeps_to_the_width(self):
        wide, narrow = self.watch((100, 50))
        self.assertGreater(max(map(len, wide)), 50)
        self.assertLessEqual(max(map(len, wide)), 100)
        self.assertLessEqual(max(map(len, narrow)), 50)


class Use(Project):
    def setUp(self):
        super().setUp()
        self.summary = self.mpno("train", "config.yaml", "opt.n_epochs=10", "--json").json()

    def test_eval_repeats_the_errors_of_the_run(self):
        before = tree(self.folder)
        for checkpoint in ("run", "run/last.safetensors"):
            self.assertEqual(self.errors(checkpoint), self.summary["test"])
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
        plan = self.mpno("plan", "config.yaml", "--json").json()
        for kind in ("training", "inference"):
            for policy, layers in plan[f"{kind}_layers"].items():
                need = plan["policies"][policy][kind]
                self.assertEqual(sum(layer["parameters"] for layer in layers), plan["parameters"])
                self.assertEqual(sum(layer["state_bytes"] for layer in layers), need["state_bytes"])
                self.assertAlmostEqual(sum(layer["flops"] for layer in layers), need["flops"], delta=1)
                for layer in layers:
                    self.assertLessEqual(layer["activation_bytes"], need["activation_bytes"])
        self.assertEqual(tree(self.folder), before)

    def test_plan_draws_the_memory_over_the_steps(self):
        result = self.mpno("plan", "config.yaml", "--svg", "memory.svg", "precision.policy=mixed")
        self.assertEqual(result.out.count(" peak\n"), 1)
        self.assertRegex(result.out, r"the peak, [\d.]+ KiB at step \d+, is made by")
        self.assertRegex(result.out, r"estimated: \S+ \S+ a step \(forward ")
        self.assertIn("memory.svg", result.out)
        root = ElementTree.parse(self.folder / "memory.svg").getroot()
        self.assertTrue(root.tag.endswith("}svg"))
        plan = self.mpno("plan", "config.yaml", "precision.policy=mixed", "--json").json()
        phase, = plan["phases"]
        texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("}title")]
        for tensor in phase["tensors"]:
            self.assertTrue(any(f"{tensor['layer']}: {tensor['name']}"[:70] in text for text in texts)
                            or tensor["bytes"] * 1000 < phase["activation_bytes"], tensor)
        self.assertEqual(max(step["live_bytes"] for step in phase["steps"]), phase["lower_bound_bytes"])
        self.assertLessEqual(phase["activation_bytes"], 1.1 * phase["lower_bound_bytes"])
        self.assertAlmostEqual(sum(step["seconds"] for step in phase["steps"]), phase["seconds"],
                               delta=0.2 * phase["seconds"])
        self.assertEqual({step["pass"] for step in phase["steps"]}, {"forward", "backward"})
        result = self.mpno("plan", "config.yaml", "--svg", "nowhere/memory.svg", status=1)
        self.assert_error(result, "nowhere/memory.svg")

    def test_plan_divides_batches_as_training_does(self):
        make_data(self.folder / "train.pt", samples=16, grid=32, seed=1)
        words = ("config.yaml", "data.batch_size=16", "model.hidden_channels=16", "data.test=[]")
        plan = self.mpno("plan", *words, "--json").json()
        most = plan["policies"]["full"]["run_peak_bytes"]
        for limit in (0.6, 0.8, 1.1):
            limit = f"memory_limit={int(limit * most)}B"
            plan = self.mpno("plan", *words, limit, "--json").json()
            self.mpno("train", *words, limit, f"output={limit}", "opt.n_epochs=1", "report.html=false")
            phase, = self.events(limit, "phase")
            self.assertAlmostEqual(plan["phases"][0]["micro_batch"], phase["micro_batch"], delta=1)
        result = self.mpno("plan", "config.yaml", "memory_limit=90KiB", status=2)
        self.assert_error(result, "memory_limit is 90.0 KiB", "one sample at a time")
        for parts in (1, 3):
            plan = self.mpno("plan", "config.yaml", f"micro_batch={parts}", "--json").json()
            self.assertEqual(plan["phases"][0]["micro_batch"], parts)

    def test_operations_are_those_counted_by_hand(self):
        """One block on 8 x 8 points, 2 modes a axis, 4 channels, 3 samples, without MLP and skips."""
        words = ("model.n_modes=[2, 2]", "model.n_layers=1", "model.use_channel_mlp=false",
                 "model.fno_skip=none", "model.positional_embedding=none", "data.batch_size=3",
                 "data.test_batch_size=3", "precision.policy=full")
        plan = self.mpno("plan", "config.yaml", *words, "--json").json()
        rows = 3 * 64
        layers = {layer["layer"]: layer["flops"] for layer in plan["inference_layers"]["full"]}
        for layer in ("lifting", "projection"):  # 1 -> 8 -> 4 channels and back; a GELU counts 20 a value
            self.assertEqual(layers[layer], rows * (2 * (1 * 8 + 8 * 4) + 20 * 8))
        # 2 x 2 kept modes, 8 operations a complex product: of all pairs of channels, of each with itself
        plan = self.mpno("plan", "config.yaml", *words, "model.separable=true", "--json").json()
        apart = {layer["layer"]: layer["flops"] for layer in plan["inference_layers"]["full"]}
        self.assertEqual(layers["block 0"] - apart["block 0"], 8 * 2 * 2 * 3 * (4 * 4 - 4))


if __name__ == "__main__":
    unittest.main()
