#!/usr/bin/env python3
"""mutate.py [--turn K/N] [PATTERN]: each small patch breaks one rule; the tests that cite it must fail.

A mutation is a file tests/mutations/NAME.patch. Above the diff it says what it breaks and who must notice:

    rule: P-7
    program: process_tests          a test program of the build, or: otter_simulate
    tests: [P-7]                    what is given to the program (default: the rule as a tag)
    seeds: 1000                     only for otter_simulate: within so many seeds a scenario must fail
    runs: 5                         optional: for a race, the tests must fail in one of so many runs

The sources are copied to build/mutations/tree0 and so on, a tree for each core, and changed there, one mutation at a
time in each: what a mutation takes is one compiler, one linker and a test, and leaves the other cores idle. Every command is
also run without a mutation: it must pass, and must run at least one test; of the simulation, all seeds up to
the one that noticed. Mutated, it must fail by itself, at the first thing that it finds wrong; a crash counts. A build that breaks does not, and neither
does a hang: a test that waits for ever must find that out in virtual time, not by our patience (60 s).
"""
import argparse
import concurrent.futures
import filecmp
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "build/mutations"
MOST_TREES = 4  # each is a build of its own
COPIED = ("CMakeLists.txt", "CMakePresets.json", "cmake", "runtime", "actors", "examples", "tests")
LIMIT = 60


class mutation:
    def __init__(self, path):
        self.path = path
        head = path.read_text().split("\n--- ", 1)[0].split("\ndiff ", 1)[0]
        self.fields = dict(re.findall(r"^(rule|program|tests|seeds|runs):[ \t]*(\S.*?)[ \t]*$", head, re.M))
        self.rule = self.fields.get("rule", "")
        self.program = self.fields.get("program", "")
        self.runs = int(self.fields.get("runs", 1))

    def problem(self):
        if not self.rule or not self.program:
            return "its head names no rule or no program"
        return None

    def arguments(self, seeds=None):
        if self.program == "otter_simulate":
            return ["--seeds", seeds or self.fields.get("seeds", "1000"), "--failures", "1"]
        return [self.fields.get("tests", f"[{self.rule}]"), "--order", "rand", "--rng-seed", "time", "-w", "NoTests",
                "--abort"]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


class copy:
    """The sources once more, with a build. One thread at a time has it."""

    def __init__(self, number):
        self.tree = HOME / f"tree{number}"
        self.environment = dict(os.environ, CCACHE_BASEDIR=str(self.tree), GIT_CEILING_DIRECTORIES=str(HOME))
        self.environment.setdefault("CCACHE_DIR", str(ROOT / ".cache/ccache"))

    def synchronise(self):
        """Copies what has changed, so that the build in the copy stays incremental."""
        seen = set()
        for name in COPIED:
            base = ROOT / name
            for path in [base] if base.is_file() else sorted(base.rglob("*")) if base.is_dir() else []:
                if not path.is_file() or "__pycache__" in path.parts:
                    continue
                relative = path.relative_to(ROOT)
                seen.add(relative)
                target = self.tree / relative
                if not target.exists() or not filecmp.cmp(path, target, shallow=False):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
                    shutil.copymode(path, target)
        for path in sorted(self.tree.rglob("*")):
            relative = path.relative_to(self.tree)
            if path.is_file() and relative.parts[0] != "build" and relative not in seen:
                path.unlink()

    def configure(self):
        launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={ROOT / '.ci/cached'}"] if shutil.which("ccache") else []
        # As the release stage builds, down to the depth of the folder: what is not mutated comes out of its cache.
        return run(["cmake", "--preset", "release", *launcher], cwd=self.tree, env=self.environment)

    def build(self, targets, jobs):
        return run(["cmake", "--build", str(self.tree / "build/release"), "--parallel", str(jobs), "--target", *targets],
                   env=self.environment)

    def find(self, program):
        found = [p for p in (self.tree / "build/release").rglob(program) if p.is_file() and os.access(p, os.X_OK)]
        return found[0] if found else None

    def apply(self, patch, *options):
        return run(["git", "apply", "--whitespace=nowarn", *options, str(patch)], cwd=self.tree, env=self.environment)


class outcome:
    """One run of a mutation's command: passed, or how it ended, and at which seed."""

    def __init__(self, program, arguments):
        self.passed, self.seed = False, None
        if program is None:
            self.how = "was not built"
            return
        simulates = program.name == "otter_simulate"
        try:
            done = run([str(program), *arguments], timeout=LIMIT * (5 if simulates else 1))
        except subprocess.TimeoutExpired:
            self.how = "hung"
            return
        if done.returncode == 0 and "No test" in done.stdout:
            self.how = "ran no test"
            return
        seed = re.search(r"(?:stopped at|this [a-z]+:) seed (\d+)", done.stdout)
        self.passed, self.how = done.returncode == 0, f"ended with {done.returncode}"
        if seed:
            self.seed = seed.group(1)
            self.how += f" at seed {self.seed}"


