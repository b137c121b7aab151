# SPDX-License-Identifier: MIT
"""Samples from trajectories: the same as windows cut by NumPy, from every order of axes, in memory and streamed; training on a
model's own predictions; keys that do not fit by name."""
import json
import unittest

from support import Case, run_peer

# Two fields of 12 waves that travel and fade on 16 points, 14 steps; in the layouts of the field, and cut by hand.
DATA = """
n, steps, points = 12, 14, 16
i, t, p = np.arange(n)[:, None, None], np.arange(steps)[None, :, None], np.arange(points)[None, None]
wave = lambda k, a: np.exp(-0.05 * t) * np.sin(2 * np.pi * k * (p - t) / points + a * i)
u = (wave(1, 1.0) + 0.4 * wave(2, 2.3)).astype("f4")
v = (wave(2, 0.7) - 0.2 * wave(1, 1.9)).astype("f4")

def windows(fields, k, m, stride=1, hop=1, first=0, last=steps - 1):
    used = [f[:, first:last + 1:stride] for f in fields]
    x, y = [], []
    for s in range(n):
        for start in range(0, used[0].shape[1] - k - m + 1, hop):
            x.append([f[s, start + j] for j in range(k) for f in used])
            y.append([f[s, start + k + j] for j in range(m) for f in used])
    return np.array(x), np.array(y)

both = np.stack([u, v], -1)                       # n t x c
with h5py.File("pdebench.h5", "w") as f:
    f.create_dataset("tensor", data=u)
    f.create_dataset("both", data=both, chunks=(3, 5, 16, 2), compression="gzip")
    f.create_dataset("turned", data=both.transpose(1, 3, 2, 0))
    f.create_dataset("plain", data=both.transpose(0, 1, 3, 2))
    f["u"], f["v"] = u, v
with h5py.File("groups.h5", "w") as f:
    for s in range(n):
        f[f"{s:04d}/data"] = both[s]
for name, args in (("u_1_1", ([u], 1, 1)), ("both_2_1", ([u, v], 2, 1)), ("both_3_2", ([u, v], 3, 2, 2, 1, 1, 12)),
                   ("u_4_3", ([u], 4, 3, 1, 3))):
    x, y = windows(*args)
    with h5py.File(name + ".h5", "w") as f:
        f["x"], f["y"] = x, y
"""
CONFIG = """
model: {n_modes: [8], hidden_channels: 8, n_layers: 2}
opt: {n_epochs: 2, learning_rate: 1e-2}
data: {batch_size: 8, encode_input: true, encoding: channel-wise}
report: {html: false, tensorboard: false}
"""


