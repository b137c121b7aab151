# SPDX-License-Identifier: MIT
"""Certificates of the kinds static, set, population and discretisation: what they say is checked again, what was changed
is refused, and a new sample is put beside a population."""
import copy
import json
import math
import random
import shutil
import unittest
from pathlib import Path

from support import Case, make_data, make_project, run_peer
from test_certify import REFUTED, UNKNOWN, VERIFIED, isas, matches, one_line, sign

KINDS = ("static", "set", "population", "discretisation")
VERDICTS = ("VERIFIED", "REFUTED", "UNKNOWN")


class Kinds(Case):
    """One encoded model and a certificate of each kind of it, made once for all tests."""

    @classmethod
    def setUpClass(cls):
        made = Case("run")
        Case.setUp(made)
        cls.addClassCleanup(made.doCleanups)
        cls.made = made.folder
        make_project(cls.made)
        make_data(cls.made / "many.pt", samples=200, grid=8, seed=5)
        make_data(cls.made / "new.pt", samples=2, grid=8, seed=6)
        made.mpno("train", "config.yaml", "precision.policy=mixed", "data.encode_input=true", "-q")
        for kind, words in (("static", ("--static",)), ("set", ("--set", "--range", "0.001")),
                            ("population", ("--data", "many.pt")), ("discretisation", ("--discretisation", "--input", "test8.pt"))):
            made.mpno("certify", "run", *words, "-o", f"{kind}.json", "-q")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made, self.folder, dirs_exist_ok=True)

    def document(self, kind):
        return json.loads((self.folder / f"{kind}.json").read_text())

    def verify(self, status, name, *words, **options):
        """What verify tells of a certificate, whose verdict is looked at."""
        told = self.mpno("verify", name, "--json", *words, status=status, **options).json()
        self.assertEqual(told["verdict"], VERDICTS[status], told["reason"])
        return told

    def forged(self, kind, status, change):
        """The reason for a verdict on a certificate that was changed and signed again."""
        changed = copy.deepcopy(self.document(kind))
        change(changed)
        (self.folder / "forged.json").write_text(sign(changed))
        return self.verify(status, "forged.json")["reason"]

    # ---- all of them ----

    def test_they_are_verified(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                told = self.verify(VERIFIED, f"{kind}.json")
                recorded = self.document(kind)
                self.assertEqual(told["kind"], kind)
                for key in ("claim", "static", "set", "distances", "envelope", "discretisation", "budget"):
                    self.assertEqual(told.get(key), recorded.get(key), key)
                if kind != "discretisation":
                    self.assertIn(recorded["reason"], told["reason"])
                (self.folder / "line.json").write_text(one_line(recorded))
                self.verify(VERIFIED, "line.json")

    def test_the_schema(self):
        schema = json.loads((Path(__file__).parents[2] / "docs/reference/certificate.schema.json").read_text())
        for kind in KINDS:
            recorded = self.document(kind)
            self.assertTrue(matches(schema, recorded), kind)
            for key in recorded:
                self.assertFalse(matches(schema, {k: v for k, v in recorded.items() if k != key}), (kind, key))
            for change in ({"more": 1}, {"version": 2}, {"kind": "point"}, {"sha256": "00"}, {kind: 3}, {"plan": {}}):
                if not (kind == "population" and kind in change):
                    self.assertFalse(matches(schema, {**recorded, **change}), (kind, change))
        empty = self.document("population")
        empty["distances"]["l2"]["scores"][3] = None
        self.assertTrue(matches(schema, empty))
        empty["distances"]["l2"]["scores"][3] = -1
        self.assertFalse(matches(schema, empty))

    def test_everywhere(self):
        for isa in isas():
            for kind in KINDS:
                with self.subTest(kind=kind, isa=isa):
                    self.verify(VERIFIED, f"{kind}.json", "--threads", "1", environment={"MPNO_ISA": isa})
        here = self.folder / "run"
        here.rename(self.folder / "moved")
        for kind in KINDS:
            self.assertIn("--weights FILE", self.verify(UNKNOWN, f"{kind}.json")["reason"])
        (self.folder / "many.pt").rename(self.folder / "m.pt")
        (self.folder / "test8.pt").unlink()
        for kind in ("static", "set"):  # they need nothing else
            self.verify(VERIFIED, f"{kind}.json", "--weights", "moved")

    def test_flipped_bits(self):
        rng = random.Random(3)
        for kind in KINDS:
            name = self.folder / f"{kind}.json"
            whole = name.read_bytes()
            for bit in rng.sample(range(8 * (len(whole) - 1)), 12):
                changed = bytearray(whole)
                changed[bit // 8] ^= 1 << bit % 8
                name.write_bytes(changed)
                with self.subTest(kind=kind, bit=bit):
                    self.verify(REFUTED, f"{kind}.json")
            name.write_bytes(whole)
        weights = self.folder / "run/last.safetensors"
        whole = bytearray(weights.read_bytes())
        whole[-5] ^= 1
        weights.write_bytes(whole)
        for kind in KINDS:
            self.assertIn("not the checkpoint", self.verify(REFUTED, f"{kind}.json")["reason"])

    def test_forgeries_of_all(self):
        """Whatever is changed and signed again, each entry of the document by itself."""
        for kind in KINDS:
            recorded = self.document(kind)
            for key in recorded:
                if key in ("sha256", "plan_sha256", "plan"):  # which signing needs
                    continue
                with self.subTest(kind=kind, key=key):
                    self.forged(kind, REFUTED, lambda c, key=key: c.pop(key))
            self.assertIn("plan is not a map", self.forged(kind, REFUTED, lambda c: c.update(plan=[])))
            self.assertIn("plan.policy", self.forged(kind, REFUTED, lambda c: c["plan"].update(policy="full")))
            self.assertIn("more does not", self.forged(kind, REFUTED, lambda c: c.update(more=1)))
        for kind in ("static", "set", "population"):
            self.assertIn("reason", self.forged(kind, REFUTED, lambda c: c.update(reason="so it is")))
            self.assertIn("verdict", self.forged(kind, REFUTED, lambda c: c.update(verdict="UNKNOWN")))
            self.assertIn("claim.text", self.forged(kind, REFUTED, lambda c: c["claim"].update(text="It is exact.")))
        self.assertIn("kind 'other'", self.forged("set", UNKNOWN, lambda c: c.update(kind="other")))

    def test_other_kernels_and_versions(self):
        """What another machine finds otherwise is not refuted: it may be right there."""
        def elsewhere(key, value):
            def change(c):
                c["environment"][key] = value
                c["static"]["table"][0]["bound"] *= 1.01
            return change
        self.assertIn("static.table[0].bound", self.forged("static", REFUTED, elsewhere("mpno", "0.1.0")))
        absent = next(name for name in ("neon", "avx2") if name not in isas())
        for key, value in (("isa", absent), ("mpno", "9.9.9")):
            self.assertIn("finds other numbers here", self.forged("static", UNKNOWN, elsewhere(key, value)))
        self.forged("static", VERIFIED, lambda c: c["environment"].update(isa=absent))
        self.assertIn(f"{absent}, do not run here",
                      self.forged("population", UNKNOWN, lambda c: c["environment"].update(isa=absent)))

    # ---- every input ----

    def test_other_balls(self):
        """Another range is another claim: its numbers are others."""
        for kind, key in (("static", "range"), ("set", "radius")):
            reason = self.forged(kind, REFUTED, lambda c, kind=kind, key=key: c[kind].update({key: 2 * c[kind][key]}))
            self.assertIn("is", reason)
            self.forged(kind, REFUTED, lambda c, kind=kind: c[kind].update(encoded=False))
        self.assertIn("static.table[0].bound",
                      self.forged("static", REFUTED, lambda c: c["static"]["table"][0].update(bound=1e-3)))
        self.assertIn("set.error", self.forged("set", REFUTED, lambda c: c["set"].update(error=1e-9)))
        for change in (lambda c: c["set"].update(radius=-1.0), lambda c: c["set"].update(radius="x"),
                       lambda c: c["plan"].update(grid=[8]), lambda c: c["plan"].update(grid=[8, 1 << 40]),
                       lambda c: c["plan"].update(output_grid=3)):
            self.assertNotEqual(self.mpno("verify", self.write(change), "--json", status=None).json()["verdict"], "VERIFIED")

    def write(self, change):
        changed = self.document("set")
        change(changed)
        (self.folder / "forged.json").write_text(sign(changed))
        return "forged.json"

    def test_a_set(self):
        told = self.document("set")
        found = told["set"]
        self.assertEqual((found["ball"], found["radius"], found["encoded"], found["size"]), ("sup", 0.001, True, 1.0))
        self.assertEqual([layer["layer"] for layer in found["layers"]], ["lifting", "block 0", "block 1", "projection"])
        self.assertEqual(found["layers"][-1]["error"], found["error"])
        self.assertTrue(0 < found["error"] < found["size"])
        self.assertEqual(found["relative"], math.nextafter(found["error"] / found["size"], math.inf))
        for ratio, status in ((1.0, VERIFIED), (1.01, VERIFIED), (0.99, UNKNOWN)):
            words = ("--set", "--range", "0.001", "--tolerance", repr(ratio * found["relative"]))
            self.mpno("certify", "run", *words, "-o", "t.json", "-q", status=status)
            again = self.document("t")
            self.assertEqual((again["set"], again["claim"]["tolerance"]), (found, ratio * found["relative"]))
            self.assertIn("at most" if status == VERIFIED else "above", again["reason"])
            self.verify(status, "t.json")
        text = self.mpno("certify", "run", "--set", "--range", "0.001", "--layers").out
        for word in ("claim: For any input", "Lipschitz constant at most", "| block 1 ", "| tensor "):
            self.assertIn(word, text)

    def test_a_set_bounds_answers(self):
        """Inputs of the ball, in low precision and in full: no two answers are farther apart than the bound."""
        words = ("data.encode_input=false", "data.encode_output=false", "output=plain", "-q")
        self.mpno("train", "config.yaml", "precision.policy=mixed", *words)
        run_peer("""
            rng = np.random.default_rng(1)
            x = rng.choice([-0.5, 0.5], (6, 8, 8))
            x[3:] = rng.uniform(-0.5, 0.5, (3, 8, 8))
            np.savez("ball.npz", x=x, y=3 * np.ones_like(x))
            """, self.folder)
        told = self.mpno("certify", "plain", "--set", "--range", "0.5", "--input", "ball.npz", "--json", "-o", "p.json",
                         "--tolerance", "1e9").json()
        found = told["set"]
        self.assertEqual((found["encoded"], found["size"]), (False, 3.0))  # that of the truth
        for policy in ("mixed", "full"):
            self.mpno("predict", "plain", "ball.npz", "-o", f"{policy}.npy", f"precision.policy={policy}", "-q")
        error, size = run_peer("""
            a, b = np.load("mixed.npy").astype("f8"), np.load("full.npy").astype("f8")
            rms = lambda z: float(np.sqrt(np.mean(z * z, axis=(1, 2, 3))).max())
            print(json.dumps([rms(a - b), rms(a)]))
            """, self.folder)
        self.assertTrue(0 < error <= found["error"] and size <= found["norm"], (error, size, found["error"]))
        self.verify(VERIFIED, "p.json")
        (self.folder / "p.json").rename(self.folder / "set.json")
        self.forged("set", REFUTED, lambda c: c["set"].update(size=30.0))

    def test_a_vacuous_set(self):
        told = self.mpno("certify", "run", "--set", "--range", "1e7", "-o", "v.json", "--json", status=UNKNOWN).json()
        self.assertEqual((told["set"]["verdict"], told["set"]["error"]), ("VACUOUS", None))
        self.assertIn("VACUOUS: ", told["reason"])
        self.assertIn("may leave the range", told["set"]["open"])
        self.assertIn("no bound", self.mpno("certify", "run", "--set", "--range", "1e7", status=UNKNOWN).out)
        self.assertIn("VACUOUS", self.verify(UNKNOWN, "v.json")["reason"])

    def test_set_words(self):
        for words, fragments in (
                (("--set", "--answer", "a.npy"), ("--set", "--answer")), (("--set", "--sample", "1"), ("--sample",)),
                (("--set", "--html", "s.html"), ("--html",)), (("--set", "--static"), ("--static", "--set")),
                (("--set", "--data", "many.pt"), ("--data", "--set")), (("--set", "--discretisation"), ("--set",)),
                (("--set", "--range", "0"), ("--range", "above 0")), (("--set", "--samples", "200"), ("--samples",)),
                (("--set", "data.test=[]"), ("--input FILE",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("certify", "run", *words, status=2), *fragments)

    # ---- a population ----

    def test_the_scores(self):
        told = self.document("population")
        for name in ("l2", "h1", "max"):
            found = told["distances"][name]
            scores = sorted(found["scores"])
            self.assertEqual((len(scores), scores[99], scores[-1]), (200, found["median"], found["largest"]))
            for promise in ("marginal", "confident"):
                self.assertEqual(found[promise]["bound"], scores[found[promise]["rank"] - 1])
        self.mpno("certify", "run", "--input", "many.pt", "--sample", "7", "-o", "c.json", "-q")
        for name, distance in self.document("c")["distances"].items():
            self.assertEqual(told["distances"][name]["scores"][7], distance["relative_upper"])

    def test_scores_are_measured_again(self):
        self.assertEqual(self.verify(VERIFIED, "population.json")["samples_measured_again"], 8)
        told = self.verify(VERIFIED, "population.json", "--samples", "200")
        self.assertIn("200 of 200 samples were measured again", told["reason"])
        rank = self.document("population")["distances"]["l2"]["marginal"]["rank"]

        def lower(i):
            """Score i is a little less, in a certificate that follows from it."""
            def change(c):
                scores = c["distances"]["l2"]["scores"]
                scores[i] *= 0.999
                ordered = sorted(scores)
                self.assertEqual(ordered[rank - 1], c["distances"]["l2"]["marginal"]["bound"])  # all else is as it was
            return change
        scores = self.document("population")["distances"]["l2"]["scores"]
        small = [i for i in range(1, 200) if scores[i] < sorted(scores)[80] and i % 25]
        self.assertIn("l2 score of sample 0", self.forged("population", REFUTED, lambda c: self.scale_all(c)))
        self.forged("population", VERIFIED, lower(small[0]))  # not among the eight
        self.assertIn(f"l2 score of sample {small[0]}", self.verify(REFUTED, "forged.json", "--samples", "200")["reason"])

    def scale_all(self, c):
        """Every l2 score and what follows from it, a hundredth smaller."""
        l2 = c["distances"]["l2"]
        l2["scores"] = [0.99 * score for score in l2["scores"]]
        ordered = sorted(l2["scores"])
        l2["median"], l2["largest"] = ordered[99], ordered[-1]
        told = {}
        for promise in ("marginal", "confident"):
            bound = l2[promise]["bound"]
            l2[promise]["bound"] = ordered[l2[promise]["rank"] - 1]
            told[promise] = f"{bound * (1 + 5.1e-6):.6g}", f"{l2[promise]['bound'] * (1 + 5.1e-6):.6g}"
            l2[promise]["claim"] = l2[promise]["claim"].replace(*told[promise])

    def test_forged_populations(self):
        def put(*path):
            def change(c):
                at = c
                for key in path[:-2]:
                    at = at[key]
                at[path[-2]] = path[-1]
            return change
        for path, fragment in ((("distances", "l2", "marginal", "rank", 3), "distances.l2.marginal.rank"),
                               (("distances", "h1", "confident", "bound", 0.0), "distances.h1.confident.bound"),
                               (("distances", "max", "level", 0.5), "distances.max.level"),
                               (("distances", "l2", "scores", 5), "scores is not a list"),
                               (("distances", "l2", "scores", [0.5] * 199), "entries"),
                               (("distances", "l2", "scores", []), "of l2 there are 0"),
                               (("distances", "h1", "scores", 0, -1.0), "no bound of an error"),
                               (("distances", "h1", "scores", 0, "x"), "no bound of an error"),
                               (("envelope", "samples", 3), "envelope.samples"),
                               (("envelope", "layers", 1, "norm", 1e-3), "in block 0"),
                               (("envelope", "layers", 2, "name", "block 7"), "the envelope says block 7"),
                               (("envelope", "layers", 2, "norm", "x"), "layer 2"),
                               (("data", "key", "y"), "under 'x'"), (("data", "samples", 199), "data.samples"),
                               (("data", "sha256", "0" * 64), "not those of the certificate")):
            with self.subTest(path=path):
                self.assertIn(fragment, self.forged("population", REFUTED, put(*path)))
        old = self.forged("population", UNKNOWN, lambda c: c["distances"]["l2"].pop("scores"))
        self.assertIn("does not record the scores", old)

    def test_the_calibration_samples(self):
        (self.folder / "many.pt").rename(self.folder / "moved.pt")
        self.assertIn("--data FILE", self.verify(UNKNOWN, "population.json")["reason"])
        self.assertIn("nowhere.pt", self.verify(UNKNOWN, "population.json", "--data", "nowhere.pt")["reason"])
        self.verify(VERIFIED, "population.json", "--data", "moved.pt")
        make_data(self.folder / "other.pt", samples=200, grid=8, seed=9)
        self.assertIn("not those of the certificate", self.verify(REFUTED, "population.json", "--data", "other.pt")["reason"])
        self.assertIn("new.pt", self.verify(UNKNOWN, "population.json", "--data", "new.pt")["reason"])

    # ---- a new sample ----

    def test_a_sample_inside(self):
        """One of the calibration's own is inside; its bound is the certificate's, and its own stands beside it."""
        told = self.verify(VERIFIED, "population.json", "--input", "many.pt", "--sample", "7")
        recorded = self.document("population")
        sample = told["sample"]
        self.assertEqual((sample["path"], sample["sample"], sample["inside"]), ("many.pt", 7, True))
        self.assertNotIn("leaves", sample)
        for name, value in sample["measured"].items():
            self.assertEqual(value, recorded["distances"][name]["scores"][7])
        self.assertIn("sample 7 of many.pt is inside the envelope: the bounds apply", told["reason"])
        self.assertIn(f"at most {recorded['distances']['l2']['confident']['bound'] * (1 + 5.1e-6):.6g} with a probability of at least 0.95",
                      told["reason"])
        (self.folder / "many.pt").rename(self.folder / "new.pt")  # the calibration samples are not needed
        text = self.mpno("verify", "population.json", "--input", "new.pt").out
        for word in ("by the certificate, at most", "measured here, at most", "VERIFIED: sample 0 of new.pt is inside"):
            self.assertIn(word, text)

    def test_a_sample_outside(self):
        make_data(self.folder / "large.pt", samples=2, grid=8, seed=6, scale=20)
        told = self.verify(UNKNOWN, "population.json", "--input", "large.pt", "--sample", "1")
        leaves, recorded = told["sample"]["leaves"], self.document("population")["envelope"]["layers"]
        layer = next(layer for layer in recorded if layer["name"] == leaves["layer"])
        self.assertFalse(told["sample"]["inside"])
        self.assertEqual(leaves["calibrated"], layer["norm" if leaves["quantity"] == "norm" else "largest"])
        self.assertGreater(leaves["found"], leaves["calibrated"])
        for word in ("sample 1 of large.pt is outside the envelope", f"the {leaves['quantity']} of {leaves['layer']}",
                     "mpno certify CHECKPOINT --input FILE"):
            self.assertIn(word, told["reason"])
        text = self.mpno("verify", "population.json", "--input", "large.pt", "--sample", "1", status=UNKNOWN).out
        self.assertIn(f"| {leaves['layer']} ", text)
        self.assertIn("calibration, at most", text)

    def test_a_sample_without_a_bound(self):
        run_peer("""
            np.savez("huge.npz", x=np.full((1, 8, 8), 1e30))
            """, self.folder)
        self.assertIn("as it has no bound", self.verify(UNKNOWN, "population.json", "--input", "huge.npz")["reason"])

    def test_samples_that_it_does_not_speak_of(self):
        self.assertIn("lies on 16 points, calibration samples on 8", self.verify(UNKNOWN, "population.json", "--input", "test16.pt")["reason"])
        self.assertIn("no sample 9", self.verify(UNKNOWN, "population.json", "--input", "new.pt", "--sample", "9")["reason"])
        self.assertIn("nowhere.pt", self.verify(UNKNOWN, "population.json", "--input", "nowhere.pt")["reason"])
        bound = self.document("population")["distances"]["l2"]["confident"]["bound"]
        self.mpno("certify", "run", "--data", "many.pt", "--tolerance", repr(bound / 2), "-o", "u.json", "-q", status=UNKNOWN)
        self.assertIn("above", self.verify(UNKNOWN, "u.json", "--input", "new.pt")["reason"])
        reason = self.forged("population", REFUTED, lambda c: c["envelope"]["layers"][0].update(norm=-1.0))
        self.assertIn("norm", reason)

    # ---- the grid ----

    def test_forged_estimates(self):
        def scale(*path):
            def change(c):
                at = c
                for key in path[:-2]:
                    at = at[key]
                at[path[-2]] *= path[-1]
            return change
        for path, fragment in ((("discretisation", "before", 1 + 1e-6), "discretisation.before"),
                               (("discretisation", "size", 1.001), "discretisation.size"),
                               (("discretisation", "error", 0.5), "discretisation.error"),
                               (("discretisation", "layers", 1, "alias", 0.999), "block 1.alias"),
                               (("budget", "precision", 0.99), "budget.precision"),
                               (("budget", "model", 1.01), "budget.model"),
                               (("budget", "discretisation", 1.01), "budget.discretisation")):
            with self.subTest(path=path):
                self.assertIn(fragment, self.forged("discretisation", REFUTED, scale(*path)))
        self.assertIn("budget.binds", self.forged("discretisation", REFUTED, lambda c: c["budget"].update(binds="nothing")))
        self.assertIn("not the input", self.forged("discretisation", REFUTED, lambda c: c["input"].update(sample=1)))
        self.assertIn("not the answer", self.forged("discretisation", REFUTED, lambda c: c["answer"].update(sha256="0" * 64)))

    def test_the_files_of_estimates(self):
        (self.folder / "discretisation_answer.npy").unlink()
        self.assertTrue(self.verify(VERIFIED, "discretisation.json")["answer_computed_again"])
        make_data(self.folder / "no.pt", samples=4, grid=8, seed=2, truth=False)
        self.assertIn("no truth", self.verify(UNKNOWN, "discretisation.json", "--input", "no.pt")["reason"])
        (self.folder / "test8.pt").unlink()
        self.assertIn("--input FILE", self.verify(UNKNOWN, "discretisation.json")["reason"])

    # ---- words ----

    def test_bad_words(self):
        for words, fragments in (
                (("static.json", "--input", "new.pt"), ("--input", "'static'")), (("set.json", "--answer", "a.npy"), ("--answer", "'set'")),
                (("set.json", "--data", "many.pt"), ("--data", "'set'")), (("static.json", "--samples", "3"), ("--samples",)),
                (("discretisation.json", "--sample", "3"), ("--sample", "'discretisation'")),
                (("population.json", "--answer", "a.npy"), ("--answer", "'population'")),
                (("population.json", "--sample", "3"), ("--sample", "--input FILE")),
                (("population.json", "--input", "new.pt", "--samples", "3"), ("--input", "--samples")),
                (("population.json", "--input", "new.pt", "--data", "many.pt"), ("--input", "--data")),
                (("population.json", "--samples", "0"), ("--samples",)), (("population.json", "--sample", "x"), ("--sample",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("verify", *words, status=2), *fragments)


if __name__ == "__main__":
    unittest.main()
