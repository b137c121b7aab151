# SPDX-License-Identifier: MIT
"""What `cmake --install` leaves: files, symbols, manual pages, completions, headers; and every example compiled against it
in each way that a user has (pkg-config and find_package, shared and static) and run."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path += [str(ROOT / "tests/cli"), str(ROOT / "scripts")]
import make_symbols  # noqa: E402
from support import BUILD, TIMEOUT  # noqa: E402

SANITIZED = "MPNO_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()
COMPILER = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M)[1]
FLAGS = ["-fsanitize=address,undefined"] if SANITIZED else []
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
MOST_BYTES = 6 << 20  # library and program, stripped


def run(*words, status=0, **options):
    """Output of a command that must end with `status`."""
    done = subprocess.run([str(word) for word in words], check=False, text=True, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def install(prefix, **environment):
    """The whole build into a prefix. Prefixes are moved afterwards: nothing in them may name a place."""
    run("cmake", "--install", BUILD, "--prefix", prefix, "--strip", env={**os.environ, **environment})


class Installed(unittest.TestCase):
    """Tests that share one installed tree, which was moved after it was installed."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp(prefix="mpno-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        install(cls.scratch / "first")
        cls.prefix = cls.scratch / "moved"
        (cls.scratch / "first").rename(cls.prefix)
        cls.library = next(cls.prefix.glob("lib*/**/libmpno.so")).parent
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(cls.library / "pkgconfig"),
                           "OMP_WAIT_POLICY": "passive"}

    def config(self, *words):
        """What pkg-config says of mpno."""
        return run("pkg-config", *words, "mpno", env=self.environment).split()


class Files(Installed):
    def test_every_file_is_in_its_place(self):
        files = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if not path.is_dir()}
        lib = self.library.relative_to(self.prefix)
        for name in ("bin/mpno", "include/mpno/mpno.h", f"{lib}/libmpno.a", f"{lib}/libmpno.so.0",
                     f"{lib}/pkgconfig/mpno.pc", f"{lib}/cmake/mpno/mpnoConfig.cmake",
                     f"{lib}/cmake/mpno/mpnoConfigVersion.cmake", "share/man/man1/mpno.1",
                     "share/man/man1/mpno-train.1", "share/man/man5/mpno-config.5",
                     "share/bash-completion/completions/mpno", "share/zsh/site-functions/_mpno",
                     "share/fish/vendor_completions.d/mpno.fish"):
            self.assertIn(name, files)
        headers = {path.name for path in ROOT.glob("include/mpno/*.h")}
        self.assertEqual(headers, {path.name for path in self.prefix.glob("include/mpno/*")})

    def test_nothing_names_a_folder_of_the_build(self):
        for path in self.prefix.rglob("*"):
            if path.suffix in (".pc", ".cmake", ".1", ".5", ".h"):
                for folder in (self.scratch, BUILD.resolve(), ROOT):
                    self.assertNotIn(str(folder), path.read_text(), path)

    def test_destdir(self):
        install("/opt/mpno", DESTDIR=str(self.scratch / "stage"))
        self.assertTrue((self.scratch / "stage/opt/mpno/bin/mpno").is_file())

    def test_the_program_runs_and_is_small(self):
        self.assertRegex(run(self.prefix / "bin/mpno", "--version"), r"^mpno \d+\.\d+\.\d+\n$")
        if not SANITIZED:
            files = [self.prefix / "bin/mpno", (self.library / "libmpno.so").resolve()]
            self.assertLess(sum(path.stat().st_size for path in files), MOST_BYTES)

    def test_version_is_the_same_everywhere(self):
        version = run(self.prefix / "bin/mpno", "--version").split()[1]
        self.assertEqual(self.config("--modversion"), [version])
        self.assertEqual((self.library / "libmpno.so").resolve().name, f"libmpno.so.{version}")
        self.assertIn(f'"{version}"', (self.library / "cmake/mpno/mpnoConfigVersion.cmake").read_text())


