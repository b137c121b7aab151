# SPDX-License-Identifier: MIT
"""What mpno generate promises of every equation that it lists: whatever happened, the bytes are those of one quiet run;
a sample depends on seed and number alone."""
import random
import re
import signal
import subprocess
import time
import unittest

from support import PROGRAM, TIMEOUT, Case, run

try:
    import h5py
except ImportError:
    h5py = None

# Words that make a set of some tenths of a second; an equation that is missing here fails.
SMALL = {
    "advection": ("--n_samples", 400, "--resolution", 128, "--snapshots", 4),
    "burgers": ("--n_samples", 40, "--resolution", 64, "--recipe", "pdebench", "--nu", 0.05, "--snapshots", 3),
    "darcy": ("--n_samples", 24, "--resolution", 48),
    "diffusion_reaction": ("--n_samples", 24, "--resolution", 32),
    "helmholtz": ("--n_samples", 24, "--resolution", 16, "--k", 20, "--absorption", 0.2),
    "navier_stokes": ("--n_samples", 21, "--resolution", 16, "--recipe", "li", "--final_time", 3),
}

LAYOUTS = {"helmholtz": ("mpno",)}  # where not both


def equations():
    """Their names, from the help."""
    text = run("generate", "--help").out.split("\nEQUATIONS\n")[1]
    return re.findall(r"^    (\w+) +\S", text.split("    mpno generate ")[0], re.M)


class Every(Case):
    """One test for each equation, made below."""

    def make(self, equation, name, *words):
        self.mpno("generate", equation, "-q", "--seed", 7, *SMALL[equation], "-o", name, *words)
        return (self.folder / name).read_bytes()

    def threads(self, equation):
        one = self.make(equation, "1.h5", "--threads", 1)
        self.assertEqual(self.make(equation, "3.h5", "--threads", 3), one)

    def company(self, equation):
        """The first samples of a larger set are those of a smaller one; another seed has others."""
        if h5py is None:
            self.skipTest("needs h5py")
        self.make(equation, "all.h5")
        self.make(equation, "few.h5", "--n_samples", 3)
        self.make(equation, "other.h5", "--n_samples", 3, "--seed", 8)
        with h5py.File(self.folder / "all.h5") as whole, h5py.File(self.folder / "few.h5") as few, \
                h5py.File(self.folder / "other.h5") as other:
            for key in ("x", "y"):
                self.assertEqual(few[key][:].tobytes(), whole[key][:3].tobytes())
                self.assertNotEqual(few[key][:].tobytes(), other[key][:].tobytes())
                self.assertFalse((few[key][0] == few[key][1]).all())

    def kills(self, equation):
        """Killed at random times, then resumed until nothing is left to do; in both layouts."""
        rng = random.Random(equation)
        for layout in LAYOUTS.get(equation, ("mpno", "pdebench")):
            start = time.monotonic()
            wanted = self.make(equation, f"whole-{layout}.h5", "--layout", layout)
            longest = 1.2 * (time.monotonic() - start)
            path = self.folder / f"killed-{layout}.h5"
            words = ["generate", equation, "-q", "--seed", 7, *SMALL[equation], "--layout", layout, "--resume", "-o", path]
            for _ in range(10):
                with subprocess.Popen([str(PROGRAM), *map(str, words)], cwd=self.folder) as process:
                    time.sleep(rng.uniform(0.005, longest))
                    process.send_signal(signal.SIGKILL)
                    process.wait(TIMEOUT)
                if path.exists() and h5py is not None:
                    h5py.File(path).close()
                if path.exists() and path.read_bytes() == wanted:
                    path.unlink()
            self.mpno(*words)
            self.assertEqual(path.read_bytes(), wanted)


def add(equation, what):
    setattr(Every, f"test_{equation}_{what}", lambda self: getattr(self, what)(equation))


for _name in equations():
    for _what in ("threads", "company", "kills"):
        add(_name, _what)

if __name__ == "__main__":
    unittest.main()
