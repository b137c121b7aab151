# SPDX-License-Identifier: MIT
"""mpno tune: a file below the user's cache folder, used by nothing but --tuned, refused when it is not of this machine."""
import os
import unittest

from support import ROOT, Case


class Tune(Case):
    def setUp(self):
        super().setUp()
        self.cache = self.folder
        self.environment = {"XDG_CACHE_HOME": str(self.cache)}

    def tuned(self, *words, **how):
        return self.mpno(*words, environment=self.environment, **how)

    def the_file(self):
        found = list((self.cache / "mpno").iterdir())
        self.assertEqual(len(found), 1)
        return found[0]

    def test_measures_shows_is_used_and_forgotten(self):
        self.assert_error(self.tuned("info", "--tuned", status=1), "run `mpno tune` first")
        made = self.tuned("tune", "--json").json()
        path = self.the_file()
        self.assertRegex(path.name, r"^tune-[a-z0-9-]+\.yaml$")
        self.assertTrue(path.read_text().startswith("mpno_tuning: 1\nprogram: "))
        self.assertEqual(self.tuned("tune", "--show", "--json").json(), made)
        self.assertIn(made["isa"], self.tuned("tune", "--show").out)
        self.assertEqual(self.tuned("info", "--tuned", "--json").json()["isa"], made["isa"])
        self.assertEqual(self.tuned("tune", "--reset", "--json").json(), {"removed": True})
        self.assertFalse(path.exists())
        self.assertEqual(self.tuned("tune", "--reset", "--json").json(), {"removed": False})

    def write(self, **lines):
        facts = self.mpno("info", "--json").json()
        text = {"mpno_tuning": "1", "program": f'"{facts["version"]}"', "cpu": f'"{facts["cpu"]}"', "isa": "portable",
                "threads_per_core": "all", "steps": "{isas: [portable], seconds: [1.0]}",
                "rates": "{threads: 2, gflops: [1.0, 2.0], read_gbs: [1.0, 2.0], copy_gbs: [1.0, 2.0]}", **lines}
        (self.cache / "mpno").mkdir(exist_ok=True)
        letters = "".join(c.lower() if c.isascii() and c.isalnum() else "-" for c in facts["cpu"])
        name = "-".join(word for word in letters.split("-") if word)
        path = self.cache / "mpno" / f"tune-{name}.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in text.items()))
        return path

    def test_kernels_are_taken_and_asking_goes_before(self):
        self.write()
        self.assertEqual(self.tuned("info", "--tuned", "--json").json()["isa"], "portable")
        best = self.mpno("info", "--json").json()["isa_best"]
        self.assertEqual(self.tuned("info", "--json").json()["isa"], best)
        self.assertEqual(self.tuned("info", "--tuned", "--isa", best, "--json").json()["isa"], best)

    def test_plan_names_kernels_and_threads(self):
        self.write()
        plan = self.tuned("plan", "--tuned", "--threads", "1", "--json", str(ROOT / "examples/darcy16.yaml"))
        self.assertEqual((plan.json()["isa"], plan.json()["threads"]), ("portable", 1))
        self.assertIn("kernels portable, 1 threads", plan.err)

    def test_foreign_and_damaged_files_are_refused(self):
        for words, lines in ((("format 7", "reads format 1"), {"mpno_tuning": "7"}),
                             (("made by mpno 0.0.1", "mpno tune"), {"program": "0.0.1"}),
                             (("abacus", "mpno tune"), {"cpu": "abacus"}), (("sse9",), {"isa": "sse9"}),
                             (("rates",), {"rates": "fast"}), (("speed",), {"speed": "1"})):
            with self.subTest(lines=lines):
                path = self.write(**lines)
                for command in (("tune", "--show"), ("info", "--tuned")):
                    self.assert_error(self.tuned(*command, status=1), str(path), *words)
        path = self.write()
        path.write_bytes(b"\0\xff not text")
        self.assert_error(self.tuned("info", "--tuned", status=1), str(path))
        path.unlink()
        path.mkdir()
        self.assert_error(self.tuned("info", "--tuned", status=1), str(path))

    def test_wrong_words(self):
        for words, fragment in ((("tune", "--show", "--reset"), "exclude each other"),
                                (("tune", "--tuned"), "--tuned is for the other commands"),
                                (("tune", "here"), "one argument too many"), (("info", "--show"), "unknown option")):
            self.assert_error(self.mpno(*words, status=2), fragment)

    def test_folder_that_cannot_be_written(self):
        (self.cache / "mpno").write_text("a file")
        self.assert_error(self.tuned("tune", status=1), "mpno")
        self.assertEqual(os.listdir(self.cache), ["mpno"])


if __name__ == "__main__":
    unittest.main()
