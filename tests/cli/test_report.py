# SPDX-License-Identifier: MIT
"""What a run leaves for people to look at: TensorBoard events, decoded by a reader written from the description of the
format, and the report."""
import base64
import json
import math
import re
import shutil
import signal
import struct
import subprocess
import unittest
from html.parser import HTMLParser

from support import PROGRAM, TIMEOUT, CONFIG, Case, Tensor, make_project, save_pt, tree

FAILURE = 1
EVENTS = "events.out.tfevents.mpno"


def crc32c(data):
    """Castagnoli's, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(content):
    """The data of every TFRecord, checksums verified."""
    at = 0
    while at < len(content):
        size, check = struct.unpack_from("<QI", content, at)
        assert check == masked(content[at:at + 8]), f"length at {at}"
        data = content[at + 12:at + 12 + size]
        assert struct.unpack_from("<I", content, at + 12 + size)[0] == masked(data), f"data at {at}"
        yield data
        at += 12 + size + 4


def message(data):
    """{field number: [values]} of a message of Protocol Buffers; nested ones stay bytes."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind == 2:
            size = varint()
            value, at = bytes(data[at:at + size]), at + size
            assert len(value) == size
        else:
            layout = {1: "<d", 5: "<f"}[kind]
            value, at = struct.unpack_from(layout, data, at)[0], at + struct.calcsize(layout)
        fields.setdefault(key >> 3, []).append(value)
    return fields


def read_board(path):
    """(version, scalars {tag: {step: value}}, texts {(tag, step): text}, images {(tag, step): (w, h, PNG)})."""
    first, *rest = [message(data) for data in records(path.read_bytes())]
    scalars, texts, images = {}, {}, {}
    for event in rest:
        step = event.get(2, [0])[0]
        assert event[1][0] > 1e9
        for value in map(message, message(event[5][0])[1]):
            tag = value[1][0].decode()
            if 2 in value:
                assert step not in scalars.setdefault(tag, {}), (tag, step)
                scalars[tag][step] = value[2][0]
            elif 4 in value:
                image = message(value[4][0])
                images[tag, step] = (image[2][0], image[1][0], image[4][0])
            else:
                assert message(message(value[9][0])[1][0])[1][0] == b"text"
                tensor = message(value[8][0])
                assert tensor[1] == [7]
                texts[tag, step] = tensor[8][0].decode()
    return first[3][0].decode(), scalars, texts, images


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class Project(Case):
    def setUp(self):
        super().setUp()
        make_project(self.folder)

    def epochs(self, run):
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == "epoch"]


