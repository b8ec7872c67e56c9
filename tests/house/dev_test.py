"""./dev from where a user stands: help, wrong arguments, other folders."""
import json
import os
import shutil

from support import ROOT, in_a_tree

COMMANDS = ("chat", "test", "bench", "million", "simulate", "fuzz", "upgrade", "format", "install", "build", "packages")


class dev(in_a_tree):
    def test_every_command_has_help_from_any_folder(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.run_program(ROOT / "dev", command, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout.startswith(f"usage: ./dev {command}"), done.stdout)

    def test_help_names_every_command(self):
        done = self.run_program(ROOT / "dev", "--help")
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", done.stdout)

    def test_help_needs_nothing_but_bash(self):
        tools = self.tree / "tools"
        tools.mkdir()
        for tool in ("bash", "env", "dirname", "readlink", "cat"):
            (tools / tool).symlink_to(shutil.which(tool))
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.run_program(ROOT / "dev", command, "--help", env={"PATH": str(tools)})
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_wrong_arguments_are_refused_by_name(self):
        for words, expected in (
            (("cheese",), "unknown command 'cheese'"),
            (("chat", "--cheese"), "unknown option --cheese"),
            (("chat", "--data-dir"), "--data-dir needs a value"),
            (("simulate", "--seeds", "many"), "--seeds needs a number, not 'many'"),
            (("install", "--prefix"), "--prefix needs a value"),
            (("format", "--cheese"), "unknown option --cheese"),
            (("upgrade",), "which program, and what?"),
            (("test", "--list", "--only", "cheese"), "invalid choice: 'cheese'"),
        ):
            with self.subTest(words=words):
                done = self.run_program(ROOT / "dev", *words)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(expected, done.stderr)

    def test_it_works_through_a_link(self):
        (self.tree / "link to dev").symlink_to(ROOT / "dev")
        done = self.run_program(self.tree / "link to dev", "test", "--list")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_builds_in_a_path_with_blanks_from_another_folder(self):
        copy = self.tree / "a clone of otter"
        copy.mkdir()
        shutil.copy(ROOT / "dev", copy)
        (copy / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/cached", copy / ".ci")
        self.write({
            "a clone of otter/CMakeLists.txt":
                "cmake_minimum_required(VERSION 3.25)\nproject(small LANGUAGES CXX)\nadd_executable(small small.cpp)\n"
                "install(TARGETS small)\n",
            "a clone of otter/small.cpp": "int main() { return 0; }\n"})
        shutil.copy(ROOT / "CMakePresets.json", copy)
        elsewhere = self.tree / "else where"
        elsewhere.mkdir()
        done = self.run_program(copy / "dev", "install", "--prefix", "my prefix", cwd=elsewhere)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue((elsewhere / "my prefix/bin/small").exists())
        self.assertEqual(sorted(p.name for p in elsewhere.iterdir()), ["my prefix"])

    def test_the_promised_presets_exist(self):
        presets = json.loads((ROOT / "CMakePresets.json").read_text())
        configure = {p["name"] for p in presets["configurePresets"] if not p.get("hidden")}
        self.assertLessEqual({"dev", "asan", "tsan", "release", "clang"}, configure)
        self.assertEqual(configure, {p["name"] for p in presets["buildPresets"]})

    def test_ci_runs_dev_test_without_a_terminal(self):
        copy = self.tree / "clone"
        (copy / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci/run", copy / ".ci")
        self.script("clone/dev", '#!/bin/bash\necho "$DEBIAN_FRONTEND|$*|$(test -t 0 && echo terminal)"\n')
        environment = dict(os.environ)
        environment.pop("DEBIAN_FRONTEND", None)
        done = self.run_program(copy / ".ci/run", env=environment)
        self.assertEqual(done.stdout.strip(), "noninteractive|test --keep-going|")
