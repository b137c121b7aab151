# SPDX-License-Identifier: MIT
"""Bad files, checkpoints, data and requests by name: what is wrong, what the program must say, how it must end.
Configurations: test_bad_config.py."""
import os
import pickle
import shutil
import struct
import subprocess
import unittest
import zipfile

from bad_input import (AGAIN, FAILURE, FINISHED, TRAIN, USAGE, Cases, Copy, add_cases, setUpModule, tearDownModule,
                       two_channels)
from support import ROOT, Tensor, make_data, npy, save_pt, tree

GENERATE = ("generate", "darcy", "-o", "new.h5", "--n_samples", 2, "--resolution", 8)


def cut(path, keep):
    """Keeps the first part of a file."""
    path.write_bytes(path.read_bytes()[:int(keep * path.stat().st_size)])


def flip(path, at):
    """Changes one bit, `at` as a fraction of the file."""
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 16
    path.write_bytes(content)


class RunsCode:
    """Unpickling this as Python does would make a file named "executed"."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def make_runs_code(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/data.pkl", pickle.dumps({"x": RunsCode(), "y": RunsCode()}, 2))
        archive.writestr("data/version", "3\n")


def make_short_storage(folder):
    """A .pt whose tensor says more numbers than are stored."""
    source, target = folder / "train.pt", folder / "short.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[:-4] if name == "data/data/0" else content)


def damaged_tests(folder):
    """The finished run's configuration names this folder's test data, of which one is cut."""
    cut(folder / "test8.pt", 0.5)
    path = folder / "run/config.yaml"
    path.write_text(path.read_text().replace(FINISHED.name, str(folder)))


def other_shapes(folder):
    save_pt(folder / "train.pt", {"x": Tensor([1.0] * 128, (2, 8, 8)),
                                  "y": Tensor([1.0] * 192, (3, 8, 8))})


def sample(name, change=None, *arguments):
    """Puts a file of tests/data into the folder, changed by cut, flip or damage."""
    def prepare(folder):
        path = folder / name
        path.write_bytes((ROOT / "tests/data" / name).read_bytes())
        if change:
            change(path, *arguments)
    return prepare


def damage(path, old, new):
    """Replaces bytes that stand in the file once or more."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def array(*arguments, **options):
    """Makes train.npy by support.npy."""
    return lambda folder: (folder / "train.npy").write_bytes(npy(*arguments, **options))


def archive_of(name, content):
    """Makes train.npz with one entry."""
    def prepare(folder):
        with zipfile.ZipFile(folder / "train.npz", "w") as archive:
            archive.writestr(name, content)
    return prepare


H5 = TRAIN + ("data.train=sample.h5", "data.test=[]")
NPY = TRAIN + ("data.train=train.npy", "data.test=[]")

