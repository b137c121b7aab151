# SPDX-License-Identifier: MIT
"""Bad inputs by name: what is wrong, what the program must say, how it must end. Whatever happens, no file that was there
is changed and none is left behind, not even a temporary one."""
import os
import pickle
import shutil
import struct
import subprocess
import tempfile
import unittest
import zipfile

from support import (CONFIG, ROOT, Case, Tensor, make_data, make_project, npy, run, save_pt,
                     tree)

USAGE, FAILURE = 2, 1
TRAIN = ("train", "config.yaml", "output=new")
AGAIN = ("train", "config.yaml")
GENERATE = ("generate", "darcy", "-o", "new.h5", "--n_samples", 2, "--resolution", 8)


def config(folder, old, new):
    """Replaces a piece of config.yaml."""
    assert old in CONFIG
    (folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))


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


def two_channels(folder):
    make_data(folder / "two.pt", samples=4, grid=8, channels=2)


def damaged_tests(folder):
    """The finished run's configuration names this folder's test data, of which one is cut."""
    cut(folder / "test8.pt", 0.5)
    path = folder / "run/config.yaml"
    path.write_text(path.read_text().replace(FINISHED.name, str(folder)))


def other_shapes(folder):
    save_pt(folder / "train.pt", {"x": Tensor([1.0] * 128, (2, 8, 8)),
                                  "y": Tensor([1.0] * 192, (3, 8, 8))})


