#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks a certificate of mpno without any code of mpno, for small models.

usage: scripts/check_certificate.py CERTIFICATE [--weights FILE] [--input FILE] [--answer FILE] [--digits N]

Reads the certificate, the checkpoint, the input and the stored answer, computes their SHA-256 again, evaluates the network with
50 digits (scripts/exact_network.py) and looks whether every distance and size lies between its bounds and the verdict follows.
Files are where the certificate says, or as the options say. Needs numpy, mpmath and, for HDF5, h5py (packages.txt).

Exits 0 (everything holds), 1 (something does not: the lines that begin with WRONG) or 2 (it cannot say).
"""
import argparse
import hashlib
import json
import pickle
import re
import sys
import zipfile
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mpf

from exact_network import Network, Refused, distances, exact, per_axis, read_safetensors

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"{}\[\],:]+|[{}\[\],:]')
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BoolStorage": "?", "ByteStorage": "u1", "CharStorage": "i1",
            "ShortStorage": "<i2", "IntStorage": "<i4", "LongStorage": "<i8"}


# ---- the document ----

def one_line(text):
    """JSON as mpno writes it on one line: numbers and strings letter by letter as they stand."""
    spaced = {",": ", ", ":": ": "}
    return "".join(spaced.get(token, token) for token in TOKEN.findall(text))


def top_entries(line):
    """[(key, text of the value)] of an object on one line."""
    entries, depth, start, key = [], 0, 1, None
    for match in TOKEN.finditer(line):
        token = match.group()
        depth += (token in "{[") - (token in "}]") if len(token) == 1 else 0
        if depth == 1 and token == ":" and key is None:
            key, start = json.loads(line[start:match.start()]), match.end() + 1
        elif (depth == 1 and token == ",") or depth == 0:
            entries.append((key, line[start:match.start()]))
            key, start = None, match.end() + 1
    return entries


def sha256(data):
    """Hexadecimal digits, of bytes or a text."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


class Report:
    """Lines of what holds and what does not."""

    def __init__(self):
        self.wrong = 0

    def hold(self, fact, what):
        """One line of either kind."""
        self.wrong += not fact
        print(("ok     " if fact else "WRONG  ") + what)