class healthy_programs:
    """The programs without a mutation, and what is known of them. Many threads may ask; each question is answered once."""

    def __init__(self, built_in, programs):
        self.results = {}  # by command: of its only run, which who asks first begins
        self.begin = threading.Lock()  # guards results
        self.home = HOME / "healthy"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        for name in programs:
            if (built := built_in.find(name)) is not None:
                shutil.copy(built, self.home / name)

    def complaint(self, m, seeds=None):
        key = (m.program, tuple(m.arguments(seeds)))
        with self.begin:
            first = key not in self.results
            result = self.results.setdefault(key, concurrent.futures.Future())
        if first:
            program = self.home / m.program
            result.set_result(outcome(program if program.is_file() else None, m.arguments(seeds)))
        known = result.result()
        return None if known.passed else f"{m.program} {' '.join(key[1][:2])} {known.how} without the mutation"


def judged(m, result, healthy):
    """Why the outcome of the mutated program shows nothing, or None."""
    if result.passed:
        return f"NOT NOTICED by {m.program} {' '.join(m.arguments()[:2])}"
    if result.how in ("was not built", "ran no test"):
        return result.how
    if result.how == "hung":
        return f"{m.program} {m.arguments()[0]} hung for {LIMIT} s: the tests must find that out themselves"
    if m.program == "otter_simulate":
        return healthy.complaint(m, result.seed) if result.seed else f"otter_simulate {result.how}, at no seed"
    return None


def attempt(m, tree, healthy, jobs):
    """(why the mutation was not noticed as it should, or None; what is said of it)."""
    begin, built = time.monotonic(), None
    result = None
    problem = m.problem()
    if not problem and m.program != "otter_simulate":
        problem = healthy.complaint(m)
    if not problem and tree.apply(m.path).returncode != 0:
        problem = "does not apply to the sources"
    elif not problem:
        try:
            done = tree.build([m.program], jobs)
            built = time.monotonic()
            if done.returncode != 0:
                problem = "does not compile: " + "\n".join(l for l in done.stdout.splitlines() if "error" in l)[:600]
            else:
                for _ in range(m.runs):
                    result = outcome(tree.find(m.program), m.arguments())
                    if not result.passed:
                        break
                problem = judged(m, result, healthy)
        finally:
            if tree.apply(m.path, "--reverse").returncode != 0:
                tree.synchronise()
    end = time.monotonic()
    return problem, problem or (f"noticed, {m.program} {result.how} "
                                f"({built - begin:.0f} s to build, {end - built:.0f} s to notice)")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--turn", help="K/N: every N-th mutation, beginning with the K-th")
    arguments.add_argument("pattern", nargs="?", default="", help="a part of the names, or a whole program")
    options = arguments.parse_args()
    mutations = [mutation(p) for p in sorted((ROOT / "tests/mutations").glob("*.patch"))]
    mutations = [m for m in mutations if options.pattern in m.path.name or options.pattern == m.program]
    if not mutations:
        print("mutate: absent: no patch in tests/mutations" + (f" has {options.pattern} in its name or is for that program" if options.pattern else ""))
        return 3
    total = len(mutations)
    if options.turn:
        turn, parts = (int(x) for x in options.turn.split("/"))
        mutations = [m for i, m in enumerate(mutations) if i % parts == turn % parts]
        print(f"mutate: {len(mutations)} of {total} mutations in this turn")

    begin = time.monotonic()
    cores = int(os.environ.get("OTTER_JOBS") or os.cpu_count() or 1)
    # Without a compiler cache each further tree would be compiled anew.
    number = min(cores, MOST_TREES, len(mutations)) if shutil.which("ccache") else 1
    trees = [copy(i) for i in range(number)]
    for tree in trees:
        tree.synchronise()
        done = tree.configure()
        if done.returncode != 0:
            print(done.stdout + done.stderr)
            return 2
    # The other trees need no build without a mutation: they take what is not mutated out of the cache.
    programs = sorted({m.program for m in mutations if not m.problem()})
    done = trees[0].build(programs, cores)
    if done.returncode != 0:
        print("the copy does not build without a mutation:\n" + done.stdout[-4000:])
        return 2

    healthy = healthy_programs(trees[0], programs)
    print(f"mutate: the unchanged copy is built ({time.monotonic() - begin:.0f} s)", flush=True)

    free = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def in_a_free_tree(m):
        tree = free.get()
        try:
            return m, *attempt(m, tree, healthy, max(1, cores // number))
        finally:
            free.put(tree)

    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        for done in concurrent.futures.as_completed([pool.submit(in_a_free_tree, m) for m in mutations]):
            m, problem, text = done.result()
            failed, passed = (failed + 1, passed) if problem else (failed, passed + 1)
            print(f"{m.path.name} ({m.rule}): {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
