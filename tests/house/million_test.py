"""./dev million: what it refuses and how, what it makes of ends that die, lie or fall silent, and its table."""
import argparse
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import unittest
import unittest.mock

from support import ROOT, in_a_tree

sys.path.insert(0, str(ROOT / "bench/million"))
import limits
import report

RUN = ROOT / "bench/million/run"
GB = 1_000_000_000

# A page of counters as bench/million/counters.hpp has it, and an end that is led by lines.
END = """#!/usr/bin/python3
import json, mmap, os, sys, time
words = dict(word.split("=", 1) for word in sys.argv[2:])
if sys.argv[1] == "limits":
    print('{"direct":false,"why":"a test"}')
    sys.exit(0)
page = mmap.mmap(os.open(words["counters"], os.O_RDWR), 4096)
def count(at, n): page[64 * at:64 * at + 8] = n.to_bytes(8, "little")
def stopped(): return page[192] != 0
def say(**what): print(json.dumps(what), flush=True)
"""
SERVER = END + "say(listening=int(words['port']))\nsys.stdin.read()\n"
CLIENTS = END + """
say(ready=True)
made = 0
for line in sys.stdin:
    what, n = (line.split() + ["0"])[:2]
    if what == "connect":
        made = {made}
        count(0, made)
        say(connected=made, seconds=0.5)
    elif what == "echo":
        say(asked=int(n), answered={answered}, wrong=0, seconds=0.1)
    else:
        count(1, {ended})
        say(reset=made)
"""


def machine(**changed):
    about = dict(free=23 * GB, descriptors=20_000, files=None, namespace=["unshare", "-n"], no_namespace="", no_direct="")
    return limits.facts(**{**about, **changed})


class what_fits(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, limits, "FLOOR", limits.FLOOR)
        limits.FLOOR = 3 << 30

    def plan(self, wanted, servers=("otter",), clients=None, **changed):
        return limits.plan(wanted, list(servers), clients, machine(**changed))

    def refusal(self, *arguments, **changed):
        with self.assertRaises(limits.refused) as caught:
            self.plan(*arguments, **changed)
        return caught.exception

    def test_a_few_are_made_by_sockets_and_many_without(self):
        self.assertEqual(self.plan(15_000), (15_000, "sockets"))
        self.assertEqual(self.plan(1_000_000), (1_000_000, "tun"))

    def test_without_a_number_it_is_what_fits(self):
        self.assertEqual(self.plan(None), (2_850_000, "tun"))
        self.assertEqual(self.plan(None, no_direct="Linux is too old"), (19_900, "tun"))

    def test_where_connections_take_descriptors_those_are_the_limit(self):
        why = self.refusal(100_000, no_direct="Linux is too old")
        self.assertIn("takes a descriptor here (Linux is too old), and RLIMIT_NOFILE is 20,000", why.reason)
        self.assertEqual(why.nearest, 19_900)

    def test_a_few_by_sockets_need_no_places_in_tables_and_what_is_more_than_the_descriptors_does(self):
        self.assertEqual(limits.direct_places(15_000, "sockets", machine()), 0)
        self.assertGreaterEqual(limits.direct_places(100_000, "sockets", machine()), 100_000)
        self.assertGreaterEqual(limits.direct_places(3_000, "tun", machine()), 3_000)
        self.assertEqual(limits.direct_places(3_000, "tun", machine(no_direct="Linux is too old")), 0)

    def test_the_raw_loop_has_no_such_limit(self):
        self.assertEqual(self.plan(100_000, ["raw"], no_direct="Linux is too old"), (100_000, "tun"))

    def test_memory_is_left_to_the_machine(self):
        why = self.refusal(1_000_000, free=4 * GB)
        self.assertIn("4.0 GB are free, 3.2 GB stay so", why.reason)
        self.assertEqual(why.nearest, 152_000)
        self.assertLess(why.nearest * 5_100, 4 * GB - limits.FLOOR)
        self.assertEqual(self.refusal(1_000_000, free=3 * GB).nearest, 0)

    def test_the_files_of_the_system_are_the_limit_of_an_ordinary_user(self):
        why = self.refusal(1_000_000, files=400_000)
        self.assertIn("fs.file-max leaves 400,000 files", why.reason)
        self.assertEqual(why.nearest, 400_000)

    def test_without_a_namespace_sockets_serve_and_take_half_of_it(self):
        none = dict(namespace=None, no_namespace="/dev/net/tun may not be opened")
        self.assertEqual(self.plan(100_000, **none), (100_000, "sockets"))
        why = self.refusal(1_000_000, files=400_000, **none)
        self.assertIn("/dev/net/tun may not be opened", why.reason)
        self.assertEqual(why.nearest, 200_000)
        self.assertIn("private network namespace", self.refusal(1_000, ["otter"], "tun", **none).reason)

    def test_the_nearest_number_is_itself_accepted(self):
        for changed in ({"free": 4 * GB}, {"files": 123_456}, {"no_direct": "Linux is too old"}, {"namespace": None, "free": 9 * GB}):
            with self.subTest(changed=changed):
                nearest = self.refusal(10_000_000, **changed).nearest
                self.assertEqual(self.plan(nearest, **changed)[0], nearest)