class Trajectories(Case):
    def setUp(self):
        super().setUp()
        run_peer(DATA, self.folder)
        (self.folder / "config.yaml").write_text(CONFIG)

    def train(self, output, *words, **options):
        return self.mpno("train", "config.yaml", f"output={output}", "--json", *words, **options)

    def metrics(self, output):
        return (self.folder / output / "metrics.csv").read_bytes()

    def test_samples_are_those_that_numpy_cuts(self):
        fields = ("data.x_key=u+v", "data.y_key=u+v")
        groups = ("data.train=groups.h5", "data.test=groups.h5", "data.x_key=*/data", "data.y_key=*/data",
                  "data.axes=ntxc")
        both = ("data.x_key=both", "data.y_key=both", "data.axes=ntxc")
        for cut, ways in {
                "u_1_1": [("data.time_in=1", "data.x_key=tensor", "data.y_key=tensor"),
                          ("data.time_in=1", "data.x_key=tensor", "data.y_key=tensor", "data.axes=ntx")],
                "both_2_1": [("data.time_in=2", *both), ("data.time_in=2", *fields), ("data.time_in=2", *groups),
                             ("data.time_in=2", "data.x_key=plain", "data.y_key=plain"),
                             ("data.time_in=2", "data.x_key=turned", "data.y_key=turned", "data.axes=tcxn")],
                "both_3_2": [("data.time_in=3", "data.time_out=2", "data.time_stride=2", "data.time_first=1",
                              "data.time_last=12", *both)],
                "u_4_3": [("data.time_in=4", "data.time_out=3", "data.time_hop=3", "data.x_key=u", "data.y_key=u")]}.items():
            self.train(cut, f"data.train={cut}.h5", f"data.test={cut}.h5")
            for number, words in enumerate(ways):
                output = f"{cut}-{number}"
                with self.subTest(cut=cut, words=words):
                    self.train(output, "data.train=pdebench.h5", "data.test=pdebench.h5", *words)
                    self.assertEqual(self.metrics(output), self.metrics(cut))

    def test_streamed_and_counted_by_trajectories(self):
        words = ("data.train=pdebench.h5", "data.x_key=both", "data.y_key=both", "data.axes=ntxc", "data.time_in=2",
                 "data.n_validation=2", "opt.n_epochs=6")
        memory = self.train("memory", *words).json()
        whole = self.train("whole", *words, "data.streaming=always", "data.window=120").json()
        self.assertLess(abs(whole["train_loss"] / memory["train_loss"] - 1), 0.3)
        log = self.mpno("train", "config.yaml", "output=counted", *words, "data.streaming=always", "opt.n_epochs=1").out
        self.assertIn(" 120 training samples", log)        # ten trajectories of twelve windows
        self.train("parts", *words, "opt.t_max=6", "opt.n_epochs=3", "data.streaming=always", "data.window=120")
        self.train("parts", *words, "--resume")
        self.assertEqual((self.folder / "parts/last.safetensors").read_bytes(),
                         (self.folder / "whole/last.safetensors").read_bytes())

    def test_training_on_predictions(self):
        words = ("data.train=pdebench.h5", "data.test=pdebench.h5", "data.x_key=both", "data.y_key=both",
                 "data.axes=ntxc", "data.time_in=2", "data.n_validation=2", "opt.t_max=4", "opt.n_epochs=4",
                 "rollout.steps=3", "rollout.noise=0.01")
        self.train("whole", *words)
        self.train("parts", *words, "opt.n_epochs=2")
        self.train("parts", *words, "--resume", "n_threads=3")
        self.assertEqual((self.folder / "parts/last.safetensors").read_bytes(),
                         (self.folder / "whole/last.safetensors").read_bytes())
        self.train("small", *words, "micro_batch=3")
        self.assertEqual((self.folder / "small/last.safetensors").read_bytes(),
                         (self.folder / "whole/last.safetensors").read_bytes())
        losses = {name: self.train(name, *words, *more).json()["train_loss"]
                  for name, more in (("plain", ("rollout.steps=1", "rollout.noise=0")),
                                     ("noisy", ("rollout.steps=1", "rollout.noise=0.3")),
                                     ("streamed", ("data.streaming=always",)))}
        self.assertGreater(losses["noisy"], 1.1 * losses["plain"])
        self.assertLess(losses["streamed"], 1)
        self.assertGreater(len(set(losses.values())), 2)
        plan = self.mpno("plan", "config.yaml", *words, "--json").json()["policies"]["full"]
        plain = self.mpno("plan", "config.yaml", *words, "rollout.steps=1", "--json").json()["policies"]["full"]
        self.assertGreater(plan["run_peak_bytes"], plain["run_peak_bytes"])
        summary = json.loads((self.folder / "whole/summary.json").read_text())
        self.assertAlmostEqual(plan["run_peak_bytes"] / summary["peak_bytes"], 1, delta=0.15)

    def test_what_does_not_fit_is_named(self):
        base = ("data.train=pdebench.h5", "data.x_key=tensor", "data.y_key=tensor")
        for words, fragments in {
                ("data.time_in=14",): ("pdebench.h5", "(12, 14, 16)", "a sample takes 15", "data.time_in"),
                ("data.time_in=1", "data.time_last=14"): ("no step 14", "data.time_last"),
                ("data.time_in=1", "data.time_first=9", "data.time_last=3"): ("0 of its steps",),
                ("data.time_out=2",): ("data.time_in",),
                ("data.time_in=1", "data.axes=ncx"): ("'ncx'", "no t"),
                ("data.time_in=1", "data.y_key=both", "data.axes=ntxc", "rollout.steps=2"): ("rollout.steps", "'both'"),
                ("data.time_in=1", "data.x_key=tensor[:,0]"): ("steps",),
                ("rollout.steps=2",): ("rollout.steps", "data.time_in"),
                ("data.time_in=1", "rollout.steps=2", "data.encoding=pixel-wise"): ("rollout.steps", "pixel-wise"),
                ("data.time_in=7", "rollout.steps=8"): ("a sample takes 15", "rollout.steps")}.items():
            with self.subTest(words=words):
                status = 1 if fragments == ("steps",) else 2        # the data, or the keys
                self.assert_error(self.mpno("train", "config.yaml", "output=bad", *base, *words, status=status),
                                  *fragments)
        self.assertFalse((self.folder / "bad").exists())


if __name__ == "__main__":
    unittest.main()
