"""mutate.py on a small project: which mutations it calls noticed, and which it does not let pass."""
import shutil
import sys

from support import ROOT, in_a_tree

RIGHT = "int answer() {\n  return 42;\n}\nint unused() {\n  return 1;\n}\n"


def patch(head, before, after, path="runtime/answer.cpp"):
    lines = RIGHT.splitlines()
    at = lines.index(before)
    body = [" " + line for line in lines[:at]] + ["-" + before, "+" + after] + [" " + line for line in lines[at + 1:]]
    return (f"{head}\n--- a/{path}\n+++ b/{path}\n@@ -1,{len(lines)} +1,{len(lines)} @@\n" + "\n".join(body) + "\n")


class mutate(in_a_tree):
    def setUp(self):
        super().setUp()
        (self.tree / ".ci").mkdir()
        text = (ROOT / ".ci/mutate.py").read_text()
        self.assertIn("\nLIMIT = 60\n", text)
        (self.tree / ".ci/mutate.py").write_text(text.replace("\nLIMIT = 60\n", "\nLIMIT = 3\n"))
        shutil.copy(ROOT / "CMakePresets.json", self.tree)
        shutil.copy(ROOT / ".ci/cached", self.tree / ".ci")
        self.write({
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.25)\nproject(small LANGUAGES CXX)\n"
                              "add_executable(answer_tests runtime/answer.cpp tests/answer_test.cpp)\n",
            "runtime/answer.cpp": RIGHT,
            # Played: fails when the answer is wrong; says that no test ran for a tag that it does not know.
            "tests/answer_test.cpp": '#include <cstdio>\n#include <cstring>\nint answer();\nint main(int, char** a) {\n'
                                     '  if (std::strcmp(a[1], "[A-1]") != 0) { std::puts("No tests ran"); return 0; }\n'
                                     '  return answer() == 42 ? 0 : 1;\n}\n'})

    def look(self, *arguments, **patches):
        self.write({f"tests/mutations/{name}.patch": text for name, text in patches.items()})
        return self.run_program(sys.executable, self.tree / ".ci/mutate.py", *arguments)

    def test_every_mutation_says_its_rule_and_its_program_and_applies(self):
        for path in sorted((ROOT / "tests/mutations").glob("*.patch")):
            head = path.read_text().split("--- a/")[0]
            self.assertRegex(head, r"(?m)^rule: \S", path.name)
            self.assertRegex(head, r"(?m)^program: \S", path.name)
            done = self.run_program("git", "apply", "--check", path, cwd=ROOT)
            self.assertEqual(done.returncode, 0, f"{path.name}: {done.stderr}")

    def test_without_mutations_it_is_absent_and_not_passed(self):
        self.assertEqual(self.look().returncode, 3)

    def test_each_mutation_is_judged_and_the_sources_stay_whole(self):
        head = "rule: A-1\nprogram: answer_tests\n"
        done = self.look(
            a_noticed=patch(head, "  return 42;", "  return 43;"),
            b_unnoticed=patch(head, "  return 1;", "  return 2;"),
            c_broken=patch(head, "  return 42;", "  return 42"),
            d_elsewhere=patch(head, "  return 42;", "  return 43;").replace(" int answer", " int question"),
            e_headless=patch("", "  return 42;", "  return 43;"),
            h_hangs=patch(head, "  return 42;", "  for (;;) { }"),
            f_no_test=patch(head + "tests: [B-2]\n", "  return 42;", "  return 43;"),
            g_noticed=patch(head, "  return 42;", "  return 0;"))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for expected in ("a_noticed.patch (A-1): noticed", "b_unnoticed.patch (A-1): NOT NOTICED",
                         "c_broken.patch (A-1): does not compile", "h_hangs.patch (A-1): answer_tests [A-1] hung for 3 s", "d_elsewhere.patch (A-1): does not apply",
                         "e_headless.patch (): its head names no rule", "ran no test without the mutation",
                         "g_noticed.patch (A-1): noticed"):
            self.assertIn(expected, done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "2 passed, 6 failed")
        self.assertEqual((self.tree / "runtime/answer.cpp").read_text(), RIGHT)

    def test_a_turn_takes_its_part_and_a_pattern_its_names(self):
        head = "rule: A-1\nprogram: answer_tests\n"
        patches = {f"m{i}": patch(head, "  return 42;", f"  return {i};") for i in range(3)}
        done = self.look("--turn", "4/3", **patches)
        self.assertIn("m1.patch (A-1): noticed", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 0 failed")
        done = self.look("m2")
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 0 failed")
