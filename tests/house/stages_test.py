"""The runner of the stages counts honestly, and the smaller tools of .ci say what they found."""
import contextlib
import hashlib
import importlib.util
import io
import os
import sys
from unittest import mock

from support import ROOT, in_a_tree

sys.path.insert(0, str(ROOT / ".ci"))
specification = importlib.util.spec_from_file_location("stages", ROOT / ".ci/stages.py")
stages = importlib.util.module_from_spec(specification)
specification.loader.exec_module(stages)
specification = importlib.util.spec_from_file_location("readme_blocks", ROOT / ".ci/readme_blocks.py")
readme_blocks = importlib.util.module_from_spec(specification)
specification.loader.exec_module(readme_blocks)


class counting(in_a_tree):
    def count(self, *cases):
        body = "".join(f'<testcase name="{name}" status="{status}"><system-out>{output}</system-out></testcase>'
                       for name, status, output in cases)
        self.write({"report.xml": f"<testsuite>{body}</testsuite>"})
        complaints, passed, failed = stages.count_cases(self.tree / "report.xml")
        return passed, failed, complaints

    def test_cases_are_counted_and_not_programs(self):
        self.assertEqual(self.count(("a", "run", "All tests passed (12 assertions in 3 test cases)"),
                                    ("b", "run", "All tests passed (1 assertion in 1 test case)"))[:2], (4, 0))

    def test_failed_cases_are_counted(self):
        self.assertEqual(self.count(("a", "fail", "test cases: 5 | 3 passed | 2 failed\nassertions: 9"))[:2], (3, 2))

    def test_a_program_that_crashed_has_failed(self):
        passed, failed, complaints = self.count(("a", "fail", "Segmentation fault"))
        self.assertEqual((passed, failed), (0, 1))
        self.assertIn("crashed", complaints[0])

    def test_a_sanitizer_report_after_good_tests_is_a_failure(self):
        self.assertEqual(self.count(("a", "fail", "All tests passed (2 assertions in 2 test cases)\nSUMMARY: leak"))[:2], (2, 1))

    def test_a_program_that_ran_no_test_has_failed(self):
        self.assertEqual(self.count(("a", "run", "No tests ran"))[:2], (0, 1))

    def test_a_test_that_is_no_catch_program_counts_as_one(self):
        self.assertEqual(self.count(("example", "run", "hello"))[:2], (1, 0))

    def test_a_missing_report_is_a_failure(self):
        self.assertEqual(stages.count_cases(self.tree / "nothing.xml")[1:], (0, 1))

    def test_only_the_last_line_counts(self):
        self.assertEqual(stages.last_count("3 passed, 0 failed\n4 passed, 1 failed\n"), (4, 1))
        self.assertEqual(stages.last_count("3 passed, 0 failed\nmore\n"), (0, 0))

    def test_the_budgets_stay_below_forty_minutes(self):
        self.assertLessEqual(sum(budget for _, budget, _ in stages.STAGES), 40 * 60)