def two_grids(name, grid_x, grid_y):
    """A maker of a data file with inputs and outputs on these grids."""
    def make(folder):
        save_pt(folder / name, {"x": Tensor([1.0, 2.0] * (2 * grid_x[0] * grid_x[1]), (4, *grid_x)),
                                "y": Tensor([1.0, 2.0] * (2 * grid_y[0] * grid_y[1]), (4, *grid_y))})
    return make


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
    # configuration files
    "config missing": (None, ("train", "nowhere.yaml"), FAILURE, ["nowhere.yaml", "no such file"]),
    "config is a folder": (None, ("train", "run"), FAILURE, ["run", "is a directory"]),
    "config empty": (lambda f: (f / "config.yaml").write_text(""), TRAIN, USAGE,
                     ["config.yaml", "model.n_modes is missing"]),
    "config is a list": (lambda f: (f / "config.yaml").write_text("- 1\n- 2\n"), TRAIN, USAGE,
                         ["config.yaml", "map of keys"]),
    "config is binary": (lambda f: (f / "config.yaml").write_bytes(b"\xff\xfe\x00\x01" * 9), TRAIN,
                         USAGE, ["config.yaml"]),
    "yaml with an open bracket": (lambda f: config(f, "[4, 4]", "[4, 4"), TRAIN, USAGE,
                                  ["config.yaml:", "brackets"]),
    "yaml with a tab": (lambda f: config(f, "  n_layers", "\tn_layers"), TRAIN, USAGE,
                        ["config.yaml:6"]),
    "key twice": (lambda f: config(f, "seed: 3\n", "seed: 3\nseed: 4\n"), TRAIN, USAGE,
                  ["config.yaml:2", "'seed' stands twice", "line 1"]),
    "memory_limit without a unit": (None, TRAIN + ("memory_limit=300",), USAGE,
                                    ["memory_limit is '300'", "MiB"]),
    "memory_limit as a number": (lambda f: config(f, "seed: 3\n", "seed: 3\nmemory_limit: 300\n"), TRAIN,
                                 USAGE, ["memory_limit", "a size such as 300MiB", "the number 300"]),
    "memory_limit of nothing": (None, TRAIN + ("memory_limit=0MiB",), USAGE, ["memory_limit is '0MiB'", "above 0"]),
    "memory_limit below nothing": (None, TRAIN + ("memory_limit=-1GB",), USAGE, ["memory_limit is '-1GB'"]),
    "memory_limit in no unit": (None, TRAIN + ("memory_limit=3G",), USAGE, ["memory_limit is '3G'", "GiB"]),
    "memory_limit too small": (None, TRAIN + ("memory_limit=20kB",), USAGE,
                               ["memory_limit is 19.5 KiB", "even one sample at a time needs"]),
    "micro_batch of nothing": (None, TRAIN + ("micro_batch=0",), USAGE, ["micro_batch: 0 is out of range"]),
    "micro_batch of words": (None, TRAIN + ("micro_batch=all",), USAGE,
                             ["micro_batch: expected an integer or auto", "'all'"]),
    "micro_batch with batch norm": (None, TRAIN + ("micro_batch=2", "model.norm=batch_norm"), USAGE,
                                    ["micro_batch is 2", "model.norm = batch_norm", "data.batch_size = 8"]),
    "micro_batch above memory_limit": (None, TRAIN + ("micro_batch=8", "memory_limit=200KiB"), USAGE,
                                       ["memory_limit is 200 KiB", "as asked for needs", "micro_batch smaller"]),
    "key misspelt": (lambda f: config(f, "learning_rate", "learning_rat"), TRAIN, USAGE,
                     ["config.yaml:13", "opt.learning_rat", "did you mean opt.learning_rate"]),
    "section misspelt": (lambda f: config(f, "model:", "modle:"), TRAIN, USAGE,
                         ["config.yaml:3:", "unknown section modle", "did you mean model?"]),
    "section misspelt, holding a number": (
        lambda f: config(f, "seed: 3\n", "seed: 3\nmodle: 3\n"), TRAIN, USAGE,
        ["config.yaml:2:", "unknown key modle", "did you mean model?"]),
    "section left out": (lambda f: config(f, "seed: 3\n", "seed: 3\nn_epochs: 3\n"), TRAIN, USAGE,
                         ["config.yaml:2:", "n_epochs", "did you mean opt.n_epochs?"]),
    "section is a list": (lambda f: config(f, "opt:\n  n_epochs: 3\n  learning_rate: 1e-2\n",
                                           "opt: [3, 1e-2]\n"), TRAIN, USAGE,
                          ["config.yaml:11:", "opt", "section", "a list of 2"]),
    "section is a text": (lambda f: config(f, "opt:\n  n_epochs: 3\n  learning_rate: 1e-2\n",
                                           "opt: adamw\n"), TRAIN, USAGE,
                          ["config.yaml:11:", "opt", "section", "the text 'adamw'"]),
    "key is a section": (lambda f: config(f, "seed: 3", "seed: {a: 3}"), TRAIN, USAGE,
                         ["config.yaml:1", "seed", "integer", "a map of 1"]),
    "override of a section": (None, TRAIN + ("model=3",), USAGE,
                              ["model is a section", "model.KEY=VALUE"]),
    "key unknown": (lambda f: config(f, "seed: 3\n", "seed: 3\nzzyzx: 1\n"), TRAIN, USAGE,
                    ["unknown key zzyzx", "docs/reference/config.md"]),
    "section is a number": (lambda f: config(f, "opt:\n  n_epochs: 3\n  learning_rate: 1e-2\n",
                                             "opt: 3\n"), TRAIN, USAGE, ["opt", "section"]),
    "key mistyped: text for a number": (lambda f: config(f, "1e-2", "fast"), TRAIN, USAGE,
                                        ["opt.learning_rate", "expected", "number", "fast"]),
    "key mistyped: number for a list": (lambda f: config(f, "[4, 4]", "four"), TRAIN, USAGE,
                                        ["model.n_modes", "expected"]),
    "key mistyped: fraction for a count": (None, TRAIN + ("opt.n_epochs=2.5",), USAGE,
                                           ["opt.n_epochs", "2.5"]),
    "key missing: n_modes": (lambda f: config(f, "  n_modes: [4, 4]\n", ""), TRAIN, USAGE,
                             ["model.n_modes is missing"]),
    "key missing: hidden_channels": (lambda f: config(f, "  hidden_channels: 4\n", ""), TRAIN,
                                     USAGE, ["model.hidden_channels is missing"]),
    "key missing: training data": (lambda f: config(f, "  train: train.pt\n", ""), TRAIN, USAGE,
                                   ["data.train is missing"]),
    # values
    "override unknown": (None, TRAIN + ("--opt.lerning_rate=1",), USAGE,
                         ["opt.lerning_rate", "did you mean opt.learning_rate"]),
    "override not a number": (None, TRAIN + ("opt.learning_rate=1e-3x",), USAGE,
                              ["opt.learning_rate", "1e-3x"]),
    "learning rate negative": (None, TRAIN + ("--opt.learning_rate", "-1e-3"), USAGE,
                               ["opt.learning_rate", "-0.001", "(0,inf)"]),
    "learning rate not finite": (None, TRAIN + ("opt.learning_rate=.nan",), USAGE,
                                 [".nan is not a finite number"]),
    "loss unknown": (None, TRAIN + ("opt.training_loss=h2",), USAGE,
                     ["opt.training_loss", "no loss 'h2'", "l2_abs"]),
    "loss empty": (None, TRAIN + ("opt.training_loss=",), USAGE, ["opt.training_loss", "NAME:WEIGHT"]),
    "loss with a comma at the end": (None, TRAIN + ("opt.training_loss=h1,",), USAGE,
                                     ["opt.training_loss", "NAME:WEIGHT"]),
    "loss with no weight after the colon": (None, TRAIN + ("opt.training_loss=h1:",), USAGE,
                                            ["opt.training_loss", "weight '' of h1"]),
    "loss with a negative weight": (None, TRAIN + ("opt.training_loss=h1:1,l2:-1",), USAGE,
                                    ["opt.training_loss", "-1", "above 0"]),
    "loss of five terms": (None, TRAIN + ("opt.training_loss=h1,l2,l1,mse,l2",), USAGE,
                           ["opt.training_loss", "more than 4 terms"]),
    "loss weights of too many channels": (None, TRAIN + ("opt.loss_weights=[1, 2]",), USAGE,
                                          ["opt.loss_weights", "1 output channels", "found 2"]),
    "loss weights all zero": (None, TRAIN + ("opt.loss_weights=[0]",), USAGE,
                              ["opt.loss_weights", "nothing would be trained"]),
    "loss measure for three axes": (None, TRAIN + ("opt.loss_measure=[1, 1, 1]",), USAGE,
                                    ["opt.loss_measure", "2 axes", "found 3"]),
    "boundary unknown": (None, TRAIN + ("opt.h1_boundary=[dirichlet]",), USAGE,
                         ["opt.h1_boundary", "one-sided", "dirichlet"]),
    "boundary for three axes": (
        None, TRAIN + ("opt.h1_boundary=[periodic, periodic, one-sided]",), USAGE,
        ["opt.h1_boundary", "2 axes", "found 3"]),
    "reduction unknown": (None, TRAIN + ("opt.loss_reduction=max",), USAGE,
                          ["opt.loss_reduction", "sum, mean", "max"]),
    "encoding unknown": (None, TRAIN + ("data.encoding=pixelwise",), USAGE,
                         ["data.encoding", "scalar, channel-wise, pixel-wise", "pixelwise"]),
    "encoding of nothing": (
        None, TRAIN + ("data.encoding=channel-wise", "data.encode_output=false"), USAGE,
        ["data.encoding is channel-wise", "nothing is encoded"]),
    "encoding by pixels with test data on a finer grid": (
        None, TRAIN + ("data.encoding=pixel-wise",), FAILURE,
        ["test16.pt", "outputs on the training grid (8, 8)", "(16, 16)", "channel-wise"]),
    "encoding by pixels with validation data on a finer grid": (
        None, TRAIN + ("data.encoding=pixel-wise", "data.test=[]", "data.validation=test16.pt"),
        FAILURE, ["test16.pt", "(8, 8)", "(16, 16)"]),
    "encoding by pixels with training data on two grids": (
        None, TRAIN + ("data.encoding=pixel-wise", "data.test=[]", "data.train_subsampling=[1, 2]",
                       "model.n_modes=[2, 2]"),
        USAGE, ["one grid", "found 8 and 4"]),
    "encoding by pixels of augmented data": (
        None, TRAIN + ("data.encoding=pixel-wise", "augment.flip=[0]"), USAGE,
        ["data.encoding = pixel-wise", "augment"]),
    "encoding by pixels from one sample": (
        None, TRAIN + ("data.encoding=pixel-wise", "data.test=[]", "data.n_train=1"), USAGE,
        ["data.encoding = pixel-wise", "at least 2 values", "found 1"]),
    "eval with another encoding": (None, ("eval", "run", "data.encoding=channel-wise"), USAGE,
                                   ["data.encoding", "channel-wise", "scalar", "leave the key out"]),
    "eval without the encoding of the run": (
        None, ("eval", "run", "data.encode_output=false"), USAGE,
        ["data.encode_output is false", "trained with true"]),
    "resume with another encoding": (
        None, AGAIN + ("--resume", "opt.n_epochs=4", "data.encoding=channel-wise"), USAGE,
        ["data.encoding"]),
    "epochs zero": (None, TRAIN + ("opt.n_epochs=0",), USAGE, ["opt.n_epochs", "[1,inf)"]),
    "width beyond reason": (None, TRAIN + ("model.hidden_channels=3000000",), USAGE,
                            ["model.hidden_channels", "65536"]),
    "batch size zero": (None, TRAIN + ("data.batch_size=0",), USAGE, ["data.batch_size"]),
    "width zero": (None, TRAIN + ("model.hidden_channels=0",), USAGE, ["model.hidden_channels"]),
    "layers zero": (None, TRAIN + ("model.n_layers=0",), USAGE, ["model.n_layers"]),
    "modes zero": (None, TRAIN + ("model.n_modes=[4, 0]",), USAGE, ["model.n_modes"]),
    "modes above the grid": (None, TRAIN + ("model.n_modes=[4, 64]",), USAGE,
                             ["model.n_modes", "64", "grid", "8"]),
    "modes with five axes": (None, TRAIN + ("model.n_modes=[2, 2, 2, 2, 2]",), USAGE,
                             ["model.n_modes", "1 to 4"]),
    "modes with an axis too many": (None, TRAIN + ("model.n_modes=[2, 2, 2]",), FAILURE,
                                    ["train.pt", "3"]),
    "groups that do not divide": (None, TRAIN + ("model.norm=group_norm", "model.norm_groups=3"),
                                  USAGE, ["norm_groups", "3", "4"]),
    # augmentation
    "flip of an axis that is not": (None, TRAIN + ("augment.flip=[0, 2]",), USAGE,
                                    ["augment.flip", "no axis 2", "model.n_modes"]),
    "flip of an axis twice": (None, TRAIN + ("augment.flip=[1, 1]",), USAGE,
                              ["augment.flip", "axis 1 stands twice"]),
    "flip of an axis before the first": (None, TRAIN + ("augment.flip=[-1]",), USAGE,
                                         ["augment.flip", "-1", "[0,7]"]),
    "flip by yes or no": (None, TRAIN + ("augment.flip=true",), USAGE,
                          ["augment.flip", "list", "true"]),
    "shift of an axis that is not": (None, TRAIN + ("augment.shift=[3]",), USAGE,
                                     ["augment.shift", "no axis 3"]),
    "augmentation misspelt": (None, TRAIN + ("augment.transpos=true",), USAGE,
                              ["did you mean augment.transpose?"]),
    "transposition of axes that differ": (
        two_grids("bar.pt", (8, 6), (8, 6)),
        TRAIN + ("data.train=bar.pt", "data.test=[]", "augment.transpose=true"), USAGE,
        ["augment.transpose", "(8, 6)"]),
    "rotation in a plan of axes that differ": (
        two_grids("bar.pt", (8, 6), (8, 6)),
        ("plan", "config.yaml", "data.train=bar.pt", "data.test=[]", "augment.rotate=true"), USAGE,
        ["augment.rotate", "(8, 6)"]),
    "shift that outputs cannot follow": (
        two_grids("own.pt", (8, 8), (8, 9)),
        TRAIN + ("data.train=own.pt", "data.test=[]", "data.output_grid=own",
                 "augment.shift=[0, 1]"), USAGE,
        ["augment.shift", "axis 1", "8 points", "outputs 9"]),
    "vectors that overlap": (None, TRAIN + ("augment.rotate=true", "augment.x_vectors=[0, 1]"),
                             USAGE, ["augment.x_vectors", "0 and 1 overlap"]),
    "vector beyond the channels": (None, TRAIN + ("augment.rotate=true", "augment.y_vectors=[0]"),
                                   USAGE, ["augment.y_vectors", "2 components", "1 channels"]),
    "vectors of no augmentation": (None, TRAIN + ("augment.x_vectors=[0]",), USAGE,
                                   ["augment.x_vectors", "augment.flip"]),
    "resume with augmentation": (None, AGAIN + ("--resume", "augment.transpose=true"), USAGE,
                                 ["augment.transpose", "true", "false"]),
    # several resolutions
    "modes above the coarsest grid": (None, TRAIN + ("data.train_subsampling=[1, 4]",), USAGE,
                                      ["model.n_modes[0] = 4", "2 points", "train.pt at 2"]),
    "modes above the coarsest grid, in a plan": (
        None, ("plan", "config.yaml", "data.train_subsampling=[1, 4]"), USAGE,
        ["model.n_modes[0] = 4", "2 points"]),
    "subsampling that does not divide": (None, TRAIN + ("data.train_subsampling=[1, 3]",), FAILURE,
                                         ["data.train_subsampling", "train.pt", "3", "(8, 8)"]),
    "subsampling twice": (None, TRAIN + ("data.train_subsampling=[2, 2]",), USAGE,
                          ["data.train_subsampling", "2 stands twice"]),
    "subsampling to nothing": (None, TRAIN + ("data.train_subsampling=[0]",), USAGE,
                               ["data.train_subsampling", "0", "[1,4096]"]),
    "no training file in the list": (None, TRAIN + ("data.train=[]",), USAGE,
                                     ["data.train is missing"]),
    "a number among training files": (None, TRAIN + ("data.train=[train.pt, 3]",), USAGE,
                                      ["data.train", "text", "3"]),
    "second training file missing": (None, TRAIN + ("data.train=[train.pt, gone.pt]",), FAILURE,
                                     ["gone.pt", "no such file"]),
    "second training file with other channels": (
        two_channels, TRAIN + ("data.train=[train.pt, two.pt]",), USAGE,
        ["model.in_channels is 1", "two.pt is 2", "all training files"]),
    "second training file too short": (
        lambda f: make_data(f / "few.pt", samples=4, grid=8),
        TRAIN + ("data.train=[train.pt, few.pt]", "data.n_validation=4"), USAGE,
        ["data.n_validation = 4", "few.pt"]),
    "resume at more resolutions": (None, AGAIN + ("--resume", "data.train_subsampling=[1, 2]"),
                                   USAGE, ["data.train_subsampling", "[1, 2]", "null"]),
    "resume with a further training file": (
        lambda f: make_data(f / "more.pt", samples=4, grid=8),
        AGAIN + ("--resume", "data.train=[train.pt, more.pt]"), USAGE,
        ["cannot resume", "train.pt", "not those"]),
    # further options of the network
    "most modes for too few axes": (None, TRAIN + ("model.max_n_modes=[8]",), USAGE,
                                    ["model.max_n_modes has 1", "model.n_modes 2"]),
    "modes above the most": (None, TRAIN + ("model.max_n_modes=[8, 2]",), USAGE,
                             ["model.n_modes[1] is 4", "model.max_n_modes[1] = 2"]),
    "most modes zero": (None, TRAIN + ("model.max_n_modes=[0, 8]",), USAGE,
                        ["model.max_n_modes", "[1,inf)"]),
    "coordinates that stand still": (None, TRAIN + ("model.grid_boundaries=[[0, 0], [0, 1]]",),
                                     USAGE, ["model.grid_boundaries[0]", "two different"]),
    "boundaries not in pairs": (None, TRAIN + ("model.grid_boundaries=[0, 1, 2]",), USAGE,
                                ["model.grid_boundaries", "pair [start, stop]", "2 axes"]),
    "everything dropped": (None, TRAIN + ("model.channel_mlp_dropout=1",), USAGE,
                           ["model.channel_mlp_dropout", "[0,1)"]),
    "kernel of no point": (None, TRAIN + ("model.conv_bias_kernel=0",), USAGE,
                           ["model.conv_bias_kernel", "[1,63]"]),
    "kernel without a linear skip": (
        None, TRAIN + ("model.conv_bias_kernel=3", "model.fno_skip=identity"), USAGE,
        ["model.conv_bias_kernel", "model.fno_skip is not linear"]),
    "kernel of complex data": (
        None, TRAIN + ("model.conv_bias_kernel=3", "model.complex_data=true"), FAILURE,
        ["model.complex_data", "model.conv_bias_kernel", "not supported"]),
    "norm of complex data": (
        None, TRAIN + ("model.norm=instance_norm", "model.complex_data=true"), FAILURE,
        ["model.complex_data", "model.norm", "not supported"]),
    "padding below zero": (None, TRAIN + ("model.domain_padding=-0.1",), USAGE,
                           ["model.domain_padding", "[0,16]"]),
    "padding of three axes": (None, TRAIN + ("model.domain_padding=[0.1, 0.1, 0.1]",), USAGE,
                              ["model.domain_padding", "2 axes", "found 3"]),
    "scaling to nothing": (None, TRAIN + ("model.resolution_scaling_factor=0",), USAGE,
                           ["model.resolution_scaling_factor", "(0,64]"]),
    "scaling below a 64th": (None, TRAIN + ("model.resolution_scaling_factor=0.01",), USAGE,
                             ["model.resolution_scaling_factor of block 0", "1/64"]),
    "scaling of three blocks": (None, TRAIN + ("model.resolution_scaling_factor=[1, 1, 1]",),
                                USAGE, ["model.resolution_scaling_factor", "2 blocks"]),
    "scaling and padding as upstream": (
        None, TRAIN + ("model.domain_padding=0.1", "model.resolution_scaling_factor=[2, 0.5]",
                       "compat=neuralop"), FAILURE,
        ["model.domain_padding", "model.resolution_scaling_factor", "compat"]),
    "preactivation mistyped": (None, TRAIN + ("model.preactivation=maybe",), USAGE,
                               ["model.preactivation", "true or false"]),
    # optimisers and learning rates
    "optimizer unknown": (None, TRAIN + ("opt.optimizer=adamax",), USAGE,
                          ["opt.optimizer", "adamax", "adamw", "lion"]),
    "convention of another optimizer": (
        None, TRAIN + ("opt.optimizer=sgd", "opt.convention=neuralop"), USAGE,
        ["opt.convention", "neuralop", "sgd", "opt.convention=torch"]),
    "momentum for an optimizer without": (None, TRAIN + ("opt.momentum=0.9",), USAGE,
                                          ["opt.momentum", "sgd", "adamw"]),
    "momentum of one": (None, TRAIN + ("opt.optimizer=sgd", "opt.momentum=1"), USAGE,
                        ["opt.momentum", "1", "[0,1)"]),
    "nesterov without momentum": (None, TRAIN + ("opt.optimizer=sgd", "opt.nesterov=true"), USAGE,
                                  ["opt.nesterov", "opt.momentum"]),
    "nesterov with dampening": (None, TRAIN + ("opt.optimizer=sgd", "opt.nesterov=true",
                                               "opt.momentum=0.9", "opt.dampening=0.1"), USAGE,
                                ["opt.nesterov", "opt.dampening = 0", "0.1"]),
    "amsgrad for lion": (None, TRAIN + ("opt.optimizer=lion", "opt.amsgrad=true"), USAGE,
                         ["opt.amsgrad", "lion"]),
    "amsgrad in the convention neuralop": (
        None, TRAIN + ("opt.amsgrad=true", "opt.convention=neuralop"), USAGE,
        ["opt.amsgrad", "neuralop"]),
    "two kinds of clipping": (None, TRAIN + ("opt.grad_clip_norm=1", "opt.grad_clip_value=1"),
                              USAGE, ["opt.grad_clip_norm", "opt.grad_clip_value"]),
    "clipping to nothing": (None, TRAIN + ("opt.grad_clip_norm=0",), USAGE,
                            ["opt.grad_clip_norm", "(0,inf)"]),
    "accumulation of no batch": (None, TRAIN + ("opt.accumulate=0",), USAGE,
                                 ["opt.accumulate", "[1,inf)"]),
    "averages that never move": (None, TRAIN + ("opt.ema_decay=1",), USAGE,
                                 ["opt.ema_decay", "(0,1)"]),
    "averages that are not kept": (None, TRAIN + ("eval.weights=ema",), USAGE,
                                   ["eval.weights", "opt.ema_decay"]),
    "scheduler unknown": (None, TRAIN + ("opt.scheduler=cosin",), USAGE,
                          ["opt.scheduler", "cosin", "cosine_restarts"]),
    "milestones missing": (None, TRAIN + ("opt.scheduler=multistep",), USAGE,
                           ["opt.milestones is missing", "multistep"]),
    "milestones that go back": (None, TRAIN + ("opt.scheduler=multistep",
                                               "opt.milestones=[20, 20]"), USAGE,
                                ["opt.milestones", "20 stands after 20"]),
    "restarts without a cycle": (None, TRAIN + ("opt.scheduler=cosine_restarts",), USAGE,
                                 ["opt.t_0 is missing", "cosine_restarts"]),
    "lowest rate above the base": (None, TRAIN + ("opt.scheduler=plateau", "opt.min_lr=1"), USAGE,
                                   ["opt.min_lr = 1", "opt.learning_rate"]),
    "threshold of everything": (None, TRAIN + ("opt.scheduler=plateau", "opt.threshold=1"), USAGE,
                                ["opt.threshold", "[0,1)"]),
    "two warm-ups": (None, TRAIN + ("opt.warmup_epochs=1", "opt.warmup_steps=1"), USAGE,
                     ["opt.warmup_epochs", "opt.warmup_steps"]),
    "warm-up longer than the run": (None, TRAIN + ("opt.warmup_epochs=3",), USAGE,
                                    ["opt.warmup_epochs = 3", "opt.n_epochs = 3"]),
    "early stopping without validation": (None, TRAIN + ("opt.early_stopping=2",), USAGE,
                                          ["opt.early_stopping", "data.n_validation"]),
    "least fall without early stopping": (None, TRAIN + ("opt.min_delta=0.1",), USAGE,
                                          ["opt.min_delta", "opt.early_stopping"]),
    "policy unknown": (None, TRAIN + ("precision.policy=mixd",), USAGE,
                       ["precision.policy", "mixd", "mixed"]),
    "format unknown": (None, TRAIN + ("precision.format=fp16",), USAGE,
                       ["precision.format", "fp16", "f16"]),
    "storage of no role": (None, TRAIN + ("precision.storage=spectra=f16",), USAGE,
                           ["precision.storage", "spectra", "spectrum"]),
    "storage in no format": (None, TRAIN + ("precision.storage=spectrum=f15",), USAGE,
                             ["precision.storage", "f15", "f8e4m3"]),
    "storage without a format": (None, TRAIN + ("precision.storage=spectrum",), USAGE,
                                 ["precision.storage", "spectrum", "ROLE: FORMAT"]),
    "storage of what is always wide": (None, TRAIN + ("precision.storage=output=f16",), USAGE,
                                       ["precision.storage", "output", "arithmetic format"]),
    "storage in a layer that is not there": (None, TRAIN + ("precision.storage=block 9/spectrum=f16",),
                                             USAGE, ["precision.storage", "block 9", "block 1"]),
    "scales of factorised weights": (None, TRAIN + ("model.factorization=tucker", "model.rank=0.5",
                                                    "precision.storage=spectral weight copy=f8e4m3"),
                                     USAGE, ["precision.storage", "factors", "f32"]),
    "rounding unknown": (None, TRAIN + ("precision.rounding=up",), USAGE,
                         ["precision.rounding", "up", "stochastic"]),
    "scaling unknown": (None, TRAIN + ("precision.scaling=row",), USAGE,
                        ["precision.scaling", "row", "block"]),
    "moments in an unknown format": (None, TRAIN + ("opt.state_format=f16",), USAGE,
                                     ["opt.state_format", "f16", "bf16"]),
    "phases that do not add up": (None, TRAIN + ("precision.policy=schedule",
                                                 "precision.phases=mixed:0.5,full:0.2"), USAGE,
                                  ["phases"]),
    "phases without a schedule": (None, TRAIN + ("precision.phases=mixed:0.5,full:0.5",), USAGE,
                                  ["precision.phases", "schedule"]),
    "memory that no machine has": (None, TRAIN + ("model.hidden_channels=60000",
                                                  "model.n_layers=64"), FAILURE, ["memory"]),
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

FINISHED = tempfile.TemporaryDirectory(prefix="mpno-cli-finished-")


def setUpModule():
    """One finished run, copied for every case."""
    make_project(FINISHED.name)
    result = run("train", "config.yaml", folder=FINISHED.name)
    assert result.status == 0, result.err


def tearDownModule():
    FINISHED.cleanup()


class Copy(Case):
    """A project folder with a finished run in it."""

    def setUp(self):
        super().setUp()
        shutil.copytree(FINISHED.name, self.folder, dirs_exist_ok=True)


class BadInput(Copy):
    """One test for each row of CASES, made below."""

    def check(self, prepare, words, status, fragments):
        if prepare:
            prepare(self.folder)
        before = tree(self.folder)
        result = self.mpno(*words, status=status)
        self.assert_error(result, *fragments)
        self.assertNotIn("executed", os.listdir(self.folder))
        self.assertEqual(sorted(tree(self.folder)), sorted(before))
        self.assertEqual(tree(self.folder), before)


def add_case(name, row):
    def test(self):
        self.check(*row)
    setattr(BadInput, "test_" + "".join(c if c.isalnum() else "_" for c in name), test)


for case_name, case_row in CASES.items():
    add_case(case_name, case_row)


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
