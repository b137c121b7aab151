# SPDX-License-Identifier: MIT
"""mpno plan CHECKPOINT --tolerance: the plan keeps to the tolerance, by POINT and by predictions in f64; its error is the one
foretold; no policy within the tolerance takes less memory; and what is written is what eval, predict, certify and train take."""
import math
import statistics
import struct
import unittest

from support import Case, load_safetensors, make_data, make_lines, make_project, tree

CALIBRATION, HELD_OUT = 16, 16
ALL = CALIBRATION + HELD_OUT
FRESH = 200


def numbers(path):
    """The predictions of a file, sample by sample."""
    kind, shape, data = load_safetensors(path)["y"]
    letter = {"F32": "f", "F64": "d"}[kind]
    values = struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data)
    size = len(values) // shape[0]
    return [values[i * size:(i + 1) * size] for i in range(shape[0])]


def distance(a, b):
    """|a - b| / |b|."""
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b)) / math.fsum(y * y for y in b))


class PlanPrecision(Case):
    """A trained model of a small project."""

    def setUp(self):
        super().setUp()
        make_project(self.folder)
        make_data(self.folder / "data.pt", samples=ALL, grid=16, seed=5)
        self.mpno("train", "config.yaml", "model.hidden_channels=16", "model.n_layers=3", "precision.policy=mixed", "--quiet")

    def plan(self, tolerance, *words, status=0):
        return self.mpno("plan", "run", "--data", "data.pt", "--tolerance", tolerance, "--json", *words, status=status)

    def check(self, told, tolerance):
        """What holds of every plan."""
        plan = told["plan"]
        self.assertEqual((told["tolerance"], told["calibration_samples"], told["held_out_samples"]),
                         (tolerance, CALIBRATION, HELD_OUT))
        self.assertLessEqual(plan["error"], plan["error_at_most"])
        self.assertLessEqual(plan["error_at_most"], tolerance)
        fitting = [p for p in told["policies"] if p["finite"] and p["error_at_most"] <= tolerance]
        self.assertIn("full", [p["policy"] for p in fitting])
        self.assertLessEqual(plan["activation_bytes"], min(p["activation_bytes"] for p in fitting))
        return plan

    def exact(self):
        """Predictions of the samples held out in f64."""
        self.mpno("predict", "run", "data.pt", "-o", "exact.safetensors", "precision.policy=f64", "-q")
        return numbers(self.folder / "exact.safetensors")[CALIBRATION:]

    def test_plans_keep_to_their_tolerance(self):
        exact, bytes_before = self.exact(), 0
        for tolerance in (3e-2, 3e-3, 3e-4, 3e-5, 3e-6):
            with self.subTest(tolerance=tolerance):
                told = self.plan(tolerance, "-o", "policy.yaml", "-q").json()
                plan = self.check(told, tolerance)
                self.assertGreaterEqual(plan["activation_bytes"], bytes_before)
                bytes_before = plan["activation_bytes"]
                self.mpno("predict", "run", "data.pt", "-o", "y.safetensors", "--config", "policy.yaml", "-q")
                errors = [distance(*pair)
                          for pair in zip(numbers(self.folder / "y.safetensors")[CALIBRATION:], exact)]
                found = math.sqrt(math.fsum(e * e for e in errors) / HELD_OUT)
                self.assertAlmostEqual(plan["error"] / found, 1, delta=1e-3)
                self.assertLessEqual(max(errors), plan["error_at_most"] * (1 + 1e-6))
                self.assertGreaterEqual(max(errors), plan["error_at_most"] * (1 - 1e-3))
                if not plan["is_policy"]:
                    self.assertAlmostEqual(plan["error_predicted_same_samples"] / plan["error_same_samples"], 1, delta=0.1)
        full = next(p for p in told["policies"] if p["policy"] == "full")
        self.assertEqual(plan["activation_bytes"], full["activation_bytes"])  # nothing fits 3e-6

    def test_fewer_modes(self):
        """A model that hardly uses its outer modes: they are left out, which counts as an error against the answer of all
        of them, is foretold and is what the policy file makes again."""
        self.mpno("train", "config.yaml", "model.n_modes=[8, 8]", "model.hidden_channels=16", "output=many", "opt.n_epochs=3",
                  "--quiet")
        words = ("many", "--data", "data.pt", "--tolerance=2e-1", "-o", "policy.yaml", "--json")
        result = self.mpno("plan", *words)
        told, plan = result.json(), result.json()["plan"]
        self.assertIn("all cuts together", result.err)
        self.assertLessEqual(plan["error_at_most"], 2e-1)
        cuts = {(c["block"], c["axis"]): c for c in told["cuts"]}
        self.assertEqual(set(cuts), {(block, axis) for block in range(2) for axis in range(2)})
        taken = [c for c in cuts.values() if c["modes"] < c["all"]]
        self.assertTrue(taken)
        for (block, axis), cut in cuts.items():
            self.assertEqual(plan["modes"][block][axis], cut["modes"])
            errors = [t["error"] for t in cut["tried"]]
            self.assertEqual([t["modes"] for t in cut["tried"]][0], cut["all"] - 2)
            self.assertGreater(errors[0], 0)
        alone = [next(t["error"] for t in c["tried"] if t["modes"] == c["modes"]) for c in taken]
        self.assertTrue(0.5 < plan["error_of_cuts"] / math.sqrt(math.fsum(e * e for e in alone)) < 2)
        self.assertAlmostEqual(plan["error_predicted_same_samples"] / plan["error_same_samples"], 1, delta=0.1)
        self.mpno("predict", "many", "data.pt", "-o", "exact.safetensors", "precision.policy=f64", "-q")
        self.mpno("predict", "many", "data.pt", "-o", "y.safetensors", "--config", "policy.yaml", "-q")
        pairs = zip(numbers(self.folder / "y.safetensors"), numbers(self.folder / "exact.safetensors"))
        errors = [distance(*pair) for pair in pairs]
        found = math.sqrt(math.fsum(e * e for e in errors[CALIBRATION:]) / HELD_OUT)
        self.assertAlmostEqual(plan["error"] / found, 1, delta=1e-3)
        one = self.mpno("certify", "many", "--config", "policy.yaml", "--input", "data.pt", "--sample", CALIBRATION, "--json",
                        "-q").json()["distances"]["l2"]  # of the whole network's exact answer
        self.assertAlmostEqual(one["relative_upper"] / errors[CALIBRATION], 1, delta=1e-4)
        fast = self.mpno(*("plan", *words, "--minimise=time", "-q")).json()["plan"]  # whatever it is, it is as accurate as it says
        self.assertLessEqual(fast["error_at_most"], 2e-1)
        self.mpno("predict", "many", "data.pt", "-o", "y.safetensors", "--config", "policy.yaml", "-q")
        pairs = zip(numbers(self.folder / "y.safetensors"), numbers(self.folder / "exact.safetensors"))
        found = math.sqrt(math.fsum(distance(*pair) ** 2 for pair in list(pairs)[CALIBRATION:]) / HELD_OUT)
        self.assertAlmostEqual(fast["error"] / found, 1, delta=1e-3 if fast["error"] > 1e-5 else 0.1)
        if fast["modes"] is None:
            self.assertEqual(fast["error_of_cuts"], 0)
        full = self.mpno("plan", "many", "--data", "data.pt", "--tolerance=1e-4", "--json", "-q").json()
        self.assertIsNone(full["plan"]["modes"])  # no cut is so small
        self.assertLess(plan["activation_bytes"], full["plan"]["activation_bytes"])

    def test_training_with_the_modes_of_a_plan(self):
        """A run with fewer modes is one of a model that has just these; eval knows them without the key."""
        few = "precision.modes=[[4, 2], [2, 4]]"
        self.mpno("train", "config.yaml", "output=few", few, "--quiet")
        self.assertEqual(self.mpno("info", "few", "--json").json()["state"]["modes"]["layers"], [[4, 2], [2, 4]])
        errors = [self.mpno("eval", "few", "data.test=[data.pt]", *words, "--json", "-q").json()["test"]["16"]["l2"]
                  for words in ((), (few,), ("precision.modes=null",), ("precision.modes=[2, 2]",))]
        self.assertEqual(len(set(errors[:3])), 1)
        self.assertNotEqual(errors[0], errors[3])
        self.mpno("export", "few", "-o", "few.safetensors")
        kind, shape, data = load_safetensors(self.folder / "few.safetensors")["fno_blocks.convs.0.weight.tensor"]
        values = struct.unpack(f"<{len(data) // 4}f", data)  # [in][out][4][3], re and im: other programs use all of them
        self.assertEqual((kind, shape[-3:]), ("F32", [4, 3, 2]))
        self.assertEqual({values[i] for i in range(len(values)) if i // 2 % 3 == 2}, {0.0})
        self.assertNotIn(0.0, {values[i] for i in range(len(values)) if i // 2 % 3 < 2})
        self.mpno("train", "config.yaml", "output=few", few, "opt.n_epochs=4", "opt.t_max=3", "--resume", "--quiet")
        for words, fragments in (
                (("precision.modes=[2]",), ("precision.modes", "2 axes", "found 1")),
                (("precision.modes=[[2, 2], [2, 2], [2, 2]]",), ("precision.modes", "2 blocks", "found 6")),
                (("precision.modes=[2.5, 2]",), ("precision.modes", "2.5")),
                (("precision.modes=[2, 2]", "modes.rule=adaptive"), ("modes.rule", "precision.modes")),
                (("precision.modes=[2, 2]", "compat=neuralop"), ("max_n_modes",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("train", "config.yaml", "output=other", *words, status=2), *fragments)

    def test_new_samples(self):
        """Of a file with many samples some are kept away from the plan: its error on them is the one foretold, and POPULATION
        bounds new ones by them. The bound is the upper quantile of what certify says of these samples."""
        make_data(self.folder / "data.pt", samples=ALL + 50 + FRESH, grid=8, seed=9)
        result = self.plan(3e-2)
        told, plan = result.json(), result.json()["plan"]
        new, population = told["new_samples"], told["population"]
        self.assertEqual((told["reference_samples"], new["samples"], population["samples"]), (50, FRESH, FRESH))
        self.assertFalse(plan["is_policy"])
        self.assertAlmostEqual(plan["error_predicted"] / new["error"], 1, delta=0.1)
        self.assertAlmostEqual(plan["median_predicted"] / new["median"], 1, delta=0.1)
        self.assertAlmostEqual(new["median"] / population["median"], 1, delta=1e-2)  # between two of 200; one of them
        self.assertLessEqual(plan["farthest_reference"], 3e-2)
        bound, sure = population["marginal"]["bound"], population["confident"]["bound"]
        self.assertTrue(new["error"] / 2 < population["median"] < bound <= sure <= new["error_at_most"])
        self.assertEqual(population["largest"], new["error_at_most"])
        self.assertIn("new samples: error", result.err)
        self.assertIn("This holds if", result.err)
        self.assertEqual(len(told["assumptions"]), 5)
        make_data(self.folder / "data.pt", samples=ALL + 20, grid=8, seed=9)
        result = self.plan(3e-2)
        self.assertEqual((result.json()["reference_samples"], result.json()["new_samples"]["samples"]), (10, 10))
        self.assertIn("200 samples", result.json()["no_population"])
        self.assertNotIn("population", result.json())
        self.assertIn("no bound of new samples: it takes 200", result.err)

    def check_foretold(self, tolerance, references):
        """What is foretold is what predictions in f64 say of the samples measured on and the references."""
        told = self.plan(tolerance, "-o", "policy.yaml", "-q").json()
        self.assertEqual(told["reference_samples"], references)
        self.mpno("predict", "run", "data.pt", "-o", "exact.safetensors", "precision.policy=f64", "-q")
        self.mpno("predict", "run", "data.pt", "-o", "y.safetensors", "--config", "policy.yaml", "-q")
        errors = [distance(*pair) for pair in zip(*(numbers(self.folder / f"{name}.safetensors") for name in ("y", "exact")))]
        known, new = errors[:CALIBRATION] + errors[ALL:ALL + references], errors[ALL + references:]
        for errors, found, names in (
                (known, told["plan"], ("error_predicted", "error_predicted_uncertainty", "median_predicted")),
                (new, told["new_samples"], ("error", "error_uncertainty", "median"))):
            mean = statistics.fmean(e * e for e in errors)
            sigma = statistics.stdev(e * e for e in errors) / math.sqrt(len(errors)) / mean / 2
            for name, expected in zip(names, (math.sqrt(mean), sigma, statistics.median(errors))):
                self.assertAlmostEqual(found[name] / expected, 1, delta=2e-2 if tolerance < 1e-5 else 2e-3, msg=name)
        same = math.sqrt(statistics.fmean(e * e for e in known[:CALIBRATION]))
        self.assertAlmostEqual(told["plan"]["error_same_samples"] / same, 1, delta=2e-2 if tolerance < 1e-5 else 2e-3)
        return told["plan"]

    def test_what_is_foretold(self):
        make_data(self.folder / "data.pt", samples=ALL + 41, grid=16, seed=9)
        self.check_foretold(3e-3, 20)
        plan = self.check_foretold(3e-6, 20)  # all in f32, whose error is then looked at on all of these samples
        self.assertAlmostEqual(plan["error_same_samples"] / plan["error_predicted_same_samples"], 1, delta=1e-3)

    def test_hard_references_refuse_policies_too(self):
        """One reference is harder than all other samples: what no plan may do there no policy may either."""
        make_data(self.folder / "data.pt", samples=ALL + 40, grid=16, seed=9, poison=200)  # sample 36
        result = self.plan(1e-4)
        told, plan = result.json(), result.json()["plan"]
        self.assertLessEqual(plan["farthest_reference"], 1e-4)
        refused = [p for p in told["policies"]
                   if p["error_at_most"] <= 1e-4 and p["activation_bytes"] < plan["activation_bytes"]]
        self.assertTrue(refused)
        for policy in refused:
            self.assertGreater(policy["farthest_reference"], 1e-4)
        self.assertIn("no", [line.split("|")[-2].strip() for line in result.err.splitlines() if "| mixed " in line])

    def test_padding_rounds_once(self):
        """The cropped field is a copy of the last block's: stored alike, it loses nothing more, and counts once."""
        self.mpno("train", "config.yaml", "model.domain_padding=0.25", "output=padded", "--quiet")
        told = self.mpno("plan", "padded", "--data", "data.pt", "--tolerance=1e-3", "--json", "-q").json()
        plan = told["plan"]
        self.assertLessEqual(plan["error_at_most"], 1e-3)
        self.assertNotIn(("projection", "activation"), [(s["layer"], s["role"]) for s in told["sites"]])
        self.assertEqual([s["also"] for s in told["sites"] if s["layer"] == "block 1" and s["role"] == "activation"],
                         ["projection"])
        self.assertAlmostEqual(plan["error_predicted_same_samples"] / plan["error_same_samples"], 1, delta=0.1)

    def test_auto(self):
        """precision.policy = auto: a plan with a tenth of the validation error; certificates name it and need none to be
        verified; training goes through the levels of adaptive."""
        self.mpno("train", "config.yaml", "data.validation=test8.pt", "data.test=[data.pt]", "precision.policy=auto",
                  "output=auto", "--quiet")
        found = self.mpno("info", "auto", "--json").json()["state"]
        self.assertIn("level", found)
        result = self.mpno("eval", "auto", "--json")
        told = result.json()["planned"]
        self.assertAlmostEqual(told["tolerance"], found["best"]["error"] / 10, delta=1e-12)
        self.assertLessEqual(told["plan"]["error_at_most"], told["tolerance"])
        self.assertIn("precision.policy auto: answers within", result.err)
        self.mpno("plan", "auto", "--data", "data.pt", "--tolerance", told["tolerance"], "-o", "policy.yaml", "-q")
        same = self.mpno("eval", "auto", "--config", "policy.yaml", "--json", "-q").json()
        self.assertEqual(same["test"], result.json()["test"])
        self.assertNotIn("planned", same)
        predicted = self.mpno("predict", "auto", "data.pt", "-o", "y.safetensors", "--json", "-q").json()
        self.assertEqual(predicted["planned"]["plan"]["storage"], told["plan"]["storage"])
        other = self.mpno("eval", "run", "data.test=[data.pt]", "precision.policy=auto", "--json", "-q").json()
        self.assertIn("planned", other)  # without validation data the truth of the samples counts
        certificate = self.mpno("certify", "auto", "--json", "-q", "-o", "certificate.json").json()
        self.assertNotEqual(certificate["plan"]["overrides"]["precision.policy"], "auto")
        self.assertEqual(certificate["plan"]["storage"], told["plan"].get("storage"))
        self.mpno("verify", "certificate.json", "-q")
        self.assert_error(self.mpno("eval", "auto", "data.test=[]", status=2), "data.test")
        self.assert_error(self.mpno("certify", "auto", "--data", "data.pt", status=2), "made its plan with", "data.pt")

    def test_squares_of_sites_add_up(self):
        told = self.plan(3e-3, "-q").json()
        full = next(p for p in told["policies"] if p["policy"] == "full")
        sites = {(s["layer"], s["role"]): s for s in told["sites"]}
        self.assertEqual(set(sites), {(f"block {i}", role) for i in range(3) for role in ("spectrum", "transform columns")} |
                         {(layer, "activation") for layer in ("lifting", "block 0", "block 1")})
        square = math.fsum(s["error"].get(s["format"], 0) ** 2 for s in sites.values()) + full["error"] ** 2
        square += told["plan"]["error_of_cuts"] ** 2
        self.assertEqual(told["reference_samples"], 0)
        self.assertAlmostEqual(told["plan"]["error_predicted_same_samples"], math.sqrt(square), delta=1e-9 * math.sqrt(square))
        for site in sites.values():  # eight times coarser, and eight times that
            self.assertTrue(4 < site["error"]["bf16"] / site["error"]["f16"] < 16)
            self.assertTrue(4 < site["error"]["f8e4m3"] / site["error"]["bf16"] < 32)

    def test_what_the_plan_writes_is_taken(self):
        result = self.plan(3e-2, "-o", "policy.yaml")
        plan = self.check(result.json(), 3e-2)
        self.assertIn("f8e4m3", plan["storage"])
        for word in ("| layer ", "| this plan ", "| mixed ", "predicted", "proved: at most", "policy in policy.yaml"):
            self.assertIn(word, result.err)
        certified = self.mpno("certify", "run", "--config", "policy.yaml", "--input", "data.pt", "--sample", CALIBRATION,
                              "--tolerance", 3e-2, "--json", "-q")
        upper = certified.json()["distances"]["l2"]["relative_upper"]
        self.assertLessEqual(upper, plan["error_at_most"])  # of the first one of those held out
        told = self.mpno("eval", "run", "--config", "policy.yaml", "--json", "-q").json()
        self.assertEqual(told["policy"], "mixed")
        other = self.mpno("eval", "run", "--json", "-q").json()
        self.assertNotEqual(told["test"]["16"]["l2"], other["test"]["16"]["l2"])
        self.assertAlmostEqual(told["test"]["16"]["l2"] / other["test"]["16"]["l2"], 1, delta=0.1)
        keys = self.mpno("train", "config.yaml", "model.n_layers=3", "--config", "policy.yaml", "output=again", "opt.n_epochs=1").out
        self.assertIn(plan["storage"], keys)
        self.assertIn("policy: mixed", keys)
        keys = self.mpno("train", "config.yaml", "model.n_layers=3", "--config", "policy.yaml", "output=third", "opt.n_epochs=1",
                         "precision.policy=full", "precision.storage=null").out
        self.assertIn("policy: full", keys)  # the command line has the last word
        self.assertIn("storage: null", keys)

    def test_same_answer_each_time(self):
        one, two, again = (self.plan(3e-3, "-q", f"--threads={n}").json() for n in (1, 2, 2))
        for key in ("storage", "modes", "error", "error_at_most", "error_predicted"):
            self.assertEqual(two["plan"][key], again["plan"][key])
        for a, b in zip(one["sites"], two["sites"]):  # memory, not numbers, depends on threads
            self.assertEqual(a["error"], b["error"])
        self.assertEqual([c["tried"] for c in one["cuts"]], [c["tried"] for c in two["cuts"]])
        before = tree(self.folder)
        self.plan(3e-3, "-q")
        self.assertEqual(tree(self.folder), before)

    def test_no_head_room_no_f16(self):
        """Inputs near the end of f16: nothing that holds them is stored so."""
        make_data(self.folder / "data.pt", samples=ALL, grid=16, scale=1e5)
        told = self.plan(1e-1, "-q").json()
        self.check(told, 1e-1)
        without = [s for s in told["sites"] if s["largest"] * 4 > 65504]
        self.assertTrue(without)
        for site in without:
            self.assertIsNone(site["error"]["f16"])
            self.assertNotEqual(site["format"], "f16")

    def test_a_tenth_of_the_error(self):
        told = self.plan("auto", "-q").json()
        make_data(self.folder / "blind.pt", samples=ALL, grid=16, seed=5, truth=False)
        error = self.mpno("eval", "run", "data.test=[data.pt]", "precision.policy=full", "--json", "-q").json()["test"]["16"]["l2"]
        self.assertAlmostEqual(told["tolerance"] / error, 0.1, delta=1e-6)
        self.check(told, told["tolerance"])
        self.assertIn("a tenth of the model's error", self.plan("auto").err)
        self.assert_error(self.mpno("plan", "run", "--data", "blind.pt", "--tolerance=auto", status=2), "blind.pt", "no 'y'",
                          "validation error")
        self.mpno("train", "config.yaml", "data.validation=test8.pt", "output=validated", "--quiet")
        found = self.mpno("info", "validated", "--json").json()["state"]["best"]["error"]
        self.assertAlmostEqual(self.mpno("plan", "validated", "--data", "blind.pt", "--tolerance=auto", "--json",
                                         "-q").json()["tolerance"], found / 10, delta=1e-12)

    def test_gaps_are_closed(self):
        """With six layers of four channels tensors lie with gaps unless spectra off the peak are narrow too."""
        self.mpno("train", "config.yaml", "model.n_layers=6", "model.norm=group_norm", "precision.policy=mixed", "output=gaps",
                  "--quiet")
        told = self.mpno("plan", "gaps", "--data", "data.pt", "--tolerance=1e-4", "--json", "-q").json()
        plan = self.check(told, 1e-4)
        mixed = next(p for p in told["policies"] if p["policy"] == "mixed")
        self.assertFalse(plan["is_policy"])
        self.assertEqual(plan["activation_bytes"], mixed["activation_bytes"])
        self.assertEqual({s["format"] for s in told["sites"]}, {"f16"})
        self.assertLess(plan["error"], mixed["error"])

    def test_weights_made_of_factors(self):
        """The spectral weights are tensors of the prediction, without scales."""
        self.mpno("train", "config.yaml", "model.factorization=tucker", "model.rank=0.5", "output=factors", "--quiet")
        told = self.mpno("plan", "factors", "--data", "data.pt", "--tolerance=1e-2", "--json", "-q").json()
        self.check(told, 1e-2)
        weights = [s for s in told["sites"] if s["role"] == "spectral weight copy"]
        self.assertEqual([s["layer"] for s in weights], ["block 0", "block 1"])
        for site in weights:
            self.assertIsNone(site["error"]["f8e4m3"])
            self.assertGreater(site["error"]["f16"], 0)

    def test_time(self):
        told = self.plan(3e-3, "-q", "--minimise", "time").json()
        self.assertEqual(told["minimise"], "time")
        self.assertLessEqual(told["plan"]["error_at_most"], 3e-3)
        self.assertGreater(told["plan"]["seconds_estimate"], 0)
        for policy in told["policies"]:
            if policy["finite"] and policy["error_at_most"] <= 3e-3:
                self.assertGreaterEqual(policy["seconds_estimate"], 0.97 * told["plan"]["seconds_estimate"])

    def test_lines_and_few_samples(self):
        make_lines(self.folder / "train.pt")
        make_lines(self.folder / "two.pt", samples=2, seed=4)
        make_lines(self.folder / "one.pt", samples=1, seed=4)
        self.mpno("train", "config.yaml", "model.n_modes=[6]", "data.test=[two.pt]", "output=line", "--quiet")
        told = self.mpno("plan", "line", "--tolerance=1e-3", "--json", "-q").json()
        self.assertEqual((told["calibration_samples"], told["held_out_samples"]), (1, 1))
        self.assertLessEqual(told["plan"]["error_at_most"], 1e-3)
        self.assert_error(self.mpno("plan", "line", "--tolerance=1e-3", "--data", "one.pt", status=1), "one.pt", "2 or more")

    def test_bad_words(self):
        for words, status, fragments in (
                (("--tolerance", "0"), 2, ("tolerance is 0", "above 0")),
                (("--tolerance", "-1"), 2, ("--tolerance", "-1")),
                (("--tolerance", "little"), 2, ("--tolerance", "little")),
                (("--tolerance", "1e-9"), 1, ("tolerance 1e-09", "f32", "give a tolerance of")),
                (("--tolerance", "1e-3", "--minimise", "money"), 2, ("--minimise", "memory or time")),
                (("--tolerance", "1e-3", "--data", "nowhere.pt"), 1, ("nowhere.pt",)),
                (("--tolerance", "1e-3", "data.test=[]"), 2, ("--data FILE", "no test data")),
                (("--tolerance", "1e-3", "precision.policy=f64"), 2, ("f64", "precision.policy=full")),
                (("--tolerance", "1e-3", "--config", "none.yaml"), 1, ("none.yaml",))):
            with self.subTest(words=words):
                self.assert_error(self.mpno("plan", "run", *words, status=status), *fragments)
        (self.folder / "wrong.yaml").write_text("precision: {polcy: mixed}\n")
        self.assert_error(self.mpno("eval", "run", "--config", "wrong.yaml", status=2), "wrong.yaml", "polcy")
        least = float(self.plan("1e-9", status=1).err.split("give a tolerance of ")[1].split()[0])
        self.assertLessEqual(self.plan(least, "-q").json()["plan"]["error_at_most"], least)


if __name__ == "__main__":
    unittest.main()
