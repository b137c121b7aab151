# SPDX-License-Identifier: MIT
"""What the tests of the program share: running it, a scratch folder, data files in PyTorch's format."""
import functools
import io
import json
import math
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import textwrap
import types
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("MPNO_BUILD", ROOT / "build"))
PROGRAM = BUILD / "mpno"
SANITIZED = "MPNO_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()  # such programs keep memory of their own
TIMEOUT = 300


class Result:
    """Exit status and both streams of a finished run."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def json(self):
        """The last line of standard output, which --json promises to be the only object there."""
        return json.loads(self.out.splitlines()[-1])


def run(*words, folder=None, environment=None, wrap=()):
    """Runs `mpno WORDS`; `wrap` are words before it (a shell that sets limits)."""
    clean = {key: value for key, value in os.environ.items()
             if key not in ("MPNO_ISA", "OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK", "MPI_LOCALNRANKS",
                            "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")}
    done = subprocess.run([*wrap, str(PROGRAM), *map(str, words)], cwd=folder or ROOT, check=False,
                          env={**clean, **(environment or {})}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Case(unittest.TestCase):
    """A test with a scratch folder of its own."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mpno-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def mpno(self, *words, status=0, **options):
        """Runs the program in the scratch folder and expects its exit status (None: any)."""
        result = run(*words, folder=options.pop("folder", self.folder), **options)
        self.assertIn(result.status, (result.status if status is None else status,), f"mpno {words}\n{result.out}\n{result.err}")
        return result

    def assert_error(self, result, *fragments):
        """One line on standard error, "mpno: error: SENTENCE", with the fragments in it."""
        lines = [line for line in result.err.splitlines() if line.startswith("mpno: error: ")]
        self.assertEqual(len(lines), 1, result.err)
        self.assertEqual(result.err.splitlines()[-1], lines[0], result.err)
        for fragment in fragments:
            self.assertIn(fragment.lower(), lines[0].lower())


class Tensor:
    """Numbers with a shape, to be saved as PyTorch saves an f32 tensor."""

    def __init__(self, values, shape):
        self.values, self.shape = values, tuple(shape)
        assert len(values) == math.prod(shape)