class Symbols(Installed):
    def test_list_is_fresh(self):
        self.assertEqual(make_symbols.PAGE.read_text().split(), make_symbols.declared(),
                         "public headers declare other functions: run make docs, and say in CHANGELOG.md "
                         "what became incompatible")

    def names(self, *words):
        """Symbols that nm lists as defined for others."""
        found = {line.split()[2] for line in run("nm", "--defined-only", *words).splitlines()
                 if len(line.split()) == 3 and line.split()[1].isupper()}
        return sorted(name for name in found if not (SANITIZED and "asan" in name))

    def test_shared_library(self):
        path = self.library / "libmpno.so"
        self.assertEqual(self.names("-D", path), make_symbols.declared())
        self.assertIn("SONAME", run("readelf", "-d", path))
        self.assertRegex(run("readelf", "-d", path), r"SONAME.*\[libmpno\.so\.0\]")

    def test_static_library(self):
        self.assertEqual(self.names("-g", self.library / "libmpno.a"), make_symbols.declared())


class Headers(Installed):
    def test_each_is_whole_and_clean_in_c_and_in_cxx(self):
        include = f"-I{self.prefix}/include"
        for header in sorted(ROOT.glob("include/mpno/*.h")):
            for compiler, language, standards in ((COMPILER, "c", ("c11", "c17")), ("g++", "c++", ("c++11",))):
                for standard in standards:
                    with self.subTest(header=header.name, standard=standard):
                        source = self.scratch / f"header.{language}"
                        source.write_text(f'#include "mpno/{header.name}"\nextern int one;\n')
                        run(compiler, "-x", language, f"-std={standard}", *WARNINGS, include, "-fsyntax-only",
                            source)

    def test_every_function_links_from_cxx(self):
        names = make_symbols.declared()
        text = "".join(f'#include "mpno/{path.name}"\n' for path in sorted(ROOT.glob("include/mpno/*.h")))
        text += "int main() {\n    int n = 0;\n"
        text += "".join(f"    n += reinterpret_cast<void (*)()>({name}) != nullptr;\n" for name in names)
        (self.scratch / "all.cpp").write_text(text + f"    return n != {len(names)};\n}}\n")
        run("g++", "-std=c++11", "-Wno-address", *FLAGS, self.scratch / "all.cpp", "-o", self.scratch / "all",
            *self.config("--cflags", "--libs"), f"-Wl,-rpath,{self.library}")
        run(self.scratch / "all")


class Manual(Installed):
    def help(self, *words):
        """A help text of the program."""
        return run(self.prefix / "bin/mpno", "help", *words)

    def commands(self):
        """Names of the commands, from the main help."""
        listed = self.help().split("\nCOMMANDS\n")[1].split("\n\n")[0]
        return [line.split()[0] for line in listed.splitlines() if line[4] != " "]

    def words(self, text):
        """The words of a text, without the marks of a manual page."""
        text = re.sub(r"(?m)^\.(SH|TP|PP|nf|fi|br)\b", "", text)
        return text.replace("\\-", "-").replace("\\e", "\\").replace("\\&", "").split()

    def test_every_page_has_every_word_of_its_help(self):
        for command in [*self.commands(), "keys", ""]:
            if command == "help":
                continue
            with self.subTest(command=command):
                section = 5 if command == "keys" else 1
                name = "mpno-config" if command == "keys" else "mpno" + (command and f"-{command}")
                page = (self.prefix / f"share/man/man{section}/{name}.{section}").read_text()
                body = page.split("\n.SH ", 2)[2].split("\n.SH SEE ALSO\n")[0]
                said = self.help(*([command] if command else [])).split("\n\n", 1)[1]
                self.assertEqual(self.words(body), self.words(said))
                self.assertIn("mpno-train(1)", self.words(page.split("\n.SH SEE ALSO\n")[1].replace(",", " ")))

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_pages_are_well_formed(self):
        for page in self.prefix.glob("share/man/man*/*"):
            self.assertEqual(run("groff", "-man", "-Tutf8", "-ww", "-z", page), "", page.name)

    def test_keys_by_prefix(self):
        program = self.prefix / "bin/mpno"
        self.assertIn("    opt.learning_rate\n", self.help("keys", "opt."))
        self.assertNotIn("    data.train\n", self.help("keys", "opt."))
        self.assertIn("did you mean 'output'", run(program, "help", "keys", "outptu", status=2))
        self.assertIn("usage: mpno help keys", run(program, "help", "keys", "a", "b", status=2))
        table = (ROOT / "src/train/config.def").read_text()
        keys = re.findall(r"^X\(([\w.]+),", table, re.M)
        self.assertEqual(re.findall(r"^    ([a-z]\S*)$", self.help("keys"), re.M), keys)


