# SPDX-License-Identifier: MIT
"""check_layers.py on small trees: one in order, and one per rule that breaks it."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_layers.py"

GOOD = {
    "src/LAYERS": "# a comment\ncore:\nnumber: core\nkernel: core number\ndata: core number\n",
    "include/mpno/mpno.h": '#include <stdint.h>\n#include "mpno/status.h"\n',
    "include/mpno/status.h": "#include <stddef.h>\n",
    "src/core/a.h": '#include "mpno/status.h"\n',
    "src/core/a.c": '#include "core/a.h"\n#include <sys/stat.h>\n#include <yaml.h>\n',
    "src/core/cpu.c": "#include <cpuid.h>\n",
    "src/number/b.c": '#include "core/a.h"\n  #  include "number/b.def"\n',
    "src/number/b.def": "X(1)\n",
    "src/kernel/x86/k.c": "#include <immintrin.h>\n",
    "src/data/d.c": '#include "core/a.h"\n',
    "src/README.md": "not a source\n",
    "cli/main.c": '#include "mpno/mpno.h"\n#include "command.h"\n#include <stdio.h>\n',
    "cli/command.h": "\n",
    "bench/b.c": '#include "mpno/mpno.h"\n#include "core/a.h"\n#include "b.h"\n',
    "bench/b.h": "\n",
    "examples/01/one.c": "#include <mpno/mpno.h>\n",
}


def run(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **changes}.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subprocess.run(
            [sys.executable, str(SCRIPT), folder], capture_output=True, text=True, check=False
        )


class CheckLayers(unittest.TestCase):
    def test_good_tree(self):
        result = run({})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(
            result.stdout,
            "check_layers: 14 files, 19 includes, 4 layers, 1 third-party headers, 0 problems\n",
        )

    def test_each_rule(self):
        cases = [
            (
                "include upwards",
                {"src/core/x.c": '#include "number/b.def"\n'},
                "src/core/x.c:1: 'core' may not",
            ),
            (
                "side room",
                {"src/data/d.c": '\n#include "kernel/k.h"\n'},
                "src/data/d.c:2: 'data' may not",
            ),
            ("unknown folder", {"src/extra/e.c": "\n"}, "src/extra: folder is not in src/LAYERS"),
            ("unknown include", {"src/core/x.c": '#include "extra/e.h"\n'}, "no folder 'extra'"),
            (
                "missing header",
                {"src/core/x.c": '#include "core/none.h"\n'},
                "does not exist below src/",
            ),
            (
                "missing public header",
                {"src/core/x.c": '#include "mpno/none.h"\n'},
                "does not exist below include/",
            ),
            ("relative include", {"src/core/x.c": '#include "a.h"\n'}, "write the path from src/"),
            (
                "parent include",
                {"src/core/x.c": '#include "core/../number/b.def"\n'},
                "write the path from src/",
            ),
            ("source without folder", {"src/x.c": "#include <stdio.h>\n"}, "stand in a folder"),
            ("program looks inside", {"cli/main.c": '#include "core/a.h"\n'}, "is neither public"),
            (
                "program climbs out",
                {"cli/main.c": '#include "../src/core/a.h"\n'},
                "is neither public",
            ),
            (
                "example looks inside",
                {"examples/01/one.c": '#include "core/a.h"\n'},
                "is neither public",
            ),
            ("bench climbs out", {"bench/b.c": '#include "../src/core/a.h"\n'}, "is neither public"),
            ("bench looks at the program", {"bench/b.c": '#include "command.h"\n'}, "is neither public"),
            (
                "public looks inside",
                {"include/mpno/x.h": '#include "core/a.h"\n'},
                "public headers include",
            ),
            (
                "public and POSIX",
                {"include/mpno/x.h": "#include <unistd.h>\n"},
                "public headers include",
            ),
            (
                "third party twice",
                {"src/data/y.c": "#include <yaml.h>\n"},
                "already included in src/core/a.c",
            ),
            (
                "third party in header",
                {"src/data/y.h": "#include <zip.h>\n"},
                "hide it in one .c file",
            ),
            (
                "intrinsics outside",
                {"src/number/x.c": "#include <immintrin.h>\n"},
                "belongs to src/kernel",
            ),
            ("arm outside", {"src/number/x.c": "#include <arm_neon.h>\n"}, "belongs to src/kernel"),
            ("cpuid outside", {"src/number/x.c": "#include <cpuid.h>\n"}, "belongs to src/kernel"),
            ("long file", {"src/core/long.c": "\n" * 801}, "801 lines"),
        ]
        for name, changes, sentence in cases:
            with self.subTest(name):
                result = run(changes)
                self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
                self.assertIn(sentence, result.stdout)
                self.assertIn(" 1 problems", result.stdout)

    def test_bad_list(self):
        for name, text in [
            ("no colon", "core\n"),
            ("twice", "core:\ncore:\n"),
            ("unknown", "core: cellar\n"),
            ("cycle", "core: number\nnumber: core\n"),
        ]:
            with self.subTest(name):
                result = run({"src/LAYERS": text})
                self.assertEqual(result.returncode, 2)
                self.assertIn("LAYERS", result.stderr)


if __name__ == "__main__":
    unittest.main()