def check_document(report, text):
    """The sums that the document has of itself; gives it as an object."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != "mpno certificate" or document.get("version") != 1:
        raise Refused("this is no certificate of mpno, or of another version")
    line = one_line(text)
    entries = top_entries(line)
    rest = line[:line.rfind(', "sha256": ')] + "}"
    report.hold(entries[-1][0] == "sha256" and sha256(rest) == document["sha256"], "the certificate's own SHA-256")
    report.hold(sha256(dict(entries)["plan"]) == document["plan_sha256"], "SHA-256 of the plan")
    return document


# ---- data files ----

class Tensors(pickle.Unpickler):
    """Tensors of a file of torch.save; any other class is refused, so that nothing in it can run."""

    def __init__(self, archive):
        self.archive = archive
        self.folder = next(name for name in archive.namelist() if name.endswith("data.pkl"))[:-len("data.pkl")]
        super().__init__(archive.open(self.folder + "data.pkl"))

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise Refused(f"the file refers to {module}.{name}")

    def persistent_load(self, pid):
        return np.frombuffer(self.archive.read(f"{self.folder}data/{pid[2]}"), pid[1])

    @staticmethod
    def rebuild(storage, offset, shape, strides, *_):
        """A tensor as a view of its storage."""
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, [s * storage.itemsize for s in strides])


def read_tensor(path, key):
    """The tensor of that plain name in a data file."""
    if re.search(r"[\[\]*+]", key or ""):
        raise Refused(f"{path}: the key {key} is more than a name")
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".npz":
        return np.load(path, allow_pickle=False)[key]
    if path.suffix == ".safetensors":
        return read_safetensors(path)[0][key]
    if path.suffix in (".h5", ".hdf5"):
        import h5py  # pylint: disable=import-outside-toplevel
        with h5py.File(path) as file:
            return file[key][()]
    if path.suffix in (".pt", ".pth"):
        with zipfile.ZipFile(path) as archive:
            return Tensors(archive).load()[key]
    raise Refused(f"{path}: no reader for such files here")


def sum_of_sample(values, *extra):
    """SHA-256 of shape and numbers, as docs/reference/certificate.md says."""
    digest = hashlib.sha256()
    for numbers in (values, *extra):
        digest.update(f"f64 [{', '.join(map(str, numbers.shape))}]\n".encode())
        digest.update(np.ascontiguousarray(numbers, "<f8").tobytes())
    return digest.hexdigest()


def find(path, given, certificate):
    """Where a file is: where it is said to be, or beside the certificate."""
    if given is not None:
        return given
    if path is None:
        raise Refused("a file was not stored with the certificate: say where it is")
    places = [Path(path), certificate.parent / path, certificate.parent / Path(path).name]
    return next((place for place in places if place.exists()), places[0])


def read_sample(place, entry):
    """One sample [channels, grid..], the numbers as they stand in the file."""
    if entry["complex"]:
        raise Refused("complex data have no definition here")
    tensor = np.asarray(read_tensor(place, entry["key"]))
    return tensor[entry["sample"]].reshape(entry["shape"]).astype(np.float64)


# ---- the claim ----

def between(report, low, value, high, what):
    """low <= value <= high, where null is no bound."""
    low_text, high_text = ("-" if b is None else f"{b:.17g}" for b in (low, high))
    holds = (low is None or mpf(low) <= value) and (high is None or value <= mpf(high))
    report.hold(holds, f"{what} {mpmath.nstr(value, 20)} in [{low_text}, {high_text}]")


def check_distances(report, document, network, exact_answer, answer):
    """Every distance and size, and the verdict."""
    plan, ndim = document["plan"], network.ndim
    measure = per_axis(plan["measure"], ndim, 1)
    one_sided = [kind == "one-sided" for kind in per_axis(plan["boundary"], ndim, "periodic")]
    apart = distances(exact(answer) - exact_answer, measure, one_sided)
    size = distances(exact_answer, measure, one_sided)
    known = False
    for name, bounds in document["distances"].items():
        if bounds["lower"] is None or bounds["upper"] is None:
            continue
        known = True
        between(report, bounds["lower"], apart[name], bounds["upper"], f"{name} distance")
        between(report, bounds["size_lower"], size[name], bounds["size_upper"], f"{name} size")
        if size[name] > 0:
            between(report, bounds["relative_lower"], apart[name] / size[name], bounds["relative_upper"],
                    f"{name} relative")
    tolerance, verdict = document["claim"]["tolerance"], document["verdict"]
    if not known or verdict == "UNKNOWN":
        raise Refused(f"the certificate itself says {verdict}: {document['reason']}")
    holds = tolerance is None or apart["l2"] <= mpf(tolerance) * size["l2"]
    report.hold(holds == (verdict == "VERIFIED"), f"the verdict {verdict}")


def check(report, args):
    """Everything of one certificate."""
    document = check_document(report, args.certificate.read_text(encoding="utf-8"))
    if document["kind"] != "point":
        raise Refused(f"certificates of kind {document['kind']} have no checker here")
    weights = find(document["checkpoint"]["path"], args.weights, args.certificate)
    content = weights.read_bytes()
    report.hold(len(content) == document["checkpoint"]["bytes"] and sha256(content) == document["checkpoint"]["sha256"],
                f"SHA-256 of the checkpoint {weights}")
    plan = document["plan"]
    network = Network(weights, averaged=plan["weights"] == "ema")
    if plan["stabilizer"] != network.stabilizer:
        raise Refused(f"the plan says stabiliser {plan['stabilizer']}, the checkpoint {network.stabilizer}")
    place = find(document["input"]["path"], args.input, args.certificate)
    x, extra = read_sample(place, document["input"]), []
    if network.model["norm"] == "ada_in":
        extra = [read_tensor(place, plan["embedding_key"])[document["input"]["sample"]].astype(np.float64)]
    report.hold(sum_of_sample(x, *extra) == document["input"]["sha256"], f"SHA-256 of the input in {place}")
    place = find(document["answer"]["path"], args.answer, args.certificate)
    answer = read_sample(place, document["answer"])
    report.hold(sum_of_sample(answer) == document["answer"]["sha256"], f"SHA-256 of the answer in {place}")
    exact_answer = network.run(x, answer.shape[1:], *extra)
    check_distances(report, document, network, exact_answer, answer)


def main():
    """Exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("certificate", type=Path)
    for name in ("--weights", "--input", "--answer"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--digits", type=int, default=50)
    args = parser.parse_args()
    mpmath.mp.dps = args.digits
    report = Report()
    try:
        check(report, args)
    except (Refused, OSError, ValueError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        print(f"UNKNOWN {error}")
        return 1 if report.wrong else 2
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
