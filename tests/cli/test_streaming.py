# SPDX-License-Identifier: MIT
"""Training data that stay in their files: HDF5 of every layout, virtual data sets, .npy; memory that is bounded, runs that
go on with the same bits, files that cannot be streamed by name."""
import json
import subprocess
import sys
import unittest

from support import PROGRAM, SANITIZED, Case, make_data, run_peer

# x, y of 200 smooth samples on 16 points, y = x moved and halved, in every layout; and 40 MB of them as a virtual set.
DATA = """
i = np.arange(200)[:, None]
t = 2 * np.pi * np.arange(16)[None] / 16
x = (np.sin(t + i) + 0.5 * np.cos(2 * t - i * i)).astype("f4")
y = (0.5 * np.roll(x, -2, 1)).astype("f4")
for name, how in (("plain", {}), ("gzip", dict(chunks=(9, 16), compression="gzip", shuffle=True)),
                  ("lzf", dict(chunks=(25, 4), compression="lzf"))):
    with h5py.File(f"{name}.h5", "w") as f:
        f.create_dataset("x", data=x, **how)
        f.create_dataset("y", data=y, **how)
for n, name in ((1, "once"), (1500, "large")):
    with h5py.File(f"{name}.h5", "w") as f:
        for key in "xy":
            layout = h5py.VirtualLayout((200 * n, 16), "f4")
            for k in range(n):
                layout[200 * k:200 * k + 200] = h5py.VirtualSource("plain.h5", key, (200, 16))
            f.create_virtual_dataset(key, layout)
np.save("both.npy", np.stack([x, y], 1))
with h5py.File("one.h5", "w") as f, h5py.File("two.h5", "w") as g:
    f["x"], f["y"], g["x"], g["y"] = x[:70], y[:70], x[70:], y[70:]
"""
MODEL = """
model: {n_modes: [8], hidden_channels: 6, n_layers: 2}
opt: {n_epochs: 4, learning_rate: 1e-2}
data: {test: plain.h5, n_test: 20, batch_size: 8, streaming: always}
report: {html: false, tensorboard: false}
"""


class Streaming(Case):
    def setUp(self):
        super().setUp()
        run_peer(DATA, self.folder)
        (self.folder / "config.yaml").write_text(MODEL)

    def train(self, output, *words, **options):
        return self.mpno("train", "config.yaml", f"output={output}", "--json", *words, **options)

    def checkpoint(self, output):
        return (self.folder / output / "last.safetensors").read_bytes()

    def test_every_layout_trains_alike(self):
        """One block holds all here: what differs is only how the file stores them."""
        memory = self.train("memory", "data.train=plain.h5", "data.streaming=never").json()
        found = {}
        for name in ("plain.h5", "gzip.h5", "lzf.h5", "once.h5", "both.npy", "[one.h5, two.h5]"):
            keys = ["data.x_key=[:,0]", "data.y_key=[:,1]"] if name.endswith("npy") else []
            test = ["data.test=both.npy"] if keys else []
            result = self.train("run-" + name, f"data.train={name}", *keys, *test).json()
            found[name] = (result["train_loss"], result["test"]["16"]["l2"])
            # in another order of samples than in memory: a relative error of 1 falls to one of 0.1 all the same
            self.assertLess(result["test"]["16"]["l2"], 0.1)
        self.assertLess(memory["test"]["16"]["l2"], 0.1)
        self.assertEqual(set(found.values()) - {found["plain.h5"]}, {found["[one.h5, two.h5]"]})

    def test_runs_go_on_with_the_same_bits(self):
        words = ("data.train=gzip.h5", "data.window=60", "opt.t_max=4", "data.encode_input=true", "augment.shift=[0]",
                 "data.n_validation=15")
        self.train("whole", *words)
        self.train("parts", *words, "opt.n_epochs=2")
        self.assertNotEqual(self.checkpoint("parts"), self.checkpoint("whole"))
        self.train("parts", *words[:1], *words[2:], "data.streaming=auto", "--resume")
        self.assertEqual(self.checkpoint("parts"), self.checkpoint("whole"))
        self.train("threads", *words, "n_threads=3")
        self.assertEqual(self.checkpoint("threads"), self.checkpoint("whole"))
        self.assert_error(self.train("parts", *words, "data.streaming=never", "data.window=null", "--resume", status=2),
                          "cannot resume", "data.streaming")
        self.assert_error(self.train("parts", *words, "data.window=61", "--resume", status=2),
                          "cannot resume", "data.window")

    def test_memory_is_that_of_the_windows(self):
        """300000 samples of 128 bytes: in memory, then in windows; the limit alone asks for them."""
        words = ("data.train=large.h5", "opt.n_epochs=1", "data.batch_size=1000", "data.streaming=auto")

        def most(*more):
            done = subprocess.run([sys.executable, "-c", MOST, str(PROGRAM), "train", "config.yaml", *words, *more],
                                  cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True)
            return json.loads(done.stdout.splitlines()[-1])

        memory = most("output=memory")
        limited = most("output=limited", "memory_limit=24MiB")
        summary = json.loads((self.folder / "limited/summary.json").read_text())
        self.assertLess(summary["peak_bytes"], 24 << 20)
        self.assertGreater(json.loads((self.folder / "memory/summary.json").read_text())["peak_bytes"], 36 << 20)
        if not SANITIZED:
            self.assertLess(limited, memory - (20 << 20))
        self.assertIn("streaming: always", (self.folder / "limited/config.yaml").read_text())
        plan = self.mpno("plan", "config.yaml", *words, "memory_limit=24MiB", "--json").json()
        self.assertLess(plan["policies"]["full"]["run_peak_bytes"], 24 << 20)
        self.assertAlmostEqual(plan["policies"]["full"]["run_peak_bytes"] / summary["peak_bytes"], 1, delta=0.1)

    def test_what_cannot_be_streamed_is_named(self):
        make_data(self.folder / "set.pt", samples=8, grid=16)
        (self.folder / "broken.h5").write_bytes((self.folder / "plain.h5").read_bytes()[:3000])
        for name, fragments in (("set.pt", ("set.pt", "read as a whole", "mpno data convert", "data.streaming=never")),
                                ("missing.h5", ("missing.h5",)),
                                ("broken.h5", ("broken.h5",))):
            self.assert_error(self.train("out", f"data.train={name}", status=1), *fragments)
        (self.folder / "plain.h5").rename(self.folder / "moved.h5")
        self.assert_error(self.train("out", "data.train=once.h5", "data.test=moved.h5", status=1), "once.h5", "'x'",
                          "plain.h5", "does not exist")
        self.assert_error(self.train("out", "data.train=moved.h5", "data.test=moved.h5", "data.window=9", status=2),
                          "data.window = 9 is too small", "at least")
        self.assert_error(self.train("out", "data.train=moved.h5", "data.streaming=never", "data.window=9", status=2),
                          "data.window", "data.streaming")
        self.assert_error(self.train("out", "data.train=moved.h5", "data.test=moved.h5", "data.y_key=z", status=1),
                          "moved.h5", "'z'")
        self.assertFalse((self.folder / "out").exists())


# Runs a command; prints the most memory that it had resident.
MOST = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""

if __name__ == "__main__":
    unittest.main()
