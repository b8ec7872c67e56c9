"""same_digest on played programs: equal runs pass, and what differs is found and shown."""
from support import ROOT, in_a_tree

# Takes the arguments of otter_simulate. TRACE is what one run does; its digest is its text.
PROGRAM = """#!/usr/bin/env bash
while (( $# > 0 )); do
  case "$1" in
    --seed) seed="$2" ;;
    --digest) digest="$2" ;;
    --trace) trace="$2" ;;
  esac
  shift 2
done
text() { %s
}
[[ -z "${digest:-}" ]] || text >"$digest"
[[ -z "${trace:-}" ]] || text >"$trace"
exit ${status:-0}
"""


class same_digest(in_a_tree):
    def check(self, trace, first=1, count=3):
        program = self.script("simulate", PROGRAM % trace)
        return self.run_program(ROOT / ".ci/same_digest", program, first, count)

    def setUp(self):
        super().setUp()
        done = self.check("echo $seed")
        if "address randomisation is off" in done.stderr:
            self.assertEqual(done.returncode, 2)
            self.skipTest(done.stderr.strip())

    def test_runs_that_depend_on_the_seed_alone_pass(self):
        done = self.check("echo turn $seed")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], "3 passed, 0 failed")

    def test_the_first_line_that_differs_is_shown_with_how_to_see_it_again(self):
        done = self.check('echo choose 4 1; echo push 7; if [[ $seed == 2 ]]; then echo pick $$; fi; echo end')
        self.assertEqual(done.returncode, 1)
        self.assertIn("seed 2: two runs gave two digests", done.stdout)
        self.assertIn("first difference in line 3 of the trace", done.stdout)
        self.assertIn("      push 7\n    a pick ", done.stdout)
        self.assertIn("./dev simulate --check --seed 2", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "2 passed, 1 failed")

    def test_the_two_runs_have_their_stacks_in_different_places(self):
        done = self.check("echo ${OTTER_ENVIRONMENT_PADDING:+longer}")
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 3 failed")

    def test_a_run_that_fails_or_says_nothing_has_not_passed(self):
        done = self.check("status=1; echo $seed", count=1)
        self.assertIn("seed 1: run a failed", done.stdout)
        self.assertEqual(done.returncode, 1)
        done = self.check(":", count=1)
        self.assertIn("seed 1: run a wrote no digest", done.stdout)
        self.assertEqual(done.returncode, 1)