def _torch_names():
    """Stand-ins for the three names a saved tensor refers to, so that pickle writes them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*_):
        return None
    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    rebuild.__name__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    torch._utils = utils
    return torch, utils


class _Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


def save_pt(path, tensors, extra=None):
    """Writes {name: Tensor} (and other picklable values in `extra`) as torch.save does."""
    torch, utils = _torch_names()
    saved = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    try:
        class Reference:
            """Pickles as a call of _rebuild_tensor_v2."""

            def __init__(self, storage, shape):
                self.storage, self.shape = storage, shape

            def __reduce__(self):
                strides = [math.prod(self.shape[i + 1:]) for i in range(len(self.shape))]
                return (utils._rebuild_tensor_v2,
                        (self.storage, 0, self.shape, tuple(strides), False, {}))

        class Pickler(pickle.Pickler):
            """Storages are named, not written."""

            def persistent_id(self, obj):
                if isinstance(obj, _Storage):
                    return ("storage", torch.FloatStorage, obj.key, "cpu", obj.count)
                return None

        stream = io.BytesIO()
        content = {name: Reference(_Storage(str(i), len(tensor.values)), tensor.shape)
                   for i, (name, tensor) in enumerate(tensors.items())}
        Pickler(stream, protocol=2).dump({**content, **(extra or {})})
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("data/data.pkl", stream.getvalue())
        archive.writestr("data/version", "3\n")
        for i, tensor in enumerate(tensors.values()):
            archive.writestr(f"data/data/{i}", struct.pack(f"<{len(tensor.values)}f", *tensor.values))


def make_data(path, samples=16, grid=8, seed=1, channels=None, poison=None, truth=True, scale=1):
    """Smooth random inputs x, `scale` times, and, if `truth`, smoother y: [samples, (channels,)
    grid, grid]."""
    rng = random.Random(seed)
    x, y = [], []
    for _ in range(samples * (channels or 1)):
        a, b, phase = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0, 6)
        for i in range(grid):
            for j in range(grid):
                u, v = 2 * math.pi * i / grid, 2 * math.pi * j / grid
                noise = 0.1 * rng.uniform(-1, 1)
                x.append(scale * (a * math.sin(u + phase) + b * math.cos(v) + noise))
                y.append(0.5 * a * math.sin(u + phase) + 0.3 * b * math.cos(v) + 1.0)
    if poison is not None:
        x[len(x) // 2] = poison
    shape = (samples, grid, grid) if channels is None else (samples, channels, grid, grid)
    save_pt(path, {"x": Tensor(x, shape), **({"y": Tensor(y, shape)} if truth else {})})


def make_lines(path, samples=16, grid=16, seed=1, channels=(1, 1)):
    """The same on a line, with (input, output) channels: [samples, (channels,) grid]."""
    rng = random.Random(seed)
    x, y = [], []
    for _ in range(samples):
        a, phase = rng.uniform(0.5, 1), rng.uniform(0, 6)
        wave = [a * math.sin(2 * math.pi * i / grid + phase) for i in range(grid)]
        for c in range(channels[0]):
            x += [value + 0.1 * c for value in wave]
        for c in range(channels[1]):
            y += [0.5 * value + 1 + c for value in wave]
    shapes = [(samples, grid) if c == 1 else (samples, c, grid) for c in channels]
    save_pt(path, {"x": Tensor(x, shapes[0]), "y": Tensor(y, shapes[1])})


CONFIG = """\
seed: 3
output: run
model:
  n_modes: [4, 4]
  hidden_channels: 4
  n_layers: 2
data:
  train: train.pt
  test: [test8.pt, test16.pt]
  batch_size: 8
opt:
  n_epochs: 3
  learning_rate: 1e-2
"""


def make_project(folder):
    """A small configuration with its data in `folder`."""
    folder = Path(folder)
    make_data(folder / "train.pt", samples=16, grid=8, seed=1)
    make_data(folder / "test8.pt", samples=4, grid=8, seed=2)
    make_data(folder / "test16.pt", samples=4, grid=16, seed=3)
    (folder / "config.yaml").write_text(CONFIG)


def load_safetensors(path):
    """{name: (dtype, shape, bytes)} of a safetensors file."""
    content = Path(path).read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    data = content[8 + size:]
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def rewrite_header(path, change):
    """Applies `change` to the header of a checkpoint and gives it the checksum that fits, which the program tells."""
    content = Path(path).read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + size])
    change(header)

    def write(checksum):
        header["__metadata__"]["mpno.checksum"] = checksum
        text = json.dumps(header).encode()
        Path(path).write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size:])
    write(16 * "0")
    write(re.search("contents give ([0-9a-f]{16})", run("eval", path).err)[1])


@functools.cache
def find_peer():
    """A Python with NumPy and h5py (Debian's, where another one comes first in the path)."""
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", "import numpy, h5py"], check=False,
                              stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return python
    raise FileNotFoundError("no Python with numpy and h5py: install what packages.txt lists")


def run_peer(script, folder):
    """Runs a script with NumPy as np and h5py in the folder; gives the JSON object that it prints, if any."""
    head = "import json, h5py\nimport numpy as np\n"
    done = subprocess.run([find_peer(), "-c", head + textwrap.dedent(script)], cwd=folder,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout) if done.stdout else None


def npy(descr="<f4", shape=(4, 8, 8), data=None, order=False, version=1):
    """The bytes of a .npy file, right or wrong."""
    header = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape!r}, }}".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    data = bytes(4 * math.prod(shape)) if data is None else data
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def tree(folder):
    """{path: content} of every file below a folder: what "nothing is lost" is checked with."""
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}
