#!/usr/bin/env python3
"""The stages of ./dev test (./dev test --help says how to use them).

Each stage has a budget. The budgets add up to less than 40 minutes on 2 cores; a stage that needs more is
marked in the table, one that needs twice its budget is stopped and has failed. Something that cannot be run
because it does not exist is said to be absent, never counted as passed, and fails if it is in REQUIRED.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEV = os.environ.get("OTTER_DEV", str(ROOT / "dev"))
LOGS = ROOT / "build/logs"
JOBS = os.environ.get("OTTER_JOBS") or str(os.cpu_count())
ABSENT = 3  # exit status of a check that found nothing to check

# What must exist. A stage or check outside this set may still be absent while the project grows; the run
# then says so at its end.
REQUIRED = {"release", "tests", "asan", "tsan", "simulation", "mutations", "checks",
            "include_direction", "no_wall_clock", "promises", "format", "headers_alone", "runtime_alone",
            "consumer_static", "consumer_shared", "global_state", "house", "chat"}


class result:
    def __init__(self):
        self.passed = self.failed = 0
        self.absent = []  # "name: reason"
        self.seconds = 0.0
        self.state = "not run"

    def add(self, passed, failed):
        self.passed += passed
        self.failed += failed


class runner:
    """Runs the steps of one stage, within what is left of twice its budget."""

    def __init__(self, name, budget, options):
        self.name, self.options = name, options
        self.deadline = time.monotonic() + 2 * budget
        self.took = 0.0  # seconds of the last step
        self.result = result()
        LOGS.mkdir(parents=True, exist_ok=True)

    def step(self, name, command, environment=None):
        """(exit status, output); 124 when the time was over."""
        begin = time.monotonic()
        left = self.deadline - begin
        log = LOGS / f"{self.name}.{name}.log"
        with open(log, "w+b") as file:
            process = subprocess.Popen([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT, start_new_session=True,
                                       env=dict(os.environ, **(environment or {})))
            try:
                status = process.wait(timeout=max(left, 1))
            except BaseException as problem:  # whatever ends us must not leave children behind
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    pass
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                if not isinstance(problem, subprocess.TimeoutExpired):
                    raise
                status = 124
            file.seek(0)
            output = file.read().decode(errors="replace")
        if status == 124:
            print(f"  {name}: stopped, twice the budget of the stage is used up")
        if status not in (0, ABSENT) or self.options.verbose:
            lines = output.rstrip().splitlines()
            kept = lines if self.options.verbose else lines[-60:]
            print(f"  ---- {name}: {' '.join(str(c) for c in command)}   (status {status}, all of it in {log.relative_to(ROOT)})")
            for line in kept:
                print("  | " + line)
        sys.stdout.flush()
        self.took = time.monotonic() - begin
        return status, output

    def check(self, name, command, environment=None):
        """A step that counts: by its last line `N passed, M failed` if it has one, else as one."""
        status, output = self.step(name, command, environment)
        if status == ABSENT:
            self.absent(name, output.strip().splitlines()[-1] if output.strip() else "nothing to check")
            return False
        passed, failed = last_count(output)
        if passed + failed == 0:
            passed, failed = (1, 0) if status == 0 else (0, 1)
        elif status != 0 and failed == 0:
            failed = 1
        self.result.add(passed, failed)
        say(name, failed == 0, passed, failed, self.took)
        return failed == 0

    def absent(self, name, reason):
        print(f"  absent: {name}: {reason}")
        if name in REQUIRED:
            self.result.add(0, 1)
        self.result.absent.append(f"{name}: {reason}")

    def build(self, preset, *targets):
        return self.check(f"build_{preset}", [DEV, "build", preset, *targets])

    def ctest(self, preset, limit):
        """Runs the tests of one build and counts test cases, not programs."""
        report = LOGS / f"{self.name}.junit.xml"
        report.unlink(missing_ok=True)
        command = [*without_wide_randomisation(preset), "ctest", "--test-dir", f"build/{preset}", "--parallel", JOBS,
                   "--timeout", limit, "--output-on-failure", "--no-tests=error", "--output-junit", report,
                   "--test-output-size-passed", 4_000_000, "--test-output-size-failed", 4_000_000]
        if not self.options.full:
            command += ["--label-exclude", "^full$"]
        status, _ = self.step("ctest", command, sanitizer_environment())
        programs, passed, failed = count_cases(report)
        for name in programs:
            print(f"  {name}")
        if status != 0 and failed == 0:
            failed = 1
        self.result.add(passed, failed)
        say("tests", failed == 0, passed, failed, self.took)


def say(name, good, passed, failed, took):
    words = ["  ok    " if good else "  FAILED", name]
    if passed + failed > 1:
        words.append(f" {passed} passed, {failed} failed")
    if took >= 1:
        words.append(f" {took:.0f} s")
    print(" ".join(words), flush=True)


def last_count(output):
    lines = output.rstrip().splitlines()
    match = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1].strip()) if lines else None
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def count_cases(report):
    """(complaints, passed, failed) over all test programs in ctest's report."""
    complaints, passed, failed = [], 0, 0
    try:
        cases = list(xml.parse(report).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as problem:
        return [f"no report of the tests: {problem}"], 0, 1
    for case in cases:
        output = case.findtext("system-out") or ""
        ran_well = case.get("status") == "run"
        ok = bad = 0
        catch = True
        if m := re.search(r"All tests passed \(.*?\bin (\d+) test cases?\)", output):
            ok = int(m.group(1))
        elif m := re.search(r"^test cases: *(\d+)(.*)$", output, re.M):
            # Cases marked [!mayfail] or [!shouldfail] are none of ours: whatever has not passed has failed.
            good = re.search(r"(\d+) passed", m.group(2))
            ok = int(good.group(1)) if good else 0
            bad = int(m.group(1)) - ok
        else:
            catch = "No tests ran" in output
            ok = 1 if ran_well and not catch else 0
        if catch and ok + bad == 0 or not ran_well and bad == 0:
            bad = max(bad, 1)
            complaints.append(f"{case.get('name')}: {'ran no test' if ran_well else 'crashed, hung or was not run'}")
        passed, failed = passed + ok, failed + bad
    return complaints, passed, failed


def without_wide_randomisation(preset):
    """The sanitizers of gcc 12 and clang 16 cannot map their memory when vm.mmap_rnd_bits is above 28."""
    if preset not in ("asan", "tsan"):
        return []
    try:
        bits = int(pathlib.Path("/proc/sys/vm/mmap_rnd_bits").read_text())
    except (OSError, ValueError):
        return []
    if bits <= 28:
        return []
    if subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode != 0:
        print("  setarch -R is not allowed here and vm.mmap_rnd_bits is above 28; as root: sysctl vm.mmap_rnd_bits=28")
        return []
    return ["setarch", "-R"]


def sanitizer_environment():
    # clang's look for llvm-symbolizer alone; without names no suppression applies
    symbolizer = f":external_symbolizer_path={shutil.which('addr2line') or ''}"
    defaults = {"ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=0" + symbolizer,
                "LSAN_OPTIONS": f"suppressions={ROOT / '.ci/leaks_of_the_abandoned.txt'}:print_suppressions=0",
                "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1" + symbolizer,
                "TSAN_OPTIONS": f"suppressions={ROOT / '.ci/thread_sanitizer.txt'}:second_deadlock_stack=1" + symbolizer
                                + ":halt_on_error=0:die_after_fork=0"}
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def program(preset, name):
    base = ROOT / "build" / preset
    found = [p for p in base.rglob(name) if p.is_file() and os.access(p, os.X_OK) and "CMakeFiles" not in p.parts]
    return found[0] if found else None


# --- the stages ----------------------------------------------------------------------------------


def release(r):
    r.build("release")


def tests(r):
    r.ctest("release", 120)


def asan(r):
    if r.build("asan"):
        r.ctest("asan", 240)


def tsan(r):
    if r.build("tsan"):
        r.ctest("tsan", 240)


def simulation(r):
    if not (ROOT / "tests/simulation/CMakeLists.txt").is_file():
        return r.absent("simulation", "tests/simulation has no program yet")
    simulate = program("release", "otter_simulate")
    if simulate is None:
        return r.absent("simulation", "otter_simulate is not built")
    r.check("seeds", [simulate, "--seeds", 2000 if r.options.full else 200, "--first", 1])
    r.check("same_digest", [ROOT / ".ci/same_digest", simulate, 1, 100 if r.options.full else 20])
    return None


def checks(r):
    python = sys.executable
    here = ROOT / ".ci"
    r.check("include_direction", [python, here / "include_direction.py"])
    r.check("no_wall_clock", [python, here / "no_wall_clock.py"])
    r.check("promises", [python, here / "promises.py"])
    r.check("format", [here / "format", "--check"])
    r.check("headers_alone", [here / "headers_alone"])
    r.check("runtime_alone", [here / "runtime_alone"])
    r.check("refused", [ROOT / "tests/refused/run"])
    r.check("consumer_static", [ROOT / "tests/consumer/run"])
    r.check("consumer_shared", [ROOT / "tests/consumer/run", "--shared"])
    r.check("fuzz", [ROOT / "tests/fuzz/run", "--runs", 2000000 if r.options.full else 20000])
    r.check("global_state", [python, here / "global_state.py"])
    r.check("readme_blocks", [python, here / "readme_blocks.py"])
    r.check("house", [python, ROOT / "tests/house/run.py"])
    if r.build("bench", "otter_bench", "million_server", "million_raw", "million_socket_clients",
               "million_tun_clients"):
        # the release build's objects, out of the cache
        r.check("instructions", [ROOT / "bench/instructions_check"])
        r.check("million", [ROOT / "bench/million_check"])


def mutations(r):
    pattern = [r.options.mutate] if r.options.mutate else []
    turn = []
    if not r.options.full and r.options.mutate is None:
        turn = ["--turn", f"{commits()}/10"]  # another tenth at each commit
    r.check("mutations", [sys.executable, ROOT / ".ci/mutate.py", *turn, *pattern])


def commits():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-list", "--count", "HEAD"], capture_output=True, text=True)
    count = int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0
    return count if count > 1 else int(time.time()) // 86400  # a shallow clone counts one: then by the day


def clang(r):
    r.build("clang")


def chat(r):
    script = ROOT / "tests/chat/run"
    if not os.access(script, os.X_OK):
        return r.absent("chat", "tests/chat/run does not exist yet")
    server = program("release", "otter_chat")
    if server is None:
        return r.absent("chat", "otter_chat is not built")
    # Debian's Python first: it is the one that has Debian's slixmpp.
    environment = {"OTTER_CHAT": str(server), "PATH": "/usr/bin:/bin:" + os.environ.get("PATH", "")}
    if r.options.full:
        environment["OTTER_CHAT_IDLE"] = "15000"  # connections that go to another version at once
    r.check("chat", [script], environment)
    return None


STAGES = [  # name, budget in seconds, what it does
    (release, 470, "release build, warnings are errors"),
    (tests, 90, "all tests in the release build"),
    (asan, 540, "everything compiled by clang 16, with AddressSanitizer and UndefinedBehaviorSanitizer; its tests"),
    (tsan, 440, "everything compiled by clang 16, with ThreadSanitizer; its tests"),
    (simulation, 20, "200 seeds of the scenario set; 20 of them twice in two OS processes, digests compared"),
    (checks, 560, "include direction, clocks, format, headers alone, runtime alone, consumer, pages, instruction counts, the checks' own tests"),
    (mutations, 130, "a tenth of the mutations, another one at each commit: each must be noticed"),
    (chat, 50, "the chat server with real clients"),
    (clang, 40, "--full alone: compiled by clang 16 without precompiled headers, which hide a missing include"),
]
FULL_ALONE = {"clang"}
NEED_RELEASE = {"tests", "simulation", "chat"}  # its time to build is not theirs


def has_nothing_yet(name):
    return {"simulation": not (ROOT / "tests/simulation/CMakeLists.txt").is_file(),
            "mutations": not any((ROOT / "tests/mutations").glob("*.patch")),
            "chat": not (ROOT / "tests/chat/run").is_file()}.get(name, False)


def run_stage(function, budget, options):
    name = function.__name__
    print(f"== {name} (budget {budget} s)", flush=True)
    factor = 10 if options.full or options.mutate is not None else 1
    r = runner(name, budget * factor, options)
    begin = time.monotonic()
    function(r)
    r.result.seconds = time.monotonic() - begin
    if r.result.failed:
        r.result.state = "FAILED"
    elif r.result.passed == 0:
        r.result.state = "absent"
    else:
        r.result.state = "ok" if r.result.seconds <= budget * factor else "ok, SLOW"
    return r.result


def arguments():
    names = [function.__name__ for function, _, _ in STAGES]
    parser = argparse.ArgumentParser(prog="./dev test", add_help=False)
    parser.add_argument("--only", action="append", choices=names, default=[])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--mutate", nargs="?", const="", default=None)
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.mutate is not None:
        options.only = ["mutations"]
    if options.full:
        os.environ["OTTER_FULL"] = "1"
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no step outlives the run
    if options.list:
        for function, budget, text in STAGES:
            note = "   (nothing to run yet)" if has_nothing_yet(function.__name__) else ""
            print(f"{function.__name__:12} {budget:4} s  {text}{note}")
        return 0
    if NEED_RELEASE & set(options.only):
        options.only.append("release")
    results, stopped = {}, False
    for function, budget, _ in STAGES:
        name = function.__name__
        if name not in options.only if options.only else name in FULL_ALONE and not options.full:
            continue
        unbuilt = name in NEED_RELEASE and results["release"].failed > 0
        results[name] = result() if stopped or unbuilt else run_stage(function, budget, options)
        stopped = stopped or (results[name].failed > 0 and not options.keep_going)

    print(f"\n{'stage':12} {'result':10} {'passed':>7} {'failed':>7} {'seconds':>8} {'budget':>7}")
    for function, budget, _ in STAGES:
        if (r := results.get(function.__name__)) is not None:
            print(f"{function.__name__:12} {r.state:10} {r.passed:7} {r.failed:7} {r.seconds:8.0f} {budget:7}")
    total = sum(r.seconds for r in results.values())
    print(f"{'in all':12} {'':10} {'':7} {'':7} {total:8.0f} {sum(budget for f, budget, _ in STAGES if f.__name__ in results):7}")
    for name, r in results.items():
        for line in r.absent:
            print(f"skipped, absent: {line}{' (required)' if line.split(':')[0] in REQUIRED else ''}")
        if r.state == "not run":
            print(f"skipped: {name}: an earlier stage failed (--keep-going runs what does not need it)")
    if options.only:
        left_out = [f.__name__ for f, _, _ in STAGES if f.__name__ not in options.only]
        print(f"skipped: {', '.join(left_out)}: not asked for")
    if not options.full:
        print(f"skipped: heavy sizes and {', '.join(sorted(FULL_ALONE))} (--full runs them)")
    passed, failed = sum(r.passed for r in results.values()), sum(r.failed for r in results.values())
    if passed + failed == 0:
        failed = 1  # a run that ran nothing proves nothing
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if shutil.which("ctest") is None and "--list" not in sys.argv:
        print("./dev test: cmake is missing: ./dev packages build")
        sys.exit(2)
    sys.exit(main())
