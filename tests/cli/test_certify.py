# SPDX-License-Identifier: MIT
"""mpno certify and verify: what a certificate says is so, it says the same everywhere, and nothing that was changed passes."""
import copy
import hashlib
import json
import math
import random
import re
import shutil
import struct
import unittest
from pathlib import Path

from support import Case, make_data, make_lines, make_project, run, run_peer, tree

VERIFIED, REFUTED, UNKNOWN = 0, 1, 2
DISTANCES = ("l2", "h1", "max")


def one_line(value):
    """JSON as mpno writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(one_line, value)) + "]"
    if isinstance(value, float):
        text = next(text for digits in (15, 16, 17) if float(text := f"{value:.{digits}g}") == value)
        return text if "." in text else text.replace("e", ".0e") if "e" in text else text + ".0"
    return json.dumps(value, ensure_ascii=False)


def digest(data):
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def sign(certificate):
    """The text of a certificate whose sums were made to fit."""
    certificate["plan_sha256"] = digest(one_line(certificate["plan"]))
    certificate.pop("sha256", None)
    certificate["sha256"] = digest(one_line(certificate))
    return one_line(certificate)


def relate(distance):
    """Relative bounds that follow from the absolute ones."""
    low = distance["lower"] / distance["size_upper"]
    distance["relative_lower"] = math.nextafter(low, 0) if low else 0.0
    distance["relative_upper"] = math.nextafter(distance["upper"] / distance["size_lower"], math.inf)


def isas():
    """Instruction sets that run here and in this build."""
    sets = run("info", "--cpu", "--json").json()["instruction_sets"]
    return [entry["name"] for entry in sets if entry["here"] in ("runs", "in use")]


def matches(schema, value, root=None):
    """Whether a value fits a JSON schema, of the words that ours uses."""
    root = root or schema
    if "$ref" in schema:
        return matches(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, root)
    if "oneOf" in schema:
        return sum(matches(one, value, root) for one in schema["oneOf"]) == 1
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
             "null": type(None)}
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(isinstance(value, kinds[n]) and (n == "boolean" or not isinstance(value, bool)) for n in names):
        return False
    known = {"$schema", "$id", "$defs", "title", "description", "type", "properties", "required", "additionalProperties",
             "items", "enum", "const", "minimum", "exclusiveMinimum", "pattern", "minItems"}
    assert set(schema) <= known, set(schema) - known
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict):
        own = schema.get("properties", {})
        extra = schema.get("additionalProperties", True)
        return all(key in value for key in schema.get("required", [])) and all(
            matches(own[key], item, root) if key in own else extra if isinstance(extra, bool) else matches(extra, item, root)
            for key, item in value.items())
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(matches(schema.get("items", {}), v, root) for v in value)
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    return not isinstance(value, (int, float)) or value >= schema.get("minimum", value)


class Certify(Case):
    """A model of a small project, trained once for all tests, and a certificate of its first test sample."""

    @classmethod
    def setUpClass(cls):
        made = Case("run")
        Case.setUp(made)
        cls.addClassCleanup(made.doCleanups)
        cls.made = made.folder
        make_project(cls.made)
        made.mpno("train", "config.yaml", "precision.policy=mixed", "--quiet")
        made.mpno("train", "config.yaml", "precision.policy=half", "data.encode_input=true", "output=encoded", "--quiet")
        made.mpno("certify", "run", "--input", "test8.pt", "-o", "c.json", "--quiet")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made, self.folder, dirs_exist_ok=True)
        self.certificate = json.loads((self.folder / "c.json").read_text())

    def verify(self, status, *words, **options):
        """The reason that verify gives for a verdict."""
        told = self.mpno("verify", *(words or ("c.json",)), "--json", status=status, **options).json()
        self.assertEqual(told["verdict"], ("VERIFIED", "REFUTED", "UNKNOWN")[status])
        return told["reason"]

    # ---- what is written ----

    def test_the_document(self):
        c = self.certificate
        self.assertEqual((c["verdict"], c["claim"]["tolerance"], c["answer"]["path"]), ("VERIFIED", None, "c_answer.npy"))
        self.assertEqual(sign(dict(c)), one_line(c))  # its sums, by other code
        checkpoint = self.folder / c["checkpoint"]["path"]
        self.assertEqual(c["checkpoint"]["sha256"], digest(checkpoint.read_bytes()))
        self.assertEqual(c["checkpoint"]["bytes"], checkpoint.stat().st_size)
        self.assertEqual([layer["name"] for layer in c["layers"]], ["lifting", "block 0", "block 1", "projection"])
        for name in DISTANCES:
            d = c["distances"][name]
            self.assertTrue(0 < d["lower"] <= d["upper"] < 1.01 * d["lower"])
            self.assertTrue(0 < d["size_lower"] <= d["size_upper"])
            again = dict(d)
            relate(again)
            self.assertEqual(again, d)
        self.assertEqual(c["plan"]["policy"], "mixed")
        schema = json.loads((Path(__file__).parents[2] / "docs/reference/certificate.schema.json").read_text())
        self.assertTrue(matches(schema, c))
        for change in ({"more": 1}, {"version": 2}, {"verdict": "YES"}, {"sha256": "00"}, {"layers": 3}):
            self.assertFalse(matches(schema, {**c, **change}), change)

    def test_sums_of_samples(self):
        """Of the shape as text and the numbers as f64, as docs/reference/certificate.md says."""
        answer = run_peer("""
            y = np.load("c_answer.npy")
            print(json.dumps([list(y.shape), y.dtype.str, y.astype("<f8").tobytes().hex()]))
            """, self.folder)
        self.assertEqual(answer[:2], [[1, 1, 8, 8], "<f4"])
        self.assertEqual(digest(b"f64 [1, 8, 8]\n" + bytes.fromhex(answer[2])), self.certificate["answer"]["sha256"])
        make_data(self.folder / "again.pt", samples=4, grid=8, seed=2)
        numbers = (self.folder / "again.pt").read_bytes()
        at = numbers.index(b"data/data/0") + len(b"data/data/0")
        x = struct.unpack_from("<64f", numbers, at)
        self.assertEqual(digest(b"f64 [1, 8, 8]\n" + struct.pack("<64d", *x)), self.certificate["input"]["sha256"])

    def test_json_is_the_certificate_alone(self):
        before = tree(self.folder)
        result = self.mpno("certify", "run", "--json")
        told = json.loads(result.out)
        self.assertEqual(tree(self.folder), before)  # nothing is written without -o
        self.assertEqual((told["answer"]["path"], told["answer"]["key"]), (None, None))
        self.assertEqual(told["answer"]["sha256"], self.certificate["answer"]["sha256"])
        self.assertEqual(told["distances"], self.certificate["distances"])
        self.assertIn("VERIFIED: every distance has a lower and an upper bound\n", result.err)
        (self.folder / "printed.json").write_text(result.out)
        self.verify(VERIFIED, "printed.json")
        self.assertEqual(self.mpno("certify", "run", "--json", "--quiet").err, "")

    def test_the_text(self):
        told = self.mpno("certify", "run", "--layers").out
        for word in ("claim: The L2, H1 and maximum distances", "| L2 ", "| block 1 ", "rel. at most"):
            self.assertIn(word, told)
        self.assertNotIn("| block 1 ", self.mpno("certify", "run").out)
        row = next(line for line in told.splitlines() if line.startswith("| L2 ")).split("|")
        exact = self.certificate["distances"]["l2"]
        for cell, key, above in ((2, "lower", -1), (3, "upper", 1), (4, "relative_lower", -1), (5, "relative_upper", 1)):
            self.assertTrue(0 <= above * (float(row[cell]) - exact[key]) <= 1e-6 * exact[key], key)

    def test_a_claim(self):
        bounds = self.certificate["distances"]["l2"]
        low, high = bounds["relative_lower"], bounds["relative_upper"]
        for tolerance, status, reason in (
                (1, VERIFIED, "the upper bound"), (high, VERIFIED, "the upper bound"),
                ((low + high) / 2, UNKNOWN, "lies between"), (low, UNKNOWN, "lies between"),
                (math.nextafter(low, 0), REFUTED, "the lower bound"), (0, REFUTED, "the lower bound")):
            with self.subTest(tolerance=tolerance):
                self.mpno("certify", "run", "--tolerance", repr(tolerance), "-o", "t.json", "-q", status=status)
                self.assertIn(reason, json.loads((self.folder / "t.json").read_text())["reason"])
                self.assertIn(reason, self.verify(status, "t.json"))

    def sites(self, run_folder, *words, status=VERIFIED):
        """A page of certify --html, and the distance of each site on it."""
        self.mpno("certify", run_folder, "--html", "c.html", "-q", *words, status=status)
        page = (self.folder / "c.html").read_text()
        self.assertEqual([word for word in ("<script", "http:", "https:", 'src="/', "url(") if word in page], [])
        self.assertTrue(digest((self.folder / run_folder / "last.safetensors").read_bytes()) in page)
        rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
        cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in rows]
        return page, {row[0]: float(row[2]) for row in cells if len(row) == 4}

    def check_one_site(self, run_folder, site):
        """Where one is all there is, its distance is the answer's."""
        words = ("precision.policy=full", f"precision.storage={site}")
        _, found = self.sites(run_folder, *words)
        told = self.mpno("certify", run_folder, *words, "--json").json()["distances"]["l2"]
        self.assertEqual(list(found), [site.split("=")[0].replace("/", ", ")])
        self.assertAlmostEqual(*found.values(), told["upper"], delta=5e-3 * told["upper"])

    def test_the_page(self):
        page, found = self.sites("run")
        self.assertTrue("data:image/png;base64," in page)
        for site in ("lifting, activation", "block 0, spectrum", "block 1, spectral weight copy", "projection, weight copy"):
            self.assertIn(site, found)
        for site in ("lifting, spectrum", "lifting, spectral weight copy", "projection, transform columns"):
            self.assertNotIn(site, found)  # a layer that has none
        self.assertGreater(max(found.values()), self.certificate["distances"]["l2"]["upper"] / 4)
        self.check_one_site("run", "lifting/activation=f16")
        self.check_one_site("run", "block 1/spectrum=bf16")
        _, found = self.sites("run", "precision.policy=full")
        self.assertEqual(found, {})
        answer = self.folder / "c_answer.npy"
        answer.write_bytes(answer.read_bytes()[:-4] + struct.pack("<f", math.nan))
        page, _ = self.sites("run", "--answer", "c_answer.npy", status=UNKNOWN)
        self.assertFalse("data:image/png;base64," in page)
        self.assertTrue("needs finite numbers" in page)

    # ---- which answer ----

    def test_answers_of_predict(self):
        for name in ("all.npy", "all.safetensors", "all.h5"):
            self.mpno("predict", "run", "test8.pt", "-o", name, "-q")
            told = self.mpno("certify", "run", "--answer", name, "--sample", "2", "-o", "a.json", "--json").json()
            alone = self.mpno("certify", "run", "--sample", "2", "--json").json()
            self.assertEqual((told["answer"]["path"], told["answer"]["sample"]), (name, 2))
            self.assertEqual(told["answer"]["sha256"], alone["answer"]["sha256"])
            self.assertEqual(told["distances"], alone["distances"])
            self.assertFalse((self.folder / "a_answer.npy").exists())
            self.verify(VERIFIED, "a.json")
        self.assertNotEqual(alone["input"]["sha256"], self.certificate["input"]["sha256"])

    def test_policies(self):
        """The answer of full is nearer; overrides are kept in the plan, so that verify has the same network."""
        full = self.mpno("certify", "run", "precision.policy=full", "-o", "f.json", "--json").json()
        self.assertLess(full["distances"]["l2"]["upper"], self.certificate["distances"]["l2"]["lower"])
        self.assertEqual(full["plan"]["overrides"], {"precision.policy": "full"})
        (self.folder / "f_answer.npy").unlink()
        self.verify(VERIFIED, "f.json")
        threads = self.mpno("certify", "run", "n_threads=1", "output=elsewhere", "--json").json()
        self.assertEqual((threads["plan"]["overrides"], threads["environment"]["threads"]), ({}, 1))

    def test_another_grid(self):
        told = self.mpno("certify", "run", "--input", "test16.pt", "--sample", "3", "-o", "g.json", "--json").json()
        self.assertEqual(told["answer"]["shape"], [1, 16, 16])
        self.verify(VERIFIED, "g.json")
        make_data(self.folder / "x.pt", samples=2, grid=8, truth=False)
        told = self.mpno("certify", "run", "--input", "x.pt", "predict.output_shape=[12, 10]", "-o", "o.json",
                         "--json").json()
        self.assertEqual((told["answer"]["shape"], told["plan"]["output_grid"]), ([1, 12, 10], [12, 10]))
        self.verify(VERIFIED, "o.json")
        (self.folder / "o_answer.npy").unlink()
        self.verify(VERIFIED, "o.json")

    # ---- every input ----

    encoded = "encoded"  # a run without stabiliser whose inputs are encoded

    def static(self, *words, status=VERIFIED):
        """A document of certify --static, whose sum is looked at."""
        told = self.mpno("certify", self.encoded, "--static", "--json", *words, status=status).json()
        self.assertEqual((told["kind"], told["verdict"]), ("static", ("VERIFIED", "REFUTED", "UNKNOWN")[status]))
        self.assertEqual(sign(dict(told)), one_line(told))
        return told

    def test_nothing_overflows(self):
        told = self.static()
        self.assertEqual((told["static"]["range"], told["static"]["encoded"], told["static"]["fails"]), (6, True, None))
        rows = told["static"]["table"]
        self.assertEqual(told["static"]["tensors"], len(rows))
        self.assertEqual({row["layer"] for row in rows}, {"lifting", "block 0", "block 1", "projection"})
        for row in rows:
            self.assertTrue(row["closes"] and row["bound"] <= row["maximum"], row)
            self.assertEqual(row["maximum"], 65504 if row["format"] == "f16" else 3.4028234663852886e38)
        self.assertIn("f16", {row["format"] for row in rows})
        tightest = min(rows, key=lambda row: row["headroom"])
        self.assertEqual(told["static"]["least_headroom"], tightest["headroom"])
        text = self.mpno("certify", "encoded", "--static").out
        row = next(line.split("|") for line in text.splitlines() if line.startswith(f"| {tightest['layer']} "))
        self.assertEqual(row[2].strip(), tightest["tensor"])
        for word in ("6 standard deviations", f"| {tightest['layer']} ", f"all {len(rows)}\n", "VERIFIED: for |a| <= 6"):
            self.assertIn(word, text)
        lines = text.count("\n|"), self.mpno("certify", "encoded", "--static", "--layers").out.count("\n|")
        self.assertEqual(lines, (1 + 4, 1 + len(rows)))
        full = self.static("precision.policy=full", "--range", "1e9")
        self.assertEqual({row["format"] for row in full["static"]["table"]}, {"f32"})

    def test_where_it_is_not_proved(self):
        words = ("precision.format=f16",)
        told = self.static(*words, "--range", "1e7", status=UNKNOWN)
        fails, remedies = told["static"]["fails"], told["static"]["remedies"]
        self.assertGreater(fails["bound"], fails["maximum"])
        self.assertIn(f"{fails['layer']}: {fails['tensor']}", told["reason"])
        self.assertTrue(remedies["stabilizer_tanh"] and remedies["format_bf16"])
        self.static("precision.format=bf16", "--range", "1e7")
        self.assertTrue(1 < remedies["range"] < 1e7)
        self.static(*words, "--range", repr(remedies["range"]))
        self.static(*words, "--range", repr(2 * remedies["range"]), status=UNKNOWN)
        self.assertIn("| not proved |", self.mpno("certify", "encoded", "--static", "--range", "1e7", *words, status=2).out)
        sums = self.static("precision.arithmetic=f16")["static"]["transform_sums"]
        self.assertEqual([s["points"] for s in sums], [64, 64])
        self.assertTrue(all(s["limit_rounded"] < s["limit"] <= 65504 / s["mean"] for s in sums))
        self.assertIn("transforms in f16", self.mpno("certify", "encoded", "--static", "precision.arithmetic=f16").out)

    def test_static_with_a_steering_vector(self):
        """Its size is that of the first sample's vector, and the claim says so."""
        run_peer("""
            x = np.sin(np.arange(4 * 64).reshape(4, 8, 8))
            np.savez("steered.npz", x=x, y=2 * x, e=np.array([[0.25, -0.5], [7, 7], [1, 1], [2, 2]]))
            """, self.folder)
        self.mpno("train", "config.yaml", "data.train=steered.npz", "data.test=[steered.npz]", "data.embedding_key=e",
                  "model.norm=ada_in", "model.ada_in_features=2", "opt.n_epochs=1", "output=steered", "-q")
        told = self.mpno("certify", "steered", "--static", "--range", "1", "--json", "precision.policy=full").json()
        self.assertEqual(told["static"]["steering"], 0.5)
        self.assertIn("steers it above 0.5", told["claim"]["text"])

    def test_static_words(self):
        self.mpno("certify", "encoded", "--static", "-o", "s.json", "-q")
        told = json.loads((self.folder / "s.json").read_text())
        self.assertEqual(sign(dict(told)), one_line(told))
        self.assertFalse((self.folder / "s_answer.npy").exists())
        self.verify(VERIFIED, "s.json")
        for words, fragments in (
                (("--static", "--answer", "c_answer.npy"), ("--static", "--answer")), (("--static", "--sample", "1"), ("--sample",)),
                (("--static", "--tolerance", "1"), ("--tolerance",)), (("--static", "--html", "s.html"), ("--html",)),
                (("--range", "6"), ("--range", "--static")), (("--static", "--range", "0"), ("--range", "above 0")),
                (("--static", "--range", "inf"), ("--range",)), (("--static", "--range", "6x"), ("--range",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("certify", "run", *words, status=2), *fragments)
        self.assert_error(self.mpno("certify", "run", "--static", status=2), "run", "--range A")
        told = self.mpno("certify", "run", "--static", "--range", "1e4", "--json").json()  # tanh
        self.assertEqual((told["static"]["encoded"], told["claim"]["text"].count("encoded")), (False, 0))

    # ---- new samples ----

    def make_many(self, change=""):
        """many.npz: 200 times the first test sample, but for what `change` does to x."""
        data = (self.folder / "test8.pt").read_bytes()
        x = data[data.index(b"data/data/0") + len(b"data/data/0"):][:4 * 64].hex()
        run_peer(f"""
            x = np.tile(np.frombuffer(bytes.fromhex("{x}"), "<f4").reshape(1, 8, 8), (200, 1, 1))
            {change}
            np.savez("many.npz", x=x, y=x)
            """, self.folder)

    def population(self, run_folder, *words, status=VERIFIED):
        """A document of certify --data many.npz, whose sum is looked at."""
        told = self.mpno("certify", run_folder, "--data", "many.npz", "--json", *words, status=status).json()
        self.assertEqual((told["kind"], told["verdict"]), ("population", ("VERIFIED", "REFUTED", "UNKNOWN")[status]))
        self.assertEqual(sign(dict(told)), one_line(told))
        return told

    def test_a_population_of_equals(self):
        """What is said of 200 equal samples is what is said of one."""
        self.make_many()
        told = self.population("run")
        for name in DISTANCES:
            found, upper = told["distances"][name], self.certificate["distances"][name]["relative_upper"]
            for value in (found["median"], found["largest"], found["marginal"]["bound"], found["confident"]["bound"]):
                self.assertEqual(value, upper)
            self.assertEqual((found["samples"], found["infinite"], found["marginal"]["rank"]), (200, 0, 191))
            self.assertGreaterEqual(found["marginal"]["coverage"], 0.95)
            self.assertLessEqual(found["confident"]["risk"], 0.05)
        self.assertEqual(told["envelope"]["layers"], [{"name": layer["name"], "norm": layer["norm"], "largest": layer["max"]}
                                                      for layer in self.certificate["layers"]])
        self.assertEqual(told["data"], {"path": "many.npz", "key": "x", "samples": 200,
                                        "sha256": digest(200 * (self.certificate["input"]["sha256"] + "\n"))})
        self.assertEqual(len(told["assumptions"]), 5)
        upper = self.certificate["distances"]["l2"]["relative_upper"]
        self.assertIn("at most", self.population("run", "--tolerance", repr(upper))["reason"])
        below = self.population("run", "--tolerance", repr(math.nextafter(upper, 0)), status=UNKNOWN)
        self.assertIn("above", below["reason"])
        self.assertEqual(below["claim"]["tolerance"], math.nextafter(upper, 0))

    def test_a_population_with_outliers(self):
        """Answers that are not finite have no bound: as many as the ranks allow may be among the samples."""
        self.make_many("x[5:14] *= 1e9")
        told = self.population("encoded", "--confidence", "0")
        self.assertEqual((told["distances"]["l2"]["infinite"], told["distances"]["l2"]["largest"]), (9, None))
        self.assertNotIn("confident", told["distances"]["l2"])
        self.assertEqual(told["envelope"]["samples"], 191)
        self.assertEqual(self.population("encoded", status=UNKNOWN)["distances"]["l2"]["marginal"]["bounded"], True)
        self.make_many("x[5:15] *= 1e9")
        told = self.population("encoded", "--confidence", "0", status=UNKNOWN)
        self.assertEqual((told["distances"]["h1"]["marginal"]["bounded"], told["distances"]["h1"]["marginal"]["bound"]),
                         (False, None))
        text = self.mpno("certify", "encoded", "--data", "many.npz", "--layers", status=UNKNOWN).out
        for word in ("10 samples have no bound; the first, sample 5:", "not bounded", "| projection ", "1. Calibration samples",
                     "200 of 200 samples", "UNKNOWN: too many samples have no bound; the first is sample 5"):
            self.assertIn(word, text)
        self.make_many("x[:10] *= 0.25")
        low = self.population("encoded", "--coverage", "0.9")["distances"]["l2"]
        self.assertEqual(low["marginal"]["rank"], 181)
        self.assertEqual(low["largest"], max(low["largest"], low["marginal"]["bound"], low["median"]))

    def test_population_words(self):
        self.make_many()
        for words, fragments in (
                (("--data", "test8.pt"), ("test8.pt", "no sample 199")), (("--data", "./train.pt", "data.train=train.pt"), ("train.pt", "took no part")),
                (("--data", "many.npz", "--samples", "199"), ("199", "200")), (("--data", "many.npz", "--samples", "x"), ("--samples",)),
                (("--data", "many.npz", "--samples", "201"), ("no sample 200",)),
                (("--data", "many.npz", "--coverage", "0.999"), ("too few", "999")),
                (("--data", "many.npz", "--coverage", "95"), ("--coverage", "below 1")),
                (("--data", "many.npz", "--coverage", "1"), ("level",)),
                (("--data", "many.npz", "--confidence", "-1"), ("--confidence",)),
                (("--data", "many.npz", "--confidence", "1"), ("confidence",)),
                (("--data", "many.npz", "--static"), ("--data", "--static")),
                (("--data", "many.npz", "--input", "many.npz"), ("--data", "--input")),
                (("--data", "many.npz", "--answer", "c_answer.npy", "--tolerance", "1"), ("--data", "--answer")),
                (("--data", "many.npz", "--html", "c.html"), ("--html",)), (("--data", "many.npz", "--sample", "1"), ("--sample",)),
                (("--data", "many.npz", "--range", "1"), ("--range", "--static")),
                (("--samples", "200"), ("--samples", "--data FILE")), (("--coverage", "0.9"), ("--coverage", "--data FILE")),
                (("--confidence", "0"), ("--confidence", "--data FILE")), (("--static", "--samples", "200"), ("--samples",)),
                (("--data", "nowhere.pt"), ("nowhere.pt",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("certify", "run", *words, status=2), *fragments)
        self.mpno("certify", "run", "--data", "many.npz", "-o", "p.json", "-q")
        self.verify(VERIFIED, "p.json")

    # ---- the grid ----

    def estimate(self, *words, status=0):
        """A document of certify --discretisation, whose sum is looked at."""
        told = self.mpno("certify", "run", "--discretisation", "--json", *words, status=status).json()
        self.assertEqual((told["kind"], "verdict" in told, "claim" in told), ("discretisation", False, False))
        self.assertEqual(sign(dict(told)), one_line(told))
        return told

    def test_what_the_grid_does(self):
        """Waves that every grid has, whose answers on 8, 16 and 32 points predict gives."""
        run_peer("""
            for n in (8, 16, 32):
                t = 2 * np.pi * np.arange(n) / n
                x = (1 + np.sin(t)[:, None] * np.cos(t)[None])[None]
                np.savez(f"grid{n}.npz", x=x, y=2 * x)
            """, self.folder)
        words = ("precision.policy=full", "--input", "grid16.npz")
        for n in (8, 16, 32):
            self.mpno("predict", "run", f"grid{n}.npz", "-o", f"y{n}.npy", "precision.policy=full", "-q")
        before, after, size, model = run_peer("""
            y = [np.load(f"y{n}.npy").astype("f8")[0, 0] for n in (8, 16, 32)]
            rms = lambda z: float(np.sqrt(np.mean(z * z)))
            truth = np.load("grid16.npz")["y"][0]
            print(json.dumps([rms(y[0] - y[1][::2, ::2]), rms(y[1] - y[2][::2, ::2]), rms(y[2][::2, ::2]),
                              rms(y[1] - truth) / rms(y[1])]))
            """, self.folder)
        told = self.estimate(*words)
        found, budget = told["discretisation"], told["budget"]
        for key, value in (("before", before), ("after", after), ("size", size)):
            self.assertAlmostEqual(found[key], value, delta=1e-4 * value + 1e-6)
        self.assertAlmostEqual(budget["model"], model, delta=1e-5 * model)
        self.assertEqual(budget["discretisation"], found["error"] / found["size"])
        point = self.mpno("certify", "run", *words, "--json").json()
        self.assertEqual(budget["precision"], point["distances"]["l2"]["relative_upper"])
        self.assertEqual((told["input"], told["answer"]), (point["input"], point["answer"]))
        parts = {key: budget[key] for key in ("precision", "discretisation", "model")}
        self.assertEqual(budget["binds"], max(parts, key=parts.get))
        self.assertEqual((found["grid"], [layer["name"] for layer in found["layers"]]), ([16, 16], ["block 0", "block 1"]))
        self.assertEqual((found["spectrum"], self.estimate("--input", "grid16.npz")["discretisation"]["spectrum"]), ("f32", "f16"))
        strip = found["strip"] # the run has coordinates, which jump where the domain ends
        self.assertEqual((strip["verdict"], strip["error"], strip["layers"]), ("VACUOUS", None, []))
        self.assertIn("lifting, embedded input: coordinates jump", strip["open"])
        text = self.mpno("certify", "run", "--discretisation", *words).out
        for word in ("answers on 8 and 16 points", "strips does not close: lifting", "error ~ n^-", "| block 1 ", "| precision ", "this one binds",
                     f"estimate: {budget['binds']} binds"):
            self.assertIn(word, text)

    def test_what_is_proved_of_the_grid(self):
        """One wave, and a model without coordinates: the proof closes."""
        run_peer("""
            for n in (32, 64):
                t = 2 * np.pi * np.arange(n) / n
                x = np.stack([np.sin(t + p)[:, None] * np.cos(t)[None] / 2 for p in range(4)])
                np.savez(f"wave{n}.npz", x=x, y=2 * x)
            """, self.folder)
        self.mpno("train", "config.yaml", "data.train=wave32.npz", "data.test=[wave32.npz]", "output=bare", "opt.n_epochs=1",
                  "model.positional_embedding=none", "data.encode_output=false", "precision.policy=full", "-q")
        told = self.mpno("certify", "bare", "--discretisation", "--input", "wave64.npz", "-o", "grid.json", "--json").json()
        strip = told["discretisation"]["strip"]
        self.assertEqual((strip["verdict"], strip["open"]), ("VERIFIED", None))
        self.assertLess(told["discretisation"]["after"], strip["error"])
        self.assertLess(strip["error"], 1e-2 * strip["size"])
        self.assertEqual(strip["size"], told["discretisation"]["size"])
        self.assertEqual([layer["name"] for layer in strip["layers"]], ["block 0", "block 1"])
        self.assertGreaterEqual(1.001 * (sum(layer["error"] for layer in strip["layers"]) + strip["input"]["error"]), strip["error"])
        text = self.mpno("certify", "bare", "--discretisation", "--input", "wave64.npz").out
        for word in ("proved by analytic strips", "| strip of", "| block 1 "):
            self.assertIn(word, text)
        schema = json.loads((Path(__file__).parents[2] / "docs/reference/certificate.schema.json").read_text())
        self.assertTrue(matches(schema, told))
        for factor, here, elsewhere in ((1, VERIFIED, VERIFIED), (1.01, REFUTED, VERIFIED), (0.99, REFUTED, UNKNOWN),
                                        (1e3, REFUTED, REFUTED)):  # it would not be below the answer then
            forged = copy.deepcopy(told)
            forged["discretisation"]["strip"]["error"] = factor * strip["error"] if factor < 1e3 else 2 * strip["size"]
            for isa, status in ((told["environment"]["isa"], here), ("none", elsewhere)):
                forged["environment"]["isa"] = isa
                (self.folder / "grid.json").write_text(sign(forged))
                with self.subTest(factor=factor, isa=isa):
                    self.mpno("verify", "grid.json", status=status)

    def test_the_model_error_of_channels_and_complex_fields(self):
        run_peer("""
            wave = np.exp(1j * (np.arange(40).reshape(4, 5, 2, 1)[:, :2] + 2 * np.pi * np.arange(16) / 16)).reshape(4, 4, 16)
            np.savez("channels.npz", x=wave.real[:, :3], y=wave.imag[:, 1:3] + 0.5)
            np.savez("complex.npz", x=wave[:, :2], y=wave[:, 1:3] * (1 + 1j))
            """, self.folder)
        for name, word in (("channels", "data.encode_output=true"), ("complex", "model.complex_data=true")):
            words = ("config.yaml", f"data.train={name}.npz", f"data.test=[{name}.npz]", f"output={name}", word)
            self.mpno("train", *words, "model.n_modes=[6]", "opt.n_epochs=1", "data.encode_output=false", "-q")
            self.mpno("predict", name, f"{name}.npz", "-o", f"{name}.npy", "precision.policy=full", "-q")
            model = run_peer(f"""
                answer, truth = np.load("{name}.npy")[2], np.load("{name}.npz")["y"][2]
                print(json.dumps(float(np.linalg.norm(answer - truth) / np.linalg.norm(answer))))
                """, self.folder)
            told = self.mpno("certify", name, "--discretisation", "--sample", "2", "--json").json()
            self.assertAlmostEqual(told["budget"]["model"], model, delta=1e-5 * model)

    def test_what_is_not_known_of_the_grid(self):
        make_data(self.folder / "x.pt", samples=2, grid=8, truth=False)
        self.assertIsNone(self.estimate("--input", "x.pt")["budget"]["model"])
        self.assertIn("| model          |   not known |", self.mpno("certify", "run", "--discretisation", "--input", "x.pt").out)
        make_data(self.folder / "odd.pt", samples=2, grid=9)
        self.mpno("certify", "run", "--discretisation", "-o", "d.json", "-q")
        self.assertTrue((self.folder / "d_answer.npy").exists())
        self.verify(VERIFIED, "d.json")
        for words, fragments in (
                (("--input", "odd.pt"), ("9 points", "even")), (("--static",), ("--discretisation", "--static")),
                (("--data", "x.pt"), ("--discretisation", "--data")), (("--html", "c.html"), ("--discretisation", "--html")),
                (("--tolerance", "1"), ("--discretisation", "--tolerance")), (("--range", "1"), ("--range",)),
                (("--samples", "200"), ("--samples",)), (("--sample", "9"), ("no sample 9",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("certify", "run", "--discretisation", *words, status=2), *fragments)

    # ---- it is the same everywhere ----

    def test_threads_and_instruction_sets(self):
        for threads in (1, 2, 5):
            self.verify(VERIFIED, "c.json", "--threads", str(threads))
        for isa in isas():
            with self.subTest(isa=isa):
                self.verify(VERIFIED, environment={"MPNO_ISA": isa})
                self.mpno("certify", "run", "-o", f"{isa}.json", "-q", environment={"MPNO_ISA": isa})
                made = json.loads((self.folder / f"{isa}.json").read_text())
                self.assertEqual(made["environment"]["isa"], isa)
                self.verify(VERIFIED, f"{isa}.json")
                (self.folder / f"{isa}_answer.npy").unlink()
                self.verify(VERIFIED, f"{isa}.json", environment={"MPNO_ISA": "portable"})

    def test_certificates_do_not_depend_on_threads(self):
        texts = set()
        for threads in (1, 2, 5):
            told = self.mpno("certify", "run", "--threads", str(threads), "--json").json()
            self.assertEqual(told["environment"].pop("threads"), threads)
            told.pop("sha256")
            texts.add(one_line(told))
        self.assertEqual(len(texts), 1)

    # ---- what was changed ----

    def flip(self, name, bit):
        """One bit of a file."""
        data = bytearray((self.folder / name).read_bytes())
        data[bit // 8] ^= 1 << bit % 8
        (self.folder / name).write_bytes(data)

    def test_flipped_bits(self):
        rng = random.Random(1)
        whole = {name: (self.folder / name).stat().st_size for name in ("run/last.safetensors", "c_answer.npy", "c.json")}
        first = {"c_answer.npy": whole["c_answer.npy"] - 4 * 64}  # the numbers: what is before them is layout
        for name, size in whole.items():
            start = first.get(name, 0)
            for bit in [8 * start, 8 * size - 1, *(rng.randrange(8 * start, 8 * size) for _ in range(40))]:
                if name == "c.json" and bit // 8 == size - 1:
                    continue  # the line break at the end is none of it
                with self.subTest(file=name, bit=bit):
                    self.flip(name, bit)
                    self.verify(REFUTED)
                    self.flip(name, bit)
        data = (self.folder / "test8.pt").read_bytes()
        start = data.index(b"data/data/0") + len(b"data/data/0")  # sample 0, in an archive that has a sum of its own
        for bit in (rng.randrange(8 * start, 8 * (start + 4 * 64)) for _ in range(20)):
            self.flip("test8.pt", bit)
            self.assertIn("test8.pt", self.verify(UNKNOWN))
            self.flip("test8.pt", bit)
        self.verify(VERIFIED)

    def test_other_files(self):
        make_data(self.folder / "other.pt", samples=4, grid=8, seed=9)
        self.assertIn("not the input of the certificate", self.verify(REFUTED, "c.json", "--input", "other.pt"))
        self.mpno("predict", "run", "other.pt", "-o", "other.npy", "-q")
        self.assertIn("not the answer of the certificate", self.verify(REFUTED, "c.json", "--answer", "other.npy"))
        self.mpno("train", "config.yaml", "output=second", "seed=4", "-q")
        self.assertIn("not the checkpoint of the certificate", self.verify(REFUTED, "c.json", "--weights", "second"))
        self.assertIn("not the input of the certificate", self.verify(REFUTED, "c.json", "--input", "test16.pt"))

    def forged(self, change):
        """The reason for a verdict on a certificate that was changed and signed again."""
        changed = json.loads(json.dumps(self.certificate))
        change(changed)
        (self.folder / "forged.json").write_text(sign(changed))
        return self.verify(REFUTED, "forged.json")

    def test_forged_numbers(self):
        def scale(name, keys, factor):
            def change(c):
                for key in keys:
                    c["distances"][name][key] *= factor
                relate(c["distances"][name])
            return change
        for name in DISTANCES:
            for factor in (0.9, 1.1):
                self.assertIn(f"the {name} distance is between", self.forged(scale(name, ("lower", "upper"), factor)))
                self.assertIn(f"the {name} size of the exact answer",
                              self.forged(scale(name, ("size_lower", "size_upper"), factor)))

        def layer(key, factor):
            def change(c):
                c["layers"][1][key] *= factor
            return change
        self.assertIn("the values of block 0", self.forged(layer("norm", 1.001)))
        self.assertIn("layer 1 is block 0", self.forged(lambda c: c["layers"][1].update(name="block 7")))
        self.assertIn("4 layers", self.forged(lambda c: c["layers"].pop()))
        self.assertIn("plan that follows", self.forged(lambda c: c["plan"].update(policy="full")))
        self.assertIn("plan.overrides", self.forged(lambda c: c["plan"].update(overrides=[])))
        self.assertIn("under 'x'", self.forged(lambda c: c["input"].update(key="y")))
        self.assertIn("its SHA-256 is", self.forged(lambda c: c["checkpoint"].update(sha256="0" * 64)))
        self.assertIn("not the input", self.forged(lambda c: c["input"].update(sample=1)))
        self.assertIn("not the answer", self.forged(lambda c: c["answer"].update(complex=True)))
        self.assertIn('verdict is "VERIFIED"', self.forged(lambda c: c["claim"].update(tolerance=1e-9)))

    def test_no_certificates(self):
        for text in ("", "{}", "[]", "no", "\0\1", (self.folder / "c.json").read_text()[:-40]):
            (self.folder / "bad.json").write_text(text)
            self.assertIn("bad.json", self.verify(REFUTED, "bad.json"))
        changed = dict(self.certificate, version=2)
        (self.folder / "bad.json").write_text(sign(changed))
        self.assertIn("version 2", self.verify(UNKNOWN, "bad.json"))

    # ---- what is missing ----

    def test_missing_files(self):
        self.assertIn("nowhere.json", self.verify(UNKNOWN, "nowhere.json"))
        (self.folder / "run").rename(self.folder / "moved")
        self.assertIn("--weights FILE", self.verify(UNKNOWN))
        self.verify(VERIFIED, "c.json", "--weights", "moved")
        self.verify(VERIFIED, "c.json", "--weights", "moved/last.safetensors")
        self.assertIn("nowhere", self.verify(UNKNOWN, "c.json", "--weights", "nowhere"))
        (self.folder / "moved").rename(self.folder / "run")
        (self.folder / "test8.pt").rename(self.folder / "moved.pt")
        self.assertIn("--input FILE", self.verify(UNKNOWN))
        self.verify(VERIFIED, "c.json", "--input", "moved.pt")
        self.assertIn("nowhere.pt", self.verify(UNKNOWN, "c.json", "--input", "nowhere.pt"))
        (self.folder / "moved.pt").rename(self.folder / "test8.pt")
        (self.folder / "c_answer.npy").rename(self.folder / "moved.npy")
        told = self.mpno("verify", "c.json", "--json").json()
        self.assertTrue(told["answer_computed_again"])
        self.assertFalse(self.mpno("verify", "c.json", "--answer", "moved.npy", "--json").json()["answer_computed_again"])
        self.assertIn("nowhere.npy", self.verify(UNKNOWN, "c.json", "--answer", "nowhere.npy"))

    def test_answers_that_cannot_be_computed_again(self):
        self.mpno("predict", "run", "test8.pt", "-o", "full.npy", "precision.policy=full", "-q")
        self.mpno("certify", "run", "--answer", "full.npy", "-o", "p.json", "-q")
        self.verify(VERIFIED, "p.json")
        (self.folder / "full.npy").unlink()
        self.assertIn("give another one here", self.verify(UNKNOWN, "p.json"))
        absent = next(name for name in ("neon", "avx2") if name not in isas())
        changed = dict(self.certificate, environment=dict(self.certificate["environment"], isa=absent))
        (self.folder / "p.json").write_text(sign(changed))
        self.verify(VERIFIED, "p.json")
        (self.folder / "c_answer.npy").unlink()
        self.assertIn(f"{absent}, do not run here", self.verify(UNKNOWN, "p.json"))

    def test_from_another_folder(self):
        parcel = self.folder / "parcel"
        parcel.mkdir()
        for name in ("c.json", "c_answer.npy", "test8.pt", "run/last.safetensors"):
            shutil.move(self.folder / name, parcel / Path(name).name)
        shutil.rmtree(self.folder / "run")
        self.verify(VERIFIED, "parcel/c.json")
        self.verify(VERIFIED, folder=parcel)

    # ---- other data and models ----

    def test_nothing_is_known_of_it(self):
        """The certificate says why; its verdict is UNKNOWN, then and later."""
        data = self.folder / "c_answer.npy"
        data.write_bytes(data.read_bytes()[:-4] + struct.pack("<f", math.inf))
        told = self.mpno("certify", "run", "--answer", "c_answer.npy", "-o", "i.json", "--json", status=UNKNOWN).json()
        self.assertEqual((told["verdict"], told["distances"]["l2"]["upper"], told["layers"]), ("UNKNOWN", None, []))
        self.assertIn("needs finite numbers", told["reason"])
        self.assertEqual(self.verify(UNKNOWN, "i.json"), told["reason"])

    def test_lines_with_channels(self):
        make_lines(self.folder / "lines.pt", samples=8, channels=(3, 2))
        self.mpno("train", "config.yaml", "model.n_modes=[6]", "data.train=lines.pt", "data.test=[lines.pt]", "output=line",
                  "-q")
        told = self.mpno("certify", "line", "--sample", "5", "-o", "l.json", "--json").json()
        self.assertEqual((told["input"]["shape"], told["answer"]["shape"]), ([3, 16], [2, 16]))
        data = (self.folder / "lines.pt").read_bytes()
        x = struct.unpack_from("<48f", data, data.index(b"data/data/0") + len(b"data/data/0") + 5 * 4 * 48)
        self.assertEqual(digest(b"f64 [3, 16]\n" + struct.pack("<48d", *x)), told["input"]["sha256"])
        self.assertLess(told["distances"]["l2"]["relative_upper"], 1e-3)  # its channels are those of the exact answer
        self.mpno("predict", "line", "lines.pt", "-o", "l.npy", "-q")
        self.assertEqual(self.mpno("certify", "line", "--sample", "5", "--answer", "l.npy", "--json").json()["distances"],
                         told["distances"])
        self.verify(VERIFIED, "l.json")
        self.check_one_site("line", "lifting/activation=f16")

    def test_trajectories_and_complex_fields(self):
        """Sample i of trajectories is window i of all; complex answers are pairs."""
        run_peer("""
            u = np.sin(np.arange(3)[:, None, None] + 0.3 * np.arange(6)[None, :, None] + 2 * np.pi * np.arange(16) / 16)
            with h5py.File("u.h5", "w") as f:
                f["u"] = u.astype("f4")
                f["x"] = np.array([u[s, t:t + 2] for s in range(3) for t in range(4)]).astype("f4")
            z = np.exp(1j * (np.arange(8).reshape(4, 2, 1) + 2 * np.pi * np.arange(16) / 16)).astype("c8")
            np.savez("z.npz", x=z, y=z * 1j)
            """, self.folder)
        words = ("model.n_modes=[6]", "opt.n_epochs=1", "-q")
        self.mpno("train", "config.yaml", "data.train=u.h5", "data.test=[u.h5]", "data.x_key=u", "data.y_key=u",
                  "data.time_in=2", "output=time", *words)
        for sample in (0, 5, 11):
            told = self.mpno("certify", "time", "--sample", str(sample), "-o", "u.json", "--json").json()
            numbers = run_peer(f"""
                x = h5py.File("u.h5")["x"][{sample}].astype("<f8")
                print(json.dumps(x.tobytes().hex()))
                """, self.folder)
            self.assertEqual(told["input"]["sha256"], digest(b"f64 [2, 16]\n" + bytes.fromhex(numbers)))
            self.verify(VERIFIED, "u.json")
        self.assert_error(self.mpno("certify", "time", "--sample", "12", status=2), "there is no sample")
        self.mpno("train", "config.yaml", "data.train=z.npz", "data.test=[z.npz]", "model.complex_data=true",
                  "data.encode_output=false", "output=complex", *words)
        told = self.mpno("certify", "complex", "--sample", "1", "-o", "z.json", "--json").json()
        self.assertEqual((told["answer"]["complex"], told["answer"]["shape"]), (True, [2, 16]))
        self.assertLess(told["distances"]["l2"]["relative_upper"], 1e-3)
        numbers = run_peer('print(json.dumps(np.load("z_answer.npy").astype("<c16").tobytes().hex()))', self.folder)
        self.assertEqual(told["answer"]["sha256"], digest(b"c128 [2, 16]\n" + bytes.fromhex(numbers)))
        self.mpno("predict", "complex", "z.npz", "-o", "z.npy", "-q")
        again = self.mpno("certify", "complex", "--sample", "1", "--answer", "z.npy", "--json").json()
        self.assertEqual(again["distances"], told["distances"])
        self.verify(VERIFIED, "z.json")
        self.check_one_site("complex", "lifting/activation=f16")

    # ---- words ----

    def test_bad_words(self):
        for words, fragments in (
                (("--sample", "-1"), ("--sample", "whole number")), (("--sample", "1.5"), ("--sample", "whole number")),
                (("--sample", "9"), ("there is no sample 9", "has 4")), (("--tolerance", "small"), ("--tolerance", "1e-3")),
                (("--tolerance", "nan"), ("--tolerance",)), (("--tolerance", "-1"), ("--tolerance",)),
                (("-o", "c.txt"), ("c.txt", ".json")),
                (("--html", "c.txt"), ("c.txt", ".html")), (("--input", "nowhere.pt"), ("nowhere.pt",)),
                (("--answer", "nowhere.npy"), ("nowhere.npy",)), (("--answer", "test8.pt"), ("test8.pt", "shape")),
                (("--input", "config.yaml"), ("config.yaml",)), (("--weights", "x"), ("weights",)),
                (("-o", "no/folder/c.json"), ("no/folder",)), (("data.test=[]",), ("--input FILE",))):
            with self.subTest(words=words):
                before = tree(self.folder)
                self.assert_error(self.mpno("certify", "run", *words, status=2), *fragments)
                self.assertEqual(tree(self.folder), before)
        self.assert_error(self.mpno("certify", "nowhere", status=2), "nowhere")
        self.assert_error(self.mpno("certify", status=2), "CHECKPOINT is missing")
        self.assert_error(self.mpno("verify", status=2), "CERTIFICATE is missing")
        self.assert_error(self.mpno("verify", "c.json", "precision.policy=full", status=2), "too many")
        for command, line in (("certify", "VERIFIED\n"), ("verify", "VERIFIED: the claim holds\n")):
            self.assertIn(line, self.mpno(command, "--help").out)


if __name__ == "__main__":
    unittest.main()