class same_digest(in_a_tree):
    def look(self, body, count=2):
        program = self.script("simulate", "#!/bin/bash\nseed=$2 option=$3 file=$4\n" + body)
        return self.run_program(ROOT / ".ci/same_digest", program, 5, count)

    def test_equal_digests_pass(self):
        done = self.look('echo "digest of $seed" >"$file"\n')
        self.assertEqual((done.returncode, done.stdout), (0, "2 passed, 0 failed\n"))

    def test_the_first_difference_of_two_runs_is_shown(self):
        done = self.look('if [[ $option == --digest ]]; then echo $$ >"$file"; '
                         'else printf "one\\ntwo\\nthree %s\\nfour\\n" $$ >"$file"; fi\n', 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("first difference in line 3", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^    a three \d+$")
        self.assertIn("./dev simulate --check --seed 5", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    def test_a_trace_that_ends_early_is_shown(self):
        done = self.look('if [[ $option == --digest ]]; then echo $$ >"$file"; else '
                         'echo one >"$file"; [[ -z "$OTTER_ENVIRONMENT_PADDING" ]] || echo two >>"$file"; fi\n', 1)
        self.assertIn("first difference in line 2", done.stdout)
        self.assertIn("    b two", done.stdout)

    def test_a_program_that_fails_or_writes_nothing_does_not_pass(self):
        self.assertEqual(self.look("exit 3\n").returncode, 1)
        self.assertEqual(self.look(":\n").returncode, 1)

    def test_it_refuses_to_run_without_address_randomisation(self):
        if self.run_program("setarch", "-R", "true").returncode != 0:
            self.skipTest("setarch -R is not allowed here")
        program = self.script("simulate", '#!/bin/bash\necho same >"$4"\n')
        done = self.run_program("setarch", "-R", ROOT / ".ci/same_digest", program, 1, 1)
        self.assertEqual(done.returncode, 2)
        self.assertIn("randomisation is off", done.stderr)


class choosing(in_a_tree):
    """Which stages run, with stages that only say that they ran."""

    def run_with(self, *words, failing=()):
        ran = []

        def stage(name):
            def function(r):
                ran.append(name)
                r.result.add(*((0, 1) if name in failing else (1, 0)))
            function.__name__ = name
            return function, 10, name

        names = [function.__name__ for function, _, _ in stages.STAGES]
        with mock.patch.object(stages, "STAGES", [stage(name) for name in names]), \
                mock.patch.object(stages, "LOGS", self.tree / "logs"), \
                mock.patch.dict(os.environ), \
                mock.patch.object(sys, "argv", ["stages.py", *words]), \
                contextlib.redirect_stdout(io.StringIO()):
            status = stages.main()
        return ran, status

    def test_a_stage_brings_the_build_that_it_needs(self):
        self.assertEqual(self.run_with("--only", "chat"), (["release", "chat"], 0))
        self.assertEqual(self.run_with("--only", "checks"), (["checks"], 0))

    def test_the_clang_preset_is_built_with_full_or_when_asked_for(self):
        self.assertNotIn("clang", self.run_with()[0])
        self.assertIn("clang", self.run_with("--full")[0])
        self.assertEqual(self.run_with("--only", "clang"), (["clang"], 0))

    def test_without_its_build_a_stage_does_not_run_even_when_going_on(self):
        ran, status = self.run_with("--keep-going", failing=["release"])
        self.assertEqual(status, 1)
        self.assertIn("asan", ran)
        self.assertFalse(stages.NEED_RELEASE & set(ran))


class cache(in_a_tree):
    """.ci/cached, with a ccache that only compiles."""

    def compile(self, name, status=0):
        self.script("bin/ccache", f'#!/bin/sh\nprintf "%s\\n" "$@" >>calls\necho made >"{name}"\nexit {status}\n')
        environment = dict(os.environ, PATH=f"{self.tree / 'bin'}:{os.environ['PATH']}")
        return self.run_program(ROOT / ".ci/cached", "c++", "-c", "a file.hpp", "-o", name, env=environment).returncode

    def test_a_precompiled_header_gets_a_checksum_and_a_new_one_another(self):
        self.assertEqual(self.compile("all.hxx.gch"), 0)
        first = (self.tree / "all.hxx.gch.sum").read_text()
        self.assertEqual(first.split()[0], hashlib.sha256(b"made\n").hexdigest())
        self.assertEqual((self.tree / "calls").read_text().splitlines(), ["c++", "-c", "a file.hpp", "-o", "all.hxx.gch"])

    def test_one_that_does_not_compile_leaves_no_checksum(self):
        self.write({"all.hxx.gch.sum": "of an older one"})
        self.assertEqual(self.compile("all.hxx.gch", status=3), 3)
        self.assertFalse((self.tree / "all.hxx.gch.sum").exists())

    def test_other_files_are_only_compiled(self):
        self.assertEqual(self.compile("a.o", status=4), 4)
        self.assertFalse((self.tree / "a.o.sum").exists())


class pages(in_a_tree):
    def blocks(self, text):
        self.write({"page.md": text})
        return readme_blocks.blocks_of(self.tree / "page.md", "page.md")

    def test_a_program_and_the_output_that_follows_it_belong_together(self):
        (b,) = self.blocks("# x\n```cpp\nint main() {}\n```\nprints\n```\n42\n```\n")
        self.assertTrue(b.program)
        self.assertEqual(b.expected, "42\n")
        self.assertEqual(b.where, "page.md:2")

    def test_a_block_of_commands_is_no_output(self):
        (b,) = self.blocks("```cpp\nint main() {}\n```\n## next\n```sh\n./dev chat\n```\n```text\nx\n```\n")
        self.assertIsNone(b.expected)

    def test_a_block_left_out_says_why(self):
        (b,) = self.blocks("<!-- not compiled: only a sketch -->\n```cpp\nfoo\n```\n")
        self.assertEqual(b.skip, "only a sketch")

    def pages_run(self, text):
        prefix = self.tree / "prefix"
        self.write({"prefix/include/otter/answer.hpp": "#pragma once\nnamespace otter { inline int answer() { return 42; } }\n",
                    "prefix/lib/pkgconfig/otter-runtime.pc":
                        "includedir=${pcfiledir}/../../include\nName: x\nDescription: x\nVersion: 1\nCflags: -I${includedir}\n",
                    "page.md": text})
        return self.run_python("readme_blocks.py", "--prefix", prefix, self.tree / "page.md")

    def test_programs_and_fragments_are_compiled_and_run(self):
        done = self.pages_run("```cpp\nstruct a { int b = otter::answer(); };\n```\n"
                              "```cpp\na x;\nx.b += otter::answer();\n```\n"
                              "```cpp\n#include <otter/answer.hpp>\n#include <cstdio>\n"
                              'int main() { std::printf("%d\\n", otter::answer()); }\n```\n```text\n42\n```\n')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "3 passed, 0 failed")

    def test_a_fragment_that_does_not_compile_is_named(self):
        done = self.pages_run("text\n\n```cpp\nint x = otter::question();\n```\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("page.md:3: does not compile", done.stdout)

    def test_an_output_that_is_not_what_the_page_says_is_shown(self):
        done = self.pages_run('```cpp\n#include <cstdio>\nint main() { std::puts("41"); }\n```\n```\n42\n```\n')
        self.assertEqual(done.returncode, 1)
        self.assertIn("but the page says", done.stdout)

    def test_a_page_without_code_is_absent_and_not_passed(self):
        self.assertEqual(self.pages_run("nothing\n").returncode, 3)