class million(in_a_tree):
    def ends(self, server=SERVER, made="int(n)", answered="int(n)", ended="made"):
        clients = CLIENTS
        for name, value in (("made", made), ("answered", answered), ("ended", ended)):
            clients = clients.replace("{" + name + "}", value)
        self.script("build/bench/million_server", server)
        self.script("build/bench/million_socket_clients", clients)

    def command(self, *words):
        return [str(w) for w in (sys.executable, RUN, "--build", self.tree / "build", "--output", self.tree / "out", "--idle", 0,
                                 "--connections", 1_000, "--clients", "sockets", *words)]

    def measure(self, *words):
        return self.run_program(*self.command(*words))

    def test_what_is_measured_is_written_down(self):
        self.ends()
        done = self.measure()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| connections, established and accepted | 2,800,000 | 1,000 |", done.stdout)
        self.assertEqual(done.stdout.strip(), (self.tree / "out/million.md").read_text().strip())
        result = json.loads((self.tree / "out/million.json").read_text())["results"][0]
        self.assertEqual((result["connections"], result["rate"], result["answered"], result["ended"]), (1_000, 2_000, 20_000, 1_000))

    def test_an_echo_that_is_missing_is_a_failure(self):
        self.ends(answered="int(n) - 1")
        done = self.measure()
        self.assertEqual(done.returncode, 1)
        self.assertIn("19,999 of 20,000 echoes came back", done.stderr)

    def test_a_connection_that_is_missing_is_a_failure(self):
        self.ends(made="int(n) - 1")
        done = self.measure()
        self.assertEqual(done.returncode, 1)
        self.assertIn("999 were established and 999 accepted", done.stderr)

    def test_an_end_that_the_server_does_not_notice_is_a_failure(self):
        self.ends(ended="made - 1")
        done = self.run_program(*self.command(), env=dict(os.environ, OTTER_MILLION_PATIENCE="0.2"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("noticed the end of 999 of 1,000 connections", done.stderr)

    def test_a_server_that_dies_ends_the_run_with_the_reason(self):
        self.ends(server=END + "say(listening=1)\nsys.stdin.close()\nsys.exit(7)\n", made="(time.sleep(30), 0)[1]")
        done = self.measure()
        self.assertEqual(done.returncode, 1)
        self.assertIn("million_server has ended, status 7", done.stderr)

    def test_an_interrupt_stops_connecting_and_shows_what_there_is(self):
        waits = "([time.sleep(0.01) for _ in iter(stopped, True)], 600)[1]"
        self.ends(made=waits)
        with subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if "of 1,000 connections" in line:
                    break
            process.terminate()  # as an interrupt, which a shell lets its background jobs ignore
            out, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn("| connections, established and accepted | 2,800,000 | 600 |", out)
        self.assertIn("stopped before 1,000: interrupted", out)

    def test_when_memory_comes_down_to_its_floor_no_more_are_made_and_those_there_are_answer(self):
        self.ends(made="([time.sleep(0.01) for _ in iter(stopped, True)], 600)[1]")
        loader = importlib.machinery.SourceFileLoader("million_run", str(RUN))
        run = importlib.util.module_from_spec(importlib.util.spec_from_loader("million_run", loader))
        loader.exec_module(run)
        options = argparse.Namespace(build=self.tree / "build", workers=2, echoes=100, idle=0, idle_limit=0, lose=0)
        once = run.measurement("otter", self.tree / "build/bench/million_server", 1_000, "sockets", options, machine())
        with unittest.mock.patch.object(limits, "free_memory", lambda: limits.FLOOR - 1):
            result = once.run(self.tree)
        self.assertIn("of memory were free", result["stopped"])
        self.assertEqual((result["connections"], result["answered"], result["ended"]), (600, 100, 600))
        self.assertEqual(list(run.fell_short(result)), [])

    def test_what_does_not_fit_is_refused_with_the_nearest_number(self):
        self.ends()
        done = self.measure("--connections", "1000000000", "--clients", "sockets")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"refused: .*\nmillion: nearest: --connections \d+\n")

    def test_wrong_numbers_are_refused_by_name(self):
        for name in ("connections", "workers", "echoes"):
            done = self.measure(f"--{name}", "0")
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"--{name} must be at least 1, not 0", done.stderr)