class Completion(Installed):
    def complete(self, *words):
        """What bash offers for the last of the words, which it cuts at each '='."""
        file = self.prefix / "share/bash-completion/completions/mpno"
        words = [piece for word in words for piece in re.split(r"(=)", word)
                 if piece or not word or word.endswith("=")]
        script = f". {file}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _mpno; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return run("bash", "-c", script, "bash", *words).split()

    def test_commands(self):
        self.assertEqual(self.complete("mpno", "tr"), ["train"])
        self.assertIn("plan", self.complete("mpno", ""))
        self.assertIn("keys", self.complete("mpno", "help", ""))

    def test_options_of_the_command(self):
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "--res"), ["--resume"])
        self.assertEqual(self.complete("mpno", "plan", "a.yaml", "--res"), [])
        self.assertEqual(self.complete("mpno", "plan", "--isa", "avx"), ["avx2", "avx512", "avx512-bf16", "avx512-fp16"])

    def test_keys_come_after_the_arguments(self):
        self.assertEqual(self.complete("mpno", "train", "opt.learn"), [])
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "opt.learn"), ["opt.learning_rate="])
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "opt.n_epochs=3", "opt.learn"),
                         ["opt.learning_rate="])
        self.assertEqual(self.complete("mpno", "info", "a.pt", "opt.learn"), [])

    def test_values_of_choices(self):
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "precision.format=b"), ["bf16"])
        self.assertIn("mixed", self.complete("mpno", "train", "a.yaml", "precision.policy="))
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "--precision.format=f"), ["f16"])
        self.assertEqual(self.complete("mpno", "train", "a.yaml", "data.encode_input=t"), ["true"])

    def test_fish(self):
        file = self.prefix / "share/fish/vendor_completions.d/mpno.fish"
        home = {**os.environ, "HOME": str(self.scratch), "XDG_CONFIG_HOME": str(self.scratch)}

        def offers(line):
            return run("fish", "--no-config", "-c", f"source {file}; complete -C '{line}'", env=home)
        self.assertIn("train\t", offers("mpno tr"))
        self.assertIn("--resume\t", offers("mpno train --res"))
        self.assertIn("precision.format=bf16\t", offers("mpno train a.yaml precision.form"))

    def test_zsh(self):
        file = self.prefix / "share/zsh/site-functions/_mpno"
        run("zsh", "-n", file)
        script = (f"autoload -Uz compinit; compinit -D -u; . {file}; print ${{_comps[mpno]}}; "
                  "functions _mpno_argument")
        said = run("zsh", "-f", "-c", script, cwd=self.scratch)
        self.assertTrue(said.startswith("_mpno\n"), said)
        self.assertIn("'model.norm:", said.replace('"', "'"))


CMAKE_LISTS = """\
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
find_package(mpno {version} CONFIG REQUIRED)
foreach(example {names})
  add_executable(${{example}}_shared {folder}/${{example}}.c)
  target_link_libraries(${{example}}_shared PRIVATE mpno::mpno m)
  add_executable(${{example}}_static {folder}/${{example}}.c)
  target_link_libraries(${{example}}_static PRIVATE mpno::mpno_static m)
endforeach()
"""
EXAMPLES = sorted(path.stem for path in ROOT.glob("examples/*.c"))