class TensorBoard(Project):
    def test_scalars_are_those_of_the_log(self):
        self.mpno("train", "config.yaml", "precision.policy=schedule")
        version, scalars, texts, _ = read_board(self.folder / "run" / EVENTS)
        self.assertEqual(version, "brain.Event:2")
        epochs = self.epochs("run")
        self.assertEqual(len(epochs), 3)
        for epoch in epochs:
            for key in ("train_loss", "learning_rate", "loss_scale", "seconds", "bytes", "phase"):
                self.assertEqual(scalars[key][epoch["epoch"]], f32(epoch[key]), key)
            for grid in ("8", "16"):
                for kind in ("l2", "h1", "mse"):
                    self.assertEqual(scalars[f"test/{grid}/{kind}"][epoch["epoch"]],
                                     f32(epoch["test"][grid][kind]))
        self.assertEqual(texts["config", 0],
                         "```\n" + (self.folder / "run/config.yaml").read_text() + "```\n")
        self.assertEqual([(step, text) for (tag, step), text in texts.items() if tag == "policy"],
                         [(epoch["epoch"], epoch["policy"]) for epoch in epochs])

    def test_can_be_switched_off(self):
        self.mpno("train", "config.yaml", "report.tensorboard=false")
        self.assertFalse((self.folder / "run" / EVENTS).exists())

    def test_stopped_and_resumed_equals_never_stopped(self):
        words = ("opt.n_epochs=400", "eval.every=100", "report.html=false")
        self.mpno("train", "config.yaml", "output=whole", *words)
        process = subprocess.Popen([PROGRAM, "train", "config.yaml", "output=parts", *words],
                                   cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stdout:
            if re.search(r"epoch\s+[2-9]/", line):
                process.send_signal(signal.SIGINT)
                break
        process.communicate(timeout=TIMEOUT)
        board = self.folder / "parts" / EVENTS
        done = self.epochs("parts")[-1]["epoch"]
        self.assertEqual(max(read_board(board)[1]["train_loss"]), done)
        self.assertLess(done, 400)
        with board.open("ab") as file:
            file.write(b"\x21\0\0\0\0\0\0\0\1")  # a record that the kill cut short
        self.mpno("train", "config.yaml", "output=parts", *words, "--resume")
        whole, parts = read_board(self.folder / "whole" / EVENTS)[1], read_board(board)[1]
        for tag in ("train_loss", "test/16/l2", "learning_rate"):
            self.assertEqual(whole[tag], parts[tag])

    def test_resume_with_damaged_events(self):
        self.mpno("train", "config.yaml", "report.html=false")
        board = self.folder / "run" / EVENTS
        content = bytearray(board.read_bytes())
        content[len(content) // 2] ^= 1
        board.write_bytes(content)
        result = self.mpno("train", "config.yaml", "--resume", status=FAILURE)
        self.assert_error(result, EVENTS, "damaged", "move the file away")
        self.assertEqual(board.read_bytes(), content)
        board.unlink()
        self.mpno("train", "config.yaml", "--resume", "report.html=false")
        self.assertEqual(read_board(board)[0], "brain.Event:2")


class Pictures(Case):
    """PNG pictures of predictions in one to three dimensions, with several channels."""

    def sides(self, shape, channels=(1, 1)):
        """Trains on fields of that shape and gives (width, height) of the picture of a sample."""
        points = math.prod(shape)
        tensors = {key: Tensor([math.sin(0.1 * i) for i in range(4 * count * points)],
                               (4, count, *shape))
                   for key, count in zip("xy", channels)}
        save_pt(self.folder / "data.pt", tensors)
        (self.folder / "c.yaml").write_text("report: {html: false}\n")
        modes = "[" + ", ".join(["2"] * len(shape)) + "]"
        self.mpno("train", "c.yaml", f"model.n_modes={modes}", "model.hidden_channels=2",
                  "opt.n_epochs=1", "data.train=data.pt")
        self.mpno("predict", "run", "data.pt", "-o", "y.safetensors", "--pictures", "p")
        shutil.rmtree(self.folder / "run")
        self.assertEqual(len(list((self.folder / "p").iterdir())), 4)
        head = (self.folder / "p/sample_0003.png").read_bytes()[:24]
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        return struct.unpack(">II", head[16:])

    def test_every_kind_has_its_rows(self):
        one = self.sides((12, 12))
        row = self.sides((12, 12), (1, 2))[1] - one[1]
        self.assertGreater(row, 200)
        self.assertEqual(self.sides((12, 12), (3, 1)), (one[0], one[1] + 2 * row))
        self.assertEqual(self.sides((12, 12, 12))[1], one[1] + 2 * row)
        self.assertEqual(self.sides((2, 12, 12, 12))[1], one[1] + 2 * row)
        line = self.sides((12,))
        self.assertNotEqual(line[0], one[0])
        self.assertGreater(self.sides((12,), (2, 2))[1], line[1] + 200)


class Document(HTMLParser):
    """Checks that tags are balanced and collects what a page refers to and shows."""

    VOID = {"meta", "link", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.references, self.images, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "poster", "srcset"):
                self.references.append(value)
            if tag == "img" and name == "src":
                self.images.append(base64.b64decode(value.partition(",")[2], validate=True))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


class Report(Project):
    def page(self, name="run/report.html"):
        text = (self.folder / name).read_text()
        self.assertNotRegex(text, r"https?://|@import|<script|url\(")
        page = Document(text)
        for reference in page.references:
            self.assertTrue(reference.startswith("data:"), reference[:80])
        return page

    def test_holds_the_numbers_of_the_run(self):
        self.mpno("train", "config.yaml", "precision.policy=schedule", "data.n_validation=2",
                  "opt.scheduler=cosine")
        page = self.page()
        for epoch in self.epochs("run"):
            for number in (epoch["train_loss"], epoch["learning_rate"], epoch["test"]["16"]["h1"],
                           epoch["validation"]["l2"]):
                self.assertIn(f" {number:.4g} ", page.text)
                self.assertIn(f": {number:.5g} at epoch {epoch['epoch']}", page.text)
        config = (self.folder / "run/config.yaml").read_text()
        self.assertIn(" ".join(config.split()), page.text)
        summary = json.loads((self.folder / "run/summary.json").read_text())
        for piece in ("Run run", "3 of 3 epochs", "mixed", "fft32", summary["isa"],
                      summary["version"], "Test set 8", "Test set 16", "Radial spectrum",
                      "best, sample", "median, sample", "worst, sample",
                      "activations of a training step", f"{summary['parameters']:,}"):
            self.assertIn(piece, page.text)

    def test_shows_samples_as_they_are(self):
        """Three samples of four panels for each of two sets, one pixel for each grid point."""
        self.mpno("train", "config.yaml")
        sides = [struct.unpack(">II", image[16:24]) for image in self.page().images]
        self.assertEqual(sides, [(8, 8)] * 12 + [(16, 16)] * 12)

    def test_again_later(self):
        self.mpno("train", "config.yaml", "report.html=false")
        self.assertFalse((self.folder / "run/report.html").exists())
        before = tree(self.folder / "run")
        result = self.mpno("report", "run", "-o", "a.html", "--json").json()
        self.assertEqual((result["epochs"], result["samples"]), (3, True))
        self.assertEqual(result["bytes"], (self.folder / "a.html").stat().st_size)
        self.mpno("report", "run", "-o", "b.html", "--threads", 5)
        self.assertEqual(self.page("a.html").images, self.page("b.html").images)
        self.assertEqual(tree(self.folder / "run"), before)
        self.assertIn("a.html", self.mpno("report", "run/", "-o", "a.html").out)

    def test_pictures_for_tensorboard(self):
        self.mpno("train", "config.yaml")
        images = read_board(self.folder / "run" / EVENTS)[3]
        self.assertEqual(sorted(images), [("median_sample/16", 3), ("median_sample/8", 3)])
        for width, height, png in images.values():
            self.assertEqual(struct.unpack(">II", png[16:24]), (width, height))

    def test_names_are_text(self):
        """A folder and a file whose names would be markup."""
        shutil.copy(self.folder / "test8.pt", self.folder / "<img src=x onerror='1'>.pt")
        (self.folder / "config.yaml").write_text(CONFIG.replace("[test8.pt, test16.pt]",
                                                                '"<img src=x onerror=\'1\'>.pt"'))
        self.mpno("train", "config.yaml", "output=<b>&amp;", "report.input_unit=<i>m</i>")
        page = self.page("<b>&amp;/report.html")
        self.assertIn("Run <b>&amp;", page.text)
        self.assertIn("<img src=x onerror='1'>.pt", page.text)
        self.assertIn("input (<i>m</i>)", page.text)
        self.assertNotIn("i", page.tags)

    def test_what_is_gone_is_left_out(self):
        """Data that were moved, and a run before its first checkpoint."""
        self.mpno("train", "config.yaml", "report.html=false")
        (self.folder / "test16.pt").unlink()
        for path in ("test16.pt", "last.safetensors"):
            result = self.mpno("report", "run", "--json")
            self.assertFalse(result.json()["samples"])
            self.assertIn(path, result.err)
            page = self.page()
            self.assertIn(path, page.text)
            self.assertNotIn("img", page.tags)
            self.assertIn("Training loss", page.text)
            (self.folder / "run/last.safetensors").unlink(missing_ok=True)
        (self.folder / "run/summary.json").unlink()
        (self.folder / "train.pt").unlink()
        self.mpno("report", "run")
        self.assertIn("Every epoch", self.page().text)

    def test_while_the_run_goes_on(self):
        """A log whose last line is being written."""
        self.mpno("train", "config.yaml", "report.html=false")
        log = self.folder / "run/log.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        last = max(i for i, line in enumerate(lines) if '"epoch": 3' in line and "train_loss" in line)
        log.write_text("".join(lines[:last]) + lines[last][:30])
        (self.folder / "run/summary.json").unlink()
        self.assertEqual(self.mpno("report", "run", "--json").json()["epochs"], 2)
        self.assertIn("2 of 3 epochs", self.page().text)

    def test_a_report_that_cannot_be_written(self):
        """The run itself is complete; the error says so."""
        (self.folder / "run/report.html").mkdir(parents=True)
        result = self.mpno("train", "config.yaml", status=FAILURE)
        self.assert_error(result, "the run is complete", "report.html", "directory")
        self.mpno("eval", "run")
        self.mpno("report", ".", "-o", "../a.html", folder=self.folder / "run")
        self.assertIn("Run run", self.page("a.html").text)

    def test_values_that_are_not_finite(self):
        """Numbers of a log may be null or huge; drawings hold none of them."""
        self.mpno("train", "config.yaml", "report.html=false")
        log = self.folder / "run/log.jsonl"
        log.write_text(re.sub(r'"train_loss": [^,]*', '"train_loss": null', log.read_text())
                       .replace('"learning_rate": 0.01', '"learning_rate": 1e308', 1))
        self.mpno("report", "run")
        for attribute in re.findall(r' (?:d|x|y|x1|y1|cx|cy)="([^"]*)"',
                                    (self.folder / "run/report.html").read_text()):
            self.assertRegex(attribute, r"^[-0-9.ML ]*$")

    def test_one_and_three_dimensions(self):
        for shape in ((12,), (6, 5, 4)):
            points = math.prod(shape)
            save_pt(self.folder / "data.pt",
                    {key: Tensor([math.sin(0.1 * i) for i in range(4 * points)], (4, *shape))
                     for key in "xy"})
            self.mpno("train", "config.yaml", f"model.n_modes={[2] * len(shape)}", "output=other",
                      "data.train=data.pt", "data.test=data.pt")
            page = self.page("other/report.html")
            sides = [struct.unpack(">II", image[16:24]) for image in page.images]
            planes = [] if len(shape) == 1 else [(4, 5)] * 4 + [(4, 6)] * 4 + [(5, 6)] * 4
            self.assertEqual(sides, 3 * planes)
            shutil.rmtree(self.folder / "other")


if __name__ == "__main__":
    unittest.main()