class table(unittest.TestCase):
    def result(self, **changed):
        r = dict(server="otter", direct=True, timer=False, clients="tun", asked=1_000_000, connections=1_000_000, accepted=1_000_000, echoes=20_000,
                 answered=20_000, memory=5e9, slab=4.3e9, user=0.6e9, bytes=5_000,
                 kernel_bytes=4_400, slab_bytes=4_390, user_bytes=600, rate=40_000, seconds=25, server_cpu=20,
                 client_cpu=15, idle_cpu=0, end_seconds=8, client_memory=8e6, stopped=None)
        return {**r, **changed}

    def text(self, *results):
        return report.markdown(list(results), {"cpu": "a CPU", "cores": 2, "memory_gb": 25, "kernel": "6", "otter": "abc", "time": "now"})

    def test_goals_are_marked_as_reached_or_not(self):
        self.assertIn("5,100 bytes a connection, reached; set-up at 30,000/s, reached.", self.text(self.result()))
        slow = self.text(self.result(bytes=5_101, rate=29_999), self.result(server="raw", rate=30_000))
        self.assertIn("5,100 bytes a connection, NOT reached; set-up at 30,000/s, NOT reached, or at 0.9 of a bare loop's: 1.00.", slow)

    def test_memory_that_others_took_is_not_judged(self):
        text = self.text(self.result(memory=3e9, bytes=3_000))
        self.assertIn("MemFree fell by 3.00 GB, where slabs and process grew by 4.90", text)
        self.assertIn("5,100 bytes a connection, not judged", text)
        self.assertNotIn("MemFree fell", self.text(self.result()))

    def test_what_the_server_does_more_than_usual_is_in_its_title(self):
        self.assertIn("| otter, one process each |", self.text(self.result()))
        self.assertIn("| otter, one process each, with a timer, with descriptors |", self.text(self.result(timer=True, direct=False)))

    def test_it_stands_beside_2012(self):
        self.assertIn("| connections per GB in use | 38,800 | 200,000 |", self.text(self.result()))
        self.assertIn("| connections per logical CPU | 116,667 | 500,000 |", self.text(self.result()))