class Examples(Installed):
    """Every example in four builds; the four programs must say the same."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.scratch / "examples"
        cls.folder.mkdir()
        for name in EXAMPLES:
            for way, words in (("pkg_shared", ["--libs"]), ("pkg_static", ["--static", "--libs"])):
                cls.compile(name, way, words)
        cls.compile_by_cmake()

    @classmethod
    def compile(cls, name, way, words):
        """Against the library as pkg-config describes it; static: with the shared one out of sight."""
        flags = run("pkg-config", "--cflags", *words, "mpno", env=cls.environment).split()
        if way == "pkg_static":
            flags = ["-l:libmpno.a" if flag == "-lmpno" else flag for flag in flags]
        run(COMPILER, "-std=c17", "-O1", *WARNINGS, *FLAGS, ROOT / f"examples/{name}.c", *flags, "-lm",
            f"-Wl,-rpath,{cls.library}", "-o", cls.folder / f"{name}_{way}")

    @classmethod
    def compile_by_cmake(cls):
        """A project of the user's that finds the package."""
        source = cls.scratch / "project"
        source.mkdir()
        version = run(cls.prefix / "bin/mpno", "--version").split()[1].rsplit(".", 1)[0]
        (source / "CMakeLists.txt").write_text(CMAKE_LISTS.format(
            version=version, names=" ".join(EXAMPLES), folder=ROOT / "examples"))
        run("cmake", "-S", source, "-B", source / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={cls.prefix}",
            f"-DCMAKE_C_COMPILER={COMPILER}", f"-DCMAKE_C_FLAGS=-O1 {' '.join([*WARNINGS, *FLAGS])}",
            f"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY={cls.folder}", env=cls.environment)
        run("cmake", "--build", source / "build", env=cls.environment)

    def say(self, name, *words):
        """Runs the four builds of an example; what they say, which must not depend on the build."""
        said = set()
        for way in ("pkg_shared", "pkg_static", "shared", "static"):
            place = self.scratch / f"in_{way}"
            place.mkdir(exist_ok=True)
            text = run(self.folder / f"{name}_{way}", *words, cwd=place, env=self.environment)
            said.add(re.sub(r'"(seconds_per_epoch|peak_bytes)": [^,]*|[\d.]+ m?s per epoch|[\d.]+ samples/s', "", text))
        self.assertEqual(len(said), 1, said)
        return text

    def test_train_and_predict_at_another_resolution(self):
        said = self.say("01_train", ROOT / "examples/darcy16.yaml", "output=run", "opt.n_epochs=1",
                        "data.n_train=32", "data.n_test=4", "model.hidden_channels=8", "report.html=false")
        self.assertIn('"test": {"16": {"l2": ', said)
        self.assertRegex(self.say("02_predict", "run", 32), r"^at the centre of 32 x 32 points: -?[\d.]+\n$")

    def test_custom_data(self):
        said = self.say("03_custom_data", "heat_run")
        self.assertLess(float(re.search(r'"validation": {"l2": ([\d.e-]+)', said)[1]), 0.1)

    def test_own_optimizer(self):
        first, last = re.findall(r"loss ([\d.]+)", self.say("04_own_optimizer"))
        self.assertLess(float(last), 0.5 * float(first))

    def test_plan(self):
        said = self.say("05_plan", 500)
        full, mixed = (int(batch) for batch in re.findall(r"batch +(\d+)", said))
        self.assertLess(full, mixed)

    def test_wrong_input_ends_with_a_sentence(self):
        text = run(self.folder / "02_predict_static", "nowhere", 8, status=1, cwd=self.scratch,
                   env=self.environment)
        self.assertIn("nowhere", text)

    def test_the_shared_one_is_shared_and_the_static_one_is_not(self):
        for way, shared in (("pkg_shared", True), ("shared", True), ("pkg_static", False), ("static", False)):
            needed = run("readelf", "-d", self.folder / f"05_plan_{way}")
            self.assertEqual("libmpno.so.0" in needed, shared, way)

    def test_the_documents_quote_the_examples(self):
        sources = "\n".join(path.read_text() for path in ROOT.glob("examples/*.c"))
        lines = {line.strip() for line in sources.splitlines()}
        page = (ROOT / "docs/howto/embed.md").read_text()
        blocks = re.findall(r"^```c\n(.*?)^```$", page, re.M | re.S)
        self.assertTrue(blocks)
        for line in "".join(blocks).splitlines():
            self.assertIn(line.strip(), lines | {"", "..."})


if __name__ == "__main__":
    unittest.main()
