# SPDX-License-Identifier: MIT
"""mpno export: what other programs find in the files. State dicts are unpickled by Python itself, with stand-ins for torch's
names; that the PyTorch library loads them and gives the same outputs was measured (docs/howto/compat.md)."""
import json
import pickle
import pickletools
import struct
import unittest
import zipfile
from collections import OrderedDict

from support import Case, make_data

FORMATS = {"FloatStorage": ("f", 4), "ComplexFloatStorage": ("f", 8), "LongStorage": ("q", 8),
           "DoubleStorage": ("d", 8), "ComplexDoubleStorage": ("d", 16)}


class Reader(pickle.Unpickler):
    """A .pt file as {name: (storage class, shape, strides, bytes)}, and whatever else is in it."""

    def __init__(self, path):
        self.archive = zipfile.ZipFile(path)
        self.stem = path.name.rsplit(".", 1)[0]
        assert self.archive.read(f"{self.stem}/version") == b"3\n"
        super().__init__(self.archive.open(f"{self.stem}/data.pkl"))

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, grad, hooks: (*storage, offset, shape, strides)
        assert module == "torch" and name in FORMATS, (module, name)
        return name

    def persistent_load(self, pid):
        kind, storage, key, place, count = pid
        assert (kind, place) == ("storage", "cpu")
        data = self.archive.read(f"{self.stem}/data/{key}")
        assert len(data) == count * FORMATS[storage][1]
        return storage, data


def safetensors(path):
    """{name: bytes} of our own file."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    head = json.loads(data[8:8 + size])
    return {name: data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]
            for name, entry in head.items() if name != "__metadata__"}


class Export(Case):
    """A tiny trained model, exported."""

    def train(self, *words):
        make_data(self.folder / "data.pt", samples=6)
        (self.folder / "c.yaml").write_text(
            "model: {n_modes: [4, 4], hidden_channels: 6, n_layers: 2}\n"
            "data: {train: data.pt, batch_size: 3, test: [data.pt]}\n"
            "opt: {n_epochs: 1}\noutput: run\nreport: {html: false, tensorboard: false}\n")
        self.mpno("train", "c.yaml", *words)

    def test_bits_shapes_and_arguments(self):
        self.train("model.norm=batch_norm", "model.domain_padding=0.25")
        self.mpno("export", "run", "-o", "m_state_dict.pt", "--json")
        self.mpno("export", "run", "-o", "w.safetensors")
        found, ours = Reader(self.folder / "m_state_dict.pt").load(), safetensors(self.folder / "w.safetensors")
        metadata = found.pop("_metadata")
        self.assertEqual(list(found)[:2], ["fno_blocks.convs.0.bias", "fno_blocks.convs.0.weight.tensor"])
        self.assertEqual(set(found), set(ours))
        for name, (storage, data, offset, shape, strides) in found.items():
            with self.subTest(name=name):
                stride = 1
                for size, found_stride in zip(reversed(shape), reversed(strides)):
                    self.assertEqual(found_stride, stride)
                    stride *= size
                self.assertEqual(offset, 0)
                self.assertEqual(len(data), stride * FORMATS[storage][1])
                self.assertEqual(data, ours[name])
        counter = found["fno_blocks.norm.0.norm.num_batches_tracked"]
        self.assertEqual((counter[0], counter[1], counter[3]), ("LongStorage", struct.pack("<q", 2), ()))
        self.assertEqual(found["fno_blocks.convs.0.weight.tensor"][0], "ComplexFloatStorage")
        self.assertEqual(metadata["n_modes"], [4, 4])
        self.assertEqual((metadata["norm"], metadata["fno_skip"]), ("batch_norm", "linear"))
        self.assertEqual((metadata["domain_padding"], metadata["max_n_modes"]), (0.25, None))
        self.assertEqual((metadata["_name"], metadata["_version"], metadata["args"]), ("FNO", "0.1.0", []))
        self.assertNotIn("norm_groups", metadata)
        self.assertEqual(Reader(self.folder / "m_metadata.pkl").load(), metadata)
        with zipfile.ZipFile(self.folder / "m_state_dict.pt") as archive:
            codes = {code.name for code, _, _ in pickletools.genops(archive.read("m_state_dict/data.pkl"))}
        self.assertLessEqual(codes, {  # what torch.load reads with weights_only=True, its default
            "PROTO", "GLOBAL", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "REDUCE", "MARK", "NONE", "BINUNICODE",
            "BININT", "BININT1", "LONG1", "BINFLOAT", "NEWTRUE", "NEWFALSE", "TUPLE", "BINPERSID", "APPENDS",
            "SETITEMS", "STOP"})

    def test_an_exported_model_is_the_model(self):
        self.train("data.encode_output=false", "opt.ema_decay=0.9", "precision.policy=mixed")
        self.mpno("export", "run", "-o", "model.pt")
        for words in (("run",), ("model.pt",)):
            self.mpno("predict", *words, "data.pt", "-o", f"{len(words[0])}.npy", "precision.policy=full")
        self.assertEqual((self.folder / "3.npy").read_bytes(), (self.folder / "8.npy").read_bytes())
        first = (self.folder / "model.pt").read_bytes()
        self.mpno("export", "run", "-o", "model.pt")
        self.assertEqual(first, (self.folder / "model.pt").read_bytes())

    def test_what_the_library_computes_otherwise_is_refused(self):
        self.train("model.max_n_modes=[6, 6]")
        self.assert_error(self.mpno("export", "run", "-o", "m.pt", status=1), "model.max_n_modes",
                          "compat = neuralop")
        self.assertFalse((self.folder / "m.pt").exists())
        self.mpno("export", "run", "-o", "m.safetensors")
        self.assert_error(self.mpno("export", "run", "-o", "m.onnx", status=2), "m.onnx", ".safetensors")
        self.assert_error(self.mpno("export", "nowhere", "-o", "m.pt", status=1), "nowhere")


if __name__ == "__main__":
    unittest.main()