# name: (what to do in the folder, words, exit status, what the one error line must hold)
CASES = {
    # data
    "data missing": (lambda f: (f / "train.pt").unlink(), TRAIN, FAILURE,
                     ["train.pt", "no such file"]),
    "data is a folder": (lambda f: ((f / "train.pt").unlink(), (f / "train.pt").mkdir()), TRAIN,
                         FAILURE, ["train.pt", "is a directory"]),
    "data empty": (lambda f: (f / "train.pt").write_bytes(b""), TRAIN, FAILURE, ["train.pt"]),
    "data truncated": (lambda f: cut(f / "train.pt", 0.7), TRAIN, FAILURE, ["train.pt"]),
    "data with a flipped bit": (lambda f: flip(f / "train.pt", 0.5), TRAIN, FAILURE, ["train.pt"]),
    "data with a short storage": (make_short_storage, TRAIN + ("data.train=short.pt",), FAILURE,
                                  ["short.pt", "storage"]),
    "data of an unknown kind": (lambda f: shutil.copy(f / "train.pt", f / "train.xyz"),
                                TRAIN + ("data.train=train.xyz",), USAGE, ["train.xyz", ".pt"]),
    "data that would run code": (lambda f: make_runs_code(f / "evil.pt"),
                                 TRAIN + ("data.train=evil.pt",), FAILURE,
                                 ["evil.pt", "'x'", "code"]),
    "data with NaN": (lambda f: make_data(f / "train.pt", poison=float("nan")), TRAIN, FAILURE,
                      ["train.pt", "'x'", "nan", "sample 8"]),
    "data with infinity": (lambda f: make_data(f / "train.pt", poison=float("inf")), TRAIN, FAILURE,
                           ["train.pt", "'x'", "inf"]),
    "data without the key": (None, TRAIN + ("data.x_key=inputs",), FAILURE,
                             ["train.pt", "'inputs'", "x"]),
    "data of different lengths": (other_shapes, TRAIN, FAILURE, ["train.pt", "same number"]),
    "more samples than there are": (None, TRAIN + ("data.n_train=17",), USAGE,
                                    ["train.pt", "16"]),
    "channels that do not match the data": (None, TRAIN + ("model.in_channels=2",), USAGE,
                                            ["in_channels", "2", "1"]),
    "test data with other channels": (two_channels, TRAIN + ("data.test=[two.pt]",), FAILURE,
                                      ["two.pt", "channel"]),
    "validation larger than the data": (None, TRAIN + ("data.n_validation=16",), USAGE,
                                        ["n_validation", "16"]),
    # output
    "output below a file": (None, AGAIN + ("output=train.pt/run",), FAILURE,
                            ["train.pt", "not a directory"]),
    "output is a file": (None, AGAIN + ("output=train.pt",), FAILURE, ["train.pt"]),
    "output holds another run": (None, AGAIN, USAGE, ["run", "already", "--resume"]),
    # resuming
    "resume without a run": (None, AGAIN + ("output=new", "--resume"), FAILURE, ["new"]),
    "resume with another rate": (None, AGAIN + ("--resume", "opt.learning_rate=1e-4"), USAGE,
                                 ["opt.learning_rate"]),
    "resume with another architecture": (None, AGAIN + ("--resume", "model.n_layers=3"), USAGE,
                                         ["model.n_layers"]),
    "resume with another optimizer": (None, AGAIN + ("--resume", "opt.optimizer=adam"), USAGE,
                                      ["opt.optimizer", "adam", "adamw"]),
    "resume with averages": (None, AGAIN + ("--resume", "opt.ema_decay=0.9"), USAGE,
                             ["opt.ema_decay", "0.9", "null"]),
    "resume from a truncated checkpoint": (lambda f: cut(f / "run/last.safetensors", 0.9),
                                           AGAIN + ("--resume",), FAILURE,
                                           ["last.safetensors"]),
    "resume from a flipped bit": (lambda f: flip(f / "run/last.safetensors", 0.9),
                                  AGAIN + ("--resume",), FAILURE,
                                  ["last.safetensors", "checksum"]),
    # checkpoints in use
    "checkpoint missing": (None, ("eval", "nowhere"), FAILURE, ["nowhere", "no such file"]),
    "checkpoint in a folder without one": (lambda f: (f / "bare").mkdir(), ("eval", "bare"),
                                           FAILURE, ["bare"]),
    "checkpoint empty": (lambda f: (f / "run/last.safetensors").write_bytes(b""), ("eval", "run"),
                         FAILURE, ["last.safetensors", "0 bytes"]),
    "checkpoint truncated": (lambda f: cut(f / "run/last.safetensors", 0.6), ("eval", "run"),
                             FAILURE, ["last.safetensors", "cut short"]),
    "checkpoint with a flipped bit": (lambda f: flip(f / "run/last.safetensors", 0.7),
                                      ("eval", "run"), FAILURE, ["last.safetensors", "checksum"]),
    "checkpoint with a flipped header": (lambda f: flip(f / "run/last.safetensors", 0.02),
                                         ("eval", "run"), FAILURE, ["last.safetensors"]),
    "checkpoint that would run code": (lambda f: make_runs_code(f / "evil.pt"),
                                       ("eval", "evil.pt", "model.n_modes=[4, 4]",
                                        "model.hidden_channels=4", "data.test=[test8.pt]"), FAILURE,
                                       ["evil.pt"]),
    "checkpoint of another architecture": (None, ("eval", "run", "model.n_layers=3"), USAGE,
                                           ["model.n_layers"]),
    "checkpoint that is a data file": (None, ("eval", "train.pt"), FAILURE, ["train.pt"]),
    "eval of averages that were not kept": (None, ("eval", "run", "eval.weights=ema"), USAGE,
                                            ["eval.weights", "opt.ema_decay"]),
    "eval of averages that are not in the file": (None, ("eval", "run", "opt.ema_decay=0.9"),
                                                  FAILURE, ["last.safetensors", "no averaged weights",
                                                            "eval.weights=trained"]),
    "eval of data with other channels": (two_channels, ("eval", "run", "data.test=[two.pt]"),
                                         FAILURE, ["two.pt", "channel"]),
    "predict from data with other channels": (two_channels,
                                              ("predict", "run", "two.pt", "-o", "y.safetensors"),
                                              FAILURE, ["two.pt", "channel"]),
    "predict into a file of another kind": (None, ("predict", "run", "test8.pt", "-o", "y.mat"),
                                            USAGE, ["y.mat", "no writer", ".safetensors", ".npy"]),
    "predict below a file": (None, ("predict", "run", "test8.pt", "-o", "train.pt/y.safetensors"),
                             FAILURE, ["train.pt"]),
    "predict with an unknown policy": (None, ("predict", "run", "test8.pt", "-o", "y.safetensors",
                                              "precision.policy=quarter"), USAGE,
                                       ["precision.policy", "quarter"]),
    "pictures below a file": (None, ("predict", "run", "test8.pt", "-o", "y.safetensors",
                                     "--pictures", "train.pt/pictures"), FAILURE, ["train.pt"]),
    "info of a text file": (lambda f: (f / "a.pt").write_text("hello"), ("info", "a.pt"), FAILURE,
                            ["a.pt", "zip"]),
    # reports
    "report of nothing": (None, ("report", "nowhere"), FAILURE, ["nowhere", "not the folder"]),
    "report of a file": (None, ("report", "train.pt"), FAILURE, ["train.pt", "not the folder"]),
    "report of a folder without a run": (lambda f: (f / "bare").mkdir(), ("report", "bare"), FAILURE,
                                         ["bare", "not the folder", "log.jsonl"]),
    "report without a run": (None, ("report",), USAGE, ["RUN is missing"]),
    "report into a file of another kind": (None, ("report", "run", "-o", "config.yaml"), USAGE,
                                           ["config.yaml", "end in .html"]),
    "report below a file": (None, ("report", "run", "-o", "train.pt/a.html"), FAILURE,
                            ["train.pt", "not a directory"]),
    "report into a folder that is missing": (None, ("report", "run", "-o", "none/a.html"), FAILURE,
                                             ["none/a.html", "no such file"]),
    "report into a folder": (lambda f: (f / "a.html").mkdir(), ("report", "run", "-o", "a.html"),
                             FAILURE, ["a.html", "directory"]),
    "report of an empty log": (lambda f: (f / "run/log.jsonl").write_text(""), ("report", "run"),
                               FAILURE, ["log.jsonl", "no epoch"]),
    "report of a log cut in its first line": (
        lambda f: (f / "run/log.jsonl").write_text('{"event": "st'), ("report", "run"), FAILURE,
        ["log.jsonl", "no epoch"]),
    "report of a damaged log": (
        lambda f: (f / "run/log.jsonl").write_text('{"event": "start"}\n{"event"; 1}\n'),
        ("report", "run"), FAILURE, ["log.jsonl", "line 2"]),
    "report of a log of lists": (lambda f: (f / "run/log.jsonl").write_text("[1]\n"),
                                 ("report", "run"), FAILURE, ["log.jsonl", "line 1"]),
    "report of a binary log": (lambda f: (f / "run/log.jsonl").write_bytes(bytes(range(256)) * 4),
                               ("report", "run"), FAILURE, ["log.jsonl", "line 1"]),
    "report with a damaged configuration": (
        lambda f: (f / "run/config.yaml").write_text("model: [\n"), ("report", "run"), USAGE,
        ["run/config.yaml"]),
    "report with a truncated summary": (lambda f: cut(f / "run/summary.json", 0.5),
                                        ("report", "run"), FAILURE, ["summary.json"]),
    "report with a truncated checkpoint": (lambda f: cut(f / "run/last.safetensors", 0.5),
                                           ("report", "run"), FAILURE, ["last.safetensors"]),
    "report with damaged test data": (damaged_tests, ("report", "run"), FAILURE, ["test8.pt"]),
    "report switched neither on nor off": (None, TRAIN + ("report.html=perhaps",), USAGE,
                                           ["report.html", "perhaps"]),
    "resume with damaged events": (lambda f: flip(f / "run/events.out.tfevents.mpno", 0.5),
                                   AGAIN + ("--resume",), FAILURE,
                                   ["events.out.tfevents.mpno", "damaged"]),
    # generate
    "generate without an equation": (None, ("generate", "-o", "new.h5"), USAGE, ["EQUATION"]),
    "generate an unknown equation": (None, ("generate", "darzy", "-o", "new.h5"), USAGE,
                                     ["unknown equation 'darzy'", "darcy"]),
    "generate without a file": (None, GENERATE[:2], USAGE, ["-o FILE is missing"]),
    "generate without samples": (None, ("generate", "darcy", "-o", "new.h5", "--resolution", 8),
                                 USAGE, ["n_samples is missing"]),
    "generate without a resolution": (None, ("generate", "darcy", "-o", "new.h5", "--n_samples", 2),
                                      USAGE, ["resolution is missing"]),
    "generate with a parameter misspelt": (None, GENERATE + ("--alpa", 2), USAGE,
                                           ["no parameter alpa", "did you mean alpha?"]),
    "generate with an unknown parameter": (None, GENERATE + ("--viscosity", 2), USAGE,
                                           ["viscosity", "mpno generate darcy --help"]),
    "generate no samples": (None, GENERATE + ("--n_samples", 0), USAGE, ["n_samples", "0"]),
    "generate at one point": (None, GENERATE + ("--resolution", 1), USAGE, ["resolution", "[2,"]),
    "generate with three axes in 2-D": (None, GENERATE + ("--resolution", "[8, 8, 8]"), USAGE,
                                        ["resolution", "expected one number or 2", "found 3"]),
    "generate with a text for a resolution": (None, GENERATE + ("--resolution", "fine"), USAGE,
                                              ["resolution", "fine"]),
    "generate with stretched axes": (None, GENERATE + ("--resolution", "8,17"), USAGE,
                                     ["resolution", "8 and 17", "twice"]),
    "generate from a grid that does not fit": (None, GENERATE + ("--solve_resolution", 12), USAGE,
                                               ["solve_resolution: 12", "resolution 8", "16"]),
    "generate with a negative phase": (None, GENERATE + ("--low", -3), USAGE, ["low", "(0,inf)"]),
    "generate with tau zero": (None, GENERATE + ("--tau", 0), USAGE, ["tau", "(0,inf)"]),
    "generate with an amplitude out of range": (
        None, GENERATE + ("--tau", "1e-300", "--alpha", 4), USAGE, ["sigma", "give sigma"]),
    "generate in four dimensions": (None, GENERATE + ("--ndim", 4), USAGE, ["ndim", "[1,3]"]),
    "generate with an unknown boundary": (None, GENERATE + ("--boundary", "robin"), USAGE,
                                          ["boundary", "neumann, dirichlet, periodic"]),
    "generate with no tolerance": (None, GENERATE + ("--tolerance", 0), USAGE, ["tolerance"]),
    "generate below what f64 can reach": (None, GENERATE + ("--tolerance", "1e-30"), FAILURE,
                                          ["darcy, sample", "residual", "tolerance 1e-30"]),
    "generate more than fits in memory": (
        None, GENERATE + ("--resolution", 65536, "--ndim", 3), FAILURE, ["memory"]),
    "generate over a file": (None, ("generate", "darcy", "-o", "train.pt", "--n_samples", 1,
                                    "--resolution", 8), USAGE, ["train.pt", "exists", "--resume"]),
    "generate into a folder": (None, ("generate", "darcy", "-o", "run", "--resume"), FAILURE,
                               ["run", "directory"]),
    "generate into no folder": (None, ("generate", "darcy", "-o", "nowhere/new.h5", "--n_samples",
                                       1, "--resolution", 8), FAILURE,
                                ["nowhere", "no such file"]),
    "generate on after another format": (None, ("generate", "darcy", "-o", "train.pt", "--resume"),
                                         FAILURE, ["train.pt", "HDF5"]),
    "plan of a bad configuration": (None, ("plan", "config.yaml", "model.n_modes=none"), USAGE,
                                    ["model.n_modes"]),
    # data files of other formats, keys and mpno data
    "hdf5 cut short": (sample("sample.h5", cut, 0.9), ("data", "info", "sample.h5"), FAILURE,
                       ["sample.h5", "truncated file", "cut short"]),
    "hdf5 empty": (lambda f: (f / "e.h5").write_bytes(b""), ("data", "check", "e.h5"), FAILURE,
                   ["e.h5", "not an HDF5 file"]),
    "hdf5 that is something else": (lambda f: (f / "e.hdf5").write_bytes(b"MATLAB 5.0" * 99),
                                    ("data", "stats", "e.hdf5"), FAILURE,
                                    ["e.hdf5", "not an HDF5 file", "7.3"]),
    "hdf5 missing": (None, ("data", "info", "nowhere.h5"), FAILURE, ["nowhere.h5", "no such file"]),
    "hdf5 with a wrong fletcher32": (
        sample("sample.h5", damage, struct.pack("<8d", *range(8)), struct.pack("<8d", *range(1, 9))),
        ("data", "check", "sample.h5"), FAILURE, ["sample.h5", "fletcher32", "damaged"]),
    "hdf5 key missing": (sample("sample.h5"), H5 + ("data.x_key=trutj",), FAILURE,
                         ["sample.h5", "no tensor 'trutj'", "did you mean 'truth'"]),
    "hdf5 key of texts": (sample("sample.h5"), H5 + ("data.x_key=text",), FAILURE,
                          ["sample.h5", "'text'", "texts", "not a tensor"]),
    "hdf5 key of records": (sample("sample.h5"), ("data", "stats", "sample.h5:records"), FAILURE,
                            ["records", "compound"]),
    "hdf5 key of a scalar": (sample("sample.h5"), H5 + ("data.x_key=scalar", "data.y_key=scalar"),
                             FAILURE, ["scalar", "()", "samples"]),
    "hdf5 key of an empty set": (sample("sample.h5"), H5 + ("data.x_key=empty", "data.y_key=empty"),
                                 FAILURE, ["empty", "(0, 3)"]),
    "hdf5 pairs that differ": (sample("sample.h5"), H5 + ("data.x_key=packed/gzip",
                                                          "data.y_key=truth", "model.n_modes=[4]"),
                               FAILURE, ["packed/gzip", "truth", "same number of samples"]),
    "key with an open bracket": (sample("sample.h5"), ("data", "info", "sample.h5:truth[0"), USAGE,
                                 ["truth[0", "not well-formed"]),
    "key with a step of zero": (sample("sample.h5"), ("data", "info", "sample.h5:truth[::0]"), USAGE,
                                ["truth[::0]", "not well-formed"]),
    "key with a step back": (sample("sample.h5"), ("data", "info", "sample.h5:truth[::-1]"), USAGE,
                             ["truth[::-1]", "not well-formed"]),
    "key with words for numbers": (sample("sample.h5"), ("data", "info", "sample.h5:truth[a:b]"),
                                   USAGE, ["truth[a:b]", "not well-formed"]),
    "key that leaves the tensor": (sample("sample.h5"), ("data", "info", "sample.h5:truth[0:3]"),
                                   USAGE, ["truth[0:3]", "axis 0", "(2, 2)"]),
    "key with an index beyond the end": (sample("sample.h5"), ("data", "info", "sample.h5:truth[2]"),
                                         USAGE, ["truth[2]", "axis 0", "(2, 2)"]),
    "key of an empty part": (sample("sample.h5"), ("data", "info", "sample.h5:truth[1:1]"), USAGE,
                             ["truth[1:1]", "empty"]),
    "key with an axis too many": (sample("sample.h5"), ("data", "info", "sample.h5:truth[:,:,0]"),
                                  USAGE, ["3 axes", "(2, 2)"]),
    "key with a sum that lacks a side": (sample("sample.h5"), ("data", "info", "sample.h5:truth+"),
                                         USAGE, ["truth+", "not well-formed"]),
    "key with a sum of unlike tensors": (sample("sample.h5"),
                                         ("data", "info", "sample.h5:truth+packed/gzip"), FAILURE,
                                         ["truth+packed/gzip", "differs"]),
    "key with a star that nothing fits": (sample("sample.h5"), ("data", "info", "sample.h5:q*/x"),
                                          FAILURE, ["q*/x", "no tensor"]),
    "key with a star over unlike tensors": (sample("sample.h5"),
                                            ("data", "info", "sample.h5:packed/*"), FAILURE,
                                            ["packed/*", "differ in type or shape"]),
    "key left out behind the colon": (sample("sample.h5"), ("data", "info", "sample.h5:"), USAGE,
                                      ["sample.h5:", "no key"]),
    "axes with a wrong letter": (None, TRAIN + ("data.axes=nxq",), USAGE, ["nxq", "n c x y z t"]),
    "axes with a letter twice": (None, TRAIN + ("data.axes=nxx",), USAGE, ["nxx", "at most once"]),
    "axes without samples": (None, TRAIN + ("data.axes=xyc",), USAGE, ["xyc", "n"]),
    "axes that are too many": (None, TRAIN + ("data.axes=nxyzt",), USAGE,
                               ["train.pt", "'x'", "(16, 8, 8)", "nxyzt"]),
    "npy of objects": (array("|O", (2,), bytes(16)), NPY, FAILURE,
                       ["train.npy", "Python objects"]),
    "npy of texts": (array("<U3", (2,), bytes(24)), NPY, FAILURE, ["train.npy", "<U3"]),
    "npy cut short": (array(data=bytes(1000)), NPY, FAILURE, ["train.npy", "1024 bytes", "1000"]),
    "npy with bytes to spare": (array(data=bytes(1025)), NPY, FAILURE, ["train.npy", "1025"]),
    "npy of a later version": (array(version=9), NPY, FAILURE, ["train.npy", "9.0"]),
    "npy that is a zip": (lambda f: (f / "train.npy").write_bytes(b"PK\3\4" * 30), NPY, FAILURE,
                          ["train.npy", "not a .npy file"]),
    "npy asked for a name": (array(), NPY, FAILURE, ["train.npy", "'x'", "without a name"]),
    "npz with a foreign entry": (archive_of("readme.txt", "hello"), ("data", "info", "train.npz"),
                                 FAILURE, ["train.npz", "readme.txt", "not a .npy"]),
    "npz with a damaged header": (archive_of("x.npy", b"\x93NUMPY\1\0\5\0{'de}"),
                                  ("data", "info", "train.npz"), FAILURE, ["train.npz", "x.npy"]),
    "npz cut short": (sample("sample.npz", cut, 0.8), ("data", "info", "sample.npz"), FAILURE,
                      ["sample.npz", "cut short"]),
    "npz with a flipped bit": (sample("sample.npz", damage, bytes([0, 0, 0, 3, 0, 1]),
                                      bytes([0, 0, 0, 3, 0, 2])),
                               ("data", "check", "sample.npz"), FAILURE, ["sample.npz", "CRC"]),
    "check of values that are not finite": (
        array(data=struct.pack("<256f", *[1.0] * 255, float("nan"))), ("data", "check", "train.npy"),
        FAILURE, ["train.npy", "1 NaN", "(3, 7, 7)"]),
    "check of pairs that differ": (other_shapes, ("data", "check", "train.pt"), FAILURE,
                                   ["train.pt", "(2, 8, 8)", "(3, 8, 8)"]),
    "convert to an unknown format": (None, ("data", "convert", "train.pt", "out.csv"), USAGE,
                                     ["out.csv", "no writer", ".npy"]),
    "convert of two tensors to npy": (None, ("data", "convert", "train.pt", "out.npy"), USAGE,
                                      ["out.npy", "one tensor, not 2"]),
    "convert into no folder": (None, ("data", "convert", "train.pt", "nowhere/out.h5"), FAILURE,
                               ["nowhere/out.h5"]),
    "convert without OUT": (None, ("data", "convert", "train.pt"), USAGE, ["IN[:KEY] and OUT"]),
    "data without a tool": (None, ("data",), USAGE, ["info|check|stats|convert|where is missing"]),
    "data with an unknown tool": (None, ("data", "inf", "train.pt"), USAGE, ["'inf'", "info, stats"]),
    "data with a file too many": (None, ("data", "info", "train.pt", "test8.pt"), USAGE,
                                  ["data info takes", "one FILE"]),
    "data where for an unknown set": (None, ("data", "where", "darci"), USAGE,
                                      ["darci", "did you mean 'darcy'"]),
}


class BadInput(Cases):
    """One test for each row of CASES."""


add_cases(BadInput, CASES)


class NoSpace(Copy):
    """Disks that are full: the checkpoint that was there stays whole."""

    def test_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)],
                                 check=False, stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("only root can mount a small disk")
        try:
            result = self.mpno("train", "config.yaml", "output=disk/run", "model.hidden_channels=16",
                               status=FAILURE)
            self.assert_error(result, "disk/run", "space")
            self.assertEqual([p for p in tree(disk) if "tmp" in p], [])
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_file_size_limit(self):
        """SIGXFSZ is ignored by the wrapping shell, so that writes fail as on a full disk."""
        before = tree(self.folder)
        result = self.mpno("predict", "run", "test16.pt", "-o", "y.safetensors", status=FAILURE,
                           wrap=("sh", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "sh"))
        self.assert_error(result, "y.safetensors")
        self.assertEqual(tree(self.folder), before)

    def test_unwritable_folder(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anywhere")
        (self.folder / "locked").mkdir(mode=0o500)
        result = self.mpno("train", "config.yaml", "output=locked/run", status=FAILURE)
        self.assert_error(result, "locked", "permission denied")


if __name__ == "__main__":
    unittest.main()
