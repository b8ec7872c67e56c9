"""bench/run is given programs that are quick, wrong, slow or dead: what it keeps of them, and what it says."""
import json
import os
import shutil
import subprocess
import sys
import unittest

from support import ROOT, in_a_tree

sys.path.insert(0, str(ROOT / "bench"))
import table

RUN = ROOT / "bench/run"
FIGURE = """#!/bin/sh
echo '{"bench":"ping_pong","value":%s,"unit":"ns","cpu":1}'
"""


SERVER = """#!/bin/sh
echo '{"ready":true}'
exec cat
"""
# Does a thousand requests a second, by its own clock.
LOAD = """#!/bin/sh
echo '{"ready":true}'
while read line; do n=$((n + 1)); echo "{\\"count\\":${n}000,\\"ns\\":${n}000000000}"; done
"""


class bench(in_a_tree):
    def peers(self, **programs):
        for peer, text in programs.items():
            self.script(f"build/bench/{'otter_bench' if peer == 'otter' else 'bench_' + peer}", text)

    def command(self, *words):
        return [sys.executable, RUN, "--build", self.tree / "build", "--output", self.tree / "out", "--row", "ping_pong", "--peer",
                "otter", "--peer", "caf", *words]

    def measure(self, *words):
        return self.run_program(*self.command(*words))

    def lines(self):
        return [json.loads(line) for line in (self.tree / "out/latest.jsonl").read_text().splitlines()]

    def problems(self):
        return json.loads((self.tree / "out/machine.json").read_text())["problems"]

    def test_a_row_is_measured_for_each_form_and_peer(self):
        self.peers(otter=FIGURE % 100, caf=FIGURE % 400)
        done = self.measure("--runs", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        one = [(l["peer"], l["params"].split()[0], l["value"], l["runs"]) for l in self.lines() if l["cores"] == 1]
        self.assertEqual(one, [("otter", "form=behaviour", 100, 3), ("otter", "form=free", 100, 3), ("caf", "n=1000000", 400, 3)])
        self.assertIn("| caf | 0.25 | <= 0.5 yes |", done.stdout)

    def test_the_table_for_the_readme_marks_what_is_reached(self):
        self.peers(otter=FIGURE % 100, caf=FIGURE % 180)
        self.measure("--quick")
        line = next(l for l in (self.tree / "out/summary.md").read_text().splitlines() if l.startswith("| ping_pong | 1 |"))
        self.assertEqual(line, "| ping_pong | 1 | 100 ns (0.56) | **100 ns (0.56)** | caf 180 ns | <= 0.5 |")

    def test_the_readme_shows_the_published_results(self):
        published = (ROOT / "bench/results/summary.md").read_text()
        self.assertIn(published, (ROOT / "README.md").read_text())

    def test_a_lost_comparison_is_shown_as_plainly(self):
        self.peers(otter=FIGURE % 400, caf=FIGURE % 100)
        self.assertIn("| caf | 4.00 | <= 0.5 NO |", self.measure("--quick").stdout)

    def test_a_peer_that_crashes_is_listed_and_the_rest_goes_on(self):
        self.peers(otter=FIGURE % 100, caf="#!/bin/sh\necho no more memory >&2\nkill -SEGV $$\n")
        done = self.measure("--quick")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({l["peer"] for l in self.lines()}, {"otter"})
        self.assertIn("signal 11", self.problems()[0]["problem"])
        self.assertIn("Cut: ping_pong caf", done.stdout)

    def test_a_peer_that_hangs_is_cut_at_its_limit(self):
        self.peers(otter=FIGURE % 100, caf="#!/bin/sh\nexec sleep 1000\n")
        done = self.measure("--quick", "--limit", "0.5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({l["peer"] for l in self.lines()}, {"otter"})
        self.assertIn("did not end within 0.5 s", self.problems()[0]["problem"])

    def test_a_peer_that_says_nothing_is_no_result(self):
        self.peers(otter=FIGURE % 100, caf="#!/bin/sh\necho hello\n")
        self.measure("--quick")
        self.assertIn("said nothing", self.problems()[0]["problem"])

    def test_an_interrupted_run_keeps_what_it_has(self):
        # When caf is at its turn, everything of otter's on one worker has been measured.
        self.peers(otter=FIGURE % 100, caf="#!/bin/sh\nexec sleep 1000\n")
        process = subprocess.Popen([str(c) for c in self.command("--quick")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, start_new_session=True)
        for line in process.stderr:
            if "ping_pong caf" in line:
                break
        process.terminate()  # as an interrupt, which a shell lets its background jobs ignore
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("interrupted: what was measured is kept", error)
        self.assertEqual([(l["peer"], l["cores"]) for l in self.lines()], [("otter", 1), ("otter", 1)])

    def test_an_unknown_row_or_peer_is_refused_with_those_that_exist(self):
        for words, expected in ((["--row", "pong"], "no row 'pong'; the rows are: spawn_exit"),
                                (["--peer", "akka"], "no peer 'akka'; the peers are: otter, caf"),
                                (["--runs", "0"], "--runs must be at least 1"), (["--limit", "0"], "--limit must be more than 0"),
                                (["--compare", "none.jsonl"], "no file none.jsonl")):
            done = self.run_program(sys.executable, RUN, *words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(expected, done.stderr)

    def test_what_has_become_slower_by_more_than_noise_is_marked(self):
        self.peers(otter=FIGURE % 150, caf=FIGURE % 400)
        old = {"bench": "ping_pong", "peer": "otter", "params": "form=behaviour n=100000", "cores": 1, "unit": "ns", "runs": 3}
        noisy = dict(old, params="form=free n=100000")
        self.write({"old.jsonl": json.dumps(dict(old, value=100, min=98, max=105)) + "\n" +
                                 json.dumps(dict(noisy, value=100, min=60, max=200)) + "\n"})
        compared = self.measure("--quick", "--compare", self.tree / "old.jsonl").stdout.split("against ")[1].splitlines()
        self.assertRegex(compared[1], r"otter +1\.50 .*SLOWER +form=behaviour")
        self.assertRegex(compared[2], r"otter +1\.50 .*\) +form=free")

    def serve(self, server, load):
        """The row of a server, on one core, with these programs for otter and for the bare loop."""
        self.peers(otter=server, bare=server)
        self.script("build/bench/bench_load", load)
        return self.run_program("taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, RUN, "--build", self.tree / "build",
                                "--output", self.tree / "out", "--quick", "--row", "accept", "--peer", "otter", "--peer", "bare")

    def test_a_server_is_measured_by_what_its_clients_say_and_against_the_bare_loop(self):
        done = self.serve(SERVER, LOAD.replace("\n", f'\necho "$*" >>"{self.tree}/words"\n', 1))
        self.assertEqual(done.returncode, 0, done.stderr)
        rates = [(l["peer"], l["value"], l["unit"]) for l in self.lines() if l["bench"] == "accept_rate"]
        self.assertEqual(rates, [*[("otter", 1000, "1/s")] * 7, *[("bare", 1000, "1/s")] * 3])
        self.assertIn("| bare | 1.00 | >= 0.9 yes |", done.stdout)
        # The clients, not the servers, decide which handshakes there are.
        told = [next((w for w in line.split() if w.startswith("tls=")), "") for line in (self.tree / "words").read_text().splitlines()]
        self.assertEqual(told, ["", "", "", "tls=full", "tls=full", "tls=resumed", "tls=resumed", "", "tls=full", "tls=resumed"])

    def test_handshakes_are_compared_with_those_of_the_same_kind_and_their_cost_with_the_bare_loop(self):
        def line(peer, params, value):
            return {"bench": "accept_cpu", "peer": peer, "params": params, "cores": 1, "value": value, "unit": "us"}
        lines = [line(*of) for of in (("bare", "n=0", 10), ("go", "n=0", 40), ("bare", "tls=full n=0", 100), ("go", "tls=full n=0", 50),
                                      ("bare", "tls=resumed n=0", 80), ("go", "tls=resumed n=0", 90))]
        for params, value, peer, said in (("form=behaviour n=0", 20, "go", ("0.50", "")),
                                          ("form=behaviour tls=full n=0", 109, "bare", ("1.09", "<= 1.1 yes")),
                                          ("form=behaviour tls=resumed n=0", 109, "bare", ("1.36", "<= 1.1 NO"))):
            mine = line("otter", params, value)
            best = table.best_peer(lines, mine)
            self.assertEqual((best["peer"], table.verdict(mine, best)), (peer, said))

    def test_a_client_that_gets_a_wrong_answer_cuts_the_run_and_says_why(self):
        self.serve(SERVER, "#!/bin/sh\necho connection 7: not what was sent >&2\nexit 1\n")
        self.assertEqual(self.lines(), [])
        self.assertIn("connection 7: not what was sent", self.problems()[0]["problem"])

    def test_a_server_that_does_not_listen_is_cut_with_its_last_word(self):
        self.serve("#!/bin/sh\necho listen: no such port >&2\nexit 1\n", LOAD)
        self.assertIn("listen: no such port", self.problems()[0]["problem"])

    @unittest.skipIf(shutil.which("gnuplot") is None, "gnuplot is not installed")
    def test_plots_are_drawn(self):
        self.peers(otter=FIGURE % 100, caf=FIGURE % 400)
        done = self.measure("--quick")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.tree / "out/rows_1.png").read_bytes().startswith(b"\x89PNG"))
        self.assertIn("<svg", (self.tree / "out/rows_1.svg").read_text())
