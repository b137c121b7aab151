# SPDX-License-Identifier: MIT
"""mpno data and the formats behind it, beside NumPy and h5py: what they write is read as they read it, and the other way
round."""
import json
import math
import unittest

from support import ROOT, Case, run_peer, save_pt, Tensor

KINDS = ["?", "i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8",
         ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16"]

# Defines `arrays`: one of each kind, of 0 to 4 axes, in both orders; and `facts` of them as NumPy has them.
ARRAYS = f"""
rng = np.random.default_rng(1)
arrays = {{}}
for i, kind in enumerate({KINDS!r}):
    values = rng.normal(0, 40, (3, 1, 4, 2)[:i % 5]) + (1j * rng.normal(0, 1) if "c" in kind else 0)
    if "u" in kind or "?" in kind:
        values = np.round(np.abs(values)) % 2
    array = np.asarray(np.round(values) if kind[-2:-1] in ("i", "u") else values).astype(kind)
    arrays[f"g{{i}}/" + kind.replace("<", "l").replace(">", "b").replace("?", "t")] = (
        np.asfortranarray(array) if i % 2 else array)

def facts(a):
    pair = np.iscomplexobj(a)
    s = a.sum(dtype=np.complex128 if pair else np.float64 if a.dtype.kind == "f" else None)
    return {{"shape": list(a.shape), "dtype": a.dtype.newbyteorder("=").name,
            "sum": [s.real, s.imag] if pair else s.item(),
            "min": None if pair else a.min().item(), "max": None if pair else a.max().item(), "nan": 0}}
"""


class Statistics(Case):
    """The JSON of `mpno data stats` against NumPy's numbers."""

    def check(self, found, facts):
        self.assertEqual(found["shape"], facts["shape"])
        self.assertEqual(found["dtype"], facts["dtype"])
        self.assertEqual(found["nan"], 0)
        for key in ("min", "max"):
            self.assertEqual(found[key], facts[key])
        for mine, theirs in zip(*([v] if not isinstance(v, list) else v
                                  for v in (found["sum"], facts["sum"]))):
            self.assertTrue(math.isclose(mine, theirs, rel_tol=1e-12, abs_tol=1e-12), (mine, theirs))

    def stats(self, name):
        return self.mpno("data", "stats", name, "--json").json()

    def check_file(self, name, facts):
        found = {t["name"]: t for t in self.stats(name)["tensors"]}
        self.assertEqual(set(found), set(facts))
        for key, entry in facts.items():
            with self.subTest(tensor=key):
                self.check(found[key], entry)
        self.assertTrue(self.mpno("data", "check", name, "--json").json()["sound"])

    def test_hdf5_of_h5py(self):
        """Every layout and filter that h5py writes without plugins."""
        facts = run_peer(ARRAYS + """
with h5py.File("a.h5", "w") as f:
    for i, (key, a) in enumerate(arrays.items()):
        how = [{}, {"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True, "compression": "lzf"},
               {"fletcher32": True}, {"shuffle": True, "compression": "gzip"}][i % 6] if a.ndim else {}
        f.create_dataset(key, data=a, **how)
    f.attrs["beta"] = 0.5
    f["g0"].attrs["ignored"] = 1
print(json.dumps({k: facts(a) for k, a in arrays.items()}))
""", self.folder)
        self.check_file("a.h5", facts)
        self.assertEqual(self.stats("a.h5")["attributes"], {"beta": "0.5"})

    def test_virtual_sets_of_h5py(self):
        """Of several files, with a gap and the file itself as a source; a missing source is an error."""
        facts = run_peer(ARRAYS + """
import os
os.mkdir("parts")
u = rng.normal(size=(3, 4, 5)).astype("f4")
for i in range(3):
    with h5py.File(f"parts/{i}.h5", "w") as f:
        f.create_dataset("u", data=u[i], chunks=(2, 5), compression="gzip")
layout = h5py.VirtualLayout((4, 4, 5), "f4")
for i in range(3):
    layout[i] = h5py.VirtualSource(f"parts/{i}.h5", "u", (4, 5))
again = h5py.VirtualLayout((8, 4, 5), "f4")
again[:4] = again[4:] = h5py.VirtualSource(".", "all", (4, 4, 5))
with h5py.File("v.h5", "w") as f:
    f.create_virtual_dataset("all", layout)
    f.create_virtual_dataset("twice", again)
whole = np.concatenate([u, np.zeros((1, 4, 5), "f4")])
print(json.dumps({"all": facts(whole), "twice": facts(np.concatenate([whole, whole]))}))
""", self.folder)
        self.check_file("v.h5", facts)
        (self.folder / "parts" / "1.h5").unlink()
        self.assert_error(self.mpno("data", "stats", "v.h5", status=1), "v.h5", "'all'", "parts/1.h5",
                          "does not exist")

    def test_npz_of_numpy(self):
        for save in ("savez", "savez_compressed"):
            facts = run_peer(ARRAYS + f"""
arrays = {{k.replace("/", "_"): a for k, a in arrays.items()}}
np.{save}("a.npz", **arrays)
print(json.dumps({{k: facts(a) for k, a in arrays.items()}}))
""", self.folder)
            self.check_file("a.npz", facts)

    def test_npy_of_numpy(self):
        facts = run_peer(ARRAYS + """
for i, a in enumerate(arrays.values()):
    np.save(f"{i}.npy", a)
print(json.dumps([facts(a) for a in arrays.values()]))
""", self.folder)
        for i, entry in enumerate(facts):
            with self.subTest(kind=KINDS[i]):
                self.check(self.stats(f"{i}.npy"), entry)

    def test_parts(self):
        """Keys against the same expression in NumPy; one tensor's facts stand at the top of the object."""
        parts = ["[0]", "[-1]", "[2:7]", "[::3]", "[1:9:2,3]", "[:,-3:]", "[5,1:4,::2]", "[0:10,0,0]"]
        facts = run_peer(ARRAYS + f"""
u = rng.normal(size=(10, 6, 5))
np.save("u.npy", u)
np.save("f.npy", np.asfortranarray(u).astype(">f4"))
np.savez("u.npz", u=u)
with h5py.File("u.h5", "w") as f:
    f.create_dataset("g/u", data=u, chunks=(3, 4, 5), compression="lzf")
print(json.dumps([facts(eval("u" + part)) for part in {parts!r}]))
""", self.folder)
        for part, entry in zip(parts, facts):
            for name in (f"u.npy:{part}", f"u.npz:u{part}", f"u.h5:g/u{part}", f"u.h5:g.u{part}"):
                with self.subTest(name=name):
                    self.check(self.stats(name), entry)

    def test_stacks_and_sums(self):
        facts = run_peer(ARRAYS + """
with h5py.File("s.h5", "w") as f:
    u = rng.normal(size=(12, 5, 4)).astype("f4")
    for i in range(12):
        f[f"{i:04d}/data"] = u[i]
    f["a"], f["b"] = u + 1, u + 2
print(json.dumps({"*/data": facts(u), "*/data[1:3]": facts(u[:, 1:3]), "000*/data[:,0]": facts(u[:10, :, 0]),
                  "a+b": facts(np.stack([u + 1, u + 2], 1)), "a[:3,0]+b[:3,1]": facts(np.stack([u[:3, 0] + 1, u[:3, 1] + 2], 1))}))
""", self.folder)
        for key, entry in facts.items():
            with self.subTest(key=key):
                self.check(self.stats(f"s.h5:{key}"), entry)

    def test_values_that_are_not_numbers(self):
        run_peer("np.save('n.npy', np.array([1, np.nan, 3, np.inf, -2, np.nan]))", self.folder)
        found = self.stats("n.npy")
        self.assertEqual([found[k] for k in ("nan", "inf", "sum", "min", "max")], [2, 1, 2, -2, 3])

    def test_large_integers_are_exact(self):
        run_peer("np.save('i.npy', np.array([2**62, 2**61 + 1, -3]))", self.folder)
        self.assertEqual(self.stats("i.npy")["sum"], 2**62 + 2**61 - 2)

    def test_only_the_part_is_read(self):
        """A part of a data set that would not fit in memory: 4 TiB, hardly any of them stored."""
        run_peer("""
f = h5py.File("large.h5", "w")
d = f.create_dataset("u", shape=(2**20, 2**20), dtype="f4", chunks=(1, 1024))
d[7, :1024] = 2
""", self.folder)
        found = self.stats("large.h5:u[7,0:2048]")
        self.assertEqual((found["shape"], found["sum"]), ([2048], 2048))
        self.assertEqual(self.mpno("data", "info", "large.h5", "--json").json()["shape"],
                         [2**20, 2**20])


class Writing(Case):
    """What mpno writes, read by h5py and NumPy."""

    def test_conversion(self):
        """Bits survive .npz -> .h5 -> .safetensors -> .h5, and each tensor -> .npy."""
        run_peer(ARRAYS + """
np.savez("a.npz", **{k.replace("/", "_"): a for k, a in arrays.items()})
""", self.folder)
        self.mpno("data", "convert", "a.npz", "b.h5")
        self.mpno("data", "convert", "b.h5", "c.safetensors")
        self.mpno("data", "convert", "c.safetensors", "d.h5")
        names = [t["name"] for t in self.mpno("data", "info", "d.h5", "--json").json()["tensors"]]
        self.assertEqual(len(names), len(KINDS))
        for name in names:
            self.mpno("data", "convert", f"d.h5:{name}", f"{name}.npy")
        wrong = run_peer("""
wrong = []
a, b, d = np.load("a.npz"), h5py.File("b.h5"), h5py.File("d.h5")
for key in a:
    for got in (b[key][()], d[key][()], np.load(key + ".npy")):
        if got.dtype != a[key].dtype.newbyteorder("=") or got.shape != a[key].shape or not (got == a[key]).all():
            wrong.append([key, str(got.dtype), str(a[key].dtype)])
print(json.dumps(wrong))
""", self.folder)
        self.assertEqual(wrong, [])

    def test_the_same_input_gives_the_same_file(self):
        self.mpno("data", "convert", ROOT / "tests/data/sample.h5", "a.h5")
        self.mpno("data", "convert", ROOT / "tests/data/sample.h5", "b.h5")
        self.assertEqual((self.folder / "a.h5").read_bytes(), (self.folder / "b.h5").read_bytes())
        kept = run_peer("""
f = h5py.File("a.h5")
print(json.dumps([{k: v.decode() for k, v in f.attrs.items()}, f["truth"].attrs["unit"].decode(),
                  str(f["truth"].dtype)]))
""", self.folder)
        self.assertEqual(kept, [{"beta": "0.1", "grid": "[1, 2, 3]", "name": "\u00fcn\u00ef",
                                 "periodic": "true"}, "m", "bool"])

    def test_what_is_left_out_is_said(self):
        result = self.mpno("data", "convert", ROOT / "tests/data/sample.h5", "a.h5", "--json")
        self.assertEqual(result.json()["left_out"], ["records", "text"])


class Training(Case):
    """Data of other layouts through train, eval and predict."""

    def test_formats_and_axes_do_not_change_the_result(self):
        """The same samples as .pt, .npz, HDF5 with channels last, and a stack of groups: the same bits."""
        run_peer("""
rng = np.random.default_rng(2)
x = rng.normal(size=(12, 2, 8, 8)).astype("f4")
y = x[:, :1] * 0.5 + 1
np.savez("a.npz", x=x, y=y)
with h5py.File("b.h5", "w") as f:
    f["both"] = np.moveaxis(np.concatenate([x, y], 1), 1, -1)
    f["x0"], f["x1"], f["y"] = x[:, 0], x[:, 1], y[:, 0]
    f["turned"] = np.concatenate([x, y], 1).transpose(3, 2, 1, 0)
    for i in range(12):
        f[f"{i:04d}/data"] = np.concatenate([x[i], y[i]])
json.dump({"x": x.ravel().tolist(), "y": y.ravel().tolist()}, open("a.json", "w"))
""", self.folder)
        values = json.loads((self.folder / "a.json").read_text())
        save_pt(self.folder / "a.pt", {"x": Tensor(values["x"], (12, 2, 8, 8)),
                                       "y": Tensor(values["y"], (12, 1, 8, 8))})
        (self.folder / "c.yaml").write_text("""
model: {n_modes: [4, 4], hidden_channels: 4, n_layers: 1}
data: {train: a.pt, batch_size: 4}
opt: {n_epochs: 2}
""")
        ways = {"pt": [], "npz": ["data.train=a.npz"],
                "last": ["data.train=b.h5", "data.x_key=both[:,:,:,0:2]",
                         "data.y_key=both[:,:,:,2:]", "data.axes=nxyc"],
                "sum": ["data.train=b.h5", "data.x_key=x0+x1", "data.y_key=y"],
                "stack": ["data.train=b.h5", "data.x_key=*/data[0:2]", "data.y_key=*/data[2]"],
                "matlab": ["data.train=b.h5", "data.x_key=turned[:,:,0:2]",
                           "data.y_key=turned[:,:,2]", "data.axes=yxcn"]}
        losses = {}
        for way, keys in ways.items():
            summary = self.mpno("train", "c.yaml", f"output={way}", *keys, "--json", "--quiet").json()
            losses[way] = [json.loads(line).get("train_loss")
                           for line in (self.folder / way / "log.jsonl").read_text().splitlines()]
            self.assertTrue(summary)
        self.assertTrue(any(losses["pt"]), losses)
        for way in ways:
            self.assertEqual(losses[way], losses["pt"], way)
        plan = [json.loads(self.mpno("plan", "c.yaml", "--json", *ways[w]).out.splitlines()[-1])
                for w in ("pt", "last")]
        self.assertEqual(plan[0]["parameters"], plan[1]["parameters"])
        for name in ("y.npy", "y.h5", "y.safetensors"):
            self.mpno("predict", "sum", "b.h5", "-o", name)
        self.assertTrue(run_peer("""
print(json.dumps(bool((np.load("y.npy") == h5py.File("y.h5")["y"][()]).all())))
""", self.folder))

    def test_public_sets(self):
        sets = self.mpno("data", "where", "--json").json()
        self.assertEqual(sets["darcy_train_16"]["bytes"], 1280999)
        for name, entry in sets.items():
            self.assertEqual(self.mpno("data", "where", name, "--json").json(), {name: entry})
            self.assertTrue(entry["address"].startswith("https://"))


if __name__ == "__main__":
    unittest.main()
