# SPDX-License-Identifier: MIT
"""The command line itself: help, version, unknown words, options, environment."""
import os
import unittest

from support import Case

COMMANDS = ("train", "eval", "predict", "export", "info", "plan", "tune", "profile")
SECTIONS = ("SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "FILES", "ENVIRONMENT", "EXIT STATUS")


class Help(Case):
    def test_main_help_names_every_command(self):
        for words in (["--help"], ["-h"], ["help"]):
            text = self.mpno(*words).out
            for command in COMMANDS:
                self.assertIn(f"\n    {command} ", text)
            self.assertIn("EXIT STATUS", text)

    def test_every_command_has_a_whole_page(self):
        for command in COMMANDS:
            page = self.mpno(command, "--help").out
            self.assertEqual(page, self.mpno("help", command).out)
            for section in SECTIONS:
                self.assertIn(f"\n{section}\n", page)
            self.assertIn(f"SYNOPSIS\n    mpno {command} ", page)
            self.assertLessEqual(max(map(len, page.splitlines())), 100)

    def test_version(self):
        self.assertRegex(self.mpno("--version").out, r"^mpno \d+\.\d+\.\d+\n$")


class Mistakes(Case):
    def wrong(self, words, *fragments, **options):
        result = self.mpno(*words, status=2, **options)
        self.assert_error(result, *fragments)
        self.assertEqual(result.out, "")

    def test_no_command(self):
        self.wrong([], "no command", "mpno --help")

    def test_unknown_command_with_a_near_one(self):
        self.wrong(["trian"], "'trian'", "did you mean 'train'")
        self.wrong(["hepl"], "did you mean 'help'")

    def test_unknown_command_far_from_all(self):
        self.wrong(["frobnicate"], "unknown command 'frobnicate'", "mpno --help")

    def test_help_of_an_unknown_command(self):
        self.wrong(["help", "predikt"], "did you mean 'predict'")

    def test_missing_arguments(self):
        self.wrong(["train"], "CONFIG is missing", "usage: mpno train CONFIG")
        self.wrong(["predict", "a"], "INPUT is missing")
        self.wrong(["predict", "a", "b"], "-o FILE is missing")

    def test_too_many_arguments(self):
        self.wrong(["plan", "a.yaml", "b.yaml"], "'b.yaml'", "too many")

    def test_empty_argument(self):
        self.wrong(["plan", ""], "CONFIG is empty")

    def test_misspelt_option(self):
        self.wrong(["train", "a.yaml", "--resum"], "'--resum'", "did you mean '--resume'")
        self.wrong(["info", "--jason"], "'--jason'", "did you mean '--json'")

    def test_option_of_another_command(self):
        self.wrong(["info", "--resume"], "unknown option '--resume'")

    def test_unknown_letter(self):
        self.wrong(["train", "a.yaml", "-x"], "unknown option '-x'")

    def test_value_missing(self):
        self.wrong(["info", "--threads"], "--threads needs a value")
        self.wrong(["train", "a.yaml", "--opt.learning_rate"], "needs a value")
        self.wrong(["train", "a.yaml", "--opt.learning_rate", "--json"], "needs a value")

    def test_value_where_none_is_taken(self):
        self.wrong(["info", "--json=yes"], "--json takes no value")

    def test_threads(self):
        for bad in ("0", "-1", "two", "4x", "99999999999999999999"):
            self.wrong(["info", f"--threads={bad}"], f"'{bad}'", "whole number from 1")
        self.wrong(["info"], "OMP_NUM_THREADS", "'x'", environment={"OMP_NUM_THREADS": "x"})

    def test_isa(self):
        self.wrong(["info", "--isa", "sse9"], "'sse9'", "portable, neon, avx2, avx512")
        self.wrong(["info"], "MPNO_ISA", "'sse9'", environment={"MPNO_ISA": "sse9"})

    def test_cpu_and_file_exclude_each_other(self):
        self.wrong(["info", "--cpu", "a.pt"], "exclude each other")

    def test_control_characters_do_not_reach_the_terminal(self):
        result = self.mpno("a\x1b[31m\nb", status=2)
        self.assertNotIn("\x1b", result.err)
        self.assertEqual(result.err.count("\n"), 1)


class Machine(Case):
    def test_json_is_the_last_line_and_alone_on_standard_output(self):
        result = self.mpno("info", "--cpu", "--json")
        self.assertEqual(result.out.count("\n"), 1)
        self.assertIsInstance(result.json(), dict)
        self.assertNotEqual(result.err, "")

    def test_quiet(self):
        result = self.mpno("info", "--quiet")
        self.assertEqual((result.out, result.err), ("", ""))

    def test_isa_is_a_cap(self):
        self.assertEqual(self.mpno("info", "--json", "--isa", "portable").json()["isa"], "portable")
        capped = self.mpno("info", "--json", environment={"MPNO_ISA": "portable"}).json()
        self.assertEqual(capped["isa"], "portable")

    def test_threads_of_the_option_go_before_the_environment(self):
        both = self.mpno("info", "--json", "--threads", "3", environment={"OMP_NUM_THREADS": "2,1"})
        self.assertEqual(both.json()["threads"], 3)
        one = self.mpno("info", "--json", environment={"OMP_NUM_THREADS": "2,1"})
        self.assertEqual(one.json()["threads"], 2)

    def test_jobs_share_the_machine(self):
        alone = self.mpno("info", "--json").json()
        cpus = alone["cpus"]
        bound = cpus["affinity"] < cpus["cpuset"]
        for variable in ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE"):
            shared = self.mpno("info", "--json", environment={variable: "2"}).json()
            self.assertEqual(shared["threads"], alone["threads"] if bound else max(1, alone["threads"] // 2))
            asked = self.mpno("info", "--json", "--threads", "4", environment={variable: "2"}).json()
            self.assertEqual((asked["threads"], asked["threads_why"]), (4, "asked for"))
        task = self.mpno("info", "--json", environment={"SLURM_CPUS_PER_TASK": "1"}).json()
        self.assertEqual(task["threads"], 1)
        nonsense = self.mpno("info", "--json", environment={"SLURM_CPUS_PER_TASK": "many"}).json()
        self.assertEqual(nonsense["threads"], alone["threads"])

    def test_affinity_is_followed(self):
        cpu = str(min(os.sched_getaffinity(0)))
        pinned = self.mpno("info", "--json", wrap=("taskset", "-c", cpu)).json()
        self.assertEqual((pinned["threads"], pinned["cpus"]["affinity"]), (1, 1))

    def test_waiting_threads_sleep(self):
        result = self.mpno("info", "--json", environment={"OMP_DISPLAY_ENV": "true"},
                           wrap=("env", "-u", "OMP_WAIT_POLICY"))
        if "OMP_WAIT_POLICY" not in result.err:
            self.skipTest("this OpenMP library does not say what it does")
        last = result.err.split("OMP_WAIT_POLICY")[-1]  # what came before is the first start
        self.assertIn("'PASSIVE'", last.split("\n", maxsplit=1)[0].upper())

    def test_instruction_sets_are_listed(self):
        said = self.mpno("info", "--cpu", "--json")
        rows = {row["name"]: row for row in said.json()["instruction_sets"]}
        self.assertEqual([n for n, row in rows.items() if row["here"] == "in use"], [said.json()["isa"]])
        self.assertIn(rows["portable"]["here"], ("runs", "in use"))
        self.assertIn("not run here", rows["neon"]["checked"])
        self.assertEqual(len(said.json()["caches"]), 3)

    def test_full_disk_behind_standard_output(self):
        result = self.mpno("info", "--json", "--quiet", status=1,
                           wrap=("sh", "-c", '"$@" >/dev/full', "sh"))
        self.assert_error(result, "could not be written")


if __name__ == "__main__":
    unittest.main()
